//! Attacks on images that Python has as arrays: methods beside each other, measured as `counterpatch attack` measures them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use counterpatch::attack::fit::{self, FitError};
use counterpatch::attack::images::npy::Array;
use counterpatch::attack::images::{ImageError, Set};
use counterpatch::attack::measures::features::{FeatureLayer, Features};
use counterpatch::attack::measures::reader::PictureReader;
use counterpatch::attack::methods::{MethodEntry, NotUsable, TABLE};
use counterpatch::attack::record::Record;
use counterpatch::attack::run::{Chosen, RunPlan, Subject};
use counterpatch::attack::summary::{Material, Summary};
use counterpatch::attack::victim::VictimError;
use counterpatch::attack::{ChannelOrder, Confidence, Limits, Preparation, TargetClasses, Victim};
use counterpatch::budget::Budget;
use counterpatch::nearest::Norm;
use counterpatch::problem::fit as dimensions;
use counterpatch::search::available_threads;
use counterpatch::search::strategy::patch::reading::PaperReading;
use counterpatch::{Error, StopReason};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::errors::{raised, unfit};
use crate::task::{Given, model};
use crate::waiting::interruptible;

/// Images in an array: its sizes, its numbers row by row, and whether they are bytes, of which 255 is white; and their classes.
#[derive(FromPyObject)]
pub(crate) struct Pictures<'py> {
    sizes: Vec<usize>,
    values: PyReadonlyArray1<'py, f64>,
    bytes: bool,
    labels: Vec<usize>,
}

/// How a network reads images.
#[derive(FromPyObject)]
pub(crate) struct ReadingOptions {
    /// `nchw`, `nhwc`, or as the network declares.
    layout: Option<String>,
    mean: Vec<f32>,
    std: Vec<f32>,
}

/// What attacks may do and spend; lengths are in pixels, from black to white.
#[derive(FromPyObject)]
pub(crate) struct AttackOptions {
    /// Their names, in any order.
    methods: Vec<String>,
    linf: f32,
    l2: f32,
    pixels: Option<usize>,
    /// Of one method on one image.
    seconds: f64,
    threads: Option<usize>,
    seed: u64,
}

/// One attack that has found something.
#[derive(IntoPyObject)]
struct Success<'py> {
    image: usize,
    method: String,
    class: usize,
    valid: bool,
    original: Bound<'py, PyArray1<f32>>,
    adversarial: Bound<'py, PyArray1<f32>>,
}

/// What came of all attacks.
#[derive(IntoPyObject)]
pub(crate) struct Attacked<'py> {
    /// Sizes of one image as the network reads it.
    sizes: Vec<usize>,
    successes: Vec<Success<'py>>,
    /// Every figure, as JSON.
    figures: String,
}

/// Why there is no attack.
enum NoAttack {
    Network(Error),
    Images(ImageError),
    Fit(FitError),
    Victim(VictimError),
    Method(&'static str, NotUsable),
    Interrupted,
}

impl From<NoAttack> for PyErr {
    fn from(why: NoAttack) -> Self {
        match why {
            NoAttack::Network(error) => raised(error),
            NoAttack::Images(error) => unfit(format!("images: {error}")),
            NoAttack::Fit(error) => unfit(error.to_string()),
            NoAttack::Victim(error) => unfit(error.to_string()),
            NoAttack::Method(method, source) => unfit(format!("method {method}: {source}")),
            NoAttack::Interrupted => unfit(StopReason::Interrupted.to_string()),
        }
    }
}

/// Attacks images that a network classifies correctly.
#[pyfunction]
pub(crate) fn attack<'py>(
    py: Python<'py>,
    network: Given,
    pictures: Pictures<'py>,
    reading: ReadingOptions,
    options: AttackOptions,
    dims: BTreeMap<String, usize>,
) -> PyResult<Attacked<'py>> {
    let entries = entries(&options.methods)?;
    let order = order(reading.layout.as_deref())?;
    let each = Duration::try_from_secs_f64(options.seconds);
    let each = each.map_err(|error| unfit(format!("timeout: {error}")))?;
    let array = Array {
        sizes: pictures.sizes.clone(),
        values: pictures.values.as_array().to_vec(),
        bytes: pictures.bytes,
    };
    let labels = pictures.labels.clone();
    let work = |budget: &Budget| -> Result<(Victim, Vec<Subject>, Vec<Record>, String), NoAttack> {
        let mut set = array.images().map_err(NoAttack::Images)?;
        set.images.iter_mut().zip(labels).for_each(|(image, label)| image.label = Some(label));
        let victim = victim(&network, &set, order, &reading, &dims)?;
        let subjects = subjects(&victim, &set)?;
        let chosen = chosen(&victim, &subjects, &entries, options.seed)?;
        let plan = RunPlan {
            victim: &victim,
            limits: Limits {
                linf: options.linf,
                l2: options.l2,
                pixels: options.pixels.unwrap_or(usize::MAX),
            },
            targets: TargetClasses::RunnerUp,
            confidence: Confidence::Picture,
            round: false,
            each,
            seed: options.seed,
        };
        let threads = options.threads.unwrap_or_else(available_threads);
        let records = records(&plan, &subjects, &chosen, threads, budget)?;
        let figures = figures(&victim, &subjects, &entries, &records, threads, budget);
        Ok((victim, subjects, records, figures))
    };
    let done = interruptible(py, |interrupt| work(&Budget::unlimited().with_interrupt(interrupt.clone())))?;
    let (victim, subjects, records, figures) = done?;
    let layout = victim.layout;
    let sizes = match layout.order {
        ChannelOrder::ChannelsFirst => vec![layout.channels, layout.height, layout.width],
        ChannelOrder::ChannelsLast => vec![layout.height, layout.width, layout.channels],
    };
    let success = |record: Record| {
        let found = record.found?;
        let original = subjects.iter().find(|subject| subject.number == record.image)?.input.clone();
        let valid = TABLE.iter().any(|entry| entry.name == record.method && !entry.leaves_range);
        Some(Success {
            image: record.image,
            method: record.method,
            class: found.class,
            valid,
            original: original.into_pyarray(py),
            adversarial: found.input.into_pyarray(py),
        })
    };
    Ok(Attacked { sizes, successes: records.into_iter().filter_map(success).collect(), figures })
}

/// The rows of the methods that were named, in the table's order.
fn entries(names: &[String]) -> PyResult<Vec<MethodEntry>> {
    let known = || TABLE.iter().map(|entry| entry.name);
    if let Some(name) = names.iter().find(|name| !known().any(|known| known == **name)) {
        let known: Vec<&str> = known().collect();
        return Err(unfit(format!("there is no method {name} (help: there are {})", known.join(", "))));
    }
    Ok(TABLE.iter().filter(|entry| names.iter().any(|name| name == entry.name)).copied().collect())
}

fn order(layout: Option<&str>) -> PyResult<Option<ChannelOrder>> {
    match layout {
        None => Ok(None),
        Some("nchw") => Ok(Some(ChannelOrder::ChannelsFirst)),
        Some("nhwc") => Ok(Some(ChannelOrder::ChannelsLast)),
        Some(other) => Err(unfit(format!("layout={other}: no such order (help: there are nchw and nhwc)"))),
    }
}

fn victim(
    network: &Given,
    set: &Set,
    order: Option<ChannelOrder>,
    reading: &ReadingOptions,
    dims: &BTreeMap<String, usize>,
) -> Result<Victim, NoAttack> {
    let model = Arc::new(model(network).map_err(NoAttack::Network)?);
    let fitted = dimensions::alone(&model, dims).map_err(|error| NoAttack::Network(error.into()))?.model;
    let layout = fit::layout(&fitted, set.shape, order).map_err(NoAttack::Fit)?;
    let scaling = fit::scaling(set.shape.channels, &reading.mean, &reading.std, ["mean", "std"]);
    Victim::new(fitted, layout, scaling.map_err(NoAttack::Fit)?).map_err(NoAttack::Victim)
}

fn subjects(victim: &Victim, set: &Set) -> Result<Vec<Subject>, NoAttack> {
    let one = |(number, image): (usize, &counterpatch::attack::images::Image)| {
        let label = image.label.unwrap_or(victim.classes());
        if label >= victim.classes() {
            let classes = victim.classes();
            let what = format!("image {number} is of class {label}, the network has {classes} outputs");
            return Err(NoAttack::Images(ImageError::Array(format!("{what} (help: classes count from 0)"))));
        }
        Ok(Subject::new(victim, number, victim.reads(&image.values), label, None))
    };
    set.images.iter().enumerate().map(one).collect()
}

fn chosen(
    victim: &Victim,
    subjects: &[Subject],
    entries: &[MethodEntry],
    seed: u64,
) -> Result<Vec<Chosen>, NoAttack> {
    let images: Vec<Vec<f32>> = subjects.iter().map(|subject| subject.input.clone()).collect();
    let labels: Vec<usize> = subjects.iter().map(|subject| subject.label).collect();
    let (reading, norm) = (PaperReading::default(), Norm::Linf);
    let preparation =
        Preparation { victim, companions: &[], images: &images, labels: &labels, seed, reading, norm };
    let make = |entry: &MethodEntry| {
        let made = (entry.make)(&preparation).map_err(|source| NoAttack::Method(entry.name, source));
        Ok(Chosen { entry: *entry, method: made? })
    };
    entries.iter().map(make).collect()
}

/// All attacks, in the order of methods and images.
fn records(
    plan: &RunPlan<'_>,
    subjects: &[Subject],
    chosen: &[Chosen],
    threads: usize,
    budget: &Budget,
) -> Result<Vec<Record>, NoAttack> {
    let attacked = || subjects.iter().filter(|subject| subject.is_correct());
    let pairs: Vec<_> =
        chosen.iter().flat_map(|chosen| attacked().map(move |subject| (subject, chosen))).collect();
    let mut records = Vec::with_capacity(pairs.len());
    let note = |record| {
        records.push(record);
        Ok::<(), NoAttack>(())
    };
    plan.attack_all(&pairs, threads, budget, note)?;
    if budget.check().is_err() {
        return Err(NoAttack::Interrupted);
    }
    let place = |name: &str| chosen.iter().position(|chosen| chosen.entry.name == name);
    records.sort_by_key(|record| (place(&record.method), record.image));
    Ok(records)
}

fn figures(
    victim: &Victim,
    subjects: &[Subject],
    methods: &[MethodEntry],
    records: &[Record],
    threads: usize,
    budget: &Budget,
) -> String {
    let attacked: Vec<usize> =
        subjects.iter().filter(|subject| subject.is_correct()).map(|subject| subject.number).collect();
    let (layer, reader) = (FeatureLayer::penultimate(&victim.network), PictureReader::of_victim(victim));
    let of = "the network under attack";
    let features = Features::new(&victim.network, layer, reader, of, threads, budget);
    let summary = Summary::new(&Material {
        victim,
        subjects,
        attacked: &attacked,
        methods,
        records,
        features: &features,
        others: &[],
    });
    summary.figures().to_string()
}
