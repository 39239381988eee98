//! A campaign as a file: lists of instances and all that `campaign plan` is told besides, in TOML, so that it can be kept and
//! repeated. What the command line says goes before it.
//!
//! ```toml
//! instances = ["../acasxu", "../mnist/instances.csv"]   # from this file's folder
//! where = { truth = "sat", benchmark = ["acasxu", "mnist"] }
//! sample = 40                                           # rows of each benchmark
//! seeds = "0..9"
//! tools = ["ours", "no-split=ours:--without split", "script:../crown/run_instance.sh"]   # likewise
//! timeout_cap = "10s"
//! memory = "4G"
//! threads = 1
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::CampaignFailure;
use crate::cli::args::PlanWishes;
use crate::unpack;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    instances: Vec<PathBuf>,
    #[serde(default, rename = "where")]
    wanted: BTreeMap<String, WantedValues>,
    sample: Option<NonZeroUsize>,
    seeds: Option<String>,
    #[serde(default)]
    tools: Vec<String>,
    timeout_cap: Option<String>,
    memory: Option<String>,
    threads: Option<usize>,
}

/// The values of a column: any of them is meant.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
enum WantedValues {
    One(String),
    Several(Vec<String>),
}

impl WantedValues {
    fn all(self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value],
            Self::Several(values) => values,
        }
    }
}

/// What a plan is made of once recipes among `lists` were read: a recipe's lists take its place. Several recipes are one campaign
/// only if they agree, so there may be one.
///
/// # Errors
/// If it cannot be read or is none, or if there are several.
pub(super) fn resolved<'w>(
    lists: &[PathBuf],
    wishes: &'w PlanWishes,
) -> Result<(Vec<PathBuf>, Cow<'w, PlanWishes>), CampaignFailure> {
    let is_recipe =
        |path: &&PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let (recipes, mut lists): (Vec<&PathBuf>, Vec<PathBuf>) = (
        lists.iter().filter(is_recipe).collect(),
        lists.iter().filter(|path| !is_recipe(path)).cloned().collect(),
    );
    let path = match recipes[..] {
        [] => return Ok((lists, Cow::Borrowed(wishes))),
        [path] => path,
        [_, second, ..] => return Err(CampaignFailure::TwoRecipes(second.clone())),
    };
    let recipe = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    // Other lists in the place of those that it names.
    if lists.is_empty() {
        lists = recipe.instances.iter().map(|list| folder.join(list)).collect();
    }
    let either = |typed: &Option<String>, written: Option<String>| typed.clone().or(written);
    let mut wanted = wishes.wanted.clone();
    for (column, values) in recipe.wanted {
        if wishes.wanted.iter().all(|(typed, _)| *typed != column) {
            wanted.extend(values.all().into_iter().map(|value| (column.clone(), value)));
        }
    }
    Ok((
        lists,
        Cow::Owned(PlanWishes {
            seeds: either(&wishes.seeds, recipe.seeds),
            tools: match wishes.tools.is_empty() {
                true => recipe.tools.into_iter().map(|tool| beside(folder, tool)).collect(),
                false => wishes.tools.clone(),
            },
            wanted,
            sample: wishes.sample.or(recipe.sample),
            timeout_cap: either(&wishes.timeout_cap, recipe.timeout_cap),
            memory: either(&wishes.memory, recipe.memory),
            threads: wishes.threads.or(recipe.threads),
        }),
    ))
}

/// A tool whose script, if it is one, is named from a folder on.
fn beside(folder: &Path, tool: String) -> String {
    const SCRIPT: &str = "script:";
    match tool.split_once(SCRIPT) {
        Some((name, script)) if name.is_empty() || name.ends_with('=') => {
            format!("{name}{SCRIPT}{}", folder.join(script).display())
        }
        _ => tool,
    }
}

fn read(path: &Path) -> Result<PlanFile, CampaignFailure> {
    let (_, bytes) = unpack::read(path, unpack::limit::TEXT)
        .map_err(|source| CampaignFailure::File { path: path.to_path_buf(), source })?;
    let broken = |why: String| CampaignFailure::PlanFile { path: path.to_path_buf(), why };
    let text = String::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        // The error's own words span several lines, with the text under the place.
        let at = error.span().map_or(0, |span| span.start);
        let line = 1 + text.get(..at).map_or(0, |before| before.matches('\n').count());
        broken(format!("line {line}: {}", error.message().replace('\n', " ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wishes: &PlanWishes, lists: &[&str], want: Result<&str, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, text).unwrap();
        let lists: Vec<PathBuf> = std::iter::once(path).chain(lists.iter().map(PathBuf::from)).collect();
        let shown = resolved(&lists, wishes).map(|(lists, wishes)| {
            let short = |text: String| text.replace(&folder.path().display().to_string(), "~");
            let lists: Vec<String> = lists.iter().map(|list| short(list.display().to_string())).collect();
            let PlanWishes { seeds, tools, wanted, sample, timeout_cap, memory, threads } = &*wishes;
            let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let wanted: Vec<String> =
                wanted.iter().map(|(column, value)| format!("{column}={value}")).collect();
            let (seeds, cap, memory) = (said(seeds), said(timeout_cap), said(memory));
            format!(
                "{} | {seeds} {} {} {} {cap} {memory} {threads:?}",
                lists.join(","),
                short(tools.join("+")),
                wanted.join(","),
                sample.map_or("-".to_owned(), |most| most.to_string()),
            )
        });
        match want {
            Ok(want) => {
                assert_eq!(shown.map_err(|failure| failure.to_string()).as_deref(), Ok(want), "{text}")
            }
            Err(want) => {
                let why = shown.unwrap_err().to_string();
                assert!(why.contains(want), "{text}: {why}");
            }
        }
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let none = PlanWishes::default();
        check("instances = ['a', '/b.csv']", &none, &[], Ok("~/a,/b.csv | -   - - - None"));
        let whole = "instances = ['a']\nwhere = { truth = 'sat', b = ['x', 'y'] }\nsample = 40\nseeds = '0..9'\ntools = ['ours', 'marabou']\n\
                     timeout_cap = '10s'\nmemory = '4G'\nthreads = 2\n";
        let scripts =
            "instances = ['a']\ntools = ['script:t.sh', 'u=script:/u.sh', 'o=ours:--log script:x']\n";
        check(
            scripts,
            &none,
            &[],
            Ok("~/a | - script:~/t.sh+u=script:/u.sh+o=ours:--log script:x  - - - None"),
        );
        check(whole, &none, &[], Ok("~/a | 0..9 ours+marabou b=x,b=y,truth=sat 40 10s 4G Some(2)"));
        let typed = PlanWishes {
            seeds: Some("3".into()),
            tools: vec!["ours".into()],
            wanted: vec![("truth".into(), "unsat".into()), ("b".into(), "z".into())],
            sample: NonZeroUsize::new(5),
            threads: Some(1),
            ..PlanWishes::default()
        };
        check(whole, &typed, &["other.csv"], Ok("other.csv | 3 ours truth=unsat,b=z 5 10s 4G Some(1)"));
    }

    #[test]
    fn what_is_no_recipe_is_named_with_its_line() {
        let none = PlanWishes::default();
        for (text, want) in [
            ("seeds = '0'", "missing field `instances`"),
            ("instances = ['a']\nseed = '0'", "plan.toml: line 2: unknown field `seed`"),
            ("instances = 'a'", "line 1: invalid type"),
            ("instances = [\n", "line 1"),
            ("instances = ['a']\nwhere = { truth = 3 }", "line 2: a text, or a list of texts"),
        ] {
            check(text, &none, &[], Err(want));
        }
        check("instances = ['a']", &none, &["second.toml"], Err("second.toml: a second plan"));
    }
}
