//! `counterpatch campaign status`: what has a result, what is being run and by whom, and what is open.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde::Serialize;

use super::CampaignFailure;
use super::claimant::{lives, own};
use crate::campaign::{Asked, AskedWords, Campaign, CampaignFolder, Collected, Scores, UnitVerdict};
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
    // What another plan has decided in this folder is no news of this one.
    let decided = folder.decided().is_some_and(|unit| plan.units().any(|own| plan.key(own) == unit));
    let written = match args.json.then_some(Origin::of("campaign")) {
        Some(origin) => {
            let object = serde_json::json!({
                "units": collected.found.len() + collected.open.len(),
                "done": collected.found.len(),
                "running": running,
                "benchmarks": states,
                "broken": collected.broken,
                "foreign": collected.foreign,
                "decided": decided,
            });
            terminal::print_json(&origin.line(object))
        }
        None => {
            let mut text = in_words(&collected, &running, &states);
            if decided {
                let path = folder.path().display();
                let _ = writeln!(
                    text,
                    "\nthe question is decided, the rest is stopped: see counterpatch campaign answer {path}"
                );
            }
            terminal::print(&text)
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
    if claimed.is_empty() {
        return found;
    }
    for unit in plan.units() {
        let (instance, tool) = (&plan.instances[unit.instance], &plan.tools[unit.tool]);
        let asked = AskedWords {
            benchmark: &instance.benchmark,
            network: &instance.network,
            property: &instance.property,
            tool: &tool.name,
            seed: unit.seed,
        };
        let holder = claimed.get(plan.key(unit).as_str()).filter(|_| collected.is_open(asked));
        found.extend(holder.map(|holder| RunningUnit {
            host: holder.host.clone(),
            process: holder.process,
            tool: asked.tool.to_owned(),
            seed: asked.seed,
            benchmark: asked.benchmark.to_owned(),
            network: asked.network.to_owned(),
            property: asked.property.to_owned(),
        }));
    }
    found
}

fn states(collected: &Collected, running: &[RunningUnit]) -> BTreeMap<String, BenchmarkState> {
    let mut states: BTreeMap<String, BenchmarkState> = BTreeMap::new();
    let benchmark = |asked: Asked| collected.text(asked.benchmark);
    // They are in the order of their benchmarks.
    for units in collected.found.chunk_by(|a, b| a.asked.benchmark == b.asked.benchmark) {
        let state = states.entry(benchmark(units[0].asked).to_owned()).or_default();
        units.iter().for_each(|unit| state.scores.add(unit));
    }
    for units in collected.open.chunk_by(|a, b| a.benchmark == b.benchmark) {
        states.entry(benchmark(units[0]).to_owned()).or_default().open += units.len();
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
