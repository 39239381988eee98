//! Strategies alone, several seeds each.

use std::collections::BTreeSet;

use counterpatch::problem::Problem;
use counterpatch::report::observer::Silent;
use counterpatch::search::{Candidate, Config, Ending, Judge, Judgement, falsify};

use crate::instances::Instance;
use crate::{cpu_seconds, within_cpu};

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

pub(crate) fn table(instances: &[Instance], seconds: f64, seeds: u64, names: &[&str]) {
    let total = instances.len();
    println!(
        "| strategy | found of {total}, by seed | in the union | CPU ms an instance | LPs | evaluations | missed |"
    );
    println!("|---|---|---|---|---|---|---|");
    for &name in names {
        let (mut counts, mut union) = (Vec::new(), BTreeSet::new());
        let (mut cpu, mut programs, mut evaluations) = (0.0, 0, 0);
        for seed in 0..seeds {
            let mut count = 0;
            for instance in instances {
                let config = Config { seed, threads: 1, only: vec![name.into()], ..Config::default() };
                let before = cpu_seconds();
                let judge = Both(&instance.problem);
                let summary = within_cpu(seconds, |budget| {
                    falsify(&instance.problem, &config, budget, &judge, &Silent)
                });
                cpu += cpu_seconds() - before;
                for strategy in &summary.strategies {
                    programs += strategy.tally.programs;
                    evaluations += strategy.tally.evaluations;
                }
                if summary.ending == Ending::Found {
                    count += 1;
                    union.insert(instance.name.clone());
                }
            }
            counts.push(count.to_string());
        }
        let missed: Vec<&str> =
            instances.iter().map(|i| i.name.as_str()).filter(|name| !union.contains(*name)).collect();
        let shown = if missed.len() > 4 { format!("{} instances", missed.len()) } else { missed.join(", ") };
        let runs = (total as u64 * seeds.max(1)).max(1);
        println!(
            "| {name} | {} | {} | {:.1} | {:.1} | {} | {shown} |",
            counts.join(" "),
            union.len(),
            1e3 * cpu / runs as f64,
            programs as f64 / runs as f64,
            evaluations / runs,
        );
    }
}
