//! A walk over values: what the ridges ask, as a constraint satisfaction problem for local search.
//!
//! Every input takes one of a few values, the ends of what it may be. The walk picks a ridge that is outside of its
//! intervals and moves one of its inputs so that it comes nearer, preferring moves that put fewest other ridges outside:
//! with a probability that falls with their number `b` as `(ε + b)^−c` (Balint and Schöning 2012, "Choosing Probability
//! Distributions for Stochastic Local Search", whose constants for 3-SAT these are). Programs end at some hundred
//! clauses; planted formulas of 500 variables and more fall to this.

use super::profile::ClosedInterval;
use super::unfold::Needs;
use crate::random::Random;

const EPSILON: f64 = 0.9;
const EXPONENT: f64 = 2.06;
/// Powers that are looked up; a move that puts more ridges outside is as unlikely as one with so many.
const POWERS: usize = 32;
/// How far outside of an interval a sum may be and still count as in it, as a share of its coefficients: rounding.
const ROUNDING: f64 = 1e-9;
/// Moves before the walk begins anew, for each input.
const MOVES_AN_INPUT: usize = 20_000;

/// The walk and where it is.
#[derive(Debug, Clone)]
pub(super) struct RidgeWalk {
    random: Random,
    /// The values that each input may take; those with fewer than two never move.
    values: Vec<Vec<f64>>,
    /// For each input the ridges that it is in, with its coefficient.
    uses: Vec<Vec<(usize, f64)>>,
    ridges: Vec<Bound>,
    point: Vec<f64>,
    /// The ridges' sums at the point.
    sums: Vec<f64>,
    /// Ridges that are outside of their intervals, and where each stands in this list.
    outside: Vec<usize>,
    place: Vec<Option<usize>>,
    powers: [f64; POWERS],
    /// Moves since the walk began.
    moves: usize,
    /// Memory for the moves of a step: input, value, weight.
    options: Vec<(usize, f64, f64)>,
}

/// A ridge of several inputs.
#[derive(Debug, Clone)]
struct Bound {
    terms: Vec<(usize, f64)>,
    allowed: Vec<ClosedInterval>,
    tolerance: f64,
}

impl RidgeWalk {
    /// A walk in a box; `None` where no ridge of several inputs binds them, or an input has no few values.
    pub(super) fn new(needs: &Needs, lower: &[f64], upper: &[f64], random: Random) -> Option<Self> {
        let mut values: Vec<Vec<f64>> =
            lower.iter().zip(upper).map(|(&low, &high)| ends(low, high)).collect();
        for ridge in &needs.ridges {
            if let [(input, _)] = ridge.direction[..] {
                values[input] = ridge.allowed.iter().flat_map(|part| ends(part.low, part.high)).collect();
            }
        }
        let mut uses = vec![Vec::new(); lower.len()];
        let mut ridges: Vec<Bound> = Vec::new();
        for ridge in needs.ridges.iter().filter(|ridge| ridge.direction.len() > 1) {
            for &(input, coefficient) in &ridge.direction {
                uses[input].push((ridges.len(), coefficient));
            }
            let size: f64 = ridge.direction.iter().map(|(_, coefficient)| coefficient.abs()).sum();
            let (terms, allowed) = (ridge.direction.clone(), ridge.allowed.clone());
            ridges.push(Bound { terms, allowed, tolerance: ROUNDING * size });
        }
        let powers = std::array::from_fn(|broken| (EPSILON + broken as f64).powf(-EXPONENT));
        let moves = values.iter().any(|values| values.len() > 1);
        (moves && !ridges.is_empty()).then(|| {
            let mut walk = Self {
                random,
                sums: vec![0.0; ridges.len()],
                place: vec![None; ridges.len()],
                point: vec![0.0; values.len()],
                values,
                uses,
                ridges,
                outside: Vec::new(),
                powers,
                moves: 0,
                options: Vec::new(),
            };
            walk.begin();
            walk
        })
    }

    /// Multiplications that a move takes, roughly.
    pub(super) fn price(&self) -> usize {
        let uses: usize = self.uses.iter().map(Vec::len).sum();
        let terms: usize = self.ridges.iter().map(|ridge| ridge.terms.len()).sum();
        // For each input of a ridge, each ridge of that input; and about as much for everything beside.
        20 * (terms / self.ridges.len().max(1)).max(1) * (uses / self.uses.len().max(1)).max(1)
    }

    /// Makes so many moves at most; the point where every ridge is in its intervals.
    pub(super) fn run(&mut self, moves: usize) -> Option<Vec<f64>> {
        for _ in 0..moves {
            if self.outside.is_empty() {
                let found = self.point.clone();
                self.begin();
                return Some(found);
            }
            if self.moves > MOVES_AN_INPUT * self.point.len() {
                self.begin();
            }
            self.step();
        }
        None
    }

    /// Any values.
    fn begin(&mut self) {
        for (x, values) in self.point.iter_mut().zip(&self.values) {
            *x = values[self.random.below(values.len())];
        }
        self.outside.clear();
        self.place.fill(None);
        self.moves = 0;
        for ridge in 0..self.ridges.len() {
            self.sums[ridge] = self.ridges[ridge].terms.iter().map(|&(i, c)| c * self.point[i]).sum();
            self.note(ridge);
        }
    }

    fn step(&mut self) {
        self.moves += 1;
        let ridge = self.outside[self.random.below(self.outside.len())];
        self.options.clear();
        let mut total = 0.0;
        let here = self.ridges[ridge].distance(self.sums[ridge]);
        for &(input, coefficient) in &self.ridges[ridge].terms {
            for &value in &self.values[input] {
                let by = value - self.point[input];
                if self.ridges[ridge].distance(self.sums[ridge] + coefficient * by) >= here {
                    continue;
                }
                total += self.powers[self.broken(input, by).min(POWERS - 1)];
                self.options.push((input, value, total));
            }
        }
        let drawn = self.random.unit() * total;
        let chosen = self.options.partition_point(|option| option.2 <= drawn);
        match self.options.get(chosen.min(self.options.len().saturating_sub(1))) {
            Some(&(input, value, _)) => self.set(input, value),
            // No single move helps: any one, so that the walk does not stand still.
            None => {
                let terms = &self.ridges[ridge].terms;
                let (input, _) = terms[self.random.below(terms.len())];
                let value = self.values[input][self.random.below(self.values[input].len())];
                self.set(input, value);
            }
        }
    }

    /// How many ridges that are inside a move puts outside.
    fn broken(&self, input: usize, by: f64) -> usize {
        let breaks = |&&(ridge, c): &&(usize, f64)| {
            self.place[ridge].is_none() && self.ridges[ridge].distance(self.sums[ridge] + c * by) > 0.0
        };
        self.uses[input].iter().filter(breaks).count()
    }

    fn set(&mut self, input: usize, value: f64) {
        let by = value - self.point[input];
        self.point[input] = value;
        for at in 0..self.uses[input].len() {
            let (ridge, coefficient) = self.uses[input][at];
            self.sums[ridge] += coefficient * by;
            self.note(ridge);
        }
    }

    /// Puts a ridge on the list of those outside, or takes it off.
    fn note(&mut self, ridge: usize) {
        let is_outside = self.ridges[ridge].distance(self.sums[ridge]) > 0.0;
        match (is_outside, self.place[ridge]) {
            (true, None) => {
                self.place[ridge] = Some(self.outside.len());
                self.outside.push(ridge);
            }
            (false, Some(place)) => {
                self.outside.swap_remove(place);
                if let Some(&moved) = self.outside.get(place) {
                    self.place[moved] = Some(place);
                }
                self.place[ridge] = None;
            }
            _ => {}
        }
    }
}

impl Bound {
    /// How far a sum is outside of the nearest interval.
    fn distance(&self, sum: f64) -> f64 {
        let outside = |part: &ClosedInterval| (part.low - sum).max(sum - part.high);
        let least = self.allowed.iter().map(outside).fold(f64::INFINITY, f64::min);
        if least <= self.tolerance { 0.0 } else { least }
    }
}

/// The ends of an interval, and its middle.
fn ends(low: f64, high: f64) -> Vec<f64> {
    if low < high { vec![low, low + 0.5 * (high - low), high] } else { vec![low] }
}

#[cfg(test)]
mod tests {
    use super::super::unfold::Ridge;
    use super::*;

    /// A planted formula with three variables a clause, as ridges: `x − y + z ≥ 1 − number of negated ones`.
    fn planted(variables: usize, clauses: usize, random: &mut Random) -> Needs {
        let hidden: Vec<bool> = (0..variables).map(|_| random.below(2) == 1).collect();
        let point = |x: f64| ClosedInterval { low: x, high: x };
        let choice = |input| Ridge { direction: vec![(input, 1.0)], allowed: vec![point(0.0), point(1.0)] };
        let mut ridges: Vec<Ridge> = (0..variables).map(choice).collect();
        while ridges.len() < variables + clauses {
            let mut inputs: Vec<usize> = (0..3).map(|_| random.below(variables)).collect();
            inputs.sort_unstable();
            inputs.dedup();
            let signs: Vec<bool> = inputs.iter().map(|_| random.below(2) == 1).collect();
            if inputs.len() < 3 || !inputs.iter().zip(&signs).any(|(&i, &sign)| hidden[i] == sign) {
                continue;
            }
            let sign = |positive: bool| if positive { 1.0 } else { -1.0 };
            let direction = inputs.iter().zip(&signs).map(|(&i, &positive)| (i, sign(positive))).collect();
            let negated = signs.iter().filter(|positive| !**positive).count() as f64;
            ridges.push(Ridge { direction, allowed: vec![ClosedInterval { low: 1.0 - negated, high: 3.0 }] });
        }
        Needs { ridges, sums: Vec::new(), narrows: true }
    }

    fn holds(needs: &Needs, point: &[f64]) -> bool {
        needs.ridges.iter().all(|ridge| {
            let sum: f64 = ridge.direction.iter().map(|&(i, c)| c * point[i]).sum();
            ridge.allowed.iter().any(|part| part.low - 1e-9 <= sum && sum <= part.high + 1e-9)
        })
    }

    #[test]
    fn planted_formulas_are_solved_and_solutions_hold() {
        let mut random = Random::new(11);
        for (variables, clauses) in [(20, 60), (100, 380), (300, 1140)] {
            let needs = planted(variables, clauses, &mut random);
            let (lower, upper) = (vec![0.0; variables], vec![1.0; variables]);
            let mut walk = RidgeWalk::new(&needs, &lower, &upper, random.fork(1)).unwrap();
            let found = walk.run(2_000_000).unwrap_or_else(|| panic!("{variables} variables"));
            assert!(holds(&needs, &found), "{variables} variables");
        }
    }

    #[test]
    fn sums_and_the_list_stay_true() {
        let mut random = Random::new(2);
        let needs = planted(30, 160, &mut random);
        let mut walk = RidgeWalk::new(&needs, &[0.0; 30], &[1.0; 30], random.fork(1)).unwrap();
        for _ in 0..50 {
            if walk.run(20).is_none() {
                for (number, ridge) in walk.ridges.iter().enumerate() {
                    let sum: f64 = ridge.terms.iter().map(|&(i, c)| c * walk.point[i]).sum();
                    assert_eq!(sum, walk.sums[number]);
                    assert_eq!(walk.outside.contains(&number), ridge.distance(sum) > 0.0);
                }
            }
        }
    }

    #[test]
    fn without_ridges_of_several_inputs_there_is_no_walk() {
        let alone =
            Ridge { direction: vec![(0, 1.0)], allowed: vec![ClosedInterval { low: 0.5, high: 0.5 }] };
        let needs = Needs { ridges: vec![alone], sums: Vec::new(), narrows: true };
        assert!(RidgeWalk::new(&needs, &[0.0], &[1.0], Random::new(0)).is_none());
    }
}
