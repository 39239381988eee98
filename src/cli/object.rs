//! Objects of JSON on standard output: what each begins with, and errors as objects. `schema.json` says what else they hold;
//! `python/tests/test_json.py` holds what the commands print against it.

use serde_json::{Map, Value, json};

use super::exit::Exit;
use crate::budget;

/// The schema of all that is written as JSON (JSON Schema, draft 2020-12).
pub(super) const SCHEMA: &str = include_str!("schema.json");

/// The commands that write objects.
const COMMANDS: [&str; 11] = [
    "verify", "pair", "check", "radius", "repair", "attack", "inspect", "audit", "campaign", "property",
    "convert",
];

/// Who writes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    command: &'static str,
    /// The seed of its randomness, if it has some.
    seed: Option<u64>,
}

impl Origin {
    /// A command without randomness.
    pub(super) fn of(command: &'static str) -> Self {
        Self { command, seed: None }
    }

    /// A command with this seed.
    pub(super) fn seeded(command: &'static str, seed: u64) -> Self {
        Self { command, seed: Some(seed) }
    }

    /// The command of a name that was typed; `None` if it writes no objects.
    pub(super) fn named(name: &str) -> Option<Self> {
        COMMANDS.into_iter().find(|command| *command == name).map(Self::of)
    }

    /// The command's object: beside its content the program's version, the command, its seed and the seconds since the process began.
    pub(super) fn object(self, content: Value) -> Value {
        let mut object = json!({
            "counterpatch": env!("CARGO_PKG_VERSION"),
            "command": self.command,
            "seconds": budget::elapsed_of_process().as_secs_f64(),
        });
        if let Some(seed) = self.seed {
            object["seed"] = json!(seed);
        }
        if let (Value::Object(whole), Value::Object(content)) = (&mut object, content) {
            whole.extend(content);
        }
        object
    }

    /// The same in a line.
    pub(super) fn line(self, content: Value) -> String {
        format!("{}\n", self.object(content))
    }

    /// An error, in a line.
    pub(super) fn error(self, text: &str, exit: Exit) -> String {
        self.line(Value::Object(error(text, exit)))
    }
}

/// An error as a field: its text, and where the text has them the place and the remedy by themselves.
pub(super) fn error(text: &str, exit: Exit) -> Map<String, Value> {
    let (said, remedy) = match text.rsplit_once(" (help: ") {
        Some((said, rest)) => (said, rest.strip_suffix(')')),
        None => (text, None),
    };
    let place = said.split_once(": ").map(|(place, _)| place);
    let error = json!({ "text": text, "place": place, "remedy": remedy, "exit": exit as u8 });
    Map::from_iter([("error".to_owned(), error)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_a_place_and_a_remedy() {
        let cases = [
            ("no.onnx: not found (help: check the path)", Some("no.onnx"), Some("check the path")),
            ("p.vnnlib:3:7: no such word", Some("p.vnnlib:3:7"), None),
            ("there is no strategy x (help: there are a, b)", None, Some("there are a, b")),
            ("this is a bug", None, None),
        ];
        for (text, place, remedy) in cases {
            let error = &error(text, Exit::BadInput)["error"];
            assert_eq!((error["place"].as_str(), error["remedy"].as_str()), (place, remedy), "{text}");
            assert_eq!((error["text"].as_str(), error["exit"].as_u64()), (Some(text), Some(3)));
        }
    }

    #[test]
    fn objects_begin_alike() {
        let object = Origin::seeded("radius", 7).object(json!({ "gap": null }));
        assert_eq!((&object["command"], &object["seed"]), (&json!("radius"), &json!(7)));
        assert!(object["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0) && object["gap"].is_null());
        assert!(Origin::named("man").is_none() && Origin::named("pair").is_some());
    }
}
