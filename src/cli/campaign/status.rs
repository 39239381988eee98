//! `counterpatch campaign status`: what has a result, what is being run and by whom, and what is open.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde::Serialize;

use super::CampaignFailure;
use super::claimant::{lives, own};
use crate::campaign::{Asked, Campaign, CampaignFolder, Collected, Scores, UnitVerdict};
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::object::Origin;
use crate::cli::terminal;
use crate::report::table::markdown;

/// A claim that holds.
#[derive(Debug, Serialize)]
struct RunningUnit {
    host: String,
    process: i32,
    tool: String,
    seed: u64,
    benchmark: String,
    network: String,
    property: String,
}

/// A benchmark's units.
#[derive(Debug, Default, Serialize)]
struct BenchmarkState {
    running: usize,
    open: usize,
    #[serde(flatten)]
    scores: Scores,
}

/// Runs the command.
pub(super) fn run(args: &args::CampaignStatus) -> Result<Exit, CampaignFailure> {
    let folder = CampaignFolder::at(&args.folder);
    let plan = folder.plan()?;
    // Claims first: a unit that ends meanwhile has a result then, and is not counted as running.
    let claimed: HashMap<String, _> = folder.claimed(&own(), &lives)?.into_iter().collect();
    let mut collected = Collected::default();
    collected.add(&folder, &plan)?;
    let running = running(&plan, &collected, &claimed);
    let states = states(&collected, &running);
    let written = match args.json.then_some(Origin::of("campaign")) {
        Some(origin) => {
            let object = serde_json::json!({
                "units": collected.found.len() + collected.open.len(),
                "done": collected.found.len(),
                "running": running,
                "benchmarks": states,
                "broken": collected.broken,
                "foreign": collected.foreign,
            });
            terminal::print_json(&origin.line(object))
        }
        None => {
            let decided = folder.decided().filter(|unit| plan.units().any(|own| plan.key(own) == *unit));
            let decided = decided.map(|_| {
                let path = folder.path().display();
                format!("\nthe question is decided, the rest is stopped: see counterpatch campaign answer {path}\n")
            });
            terminal::print(&(in_words(&collected, &running, &states) + &decided.unwrap_or_default()))
        }
    };
    Ok(terminal::ended(written, Exit::Answered))
}

fn running(
    plan: &Campaign,
    collected: &Collected,
    claimed: &HashMap<String, crate::campaign::Holder>,
) -> Vec<RunningUnit> {
    let mut found = Vec::new();
    for unit in plan.units() {
        let (instance, tool) = (&plan.instances[unit.instance], &plan.tools[unit.tool]);
        let (benchmark, network, property) = (&instance.benchmark, &instance.network, &instance.property);
        let asked: Asked =
            (benchmark.clone(), network.clone(), property.clone(), tool.name.clone(), unit.seed);
        if !collected.open.contains(&asked) {
            continue;
        }
        let (benchmark, network, property, tool, seed) = asked;
        found.extend(claimed.get(plan.key(unit).as_str()).map(|holder| RunningUnit {
            host: holder.host.clone(),
            process: holder.process,
            tool,
            seed,
            benchmark,
            network,
            property,
        }));
    }
    found
}

fn states(collected: &Collected, running: &[RunningUnit]) -> BTreeMap<String, BenchmarkState> {
    let mut states: BTreeMap<String, BenchmarkState> = BTreeMap::new();
    for result in collected.results() {
        states.entry(result.benchmark.clone()).or_default().scores.add(result);
    }
    for (benchmark, ..) in &collected.open {
        states.entry(benchmark.clone()).or_default().open += 1;
    }
    for unit in running {
        let state = states.entry(unit.benchmark.clone()).or_default();
        state.running += 1;
        state.open -= 1;
    }
    states
}

/// Writing to a String cannot fail.
fn in_words(
    collected: &Collected,
    running: &[RunningUnit],
    states: &BTreeMap<String, BenchmarkState>,
) -> String {
    let mut out = String::new();
    let (done, open) = (collected.found.len(), collected.open.len());
    let _ = writeln!(
        out,
        "{done} of {} units are done, {} are running, {} are open\n",
        done + open,
        running.len(),
        open - running.len()
    );
    let verdicts = UnitVerdict::ALL.iter().map(|verdict| verdict.word());
    let head: Vec<&str> = ["benchmark", "done", "running", "open"].into_iter().chain(verdicts).collect();
    let row = |(benchmark, state): (&String, &BenchmarkState)| -> Vec<String> {
        let numbers =
            [state.scores.units(), state.running, state.open].into_iter().chain(state.scores.verdicts);
        std::iter::once(benchmark.clone()).chain(numbers.map(|number| number.to_string())).collect()
    };
    out += &markdown(&head, states.iter().map(row), |column| column == 0);
    if !running.is_empty() {
        out.push_str("\nrunning:\n");
    }
    for unit in running {
        let RunningUnit { host, process, tool, seed, benchmark, network, property } = unit;
        let _ = writeln!(
            out,
            "  {host}, process {process}: {tool}, seed {seed}: {benchmark} {network} {property}"
        );
    }
    for path in &collected.broken {
        let _ = writeln!(
            out,
            "\n{}: cannot be read: `run` puts it aside and runs the unit again",
            path.display()
        );
    }
    if collected.foreign > 0 {
        let _ = writeln!(
            out,
            "\n{} results are of other versions of files or programs than the plan's, and are not counted",
            collected.foreign
        );
    }
    out
}
