//! `counterpatch campaign plan`: lists of instances in, a plan out.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use super::CampaignFailure;
use super::instances::{Instances, WantedRows};
use super::recipe;
use crate::campaign::{self, Campaign, CampaignFolder, CampaignTool, Digest, ToolKind, UnitLimits};
use crate::cli::args::{self, Arguments};
use crate::cli::config::{self, UsageError};
use crate::cli::exit::Exit;
use crate::cli::second::Tool;
use crate::cli::terminal;

/// Runs the command.
pub(super) fn run(args: &args::CampaignPlan) -> Result<Exit, CampaignFailure> {
    let (plan, duplicates) = make(&args.lists, &args.wishes)?;
    let folder = CampaignFolder::at(&args.output);
    folder.begin(&plan)?;
    Ok(terminal::ended(terminal::print(&in_words(&plan, duplicates, folder.path())), Exit::Answered))
}

/// Makes a plan; and how many rows were left out because another one asks the same.
pub(super) fn make(
    lists: &[PathBuf],
    wishes: &args::PlanWishes,
) -> Result<(Campaign, usize), CampaignFailure> {
    let (lists, wishes) = recipe::resolved(lists, wishes)?;
    let seeds = wishes.seeds.as_deref().map_or(Ok(vec![0]), campaign::seeds)?;
    let cap: Option<Duration> =
        wishes.timeout_cap.as_deref().map(|text| config::seconds("timeout-cap", text)).transpose()?;
    let limits = UnitLimits {
        threads: config::threads(Some(wishes.threads.unwrap_or(1)))?,
        memory: wishes.memory.as_deref().map(config::bytes).transpose()?,
    };
    let tools = tools(&wishes.tools)?;
    let rows =
        WantedRows { wanted: &wishes.wanted, most: wishes.sample.map_or(usize::MAX, NonZeroUsize::get) };
    let Instances { instances, files, duplicates, .. } = Instances::read(&lists, &rows, cap)?;
    Ok((Campaign::new(limits, tools, seeds, files, instances), duplicates))
}

fn in_words(plan: &Campaign, duplicates: usize, folder: &Path) -> String {
    let units = plan.units().count();
    let [expected, most] =
        [plan.expected_cpu_seconds(), plan.most_cpu_seconds()].map(|seconds| seconds / 3600.0);
    let tools: Vec<&str> = plan.tools.iter().map(|tool| tool.name.as_str()).collect();
    let left_out = match duplicates {
        0 => String::new(),
        number => format!(" ({number} duplicates are left out)"),
    };
    format!(
        "{units} units: {} instances{left_out} x {} tools ({}) x {} seeds; {} files; {expected:.2} processor hours \
         expected, {most:.2} at most\n\
         run them: counterpatch campaign run {}\n",
        plan.instances.len(),
        plan.tools.len(),
        tools.join(", "),
        plan.seeds.len(),
        plan.files.len(),
        folder.display()
    )
}

/// Ours, where none is named.
fn tools(typed: &[String]) -> Result<Vec<CampaignTool>, CampaignFailure> {
    let ours = ["ours".to_owned()];
    let typed = if typed.is_empty() { &ours[..] } else { typed };
    let mut tools: Vec<CampaignTool> = Vec::new();
    for text in typed {
        let tool = tool(text)?;
        if tools.iter().any(|other| other.name == tool.name) {
            return Err(CampaignFailure::SameTool(tool.name));
        }
        tools.push(tool);
    }
    Ok(tools)
}

/// `[NAME=](ours[:OPTIONS]|marabou|script:FILE)`
fn tool(text: &str) -> Result<CampaignTool, CampaignFailure> {
    let (name, what) = match text.split_once('=') {
        Some((name, what)) if !name.is_empty() && !name.contains([':', '/']) => (Some(name), what),
        _ => (None, text),
    };
    let (what, arguments) = match what.split_once(':') {
        Some(("ours", options)) => ("ours", options_of_verify(options)?),
        _ => (what, Vec::new()),
    };
    let (kind, program, usual) = match (what, what.strip_prefix("script:")) {
        ("ours", _) => (ToolKind::Ours, None, "counterpatch".to_owned()),
        ("marabou", _) => (ToolKind::Marabou, Some(in_path("Marabou")), "marabou".to_owned()),
        (_, Some(file)) if !file.is_empty() => {
            let path = PathBuf::from(file);
            let path = path.canonicalize().unwrap_or(path);
            let usual = usual_name(&path);
            (ToolKind::Script, Some(path), usual)
        }
        _ => return Err(CampaignFailure::Tool(text.to_owned())),
    };
    let version = version(kind, program.as_deref())?;
    Ok(CampaignTool { name: name.map_or(usual, ToOwned::to_owned), kind, program, version, arguments })
}

/// Further options of `verify`, parted by blanks. What a campaign says itself cannot be said twice.
fn options_of_verify(text: &str) -> Result<Vec<String>, CampaignFailure> {
    let options: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let wrong = |why: String| CampaignFailure::Options { options: text.to_owned(), why };
    let line = ["counterpatch", "verify", "NETWORK", "PROPERTY"]
        .into_iter()
        .chain(options.iter().map(String::as_str));
    let parsed = Arguments::try_parse_from(line).map_err(|error| {
        let said = error.to_string();
        wrong(said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
    })?;
    let Some(args::Command::Verify(verify)) = parsed.command else {
        return Err(wrong("no options".to_owned()));
    };
    let said = [
        ("--results-file", verify.results_file.is_some()),
        ("--certificate", verify.certificate.is_some()),
        ("--timeout", verify.timeout.is_some()),
        ("--seed", verify.seed != 0),
        ("--threads", verify.threads.is_some()),
        ("--memory", verify.memory.memory.is_some()),
    ];
    match said.iter().find(|(_, said)| *said) {
        Some((option, _)) => Err(wrong(format!("the campaign says {option} itself"))),
        None => Ok(options),
    }
}

/// What a script is called in results: all of them are `run_instance.sh`, so by its folder.
fn usual_name(script: &Path) -> String {
    let stem = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let own = stem(script).unwrap_or_default();
    let mut folders = script.ancestors().skip(1).filter_map(stem);
    let telling = |name: &String| !matches!(name.as_str(), "scripts" | "vnncomp_scripts" | "v1");
    match own.as_str() {
        "run_instance" => folders.find(telling).unwrap_or(own),
        _ => own,
    }
}

/// Where a program of this name is found; the bare name if it is nowhere, for the message.
fn in_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|place| place.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// What makes a new key of a unit when a tool changes: the program's content, and of ours the version, too.
///
/// # Errors
/// If the program is not there or may not be run.
pub(super) fn version(kind: ToolKind, program: Option<&Path>) -> Result<String, CampaignFailure> {
    let digest = |path: &Path| {
        let bytes = std::fs::read(path)
            .map_err(|source| CampaignFailure::File { path: path.to_path_buf(), source: source.into() })?;
        Ok::<_, CampaignFailure>(Digest::of(&bytes))
    };
    let Some(program) = program else {
        // Within another program, such as Python's interpreter, it is that one's: there the version tells them apart.
        let own = std::env::current_exe().map_err(CampaignFailure::System)?;
        return Ok(format!("{}+{}", env!("CARGO_PKG_VERSION"), digest(&own)?.short()));
    };
    let tool = as_tool(kind, program, "");
    tool.check().map_err(|why| UsageError::SecondTool { name: tool.name(), why })?;
    Ok(format!("sha256:{}", digest(program)?.short()))
}

/// How a tool that is not ours is called.
pub(super) fn as_tool(kind: ToolKind, program: &Path, category: &str) -> Tool {
    match kind {
        ToolKind::Marabou => Tool::Marabou(program.to_path_buf()),
        ToolKind::Ours | ToolKind::Script => {
            Tool::Script { path: program.to_path_buf(), category: category.to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_names() {
        let cases = [
            ("/opt/crown/run_instance.sh", "crown"),
            ("/opt/crown/vnncomp_scripts/run_instance.sh", "crown"),
            ("/opt/dummy.sh", "dummy"),
            ("/run_instance.sh", "run_instance"),
        ];
        for (path, want) in cases {
            assert_eq!(usual_name(Path::new(path)), want, "{path}");
        }
        let ours = tool("new=ours").unwrap();
        assert_eq!((ours.name.as_str(), ours.kind, ours.program), ("new", ToolKind::Ours, None));
        assert!(ours.version.starts_with(concat!(env!("CARGO_PKG_VERSION"), "+")));
        let without = tool("less=ours:--without pgd,apgd --accept-thin").unwrap();
        assert_eq!(without.arguments, ["--without", "pgd,apgd", "--accept-thin"]);
        for (options, want) in [
            ("ours:--no-such", "unexpected argument '--no-such'"),
            ("ours:--timeout 3", "the campaign says --timeout itself"),
            ("ours:third", "unexpected value 'third'"),
        ] {
            let why = tool(options).unwrap_err().to_string();
            assert!(why.contains(want), "{options}: {why}");
        }
        for wrong in ["", "theirs", "script:", "x=", "a/b=ours"] {
            assert!(matches!(tool(wrong), Err(CampaignFailure::Tool(_))), "{wrong}");
        }
        assert!(matches!(tool("script:/nowhere.sh"), Err(CampaignFailure::Usage(_))));
        let twice = ["ours", "ours"].map(String::from);
        assert!(matches!(tools(&twice), Err(CampaignFailure::SameTool(_))));
    }
}
