//! Campaigns that are too large to be run for a measurement.
//!
//! `scale results FOLDER UNITS` makes a campaign's folder with the results of so many units, as processes write them that run
//! units: by the same code, with one journal. Verdicts, times and logs are made up. What `campaign collect` does with it is
//! then measured.
//!
//! `scale claims` lets up to a thousand nodes share up to a million units over a file server that is made up: each request takes
//! its time on the way and in the server's queue. The nodes go over the units in the order in which processes do
//! (`Shard::first`) and ask what processes ask; the numbers of requests are those that `strace` counts (`REQUESTS`). It prints
//! how many requests a unit costs and how much longer the campaign takes than its units, by the numbers of units and nodes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::env;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use counterpatch::campaign::{
    Campaign, CampaignFolder, CampaignTool, CampaignUnit, Digest, FileMark, PlannedInstance, Resources,
    Shard, ToolKind, UnitEvidence, UnitHead, UnitLimits, UnitResult, UnitVerdict,
};

/// Instances of each benchmark.
const INSTANCES: usize = 100;
/// Networks and properties of a campaign together, at most.
const MOST: usize = 2_000;
/// Threads that write: what they wait for is the disk.
const WRITERS: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["results", folder, units] => results(Path::new(folder), units.parse()?),
        ["claims"] => claims(),
        _ => Err("usage: scale results FOLDER UNITS, or scale claims".into()),
    }
}

/// A plan of two tools on instances of which each has a network and a property, with as many seeds as make up the units.
fn plan(units: usize) -> Campaign {
    let instances = (units / 2).clamp(1, MOST);
    let seeds = (units / (2 * instances)).max(1) as u64;
    let file = |name: String| FileMark {
        sha256: Digest::of(name.as_bytes()),
        path: name.into(),
        bytes: 1,
        changed: 1,
    };
    let files = (0..instances)
        .flat_map(|at| [file(format!("/n{at}.onnx")), file(format!("/p{at}.vnnlib"))])
        .collect();
    let instance = |at: usize| PlannedInstance {
        benchmark: format!("benchmark_{}", at / INSTANCES),
        network: format!("onnx/network_{at}.onnx"),
        property: format!("vnnlib/property_{at}.vnnlib"),
        limit: 60.0,
        networks: vec![(None, 2 * at)],
        property_file: 2 * at + 1,
        beside: Vec::new(),
    };
    let tool = |name: &str| CampaignTool {
        arguments: Vec::new(),
        name: name.into(),
        kind: ToolKind::Script,
        program: Some(format!("/{name}.sh").into()),
        version: Digest::of(name.as_bytes()).short().into(),
    };
    let limits = UnitLimits { threads: 1, memory: None };
    let tools = vec![tool("first"), tool("second")];
    Campaign::new(limits, tools, (0..seeds).collect(), files, (0..instances).map(instance).collect())
}

/// A result with a log of some 200 bytes, as a real tool's.
fn result(plan: &Campaign, unit: CampaignUnit, host: &str) -> UnitResult {
    let chance = (unit.instance * 31 + unit.tool * 17) as u64 + unit.seed * 7;
    let head = UnitHead::of(plan, unit, plan.key(unit), host);
    let answer = [UnitVerdict::Sat, UnitVerdict::Unsat][unit.instance % 2];
    let verdict = if chance.is_multiple_of(3) { UnitVerdict::Timeout } else { answer };
    let seconds = 0.01 * 1.2_f64.powi((chance % 50) as i32);
    let resources = Resources { wall_seconds: seconds, cpu_seconds: seconds, peak_bytes: 1 << 20 };
    let log = "note: what a tool says of its way to an answer on standard error\n".repeat(3);
    head.ended(verdict, String::new(), log, resources)
}

fn results(folder: &Path, units: usize) -> Result<(), Box<dyn Error>> {
    let (folder, plan) = (CampaignFolder::at(folder), plan(units));
    folder.begin(&plan)?;
    let all: Vec<CampaignUnit> = plan.units().collect();
    let next = AtomicUsize::new(0);
    let write = || {
        while let Some(&unit) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            folder.write(result(&plan, unit, "node"), &UnitEvidence::default())?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        let ended = writers
            .into_iter()
            .map(|writer| writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Result<(), counterpatch::campaign::FolderError>>()
    })?;
    println!("{} results", all.len());
    Ok(())
}

/// Requests to a file server that each step of a unit makes: paths in system calls of a process, counted with `strace`.
struct Requests {
    /// Whether there is a result: opening the folder, and the file that is not there.
    look: u64,
    /// The same, when there is one, and reading it.
    read: u64,
    /// Looking for a claim, writing one, giving it its name.
    claim: u64,
    /// A claim of another machine: reading it, its age, and the server's time.
    theirs: u64,
    /// The result, flushed, and its name; its line in the journal; giving the claim back.
    write: u64,
}
const REQUESTS: Requests = Requests { look: 2, read: 4, claim: 6, theirs: 9, write: 8 };
/// Names of files that a server sends at a time.
const NAMES: u64 = 500;
/// Microseconds of a request on its way to and fro.
const WAY: u64 = 300;
/// Microseconds that the server is busy with one: 20,000 a second.
const BUSY: u64 = 50;

/// What a node does when its requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    List,
    Look,
    Claim,
    LookAgain,
    Run,
    Write,
}

/// What is known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnitState {
    Open,
    Claimed,
    Done,
}

/// The units that a node goes over.
enum Round {
    /// Its own.
    Own,
    /// Those of all others that had no result when it asked for all names.
    Others(Vec<usize>),
    /// Those that others were running in the round before.
    Left(Vec<usize>),
}

/// A node, and where it is.
struct Node {
    index: usize,
    at: usize,
    round: Round,
    left: Vec<usize>,
}

/// A campaign on a file server.
struct Simulation {
    nodes: Vec<Node>,
    units: Vec<UnitState>,
    mean: f64,
    server: u64,
    requests: u64,
    twice: u64,
    /// When, whose, what, and how many requests are still to be made.
    events: BinaryHeap<Reverse<(u64, usize, Doing, u64)>>,
}

impl Simulation {
    fn new(units: usize, nodes: usize, mean: f64) -> Self {
        let node = |index| Node { index, at: 0, round: Round::Own, left: Vec::new() };
        let mut simulation = Self {
            nodes: (0..nodes).map(node).collect(),
            units: vec![UnitState::Open; units],
            mean,
            server: 0,
            requests: 0,
            twice: 0,
            events: BinaryHeap::new(),
        };
        (0..nodes).for_each(|node| simulation.next(node, 0));
        simulation
    }

    /// The unit at which a node is; nothing at the end of a round.
    fn unit(&self, node: &Node) -> Option<usize> {
        match &node.round {
            Round::Own => {
                Some(node.index + node.at * self.nodes.len()).filter(|unit| *unit < self.units.len())
            }
            Round::Others(units) | Round::Left(units) => units.get(node.at).copied(),
        }
    }

    /// What is open of the other shards, the next one's first: the order of `Shard::first`.
    fn others(&self, index: usize) -> Vec<usize> {
        let count = self.nodes.len();
        let of = |step| ((index + step) % count..self.units.len()).step_by(count);
        (1..count).flat_map(of).filter(|unit| self.units[*unit] != UnitState::Done).collect()
    }

    /// Seconds of a unit: exponential, by its number.
    fn microseconds(&self, unit: usize) -> u64 {
        let chance = (unit as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        let part = (chance as f64 + 1.0) / (1_u64 << 53) as f64;
        (1e6 * self.mean * -part.ln()) as u64
    }

    /// Goes on with the next unit of a node.
    fn next(&mut self, node: usize, now: u64) {
        let unit = self.unit(&self.nodes[node]);
        if let Some(unit) = unit {
            let requests = if self.units[unit] == UnitState::Done { REQUESTS.read } else { REQUESTS.look };
            return self.ask(node, now, Doing::Look, requests);
        }
        let of = &mut self.nodes[node];
        of.at = 0;
        let left = std::mem::take(&mut of.left);
        let is_stuck = match &of.round {
            Round::Own => return self.ask(node, now, Doing::List, (self.units.len() as u64).div_ceil(NAMES)),
            Round::Others(_) => false,
            Round::Left(before) => before.len() == left.len(),
        };
        if !left.is_empty() && !is_stuck {
            of.round = Round::Left(left);
            self.next(node, now);
        }
    }

    /// The next of so many requests: it waits in the server's queue.
    fn ask(&mut self, node: usize, now: u64, doing: Doing, requests: u64) {
        self.server = self.server.max(now + WAY / 2) + BUSY;
        self.requests += 1;
        self.events.push(Reverse((self.server + WAY / 2, node, doing, requests - 1)));
    }

    /// Runs to the end; seconds until the last unit is done.
    fn run(&mut self) -> f64 {
        let mut end = 0;
        while let Some(Reverse((now, node, doing, requests))) = self.events.pop() {
            if requests > 0 {
                self.ask(node, now, doing, requests);
                continue;
            }
            if doing == Doing::List {
                self.nodes[node].round = Round::Others(self.others(node));
                self.next(node, now);
                continue;
            }
            let Some(unit) = self.unit(&self.nodes[node]) else { continue };
            let state = self.units[unit];
            match (doing, state) {
                (Doing::Look, UnitState::Open) => self.ask(node, now, Doing::Claim, REQUESTS.claim),
                (Doing::Look, UnitState::Claimed) => self.ask(node, now, Doing::Claim, REQUESTS.theirs),
                (Doing::Claim, UnitState::Open) => {
                    self.units[unit] = UnitState::Claimed;
                    self.ask(node, now, Doing::LookAgain, REQUESTS.look);
                }
                (Doing::LookAgain, _) => {
                    self.events.push(Reverse((now + self.microseconds(unit), node, Doing::Run, 0)));
                }
                (Doing::Run, _) => self.ask(node, now, Doing::Write, REQUESTS.write),
                (Doing::Write, _) => {
                    self.twice += u64::from(state == UnitState::Done);
                    self.units[unit] = UnitState::Done;
                    end = now;
                    self.nodes[node].at += 1;
                    self.next(node, now);
                }
                (Doing::List | Doing::Look | Doing::Claim, state) => {
                    if state == UnitState::Claimed {
                        self.nodes[node].left.push(unit);
                    }
                    self.nodes[node].at += 1;
                    self.next(node, now);
                }
            }
        }
        end as f64 / 1e6
    }
}

/// That the simulated nodes go the way of the real ones.
fn is_the_real_order() -> Result<bool, Box<dyn Error>> {
    let units: Vec<usize> = (0..23).collect();
    let simulation = Simulation::new(units.len(), 5, 1.0);
    for node in &simulation.nodes {
        let own = (node.index..units.len()).step_by(simulation.nodes.len());
        let order: Vec<usize> = own.chain(simulation.others(node.index)).collect();
        if order != Shard::parse(&format!("{}/5", node.index))?.first(&units) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn claims() -> Result<(), Box<dyn Error>> {
    if !is_the_real_order()? {
        return Err("the simulation does not go over units as `Shard::first` does".into());
    }
    println!(
        "| units | nodes | seconds a unit | requests a unit | of the server's time | longer than the units | run twice |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (nodes, mean) in [(10, 10.0), (100, 10.0), (1_000, 10.0), (1_000, 1.0)] {
        for units in [10_000, 100_000, 1_000_000] {
            let mut simulation = Simulation::new(units, nodes, mean);
            let seconds = simulation.run();
            assert!(simulation.units.iter().all(|state| *state == UnitState::Done), "a unit was forgotten");
            let all: u64 = (0..units).map(|unit| simulation.microseconds(unit)).sum();
            let ideal = all as f64 / 1e6 / nodes as f64;
            println!(
                "| {units} | {nodes} | {mean} | {:.1} | {:.1}% | {:.1}% | {} |",
                simulation.requests as f64 / units as f64,
                100.0 * (simulation.requests * BUSY) as f64 / 1e6 / seconds,
                100.0 * (seconds / ideal - 1.0),
                simulation.twice
            );
        }
    }
    Ok(())
}
