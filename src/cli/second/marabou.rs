//! Marabou's command line (PyPI package `maraboupy`): `Marabou NETWORK PROPERTY --timeout S --summary-file FILE`.
//!
//! The summary's first word is the verdict. The counterexample stands on standard output, after `Input assignment:`, as
//! `x0 = 0.639929` with six digits behind the point: nearly every one has to be repaired.

use std::fs;
use std::path::Path;

use super::{CommandEnding, ToolAnswer, ToolCall, ToolQuestion, last_line};
use crate::witness::decimals::Decimals;
use crate::witness::read::{Claim, Listed, Reading, Values};

const SUMMARY: &str = "summary.txt";

pub(super) fn call(program: &Path, question: &ToolQuestion, scratch: &Path) -> ToolCall {
    let mut arguments = vec![question.network.clone(), question.property.display().to_string()];
    arguments.extend(["--verbosity", "0", "--summary-file"].map(ToOwned::to_owned));
    arguments.push(scratch.join(SUMMARY).display().to_string());
    if let Some(time) = question.time {
        // Whole seconds, and zero would mean no limit.
        arguments.extend(["--timeout".to_owned(), time.as_secs().max(1).to_string()]);
    }
    ToolCall { program: program.to_path_buf(), arguments, environment: Vec::new() }
}

pub(super) fn answer(ending: &CommandEnding, scratch: &Path) -> ToolAnswer {
    let summary = fs::read_to_string(scratch.join(SUMMARY)).unwrap_or_default();
    match summary.split_whitespace().next() {
        Some("unsat") => ToolAnswer::Unsat,
        Some("sat") => match fs::read_to_string(scratch.join("stdout")) {
            Ok(text) => ToolAnswer::Sat(assignment(&text)),
            Err(error) => ToolAnswer::None(format!("its output cannot be read: {error}")),
        },
        Some(word) => ToolAnswer::None(word.to_ascii_lowercase()),
        None => {
            let said = last_line(&scratch.join("stderr")).map_or(String::new(), |line| format!(": {line}"));
            ToolAnswer::None(format!("{ending}{said}"))
        }
    }
}

/// Reads `xN = VALUE` and `yN = VALUE`, in order; whatever stops at a gap is judged by its length.
fn assignment(text: &str) -> Reading {
    let values = |letter: char| {
        let mut values = Values { decimals: Decimals::default(), floats: Vec::new() };
        for line in text.lines() {
            let Some((name, value)) = line.trim().split_once(" = ") else { continue };
            let index = name.strip_prefix(letter).and_then(|index| index.parse::<usize>().ok());
            if index != Some(values.floats.len()) {
                continue;
            }
            let Ok(float) = value.parse() else { break };
            values.decimals.push(value);
            values.floats.push(float);
        }
        values
    };
    Reading {
        claim: Claim::Sat,
        assignment: Some(Listed::Pairs { inputs: values('x'), outputs: values('y') }),
        remarks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verbatim output of Marabou 2.0.0.
    const SAT: &str = "Network: 21.onnx\nProperty: p2.vnnlib\n\nsat\nInput assignment:\n\tx0 = 0.639929\n\
        \tx1 = -0.012942\n\nOutput:\n\ty0 = 0.029166\n\n";

    fn check(summary: &str, stdout: &str, want: &str) {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join(SUMMARY), summary).unwrap();
        fs::write(scratch.path().join("stdout"), stdout).unwrap();
        fs::write(scratch.path().join("stderr"), "Caught a MarabouError error.\n").unwrap();
        let got = match answer(&CommandEnding::Exited(1), scratch.path()) {
            ToolAnswer::Unsat => "unsat".to_owned(),
            ToolAnswer::None(why) => why,
            ToolAnswer::Sat(Reading { assignment: Some(Listed::Pairs { inputs, outputs }), .. }) => {
                format!("{:?} {:?}", inputs.floats, outputs.floats)
            }
            ToolAnswer::Sat(other) => format!("{other:?}"),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn answers_are_read() {
        check("sat 4 30 171", SAT, "[0.639929, -0.012942] [0.029166]");
        check("sat 4 30 171", "sat\n\tx1 = 2\n\tx0 = 1\n", "[1.0] []");
        check("sat 4 30 171", "sat\n\tx0 = one\n", "[] []");
        check("unsat 1 2 3", "", "unsat");
        check("TIMEOUT 30 201 264", "", "timeout");
        check("", "", "it ended with status 1: Caught a MarabouError error.");
    }
}
