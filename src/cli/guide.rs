//! What the help of each command ends with: how it is called, and how it may end. One table, so that no command names states
//! that it does not have. It is put below the help only where help is wanted: nothing of it is made at a start.

use clap::Command;

use super::exit::Exit;

/// Of one command.
struct CommandGuide {
    /// Its words behind the program's name, parted by blanks.
    command: &'static str,
    /// Command lines without the program's name.
    examples: &'static [&'static str],
    /// What 0 means.
    answered: &'static str,
    /// States that not every command has.
    own: &'static [(Exit, &'static str)],
    /// What may be unwritable.
    written: &'static str,
}

const STDOUT: &str = "standard output";
const INTERRUPTED: (Exit, &str) =
    (Exit::Interrupted, "a signal has ended it; the same command goes on where it was");

const GUIDES: &[CommandGuide] = &[
    CommandGuide {
        command: "verify",
        examples: &[
            "verify network.onnx property.vnnlib -t 10s",
            "verify network.onnx.gz property.vnnlib.gz -t 1m -o result.txt --certificate proof.gz",
            "verify both.vnnlib --network f=one.onnx --network g=two.onnx",
            "verify network.onnx property.vnnlib --count 5 --save found.json --html answer.html",
        ],
        answered: "the answer is sat, unsat, unknown or timeout, also after a signal",
        own: &[],
        written: "the results file, another file that was asked for, or standard output",
    },
    CommandGuide {
        command: "pair",
        examples: &[
            "pair network.onnx property.vnnlib -t 2m --then marabou",
            "pair network.onnx property.vnnlib -t 2m --then-script crown/run_instance.sh --race -o result.txt",
        ],
        answered: "the answer is sat, unsat, unknown or timeout, also after a signal",
        own: &[],
        written: "the results file or standard output",
    },
    CommandGuide {
        command: "check",
        examples: &[
            "check network.onnx property.vnnlib result.txt",
            "check network.onnx property.vnnlib result.txt --repair mended.txt",
            "check network.onnx property.vnnlib proof.gz",
        ],
        answered: "the counterexample is strictly correct, or the certificate proves that there is none",
        own: &[
            (Exit::WithinTolerance, "the counterexample holds within tolerance only"),
            (Exit::Incorrect, "the counterexample or the certificate is wrong"),
            (Exit::NoClaim, "the file claims something other than sat"),
        ],
        written: "the mended counterexample or standard output",
    },
    CommandGuide {
        command: "repair",
        examples: &[
            "repair network.onnx --points points.csv --property wanted.vnnlib -o repaired.onnx",
            "repair network.onnx --points points.csv --property wanted.vnnlib --all-layers --norm linf -o repaired.onnx",
        ],
        answered: "the repaired network is written",
        own: &[(Exit::NotRepaired, "no repair was found, or there is none")],
        written: "the repaired network or standard output",
    },
    CommandGuide {
        command: "attack",
        examples: &[
            "attack network.onnx --images test.csv --limit linf=0.1 -o report",
            "attack network.onnx --images images.npy --labels labels.npy --limit linf=8/255 --method patch,apgd-ce -o report",
        ],
        answered: "the report is written",
        own: &[INTERRUPTED],
        written: "the report or standard output",
    },
    CommandGuide {
        command: "inspect",
        examples: &["inspect network.onnx", "inspect network.onnx --property property.vnnlib --json"],
        answered: "the network is described",
        own: &[],
        written: STDOUT,
    },
    CommandGuide {
        command: "convert",
        examples: &["convert old.vnnlib --network network.onnx -o new.vnnlib"],
        answered: "the property is written",
        own: &[],
        written: "the property",
    },
    CommandGuide {
        command: "property",
        examples: &[
            "property network.onnx --around x.npy --eps 8/255 --clip 0,1 --label 3 -o robust.vnnlib",
            "property controller.onnx --around state.csv --eps 0.1,0.1,0.5 --output-range 0=-1,1",
        ],
        answered: "the property is written",
        own: &[],
        written: "the property",
    },
    CommandGuide {
        command: "radius",
        examples: &["radius network.onnx --around x.npy --label 3 --most 0.1 -t 1m -o nearest.txt"],
        answered: "what is found and what is proved is said, also after a signal",
        own: &[],
        written: "the counterexample or standard output",
    },
    CommandGuide {
        command: "audit",
        examples: &[
            "audit --benchmarks benchmarks results.csv",
            "audit --benchmarks benchmarks tools/*/results.csv --budget 10s --journal audit.jsonl --html audit.html",
        ],
        answered: "every claim was looked at",
        own: &[(
            Exit::Interrupted,
            "a signal has ended it; with --journal the same command goes on where it was",
        )],
        written: "the page, the journal or standard output",
    },
    CommandGuide {
        command: "campaign",
        examples: &[
            "campaign run benchmarks --output runs --timeout-cap 10s",
            "campaign collect runs --html runs.html",
        ],
        answered: "what was asked for is done",
        own: &[(Exit::Interrupted, "run: a signal has ended it; the same command goes on where it was")],
        written: "the campaign's folder, a table, a page or standard output",
    },
    CommandGuide {
        command: "campaign plan",
        examples: &[
            "campaign plan benchmarks/acasxu benchmarks/mnist/instances.csv --output runs --seeds 0..9",
        ],
        answered: "the plan is written, and every file of it was read",
        own: &[],
        written: "the campaign's folder",
    },
    CommandGuide {
        command: "campaign run",
        examples: &[
            "campaign run benchmarks --output runs --tool ours --tool script:crown/run_instance.sh --memory 8G",
            "campaign run runs --shard 3/32",
        ],
        answered: "every unit has a result, or is being run by another process",
        own: &[INTERRUPTED],
        written: "the campaign's folder",
    },
    CommandGuide {
        command: "campaign status",
        examples: &["campaign status runs"],
        answered: "how far it is was said",
        own: &[],
        written: STDOUT,
    },
    CommandGuide {
        command: "campaign collect",
        examples: &[
            "campaign collect runs --parquet results.parquet --html runs.html",
            "campaign collect runs --against older",
        ],
        answered: "all results were collected",
        own: &[],
        written: "a table, a page or standard output",
    },
    CommandGuide {
        command: "campaign submit",
        examples: &["campaign submit runs --slurm --array-size 32 --partition short --wait"],
        answered: "the job is submitted; with --wait: every unit has a result, or the question is decided",
        own: &[
            (Exit::Interrupted, "--wait: a signal has ended the waiting; the tasks go on"),
            (Exit::Unfinished, "--wait: no task is left, and units have no result"),
        ],
        written: "the script or standard output",
    },
    CommandGuide {
        command: "campaign split",
        examples: &["campaign split network.onnx property.vnnlib --parts 32 --output parts --timeout 5m"],
        answered: "the parts are written",
        own: &[],
        written: "the campaign's folder",
    },
    CommandGuide {
        command: "campaign answer",
        examples: &["campaign answer parts --results-file result.txt --certificate proof.gz"],
        answered: "the answer is sat, unsat or unknown",
        own: &[(Exit::Interrupted, "a signal has ended it before the answer was checked")],
        written: "the results file, the certificate or standard output",
    },
    CommandGuide {
        command: "supports",
        examples: &["supports --onnx-operators", "supports --strategies --explain"],
        answered: "it is said",
        own: &[],
        written: STDOUT,
    },
    CommandGuide {
        command: "completions",
        examples: &["completions bash"],
        answered: "it is written",
        own: &[],
        written: STDOUT,
    },
    CommandGuide {
        command: "man",
        examples: &["man --output man1"],
        answered: "it is written",
        own: &[],
        written: "a page",
    },
];

/// Below the help of the program itself.
const PROGRAM: &str = "\
Examples:
  counterpatch verify network.onnx property.vnnlib -t 10s
  counterpatch check network.onnx property.vnnlib result.txt
  counterpatch help verify

Exit status: 0 if a command has done what it is for; 2 to 5 say what kept it from that; 10 to 14 are a command's own. Each
command's help lists them.";

/// The program and all its commands, each with what stands below its help.
pub(super) fn shown_by(program: Command) -> Command {
    below(program, "").after_help(PROGRAM)
}

/// The commands of a command, which is called so.
fn below(command: Command, path: &str) -> Command {
    command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name()).trim_start().to_owned();
        let told = of(&path);
        let command = below(command, &path);
        if let Some(told) = told { command.after_help(told) } else { command }
    })
}

/// What stands below the help of a command: `verify`, `campaign run`. Hidden commands have nothing there.
fn of(command: &str) -> Option<String> {
    let guide = GUIDES.iter().find(|guide| guide.command == command)?;
    let examples = guide.examples.iter().map(|example| format!("  counterpatch {example}\n"));
    let mut states = vec![
        (Exit::Answered, guide.answered.to_owned()),
        (Exit::Usage, "the command line is wrong".to_owned()),
    ];
    // These three read nothing but their command line.
    if !matches!(guide.command, "supports" | "completions" | "man") {
        states.push((Exit::BadInput, "a file cannot be read, or what it says cannot be used".to_owned()));
    }
    states.push((Exit::CannotWrite, format!("{} cannot be written", guide.written)));
    states.push((Exit::Bug, "a bug in this program".to_owned()));
    states.extend(guide.own.iter().map(|&(exit, meaning)| (exit, meaning.to_owned())));
    let states = states.iter().map(|(exit, meaning)| format!("  {:<3} {meaning}\n", *exit as u8));
    let text: String = std::iter::once("Examples:\n".to_owned())
        .chain(examples)
        .chain(std::iter::once("\nExit status:\n".to_owned()))
        .chain(states)
        .collect();
    Some(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::args::Arguments;

    fn commands(command: &Command, path: &str, into: &mut Vec<String>) {
        for below in
            command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
        {
            let path = format!("{path} {}", below.get_name()).trim_start().to_owned();
            commands(below, &path, into);
            into.push(path);
        }
    }

    #[test]
    fn every_command_has_a_guide_and_shows_it() {
        let mut program = shown_by(Arguments::command());
        program.build();
        let mut found = Vec::new();
        commands(&program, "", &mut found);
        found.sort_unstable();
        let mut told: Vec<&str> = GUIDES.iter().map(|guide| guide.command).collect();
        told.sort_unstable();
        assert_eq!(found, told);
        for guide in GUIDES {
            let mut command = &program;
            for word in guide.command.split(' ') {
                command = command.find_subcommand(word).unwrap();
            }
            let shown = command.get_after_help().map(ToString::to_string);
            assert_eq!(shown, of(guide.command), "{}", guide.command);
        }
    }

    #[test]
    fn examples_are_command_lines_and_states_are_in_order() {
        for guide in GUIDES {
            assert!(!guide.examples.is_empty(), "{}", guide.command);
            for example in guide.examples {
                assert!(example.starts_with(guide.command), "{example}");
                let words = std::iter::once("counterpatch").chain(example.split(' '));
                let parsed = Arguments::try_parse_from(words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
            let own: Vec<u8> = guide.own.iter().map(|&(exit, _)| exit as u8).collect();
            assert!(own.is_sorted() && own.iter().all(|&exit| exit >= 10), "{}", guide.command);
        }
    }
}
