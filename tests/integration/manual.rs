//! What is made of the command line itself.

use crate::program::Program;

#[test]
fn every_shell_gets_its_completions() {
    let program = Program::new();
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef counterpatch"),
        ("fish", "complete -c counterpatch"),
        ("elvish", "edit:"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let run = program.run(&["completions", shell]);
        assert_eq!((run.exit, run.err.as_str()), (Some(0), ""), "{shell}");
        assert!(run.out.contains(part) && run.out.contains("results-file"), "{shell} without {part}");
    }
    assert_eq!(program.run(&["completions", "tcsh"]).exit, Some(2));
}

#[test]
fn the_manual_has_a_page_a_command() {
    let program = Program::new();
    let run = program.run(&["man", "--output", "share/man1"]);
    assert_eq!((run.exit, run.out.as_str(), run.err.as_str()), (Some(0), "", ""));
    for (page, part) in [
        ("counterpatch", "counterpatch\\-verify(1)"),
        ("counterpatch-verify", "results\\-file"),
        ("counterpatch-property", "around"),
        ("counterpatch-check", "certificate of"),
        ("counterpatch-campaign-run", "shard"),
    ] {
        let text = program.read(&format!("share/man1/{page}.1")).unwrap();
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page}");
        assert!(text.contains(part), "{page} without {part}: {text}");
    }
    assert_eq!(program.read("share/man1/counterpatch-guard.1"), None);
    program.write("taken", "");
    let run = program.run(&["man", "--output", "taken"]);
    assert!(run.exit == Some(4) && run.err.contains("taken"), "{run:?}");
}
