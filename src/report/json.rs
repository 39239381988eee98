//! Events and verdicts as JSON, one object a line: `{"event":"best_margin","strategy":"pgd",…}`.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::escape::escaped_json;
use crate::nearest::{Nearest, Norm};
use crate::search::observer::{Ended, Event, Observer};
use crate::witness::{Answer, Lost, Witness};

/// Writes events as they come.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: Mutex<W>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, each line at once.
    pub fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl<W: Write + Send> Observer for JsonLines<W> {
    fn event(&self, event: &Event<'_>) {
        let line = format!("{}\n", escaped_json(&of_event(event).to_string()));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that has gone away is no reason to end a search.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

fn of_event(event: &Event<'_>) -> Value {
    match *event {
        Event::StrategyStarted { strategy } => json!({ "event": "started", "strategy": strategy }),
        Event::StrategyFinished {
            strategy,
            rounds,
            evaluations,
            gradients,
            programs,
            best_margin,
            time,
            ended,
        } => json!({
            "event": "finished",
            "strategy": strategy,
            "rounds": rounds,
            "evaluations": evaluations,
            "gradients": gradients,
            "programs": programs,
            "best_margin": best_margin,
            "seconds": time.as_secs_f64(),
            "ended": of_ended(ended),
        }),
        Event::BestMargin { strategy, margin, evaluations, point: _ } => {
            json!({ "event": "best_margin", "strategy": strategy, "margin": margin, "evaluations": evaluations })
        }
        Event::CandidateRejected { reason } => json!({ "event": "candidate_rejected", "reason": reason }),
        Event::ThinWitness { short_by } => json!({ "event": "thin_witness", "short_by": short_by }),
        Event::Warning { variable, lines, text } => {
            json!({ "event": "warning", "variable": variable, "lines": lines, "text": text })
        }
        Event::Nearest { norm, answer } => of_nearest(norm, answer),
        Event::Note(text) => json!({ "event": "note", "text": text }),
    }
}

/// Distances that are infinite are `null`: of the best, that none is known; of the bound, that there is none.
fn of_nearest(norm: Norm, answer: &Nearest) -> Value {
    json!({
        "event": "nearest",
        "norm": norm,
        "distance": answer.distance,
        "bound": answer.bound,
        "gap": answer.gap(),
        "optimal": answer.is_optimal(),
        "ended": answer.ending.to_string(),
        "parts": answer.parts,
        "programs": answer.programs,
    })
}

fn of_ended(ended: Ended<'_>) -> String {
    match ended {
        Ended::Found => "found".into(),
        Ended::Stopped(reason) => reason.to_string(),
        Ended::NotApplicable(reason) => format!("not applicable: {reason}"),
    }
}

/// The last line of a run. Numbers of a witness are strings: they are exact as they stand.
pub fn verdict(answer: Answer<'_>) -> Value {
    let mut line = json!({ "event": "verdict", "verdict": answer.word() });
    if let Answer::Sat(witness) = answer {
        line["witness"] = Value::Object(of_witness(witness));
        line["excess"] = json!(witness.excess());
        line["certainty"] = json!(witness.certainty().to_string());
        let lost = match witness.lost() {
            Lost::Nowhere => None,
            Lost::Saturating => Some("kernels for bytes that saturate"),
            Lost::Fused => Some("kernels for bytes"),
        };
        if let Some(lost) = lost {
            line["lost_in"] = json!(lost);
        }
    }
    line
}

fn of_witness(witness: &Witness) -> Map<String, Value> {
    let tensor = |tensor: &crate::witness::WitnessTensor| {
        (tensor.name().to_owned(), tensor.values().iter().collect::<Value>())
    };
    witness.tensors().iter().map(tensor).collect()
}
