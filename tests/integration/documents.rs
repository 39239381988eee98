//! The documents keep what they promise. Each block `console` of a page is run from top to bottom in a folder of its own, beside
//! `tests/data`, and has to print what stands there; of a block `sh`, which is too long or wants more than a test has, each command has
//! to be one that the program understands; a link leads somewhere.
//!
//! `DOCUMENTS=overwrite` writes what was printed into the pages. In a page `[..]` stands for a part of a line that is different
//! every time, and a line `...` for any lines. `? N` below a command is the exit status that it ends with, if not 0. A block of
//! another language whose name is followed by `,file=NAME` is that file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A block of code: its language and what follows it, its text and where that stands.
struct Block {
    info: String,
    text: String,
    range: Range<usize>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (event, range) in Parser::new_ext(page, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                blocks.push(Block { info: info.to_string(), text: String::new(), range: 0..0 });
                inside = true;
            }
            Event::End(TagEnd::CodeBlock) => inside = false,
            Event::Text(text) if inside => {
                let block = blocks.last_mut().unwrap();
                let start = if block.text.is_empty() { range.start } else { block.range.start };
                block.text.push_str(&text);
                block.range = start..range.end;
            }
            _ => {}
        }
    }
    blocks
}

/// A command of a page, what it has to end with, and what it has to print.
struct Step {
    command: String,
    exit: i32,
    output: String,
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), exit: 0, output: String::new() });
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("no command before `{line}`"));
        if let Some(more) = line.strip_prefix("> ") {
            step.command = format!("{}\n{more}", step.command);
        } else if let Some(exit) = line.strip_prefix("? ") {
            step.exit = exit.parse().unwrap();
        } else {
            step.output = format!("{}{line}\n", step.output);
        }
    }
    steps
}

/// Bash in the folder, with this program before all others.
fn bash(folder: &Path, script: &str) -> (i32, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_counterpatch")).parent().unwrap();
    let path = format!("{}:{}", program.display(), env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(format!("exec 2>&1\n{script}")).current_dir(folder).env("PATH", path);
    let output = bash.env_remove("COUNTERPATCH_ARGS").env("COLUMNS", "100").output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Runs a page's examples; what is different from the page, and the page as it would have to be.
fn run(page: &str) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("tests"), folder.path().join("tests")).unwrap();
    let (mut faults, mut written) = (Vec::new(), page.to_owned());
    // Lengths change from the back to the front, so that places hold; commands run from the front.
    let mut changes = Vec::new();
    for block in blocks(page) {
        if let Some((_, file)) = block.info.split_once(",file=") {
            fs::write(folder.path().join(file), &block.text).unwrap();
        }
        match block.info.as_str() {
            "console" => {
                changes.push((block.range.clone(), console(folder.path(), &block.text, &mut faults)))
            }
            "sh" => faults.extend(misunderstood(folder.path(), &block.text)),
            _ => {}
        }
    }
    for (range, text) in changes.into_iter().rev() {
        written.replace_range(range, &text);
    }
    (faults, written)
}

/// Runs a block, and gives it as it would have to be.
fn console(folder: &Path, block: &str, faults: &mut Vec<String>) -> String {
    let mut written = String::new();
    for step in steps(block) {
        let (exit, output) = bash(folder, &step.command);
        let matches =
            snapbox::Assert::new().try_eq(None, output.as_str().into(), step.output.as_str().into());
        if exit != step.exit {
            faults.push(format!("`{}` ends with {exit}, not {}: {output}", step.command, step.exit));
        }
        let printed = match matches {
            Ok(()) => step.output,
            Err(difference) => {
                faults.push(format!("`{}` prints something else:{difference}", step.command));
                output
            }
        };
        written.push_str(&format!("$ {}\n", step.command.replace('\n', "\n> ")));
        if exit != 0 {
            written.push_str(&format!("? {exit}\n"));
        }
        written.push_str(&printed);
    }
    written
}

/// The commands of a block that this program does not understand: `--help` behind the arguments is reached only if they mean something.
fn misunderstood(folder: &Path, block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let commands = joined.lines().filter_map(|line| {
        let line = line.split_once(" #").map_or(line, |(command, _)| command).trim();
        let line = line.strip_prefix("target/release/").unwrap_or(line);
        line.starts_with("counterpatch ").then(|| line.to_owned())
    });
    let fault = |command: String| {
        let end = command.find(['|', '>', '&', ';']).unwrap_or(command.len());
        let (exit, output) = bash(folder, &format!("{} --help", &command[..end]));
        (exit != 0).then(|| format!("`{command}` is not understood: {output}"))
    };
    commands.filter_map(fault).collect()
}

fn check(page: &str) {
    let path = root().join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (faults, written) = run(&text);
    if env::var("DOCUMENTS").is_ok_and(|value| value == "overwrite") {
        fs::write(path, written).unwrap();
        return;
    }
    assert!(faults.is_empty(), "{page} (DOCUMENTS=overwrite writes what is printed):\n{}", faults.join("\n"));
}

/// Each page that has commands of this program, by a test of its own.
macro_rules! pages {
    ($($name:ident: $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $name() {
                check($page);
            }
        )*
    };
}

pages! {
    the_readme_is_true: "README.md",
    the_introduction_is_true: "docs/src/introduction.md",
    the_tutorial_of_controllers_is_true: "docs/src/controller.md",
    the_tutorial_of_competitions_is_true: "docs/src/competition.md",
    the_tutorial_of_images_is_true: "docs/src/images.md",
    the_page_of_campaigns_is_true: "docs/src/campaigns.md",
    the_page_of_other_clusters_is_true: "docs/src/clusters.md",
    the_page_of_properties_is_true: "docs/src/properties.md",
    the_page_of_answers_is_true: "docs/src/answers.md",
    the_page_of_distances_is_true: "docs/src/distances.md",
    the_page_of_files_is_true: "docs/src/files.md",
    the_page_of_installation_is_true: "docs/src/install.md",
    the_page_of_the_library_is_true: "docs/src/rust.md",
    the_page_of_python_is_true: "docs/src/python.md",
}

fn markdown_below(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_page_of_the_book_is_tested_and_in_its_contents() {
    let contents = fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap();
    for path in markdown_below("docs/src") {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name != "SUMMARY.md" {
            assert!(contents.contains(&format!("({name})")), "{name} is not in SUMMARY.md");
            assert!(PAGES.contains(&format!("docs/src/{name}").as_str()), "{name} has no test");
        }
    }
}

/// The name by which a heading can be linked to, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        ' ' | '-' => Some('-'),
        '_' => Some('_'),
        _ if letter.is_alphanumeric() => Some(letter),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

fn links_and_anchors(page: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors, mut heading) = (Vec::new(), BTreeSet::new(), None::<String>);
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.to_string())
            }
            Event::Start(Tag::Heading {
                level: HeadingLevel::H1 | HeadingLevel::H2 | HeadingLevel::H3 | HeadingLevel::H4,
                ..
            }) => {
                heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|text| anchor(&text))),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

#[test]
fn links_lead_somewhere() {
    let mut faults = Vec::new();
    let folders = [".", "docs/src", "benchmarks", "tests/data", "vnnlib", "python"];
    for path in folders.iter().flat_map(|folder| markdown_below(folder)) {
        let (links, _) = links_and_anchors(&fs::read_to_string(&path).unwrap());
        for link in links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            // Pages that the program writes about itself.
            if file.starts_with("reference/") {
                continue;
            }
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let Ok(text) = fs::read(&target) else {
                if !target.is_dir() {
                    faults.push(format!("{}: {link}", path.display()));
                }
                continue;
            };
            if !place.is_empty() && !links_and_anchors(&String::from_utf8_lossy(&text)).1.contains(place) {
                faults.push(format!("{}: {link}: no such heading", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_page_that_is_not_true_is_found() {
    let faults = |page: &str| run(page).0.len();
    for (page, number) in [
        ("```console\n$ echo one\none\n```\n", 0),
        ("```console\n$ echo one\n> echo two\none\ntwo\n```\n", 0),
        ("```console\n$ echo one\ntwo\n```\n", 1),
        ("```console\n$ echo 12 s\n[..] s\n```\n", 0),
        ("```console\n$ exit 3\n```\n", 1),
        ("```console\n$ exit 3\n? 3\n```\n", 0),
        ("```text,file=a.txt\nwritten\n```\n```console\n$ cat a.txt\nwritten\n```\n", 0),
        ("```sh\ncounterpatch verify a b --timeout 5s   # words\n```\n", 0),
        ("```sh\ncounterpatch verify a b --no-such-option\n```\n", 1),
        ("```sh\ncounterpatch verify a b \\\n    --strategy nosuch\n```\n", 0),
        ("```sh\ncounterpatch frobnicate\n```\n", 1),
    ] {
        assert_eq!(faults(page), number, "{page}");
    }
    assert_eq!(run("```console\n$ echo one\ntwo\n```\nend\n").1, "```console\n$ echo one\none\n```\nend\n");
    assert_eq!(anchor("What the `verdicts` mean"), "what-the-verdicts-mean");
}
