//! What Slurm runs: a job array, each task of which is a shard of the campaign.
//!
//! Before its time is up a task gets `USR1`, ends its units, gives their claims back and asks for another turn. `TERM`, as a
//! cancelled or preempted job gets it, does the same without the last.

use std::fmt::Write;
use std::path::PathBuf;

use crate::escape::shell_word;

/// Seconds before its limit in which a task ends its units: each takes up to 3 s once it is told to.
const NOTICE: u32 = 60;

/// An array of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// What starts this program: a path, and perhaps arguments of it.
    pub program: Vec<PathBuf>,
    /// The campaign's folder.
    pub folder: PathBuf,
    /// How many tasks there are.
    pub tasks: usize,
    /// Units at a time in each.
    pub jobs: usize,
    /// Processors of each.
    pub processors: usize,
    /// The partition, if one is chosen.
    pub partition: Option<String>,
    /// Further options of `sbatch`, as they were typed.
    pub options: Option<String>,
}

impl Submission {
    /// The script for `sbatch`.
    pub fn script(&self) -> String {
        let mut out = "#!/bin/sh\n".to_owned();
        let logs = self.folder.join("slurm-%A_%a.log");
        let mut options = vec![
            "--job-name=counterpatch".to_owned(),
            format!("--array=0-{}", self.tasks - 1),
            "--ntasks=1".to_owned(),
            format!("--cpus-per-task={}", self.processors),
            "--requeue".to_owned(),
            "--open-mode=append".to_owned(),
            format!("--signal=B:USR1@{NOTICE}"),
            format!("--output={}", shell_word(&logs.display().to_string())),
        ];
        options.extend(
            self.partition.as_ref().map(|partition| format!("--partition={}", shell_word(partition))),
        );
        options.extend(self.options.clone());
        for option in options {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "#SBATCH {option}");
        }
        let word = |path: &PathBuf| shell_word(&path.display().to_string());
        let words: Vec<String> = self.program.iter().map(word).collect();
        let (program, folder) = (words.join(" "), word(&self.folder));
        let _ = write!(
            out,
            "\n\
             # Each task begins with its own shard and then shares what is left. Nothing is run twice, so that a task may be\n\
             # requeued, or the whole script submitted again, at any time.\n\
             {program} campaign run {folder} --shard \"$SLURM_ARRAY_TASK_ID/{tasks}\" --jobs {jobs} --quiet &\n\
             child=$!\n\
             again=\n\
             trap 'kill -TERM $child' TERM\n\
             trap 'again=yes; kill -TERM $child' USR1\n\
             # A signal ends a wait before the child has ended.\n\
             wait $child\n\
             status=$?\n\
             while kill -0 $child 2>/dev/null; do\n\
             \twait $child\n\
             \tstatus=$?\n\
             done\n\
             if [ -n \"$again\" ] && [ \"$status\" -eq 14 ]; then\n\
             \tif ! command -v scontrol >/dev/null; then\n\
             \t\techo \"scontrol is missing on this node: this task gets no other turn. Submit again: nothing is lost\" >&2\n\
             \telif ! scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\"; then\n\
             \t\techo \"this task gets no other turn. Submit again: nothing is lost\" >&2\n\
             \tfi\n\
             fi\n\
             exit \"$status\"\n",
            tasks = self.tasks,
            jobs = self.jobs,
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_an_array_of_shards() {
        let submission = Submission {
            program: vec!["/opt/counterpatch".into()],
            folder: "/shared/my campaign".into(),
            tasks: 4,
            jobs: 2,
            processors: 6,
            partition: Some("gpu".into()),
            options: Some("--time=1:00:00 --account=me".into()),
        };
        insta::assert_snapshot!(submission.script());
    }
}
