//! The paper's method in every reading, from the centre of the box and from sampled points.

use std::collections::BTreeMap;
use std::time::Duration;

use counterpatch::budget::Budget;
use counterpatch::network::layered::Layered;
use counterpatch::network::layered::bounds::Ranges;
use counterpatch::property::Region;
use counterpatch::random::Random;
use counterpatch::search::kernel::programs::{Obstacle, Programs};
use counterpatch::search::strategy::patch::journey::{self, JourneyFailure, readings};
use counterpatch::search::strategy::patch::pullback::Start;
use counterpatch::search::strategy::patch::reading::{PaperReading, PhaseTreatment};

use crate::cpu_seconds;
use crate::instances::Instance;

/// Sampled starts beside the centre.
pub(crate) const SAMPLES: usize = 5;
/// Time for one reading from one start.
const PATIENCE: Duration = Duration::from_secs(20);
/// Points that the ranges of a class are learnt from.
const CLASS_POINTS: usize = 200;

/// What one reading came to, over all starts of all instances.
#[derive(Default)]
struct Sum {
    instances: usize,
    inputs: usize,
    already: usize,
    starts: usize,
    missed: usize,
    failures: BTreeMap<String, usize>,
    programs: u64,
    seconds: f64,
}

pub(crate) fn table(instances: &[Instance], samples: usize, wanted: &[&str]) {
    let mut names: Vec<&'static str> = Vec::new();
    let mut sums: BTreeMap<&'static str, Sum> = BTreeMap::new();
    for instance in instances {
        let network = match Layered::new(instance.problem.double()) {
            Ok(network) => network,
            Err(reason) => {
                eprintln!("{}: {reason}", instance.name);
                continue;
            }
        };
        let mut found: BTreeMap<&'static str, bool> = BTreeMap::new();
        for index in 0..instance.problem.property.region_count() {
            let Ok(region) = instance.problem.property.region(index) else { continue };
            for start in starts(&network, &region, samples) {
                let wanted = |name: &str| wanted.is_empty() || wanted.contains(&name);
                for (name, reading) in readings().into_iter().filter(|(name, _)| wanted(name)) {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                    let sum = sums.entry(name).or_default();
                    *found.entry(name).or_default() |= run(&reading, &network, &region, &start, sum);
                }
            }
        }
        for (name, found) in found {
            sums.entry(name).or_default().instances += usize::from(found);
        }
        eprintln!("{}", instance.name);
    }
    print(&names, &sums, instances.len());
}

/// A point, and what the neurons do on the samples of its class and can do over the box.
struct Place {
    point: Vec<f64>,
    class: Option<Ranges>,
    of_box: Option<Ranges>,
}

fn starts(network: &Layered, region: &Region, samples: usize) -> Vec<Place> {
    let mut random = Random::new(0);
    let mut sample = || -> Vec<f64> {
        region.lower.iter().zip(&region.upper).map(|(&l, &u)| random.between(l, u).clamp(l, u)).collect()
    };
    let centre = region.lower.iter().zip(&region.upper).map(|(l, u)| (l + u) / 2.0).collect();
    let points: Vec<Vec<f64>> = std::iter::once(centre).chain((0..samples).map(|_| sample())).collect();
    let of_box = Ranges::of_box(network, &region.lower, &region.upper);
    let mut classes: BTreeMap<usize, Ranges> = BTreeMap::new();
    for _ in 0..CLASS_POINTS {
        let point = sample();
        let trace = network.simulate(&point);
        let class = classes.entry(nearest(region, &point, trace.outputs()));
        class.or_insert_with(|| Ranges::at(&trace)).include(&trace);
    }
    let place = |point: Vec<f64>| {
        let class = nearest(region, &point, network.simulate(&point).outputs());
        Place { class: classes.get(&class).cloned(), of_box: of_box.clone(), point }
    };
    points.into_iter().map(place).collect()
}

fn nearest(region: &Region, x: &[f64], y: &[f64]) -> usize {
    let margins = region.conjunctions.iter().map(|conjunction| conjunction.margin(x, y));
    margins.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
}

fn run(reading: &PaperReading, network: &Layered, region: &Region, place: &Place, sum: &mut Sum) -> bool {
    let x = place.point.as_slice();
    sum.starts += 1;
    let outputs = network.simulate(x).outputs().to_vec();
    if region.conjunctions.iter().any(|conjunction| conjunction.holds(x, &outputs)) {
        sum.already += 1;
        return false;
    }
    let budget = Budget::unlimited().slice(PATIENCE);
    let mut programs = Programs::new(&budget);
    let before = cpu_seconds();
    let start = Start { input: x, lower: &region.lower, upper: &region.upper };
    let conjunction = &region.conjunctions[nearest(region, x, &outputs)];
    let ranges = match reading.phases {
        PhaseTreatment::Approximated => place.class.as_ref(),
        PhaseTreatment::ApproximatedBox => place.of_box.as_ref(),
        PhaseTreatment::Free | PhaseTreatment::Held | PhaseTreatment::Monotone | PhaseTreatment::Tangent => {
            None
        }
    };
    let outcome = journey::run(reading, network, start, conjunction, ranges, &mut programs);
    sum.seconds += cpu_seconds() - before;
    sum.programs += programs.solved;
    match outcome {
        Ok(input) => {
            let outputs = network.simulate(&input).outputs().to_vec();
            let holds = region.conjunctions.iter().any(|conjunction| conjunction.holds(&input, &outputs));
            sum.inputs += usize::from(holds);
            sum.missed += usize::from(!holds);
            holds
        }
        Err(failure) => {
            *sum.failures.entry(stage(&failure)).or_default() += 1;
            false
        }
    }
}

fn stage(failure: &JourneyFailure) -> String {
    let reason = |obstacle: &Obstacle| match obstacle {
        Obstacle::Infeasible => String::new(),
        other => format!(" ({other})"),
    };
    match failure {
        JourneyFailure::Stuck(stuck) => format!("layer {}{}", stuck.layer + 1, reason(&stuck.obstacle)),
        JourneyFailure::Pullback(obstacle) => format!("mod2adv{}", reason(obstacle)),
        JourneyFailure::Over | JourneyFailure::Elsewhere => "the end of its shots".to_owned(),
    }
}

fn print(names: &[&str], sums: &BTreeMap<&str, Sum>, instances: usize) {
    println!(
        "| reading | instances of {instances} | starts | found | no answer at | found no witness | LPs | CPU s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for name in names {
        let Some(sum) = sums.get(name) else { continue };
        let failures: Vec<String> =
            sum.failures.iter().map(|(stage, count)| format!("{stage}: {count}")).collect();
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {:.1} |",
            sum.instances,
            sum.starts - sum.already,
            sum.inputs,
            failures.join(", "),
            sum.missed,
            sum.programs,
            sum.seconds
        );
    }
}
