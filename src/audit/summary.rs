//! All records together: a table of tools and benchmarks, accusations, and where tools disagree.

use std::collections::BTreeMap;

use serde::Serialize;

use super::claims::ClaimedVerdict;
use super::record::{AuditRecord, Finding, InstanceTruth, Judged};

/// The columns of the table, in the order of [`Counts::cells`].
pub const COLUMNS: [&str; 13] = [
    "claims",
    "correct",
    "tolerance",
    "wrong witness",
    "confirmed",
    "unconfirmed",
    "false sat",
    "FALSE UNSAT",
    "doubtful",
    "proved",
    "stands",
    "not attacked",
    "no answer",
];

/// How many claims there are of each finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// All.
    pub claims: usize,
    /// `sat`, strictly correct.
    pub correct: usize,
    /// `sat`, within tolerance only.
    pub tolerance: usize,
    /// `sat`, with a wrong counterexample.
    pub wrong_witness: usize,
    /// `sat` without a file, and there is a counterexample.
    pub confirmed: usize,
    /// `sat` without a file, and none was found.
    pub unconfirmed: usize,
    /// `sat`, and there is none.
    pub false_sat: usize,
    /// `unsat`, and there is a counterexample.
    pub false_unsat: usize,
    /// `unsat`, and there is one that rounding may hide.
    pub doubtful: usize,
    /// `unsat`, proved here too.
    pub proved: usize,
    /// `unsat`, attacked without success.
    pub stands: usize,
    /// `unsat`, not attacked.
    pub not_attacked: usize,
    /// Neither.
    pub no_answer: usize,
}

impl Counts {
    fn add(&mut self, finding: &Finding) {
        self.claims += 1;
        *match finding {
            Finding::Correct => &mut self.correct,
            Finding::Tolerance { .. } => &mut self.tolerance,
            Finding::WrongWitness { .. } => &mut self.wrong_witness,
            Finding::Confirmed => &mut self.confirmed,
            Finding::Unconfirmed => &mut self.unconfirmed,
            Finding::FalseSat => &mut self.false_sat,
            Finding::FalseUnsat => &mut self.false_unsat,
            Finding::Doubtful => &mut self.doubtful,
            Finding::Proved => &mut self.proved,
            Finding::Stands => &mut self.stands,
            Finding::NotAttacked => &mut self.not_attacked,
            Finding::None => &mut self.no_answer,
        } += 1;
    }

    /// As [`COLUMNS`].
    pub fn cells(&self) -> [usize; 13] {
        [
            self.claims,
            self.correct,
            self.tolerance,
            self.wrong_witness,
            self.confirmed,
            self.unconfirmed,
            self.false_sat,
            self.false_unsat,
            self.doubtful,
            self.proved,
            self.stands,
            self.not_attacked,
            self.no_answer,
        ]
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryLine {
    /// The tool.
    pub tool: String,
    /// The benchmark.
    pub benchmark: String,
    /// Its claims.
    #[serde(flatten)]
    pub counts: Counts,
}

/// An instance that tools claim opposite things about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement<'a> {
    /// The network.
    pub network: &'a str,
    /// The property.
    pub property: &'a str,
    /// Who says `sat`.
    pub sat: Vec<&'a str>,
    /// Who says `unsat`.
    pub unsat: Vec<&'a str>,
    /// What is known.
    pub known: String,
}

/// A claim with its instance.
pub type Case<'a> = (&'a AuditRecord, &'a Judged);

/// All records, and what follows from them.
#[derive(Debug)]
pub struct AuditSummary<'a> {
    /// The instances.
    pub records: &'a [AuditRecord],
    /// One line a tool and benchmark, by name.
    pub lines: Vec<SummaryLine>,
    /// Of all tools and benchmarks.
    pub total: Counts,
    /// Where tools disagree.
    pub disagreements: Vec<Disagreement<'a>>,
    /// Instances that have not been examined, because the audit was interrupted.
    pub open: usize,
}

impl<'a> AuditSummary<'a> {
    /// Sums up.
    pub fn new(records: &'a [AuditRecord]) -> Self {
        let mut lines: BTreeMap<(String, String), Counts> = BTreeMap::new();
        let mut total = Counts::default();
        for record in records {
            for claim in &record.claims {
                lines.entry((claim.tool.clone(), record.benchmark.clone())).or_default().add(&claim.finding);
                total.add(&claim.finding);
            }
        }
        let line = |((tool, benchmark), counts)| SummaryLine { tool, benchmark, counts };
        Self {
            records,
            lines: lines.into_iter().map(line).collect(),
            total,
            disagreements: records.iter().filter_map(disagreement).collect(),
            open: 0,
        }
    }

    /// The same, with a number of instances that have not been examined.
    pub fn with_open(self, open: usize) -> Self {
        Self { open, ..self }
    }

    /// The claims with a finding of some kind, in order.
    pub fn cases(&self, kind: impl Fn(&Finding) -> bool) -> Vec<Case<'a>> {
        let of_record = |record: &'a AuditRecord| record.claims.iter().map(move |claim| (record, claim));
        self.records.iter().flat_map(of_record).filter(|(_, claim)| kind(&claim.finding)).collect()
    }

    /// The whole of it, for other programs.
    pub fn to_json(&self) -> serde_json::Value {
        let sum: f64 = self.records.iter().map(|record| record.seconds).sum();
        serde_json::json!({
            "instances": self.records.len(),
            "open": self.open,
            "seconds": sum,
            "total": self.total,
            "table": self.lines,
            "disagreements": self.disagreements,
            "records": self.records,
        })
    }
}

fn disagreement(record: &AuditRecord) -> Option<Disagreement<'_>> {
    let who = |said| {
        let claims = record.claims.iter().filter(move |claim| claim.answer == said);
        claims.map(|claim| claim.tool.as_str()).collect::<Vec<_>>()
    };
    let (sat, unsat) = (who(ClaimedVerdict::Sat), who(ClaimedVerdict::Unsat));
    if sat.is_empty() || unsat.is_empty() {
        return None;
    }
    Some(Disagreement {
        network: &record.network,
        property: &record.property,
        sat,
        unsat,
        known: record.truth.words(),
    })
}

impl InstanceTruth {
    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Self::Sat(evidence) => format!("sat, by {}", evidence.source),
            Self::Doubtful(evidence) => {
                format!("perhaps sat: {} holds, but not in every permitted computation", evidence.source)
            }
            Self::Unsat => "unsat, by a checked certificate".to_owned(),
            Self::Contradiction { evidence, .. } => format!(
                "A BUG OF THIS PROGRAM: its checked certificate excludes {}; please report it with both texts, which the \
                 journal and --json keep",
                evidence.source
            ),
            Self::Open => "no counterexample found".to_owned(),
            Self::Unusable(why) => format!("the files cannot be used: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::Evidence;

    fn record(truth: InstanceTruth, claims: &[(&str, ClaimedVerdict, Finding)]) -> AuditRecord {
        let judged = |(tool, answer, finding): &(&str, ClaimedVerdict, Finding)| Judged {
            tool: (*tool).into(),
            answer: *answer,
            word: format!("{answer:?}").to_lowercase(),
            witness: None,
            finding: finding.clone(),
        };
        AuditRecord {
            benchmark: "b".into(),
            network: "n".into(),
            property: "p".into(),
            truth,
            claims: claims.iter().map(judged).collect(),
            seconds: 1.5,
        }
    }

    #[test]
    fn claims_are_counted_and_disagreements_found() {
        let evidence = Evidence { source: "our attack".into(), text: "sat\n".into() };
        let records = [
            record(
                InstanceTruth::Sat(evidence),
                &[
                    ("x", ClaimedVerdict::Unsat, Finding::FalseUnsat),
                    ("y", ClaimedVerdict::Sat, Finding::Confirmed),
                ],
            ),
            record(
                InstanceTruth::Open,
                &[
                    ("x", ClaimedVerdict::Unsat, Finding::Stands),
                    ("y", ClaimedVerdict::Nothing, Finding::None),
                ],
            ),
        ];
        let summary = AuditSummary::new(&records);
        let x = Counts { claims: 2, false_unsat: 1, stands: 1, ..Counts::default() };
        let y = Counts { claims: 2, confirmed: 1, no_answer: 1, ..Counts::default() };
        let got: Vec<_> = summary.lines.iter().map(|line| (line.tool.as_str(), line.counts)).collect();
        assert_eq!(got, [("x", x), ("y", y)]);
        assert_eq!(summary.total.claims, 4);
        let [only] = &summary.disagreements[..] else { panic!("{:?}", summary.disagreements) };
        assert_eq!((only.sat.as_slice(), only.unsat.as_slice()), (&["y"][..], &["x"][..]));
        assert_eq!(only.known, "sat, by our attack");
        assert_eq!(summary.cases(|finding| *finding == Finding::FalseUnsat).len(), 1);
        assert_eq!(summary.to_json()["table"][0]["false_unsat"], 1);
    }

    #[test]
    fn records_survive_a_journal() {
        let wrong = Finding::WrongWitness { verdict: "incorrect:no_ce".into(), details: vec!["a".into()] };
        let tolerance = Finding::Tolerance { repaired_by: Some(1e-7) };
        let record = record(
            InstanceTruth::Unusable("why".into()),
            &[
                ("x", ClaimedVerdict::Sat, wrong),
                ("y", ClaimedVerdict::Sat, tolerance),
                ("z", ClaimedVerdict::Unsat, Finding::Proved),
            ],
        );
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AuditRecord>(&line).unwrap(), record);
    }
}
