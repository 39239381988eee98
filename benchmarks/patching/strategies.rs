//! Strategies alone, several seeds each. The first one named is the yardstick: of every other one the table also says
//! how many runs found a witness with no more evaluations and gradients than the yardstick spent on the same instance
//! with the same seed. Adam can be named too.

use std::collections::{BTreeMap, BTreeSet};

use counterpatch::budget::Budget;
use counterpatch::problem::Problem;
use counterpatch::search::observer::Silent;
use counterpatch::search::{Candidate, Config, Ending, Judge, Judgement, Tally, falsify};

use crate::instances::Instance;
use crate::{adam, cpu_seconds, within_cpu};

/// Confirms what plain evaluation confirms both in single and in double precision.
struct Both<'p>(&'p Problem<f32>);

impl Judge<f32> for Both<'_> {
    fn judge(&self, candidate: &Candidate<f32>) -> Judgement {
        let x: Vec<f64> = candidate.input.iter().map(|&x| f64::from(x)).collect();
        let double = self.0.double().evaluate(&x);
        let single: Vec<f64> = self.0.network.evaluate(&candidate.input).into_iter().map(f64::from).collect();
        let holds = (0..self.0.property.region_count()).any(|index| {
            self.0.property.region(index).is_ok_and(|region| {
                let ends = region.lower.iter().zip(&region.upper);
                let inside = x.iter().zip(ends).all(|(x, (l, u))| l <= x && x <= u);
                inside && region.conjunctions.iter().any(|c| c.holds(&x, &double) && c.holds(&x, &single))
            })
        });
        if holds { Judgement::Confirmed } else { Judgement::Rejected }
    }
}

/// One run of a strategy, or of Adam: whether it found a witness, and what it spent.
fn run(problem: &Problem<f32>, name: &str, seed: u64, budget: &Budget) -> (bool, Tally) {
    let judge = Both(problem);
    if name == "adam" {
        return adam::search(problem, seed, budget, &judge).unwrap_or_default();
    }
    let config = Config { seed, threads: 1, only: vec![name.into()], ..Config::default() };
    let summary = falsify(problem, &config, budget, &judge, &Silent);
    let mut tally = Tally::default();
    summary.strategies.iter().for_each(|strategy| tally += strategy.tally);
    (summary.ending == Ending::Found, tally)
}

pub(crate) fn table(instances: &[Instance], seconds: f64, seeds: u64, names: &[&str]) {
    let total = instances.len();
    println!(
        "| strategy | found of {total}, by seed | in the union | runs within the first's evaluations | CPU ms an instance | LPs | evaluations | missed |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut yardstick = BTreeMap::new();
    for (number, &name) in names.iter().enumerate() {
        let (mut counts, mut union, mut within) = (Vec::new(), BTreeSet::new(), 0);
        let (mut cpu, mut programs, mut evaluations) = (0.0, 0, 0);
        for seed in 0..seeds {
            let mut count = 0;
            for instance in instances {
                let before = cpu_seconds();
                let (found, tally) = within_cpu(seconds, |budget| run(&instance.problem, name, seed, budget));
                cpu += cpu_seconds() - before;
                programs += tally.programs;
                evaluations += tally.evaluations;
                let spent = tally.evaluations + tally.gradients;
                let key = (instance.name.clone(), seed);
                let allowed = *yardstick.entry(key).or_insert(spent);
                if found {
                    count += 1;
                    within += u64::from(number > 0 && spent <= allowed);
                    union.insert(instance.name.clone());
                }
            }
            counts.push(count.to_string());
        }
        let missed: Vec<&str> =
            instances.iter().map(|i| i.name.as_str()).filter(|name| !union.contains(*name)).collect();
        let shown = if missed.len() > 4 { format!("{} instances", missed.len()) } else { missed.join(", ") };
        let runs = (total as u64 * seeds.max(1)).max(1);
        let within = if number > 0 { format!("{within} of {runs}") } else { "-".into() };
        println!(
            "| {name} | {} | {} | {within} | {:.1} | {:.1} | {} | {shown} |",
            counts.join(" "),
            union.len(),
            1e3 * cpu / runs as f64,
            programs as f64 / runs as f64,
            evaluations / runs,
        );
    }
}
