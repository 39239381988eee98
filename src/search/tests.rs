//! The whole search on small planted problems: every strategy, several seeds.

use std::sync::Mutex;
use std::time::Duration;

use crate::budget::{Budget, StopReason};
use crate::network::build::Builder;
use crate::network::matrix::Matrix;
use crate::network::op::{Affine, Op, Unary, UnaryFunction};
use crate::network::testing::{Spread, graph, layered};
use crate::network::{Network, Real};
use crate::onnx::ElementType::Float32;
use crate::problem::Problem;
use crate::random::Random;
use crate::search::kernel::oracle::Oracle;
use crate::search::kernel::points;
use crate::search::kernel::shared::Shared;
use crate::search::observer::Silent;
use crate::search::schedule::table;
use crate::search::strategy::{apgd, coordinate, pgd, sample, square};
use crate::search::{Candidate, Config, Ending, Judge, Judgement, MOST_THREADS, Make, Progress, falsify};

/// Confirms what the plain evaluation in double precision confirms.
struct Plain<'p> {
    problem: &'p Problem<f32>,
    found: Mutex<Option<Vec<f32>>>,
}

impl Judge<f32> for Plain<'_> {
    fn judge(&self, candidate: &Candidate<f32>) -> Judgement {
        let x: Vec<f64> = candidate.input.iter().map(|&x| f64::from(x)).collect();
        let y = self.problem.double().evaluate(&x);
        let region = self.problem.property.region(0).unwrap();
        let inside = x.iter().zip(region.lower.iter().zip(&region.upper)).all(|(x, (l, u))| l <= x && x <= u);
        assert!(inside, "a candidate lies outside of the box");
        if region.conjunctions.iter().any(|c| c.holds(&x, &y)) {
            *self.found.lock().unwrap() = Some(candidate.input.clone());
            return Judgement::Confirmed;
        }
        Judgement::Rejected
    }
}

/// Confirms nothing.
pub(super) struct Never;

impl<T: Real> Judge<T> for Never {
    fn judge(&self, _: &Candidate<T>) -> Judgement {
        Judgement::Rejected
    }
}

pub(super) fn random_network(widths: &[usize], seed: u64) -> Network<f32> {
    let spread = Spread { weights: |inputs| (2.0 / inputs as f64).sqrt(), bias: 0.3 };
    let layers = layered(widths, UnaryFunction::Relu, spread, &mut Random::new(seed));
    graph(&layers, Float32)
}

/// "Output 0 reaches `level`" over the unit box.
fn problem(network: Network<f32>, level: f64) -> Problem<f32> {
    let (inputs, outputs) = (network.input_len(), network.output_len());
    let mut text = String::new();
    (0..inputs).for_each(|i| text += &format!("(declare-const X_{i} Real)"));
    (0..outputs).for_each(|i| text += &format!("(declare-const Y_{i} Real)"));
    (0..inputs).for_each(|i| text += &format!("(assert (>= X_{i} 0))(assert (<= X_{i} 1))"));
    text += &format!("(assert (>= Y_0 {level:.12}))");
    Problem::new(vnnlib::parse(text).unwrap(), network).unwrap()
}

/// The largest first output over many samples: what a search has to reach.
fn highest(network: &Network<f32>, samples: usize) -> f64 {
    let mut random = Random::new(99);
    let lanes = 64;
    let mut workspace = network.workspace(lanes);
    let mut best = f64::NEG_INFINITY;
    for _ in 0..samples / lanes {
        let points: Vec<f32> = (0..network.input_len() * lanes).map(|_| random.unit() as f32).collect();
        network.forward(&mut workspace, &points);
        let values = workspace.value(network, network.outputs()[0]);
        best = values[..lanes].iter().map(|&y| f64::from(y)).fold(best, f64::max);
    }
    best
}

pub(super) fn check(
    problem: &Problem<f32>,
    config: &Config,
    seconds: u64,
) -> (crate::search::schedule::summary::SearchSummary<f32>, Option<Vec<f32>>) {
    let judge = Plain { problem, found: Mutex::new(None) };
    let budget = Budget::unlimited().slice(Duration::from_secs(seconds));
    let summary = falsify(problem, config, &budget, &judge, &Silent);
    let found = judge.found.into_inner().unwrap();
    assert_eq!(found.is_some(), summary.ending == Ending::Found);
    (summary, found)
}

#[test]
fn gradients_and_walks_reach_what_samples_do_not() {
    for seed in 0..4 {
        let network = random_network(&[6, 24, 24, 24, 2], seed);
        let level = highest(&network, 40_000);
        let problem = problem(network, level + 1e-4);
        for name in ["pgd", "apgd", "coordinate", "region-walk", "line-sweep"] {
            let config = Config { only: vec![name.into()], threads: 1, seed, ..Config::default() };
            let (summary, found) = check(&problem, &config, 60);
            assert!(found.is_some(), "{name} misses {level} with seed {seed}: {summary:?}");
        }
    }
}

/// One input, one output: a tent of height 1 at `place`, 2e-6 wide, and zero elsewhere.
fn tent(place: f32) -> Network<f32> {
    let mut builder = Builder::default();
    let input = builder.input("x", Float32, vec![1, 1]).unwrap();
    let slope = 1e6;
    let bias = [0.0, 1.0, 2.0].map(|step| -slope * place - step).to_vec();
    let first = Affine { matrix: Matrix::dense(3, 1, vec![slope; 3]), bias, axis: 1 };
    let sums = builder.push("sums", Op::Affine(first), &[input], Float32).unwrap();
    let bent = builder.push("bent", Op::Unary(Unary(UnaryFunction::Relu)), &[sums], Float32).unwrap();
    let last = Affine { matrix: Matrix::dense(1, 3, vec![1.0, -2.0, 1.0]), bias: vec![0.0], axis: 1 };
    let output = builder.push("tent", Op::Affine(last), &[bent], Float32).unwrap();
    builder.finish(vec![output])
}

#[test]
fn a_line_sweep_sees_every_point_of_a_line() {
    for place in [0.1, 0.3141, 0.77] {
        for (level, ending) in [(0.9, Ending::Found), (1.5, Ending::Stopped(StopReason::Exhausted))] {
            let problem = problem(tent(place), level);
            let config = Config { only: vec!["line-sweep".into()], threads: 1, ..Config::default() };
            let (summary, _) = check(&problem, &config, 60);
            assert_eq!(summary.ending, ending, "a tent at {place}, {level}: {summary:?}");
        }
    }
}

/// A network whose hidden layer is signs of sums of this size: no gradient anywhere.
fn sign_network(inputs: usize, hidden: usize, seed: u64, size: f64) -> Network<f32> {
    let mut random = Random::new(seed);
    let mut draw = |count: usize| (0..count).map(|_| (size * random.normal()) as f32).collect::<Vec<f32>>();
    let mut builder = Builder::default();
    let mut node = builder.input("x", Float32, vec![1, inputs]).unwrap();
    // Centred, so that the signs change inside of the unit box.
    let first = draw(hidden * inputs);
    let bias = first.chunks(inputs).map(|row| -0.5 * row.iter().sum::<f32>()).collect();
    let matrix = Matrix::dense(hidden, inputs, first);
    node = builder.push("first", Op::Affine(Affine { matrix, bias, axis: 1 }), &[node], Float32).unwrap();
    node = builder.push("sign", Op::Unary(Unary(UnaryFunction::Sign)), &[node], Float32).unwrap();
    let matrix = Matrix::dense(2, hidden, draw(2 * hidden));
    let last = Affine { matrix, bias: vec![0.0; 2], axis: 1 };
    node = builder.push("last", Op::Affine(last), &[node], Float32).unwrap();
    builder.finish(vec![node])
}

#[test]
fn what_needs_no_gradient_climbs_where_there_is_none() {
    for seed in 0..4 {
        let network = sign_network(40, 40, seed, 1.0);
        let level = highest(&network, 20_000);
        let problem = problem(network, level + 1e-4);
        for name in ["coordinate", "square"] {
            let config = Config { only: vec![name.into()], threads: 1, seed, ..Config::default() };
            let (summary, found) = check(&problem, &config, 60);
            assert!(found.is_some(), "{name} misses {level} with seed {seed}: {summary:?}");
        }
        let config = Config { only: vec!["apgd".into()], threads: 1, seed, ..Config::default() };
        let summary = check(&problem, &config, 60).0;
        assert!(summary.strategies.iter().any(|s| s.not_applicable.is_some()), "{summary:?}");
    }
}

#[test]
fn smooth_steps_climb_whatever_the_size_of_the_sums() {
    for seed in 0..4 {
        for size in [1e-6, 1.0, 1e6] {
            let network = sign_network(40, 40, seed, size);
            let level = highest(&network, 20_000);
            let problem = problem(network, level + 1e-4 * size);
            let config = Config { only: vec!["pgd".into()], threads: 1, seed, ..Config::default() };
            let (summary, found) = check(&problem, &config, 60);
            assert!(found.is_some(), "misses {level} with seed {seed}, size {size}: {summary:?}");
        }
    }
}

#[test]
fn every_strategy_repeats_itself() {
    let problem = problem(random_network(&[10, 16, 16, 3], 7), 1e6);
    let region = problem.property.region(0).unwrap();
    let (judge, budget) = (Plain { problem: &problem, found: Mutex::new(None) }, Budget::unlimited());
    let makes: [(&str, Make<f32>); 5] = [
        ("sample", sample::make),
        ("pgd", pgd::make),
        ("apgd", apgd::make),
        ("square", square::make),
        ("coordinate", coordinate::make),
    ];
    for (name, make) in makes {
        let run = || {
            let shared = Shared::default();
            let mut oracle = Oracle::new(&problem, &judge, &shared, &budget);
            oracle.enter(&region, None);
            let mut strategy = make(&problem, &region, 3).unwrap();
            for _ in 0..3 {
                assert_eq!(strategy.round(&mut oracle), Ok(Progress::More), "{name}");
            }
            (oracle.tally, oracle.best)
        };
        assert_eq!(run(), run(), "{name}");
    }
}

#[test]
fn programs_reach_what_samples_do_not() {
    for seed in 0..2 {
        let network = random_network(&[5, 16, 16, 2], seed);
        let level = highest(&network, 40_000);
        let problem = problem(network, level + 1e-4);
        for name in ["facet-walk", "minorant", "phase-milp", "target-propagation"] {
            let config = Config { only: vec![name.into()], threads: 1, seed, ..Config::default() };
            let (summary, found) = check(&problem, &config, 300);
            assert!(found.is_some(), "{name} misses {level} with seed {seed}: {summary:?}");
        }
    }
}

#[test]
fn centre_and_samples_find_what_is_everywhere() {
    let network = random_network(&[3, 8, 2], 5);
    let problem = problem(network, -1e6);
    for name in ["centre", "sample"] {
        let config = Config { only: vec![name.into()], threads: 1, ..Config::default() };
        assert!(check(&problem, &config, 60).1.is_some(), "{name}");
    }
}

#[test]
fn one_seed_and_one_thread_give_one_answer() {
    let network = random_network(&[5, 20, 20, 2], 3);
    let level = highest(&network, 10_000);
    let problem = problem(network, level);
    for seed in 0..3 {
        let config = Config { threads: 1, seed, ..Config::default() };
        let (first, point) = check(&problem, &config, 60);
        let (second, again) = check(&problem, &config, 60);
        assert_eq!(point, again);
        let counts = |s: &crate::search::schedule::summary::SearchSummary<f32>| {
            s.strategies.iter().map(|s| s.tally).collect::<Vec<_>>()
        };
        assert_eq!(counts(&first), counts(&second));
    }
}

/// The strategies that end a search by a proof.
fn provers() -> Vec<String> {
    ["glance", "split", "phase-split"].map(String::from).to_vec()
}

#[test]
fn what_cannot_be_violated_ends_with_the_time_or_when_nothing_is_left() {
    let network = random_network(&[3, 8, 2], 5);
    let impossible = problem(network, 1e6);
    let config = Config { threads: 2, without: provers(), ..Config::default() };
    let budget = Budget::unlimited().slice(Duration::from_millis(50));
    let judge = Plain { problem: &impossible, found: Mutex::new(None) };
    let summary = falsify(&impossible, &config, &budget, &judge, &Silent);
    assert_eq!(summary.ending, Ending::Stopped(StopReason::TimeUp));
    assert!(summary.best.is_some_and(|best| best.margin < 0.0));
    let only_centre = Config { only: vec!["centre".into()], threads: 1, ..Config::default() };
    assert_eq!(check(&impossible, &only_centre, 60).0.ending, Ending::Stopped(StopReason::Exhausted));
}

#[test]
fn what_bounds_exclude_is_proved_and_what_exists_is_not() {
    for seed in 0..8 {
        let network = random_network(&[3, 8, 8, 2], seed);
        let level = highest(&network, 10_000);
        for (above, want) in [(0.5, true), (-1e-3, false)] {
            let problem = problem(network.clone(), level + above);
            let config = Config { only: vec!["split".into()], ..Config::default() };
            let ending = check(&problem, &config, 60).0.ending;
            assert_eq!(ending, if want { Ending::Proved } else { Ending::Found }, "seed {seed}");
            let config = Config { only: vec!["phase-split".into()], ..Config::default() };
            let ending = check(&problem, &config, 60).0.ending;
            assert_eq!(ending == Ending::Proved, want, "phase-split, seed {seed}: {ending:?}");
        }
        for (above, want) in [(1e3, true), (-1e-3, false)] {
            let config = Config { only: vec!["glance".into()], ..Config::default() };
            let ending = check(&problem(network.clone(), level + above), &config, 60).0.ending;
            assert_eq!(ending == Ending::Proved, want, "glance, seed {seed}: {ending:?}");
        }
    }
}

#[test]
fn phases_prove_what_cutting_many_inputs_does_not() {
    for seed in 0..3 {
        let network = random_network(&[60, 14, 2], seed);
        let level = highest(&network, 2_000) + 4.0;
        let ends = ["split", "phase-split"].map(|name| {
            let config = Config { only: vec![name.into()], ..Config::default() };
            check(&problem(network.clone(), 3.0 * level), &config, 60).0.ending
        });
        assert_eq!(ends[1], Ending::Proved, "seed {seed}");
        assert_ne!(ends[0], Ending::Found, "seed {seed}");
    }
}

#[test]
fn any_number_of_threads_finds_proves_and_ends() {
    let network = random_network(&[3, 8, 8, 2], 1);
    let level = highest(&network, 10_000);
    let everything = Config::default();
    let only = |name: &str| Config { only: vec![name.into()], ..Config::default() };
    let cases = [
        ("a counterexample", everything.clone(), -1e-3, Ending::Found),
        ("a proof", everything, 0.5, Ending::Proved),
        // Two that work on one thread: the others have nothing to do, and the proof still counts.
        ("a proof on the first thread", only("split"), 0.5, Ending::Proved),
        ("a proof on the second thread", only("phase-split"), 0.5, Ending::Proved),
        ("nothing left to try", only("centre"), 0.5, Ending::Stopped(StopReason::Exhausted)),
    ];
    for threads in [1, 2, 3, 5, 16, 64] {
        for (name, config, above, want) in &cases {
            let problem = problem(network.clone(), level + above);
            let config = Config { threads, ..config.clone() };
            let (summary, _) = check(&problem, &config, 60);
            assert_eq!(summary.ending, *want, "{name} on {threads} threads");
            let mut names: Vec<_> = summary.strategies.iter().map(|s| s.name).collect();
            names.dedup();
            assert_eq!(names.len(), summary.strategies.len(), "{name} on {threads} threads: a name twice");
        }
    }
}

#[test]
fn the_default_is_what_the_process_may_use() {
    let one = std::thread::spawn(|| {
        let all = rustix::thread::sched_getaffinity(None).unwrap();
        let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu)).unwrap();
        let mut only = rustix::thread::CpuSet::new();
        only.set(first);
        rustix::thread::sched_setaffinity(None, &only).unwrap();
        Config::default().threads
    });
    assert_eq!(one.join().unwrap(), 1, "one processor is left to this thread");
    let all = Config::default().threads;
    assert!((1..=MOST_THREADS).contains(&all), "{all}");
}

/// Finds every candidate thin.
struct FindsThin;

impl Judge<f32> for FindsThin {
    fn judge(&self, _: &Candidate<f32>) -> Judgement {
        Judgement::Thin
    }
}

#[test]
fn a_thin_witness_ends_a_search_only_where_it_is_an_answer() {
    let easy = problem(random_network(&[5, 16, 16, 2], 3), -1e3);
    for (accept_thin, has_time_left) in [(true, true), (false, false)] {
        let config = Config { only: vec!["sample".into()], threads: 1, accept_thin, ..Config::default() };
        let budget = Budget::unlimited().slice(Duration::from_millis(2500));
        let summary = falsify(&easy, &config, &budget, &FindsThin, &Silent);
        assert_eq!((summary.ending, budget.check().is_ok()), (Ending::Found, has_time_left), "{accept_thin}");
    }
}

#[test]
fn strategies_by_name_take_no_share_of_the_portfolio() {
    let impossible = problem(random_network(&[5, 16, 16, 2], 3), 1e6);
    let ran = |only: &[&str]| -> Vec<&'static str> {
        let only = only.iter().map(ToString::to_string).collect();
        let config = Config { only, without: provers(), ..Config::default() };
        let budget = Budget::unlimited().slice(Duration::from_millis(500));
        let judge = Plain { problem: &impossible, found: Mutex::new(None) };
        let summary = falsify(&impossible, &config, &budget, &judge, &Silent);
        summary.strategies.iter().map(|s| s.name).collect()
    };
    let portfolio = ran(&[]);
    assert!(portfolio.contains(&"pgd") && !portfolio.contains(&"minorant"), "{portfolio:?}");
    // Those of the second thread are there too, in the table's order.
    let both = check(
        &impossible,
        &Config { only: vec!["phase-split".into(), "split".into()], ..Config::default() },
        60,
    )
    .0;
    assert_eq!(both.strategies.iter().map(|s| s.name).collect::<Vec<_>>(), ["split", "phase-split"]);
    assert_eq!(ran(&["minorant"]), ["minorant"]);
}

#[test]
fn every_strategy_has_a_name_of_its_own() {
    let mut names = table::names();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// A strategy that panics after some rounds, on the threads that a table puts it on.
struct Panics(u32);

impl super::Falsifier<f32> for Panics {
    fn price(&self, _problem: &Problem<f32>) -> u64 {
        1
    }

    fn round(&mut self, oracle: &mut Oracle<'_, f32>) -> Result<Progress, super::Halt> {
        oracle.tally.work += 1;
        self.0 = self.0.checked_sub(1).expect("a strategy with a bug");
        Ok(Progress::More)
    }
}

fn with_a_bug_everywhere() -> Vec<table::StrategyEntry<f32>> {
    let mut table = table::table();
    table.push(table::entry(
        "bug",
        |_, _, _| Ok(Box::new(Panics(3))),
        1e9,
        table::Participation::EveryThread,
    ));
    table
}

/// One more strategy for one thread, so that the second one gets it: the table deals them out in turn.
fn with_a_bug_on_the_second_thread() -> Vec<table::StrategyEntry<f32>> {
    let idle = |_: &Problem<f32>, _: &crate::property::Region, _: u64| Err(super::NotApplicable("idle"));
    vec![
        table::entry("sample", sample::make, 1.0, table::Participation::EveryThread),
        table::entry("idle", idle, 1.0, table::Participation::OneThread),
        table::entry("bug", |_, _, _| Ok(Box::new(Panics(3))), 1.0, table::Participation::OneThread),
    ]
}

#[test]
fn a_panic_ends_the_search_on_every_thread() {
    let problem = problem(random_network(&[4, 8, 2], 1), 1e6);
    for table in [with_a_bug_everywhere, with_a_bug_on_the_second_thread] {
        let judge = Plain { problem: &problem, found: Mutex::new(None) };
        let config = Config { threads: 2, ..Config::default() };
        // Without a limit: the other thread ends because of the panic, or never.
        let search = || {
            crate::search::schedule::portfolio::falsify_with(
                table,
                &problem,
                &config,
                &Budget::unlimited(),
                &judge,
                &Silent,
            )
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(search));
        let panic = ended.err().and_then(|panic| {
            panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        });
        assert!(panic.unwrap().contains("a strategy with a bug"));
    }
}

#[test]
fn what_depends_on_its_seed_begins_anew() {
    /// Ends after one block.
    struct Once(points::Sampler, Vec<f32>);
    impl super::Falsifier<f32> for Once {
        fn price(&self, _problem: &Problem<f32>) -> u64 {
            1
        }
        fn round(&mut self, oracle: &mut Oracle<'_, f32>) -> Result<Progress, super::Halt> {
            self.0.draw(oracle, &mut self.1);
            oracle.evaluate(&self.1)?;
            Ok(Progress::Exhausted)
        }
    }
    fn once() -> Vec<table::StrategyEntry<f32>> {
        let make: Make<f32> =
            |_, region, seed| Ok(Box::new(Once(points::Sampler::new(region, seed)?, Vec::new())));
        vec![table::entry("once", make, 1.0, table::Participation::EveryThread)]
    }
    let network = random_network(&[6, 24, 24, 2], 3);
    let level = highest(&network, 200_000);
    let problem = problem(network, 0.999 * level);
    let judge = Plain { problem: &problem, found: Mutex::new(None) };
    let config = Config { threads: 1, ..Config::default() };
    let budget = Budget::unlimited().slice(Duration::from_secs(60));
    let summary =
        crate::search::schedule::portfolio::falsify_with(once, &problem, &config, &budget, &judge, &Silent);
    assert_eq!(summary.ending, Ending::Found);
    assert!(summary.strategies[0].rounds > 10, "{summary:?}");
}

/// Confirms what holds with outputs that are rounded once, at their end.
struct RoundedOnce<'p>(&'p Problem<f32>);

impl Judge<f32> for RoundedOnce<'_> {
    fn judge(&self, candidate: &Candidate<f32>) -> Judgement {
        let x: Vec<f64> = candidate.input.iter().map(|&x| f64::from(x)).collect();
        let y: Vec<f64> = self.0.double().evaluate(&x).iter().map(|&y| f64::from(y as f32)).collect();
        let holds = self.0.property.region(0).unwrap().margin(&x, &y) >= 0.0;
        if holds { Judgement::Confirmed } else { Judgement::Rejected }
    }
}

#[test]
fn outputs_are_hit_to_the_last_digit() {
    let shapes: [&[usize]; 4] = [&[2, 8, 1], &[4, 16, 1], &[3, 8, 8, 1], &[20, 32, 1]];
    for (seed, widths) in (0..).zip(shapes.iter().cycle().take(12)) {
        let network = random_network(widths, seed);
        let mut random = Random::new(seed);
        let x: Vec<f64> = (0..widths[0]).map(|_| f64::from(random.unit() as f32)).collect();
        let y = network.cast::<f64>().evaluate(&x)[0] as f32;
        let wanted = [
            format!("(= Y_0 {})", f64::from(y)),
            format!("(and (>= Y_0 {}) (<= Y_0 {}))", f64::from(y), f64::from(y.next_up())),
            format!("(and (> Y_0 {}) (< Y_0 {}))", f64::from(y.next_down()), f64::from(y.next_up())),
        ];
        let mut text = String::from("(declare-const Y_0 Real)");
        for i in 0..widths[0] {
            text += &format!("(declare-const X_{i} Real)(assert (>= X_{i} 0))(assert (<= X_{i} 1))");
        }
        text += &format!("(assert {})", wanted[seed as usize % 3]);
        let problem = Problem::new(vnnlib::parse(text).unwrap(), network).unwrap();
        let config = Config { threads: 1, seed, ..Config::default() };
        let budget = Budget::unlimited().slice(Duration::from_secs(60));
        let summary = falsify(&problem, &config, &budget, &RoundedOnce(&problem), &Silent);
        assert_eq!(summary.ending, Ending::Found, "{widths:?} with seed {seed}: {summary:?}");
    }
}
