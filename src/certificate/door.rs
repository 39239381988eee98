//! A door for the programs that try to prove this module wrong: `benchmarks/verdicts` and the fuzz targets. Nothing else needs it.

use std::sync::Arc;

use vnnlib::Query;

use super::directed::Interval;
use super::worker::Worker;
use super::{Certificate, Enclosure, Mending, NoEnclosure, Proof, Refusal, certify, check};
use crate::onnx::Model;

/// A query's networks, enclosed.
#[derive(Debug)]
pub struct Door(Enclosure);

impl Door {
    /// Opens it.
    ///
    /// # Errors
    /// If the networks have no enclosure.
    pub fn new(query: &Query, models: &[Arc<Model>]) -> Result<Self, NoEnclosure> {
        Enclosure::new(query, models).map(Self)
    }

    /// Checks a certificate.
    ///
    /// # Errors
    /// As the check says.
    pub fn check(&self, certificate: &Certificate, mending: Mending) -> Result<Proof, Refusal> {
        check(&self.0, certificate, mending, 1, &|| true)
    }

    /// Whether every permitted computation at a point satisfies the query.
    pub fn certifies(&self, point: &[Vec<f64>]) -> bool {
        certify(&self.0, point, &|_| None)
    }

    /// Pre-activations of a rectifier, by its node's name.
    pub fn neurons(&self, node: &str) -> Vec<u32> {
        self.0.pre_activations(node).unwrap_or_default().to_vec()
    }

    /// The lowest and the highest value of each output over a box of inputs, by intervals or by rows as well.
    pub fn outputs(&self, ranges: &[(f64, f64)], tightened: bool) -> Vec<(f64, f64)> {
        let ranges: Vec<Interval> = ranges.iter().map(|&(low, high)| Interval::new(low, high)).collect();
        let mut worker = Worker::new(&self.0);
        if tightened {
            worker.tighten(&self.0, &ranges, &|| true);
        } else {
            worker.enclose(&self.0, &ranges);
        }
        let ends = |&number: &u32| (worker.bounds().of(number).low, worker.bounds().of(number).high);
        self.0.outputs().iter().map(ends).collect()
    }
}
