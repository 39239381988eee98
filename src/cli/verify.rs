//! `counterpatch verify`: files in, verdict out, in time.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use vnnlib::Query;

use super::config;
use super::delivery::{Delivery, Style, ToldVerdict};
use super::exit::Exit;
use super::failure::{Failing, Failure};
use super::memory::MemoryLimit;
use super::object::Origin;
use super::profile::ProfileFile;
use super::save::SavedFile;
use super::session::{self, Outlets};
use super::terminal::{self, note, say};
use super::verify_page::FinishedRun;
use super::watchdog::{Signals, Watchdog};
use super::{args, certificate, input};
use crate::budget::{self, Budget};
use crate::counterexample::{Counterexample, NamedArray};
use crate::error::Error;
use crate::nearest::{Nearest, Norm};
use crate::onnx::Model;
use crate::pipeline::nearest::NearestWish;
use crate::pipeline::several::Distinction;
use crate::pipeline::{self, Findings, Verdict};
use crate::property::doubt::{self, Doubt};
use crate::repair::points::PointsError;
use crate::report::{JsonLines, ProgressLine, Provenance, Statistics, json};
use crate::search::observer::{Activity, Event, Listeners, Observer, Silent, timed};
use crate::witness::{Answer, Certainty, Lost, Witness, write};

/// How long the search may take to end after a signal.
const GRACE: Duration = Duration::from_millis(300);

/// Runs the command. `provenance` is what its page tells, if it writes one.
pub(super) fn run(args: &args::VerifyArgs, provenance: Option<&Provenance>) -> Exit {
    let style = if args.json { Style::Json(origin(args)) } else { Style::Text };
    let outlets = Outlets {
        results_file: args.results_file.as_deref(),
        folder: args.serialise_assignments.as_deref(),
        style,
    };
    session::run(outlets, |signals, delivery| verify(args, provenance, signals, delivery))
}

fn origin(args: &args::VerifyArgs) -> Origin {
    Origin::seeded("verify", args.seed)
}

/// Searches, and delivers what comes of it.
fn verify(
    args: &args::VerifyArgs,
    provenance: Option<&Provenance>,
    signals: Signals,
    delivery: &Arc<Delivery>,
) -> Result<Exit, Failure> {
    let config = config::VerifyConfig::try_from(args)?;
    let memory = MemoryLimit::of(&args.memory)?;
    let saved = args.save.as_deref().map(SavedFile::prepare).transpose()?;
    let profile = args.profile.as_deref().map(ProfileFile::prepare).transpose().map_err(Error::from)?;
    let timeline: &dyn Observer = profile.as_ref().map_or(&Silent, |profile| &profile.timeline);
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
    signals.limit_memory(memory).map_err(Failure::System)?;
    watchdog.start(signals, &budget, delay).map_err(Failure::System)?;

    let mut always = Listeners::default();
    always.add(&*statistics);
    always.add(timeline);
    let outcome = search(args, &config, &budget, &always, &searching)?;
    let seconds = budget.elapsed();
    if let (Some(Verdict::Unsat(proof)), Some(path)) = (outcome.verdict(), &args.certificate) {
        certificate::save(path, proof)?;
    }
    let found = if args.json || saved.is_some() { outcome.counterexamples(args) } else { Vec::new() };
    let fields = if args.json { fields(args, &config, &outcome, &found, &statistics) } else { Map::new() };
    let answer = answer(args, outcome.verdict())?;
    let deliver = || delivery.deliver(ToldVerdict { answer, fields }).unwrap_or(Exit::Answered);
    let mut exit = timed(timeline, Activity::Writing, deliver);
    // The verdict is out by now: a disk that is full here does not take it back.
    if let Some(file) = saved.filter(|_| !found.is_empty())
        && let Err(error) = file.save(&found, &outcome.query, config.several.count > 1, origin(args))
    {
        say!("error: {error}");
        exit = Exit::CannotWrite;
    }
    explain(args, &config, &outcome, &statistics);
    if args.stats {
        terminal::tell(format_args!("{}", statistics.table(budget.elapsed())));
    }
    if let (Some(path), Some(provenance)) = (&args.html, provenance) {
        let run = FinishedRun { args, config: &config, outcome: &outcome, statistics: &statistics, seconds };
        if let Err(failure) = run.write(path, provenance, &budget, &interrupt) {
            exit = failure.say();
        }
    }
    if let Some(Err(error)) = profile.map(|profile| profile.write(provenance)) {
        say!("error: {error}");
        exit = Exit::CannotWrite;
    }
    Ok(exit)
}

/// The answer that a verdict is. A witness that is none goes to a file of its own.
fn answer<'v>(args: &args::VerifyArgs, verdict: Option<&'v Verdict>) -> Result<Answer<'v>, Failure> {
    Ok(match verdict {
        Some(Verdict::Sat(witness)) if is_withheld(args, witness) => {
            if let Some(results) = &args.results_file {
                write::save(&beside(results), witness).map_err(Error::from)?;
            }
            Answer::Unknown
        }
        Some(Verdict::Sat(witness)) => Answer::Sat(witness),
        Some(Verdict::Unsat(_)) => Answer::Unsat,
        Some(Verdict::Unknown(_)) => Answer::Unknown,
        None => Answer::Timeout,
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
pub(super) struct VerifyOutcome {
    pub(super) query: Query,
    pub(super) models: Vec<Arc<Model>>,
    /// `None` where the time was up before the search could begin.
    pub(super) findings: Option<Findings>,
    /// What was said of the nearest counterexample.
    pub(super) nearest: Option<String>,
}

impl VerifyOutcome {
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.findings.as_ref().map(|findings| &findings.verdict)
    }

    /// All counterexamples that are answers.
    fn counterexamples(&self, args: &args::VerifyArgs) -> Vec<Counterexample> {
        let Some(Findings { verdict: Verdict::Sat(first), others, .. }) = &self.findings else {
            return Vec::new();
        };
        let answers = std::iter::once(first).chain(others).filter(|witness| !is_withheld(args, witness));
        answers.map(|witness| Counterexample::new(witness.clone(), &self.query, &self.models)).collect()
    }

    /// The input that came nearest to a violation, and its margin.
    fn nearest_miss(&self) -> Option<(f64, Vec<NamedArray>)> {
        let miss = self.findings.as_ref()?.nearest_miss.as_ref()?;
        Some((miss.margin, miss.inputs(&self.query, &self.models)))
    }
}

/// What the verdict's object has beside the verdict and the counterexample that is in the results file.
fn fields(
    args: &args::VerifyArgs,
    config: &config::VerifyConfig,
    outcome: &VerifyOutcome,
    found: &[Counterexample],
    statistics: &Statistics,
) -> Map<String, Value> {
    let reason = match outcome.verdict() {
        Some(Verdict::Sat(witness)) if is_withheld(args, witness) => {
            "a counterexample that another engine's rounding may hide".to_owned()
        }
        Some(Verdict::Sat(witness)) => format!("a counterexample, {}", witness.certainty()),
        Some(Verdict::Unsat(proof)) => proof.ground().to_string(),
        Some(Verdict::Unknown(reason)) => reason.to_string(),
        None => "the time was up before the search could begin".to_owned(),
    };
    let miss = outcome.nearest_miss();
    let miss = miss.map(|(margin, inputs)| json!({ "margin": margin, "inputs": json::arrays(&inputs) }));
    let distinct = match config.several.distinction {
        Distinction::Pattern => json!("pattern"),
        Distinction::Apart(share) => json!(share),
    };
    Map::from_iter([
        ("reason".to_owned(), json!(reason)),
        ("strategies".to_owned(), json!(statistics.used())),
        ("witnesses".to_owned(), found.iter().map(json::counterexample).collect()),
        ("wanted".to_owned(), json!({ "count": config.several.count, "distinct": distinct })),
        ("nearest_miss".to_owned(), json!(miss)),
    ])
}

/// What is asked: the property, what is doubtful about it, the networks, and what there is to say of them.
struct QuestionRead {
    query: Query,
    doubts: Vec<Doubt>,
    models: Vec<Arc<Model>>,
    notes: Vec<String>,
}

fn read(args: &args::VerifyArgs, config: &config::VerifyConfig) -> Result<QuestionRead, Failure> {
    let query = input::property(&config.property)?;
    let files = config.networks.files_for(&query)?;
    let doubts = doubts(&query);
    let (models, notes) = input::models(&files, &query, &args.dims)?;
    Ok(QuestionRead { query, doubts, models, notes })
}

/// `always` hears of the run whatever its output is.
fn search(
    args: &args::VerifyArgs,
    config: &config::VerifyConfig,
    budget: &Budget,
    always: &dyn Observer,
    searching: &AtomicBool,
) -> Result<VerifyOutcome, Failure> {
    let QuestionRead { query, doubts, models, notes } =
        timed(always, Activity::Reading, || read(args, config))?;
    notes.iter().for_each(|note| note!("{note}"));
    let mut outcome = VerifyOutcome { query, models, findings: None, nearest: None };
    if budget.check() == Err(crate::budget::StopReason::TimeUp) {
        return Ok(outcome);
    }
    searching.store(true, Ordering::Relaxed);
    let mut listeners = Listeners::default();
    listeners.add(always);
    let lines = args.json.then(|| JsonLines::new(io::stdout()));
    let progress = (!args.quiet && !args.json && io::stderr().is_terminal()).then(ProgressLine::start);
    lines.iter().for_each(|lines| listeners.add(lines));
    progress.iter().for_each(|progress| listeners.add(progress));
    for doubt in &doubts {
        let Doubt { variable, lines, text } = doubt;
        listeners.event(&Event::Warning { variable: variable.as_deref(), lines, text });
    }
    notes.iter().for_each(|note| listeners.event(&Event::Note(note)));
    let (query, models) = (outcome.query.clone(), outcome.models.clone());
    let Some(point) = &args.nearest else {
        let findings =
            pipeline::falsify_several(query, models, &config.several, &config.search, budget, &listeners)?;
        return Ok(VerifyOutcome { findings: Some(findings), ..outcome });
    };
    let wish = NearestWish { point: nominal(point, &query)?, norm: args.norm.into(), gap: config.gap };
    let (verdict, answer) =
        pipeline::nearest::nearest(query, models, &wish, &config.search, budget, &listeners)?;
    outcome.nearest = answer.map(|answer| in_words(wish.norm, point, &answer));
    if let Some(words) = &outcome.nearest {
        terminal::tell_note(format_args!("nearest: {words}\n"));
    }
    Ok(VerifyOutcome { findings: Some(verdict.into()), ..outcome })
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
fn explain(
    args: &args::VerifyArgs,
    config: &config::VerifyConfig,
    outcome: &VerifyOutcome,
    statistics: &Statistics,
) {
    if let Some(Findings { verdict: Verdict::Sat(witness), others, .. }) = &outcome.findings {
        tell_where_it_is_lost(witness);
        let (kept, wanted) = (1 + others.len(), config.several.count);
        if kept < wanted {
            note!("{kept} of {wanted} different counterexamples were found");
        }
    }
    match outcome.verdict() {
        Some(Verdict::Sat(witness)) if witness.certainty() == Certainty::Thin => {
            let what =
                if args.accept_thin { "the counterexample" } else { "a counterexample was found that" };
            note!(
                "{what} holds with zero tolerance, but by so little that another engine's rounding may hide \
                 it (short by {:.1e}){}",
                -witness.excess(),
                if args.accept_thin { "" } else { "; --accept-thin takes it for an answer" }
            );
        }
        Some(Verdict::Sat(witness)) if args.stats => note!("{}", witness.certainty()),
        Some(Verdict::Sat(_)) => {}
        Some(Verdict::Unsat(proof)) => note!("{}", proof.ground()),
        Some(Verdict::Unknown(reason)) => {
            let at = outcome.nearest_miss().map(|(_, inputs)| place(&inputs)).unwrap_or_default();
            match statistics.best_margin() {
                Some(margin) => note!("{reason}; the best margin was {margin:.3e}{at}, 0 is needed"),
                None => note!("{reason}"),
            }
            // Who asks for a strategy by name wants to know why it has done nothing.
            if !args.only.is_empty() && !args.stats {
                statistics.not_used().iter().for_each(|why| note!("{why}"));
            }
            // The table, if it is wanted, ends with them.
            let notes = if args.stats { Vec::new() } else { statistics.notes() };
            notes.iter().for_each(|note| note!("{note}"));
        }
        None => note!("the time was up before the search could begin"),
    }
}

/// Where a point lies, as far as a line has room for it.
fn place(inputs: &[NamedArray]) -> String {
    const SHOWN: usize = 4;
    let of_array = |array: &NamedArray| {
        let shown: Vec<String> = array.values.iter().take(SHOWN).map(|x| format!("{x:.6}")).collect();
        let more = if array.values.len() > SHOWN { ", ..." } else { "" };
        format!("{} = ({}{more})", array.name, shown.join(", "))
    };
    let arrays: Vec<String> = inputs.iter().take(SHOWN).map(of_array).collect();
    if arrays.is_empty() { String::new() } else { format!(" at {}", arrays.join(", ")) }
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
