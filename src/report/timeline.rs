//! Where the time of a run goes, as a file that browsers and profilers show as bars over time, a row a thread: the trace event format
//! ("Trace Event Format", the complete events of its JSON object form), which chrome://tracing, ui.perfetto.dev and speedscope.app open.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use serde_json::{Value, json};

use crate::budget::Stopwatch;
use crate::search::Tally;
use crate::search::observer::{Activity, Chore, Event, Observer};

/// More pieces of work than this are counted, not kept: 100 MB of text.
const MOST: usize = 1_000_000;

/// Collects what each thread was at, and when.
#[derive(Debug)]
pub struct Timeline {
    start: Stopwatch,
    state: Mutex<TimelineState>,
}

#[derive(Debug, Default)]
struct TimelineState {
    bars: Vec<TimelineBar>,
    /// Threads in the order in which they first had something to tell.
    threads: Vec<ThreadId>,
    /// Pieces of work that were not kept.
    left_out: usize,
}

#[derive(Debug)]
struct TimelineBar {
    activity: Activity,
    thread: usize,
    began: Duration,
    took: Duration,
    spent: Option<Tally>,
}

impl Timeline {
    /// One that counts from the start of the process.
    pub fn of_process() -> Self {
        Self { start: Stopwatch::of_process(), state: Mutex::default() }
    }

    /// The file's text.
    pub fn text(&self, command: &str) -> String {
        let state = self.lock();
        let bars = state.bars.iter().map(TimelineBar::event);
        let named = |(number, _): (usize, &ThreadId)| {
            let name = if number == 0 { "main".to_owned() } else { format!("search {number}") };
            json!({ "name": "thread_name", "ph": "M", "pid": 1, "tid": number, "args": { "name": name } })
        };
        let threads = state.threads.iter().enumerate().map(named);
        let whole = json!({
            "traceEvents": threads.chain(bars).collect::<Vec<Value>>(),
            "displayTimeUnit": "ms",
            "otherData": {
                "program": concat!("counterpatch ", env!("CARGO_PKG_VERSION")),
                "command": command,
                "left out": state.left_out,
            },
        });
        format!("{whole}\n")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TimelineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimelineBar {
    /// Microseconds, which the format counts in.
    fn event(&self) -> Value {
        let mut event = json!({
            "name": self.activity.name(),
            "cat": if matches!(self.activity, Activity::Round(_)) { "strategy" } else { "run" },
            "ph": "X",
            "pid": 1,
            "tid": self.thread,
            "ts": micros(self.began),
            "dur": micros(self.took),
        });
        if let Some(Tally { evaluations, gradients, programs, boxes, .. }) = self.spent {
            event["args"] = json!({ "evaluations": evaluations, "gradients": gradients, "programs": programs, "boxes": boxes });
        }
        event
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

impl Observer for Timeline {
    fn event(&self, _: &Event<'_>) {}

    fn is_timing(&self) -> bool {
        true
    }

    fn worked(&self, chore: &Chore) {
        let (began, took) = (chore.watch.since(&self.start), chore.watch.elapsed());
        let mut state = self.lock();
        if state.bars.len() >= MOST {
            state.left_out += 1;
            return;
        }
        let own = thread::current().id();
        let thread = state.threads.iter().position(|&thread| thread == own).unwrap_or_else(|| {
            state.threads.push(own);
            state.threads.len() - 1
        });
        state.bars.push(TimelineBar { activity: chore.activity, thread, began, took, spent: chore.spent });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::observer::timed;

    #[test]
    fn a_piece_inside_another_lies_inside_it_and_threads_have_rows_of_their_own() {
        let timeline = Timeline::of_process();
        timed(&timeline, Activity::Round("pgd"), || timed(&timeline, Activity::Replaying, || ()));
        let watch = Stopwatch::start();
        let spent = Some(Tally { evaluations: 64, ..Tally::default() });
        thread::scope(|scope| {
            scope.spawn(|| timeline.worked(&Chore { activity: Activity::Round("split"), watch, spent }));
        });
        let file: Value = serde_json::from_str(&timeline.text("verify a b")).unwrap();
        let events = file["traceEvents"].as_array().unwrap();
        let names: Vec<&str> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["thread_name", "thread_name", "replay", "pgd", "split"]);
        let span = |number: usize| {
            let [begin, length] = ["ts", "dur"].map(|key| events[number][key].as_f64().unwrap());
            (begin, begin + length)
        };
        let (replay, round) = (span(2), span(3));
        assert!(round.0 <= replay.0 && replay.1 <= round.1, "{replay:?} in {round:?}");
        assert_eq!([&events[3]["tid"], &events[4]["tid"]], [0, 1]);
        assert_eq!(events[4]["args"]["evaluations"], 64);
        assert_eq!(file["otherData"]["command"], "verify a b");
    }
}
