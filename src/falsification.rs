//! The whole tool for programs: networks and a property in, a conclusion with a counterexample's numbers as arrays out.
//!
//! A [`Falsification`] is made from files, bytes, a box or a point, told what it may spend, and run. What it concludes is what
//! `counterpatch verify` would say, by the same function ([`pipeline::falsify`]); what the command line does beside that (notes, doubts,
//! files, exit states) is left to the caller.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use vnnlib::Query;

use crate::budget::{Budget, Interrupt, StopReason};
use crate::certificate::Proof;
use crate::counterexample::{Counterexample, NamedArray};
use crate::error::Error;
use crate::load;
use crate::nearest::Nearest;
use crate::onnx::Model;
use crate::pipeline::several::Several;
use crate::pipeline::{self, Findings, Verdict, nearest};
use crate::problem::{fit, names};
use crate::property::around::Around;
use crate::property::doubt::{Doubt, doubts};
use crate::property::within::Within;
use crate::search::observer::{Event, Observer, Silent};
use crate::search::{Config, MOST_THREADS};
use crate::witness::Certainty;

/// What is known of a question, after a search for a counterexample.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Conclusion {
    /// There is a counterexample: this one.
    Counterexample(Counterexample),
    /// There is none: proved, and the proof checked by a judge that shares nothing with the search.
    Proved(Proof),
    /// Neither was found.
    Unknown {
        /// Why the search ended.
        reason: StopReason,
        /// A counterexample that another engine's rounding may hide. Taken for an answer where
        /// [`Falsification::accept_thin`] says so.
        thin: Option<Counterexample>,
    },
}

impl Conclusion {
    /// The competition's word: `sat`, `unsat` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Counterexample(_) => "sat",
            Self::Proved(_) => "unsat",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The counterexample, where there is one that counts.
    pub fn counterexample(&self) -> Option<&Counterexample> {
        match self {
            Self::Counterexample(counterexample) => Some(counterexample),
            _ => None,
        }
    }
}

impl fmt::Display for Conclusion {
    /// What it rests on, in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counterexample(counterexample) => {
                write!(f, "a counterexample, {}", counterexample.certainty())
            }
            Self::Proved(proof) => proof.ground().fmt(f),
            Self::Unknown { thin: Some(_), .. } => f.write_str(
                "a counterexample was found that holds with zero tolerance, but by so little that another engine's rounding \
                 may hide it",
            ),
            Self::Unknown { reason, thin: None } => reason.fmt(f),
        }
    }
}

/// A conclusion, and what was found beside it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Gathered {
    /// The conclusion; of several counterexamples it has the most certain, and of equals the first.
    pub conclusion: Conclusion,
    /// The other counterexamples, where [`Falsification::several`] has asked for them: as certain as its own, or less, and none of
    /// them thin, unless it is.
    pub others: Vec<Counterexample>,
    /// Where nothing was concluded, the input that came nearest to a violation, as the network names and shapes it, with its margin:
    /// a violation from 0 on.
    pub nearest_miss: Option<(f64, Vec<NamedArray>)>,
}

/// A search for a counterexample, ready to run.
#[derive(Debug, Clone)]
#[must_use = "nothing is searched before `run`"]
pub struct Falsification {
    query: Query,
    models: Vec<Arc<Model>>,
    dims: fit::Named,
    config: Config,
    limit: Option<Duration>,
    interrupts: Vec<Interrupt>,
    several: Several,
}

/// Where the question comes from.
impl Falsification {
    /// Of models and a query. The models are those of the query's networks that need one of their own, in declaration order: not
    /// of networks that are declared equal to an earlier one.
    pub fn new<M: Into<Arc<Model>>>(models: impl IntoIterator<Item = M>, query: Query) -> Self {
        Self {
            query,
            models: models.into_iter().map(Into::into).collect(),
            dims: fit::Named::new(),
            config: Config::default(),
            limit: None,
            interrupts: Vec::new(),
            several: Several::default(),
        }
    }

    /// Of ONNX files, in the order of [`new`](Self::new), and a VNN-LIB file; both may be gzipped.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn read<P: AsRef<Path>>(
        networks: impl IntoIterator<Item = P>,
        property: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let query = load::property(property.as_ref())?;
        let models = networks.into_iter().map(|path| load::network(path.as_ref()));
        Ok(Self::new(models.collect::<Result<Vec<_>, _>>()?, query))
    }

    /// Of the bytes of ONNX files and the text of a VNN-LIB property.
    ///
    /// # Errors
    /// If they are not what they should be.
    pub fn from_bytes<B: AsRef<[u8]>>(
        networks: impl IntoIterator<Item = B>,
        property: &str,
    ) -> Result<Self, Error> {
        let query = vnnlib::parse(property)?;
        let models = networks.into_iter().enumerate();
        let models = models
            .map(|(number, bytes)| load::network_of_bytes(&format!("network {number}"), bytes.as_ref()));
        Ok(Self::new(models.collect::<Result<Vec<_>, _>>()?, query))
    }

    /// Of models that are given by their names in the property.
    ///
    /// # Errors
    /// If the names are not those that the query declares.
    pub fn named(models: Vec<(String, Model)>, query: Query) -> Result<Self, Error> {
        let models: Vec<_> = models.into_iter().map(|(name, model)| (name, Arc::new(model))).collect();
        let ordered: Vec<_> = names::in_order(&models, &query)?.into_iter().cloned().collect();
        Ok(Self::new(ordered, query))
    }

    /// Of a network, a box of its inputs, and unsafe sets of its outputs.
    ///
    /// # Errors
    /// If the box is empty, or the rows do not fit each other.
    pub fn within(model: impl Into<Arc<Model>>, within: &Within) -> Result<Self, Error> {
        let text = within.text().map_err(|source| Error::Within { source })?;
        Ok(Self::new([model], vnnlib::parse(text)?))
    }

    /// Of a network and what must not happen near a point.
    ///
    /// # Errors
    /// If the box is empty, or an output does not exist.
    pub fn around(model: impl Into<Arc<Model>>, around: &Around) -> Result<Self, Error> {
        let text = around.text(&[]).map_err(|source| Error::Around { source })?;
        Ok(Self::new([model], vnnlib::parse(text)?))
    }
}

/// What it may spend, and what counts.
impl Falsification {
    /// The time that one run has, from its call on; without it a run ends when every strategy has.
    pub fn budget(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Threads of the search, from 1 to 256 (what lies outside is moved to the nearer end); as many as the process may use, unless
    /// this is called. One thread and one seed give one answer.
    pub fn threads(mut self, threads: usize) -> Self {
        self.config.threads = threads.clamp(1, MOST_THREADS);
        self
    }

    /// The seed of all randomness, 0 unless this is called.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// How many counterexamples are wanted, and when two count as different; one, unless this is called. The search goes on until
    /// there are as many or its time is up: [`gather`](Self::gather) gives all.
    pub fn several(mut self, several: Several) -> Self {
        self.several = several;
        self
    }

    /// The size of a dimension that a network leaves open, by its name (`batch`) or its place (`input[0]`).
    pub fn dim(mut self, name: impl Into<String>, size: usize) -> Self {
        self.dims.insert(name.into(), size);
        self
    }

    /// A flag that ends runs early, from another thread or a signal handler; several may be given.
    pub fn interrupt(mut self, interrupt: &Interrupt) -> Self {
        self.interrupts.push(interrupt.clone());
        self
    }

    /// Takes a thin counterexample for an answer: it holds with zero tolerance, by less than engines' rounding differs.
    pub fn accept_thin(mut self) -> Self {
        self.config.accept_thin = true;
        self
    }
}

/// The question, and answers.
impl Falsification {
    /// What is asked.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// What the property's author may not have meant, such as swapped bounds: it turns the meaning of an answer around.
    pub fn doubts(&self) -> Vec<Doubt> {
        doubts(&self.query)
    }

    /// The models as they are searched: open dimensions are bound, outputs that the query does not declare left out. What was
    /// decided for that is told, a note each.
    ///
    /// # Errors
    /// If they do not fit the query in one way.
    pub fn models(&self, observer: &dyn Observer) -> Result<Vec<Arc<Model>>, Error> {
        let fitted = fit::models(&self.query, &self.models, &self.dims)?;
        let tell = |note: &String| observer.event(&Event::Note(note));
        fitted.iter().flat_map(|fitted| &fitted.notes).for_each(tell);
        Ok(fitted.into_iter().map(|fitted| fitted.model).collect())
    }

    /// Searches.
    ///
    /// # Errors
    /// If the networks or the property cannot be used, or do not belong together.
    pub fn run(&self) -> Result<Conclusion, Error> {
        self.run_observed(&Silent)
    }

    /// Searches, and tells how it goes.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_observed(&self, observer: &dyn Observer) -> Result<Conclusion, Error> {
        Ok(self.gather(observer)?.conclusion)
    }

    /// Searches, tells how it goes, and gives all that was found.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn gather(&self, observer: &dyn Observer) -> Result<Gathered, Error> {
        let budget = self.budget_from_now();
        let models = self.models(observer)?;
        let (query, networks) = (self.query.clone(), models.clone());
        let Findings { verdict, others, nearest_miss } =
            pipeline::falsify_several(query, networks, &self.several, &self.config, &budget, observer)?;
        let conclusion = self.conclude(verdict, &models);
        let others = others.into_iter().filter(|_| conclusion.counterexample().is_some());
        Ok(Gathered {
            others: others.map(|witness| Counterexample::new(witness, &self.query, &models)).collect(),
            nearest_miss: nearest_miss.map(|miss| (miss.margin, miss.inputs(&self.query, &models))),
            conclusion,
        })
    }

    /// Searches for the counterexample nearest to a point, one number for each declared input, or to the middle of the box; and
    /// what is known of the distance, which is nothing where it was proved that there is no counterexample at all.
    ///
    /// # Errors
    /// As [`run`](Self::run), or if the networks have no bound of this kind.
    pub fn nearest(
        &self,
        wish: &nearest::NearestWish,
        observer: &dyn Observer,
    ) -> Result<(Conclusion, Option<Nearest>), Error> {
        let budget = self.budget_from_now();
        let models = self.models(observer)?;
        let query = self.query.clone();
        let (verdict, answer) =
            nearest::nearest(query, models.clone(), wish, &self.config, &budget, observer)?;
        Ok((self.conclude(verdict, &models), answer))
    }

    fn budget_from_now(&self) -> Budget {
        let unlimited = Budget::unlimited();
        let budget = self.limit.map_or_else(|| unlimited.clone(), |limit| unlimited.slice(limit));
        self.interrupts.iter().fold(budget, |budget, interrupt| budget.with_interrupt(interrupt.clone()))
    }

    fn conclude(&self, verdict: Verdict, models: &[Arc<Model>]) -> Conclusion {
        match verdict {
            Verdict::Sat(witness) => {
                let is_thin = witness.certainty() == Certainty::Thin;
                let counterexample = Counterexample::new(witness, &self.query, models);
                match is_thin && !self.config.accept_thin {
                    true => Conclusion::Unknown { reason: StopReason::Exhausted, thin: Some(counterexample) },
                    false => Conclusion::Counterexample(counterexample),
                }
            }
            Verdict::Unsat(proof) => Conclusion::Proved(proof),
            Verdict::Unknown(reason) => Conclusion::Unknown { reason, thin: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::several::Distinction;
    use crate::property::around::Violation;
    use crate::property::decision::Decision;
    use crate::property::within::HalfSpace;

    fn path(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    fn model() -> Model {
        load::network(&path("toy.onnx")).unwrap()
    }

    fn within(bound: f64) -> Within {
        let row = HalfSpace { coefficients: vec![1.0, -1.0], bound };
        Within { lower: vec![0.0; 2], upper: vec![1.0; 2], unsafe_sets: vec![vec![row]] }
    }

    fn around(reach: f64) -> Around {
        let violation = Violation::Leaves { output: 0, decision: Decision::Largest };
        Around { point: vec![1.0; 2], reach: vec![reach], valid: (0.0, 1.0), outputs: 2, violation }
    }

    /// What a question is answered with; of a counterexample, the numbers have the names and shapes of the network.
    fn check(falsification: Falsification, expected: &str) {
        let conclusion = falsification.threads(1).budget(Duration::from_secs(60)).run().unwrap();
        assert_eq!(conclusion.word(), expected, "{conclusion}");
        let Some(found) = conclusion.counterexample() else { return };
        let shapes: Vec<_> =
            found.inputs().iter().chain(found.outputs()).map(|array| array.values.shape()).collect();
        assert_eq!(shapes, [[1, 2], [1, 2]]);
        assert!(found.get("input").is_some() && found.get("X").is_none());
        assert!(found.text().starts_with("sat\n((X_0 "), "{}", found.text());
    }

    #[test]
    fn questions_from_everywhere_have_their_answers() {
        let bytes = std::fs::read(path("toy.onnx")).unwrap();
        let text = std::fs::read_to_string(path("toy.vnnlib")).unwrap();
        let named = vec![("any".to_owned(), model())];
        check(Falsification::read([path("toy.onnx")], path("toy.vnnlib")).unwrap(), "sat");
        check(Falsification::from_bytes([bytes], &text).unwrap(), "sat");
        check(Falsification::named(named, vnnlib::parse(text).unwrap()).unwrap(), "sat");
        check(Falsification::within(model(), &within(-0.1)).unwrap(), "sat");
        check(Falsification::within(model(), &within(-100.0)).unwrap(), "unsat");
        check(Falsification::around(model(), &around(0.0)).unwrap(), "unsat");
        check(Falsification::around(model(), &around(1.0)).unwrap(), "sat");
    }

    #[test]
    fn several_counterexamples_lie_apart() {
        let several = Several { count: 3, distinction: Distinction::Apart(0.1) };
        let falsification =
            Falsification::within(model(), &within(-0.1)).unwrap().threads(1).several(several);
        let gathered = falsification.budget(Duration::from_secs(60)).gather(&Silent).unwrap();
        let first = gathered.conclusion.counterexample().unwrap();
        let all: Vec<_> =
            std::iter::once(first).chain(&gathered.others).map(|found| &found.inputs()[0].values).collect();
        assert_eq!(all.len(), 3);
        for (at, a) in all.iter().enumerate() {
            for b in &all[..at] {
                assert!(a.iter().zip(b.iter()).any(|(a, b)| (a - b).abs() >= 0.1), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_came_nearest_to_a_violation_is_known() {
        let falsification = Falsification::within(model(), &within(-100.0)).unwrap().threads(1);
        assert!(falsification.gather(&Silent).unwrap().nearest_miss.is_none(), "proved");
        // Without a proof, nothing but samples.
        let mut falsification = Falsification::within(model(), &within(-0.9)).unwrap().threads(1);
        falsification.config.only = vec!["sample".into()];
        falsification = falsification.budget(Duration::from_millis(200));
        let gathered = falsification.gather(&Silent).unwrap();
        match gathered.nearest_miss {
            Some((margin, inputs)) => {
                assert!(margin < 0.0 && gathered.conclusion.word() == "unknown");
                assert_eq!((inputs[0].name.as_str(), inputs[0].values.shape()), ("input", &[1, 2][..]));
            }
            None => assert_eq!(gathered.conclusion.word(), "sat"),
        }
    }

    #[test]
    fn what_ends_a_run_is_said() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        let falsification = Falsification::within(model(), &within(-0.1)).unwrap().interrupt(&interrupt);
        let conclusion = falsification.run().unwrap();
        assert!(
            matches!(conclusion, Conclusion::Unknown { reason: StopReason::Interrupted, thin: None }),
            "{conclusion}"
        );
        let error =
            Falsification::new([model(), model()], vnnlib::parse(within(0.0).text().unwrap()).unwrap());
        let error = error.run().unwrap_err().to_string();
        assert!(error.contains("1 more model(s)"), "{error}");
    }

    #[test]
    fn several_networks_keep_their_declared_names_and_shapes() {
        let falsification =
            Falsification::read([path("smooth.onnx")], path("smooth_monotone.vnnlib")).unwrap();
        let conclusion = falsification.threads(1).budget(Duration::from_secs(60)).run().unwrap();
        let found = conclusion.counterexample().unwrap();
        let said: Vec<_> = found
            .inputs()
            .iter()
            .map(|array| (array.name.as_str(), array.element.name(), array.values.shape()))
            .collect();
        assert_eq!(said, [("X_f", "float32", &[1, 6, 1][..]), ("X_g", "float32", &[1, 6, 1])]);
    }
}
