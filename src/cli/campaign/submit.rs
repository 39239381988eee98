//! `counterpatch campaign submit`: a campaign as a job array of Slurm.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::CampaignFailure;
use crate::campaign::{CampaignFolder, Submission};
use crate::cli::args;
use crate::cli::exit::Exit;
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
    let plan = CampaignFolder::at(&folder).plan()?;
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
    let status = Command::new("sbatch").arg(&script).status();
    match status.map_err(|error| CampaignFailure::Sbatch(error, shown.clone()))? {
        accepted if accepted.success() => Ok(Exit::Answered),
        _ => Err(CampaignFailure::Refused(shown)),
    }
}
