//! What an audit has found about one instance: a line of its journal.

use serde::{Deserialize, Serialize};

use super::claims::ClaimedVerdict;

/// An instance with all claims about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The benchmark.
    pub benchmark: String,
    /// The network, as the first claim writes it.
    pub network: String,
    /// The property, likewise.
    pub property: String,
    /// What is known about it.
    pub truth: InstanceTruth,
    /// The claims, in their order.
    pub claims: Vec<Judged>,
    /// Seconds that all of it took.
    pub seconds: f64,
}

/// What is known about an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceTruth {
    /// There is a counterexample, certified for every permitted computation.
    Sat(Evidence),
    /// There is one that not every permitted computation confirms.
    Doubtful(Evidence),
    /// A checked certificate excludes one.
    Unsat,
    /// A checked certificate excludes one, and a counterexample was replayed: one of the two is a bug of this program.
    Contradiction {
        /// The counterexample.
        evidence: Evidence,
        /// The certificate, unpacked.
        certificate: String,
    },
    /// None was found.
    Open,
    /// The files cannot be used, and why.
    Unusable(String),
}

/// A counterexample, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whose it is.
    pub source: String,
    /// The results file.
    pub text: String,
}

/// A claim with what is found about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Who claims it.
    pub tool: String,
    /// What is claimed.
    pub answer: ClaimedVerdict,
    /// The same, as written.
    pub word: String,
    /// The counterexample's file, as written.
    pub witness: Option<String>,
    /// What is found.
    pub finding: Finding,
}

/// What is found about a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// `sat` with a strictly correct counterexample.
    Correct,
    /// `sat` with a counterexample that is correct within tolerance only, and how far the nearest strict one is.
    Tolerance {
        /// The largest change of an input; `None` if there is none near.
        repaired_by: Option<f64>,
    },
    /// `sat` with a wrong counterexample.
    WrongWitness {
        /// The competition's word.
        verdict: String,
        /// What is wrong.
        details: Vec<String>,
    },
    /// `sat` without a file, and there is a counterexample.
    Confirmed,
    /// `sat` without a file, and none was found.
    Unconfirmed,
    /// `sat`, and a checked certificate excludes a counterexample.
    FalseSat,
    /// `unsat`, and there is a counterexample.
    FalseUnsat,
    /// `unsat`, and there is a counterexample that not every permitted computation confirms.
    Doubtful,
    /// `unsat`, and our bounds prove it too.
    Proved,
    /// `unsat`, and no counterexample was found.
    Stands,
    /// `unsat`, and the files could not be used.
    NotAttacked,
    /// No claim.
    None,
}
