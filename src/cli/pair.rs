//! `counterpatch pair`: our search and a second tool, in turn or at once, for one verdict.
//!
//! The second tool's `sat` is believed only after its counterexample was replayed like any of ours; one that is off by
//! rounding is mended. Where it has no answer, or its counterexample does not count, the rest of the time is ours. Its
//! `unsat` is passed on, unless we hold a counterexample. A tool that does not exist is an error before anything begins.

use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vnnlib::Query;

use super::NAME;
use super::config::{self, RunOrder};
use super::delivery::{Delivery, Style, ToldVerdict};
use super::exit::Exit;
use super::failure::Failure;
use super::object::Origin;
use super::second::{self, Adopted, ToolQuestion};
use super::session::{self, Outlets};
use super::terminal::{note, say};
use super::verify::doubts;
use super::watchdog::{Signals, Watchdog};
use super::{args, input};
use crate::budget::{self, Budget, Interrupt};
use crate::counterexample::Counterexample;
use crate::error::Error;
use crate::onnx::Model;
use crate::pipeline::{self, Verdict};
use crate::report::{Statistics, json};
use crate::search::Config;
use crate::unpack;
use crate::witness::check::listed_inputs;
use crate::witness::{Answer, Certainty, Mended, PointChange, Reading, Witness, mend};

/// How long the second tool may take to end after a signal, ours included.
const GRACE: Duration = Duration::from_secs(1);
/// What is kept of the time for ending the second tool and for replaying its counterexample.
const KEPT: Duration = Duration::from_millis(300);

/// Runs the command.
pub(super) fn run(args: &args::PairArgs, itself: &[OsString]) -> Exit {
    let style = if args.json { Style::Json(Origin::seeded("pair", args.seed)) } else { Style::Text };
    let outlets = Outlets { results_file: args.results_file.as_deref(), folder: None, style };
    session::run(outlets, |signals, delivery| pair(args, itself, signals, delivery))
}

fn pair(
    args: &args::PairArgs,
    itself: &[OsString],
    signals: Signals,
    delivery: &Arc<Delivery>,
) -> Result<Exit, Failure> {
    let config = config::PairConfig::try_from(args)?;
    let files = config.networks.files().into_iter().map(|(_, path)| path);
    if let Some(stream) = files.chain([config.property.as_path()]).find(|path| unpack::is_stream(path)) {
        return Err(Error::Stream { path: stream.to_path_buf() }.into());
    }
    let adopted = Adopted::all().map_err(Failure::System)?;
    let budget = Budget::of_process(config.timeout).with_interrupt(signals.interrupt());
    let watchdog = Watchdog {
        delivery: Arc::clone(delivery),
        searching: Arc::new(AtomicBool::new(true)),
        grace: GRACE,
        // The guard of the second tool ends it as soon as this program is gone.
        last_words: || {},
    };
    watchdog.start(signals, &budget, budget::reserve(config.timeout) / 2).map_err(Failure::System)?;
    let query = input::property(&config.property)?;
    let doubts: Vec<String> = doubts(&query).into_iter().map(|doubt| doubt.text).collect();
    let (models, notes) = input::models(&config.networks.files_for(&query)?, &query, &args.dims)?;
    notes.iter().for_each(|note| note!("{note}"));
    let pair = PairRun { config: &config, itself, query, models, budget: &budget };
    let verdict = match config.order {
        RunOrder::InTurn(first) => pair.in_turn(first),
        RunOrder::Race => pair.race(),
    };
    // A guard that was killed itself has left its processes to us.
    adopted.end_all();
    let (answer, by) = match &verdict {
        Settled::Sat(witness, by) => (Answer::Sat(witness), *by),
        Settled::Unsat(_, by) => (Answer::Unsat, *by),
        Settled::Doubtful(_) | Settled::Open(_) => (Answer::Unknown, PairSide::Ours),
    };
    let is_ours = by == PairSide::Ours;
    let name = if is_ours { NAME.to_owned() } else { config.second.name() };
    let found = match answer {
        Answer::Sat(witness) if args.json => {
            vec![json::counterexample(&Counterexample::new(witness.clone(), &pair.query, &pair.models))]
        }
        _ => Vec::new(),
    };
    let fields = Map::from_iter([
        ("by".to_owned(), json!((!verdict.is_open()).then_some(name))),
        ("second".to_owned(), json!(config.second.name())),
        ("reason".to_owned(), json!(verdict.reason())),
        ("warnings".to_owned(), json!(doubts)),
        ("witnesses".to_owned(), Value::Array(found)),
    ]);
    let exit = delivery.deliver(ToldVerdict { answer, fields }).unwrap_or(Exit::Answered);
    if !verdict.is_open() {
        let by = if is_ours { "our search".to_owned() } else { config.second.name() };
        note!("{} by {by}, after {:.1} s", answer.word(), budget.elapsed().as_secs_f64());
    }
    Ok(exit)
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PairSide {
    Ours,
    Theirs,
}

/// What is known after one side, or both; of all but `sat`, with the words for it.
#[derive(Debug)]
enum Settled {
    Sat(Box<Witness>, PairSide),
    Unsat(String, PairSide),
    /// The second tool says `sat`, and has no counterexample that counts: a reason to search on.
    Doubtful(String),
    Open(String),
}

impl Settled {
    fn is_open(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Doubtful(_))
    }

    /// What the verdict rests on; of an open one, why each side ended.
    fn reason(&self) -> String {
        match self {
            Self::Sat(witness, _) => format!("a counterexample, {}", witness.certainty()),
            Self::Unsat(why, _) | Self::Doubtful(why) | Self::Open(why) => why.clone(),
        }
    }

    /// After `earlier` has left it open: what this says, and of one that is open too both reasons.
    fn after(self, earlier: &str) -> Self {
        let both = |why| format!("{earlier}; {why}");
        match self {
            Self::Doubtful(why) => Self::Doubtful(both(why)),
            Self::Open(why) => Self::Open(both(why)),
            settled => settled,
        }
    }
}

/// The verdict of both sides, and what is odd about it: a counterexample outweighs every proof.
fn merged(ours: Settled, theirs: Settled, second: &str) -> (Settled, Option<String>) {
    match (ours, theirs) {
        (sat @ Settled::Sat(..), Settled::Unsat(..)) => {
            let contradiction = format!(
                "{second} says unsat, but we hold a counterexample that passes every check; the answer is sat. \
                 Please report this to the makers of {second}"
            );
            (sat, Some(contradiction))
        }
        (Settled::Unsat(..), sat @ Settled::Sat(..)) => {
            let contradiction = format!(
                "our bounds exclude a violation, but the counterexample of {second} passes every check; the answer \
                 is sat. Please report this bug of counterpatch with the two files"
            );
            (sat, Some(contradiction))
        }
        (Settled::Open(why) | Settled::Doubtful(why), theirs) => (theirs.after(&why), None),
        (ours, _) => (ours, None),
    }
}

struct PairRun<'a> {
    config: &'a config::PairConfig,
    /// What starts this program once more.
    itself: &'a [OsString],
    query: Query,
    models: Vec<Arc<Model>>,
    budget: &'a Budget,
}

impl PairRun<'_> {
    fn in_turn(&self, first: Duration) -> Settled {
        let ours = self.search(&self.budget.slice(first));
        if !ours.is_open() || self.budget.check().is_err() {
            return ours;
        }
        match self.ask(self.budget).after(&ours.reason()) {
            // The rest of the time is ours, whatever was wrong with the second tool.
            Settled::Doubtful(why) | Settled::Open(why) => self.search_on().after(&why),
            settled => settled,
        }
    }

    /// The rest of the time is ours, with another seed: the second tool was of no help, or has a counterexample that does
    /// not count, and then there may well be one that does.
    fn search_on(&self) -> Settled {
        let config = Config { seed: self.config.search.seed.wrapping_add(1), ..self.config.search.clone() };
        self.search_with(&config, self.budget)
    }

    fn race(&self) -> Settled {
        let decided = Interrupt::default();
        let budget = self.budget.clone().with_interrupt(decided.clone());
        let report = |settled: Settled| {
            if !settled.is_open() {
                decided.raise();
            }
            settled
        };
        // The other side need not go on for a result that nobody will get.
        let guarded = |side: &dyn Fn() -> Settled| {
            catch_unwind(AssertUnwindSafe(side)).inspect_err(|_| decided.raise())
        };
        let (ours, theirs) = thread::scope(|scope| {
            let second = scope.spawn(|| guarded(&|| report(self.ask(&budget))));
            let ours = guarded(&|| report(self.search(&budget)));
            (ours, second.join().unwrap_or_else(Err))
        });
        let settled = |side: thread::Result<Settled>| side.unwrap_or_else(|panic| resume_unwind(panic));
        let (ours, theirs) = (settled(ours), settled(theirs));
        let (settled, contradiction) = merged(ours, theirs, &self.config.second.name());
        if let Some(contradiction) = contradiction {
            say!("warning: CONTRADICTION: {contradiction}");
        }
        settled
    }

    /// Our search. What keeps us from searching need not keep the second tool.
    fn search(&self, budget: &Budget) -> Settled {
        self.search_with(&self.config.search, budget)
    }

    fn search_with(&self, config: &Config, budget: &Budget) -> Settled {
        let (query, models) = (self.query.clone(), self.models.clone());
        let statistics = Statistics::default();
        let verdict = pipeline::falsify(query, models, config, budget, &statistics);
        match verdict {
            Ok(Verdict::Sat(witness)) if witness.certainty() == Certainty::Thin => {
                left_open("a counterexample that other engines' rounding may hide".to_owned())
            }
            Ok(Verdict::Sat(witness)) => Settled::Sat(Box::new(witness), PairSide::Ours),
            Ok(Verdict::Unsat(proof)) => Settled::Unsat(proof.ground().to_string(), PairSide::Ours),
            Ok(Verdict::Unknown(reason)) => {
                let settled = left_open(reason.to_string());
                statistics.notes().iter().for_each(|note| note!("{note}"));
                settled
            }
            Err(error) => {
                say!("warning: no search of our own: {error}");
                Settled::Open(format!("no search of our own: {error}"))
            }
        }
    }

    fn ask(&self, budget: &Budget) -> Settled {
        let second = self.config.second.name();
        let told = |why: String| {
            say!("warning: {why}");
            Settled::Open(why)
        };
        match self.answer(budget) {
            Ok(second::ToolAnswer::Unsat) => Settled::Unsat(format!("{second} says so"), PairSide::Theirs),
            Ok(second::ToolAnswer::Sat(reading)) => self.believe(&reading),
            Ok(second::ToolAnswer::None(why)) => told(format!("no answer of {second}: {why}")),
            Err(error) => told(format!("{second} cannot be run: {error}")),
        }
    }

    fn answer(&self, budget: &Budget) -> io::Result<second::ToolAnswer> {
        let scratch = tempfile::Builder::new().prefix("counterpatch-").tempdir()?;
        let time = budget.remaining().map(|left| left.saturating_sub(KEPT));
        let budget = time.map_or_else(|| budget.clone(), |time| budget.slice(time));
        let networks = self.config.networks.files();
        let question = ToolQuestion::new(&networks, &self.config.property, time, scratch.path())?;
        let (tool, memory) = (&self.config.second, self.config.memory);
        second::run(self.itself, tool, &question, scratch.path(), memory, &budget)
    }

    /// Replays a counterexample of the second tool. One whose margin another engine's rounding might eat up is not
    /// believed: ONNX Runtime refused such a point on ACAS Xu 4_7, property 2.
    fn believe(&self, reading: &Reading) -> Settled {
        let second = self.config.second.name();
        let refused = |why: String| {
            let why = format!("{second} says sat, but {why}; it does not count");
            say!("warning: {why}");
            Settled::Doubtful(why)
        };
        let Some(assignment) = &reading.assignment else {
            return refused("lists no counterexample".to_owned());
        };
        let Some(listed) = listed_inputs(&self.query, assignment) else {
            return refused("its counterexample does not fit the property".to_owned());
        };
        match mend::mend(self.query.clone(), &self.models, &listed) {
            Ok(Some(mended)) if mended.witness.certainty() == Certainty::Thin => {
                refused("its counterexample violates the property by no more than rounding".to_owned())
            }
            Ok(Some(mended)) => {
                self.tell(&mended);
                Settled::Sat(Box::new(mended.witness), PairSide::Theirs)
            }
            Ok(None) => {
                refused("its counterexample violates nothing, and there is none beside it".to_owned())
            }
            Err(error) => refused(format!("its counterexample cannot be replayed: {error}")),
        }
    }

    fn tell(&self, mended: &Mended) {
        let how = match mended.change {
            PointChange::None => return,
            PointChange::Snapped => "outside the input set",
            PointChange::Stepped => "on the safe side of the property",
        };
        say!(
            "warning: the counterexample of {} was {how}; the one beside it is moved by at most {:.1e}",
            self.config.second.name(),
            mended.distance
        );
    }
}

/// Our search is over without an answer.
fn left_open(why: String) -> Settled {
    let why = format!("our search: {why}");
    note!("{why}");
    Settled::Open(why)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::onnx;
    use crate::witness::{Validation, Validator};

    fn witness() -> Box<Witness> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let query = input::property(&data.join("toy.vnnlib")).unwrap();
        let model = Arc::new(onnx::read(&data.join("toy.onnx")).unwrap());
        let validator = Validator::new(query, [model]).unwrap();
        match validator.validate(&[0.8277025818824768, 0.40919914841651917], &Default::default()) {
            Validation::Confirmed(witness) => Box::new(witness),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_counterexample_outweighs_every_proof() {
        let sat = |side| Settled::Sat(witness(), side);
        let unsat = |side| Settled::Unsat("a proof".to_owned(), side);
        let open = |why: &str| Settled::Open(why.to_owned());
        let cases = [
            (sat(PairSide::Ours), unsat(PairSide::Theirs), "sat by Ours", Some("the tool says unsat")),
            (unsat(PairSide::Ours), sat(PairSide::Theirs), "sat by Theirs", Some("our bounds exclude")),
            (open("no time"), sat(PairSide::Theirs), "sat by Theirs", None),
            (sat(PairSide::Ours), open("no time"), "sat by Ours", None),
            (unsat(PairSide::Ours), open("no time"), "unsat by Ours", None),
            (open("no time"), unsat(PairSide::Theirs), "unsat by Theirs", None),
            (open("no time"), open("it failed"), "open: no time; it failed", None),
            (open("no time"), Settled::Doubtful("wrong".to_owned()), "open: no time; wrong", None),
            (unsat(PairSide::Ours), Settled::Doubtful("wrong".to_owned()), "unsat by Ours", None),
        ];
        for (ours, theirs, want, odd) in cases {
            let (settled, contradiction) = merged(ours, theirs, "the tool");
            let got = match settled {
                Settled::Sat(_, side) => format!("sat by {side:?}"),
                Settled::Unsat(_, side) => format!("unsat by {side:?}"),
                Settled::Open(why) | Settled::Doubtful(why) => format!("open: {why}"),
            };
            assert_eq!(got, want);
            let told = contradiction.as_deref().unwrap_or_default();
            assert_eq!(odd.is_some(), contradiction.is_some());
            assert!(told.starts_with(odd.unwrap_or_default()), "{told}");
        }
    }
}
