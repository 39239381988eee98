//! Results as tables for other programs: `results.csv`, which `counterpatch audit` reads, and JSON.

use std::path::Path;

use serde_json::{Value, json};

use super::collected::{Collected, CollectedUnit};
use super::compared::Compared;
use super::result::UnitVerdict;

/// The columns. `audit` knows the first five and `witness`.
const NAMES: [&str; 15] = [
    "tool",
    "benchmark",
    "onnx",
    "vnnlib",
    "claim",
    "time_s",
    "timeout_s",
    "seed",
    "cpu_s",
    "peak_bytes",
    "version",
    "host",
    "witness",
    "certificate",
    "why",
];

/// The table. Files beside results are named from `folder` on, the table's own, if they lie below it, and else in full.
pub fn csv(collected: &Collected, folder: &Path) -> String {
    let line = |(tool, found): (String, &CollectedUnit)| {
        let result = &found.result;
        [
            tool,
            result.benchmark.clone(),
            result.network.clone(),
            result.property.clone(),
            result.verdict.word().to_owned(),
            format!("{:.3}", result.resources.wall_seconds),
            result.limit.to_string(),
            result.seed.to_string(),
            format!("{:.3}", result.resources.cpu_seconds),
            result.resources.peak_bytes.to_string(),
            result.version.clone(),
            result.host.clone(),
            place(found, result.witness.as_deref(), folder),
            place(found, result.certificate.as_deref(), folder),
            result.why.clone(),
        ]
    };
    let names = NAMES.map(str::to_owned);
    crate::csv::text(std::iter::once(names).chain(collected.labelled().map(line)))
}

/// Where a file beside a result is; nothing if there is none.
fn place(found: &CollectedUnit, name: Option<&str>, folder: &Path) -> String {
    let Some(name) = name else { return String::new() };
    let path = found.folder.beside(name);
    path.strip_prefix(folder).unwrap_or(&path).display().to_string()
}

/// One object: all results, and what follows from them.
pub fn json(collected: &Collected, compared: Option<&Compared<'_>>) -> Value {
    let verdicts: Vec<&str> = UnitVerdict::ALL.iter().map(|verdict| verdict.word()).collect();
    let line =
        |((tool, benchmark), scores)| json!({ "tool": tool, "benchmark": benchmark, "scores": scores });
    json!({
        "open": collected.open.len(),
        "repeated": collected.repeated,
        "foreign": collected.foreign,
        "broken": collected.broken,
        "verdicts": verdicts,
        "table": collected.scores().into_iter().map(line).collect::<Vec<_>>(),
        "disagreements": collected.opposed(),
        "compared": compared,
        "units": collected.results().collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::claims::{self, ClaimedVerdict};
    use crate::campaign::collected::tests::with;

    #[test]
    fn the_table_is_one_of_claims() {
        let (temporary, folder, plan) = with(&[(UnitVerdict::Sat, 1.0), (UnitVerdict::Memory, 3.0)]);
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        let text = csv(&collected, temporary.path());
        let claims = claims::read("results.csv", &text, "nobody").unwrap();
        let got: Vec<_> = claims.iter().map(|claim| (claim.tool.as_str(), claim.answer)).collect();
        assert_eq!(
            got,
            [("counterpatch-seed0", ClaimedVerdict::Sat), ("counterpatch-seed3", ClaimedVerdict::Nothing)]
        );
        let witness = temporary.path().join(claims[0].witness.as_deref().unwrap());
        assert!(witness.is_file() && claims[1].witness.is_none(), "{text}");
        assert_eq!((claims[0].network.as_str(), claims[0].property.as_str()), ("n0.onnx", "p.vnnlib"));
        let elsewhere = csv(&collected, Path::new("/nowhere"));
        assert!(elsewhere.contains(&witness.display().to_string()), "{elsewhere}");
        let json = json(&collected, None);
        assert_eq!((json["units"].as_array().unwrap().len(), json["open"].as_u64()), (2, Some(6)));
        assert_eq!(json["table"][0]["scores"]["verdicts"][0], 1);
    }
}
