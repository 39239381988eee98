//! A run summed up: one row a method, in the order of the run.

use std::collections::{HashMap, HashSet};

use nalgebra::DMatrix;
use serde::Serialize;
use serde_json::{Value, json};

use super::Victim;
use super::measures::features::Features;
use super::measures::frechet::frechet;
use super::measures::pielou::pielou;
use super::measures::similarity::similarity;
use super::measures::statistic::Statistic;
use super::measures::transfer::{Transfer, transfer};
use super::measures::{curve::curve, definitions};
use super::methods::MethodEntry;
use super::record::{AttackEnding, ConfirmedResult, Record};
use super::run::Subject;
use crate::nearest::Norm;

/// What the figures are made from.
#[derive(Debug)]
pub struct Material<'a> {
    /// The victim.
    pub victim: &'a Victim,
    /// All images that were classified.
    pub subjects: &'a [Subject],
    /// The numbers of those that were attacked.
    pub attacked: &'a [usize],
    /// The methods.
    pub methods: &'a [MethodEntry],
    /// All records, sorted by method and image.
    pub records: &'a [Record],
    /// The layer whose values give the Fréchet distance.
    pub features: &'a Features<'a>,
    /// Other networks, for transferability.
    pub others: &'a [(String, Victim)],
}

/// A success against budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// The distance, ascending, and the part of the attacked images changed within it.
    pub points: Vec<(f64, f64)>,
}

/// What a method has reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRow {
    /// Its name.
    pub method: String,
    /// What it is.
    pub about: String,
    /// Whether it leaves the valid range: then the distances are those of its own successes, of which none is valid.
    pub leaves_range: bool,
    /// Images of the set.
    pub images: usize,
    /// Images attacked: those that the network classifies correctly, or fewer by the protocol.
    pub attacked: usize,
    /// Valid successes.
    pub successes: usize,
    /// Successes by the method's own definition, out of range.
    pub own_successes: usize,
    /// Of all successes, those whose 8-bit picture is one too when it is read back.
    pub pictures: usize,
    /// Reported successes that were none: lost in the limits, and not confirmed.
    pub refuted: usize,
    /// Attacks that the time ended.
    pub out_of_time: usize,
    /// Values changed.
    pub values: Option<Statistic>,
    /// Pixels changed.
    pub pixels: Option<Statistic>,
    /// The mean of the last as per cent of an image's pixels.
    pub pixel_share: Option<f64>,
    /// L1.
    pub l1: Option<Statistic>,
    /// L2.
    pub l2: Option<Statistic>,
    /// L∞.
    pub linf: Option<Statistic>,
    /// Structural similarity.
    pub similarity: Option<Statistic>,
    /// Seconds an attacked image, successful or not.
    pub seconds: Option<Statistic>,
    /// Evaluations an attacked image.
    pub evaluations: Option<Statistic>,
    /// Gradients an attacked image.
    pub gradients: Option<Statistic>,
    /// Programs an attacked image.
    pub programs: Option<Statistic>,
    /// How often each class was the result.
    pub classes: Vec<usize>,
    /// Evenness of those counts.
    pub pielou: Option<f64>,
    /// Fréchet distance between originals and results.
    pub frechet: Option<f64>,
    /// Images whose closest result is proved, of a method that proves something.
    pub proved: Option<usize>,
    /// By what part of its distance a result may be too far, of such a method.
    pub gaps: Option<Statistic>,
    /// Other networks.
    pub transfers: Vec<Transfer>,
    /// Success against L0 in values.
    pub curve_values: Curve,
    /// Success against L2.
    pub curve_l2: Curve,
    /// Success against L∞.
    pub curve_linf: Curve,
}

impl MethodRow {
    /// The distances of its successes in a norm; under [`Norm::L0`] the pixels that change.
    pub fn distance(&self, norm: Norm) -> Option<Statistic> {
        match norm {
            Norm::L0 => self.pixels,
            Norm::L1 => self.l1,
            Norm::L2 => self.l2,
            Norm::Linf => self.linf,
        }
    }
}

/// The whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Images of the set.
    pub images: usize,
    /// Of those, the ones that the network classifies correctly.
    pub correct: usize,
    /// Of those, the ones attacked.
    pub attacked: usize,
    /// What the features are, for people.
    pub features: String,
    /// One row a method.
    pub rows: Vec<MethodRow>,
}

impl Summary {
    /// Sums up.
    pub fn new(material: &Material<'_>) -> Self {
        let Material { subjects, attacked, methods, features, .. } = material;
        let originals = Originals::new(material);
        Self {
            images: subjects.len(),
            correct: subjects.iter().filter(|subject| subject.is_correct()).count(),
            attacked: attacked.len(),
            features: features.name.clone(),
            rows: methods.iter().map(|entry| row(material, &originals, entry)).collect(),
        }
    }

    /// Every figure.
    pub fn figures(&self) -> Value {
        json!({
            "images": self.images,
            "correct": self.correct,
            "attacked": self.attacked,
            "features": self.features,
            "definitions": definitions::all(self).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "methods": self.rows,
        })
    }

    /// Every figure, and every attack without its input.
    pub fn to_json(&self, settings: Value, records: &[Record]) -> Value {
        let one = |record: &Record| {
            json!({
                "image": record.image,
                "method": record.method,
                "ending": record.ending,
                "seconds": record.seconds,
                "spent": record.spent,
                "class": record.found.as_ref().map(|found| found.class),
                "picture": record.found.as_ref().map(|found| found.picture),
                "distance": record.found.as_ref().map(|found| found.distance),
                "proved": record.proved,
            })
        };
        let mut json = self.figures();
        json["settings"] = settings;
        json["attacks"] = records.iter().map(one).collect();
        json
    }
}

fn row(material: &Material<'_>, originals: &Originals, entry: &MethodEntry) -> MethodRow {
    let Material { victim, subjects, attacked, .. } = *material;
    let records: Vec<&Record> =
        material.records.iter().filter(|record| record.method == entry.name).collect();
    let subject = |record: &Record| subjects.iter().find(|subject| subject.number == record.image);
    let found: Vec<(&Subject, &ConfirmedResult)> =
        records.iter().filter_map(|record| Some((subject(record)?, record.found.as_ref()?))).collect();
    let count =
        |endings: &[AttackEnding]| records.iter().filter(|record| endings.contains(&record.ending)).count();
    let distances =
        |measure: fn(&ConfirmedResult) -> f64| Statistic::of(found.iter().map(|(_, found)| measure(found)));
    let efforts = |effort: fn(&Record) -> f64| Statistic::of(records.iter().map(|record| effort(record)));
    let against = |measure: fn(&ConfirmedResult) -> f64| Curve {
        points: curve(found.iter().map(|(_, found)| measure(found)), attacked.len()),
    };
    let proves = records.iter().any(|record| record.proved.is_some());
    let mut classes = vec![0; victim.classes()];
    found.iter().for_each(|(_, found)| classes[found.class] += 1);
    MethodRow {
        method: entry.name.to_owned(),
        about: entry.about.to_owned(),
        leaves_range: entry.leaves_range,
        images: subjects.len(),
        attacked: attacked.len(),
        successes: count(&[AttackEnding::Adversarial]),
        own_successes: count(&[AttackEnding::OwnDefinition]),
        pictures: found.iter().filter(|(_, found)| found.picture.is_adversarial()).count(),
        refuted: count(&[AttackEnding::LostInLimits, AttackEnding::NotConfirmed]),
        out_of_time: count(&[AttackEnding::TimeUp]),
        values: distances(|found| found.distance.values as f64),
        pixels: distances(|found| found.distance.pixels as f64),
        pixel_share: distances(|found| found.distance.pixels as f64)
            .map(|pixels| 100.0 * pixels.mean / victim.layout.pixels().max(1) as f64),
        l1: distances(|found| found.distance.l1),
        l2: distances(|found| found.distance.l2),
        linf: distances(|found| found.distance.linf),
        similarity: similarities(victim, &found),
        seconds: efforts(|record| record.seconds),
        evaluations: efforts(|record| record.spent.evaluations as f64),
        gradients: efforts(|record| record.spent.gradients as f64),
        programs: efforts(|record| record.spent.programs as f64),
        pielou: pielou(&classes),
        classes,
        frechet: distance_of_features(material, originals, &found),
        proved: proves
            .then(|| records.iter().filter(|record| record.proved.is_some_and(|p| p.optimal)).count()),
        gaps: Statistic::of(records.iter().filter_map(|record| record.proved).map(|proved| proved.gap)),
        transfers: transfers(material, &found),
        curve_values: against(|found| found.distance.values as f64),
        curve_l2: against(|found| found.distance.l2),
        curve_linf: against(|found| found.distance.linf),
    }
}

fn similarities(victim: &Victim, found: &[(&Subject, &ConfirmedResult)]) -> Option<Statistic> {
    let one = |&(subject, found): &(&Subject, &ConfirmedResult)| {
        similarity(victim.shape(), &victim.shows(&subject.input), &victim.shows(&found.input))
    };
    Statistic::of(found.iter().filter_map(one))
}

/// The features of images of which some method has a result. Methods share them: an image on a large network takes a second.
struct Originals {
    features: DMatrix<f64>,
    /// The rows of images, by their numbers.
    rows: HashMap<usize, usize>,
}

impl Originals {
    fn new(material: &Material<'_>) -> Self {
        let found: HashSet<usize> = material
            .records
            .iter()
            .filter(|record| record.found.is_some())
            .map(|record| record.image)
            .collect();
        let subjects: Vec<&Subject> =
            material.subjects.iter().filter(|subject| found.contains(&subject.number)).collect();
        let pictures: Vec<Vec<f32>> =
            subjects.iter().map(|subject| material.victim.shows(&subject.input)).collect();
        let rows = subjects.iter().enumerate().map(|(row, subject)| (subject.number, row)).collect();
        Self { features: material.features.of(&pictures), rows }
    }

    /// The rows of these images.
    fn of(&self, found: &[(&Subject, &ConfirmedResult)]) -> DMatrix<f64> {
        let rows: Vec<usize> =
            found.iter().filter_map(|(subject, _)| self.rows.get(&subject.number).copied()).collect();
        self.features.select_rows(&rows)
    }
}

fn distance_of_features(
    material: &Material<'_>,
    originals: &Originals,
    found: &[(&Subject, &ConfirmedResult)],
) -> Option<f64> {
    let results: Vec<Vec<f32>> = found.iter().map(|(_, found)| material.victim.shows(&found.input)).collect();
    frechet(&originals.of(found), &material.features.of(&results))
}

fn transfers(material: &Material<'_>, found: &[(&Subject, &ConfirmedResult)]) -> Vec<Transfer> {
    let results = || {
        found.iter().map(|(subject, found)| (subject.input.as_slice(), found.input.as_slice(), subject.label))
    };
    let one = |(name, other): &(String, Victim)| transfer(name, material.victim, other, results());
    material.others.iter().map(one).collect()
}
