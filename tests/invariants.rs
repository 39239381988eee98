//! ARCHITECTURE.md's order of modules and its rules, held against the sources.
//!
//! The order stands there as a block ` ```order `, the lowest line first: a module uses what stands in lines above its own, and
//! nothing else. A block ` ```rooms ` does the same within folders. A block ` ```rules ` says which words only some modules may write: the clock, randomness, the solver,
//! printing. Within a folder, files that need each other in a circle are one idea in several places: at most three may.
//! A type's name is defined once; a block ` ```names ` says which modules are not there yet. Tests may use what they like. Comments and texts are not read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Files that need each other, at most.
const LARGEST_CIRCLE: usize = 3;

/// A file of `src`: its modules from the root on, and its text without comments, strings and tests.
struct Source {
    path: String,
    module: Vec<String>,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(String::from).collect();
        if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            module.pop();
        }
        Self { path: path.to_owned(), module, code: without_tests(&plain(text)) }
    }

    fn is_folder(&self) -> bool {
        self.path.ends_with("mod.rs")
    }

    /// Whether it is one of these modules, or within one.
    fn is_in(&self, modules: &str) -> bool {
        let own = self.module.join("::");
        modules.split_whitespace().any(|module| own == module || own.starts_with(&format!("{module}::")))
    }

    /// The types that it defines, with their places. `union` is a name too: a type's begins with a capital letter.
    fn types(&self) -> Vec<(usize, &str)> {
        let keywords = ["struct", "enum", "trait", "union"].into_iter();
        let mut found: Vec<(usize, &str)> = keywords
            .flat_map(|keyword| words(&self.code, keyword).map(move |at| (at, at + keyword.len())))
            .map(|(at, end)| (at, self.code[end..].trim_start()))
            .filter(|(_, rest)| rest.starts_with(char::is_uppercase))
            .map(|(at, rest)| {
                (at, rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(rest))
            })
            .collect();
        found.sort();
        found
    }

    fn line(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }

    /// What it names of this crate, with the place: `crate::a::b`, and `super::b` made absolute.
    fn uses(&self) -> Vec<(usize, Vec<String>)> {
        let mut found = Vec::new();
        for at in words(&self.code, "crate").chain(words(&self.code, "super")) {
            let before = self.code[..at].trim_end();
            if !self.code[at..].contains("::") || before.ends_with("::") || before.ends_with("pub(") {
                continue;
            }
            for path in paths(&self.code[at..]) {
                let up = path.iter().take_while(|part| *part == "super").count();
                let base = match path.first().map(String::as_str) {
                    Some("super") => self.module[..self.module.len().saturating_sub(up)].to_vec(),
                    _ => Vec::new(),
                };
                let rest = path.into_iter().skip(up.max(1));
                found.push((at, base.into_iter().chain(rest).collect()));
            }
        }
        found
    }
}

/// The paths of a use tree or of a single path at the beginning of a text.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut prefix: Vec<String> = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        prefix.push(rest[..end].to_owned());
        match rest[end..].strip_prefix("::") {
            Some(more) => rest = more.trim_start(),
            None => return vec![prefix],
        }
    }
    let Some(inner) = rest.strip_prefix('{') else { return vec![prefix] };
    let (mut depth, mut begin, mut all) = (0usize, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        let closes = c == '}' && depth == 0;
        if closes || (c == ',' && depth == 0) {
            let part = inner[begin..at].trim();
            let parts = if part.is_empty() { Vec::new() } else { paths(part) };
            all.extend(parts.into_iter().map(|part| [prefix.clone(), part].concat()));
            begin = at + 1;
        }
        match c {
            _ if closes => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    all
}

/// Where a word stands by itself.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_open = word.ends_with(|c: char| !is_part(c));
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = code[at + word.len()..].chars().next();
        !code[..at].chars().next_back().is_some_and(is_part) && (is_open || !after.is_some_and(is_part))
    })
}

/// The text with blanks in place of comments and of what stands between quotes.
fn plain(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let blank = |out: &mut String, chars: &[char]| {
        out.extend(chars.iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
    };
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match (rest[0], rest.get(1)) {
            ('/', Some('/')) => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ('/', Some('*')) => 2 + rest.windows(2).position(|w| w == ['*', '/']).unwrap_or(rest.len() - 2),
            ('r', Some('"' | '#')) if !out.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw(rest),
            ('"', _) => quoted(rest),
            // A lifetime has no second quote.
            ('\'', Some('\\')) => 2 + rest[2..].iter().skip(1).position(|&c| c == '\'').map_or(0, |n| n + 2),
            ('\'', _) if rest.get(2) == Some(&'\'') => 3,
            _ => 0,
        };
        match end {
            0 => out.push(rest[0]),
            _ => blank(&mut out, &rest[..end.min(rest.len())]),
        }
        at += end.max(1);
    }
    out
}

/// Length of a text that begins with its quote.
fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw text; 0 if it is a raw name.
fn raw(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut at = 2 + hashes;
    while at < rest.len() && !(rest[at] == '"' && rest[at + 1..].iter().take(hashes).all(|&c| c == '#')) {
        at += 1;
    }
    at + 1 + hashes
}

/// The code without what is only compiled for tests.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(at) = out.find("#[cfg(test)]") {
        let item = &out[at..];
        let end = match (item.find('{'), item.find(';')) {
            (Some(open), semicolon) if semicolon.is_none_or(|semicolon| open < semicolon) => {
                let mut depth = 0usize;
                let closes = |(_, c): &(usize, char)| {
                    depth = if *c == '{' { depth + 1 } else { depth - usize::from(*c == '}') };
                    depth == 0 && *c == '}'
                };
                open + item[open..].char_indices().find(closes).map_or(item.len() - open, |(n, _)| n + 1)
            }
            (_, Some(semicolon)) => semicolon + 1,
            _ => item.len(),
        };
        let blank: String = item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(at..at + end, &blank);
    }
    out
}

/// The lines of a block of ARCHITECTURE.md.
fn block<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("```{name}\n");
    let text = document.split_once(&begin).unwrap_or_else(|| panic!("ARCHITECTURE.md has no block {name}")).1;
    text.split("```").next().unwrap_or_default().lines().filter(|line| !line.trim().is_empty()).collect()
}

/// Uses of what stands higher, or beside.
fn against_order(sources: &[Source], order: &[&str]) -> Vec<String> {
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    for (rank, line) in order.iter().enumerate() {
        ranks.extend(line.split_whitespace().map(|module| (module, rank)));
    }
    let mut found = Vec::new();
    for source in sources {
        let Some(own) = source.module.first() else { continue };
        let Some(rank) = ranks.get(own.as_str()) else {
            found.push(format!("src/{}:1: {own} has no place in the order", source.path));
            continue;
        };
        for (at, path) in source.uses() {
            let Some(other) = path.first().filter(|other| *other != own) else { continue };
            if ranks.get(other.as_str()).is_some_and(|other| other >= rank) {
                found.push(format!(
                    "src/{}:{}: {own} uses {other}, which is not below it",
                    source.path,
                    source.line(at)
                ));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Uses of rooms of the same folder that stand further right. A line is `folder | rooms | rooms`, the lowest first.
fn against_rooms(sources: &[Source], lines: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines {
        let mut parts = line.split('|').map(str::trim);
        let folder = parts.next().unwrap_or_default();
        let ranks: BTreeMap<&str, usize> = parts
            .enumerate()
            .flat_map(|(rank, rooms)| rooms.split_whitespace().map(move |r| (r, rank)))
            .collect();
        for source in sources.iter().filter(|source| source.module.first().is_some_and(|m| m == folder)) {
            let Some(own) = source.module.get(1) else { continue };
            let Some(rank) = ranks.get(own.as_str()) else {
                found.push(format!("src/{}:1: {own} has no place in {folder}", source.path));
                continue;
            };
            for (at, path) in source.uses() {
                let room = path.get(1).filter(|room| path[0] == folder && *room != own);
                if let Some(room) =
                    room.filter(|room| ranks.get(room.as_str()).is_some_and(|other| other >= rank))
                {
                    let line = source.line(at);
                    found.push(format!(
                        "src/{}:{line}: {own} uses {room}, which is not below it in {folder}",
                        source.path
                    ));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Words in modules that may not write them. A rule is `name | words | modules`.
fn against_rules(sources: &[Source], rules: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for rule in rules {
        let [name, banned, allowed] = rule.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("a rule has three parts: {rule}");
        };
        for source in sources.iter().filter(|source| !source.is_in(allowed)) {
            for word in banned.split_whitespace() {
                let hits = words(&source.code, word);
                found.extend(hits.map(|at| {
                    format!("src/{}:{}: {word} is for {allowed} only ({name})", source.path, source.line(at))
                }));
            }
        }
    }
    found
}

/// Circles of more files than may be. What a folder declares (`mod.rs`) and what is in it belong together anyway.
fn circles(sources: &[Source]) -> Vec<String> {
    let files: BTreeMap<&[String], &Source> =
        sources.iter().filter(|s| !s.is_folder()).map(|s| (s.module.as_slice(), s)).collect();
    let mut edges: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for (&module, source) in &files {
        for (_, path) in source.uses() {
            let target = (0..=path.len()).rev().find_map(|len| files.get_key_value(&path[..len]));
            edges
                .entry(module)
                .or_default()
                .extend(target.map(|(&other, _)| other).filter(|other| *other != module));
        }
    }
    let reach = |from: &[String]| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_vec()]);
        while let Some(at) = open.pop() {
            for next in edges.get(at.as_slice()).into_iter().flatten() {
                if seen.insert(next.to_vec()) {
                    open.push(next.to_vec());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&[String], BTreeSet<Vec<String>>> = files.keys().map(|&m| (m, reach(m))).collect();
    let mut found = BTreeSet::new();
    for (module, all) in &reached {
        let back = |other: &&Vec<String>| reached.get(other.as_slice()).is_some_and(|r| r.contains(*module));
        let circle: BTreeSet<&str> = all
            .iter()
            .filter(back)
            .filter_map(|m| files.get(m.as_slice()))
            .map(|s| s.path.as_str())
            .collect();
        if circle.len() > LARGEST_CIRCLE {
            found.insert(format!(
                "src/{}: a circle of {} files",
                Vec::from_iter(circle.iter().copied()).join(", src/"),
                circle.len()
            ));
        }
    }
    found.into_iter().collect()
}

/// Type names that are defined more than once. Modules that are left out are not asked.
fn namesakes(sources: &[Source], left_out: &str) -> Vec<String> {
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_in(left_out)) {
        for (at, name) in source.types() {
            let place = format!("src/{}:{}", source.path, source.line(at));
            match first.get(name) {
                Some(other) => found.push(format!("{place}: {name} is a type in {other} too")),
                None => drop(first.insert(name, place)),
            }
        }
    }
    found
}

/// Everything that is wrong.
fn breaches(sources: &[Source], document: &str) -> Vec<String> {
    let order = against_order(sources, &block(document, "order"));
    let rooms = against_rooms(sources, &block(document, "rooms"));
    let rules = against_rules(sources, &block(document, "rules"));
    let names = namesakes(sources, &block(document, "names").join(" "));
    order.into_iter().chain(rooms).chain(rules).chain(circles(sources)).chain(names).collect()
}

/// The crate's sources without its tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut open, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                open.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "testing.rs" {
                let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                found.push(Source::new(&relative, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.retain(|source| !matches!(source.path.as_str(), "lib.rs" | "main.rs"));
    found
}

#[test]
fn the_sources_keep_the_order_and_the_rules() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let sources = sources();
    assert!(sources.len() > 300, "{} files are not the whole crate", sources.len());
    let found = breaches(&sources, &document);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

const DOCUMENT: &str = "\
```order
low clock
middle
high
```
```rooms
high | terminal old | deep | deeper
```
```rules
clock | Instant SystemTime | clock
printing | println! dbg! | high::terminal
unsafe | unsafe | low::kernel
```
```names
high::old
low::older
```
";

/// Breaches that are planted, and what is said of them; where nothing is, there is none.
#[test]
fn breaches_are_found_with_their_place() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        assert_eq!(breaches(&sources, DOCUMENT), expected, "{files:?}");
    };
    check(&[("middle/a.rs", "use crate::low::X;\nfn f() { crate::low::g(); }")], &[]);
    check(
        &[("low/a.rs", "\nuse crate::high::X;")],
        &["src/low/a.rs:2: low uses high, which is not below it"],
    );
    check(
        &[("low/a.rs", "fn f() -> crate::middle::X {}")],
        &["src/low/a.rs:1: low uses middle, which is not below it"],
    );
    check(&[("low/a.rs", "use crate::clock;")], &["src/low/a.rs:1: low uses clock, which is not below it"]);
    check(
        &[("low/b.rs", "use crate::{\n low::a,\n middle::{c, d},\n};")],
        &["src/low/b.rs:1: low uses middle, which is not below it"],
    );
    check(
        &[("low/mod.rs", "use super::high::X;")],
        &["src/low/mod.rs:1: low uses high, which is not below it"],
    );
    check(
        &[("low/deep/a.rs", "use super::super::super::high;")],
        &["src/low/deep/a.rs:1: low uses high, which is not below it"],
    );
    check(
        &[
            ("high/deep/a.rs", "use super::super::deeper::X;"),
            ("high/deeper.rs", "use super::deep::a;\nuse crate::high::terminal;"),
        ],
        &["src/high/deep/a.rs:1: deep uses deeper, which is not below it in high"],
    );
    check(&[("high/attic.rs", "")], &["src/high/attic.rs:1: attic has no place in high"]);
    check(&[("other.rs", "")], &["src/other.rs:1: other has no place in the order"]);
    check(&[("low/a.rs", "let t = Instant::now();")], &["src/low/a.rs:1: Instant is for clock only (clock)"]);
    check(
        &[("high/deep.rs", "println!(\"\")")],
        &["src/high/deep.rs:1: println! is for high::terminal only (printing)"],
    );
    check(
        &[("low/a.rs", "\n\nunsafe { f() }")],
        &["src/low/a.rs:3: unsafe is for low::kernel only (unsafe)"],
    );
    check(
        &[
            ("low/a.rs", "use super::b::X;"),
            ("low/b.rs", "use super::c::X;"),
            ("low/c.rs", "use super::d::X;"),
            ("low/d.rs", "use super::a::X;"),
        ],
        &["src/low/a.rs, src/low/b.rs, src/low/c.rs, src/low/d.rs: a circle of 4 files"],
    );
    check(
        &[("low/a.rs", "struct Row;"), ("middle/a.rs", "\npub(super) enum Row<T> {}\ntrait Row {}")],
        &[
            "src/middle/a.rs:2: Row is a type in src/low/a.rs:1 too",
            "src/middle/a.rs:3: Row is a type in src/low/a.rs:1 too",
        ],
    );
    check(
        &[("low/a.rs", "fn f() { struct Row(u8); }\nmod b { pub union Row { c: u8 } }")],
        &["src/low/a.rs:2: Row is a type in src/low/a.rs:1 too"],
    );
    // A longer name is another one; tests, comments, uses, and modules that are left out may.
    check(
        &[
            ("high/old.rs", "struct Row;"),
            ("low/older/a.rs", "struct Row;"),
            ("low/a.rs", "struct Row;\n// struct Row\nfn f() -> Row { \"struct Row\"; a.union(b) }"),
            ("low/b.rs", "struct RowId;\n#[cfg(test)]\nmod tests {\n struct Row;\n}"),
            ("low/c.rs", "macro_rules! m { ($name:ident) => { struct $name; } }\nlet union = Row;"),
        ],
        &[],
    );
    // Three may; tests, comments and texts may; so may those who are named, and words that only contain another.
    check(
        &[("low/a.rs", "use super::b;"), ("low/b.rs", "use super::c;"), ("low/c.rs", "use super::a;")],
        &[],
    );
    check(
        &[(
            "low/a.rs",
            "// use crate::high;\n/* dbg!() */ let x = \"unsafe { \\\" Instant\"; let y = r#\"unsafe\"#;",
        )],
        &[],
    );
    check(&[("low/a.rs", "#[cfg(test)]\nmod tests {\n use crate::high;\n fn f() { dbg!({ 1 }) }\n}")], &[]);
    check(&[("low/a.rs", "#[cfg(test)]\nuse crate::high;\nfn f<'a>(x: &'a str) -> char { '\"' }")], &[]);
    check(
        &[("clock.rs", "Instant::now()"), ("high/terminal.rs", "println!()"), ("low/a.rs", "InstantNoodles")],
        &[],
    );
}
