//! `counterpatch campaign submit`: a campaign as a job array of Slurm, and what becomes of it (`wait.rs`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::CampaignFailure;
use super::wait::AwaitedJob;
use crate::campaign::{CampaignFolder, Submission};
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::repair::interrupt;
use crate::cli::terminal;
use crate::pack;
use crate::search::MOST_THREADS;

/// Most tasks of an array: Slurm's own largest, by default a thousand, is said by sbatch.
const MOST_TASKS: usize = 100_000;

/// Runs the command.
pub(super) fn run(args: &args::CampaignSubmit, itself: &[OsString]) -> Result<Exit, CampaignFailure> {
    let limits = [("array-size", args.array_size, MOST_TASKS), ("jobs", args.jobs, MOST_THREADS)];
    for (option, number, most) in limits {
        if !(1..=most).contains(&number) {
            return Err(CampaignFailure::Number { option, number, most });
        }
    }
    let folder = args.folder.canonicalize().unwrap_or_else(|_| args.folder.clone());
    let campaign = CampaignFolder::at(&folder);
    let plan = campaign.plan()?;
    let submission = Submission {
        program: itself.iter().map(PathBuf::from).collect(),
        folder: folder.clone(),
        // More tasks than units would have nothing to begin with.
        tasks: args.array_size.min(plan.units().count().max(1)),
        jobs: args.jobs,
        processors: args.jobs.saturating_mul(plan.limits.threads),
        partition: args.partition.clone(),
        options: args.sbatch.clone(),
    };
    let script = folder.join("slurm.sh");
    let written = pack::write_bytes(&script, submission.script().as_bytes());
    written.map_err(|source| CampaignFailure::Write { path: script.clone(), source })?;
    let shown = script.display().to_string();
    if args.dry_run {
        let text = format!("{shown} is written: sbatch {shown}\n");
        return Ok(terminal::ended(terminal::print(&text), Exit::Answered));
    }
    let interrupt = if args.wait { Some(interrupt(None).map_err(CampaignFailure::System)?) } else { None };
    let output = Command::new("sbatch").arg(&script).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| CampaignFailure::Sbatch(error, shown.clone()))?;
    if !output.status.success() {
        return Err(CampaignFailure::Refused(shown));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let written = terminal::print(&said);
    match interrupt {
        Some(interrupt) if written.is_ok() => {
            AwaitedJob::new(&campaign, &plan, job_of(&said)).wait(&interrupt)
        }
        _ => Ok(terminal::ended(written, Exit::Answered)),
    }
}

/// The number of the job in what sbatch says: "Submitted batch job 12", perhaps with a cluster behind.
fn job_of(said: &str) -> Option<&str> {
    said.split_whitespace().find(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_found_in_what_sbatch_says() {
        assert_eq!(job_of("Submitted batch job 12\n"), Some("12"));
        assert_eq!(job_of("Submitted batch job 7 on cluster east2\n"), Some("7"));
        assert_eq!(job_of("warning: nothing\n"), None);
    }
}
