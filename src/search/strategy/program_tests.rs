//! The programs of the strategies against enumeration of all phases, on random networks of up to 8 ReLUs.

use crate::budget::Budget;
use crate::lp::LinearProgram;
use crate::network::frozen::{Piece, piece};
use crate::network::layered::bounds::Ranges;
use crate::network::layered::{EdgeLayer, Edges, Layered};
use crate::network::op::UnaryFunction;
use crate::network::testing::{Spread, layered};
use crate::property::{Conjunction, Row, RowKind};
use crate::random::Random;
use crate::region::layers::pieces;
use crate::region::program::{RegionProgram, TurnableNeuron};
use crate::search::kernel::programs::Programs;
use crate::search::strategy::minorant::Minorant;
use crate::search::strategy::neighbourhood::{Neighbourhood, tighten};
use crate::search::strategy::target_propagation::{Here, PropagationStep};

struct Case {
    network: Layered,
    property: Conjunction,
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// A point of the box.
    x: Vec<f64>,
}

impl Case {
    fn new(widths: &[usize], activation: UnaryFunction, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let network = layered(widths, activation, Spread::normal(1.0), &mut random);
        let row = |outputs: Vec<(usize, f64)>| Row {
            inputs: vec![(0, 0.3)],
            outputs,
            bound: 0.5,
            kind: RowKind::AtMost,
        };
        let rows = vec![row(vec![(0, 1.0), (1, -0.5)]), row(vec![(1, 1.0)])];
        let x = (0..widths[0]).map(|_| random.normal().sin()).collect();
        let (lower, upper) = (vec![-1.0; widths[0]], vec![1.0; widths[0]]);
        Self { network, property: Conjunction { rows }, lower, upper, x }
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }

    fn ranges(&self) -> Ranges {
        Ranges::of_box(&self.network, &self.lower, &self.upper).unwrap()
    }

    fn margin(&self, x: &[f64]) -> f64 {
        self.property.margin(x, self.network.simulate(x).outputs())
    }

    fn neurons(&self) -> Vec<TurnableNeuron> {
        let hidden = self.network.layers.iter().enumerate().filter(|(_, l)| l.activation.is_some());
        hidden
            .flat_map(|(layer, l)| (0..l.edges.outputs()).map(move |index| TurnableNeuron { layer, index }))
            .collect()
    }

    /// The best margin in the region with these phases; `None` if it is empty.
    fn in_region(&self, pieces: &[Vec<Piece>]) -> Option<f64> {
        let model = RegionProgram::new(&self.network, pieces, &self.neurons(), &self.property, self.bounds());
        let (value, x) = solve(&model.program, &model.inputs)?;
        assert!((value - self.margin(&x)).abs() < 1e-6, "a region's program is exact");
        Some(value)
    }

    /// The best margin over the box, by enumeration.
    fn best(&self) -> f64 {
        let neurons = self.neurons();
        assert!(neurons.len() <= 8);
        let of_phases = |phases: usize| {
            let mut bits = 0..;
            let hidden = self.network.layers.iter().filter_map(|l| Some((l.activation?, l)));
            let pieces: Vec<Vec<Piece>> = hidden
                .map(|(function, l)| {
                    let mut side = || if phases >> bits.next().unwrap() & 1 == 1 { 1.0 } else { -1.0 };
                    (0..l.edges.outputs()).map(|_| piece(function, side()).unwrap()).collect()
                })
                .collect();
            self.in_region(&pieces)
        };
        (0..1 << neurons.len()).filter_map(of_phases).fold(f64::NEG_INFINITY, f64::max)
    }
}

fn solve(program: &LinearProgram, inputs: &[crate::lp::ColumnId]) -> Option<(f64, Vec<f64>)> {
    let budget = Budget::unlimited();
    let mut programs = Programs::new(&budget);
    let mixed = program.columns().iter().any(|column| column.integer);
    let (objective, values) = if mixed {
        let solution = programs.solve_within(1_000_000, program, None).ok()?.0;
        (solution.objective, solution.values)
    } else {
        let solution = programs.solve(program).ok()?;
        (solution.objective, solution.values)
    };
    Some((objective, inputs.iter().map(|column| values[column.index()]).collect()))
}

/// Cases of every shape, with ReLU and leaky ReLU.
fn cases(seeds: u64) -> impl Iterator<Item = Case> {
    let shapes: [&[usize]; 3] = [&[2, 8, 2], &[3, 4, 4, 2], &[2, 3, 2, 3, 2]];
    let functions = [UnaryFunction::Relu, UnaryFunction::LeakyRelu { alpha: 0.2 }];
    (0..seeds).flat_map(move |seed| {
        shapes.into_iter().flat_map(move |widths| functions.map(|f| Case::new(widths, f, seed)))
    })
}

#[test]
fn the_neighbourhood_finds_the_best_of_all_phases() {
    for case in cases(4) {
        let (best, ranges) = (case.best(), case.ranges());
        let model = Neighbourhood::new(&case.network, &case.property, case.bounds(), &ranges, f64::INFINITY);
        let (value, x) = solve(&model.program, &model.inputs).unwrap();
        assert!((value - best).abs() < 1e-5, "{value} {best}");
        assert!((case.margin(&x) - best).abs() < 1e-5);
        let enough = best - 0.5;
        let early = Neighbourhood::new(&case.network, &case.property, case.bounds(), &ranges, enough);
        let (value, x) = solve(&early.program, &early.inputs).unwrap();
        assert!((value - enough).abs() < 1e-6 && case.margin(&x) >= enough - 1e-5);
    }
}

#[test]
fn an_input_is_a_point_of_the_neighbourhood() {
    for case in cases(8) {
        let ranges = case.ranges();
        let model = Neighbourhood::new(&case.network, &case.property, case.bounds(), &ranges, f64::INFINITY);
        let point = model.point(&case.network, &case.property, &case.x);
        assert!(model.program.violation_at(&point) < 1e-7);
        assert!((model.program.objective_at(&point) - case.margin(&case.x)).abs() < 1e-9);
    }
}

/// `relu(x / w) − relu(x / w − 1)` rises from 0 to 1 within `w`: a sum that linear bounds see far too wide.
fn ramp(width: f64) -> Layered {
    let layer = |weights: Vec<f64>, bias: Vec<f64>, inputs, activation| EdgeLayer {
        edges: Edges { weights, bias, inputs },
        activation,
        shared: false,
    };
    let relu = Some(UnaryFunction::Relu);
    let first = layer(vec![1.0 / width, 1.0 / width], vec![0.0, -1.0], 1, relu);
    let second = layer(vec![1.0, -1.0, -2.0, 2.0], vec![0.0, 1.0], 2, relu);
    Layered { entry: None, layers: vec![first, second, layer(vec![1.0, 1.0], vec![0.0], 2, None)] }
}

#[test]
fn sums_behind_few_neurons_get_their_true_ends() {
    for width in [0.02, 0.1, 0.5] {
        let network = ramp(width);
        let mut ranges = Ranges::of_box(&network, &[-1.0], &[1.0]).unwrap();
        let loose = ranges.sums[1][0];
        let budget = Budget::unlimited();
        tighten(&network, (&[-1.0], &[1.0]), &mut ranges, &mut Programs::new(&budget));
        for (found, true_ends) in ranges.sums[1].iter().zip([(0.0, 1.0), (-1.0, 1.0)]) {
            assert!(
                (found.0 - true_ends.0).abs() < 1e-5 && (found.1 - true_ends.1).abs() < 1e-5,
                "{found:?}"
            );
        }
        assert!(loose.1 - loose.0 > 1.5, "the ramp is no test: {loose:?}");
    }
}

#[test]
fn tightened_ranges_hold_and_no_range_gets_wider() {
    for case in cases(3) {
        let loose = case.ranges();
        let mut ranges = loose.clone();
        let budget = Budget::unlimited();
        tighten(&case.network, case.bounds(), &mut ranges, &mut Programs::new(&budget));
        let mut random = Random::new(3);
        for _ in 0..200 {
            let x: Vec<f64> = case.x.iter().map(|_| random.between(-1.0, 1.0)).collect();
            let trace = case.network.simulate(&x);
            for (&(low, high), &z) in ranges.sums.iter().flatten().zip(trace.sums.iter().flatten()) {
                assert!(low <= z && z <= high);
            }
        }
        for (new, old) in ranges.sums.iter().flatten().zip(loose.sums.iter().flatten()) {
            assert!(new.0 >= old.0 && new.1 <= old.1);
        }
    }
}

#[test]
fn the_minorant_is_tight_below_the_margin_and_above_the_region() {
    let mut strictly_better = 0;
    for case in cases(8) {
        let ranges = case.ranges();
        let at = |bounds: (&[f64], &[f64])| {
            let model = Minorant::new(&case.network, &case.x, &case.property, bounds, &ranges);
            solve(&model.program, &model.inputs).unwrap()
        };
        let tight = at((&case.x, &case.x)).0;
        assert!((tight - case.margin(&case.x)).abs() < 1e-7, "tight at its point");
        let mut random = Random::new(7);
        for _ in 0..10 {
            let other: Vec<f64> = case.x.iter().map(|_| random.between(-1.0, 1.0)).collect();
            assert!(at((&other, &other)).0 <= case.margin(&other) + 1e-7, "below the margin everywhere");
        }
        let (value, x) = at(case.bounds());
        let region =
            case.in_region(&pieces(&case.network, &case.network.simulate(&case.x)).unwrap()).unwrap();
        assert!(value >= region - 1e-6, "dominates the region: {value} {region}");
        assert!(case.margin(&x) >= value - 1e-6, "a step ascends");
        strictly_better += usize::from(value > region + 1e-6);
    }
    assert!(strictly_better > 10, "{strictly_better}");
}

#[test]
fn a_step_bounds_the_best_from_the_first_layer_and_is_tight_at_its_point() {
    for case in cases(4) {
        let trace = case.network.simulate(&case.x);
        let pieces = pieces(&case.network, &trace).unwrap();
        let here = Here { input: &case.x, trace: &trace, pieces: &pieces };
        let step = |p, bounds: (&[f64], &[f64])| {
            let ranges = Ranges::of_box(&case.network, bounds.0, bounds.1).unwrap();
            let step = PropagationStep::new(&case.network, here, p, &case.property, bounds, &ranges).unwrap();
            solve(&step.program, &step.inputs).unwrap().0
        };
        assert!(step(0, case.bounds()) >= case.best() - 1e-6, "a relaxation of the whole network");
        for p in 0..case.network.depth() {
            let tight = step(p, (&case.x, &case.x));
            assert!((tight - case.margin(&case.x)).abs() < 1e-6, "layer {p}");
        }
    }
}

#[test]
fn across_a_blocking_facet_it_gets_no_worse() {
    let mut crossings = 0;
    for case in cases(4) {
        let mut region = pieces(&case.network, &case.network.simulate(&case.x)).unwrap();
        let mut seen = std::collections::HashSet::new();
        let neurons = case.neurons();
        let mut last = case.in_region(&region).unwrap();
        for _ in 0..20 {
            let model = RegionProgram::new(&case.network, &region, &neurons, &case.property, case.bounds());
            let budget = Budget::unlimited();
            let solution = Programs::new(&budget).solve(&model.program).unwrap();
            if !crate::search::strategy::facet_walk::cross(
                &case.network,
                &mut region,
                &neurons,
                &model,
                &solution,
                &mut seen,
            ) {
                break;
            }
            let next = case.in_region(&region).expect("the optimum lies on both sides of the facet");
            assert!(next >= last - 1e-6, "{next} after {last}");
            last = next;
            crossings += 1;
        }
    }
    assert!(crossings > 20, "{crossings}");
}
