//! Tries to prove `certificate` wrong: random networks that are hard on floats, a goal near what they reach, and a judge that
//! computes them in many permitted ways. Makes the tables of `benchmarks/verdicts.md`.
//!
//!     cargo run --release --example verdicts -- networks 10000 SEED
//!     cargo run --release --example verdicts -- mutants 1000 SEED

mod judge;
mod mutants;
mod networks;

use std::error::Error;
use std::sync::Arc;

use counterpatch::certificate::door::Door;
use counterpatch::certificate::{Certificate, Mending, Token};
use counterpatch::onnx::{ElementType, Model};
use counterpatch::random::Random;
use counterpatch::reference::Precision;
use vnnlib::Query;

use judge::Judge;
use networks::{Maker, in_type};

/// Points that show what a network reaches, and points that judge a proof.
const LOOK: usize = 24;
const JUDGE: usize = 120;

/// A network with a box and a goal.
pub(crate) struct Case {
    model: Arc<Model>,
    judge: Judge,
    ranges: Vec<(f64, f64)>,
    query: Query,
    text: String,
    points: Vec<Vec<f64>>,
    outputs: usize,
}

impl Case {
    /// A case, if the network computes numbers at all.
    pub(crate) fn new(random: &mut Random) -> Option<Self> {
        let (model, inputs) = Maker::network(random);
        let judge = Judge::new(&model)?;
        let element = model.graph.inputs[0].element;
        let scale = [1.0, 1.0, 10.0, 1e-3, 1e4][random.below(5)];
        let width = [0.0, 1e-7, 1e-3, 1.0, 4.0][random.below(5)];
        let ranges: Vec<(f64, f64)> = (0..inputs).map(|_| range(element, scale, width, random)).collect();
        let points: Vec<Vec<f64>> = (0..LOOK).map(|_| judge::point(element, &ranges, random)).collect();
        let reached: Vec<Vec<f64>> =
            points.iter().map(|p| judge.plain(p, Precision::Model)).collect::<Option<_>>()?;
        let outputs = reached[0].len();
        let goal = goal(element, &reached, &ranges, random)?;
        let text = text(&ranges, outputs, &goal);
        let query = vnnlib::parse(text.clone()).ok()?;
        Some(Self { model, judge, ranges, query, text, points, outputs })
    }

    fn holds(&self, point: &[f64], outputs: &[f64]) -> bool {
        self.query.holds([point.to_vec(), outputs.to_vec()].as_slice()).unwrap_or(false)
    }

    /// Outputs at a point in some permitted computations.
    fn computations(&self, point: &[f64], orders: usize, random: &mut Random) -> Vec<Vec<f64>> {
        let plain = [Precision::Model, Precision::Fused].map(|precision| self.judge.plain(point, precision));
        let permuted = (0..orders).map(|_| self.judge.permuted(point, random));
        plain.into_iter().chain(permuted.collect::<Vec<_>>()).flatten().collect()
    }

    /// A point at which some permitted computation satisfies the query.
    pub(crate) fn counterexample(&self, random: &mut Random) -> Option<(Vec<f64>, Vec<f64>)> {
        let element = self.model.graph.inputs[0].element;
        let fresh: Vec<Vec<f64>> = (0..JUDGE).map(|_| judge::point(element, &self.ranges, random)).collect();
        let found = |point: &Vec<f64>| {
            let outputs = self.computations(point, 2, random).into_iter().find(|y| self.holds(point, y))?;
            Some((point.clone(), outputs))
        };
        self.points.iter().chain(&fresh).find_map(found)
    }
}

fn range(element: ElementType, scale: f64, width: f64, random: &mut Random) -> (f64, f64) {
    let centre = match random.below(3) {
        0 => 0.0,
        1 => (random.below(9) as f64 - 4.0) * scale,
        _ => scale * random.normal(),
    };
    let (low, high) = (in_type(element, centre), in_type(element, centre + width * scale.min(1e3)));
    if random.below(4) == 0 {
        (-high.abs(), low.abs().max(high.abs()))
    } else {
        (low.min(high), high.max(low))
    }
}

/// A goal at, just beside, or a little beyond the largest value that was seen.
fn goal(
    element: ElementType,
    reached: &[Vec<f64>],
    ranges: &[(f64, f64)],
    random: &mut Random,
) -> Option<String> {
    let outputs = reached[0].len();
    let (i, j) = (random.below(outputs), random.below(outputs));
    let pair = outputs > 1 && i != j && random.below(3) == 0;
    let value = |y: &Vec<f64>| if pair { y[i] - y[j] } else { y[i] };
    let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
    let values = reached.iter().map(|y| sign * value(y));
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    let least = values.fold(f64::INFINITY, f64::min);
    if !most.is_finite() || !least.is_finite() {
        return None;
    }
    let unit = if element == ElementType::Float64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let beyond = match random.below(8) {
        0 => 0.0,
        1 => unit * most.abs(),
        2 => -unit * most.abs(),
        3 => 8.0 * unit * most.abs() + 1e-45,
        4 => 1e-5 * most.abs() + 1e-6,
        5 => 0.01 * (most - least) + 1e-4 * most.abs(),
        6 => (most - least) + 0.1 * most.abs() + 1e-3,
        _ => 10.0 * (most - least) + most.abs() + 1.0,
    };
    let limit = sign * (most + beyond);
    let side = if pair { format!("(- Y_{i} Y_{j})") } else { format!("Y_{i}") };
    let relation = match (random.below(6), sign > 0.0) {
        (0, _) => "=",
        (1, true) => ">",
        (1, false) => "<",
        (_, true) => ">=",
        (_, false) => "<=",
    };
    let whole = format!("({relation} {side} {})", decimal(limit));
    let middle = decimal(0.5 * (ranges[0].0 + ranges[0].1));
    Some(match random.below(6) {
        0 => format!("(or (and (<= X_0 {middle}) {whole}) (and (>= X_0 {middle}) {whole}))"),
        1 => format!("(and {whole} (or (<= X_0 {middle}) (>= X_0 {middle})))"),
        _ => whole,
    })
}

fn decimal(x: f64) -> String {
    if x < 0.0 { format!("(- {:e})", -x) } else { format!("{:e}", x.abs()) }
}

fn text(ranges: &[(f64, f64)], outputs: usize, goal: &str) -> String {
    let mut text = String::new();
    (0..ranges.len()).for_each(|i| text += &format!("(declare-const X_{i} Real)\n"));
    (0..outputs).for_each(|i| text += &format!("(declare-const Y_{i} Real)\n"));
    for (i, &(low, high)) in ranges.iter().enumerate() {
        text += &format!("(assert (>= X_{i} {}))\n(assert (<= X_{i} {}))\n", decimal(low), decimal(high));
    }
    text + &format!("(assert {goal})\n")
}

/// What a campaign counts.
#[derive(Debug, Default)]
struct Counts {
    networks: usize,
    without_enclosure: usize,
    proofs: usize,
    wrong_unsat: usize,
    violated: usize,
    certified: usize,
    wrong_certified: usize,
    unknown: usize,
}

fn campaign(count: usize, seed: u64) {
    let mut counts = Counts::default();
    let whole = Random::new(seed);
    let mut round = 0;
    while counts.networks < count {
        round += 1;
        let mut random = whole.fork(round);
        let Some(case) = Case::new(&mut random) else { continue };
        counts.networks += 1;
        match Door::new(&case.query, std::slice::from_ref(&case.model)) {
            Ok(door) => judged(&case, &door, round, &mut random, &mut counts),
            Err(_) => counts.without_enclosure += 1,
        }
    }
    println!("seed {seed}: {counts:?}");
}

fn judged(case: &Case, door: &Door, round: u64, random: &mut Random, counts: &mut Counts) {
    let root = Certificate { tokens: vec![Token::plain_leaf()] };
    let violating: Vec<&Vec<f64>> = case
        .points
        .iter()
        .filter(|p| case.judge.plain(p, Precision::Model).is_some_and(|y| case.holds(p, &y)))
        .collect();
    counts.violated += usize::from(!violating.is_empty());
    if door.check(&root, Mending::Cut).is_ok() {
        counts.proofs += 1;
        if let Some((point, outputs)) = case.counterexample(random) {
            counts.wrong_unsat += 1;
            finding("unsat", case, round, &point, &outputs);
        }
    } else if violating.is_empty() {
        counts.unknown += 1;
    }
    for point in violating.into_iter().take(2) {
        if !door.certifies(&[point.clone(), vec![0.0; case.outputs]]) {
            continue;
        }
        counts.certified += 1;
        let computed = case.computations(point, 12, random);
        if let Some(outputs) = computed.iter().find(|y| !case.holds(point, y)) {
            counts.wrong_certified += 1;
            finding("certified", case, round, point, outputs);
        }
    }
}

fn finding(what: &str, case: &Case, round: u64, point: &[f64], outputs: &[f64]) {
    println!("wrong {what} in round {round}: at {point:?} it computes {outputs:?}\n{}", case.text);
    println!("{:?}", case.model.graph.inputs[0]);
    for node in &case.model.graph.nodes {
        let attributes: Vec<String> =
            node.attributes.iter().map(|(name, a)| format!("{name}={a:?}")).collect();
        println!("  {} {:?} -> {:?} {attributes:?}", node.operator, node.inputs, node.outputs);
    }
    for (name, tensor) in &case.model.graph.initializers {
        println!("  {name} {:?} {:?}", tensor.shape, tensor.to_f64());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["networks", count, seed] => campaign(count.parse()?, seed.parse()?),
        ["mutants", count, seed] => mutants::campaign(count.parse()?, seed.parse()?),
        _ => return Err("usage: networks COUNT SEED | mutants COUNT SEED".into()),
    }
    Ok(())
}
