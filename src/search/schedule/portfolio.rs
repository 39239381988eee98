//! The schedule: which strategy works on which region, and for how long.
//!
//! Work is counted in multiplications, never in seconds, so that one seed on one thread gives one answer. Every
//! region is first looked at briefly (its centre and corners); those with the best margins stay, and only then are
//! the other strategies made: on most known counterexamples the look is enough, and setting up bounds and layers
//! would cost three times as much. For the same reason the second thread waits for the first look, and in a large network the
//! best one that needs nothing but gradients has its first round before the others are made. Then the strategy
//! that has spent least, weighed by what it is expected to bring, has its next round on the region whose turn it
//! is; the price of its first round counts as spent from the start, so that the cheapest begins. A second thread does
//! the same with another seed; in a very large network it helps the first one evaluate until all strategies are made.
//!
//! Where nothing is left to try and time is, inputs without a bound are searched further, and what depends on its seed
//! begins anew with another one. A strategy that panics ends the search on all threads, and the panic goes on in the
//! caller's: nobody's is lost.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::thread;

use crate::budget::{Budget, StopReason, Stopwatch};
use crate::network::Real;
use crate::problem::Problem;
use crate::property::{Property, Region};
use crate::random::Random;
use crate::search::kernel::oracle::{Best, Oracle};
use crate::search::kernel::shared::Shared;
use crate::search::observer::{Activity, Chore, Event, Observer, timed};
use crate::search::proof::RegionProof;
use crate::search::schedule::credit::Credit;
use crate::search::schedule::summary::{Ending, SearchSummary, StrategySummary};
use crate::search::schedule::table::{EARLY, Participation, StrategyEntry, table};
use crate::search::{Config, Falsifier, Halt, Judge, NotApplicable, Progress};

/// Regions that are searched in depth; of more, those with the best margins stay.
const MOST_REGIONS: usize = 64;

/// Multiplications of a point from which on a network is large. Of verivital's (150,000) layers and bounds take 0.9 s,
/// and PGD finds in 0.05 s; of ACAS Xu's (13,000) they take 0.1 ms.
const LARGE: usize = 100_000;

/// Multiplications of a point from which on the first points are shared by all threads: each layer is then worth their start.
const VERY_LARGE: usize = 10_000_000;

/// Free inputs up to which a region is one of few: there are better ways to search it than by gradients.
const FEW: usize = 16;

/// Work before inputs without a bound are searched further, at least; from then on each time that it has doubled.
const FURTHER: u64 = 100_000_000;

/// Searches until the judge has confirmed a witness, the budget is used up, or nothing is left to try.
///
/// # Panics
/// If a strategy does, on whatever thread.
pub fn falsify<T: Real>(
    problem: &Problem<T>,
    config: &Config,
    budget: &Budget,
    judge: &dyn Judge<T>,
    observer: &dyn Observer,
) -> SearchSummary<T> {
    falsify_with(table, problem, config, budget, judge, observer)
}

/// The same, with at most so much work on each thread, in multiplications.
///
/// # Panics
/// As [`falsify`].
pub fn falsify_briefly<T: Real>(
    problem: &Problem<T>,
    config: &Config,
    budget: &Budget,
    most_work: u64,
    judge: &dyn Judge<T>,
    observer: &dyn Observer,
) -> SearchSummary<T> {
    falsify_within(Some(most_work), table, problem, config, budget, judge, observer)
}

/// The same with another table of strategies.
pub(in crate::search) fn falsify_with<T: Real>(
    table: fn() -> Vec<StrategyEntry<T>>,
    problem: &Problem<T>,
    config: &Config,
    budget: &Budget,
    judge: &dyn Judge<T>,
    observer: &dyn Observer,
) -> SearchSummary<T> {
    falsify_within(None, table, problem, config, budget, judge, observer)
}

fn falsify_within<T: Real>(
    most_work: Option<u64>,
    table: fn() -> Vec<StrategyEntry<T>>,
    problem: &Problem<T>,
    config: &Config,
    budget: &Budget,
    judge: &dyn Judge<T>,
    observer: &dyn Observer,
) -> SearchSummary<T> {
    let random = Random::new(config.seed);
    let shared = Shared::new(config, most_work);
    let search = |thread: u64| {
        // Those for one thread are dealt out.
        let mut dealt = 0;
        let mut admitted = |entry: &StrategyEntry<T>| {
            let here = dealt % config.threads.max(1) as u64 == thread;
            dealt += u64::from(entry.part == Participation::OneThread);
            entry.takes_part(config) && (here || entry.part != Participation::OneThread)
        };
        let table = table().into_iter().filter(|entry| admitted(entry)).collect();
        let oracle = Oracle::new(problem, judge, &shared, budget);
        ThreadSearch::new(oracle, observer, random.fork(thread), table, config)
    };
    // The other threads need not search on for a result that nobody will get.
    let guarded = |search: ThreadSearch<'_, T>, halt: Option<Halt>| {
        let run = || search.run(halt);
        catch_unwind(AssertUnwindSafe(run)).inspect_err(|_| shared.over.raise())
    };
    let mut first = search(0);
    let halt = first.open().err();
    let others = if halt.is_none() { 1..config.threads as u64 } else { 1..1 };
    let ended = thread::scope(|scope| {
        let (search, guarded) = (&search, &guarded);
        let run = |t| scope.spawn(move || guarded(search(t), None));
        let others: Vec<_> = others.map(run).collect();
        let own = guarded(first, halt);
        let others = others.into_iter().map(|other| other.join().unwrap_or_else(Err));
        iter::once(own).chain(others).collect::<Vec<_>>()
    });
    let summary = |ended: thread::Result<_>| ended.unwrap_or_else(|panic| resume_unwind(panic));
    let mut summaries: Vec<SearchSummary<T>> = ended.into_iter().map(summary).collect();
    let mut whole = summaries.remove(0);
    summaries.into_iter().for_each(|other| whole.absorb(other));
    whole.complete(config, &table());
    if whole.ending != Ending::Proved && shared.has_witness() {
        whole.ending = Ending::Found;
    }
    whole.rejected = shared.rejected.load(Ordering::Relaxed);
    whole.report(observer);
    whole
}

/// One thread's search.
struct ThreadSearch<'a, T: Real> {
    oracle: Oracle<'a, T>,
    table: Vec<StrategyEntry<T>>,
    summaries: Vec<StrategySummary>,
    random: Random,
    sites: Vec<RegionSite<T>>,
    /// Regions that have been looked at.
    surveyed: usize,
    /// Which site the oracle is at.
    current: Option<usize>,
    observer: &'a dyn Observer,
    config: &'a Config,
    /// The best margin of all sites.
    best_margin: f64,
    /// Regions that are proved to hold no counterexample.
    proved_regions: usize,
    proved: bool,
    /// How they were proved.
    proofs: Vec<RegionProof>,
    /// The next reach of inputs without a bound, and the work that has to be done before.
    next_reach: usize,
    further_at: u64,
    /// How often what depends on its seed has begun anew, and the work that was done by then.
    renewals: u64,
    renewed_at: u64,
}

/// A region with the strategies that work on it.
struct RegionSite<T: Real> {
    region: Region,
    /// Which one of the property's; `None` for one that is further away.
    index: Option<usize>,
    best: Option<Best<T>>,
    /// By the table's order; `None` where the strategy does not apply or has nothing left to try. Those that are
    /// missing at the end have not been made yet.
    strategies: Vec<Option<Running<T>>>,
    random: Random,
    work: f64,
    /// Whether it holds no counterexample.
    proved: bool,
    /// Whether it has more than one point.
    has_choice: bool,
    /// Whether one of its strategies would do something else with another seed.
    is_random: bool,
}

struct Running<T: Real> {
    falsifier: Box<dyn Falsifier<T>>,
    /// What its first round is expected to cost.
    price: f64,
    /// Its share of the work, before what it promises in this region.
    weight: f64,
    /// What its rounds have cost.
    work: f64,
    /// The same, with rounds at less than their cost while it brings more than others, and at more while it brings less.
    charged: f64,
    credit: Credit,
}

impl<T: Real> Running<T> {
    /// What it has spent, weighed by what it is expected to bring where so much work is done.
    fn spent(&self, in_region: f64) -> f64 {
        let searched = in_region / self.price.max(1.0);
        self.charged.max(self.price) / (self.weight * self.falsifier.promise(searched))
    }
}

impl<'a, T: Real> ThreadSearch<'a, T> {
    fn new(
        oracle: Oracle<'a, T>,
        observer: &'a dyn Observer,
        random: Random,
        table: Vec<StrategyEntry<T>>,
        config: &'a Config,
    ) -> Self {
        let summaries = table.iter().map(|entry| StrategySummary::new(entry.name)).collect();
        let (sites, current, best_margin) = (Vec::new(), None, f64::NEG_INFINITY);
        Self {
            oracle,
            table,
            summaries,
            random,
            sites,
            surveyed: 0,
            current,
            observer,
            config,
            best_margin,
            proved_regions: 0,
            proved: false,
            proofs: Vec::new(),
            next_reach: Property::reaches().0,
            further_at: 0,
            renewals: 0,
            renewed_at: 0,
        }
    }

    /// Goes on from where the search is, or ends it if it is over already.
    fn run(mut self, halt: Option<Halt>) -> SearchSummary<T> {
        let halt = match halt.map_or_else(|| self.survey(), Err) {
            Ok(()) => self.search(),
            Err(halt) => halt,
        };
        self.leave();
        let bests = self.sites.into_iter().filter_map(|site| site.best);
        let best = bests.reduce(|a, b| if b.margin > a.margin { b } else { a });
        let ending = match halt {
            _ if self.oracle.has_found() => Ending::Found,
            _ if self.proved => Ending::Proved,
            Halt::Over => Ending::Stopped(StopReason::Interrupted),
            Halt::Stopped(reason) => Ending::Stopped(reason),
        };
        let unbounded = self.oracle.problem.property.unbounded_count() > 0;
        let reach = unbounded.then(|| Property::distance(self.next_reach - 1)).flatten();
        let proofs = if self.proved { self.proofs } else { Vec::new() };
        SearchSummary { ending, strategies: self.summaries, best, rejected: 0, reach, proofs }
    }

    /// Looks at every region once, with the cheapest strategy, and keeps the most promising.
    fn survey(&mut self) -> Result<(), Halt> {
        while self.surveyed < self.oracle.problem.property.region_count() {
            self.look_at_next()?;
        }
        self.keep_best();
        Ok(())
    }

    /// The first look. A very large network is evaluated one point at a time, because a block would not fit in any cache: there the threads
    /// begin together, and each searches on its own where this has not been enough.
    fn open(&mut self) -> Result<(), Halt> {
        let network = &self.oracle.problem.network;
        if network.multiplications() < VERY_LARGE || network.block_lanes() > 1 {
            return self.look_at_next();
        }
        self.oracle.use_threads(self.config.threads);
        let opened = self.survey().and_then(|()| self.begin_early());
        self.oracle.use_threads(1);
        opened
    }

    fn look_at_next(&mut self) -> Result<(), Halt> {
        let index = self.surveyed;
        self.surveyed += 1;
        let property = &self.oracle.problem.property;
        if index >= property.region_count() {
            return Ok(());
        }
        let Ok(region) = property.region(index) else { return Ok(()) };
        self.look_at(region, Some(index), self.random.fork(index as u64))?;
        if self.sites.len() >= 2 * MOST_REGIONS {
            self.keep_best();
        }
        Ok(())
    }

    fn look_at(&mut self, region: Region, index: Option<usize>, random: Random) -> Result<(), Halt> {
        let mut site = RegionSite { index, ..RegionSite::new(region, random) };
        self.add_strategies(&mut site, 1);
        self.sites.push(site);
        let last = self.sites.len() - 1;
        self.go_to(last);
        self.round(last, 0)
    }

    fn keep_best(&mut self) {
        self.leave();
        self.sites.sort_by(|a, b| b.margin().total_cmp(&a.margin()));
        self.sites.truncate(MOST_REGIONS);
    }

    /// The site whose turn it is, then its strategy that has spent least for its weight, again and again.
    fn search(&mut self) -> Halt {
        if let Err(halt) = self.begin_early() {
            return halt;
        }
        self.add_all_strategies();
        self.further_at = self.oracle.tally.work.saturating_mul(2).max(FURTHER);
        loop {
            let is_time = self.oracle.tally.work >= self.further_at;
            if is_time && let Err(halt) = self.go_further() {
                return halt;
            }
            let halt = match self.next() {
                Some((site, strategy)) => {
                    self.go_to(site);
                    self.round(site, strategy)
                }
                None => self.begin_anew(),
            };
            if let Err(halt) = halt {
                return halt;
            }
        }
    }

    /// In a large network of many inputs: a round of the best strategy that needs nothing but the network, where the margin is best;
    /// once.
    fn begin_early(&mut self) -> Result<(), Halt> {
        let is_large = self.oracle.problem.network.multiplications() >= LARGE;
        let has_many = self.sites.first().is_some_and(|site| site.region.free().nth(FEW).is_some());
        let early = self.table.iter().take_while(|entry| EARLY.contains(&entry.name)).count();
        let has_begun = self.sites.first().is_some_and(|site| site.strategies.len() >= early);
        if !(is_large && has_many) || has_begun {
            return Ok(());
        }
        self.equip(1, early);
        self.go_to(0);
        // The last one finds most; the first one has had the first look.
        if early > 1 { self.round(0, early - 1) } else { Ok(()) }
    }

    fn next(&self) -> Option<(usize, usize)> {
        let open = |site: &RegionSite<T>| site.strategies.iter().any(Option::is_some);
        let price = |&(rank, site): &(usize, &RegionSite<T>)| site.work * (1.0 + rank as f64);
        let sites = self.sites.iter().enumerate().filter(|(_, site)| open(site));
        let (index, site) = sites.min_by(|a, b| price(a).total_cmp(&price(b)))?;
        if let Some(strategy) = site.overdue() {
            return Some((index, strategy));
        }
        let spent = |&s: &usize| {
            site.strategies[s].as_ref().map_or(f64::INFINITY, |running| running.spent(site.work))
        };
        let strategy = (0..site.strategies.len()).min_by(|a, b| spent(a).total_cmp(&spent(b)))?;
        Some((index, strategy))
    }

    /// Nothing is left to try: further away, or with another seed.
    fn begin_anew(&mut self) -> Result<(), Halt> {
        if self.go_further()? {
            return Ok(());
        }
        let over = Err(Halt::Stopped(StopReason::Exhausted));
        // What ends without any work would do so for ever.
        if self.renewals > 0 && self.oracle.tally.work == self.renewed_at {
            return over;
        }
        self.oracle.check()?;
        (self.renewals, self.renewed_at) = (self.renewals + 1, self.oracle.tally.work);
        let renewals = self.renewals;
        let mut any = false;
        for site in self.sites.iter_mut().filter(|site| !site.proved && site.is_random) {
            site.strategies.clear();
            site.random = site.random.fork(renewals);
            any = true;
        }
        self.add_all_strategies();
        if any { Ok(()) } else { over }
    }

    /// Searches inputs without a bound as far as the next reach; `false` if there is nothing more.
    fn go_further(&mut self) -> Result<bool, Halt> {
        self.further_at = self.oracle.tally.work.saturating_mul(2).max(FURTHER);
        let property = &self.oracle.problem.property;
        let before = self.sites.len();
        while self.sites.len() == before && self.next_reach < Property::reaches().1 {
            let reach = self.next_reach;
            self.next_reach += 1;
            for number in 0..property.unbounded_count().min(MOST_REGIONS) {
                let Ok(Some(region)) = property.further(number, reach) else { continue };
                let label = (property.region_count() + number * Property::reaches().1 + reach) as u64;
                self.look_at(region, None, self.random.fork(label))?;
            }
        }
        self.add_all_strategies();
        Ok(self.sites.len() > before)
    }

    fn add_all_strategies(&mut self) {
        self.equip(self.sites.len(), self.table.len());
    }

    /// Makes the first `count` strategies for the first `sites` regions.
    fn equip(&mut self, sites: usize, count: usize) {
        let mut all = std::mem::take(&mut self.sites);
        timed(self.observer, Activity::Planning, || {
            all.iter_mut().take(sites).for_each(|site| self.add_strategies(site, count));
        });
        self.sites = all;
    }

    /// Makes those of the first `count` strategies that the site does not have yet.
    fn add_strategies(&mut self, site: &mut RegionSite<T>, count: usize) {
        let made = site.strategies.len();
        for (number, entry) in self.table.iter().enumerate().take(count).skip(made) {
            let seed = site.random.fork(number as u64).bits();
            let listed = site.region.condition.is_none() || !entry.needs_all_ways;
            let made = match listed {
                true => (entry.make)(self.oracle.problem, &site.region, seed),
                false => Err(NotApplicable("the ways to violate are too many to be listed")),
            };
            let configured = made.and_then(|mut falsifier| {
                falsifier.configure(self.oracle.problem, self.config)?;
                Ok(falsifier)
            });
            site.strategies.push(match configured {
                Ok(falsifier) => {
                    site.is_random |= site.has_choice
                        && entry.part != Participation::OneThread
                        && falsifier.depends_on_seed();
                    let price = falsifier.price(self.oracle.problem) as f64;
                    let (weight, credit) = (entry.weight, Credit::default());
                    Some(Running { falsifier, price, weight, work: 0.0, charged: 0.0, credit })
                }
                Err(NotApplicable(reason)) => {
                    self.summaries[number].not_applicable = Some(reason);
                    None
                }
            });
        }
    }

    fn go_to(&mut self, index: usize) {
        if self.current != Some(index) {
            self.leave();
            let site = &mut self.sites[index];
            self.oracle.enter(&site.region, site.best.take());
            self.current = Some(index);
        }
    }

    fn leave(&mut self) {
        if let Some(index) = self.current.take() {
            let site = &mut self.sites[index];
            site.best = self.oracle.best.take();
            if site.region.condition.is_some() {
                self.oracle.admit();
                site.region.conjunctions.clone_from(&self.oracle.region.conjunctions);
            }
        }
    }

    fn round(&mut self, index: usize, number: usize) -> Result<(), Halt> {
        let site = &mut self.sites[index];
        let all = Credit::total(site.strategies.iter().flatten().map(|running| &running.credit));
        let Some(Some(running)) = site.strategies.get_mut(number) else { return Ok(()) };
        self.oracle.admit();
        let margin_before = self.oracle.best.as_ref().map(|best| best.margin.widen());
        let (before, watch) = (self.oracle.tally, Stopwatch::start());
        let outcome = running.falsifier.round(&mut self.oracle);
        let spent = self.oracle.tally - before;
        running.work += spent.work as f64;
        running.charged += spent.work as f64 / running.credit.share(&all);
        site.work += spent.work as f64;
        let summary = &mut self.summaries[number];
        summary.rounds += 1;
        summary.tally += spent;
        summary.time += watch.elapsed();
        if self.observer.is_timing() {
            let activity = Activity::Round(summary.name);
            self.observer.worked(&Chore { activity, watch, spent: Some(spent) });
        }
        let margin = self.oracle.best.as_ref().map(|best| best.margin.widen());
        running.credit.note(margin_before, margin, spent.work as f64);
        summary.best_margin = summary.best_margin.into_iter().chain(margin).reduce(f64::max);
        summary.found = self.oracle.has_found();
        if summary.rounds == 1 {
            self.observer.event(&Event::StrategyStarted { strategy: summary.name });
        }
        if let Some(margin) = margin.filter(|&margin| margin > self.best_margin) {
            self.best_margin = margin;
            let evaluations = self.oracle.tally.evaluations;
            self.observer.event(&Event::BestMargin { strategy: summary.name, margin, evaluations });
        }
        match outcome? {
            Progress::More => {}
            Progress::Exhausted => site.strategies[number] = None,
            Progress::Proved => {
                let proof = running.falsifier.proof();
                self.proofs.extend(site.index.map(|region| RegionProof { region, parts: proof }));
                // None of those that have not been made yet either.
                site.strategies.clear();
                site.strategies.resize_with(self.table.len(), || None);
                site.proved = true;
                self.proved_regions += 1;
                let property = &self.oracle.problem.property;
                if self.proved_regions == property.region_count() && !property.is_partial() {
                    self.proved = true;
                    self.oracle.end_all();
                    return Err(Halt::Over);
                }
            }
        }
        Ok(())
    }
}

impl<T: Real> RegionSite<T> {
    fn new(region: Region, random: Random) -> Self {
        let has_choice = region.free().next().is_some();
        Self {
            region,
            index: None,
            best: None,
            strategies: Vec::new(),
            random,
            work: 0.0,
            proved: false,
            has_choice,
            is_random: false,
        }
    }

    /// A strategy that would have begun by now if all had their share and no more: what proofs promise divides the work among
    /// those that have begun, and keeps nobody from beginning. The cheapest of them.
    fn overdue(&self) -> Option<usize> {
        let all: f64 = self.strategies.iter().flatten().map(|running| running.weight).sum();
        let begin = |running: &Running<T>| running.price * all / running.weight;
        let waiting =
            self.strategies.iter().enumerate().filter_map(|(s, running)| Some((s, running.as_ref()?)));
        waiting
            .filter(|(_, running)| running.work == 0.0 && begin(running) <= self.work)
            .min_by(|(_, a), (_, b)| begin(a).total_cmp(&begin(b)))
            .map(|(s, _)| s)
    }

    fn margin(&self) -> f64 {
        self.best.as_ref().map_or(f64::NEG_INFINITY, |best| best.margin.widen())
    }
}
