//! `counterpatch verify`: files in, verdict out, in time.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vnnlib::Query;

use super::config;
use super::delivery::{Delivery, Style};
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::session::{self, Outlets};
use super::terminal::{self, say};
use super::verify_page::FinishedRun;
use super::watchdog::{Signals, Watchdog};
use super::{args, certificate, input};
use crate::budget::{self, Budget};
use crate::error::Error;
use crate::nearest::{Nearest, Norm};
use crate::onnx::Model;
use crate::pipeline::nearest::NearestWish;
use crate::pipeline::{self, Verdict};
use crate::property::doubt::{self, Doubt};
use crate::repair::points::PointsError;
use crate::report::{JsonLines, ProgressLine, Provenance, Statistics};
use crate::search::observer::{Event, Listeners, Observer};
use crate::witness::{Answer, Certainty, Lost, Witness, write};

/// How long the search may take to end after a signal.
const GRACE: Duration = Duration::from_millis(300);

/// Runs the command.
pub(super) fn run(args: &args::VerifyArgs, provenance: &Provenance) -> Exit {
    let style = if args.json { Style::Json } else { Style::Text };
    let outlets = Outlets {
        results_file: args.results_file.as_deref(),
        folder: args.serialise_assignments.as_deref(),
        style,
    };
    session::run(outlets, |signals, delivery| verify(args, provenance, signals, delivery))
}

/// Searches, and delivers what comes of it.
fn verify(
    args: &args::VerifyArgs,
    provenance: &Provenance,
    signals: Signals,
    delivery: &Arc<Delivery>,
) -> Result<Exit, Failure> {
    let config = config::VerifyConfig::try_from(args)?;
    let budget = config.timeout.map_or_else(Budget::unlimited, Budget::of_process);
    let interrupt = signals.interrupt();
    let budget = budget.with_interrupt(interrupt.clone());
    let statistics = Arc::new(Statistics::default());
    let searching = Arc::new(AtomicBool::new(false));
    let last_words = {
        let (statistics, budget, wanted) = (Arc::clone(&statistics), budget.clone(), args.stats);
        move || {
            if wanted {
                terminal::tell(format_args!("{}", statistics.table(budget.elapsed())));
            }
        }
    };
    let watchdog = Watchdog {
        delivery: Arc::clone(delivery),
        searching: Arc::clone(&searching),
        grace: GRACE,
        last_words,
    };
    let delay = config.timeout.map(budget::reserve).unwrap_or_default() / 2;
    watchdog.start(signals, &budget, delay).map_err(Failure::System)?;

    let (verdict, asked) = search(args, &config, &budget, &statistics, &searching)?;
    let seconds = budget.elapsed();
    if let (VerifyOutcome::Verdict(Verdict::Unsat(proof)), Some(path)) = (&verdict, &args.certificate) {
        certificate::save(path, proof)?;
    }
    let exit = deliver(args, &verdict, delivery)?;
    if !args.quiet {
        explain(args, &verdict, &statistics);
    }
    if args.stats {
        terminal::tell(format_args!("{}", statistics.table(budget.elapsed())));
    }
    if let Some(path) = &args.html {
        // The answer is delivered, whatever becomes of the page.
        let run = FinishedRun {
            args,
            config: &config,
            asked: &asked,
            verdict: &verdict,
            statistics: &statistics,
            seconds,
        };
        if let Err(failure) = run.write(path, provenance, &budget, &interrupt) {
            return Ok(failure.say());
        }
    }
    Ok(exit.unwrap_or(Exit::Answered))
}

/// Delivers the verdict; `None` where another one was delivered before.
fn deliver(
    args: &args::VerifyArgs,
    found: &VerifyOutcome,
    delivery: &Delivery,
) -> Result<Option<Exit>, Failure> {
    Ok(match found {
        VerifyOutcome::Verdict(Verdict::Sat(witness)) if is_withheld(args, witness) => {
            if let Some(results) = &args.results_file {
                write::save(&beside(results), witness).map_err(Error::from)?;
            }
            delivery.deliver(Answer::Unknown)
        }
        VerifyOutcome::Verdict(Verdict::Sat(witness)) => delivery.deliver(Answer::Sat(witness)),
        VerifyOutcome::Verdict(Verdict::Unsat(_)) => delivery.deliver(Answer::Unsat),
        VerifyOutcome::Verdict(Verdict::Unknown(_)) => delivery.deliver(Answer::Unknown),
        VerifyOutcome::OutOfTime => delivery.deliver(Answer::Timeout),
    })
}

/// Whether a witness is no answer by itself.
pub(super) fn is_withheld(args: &args::VerifyArgs, witness: &Witness) -> bool {
    witness.certainty() == Certainty::Thin && !args.accept_thin
}

/// Where a witness that is no answer goes.
fn beside(results: &Path) -> PathBuf {
    let mut name = results.as_os_str().to_owned();
    name.push(".thin");
    name.into()
}

/// What came of it.
pub(super) enum VerifyOutcome {
    Verdict(Verdict),
    /// The time was up before the search could begin.
    OutOfTime,
}

/// What was searched, for a page.
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) models: Vec<Arc<Model>>,
    /// What was said of the nearest counterexample.
    pub(super) nearest: Option<String>,
}

fn search(
    args: &args::VerifyArgs,
    config: &config::VerifyConfig,
    budget: &Budget,
    statistics: &Statistics,
    searching: &AtomicBool,
) -> Result<(VerifyOutcome, Asked), Failure> {
    let query = input::property(&config.property)?;
    let files = config.networks.files_for(&query)?;
    let doubts = doubts(&query);
    let (models, notes) = input::models(&files, &query, &args.dims)?;
    if !args.quiet {
        notes.iter().for_each(|note| say!("note: {note}"));
    }
    let mut asked = Asked { query: query.clone(), models: models.clone(), nearest: None };
    if budget.check() == Err(crate::budget::StopReason::TimeUp) {
        return Ok((VerifyOutcome::OutOfTime, asked));
    }
    searching.store(true, Ordering::Relaxed);
    let mut listeners = Listeners::default();
    listeners.add(statistics);
    let lines = args.json.then(|| JsonLines::new(io::stdout()));
    let progress = (!args.quiet && !args.json && io::stderr().is_terminal()).then(ProgressLine::start);
    lines.iter().for_each(|lines| listeners.add(lines));
    progress.iter().for_each(|progress| listeners.add(progress));
    for doubt in &doubts {
        let Doubt { variable, lines, text } = doubt;
        listeners.event(&Event::Warning { variable: variable.as_deref(), lines, text });
    }
    notes.iter().for_each(|note| listeners.event(&Event::Note(note)));
    let Some(point) = &args.nearest else {
        let verdict = pipeline::falsify(query, models, &config.search, budget, &listeners)?;
        return Ok((VerifyOutcome::Verdict(verdict), asked));
    };
    let wish = NearestWish {
        point: nominal(point, &query)?,
        norm: args.norm.into(),
        gap: config.gap,
        accept_thin: args.accept_thin,
    };
    let (verdict, answer) =
        pipeline::nearest::nearest(query, models, &wish, &config.search, budget, &listeners)?;
    asked.nearest = answer.map(|answer| in_words(wish.norm, point, &answer));
    if let Some(words) = asked.nearest.as_ref().filter(|_| !args.quiet) {
        say!("nearest: {words}");
    }
    Ok((VerifyOutcome::Verdict(verdict), asked))
}

/// The point of `--nearest`; `None` for the middle of the box.
fn nominal(point: &str, query: &Query) -> Result<Option<Vec<f64>>, Failure> {
    if point == "centre" {
        return Ok(None);
    }
    let path = Path::new(point);
    let mut points = input::points(path, query)?;
    match points.len() {
        1 => Ok(points.pop()),
        several => {
            let what = format!("{several} points, where one is wanted (help: keep one)");
            Err(Error::Points { path: path.to_path_buf(), source: PointsError::Unfit(what) }.into())
        }
    }
}

/// What is known of the nearest counterexample, in a line.
fn in_words(norm: Norm, point: &str, answer: &Nearest) -> String {
    let Nearest { distance, bound, ending, parts, programs, .. } = answer;
    let effort = format!("{parts} parts, {programs} programs");
    let Some(_) = answer.input else {
        let known = match bound.is_infinite() {
            true => "no real input violates the property".to_owned(),
            false => format!("none was found, and proved that none is nearer than {bound:.9}"),
        };
        return format!("{norm} around {point}: {known}; {ending}; {effort}");
    };
    let state =
        if answer.is_optimal() { "optimal".to_owned() } else { format!("not proved optimal ({ending})") };
    let gap = 100.0 * answer.gap();
    format!(
        "{norm} distance {distance:.9} from {point}, proved that none is nearer than {bound:.9} (gap {gap:.4}%), {state}; \
         {effort}"
    )
}

/// Says what the property's author may not have meant, a line each: no option hides it, because it turns the meaning of a
/// verdict around.
pub(super) fn doubts(query: &Query) -> Vec<Doubt> {
    let doubts = doubt::doubts(query);
    doubts.iter().for_each(|doubt| say!("warning: {}", doubt.text));
    doubts
}

/// One line on standard error that says what the verdict rests on.
fn explain(args: &args::VerifyArgs, found: &VerifyOutcome, statistics: &Statistics) {
    if let VerifyOutcome::Verdict(Verdict::Sat(witness)) = found {
        tell_where_it_is_lost(witness);
    }
    match found {
        VerifyOutcome::Verdict(Verdict::Sat(witness)) if witness.certainty() == Certainty::Thin => {
            let what =
                if args.accept_thin { "the counterexample" } else { "a counterexample was found that" };
            say!(
                "note: {what} holds with zero tolerance, but by so little that another engine's rounding may hide \
                 it (short by {:.1e}){}",
                -witness.excess(),
                if args.accept_thin { "" } else { "; --accept-thin takes it for an answer" }
            );
        }
        VerifyOutcome::Verdict(Verdict::Sat(witness)) if args.stats => say!("note: {}", witness.certainty()),
        VerifyOutcome::Verdict(Verdict::Sat(_)) => {}
        VerifyOutcome::Verdict(Verdict::Unsat(proof)) => say!("note: {}", proof.ground()),
        VerifyOutcome::Verdict(Verdict::Unknown(reason)) => {
            match statistics.best_margin() {
                Some(margin) => say!("note: {reason}; the best margin was {margin:.3e}, 0 is needed"),
                None => say!("note: {reason}"),
            }
            // Who asks for a strategy by name wants to know why it has done nothing.
            if !args.only.is_empty() && !args.stats {
                statistics.not_used().iter().for_each(|why| say!("note: {why}"));
            }
            // The table, if it is wanted, ends with them.
            let notes = if args.stats { Vec::new() } else { statistics.notes() };
            notes.iter().for_each(|note| say!("note: {note}"));
        }
        VerifyOutcome::OutOfTime => say!("note: the time was up before the search could begin"),
    }
}

/// Says in which kernels for bytes a counterexample is none.
fn tell_where_it_is_lost(witness: &Witness) {
    match witness.lost() {
        Lost::Nowhere => {}
        Lost::Saturating => say!(
            "note: where 8-bit products saturate (ONNX Runtime on x86 without VNNI) the network computes something else, and \
             this counterexample is none (help: quantise with reduce_range, or judge it on another machine)"
        ),
        Lost::Fused => say!(
            "note: ONNX Runtime's optimiser fuses a quantised Softmax into a kernel that computes something else, and there \
             this counterexample is none (help: judge it with the optimiser off)"
        ),
    }
}
