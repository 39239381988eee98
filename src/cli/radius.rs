//! `counterpatch radius`: how far from a point the nearest counterexample is, found and proved, as text or JSON.

use std::io::{self, IsTerminal};

use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::memory::MemoryLimit;
use super::object::Origin;
use super::repair::interrupt;
use super::terminal::{self, say};
use super::{args, config, near};
use crate::budget::Budget;
use crate::error::Error;
use crate::pipeline::radius::{Radius, RadiusStep, StepAnswer, radius};
use crate::search::observer::{Event, Observer};
use crate::witness::{Witness, write};

/// Runs the command.
pub(super) fn run(args: &args::RadiusArgs) -> Exit {
    let json = args.json.then_some(Origin::seeded("radius", args.seed));
    match measured(args) {
        Ok(radius) => {
            let written = match json {
                Some(origin) => terminal::print_json(&origin.line(in_json(&radius))),
                None => terminal::print(&in_words(&radius)),
            };
            terminal::ended(written, Exit::Answered)
        }
        Err(failure) => failure.tell(json),
    }
}

fn measured(args: &args::RadiusArgs) -> Result<Radius, Failure> {
    let config = config::RadiusConfig::try_from(args)?;
    let interrupt = interrupt(MemoryLimit::of(&args.memory)?).map_err(Failure::System)?;
    let budget = Budget::of_process(config.timeout).with_interrupt(interrupt);
    let (model, around) = near::around(&args.near, vec![0.0])?;
    let told = Told { steps: !args.quiet && io::stderr().is_terminal() };
    let radius = radius(&around, &model, &config.wish, &config.search, &budget, &told)?;
    if let (Some(path), Some((_, witness))) = (&args.output, &radius.found) {
        write::save(path, witness).map_err(Error::from)?;
    }
    Ok(radius)
}

/// What is said on the way.
struct Told {
    steps: bool,
}

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        if let Event::Note(note) = event
            && self.steps
        {
            say!("{note}");
        }
    }
}

fn in_words(radius: &Radius) -> String {
    let proved = match radius.proved {
        Some(eps) => format!("no counterexample within {eps} (proved)"),
        None => "nothing is proved, not even of the point itself".into(),
    };
    let found = match &radius.found {
        Some((eps, witness)) => format!("a counterexample at {eps} ({})", witness.certainty()),
        None => "no counterexample was found".into(),
    };
    let gap = radius.gap().map(|gap| format!(", {:.2}% of that undecided", 100.0 * gap)).unwrap_or_default();
    let seconds: f64 = radius.steps.iter().map(|step| step.seconds).sum();
    format!("{proved}\n{found}{gap}\n{} searches, {seconds:.2} s\n", radius.steps.len())
}

fn in_json(radius: &Radius) -> Value {
    let step = |step: &RadiusStep| {
        let (said, why) = match step.said {
            StepAnswer::Sat => ("sat", None),
            StepAnswer::Unsat => ("unsat", None),
            StepAnswer::Unknown(why) => ("unknown", Some(why.to_string())),
        };
        json!({"eps": step.eps, "said": said, "why": why, "seconds": step.seconds})
    };
    let found = |(eps, witness): &(f64, Witness)| {
        let tensors = witness.tensors().iter();
        let values: serde_json::Map<String, Value> =
            tensors.map(|tensor| (tensor.name().to_owned(), tensor.values().iter().collect())).collect();
        json!({"eps": eps, "certainty": witness.certainty().to_string(), "values": values})
    };
    json!({
        "proved": radius.proved,
        "found": radius.found.as_ref().map(found),
        "gap": radius.gap(),
        "steps": radius.steps.iter().map(step).collect::<Vec<_>>(),
    })
}
