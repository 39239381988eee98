//! One ascent from the centre of each box: marked minorants against region programs, without any sampling.

use counterpatch::budget::Budget;
use counterpatch::network::layered::Layered;
use counterpatch::network::layered::bounds::Ranges;
use counterpatch::property::Region;
use counterpatch::search::kernel::programs::Programs;
use counterpatch::search::strategy::minorant::Minorant;

use crate::cpu_seconds;
use crate::instances::Instance;

/// Programs from one centre and conjunction.
const MOST_STEPS: usize = 20;

pub(crate) fn table(instances: &[Instance]) {
    let budget = Budget::unlimited();
    let mut programs = Programs::new(&budget);
    let before = cpu_seconds();
    let mut found = 0;
    for instance in instances {
        let Ok(network) = Layered::new(instance.problem.double()) else { continue };
        let count = instance.problem.property.region_count();
        let holds = (0..count).filter_map(|index| instance.problem.property.region(index).ok());
        found += usize::from(holds.into_iter().any(|region| ascend(&network, &region, &mut programs)));
    }
    println!("| from the centre alone | instances | found | LPs | CPU s |");
    println!("|---|---|---|---|---|");
    println!(
        "| marked minorant | {} | {found} | {} | {:.2} |",
        instances.len(),
        programs.solved,
        cpu_seconds() - before
    );
}

/// Steps from optimum to optimum of the minorants, for each conjunction; no ray.
fn ascend(network: &Layered, region: &Region, programs: &mut Programs<'_>) -> bool {
    let Some(ranges) = Ranges::of_box(network, &region.lower, &region.upper) else { return false };
    let centre: Vec<f64> = region.lower.iter().zip(&region.upper).map(|(l, u)| (l + u) / 2.0).collect();
    region.conjunctions.iter().any(|conjunction| {
        let mut here = centre.clone();
        let mut margin = f64::NEG_INFINITY;
        for _ in 0..MOST_STEPS {
            let now = conjunction.margin(&here, network.simulate(&here).outputs());
            if conjunction.holds(&here, network.simulate(&here).outputs()) {
                return true;
            }
            if now <= margin + 1e-7 * (1.0 + now.abs()) {
                return false;
            }
            margin = now;
            let model = Minorant::new(network, &here, conjunction, (&region.lower, &region.upper), &ranges);
            let Ok(solution) = programs.solve(&model.program) else { return false };
            let value = |(i, column): (usize, &counterpatch::lp::ColumnId)| {
                solution.values[column.index()].clamp(region.lower[i], region.upper[i])
            };
            here = model.inputs.iter().enumerate().map(value).collect();
        }
        false
    })
}
