//! `counterpatch repair`: a network, points and a property in; the least changed network that satisfies the property
//! at the points out. What is written was read back and replayed by the reference engine.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::config;
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::memory::MemoryLimit;
use super::object::Origin;
use super::output::OutputFile;
use super::terminal;
use super::{args, input};
use crate::budget::{Budget, Interrupt};
use crate::error::Error;
use crate::onnx;
use crate::pipeline;
use crate::repair::{Job, JobError};
use crate::report::Repairs;
use crate::report::repair::{Attempt, RepairEnding, Sample};

/// Runs the command.
pub(super) fn run(args: &args::RepairArgs) -> Exit {
    let json = args.json.then_some(Origin::seeded("repair", args.seed));
    match report(args) {
        Ok(report) => {
            let exit = if report.written.is_some() { Exit::Answered } else { Exit::NotRepaired };
            terminal::ended(print(&report, json), exit)
        }
        Err(failure) => failure.tell(json),
    }
}

fn report(args: &args::RepairArgs) -> Result<Repairs, Failure> {
    let config = config::RepairConfig::try_from(args).map_err(Failure::Usage)?;
    let interrupt = interrupt(MemoryLimit::of(&args.memory)?).map_err(Failure::System)?;
    let budget = Budget::of_process(config.timeout).with_interrupt(interrupt);
    let (model, bytes) = onnx::read_with_bytes(&args.network).map_err(Error::from)?;
    let query = input::property(&args.property)?;
    let points = input::points(&args.points, &query)?;
    let sample = args.sample.as_deref().map(|path| input::points(path, &query)).transpose()?;
    let model = pipeline::repair::fitted(&query, model)?;
    let path = model.path.clone();
    let unusable = |source: JobError| Error::Repair { path: path.clone(), source: source.into() };
    let job = Job::new(model, bytes, query, &points).map_err(unusable)?;
    // Before the output's file is made.
    config.wish.layers.attempts(job.tail().layers.len()).map_err(|error| Failure::Usage(error.into()))?;
    let output = OutputFile::prepare(&args.output).map_err(Error::from)?;
    let read_back = |bytes: &[u8]| Ok(onnx::read(output.write(bytes)?)?);
    let answer = pipeline::repair::repair(&job, &config.wish, &budget, read_back)?;
    let mut report = Repairs::new(points.len(), &answer, job.tail(), args.output.clone());
    let Some(copy) = &answer.copy else { return Ok(report) };
    output.publish().map_err(Error::from)?;
    if let Some(sample) = sample {
        let different = job.differences(&copy.model, config.decision, &sample).map_err(unusable)?;
        report.sample = Some(Sample { inputs: sample.len(), different });
    }
    Ok(report)
}

/// A flag that the first signal raises; the second one ends the process. Too much memory raises it, too.
pub(super) fn interrupt(memory: Option<MemoryLimit>) -> io::Result<Interrupt> {
    let (interrupt, again) = (Interrupt::default(), Arc::new(AtomicBool::new(false)));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
        flag::register(signal, interrupt.flag())?;
    }
    if let Some(memory) = memory {
        memory.watch(interrupt.clone(), None)?;
    }
    Ok(interrupt)
}

fn print(report: &Repairs, json: Option<Origin>) -> io::Result<()> {
    if let Some(origin) = json {
        return terminal::print_json(&origin.line(serde_json::to_value(report)?));
    }
    let lines = report.attempts.iter().map(of_attempt).chain(of_written(report));
    terminal::print(&lines.map(|line| format!("{line}\n")).collect::<String>())
}

fn of_attempt(attempt: &Attempt) -> String {
    let layers: Vec<String> = attempt.layers.iter().map(ToString::to_string).collect();
    let layers = format!("layer{} {}", if layers.len() == 1 { "" } else { "s" }, layers.join(","));
    let Attempt { weights, total, largest, seconds, .. } = attempt;
    let size = format!("{weights} weights changed, sum {total:.6}, largest {largest:.6}");
    let proved = if attempt.optimal { "optimal" } else { "not proved optimal" };
    match &attempt.outcome {
        RepairEnding::Repaired => format!("{layers}: {size}, {proved}, {seconds:.2} s"),
        RepairEnding::LostToRounding => {
            format!("{layers}: {size}, but rounded to the file's type it misses (help: raise --margin)")
        }
        RepairEnding::Impossible => format!("{layers}: proved that no change does, {seconds:.2} s"),
        RepairEnding::NotFound(reason) => format!("{layers}: no repair found, {reason}, {seconds:.2} s"),
    }
}

fn of_written(report: &Repairs) -> Vec<String> {
    let Some(written) = &report.written else { return vec!["not repaired".to_owned()] };
    let mut lines = Vec::new();
    for patch in &report.attempts[written.attempt].patches {
        lines.push(format!(
            "changed: layer {} (node {}), {} weights, sum {:.6}, largest {:.6}",
            patch.layer, patch.node, patch.weights, patch.total, patch.largest
        ));
    }
    let margin = written.margin.map_or(String::new(), |margin| format!(", least margin {margin:.3e}"));
    let points = report.points;
    lines.push(format!("repaired: {}, replayed at {points} points{margin}", written.file.display()));
    if let Some(Sample { inputs, different }) = report.sample {
        lines.push(format!("decides differently: {different} of {inputs} inputs"));
    }
    lines
}
