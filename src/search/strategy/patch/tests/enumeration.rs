//! Plain twins: one program for each choice of all phases behind the change, written out densely with one unknown an
//! edge; one program for each set of inputs that may move.

use super::*;
use crate::budget::Budget;
use crate::lp::LinearProgram;
use crate::network::layered::bounds::Ranges;
use crate::patching::{ChangeNorm, Demand, Goal, Layer};
use crate::search::kernel::programs::{Obstacle, Programs};
use crate::search::strategy::patch::journey;
use crate::search::strategy::patch::marking::{Mark, Marking};
use crate::search::strategy::patch::pullback::{PullbackObjective, Start, Strictness, mod2adv};
use crate::search::strategy::patch::reading::{LayerOrder, PaperReading, PhaseTreatment, Shots};
use crate::search::strategy::patch::targets::Targets;
use crate::search::strategy::patch::{Site, Stage, modify_edge_layer};

/// Rows `constant + Σ coefficient · ε` for a layer's values: the last entry of each is the constant.
type Affine = Vec<Vec<f64>>;

/// One case: a change of layer `p` of a network at an input.
struct Case {
    network: Layered,
    input: Vec<f64>,
    property: Conjunction,
    p: usize,
}

impl Case {
    fn new(widths: &[usize], p: usize, seed: u64) -> Self {
        let network = random_network(widths, seed);
        let mut random = Random::new(seed).fork(1);
        let input: Vec<f64> = (0..widths[0]).map(|_| random.normal()).collect();
        let outputs = network.simulate(&input).outputs().to_vec();
        // Not satisfied at the input: output 0 has to fall by 0.5 and output 1 to stay or fall.
        let property =
            conjunction(vec![at_most(&[(0, 1.0)], outputs[0] - 0.5), at_most(&[(1, 1.0)], outputs[1])]);
        Self { network, input, property, p }
    }

    fn solve(&self, reading: &PaperReading, ranges: Option<&Ranges>) -> Result<f64, Obstacle> {
        let trace = self.network.simulate(&self.input);
        let marks = reading.marks.mark(&self.network, &trace, &self.property);
        let (property, input, p) = (&self.property, self.input.as_slice(), self.p);
        let site = Site { network: &self.network, input, trace: &trace, property, ranges };
        let layers: Vec<Layer<'_>> = self.network.layers[p..].iter().map(Layer::from).collect();
        let demands = [Demand::of(property, input)];
        let goal = Goal::Demands(&demands, reading.margin);
        let stage = Stage { site, layers: &layers, p, goal, marks: &marks[p] };
        let budget = Budget::unlimited();
        let patch = modify_edge_layer(&stage, reading, &mut Programs::new(&budget))?;
        if ranges.is_none() {
            let mut layer = self.network.layers[p].clone();
            for change in &patch.changes {
                layer.edges.weights[change.target * layer.edges.inputs + change.source] += change.by;
            }
            self.simulate_patched(&layer, reading.margin);
        }
        Ok(reading.objective.of(&[patch]))
    }

    /// With its phases enforced, a patch has to work in the real network.
    fn simulate_patched(&self, layer: &EdgeLayer, margin: f64) {
        let mut patched = self.network.clone();
        patched.layers[self.p] = layer.clone();
        let outputs = patched.simulate(&self.input).outputs().to_vec();
        assert!(self.property.margin(&self.input, &outputs) >= margin - 1e-6, "{outputs:?}");
    }

    /// Neurons behind the change that have phases.
    fn neurons(&self) -> usize {
        let layers = &self.network.layers;
        layers[self.p..layers.len() - 1].iter().map(|layer| layer.edges.outputs()).sum()
    }

    /// The phases at the input, as a number.
    fn held(&self) -> usize {
        let trace = self.network.simulate(&self.input);
        let sums = trace.sums[self.p..trace.sums.len() - 1].iter().flatten();
        sums.enumerate().filter(|(_, z)| **z > 0.0).map(|(bit, _)| 1 << bit).sum()
    }

    /// The smallest change for one choice of phases; `None` if there is none.
    fn twin(&self, rules: &PaperReading, phases: usize) -> Option<f64> {
        let trace = self.network.simulate(&self.input);
        let marks = rules.marks.mark(&self.network, &trace, &self.property);
        let sources = trace.into_layer(self.p);
        let layer = &self.network.layers[self.p];
        let per_target = sources.len();
        let unknowns = layer.edges.outputs() * per_target;
        let mut program = LinearProgram::minimise();
        let largest = (rules.objective == ChangeNorm::Largest).then(|| program.column(0.0, rules.alpha, 1.0));
        let mut sums: Affine = Vec::new();
        let mut columns = Vec::new();
        for (target, &now) in trace.sums[self.p].iter().enumerate() {
            let mut sum = vec![0.0; unknowns + 1];
            sum[unknowns] = now;
            for edge in 0..per_target {
                let h = sources[edge];
                let up = marks[self.p][target].may_rise() && h > 0.0
                    || marks[self.p][target].may_fall() && h < 0.0;
                let down = marks[self.p][target].may_fall() && h > 0.0
                    || marks[self.p][target].may_rise() && h < 0.0;
                let end = |allowed| if allowed { rules.alpha } else { 0.0 };
                let cost = if largest.is_none() { 1.0 } else { 0.0 };
                let ways = (program.column(0.0, end(up), cost), program.column(0.0, end(down), cost));
                if let Some(largest) = largest {
                    program.at_most([(ways.0, 1.0), (ways.1, 1.0), (largest, -1.0)], 0.0);
                }
                sum[columns.len()] = h;
                columns.push(ways);
            }
            sums.push(sum);
        }
        let mut add = |row: &[f64], low: f64, high: f64| {
            let pairs = row.iter().zip(&columns);
            let terms: Vec<_> = pairs.flat_map(|(&c, &(up, down))| [(up, c), (down, -c)]).collect();
            program.row(low - row[unknowns], terms, high - row[unknowns]);
        };
        let mut bit = 0;
        for at in self.p..self.network.depth() - 1 {
            for sum in &mut sums {
                let active = phases >> bit & 1 == 1;
                let (low, high) = if active { (0.0, f64::INFINITY) } else { (f64::NEG_INFINITY, 0.0) };
                add(sum, low, high);
                if !active {
                    sum.fill(0.0);
                }
                bit += 1;
            }
            let next = &self.network.layers[at + 1].edges;
            sums = (0..next.outputs())
                .map(|o| {
                    let mut row: Vec<f64> = (0..=unknowns)
                        .map(|k| next.row(o).iter().zip(&sums).map(|(w, sum)| w * sum[k]).sum())
                        .collect();
                    row[unknowns] += next.bias[o];
                    row
                })
                .collect();
        }
        for row in &self.property.rows {
            add(&sums[row.outputs[0].0], f64::NEG_INFINITY, row.bound - rules.margin);
        }
        let budget = Budget::unlimited();
        Programs::new(&budget).solve(&program).ok().map(|solution| solution.objective)
    }
}

fn all_readings(phases: PhaseTreatment) -> Vec<PaperReading> {
    let mut all = Vec::new();
    for objective in [ChangeNorm::Total, ChangeNorm::Largest] {
        for marks in [Marking::Off, Marking::Paths, Marking::Gradient] {
            for alpha in [f64::INFINITY, 0.6] {
                all.push(PaperReading {
                    phases,
                    objective,
                    marks,
                    alpha,
                    margin: 0.1,
                    proof: 100_000,
                    ..PaperReading::default()
                });
            }
        }
    }
    all
}

/// The change of a layer against the twin's, over the choices of phases that the reading allows.
fn check(phases: PhaseTreatment, seeds: u64) {
    let (mut solved, mut infeasible) = (0, 0);
    for seed in 0..seeds {
        for (widths, p) in [(&[3, 4, 4, 2][..], 1), (&[3, 3, 2, 2], 0), (&[2, 2, 3, 3, 2], 2), (&[4, 2], 0)] {
            let case = Case::new(widths, p, seed);
            assert!(case.neurons() <= 8);
            if case.network.simulate(&case.input).into_layer(p).iter().all(|&h| h == 0.0) {
                // No weight does anything there, and the method takes biases, which the twin does not have.
                continue;
            }
            for reading in all_readings(phases) {
                let allowed = match phases {
                    PhaseTreatment::Held => case.held()..case.held() + 1,
                    _ => 0..1 << case.neurons(),
                };
                let twin = allowed.filter_map(|phases| case.twin(&reading, phases)).reduce(f64::min);
                match (case.solve(&reading, None), twin) {
                    (Ok(ours), Some(twin)) => {
                        assert!(
                            (ours - twin).abs() < 1e-5 * (1.0 + twin),
                            "{ours} {twin}: {widths:?}, seed {seed}, {reading}"
                        );
                        solved += 1;
                    }
                    (Err(Obstacle::Infeasible), None) => infeasible += 1,
                    other => panic!("{other:?} with seed {seed}, {widths:?} and {reading}"),
                }
            }
        }
    }
    assert!(solved > 50 && infeasible > 20, "{solved} solved, {infeasible} infeasible");
}

#[test]
fn the_change_of_a_layer_is_the_best_for_its_phases() {
    check(PhaseTreatment::Held, 12);
}

#[test]
fn with_free_phases_the_change_of_a_layer_is_the_best_of_all_phases() {
    check(PhaseTreatment::Free, 6);
}

#[test]
fn what_is_found_without_a_proof_works_and_is_never_better_than_the_best() {
    let (mut found, mut missed) = (0, 0);
    for seed in 0..20 {
        let case = Case::new(&[3, 4, 4, 2], 0, seed);
        let reading = PaperReading { margin: 0.1, ..PaperReading::default() };
        let best = (0..1 << case.neurons()).filter_map(|phases| case.twin(&reading, phases)).reduce(f64::min);
        if let Ok(ours) = case.solve(&reading, None) {
            assert!(ours >= best.unwrap() - 1e-6);
            found += 1;
        } else {
            missed += usize::from(best.is_some());
        }
    }
    assert!(found > 10 && missed <= 2, "{found} found, {missed} missed");
}

#[test]
fn no_choice_of_phases_beats_the_approximation_and_held_phases_beat_none() {
    for seed in 0..10 {
        let case = Case::new(&[3, 4, 4, 2], 0, seed);
        let of = |phases| PaperReading { phases, margin: 0.1, proof: 100_000, ..PaperReading::default() };
        // Wide enough to hold whatever the best patch does.
        let wide = case.network.layers.iter().map(|l| vec![(-1e3, 1e3); l.edges.outputs()]).collect();
        let ranges = Ranges { sums: wide };
        let size = |phases, ranges| case.solve(&of(phases), ranges).unwrap_or(f64::INFINITY);
        let relaxed = size(PhaseTreatment::Approximated, Some(&ranges));
        let free = size(PhaseTreatment::Free, None);
        let (held, monotone) = (size(PhaseTreatment::Held, None), size(PhaseTreatment::Monotone, None));
        assert!(relaxed <= free + 1e-6, "{relaxed} {free}");
        assert!(free <= held + 1e-6 && held <= monotone + 1e-6, "{free} {held} {monotone}");
    }
}

#[test]
fn the_fewest_inputs_are_those_of_the_smallest_set_that_may_move() {
    let budget = Budget::unlimited();
    let mut feasible = 0;
    for seed in 0..30 {
        let network = random_network(&[6, 3, 2], seed);
        let mut random = Random::new(seed).fork(2);
        let draw = |random: &mut Random| (0..6).map(|_| random.unit()).collect::<Vec<f64>>();
        let (input, other) = (draw(&mut random), draw(&mut random));
        let edges = network.first_edges();
        let wish: Vec<(f64, f64)> = edges.apply(&other).iter().map(|&z| (z - 0.3, z + 0.3)).collect();
        let (lower, upper) = ([0.0; 6], [1.0; 6]);
        let run = |aim, lower: &[f64], upper: &[f64]| {
            let start = Start { input: &input, lower, upper };
            mod2adv(edges, &wish, start, aim, Strictness::Strict, &mut Programs::new(&budget)).ok()
        };
        let moved = |x: &[f64]| x.iter().zip(&input).filter(|(a, b)| (*a - *b).abs() > 1e-9).count();
        let Some(fewest) = run(PullbackObjective::FewestInputs, &lower, &upper) else { continue };
        feasible += 1;
        let sets = (0..64usize).filter(|set| {
            let end = |i: usize, end: f64| if set >> i & 1 == 1 { end } else { input[i] };
            let lower: Vec<f64> = (0..6).map(|i| end(i, 0.0)).collect();
            let upper: Vec<f64> = (0..6).map(|i| end(i, 1.0)).collect();
            edges.apply(&input).iter().zip(&wish).all(|(z, (a, b))| a <= z && z <= b)
                || run(PullbackObjective::LeastTotal, &lower, &upper).is_some()
        });
        let smallest = sets.map(|set| set.count_ones() as usize).min().unwrap();
        assert_eq!(moved(&fewest), smallest);

        let size = |x: &[f64]| x.iter().zip(&input).map(|(a, b)| (a - b).abs()).collect::<Vec<f64>>();
        let sum = |x: &[f64]| size(x).iter().sum::<f64>();
        let most = |x: &[f64]| size(x).into_iter().fold(0.0, f64::max);
        let (total, largest) = (
            run(PullbackObjective::LeastTotal, &lower, &upper).unwrap(),
            run(PullbackObjective::LeastLargest, &lower, &upper).unwrap(),
        );
        for x in [&fewest, &total, &largest] {
            let sums = edges.apply(x);
            assert!(sums.iter().zip(&wish).all(|(z, (a, b))| a - 1e-6 <= *z && *z <= b + 1e-6));
            assert!(sum(&total) <= sum(x) + 1e-6 && most(&largest) <= most(x) + 1e-6);
        }
        let start = Start { input: &input, lower: &lower, upper: &upper };
        let mut programs = Programs::new(&budget);
        let elastic = mod2adv(
            edges,
            &wish,
            start,
            PullbackObjective::LeastTotal,
            Strictness::Elastic(1e3),
            &mut programs,
        )
        .unwrap();
        assert!((sum(&elastic) - sum(&total)).abs() < 1e-6, "an elastic wish is met where it can be");
    }
    assert!(feasible > 10, "{feasible}");
}

#[test]
fn an_elastic_wish_is_missed_as_little_as_can_be() {
    let network = relu_network(&[&[&[1.0, 1.0], &[1.0, -1.0]], &[&[1.0, 1.0]]]);
    let start = Start { input: &[0.5, 0.5], lower: &[0.0; 2], upper: &[1.0; 2] };
    let budget = Budget::unlimited();
    let run = |wish| {
        let targets = [(3.0, 3.0), (0.0, 0.0)];
        let mut programs = Programs::new(&budget);
        mod2adv(network.first_edges(), &targets, start, PullbackObjective::LeastTotal, wish, &mut programs)
    };
    assert_eq!(run(Strictness::Strict), Err(Obstacle::Infeasible));
    assert_close(&run(Strictness::Elastic(100.0)).unwrap(), &[1.0, 1.0]);
}

#[test]
fn without_neutral_neurons_marked_targets_keep_what_the_patch_promised() {
    let budget = Budget::unlimited();
    let mut successes = 0;
    for seed in 0..40 {
        let mut network = random_network(&[4, 3, 3, 3, 1], seed);
        // One output and weights of one sign in each layer leave no two paths that disagree.
        for (at, layer) in network.layers.iter_mut().enumerate().skip(1) {
            let sign = if (seed as usize + at).is_multiple_of(2) { 1.0 } else { -1.0 };
            layer.edges.weights.iter_mut().for_each(|w| *w = sign * w.abs());
        }
        let input = vec![0.5; 4];
        let outputs = network.simulate(&input).outputs().to_vec();
        let property = conjunction(vec![at_most(&[(0, 1.0)], outputs[0] - 0.05)]);
        let trace = network.simulate(&input);
        let marks = Marking::Paths.mark(&network, &trace, &property);
        assert!(marks.iter().flatten().all(|mark| *mark != Mark::Neutral));
        let start = Start { input: &input, lower: &[0.0; 4], upper: &[1.0; 4] };
        let (phases, order, shots) = (PhaseTreatment::Held, LayerOrder::MiddleFirst, Shots::Once);
        let (marks, targets) = (Marking::Paths, Targets::Marked);
        let marked = PaperReading { phases, order, shots, marks, targets, ..PaperReading::default() };
        let mut programs = Programs::new(&budget);
        if let Ok(found) = journey::run(&marked, &network, start, &property, None, &mut programs) {
            let outputs = network.simulate(&found).outputs().to_vec();
            assert!(property.margin(&found, &outputs) > 0.0, "seed {seed}: {outputs:?}");
            successes += 1;
        }
    }
    assert!(successes > 5, "{successes}");
}

#[test]
fn an_input_that_meets_a_patch_with_exact_phases_violates_the_property() {
    let budget = Budget::unlimited();
    let mut met = 0;
    for seed in 0..40 {
        let network = random_network(&[8, 4, 4, 2], seed);
        let input = vec![0.5; 8];
        let outputs = network.simulate(&input).outputs().to_vec();
        let property = conjunction(vec![at_most(&[(0, 1.0)], outputs[0] - 0.5)]);
        let start = Start { input: &input, lower: &[0.0; 8], upper: &[1.0; 8] };
        for (order, targets) in [
            (LayerOrder::Direct, Targets::Exact),
            (LayerOrder::Direct, Targets::Rectified),
            (LayerOrder::MiddleFirst, Targets::Rectified),
        ] {
            let reading = PaperReading { order, targets, shots: Shots::Once, ..PaperReading::default() };
            let found = journey::run(&reading, &network, start, &property, None, &mut Programs::new(&budget));
            if let Ok(found) = found {
                let outputs = network.simulate(&found).outputs().to_vec();
                assert!(property.margin(&found, &outputs) > 0.0, "seed {seed}, {reading}: {outputs:?}");
                met += 1;
            }
        }
    }
    assert!(met > 30, "{met}");
}
