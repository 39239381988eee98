//! Inputs that an equality of every case determines, such as those of a network that reads what another one computes,
//! `(== X_g[0] Y_f[0])`: nothing but computing them keeps both sides equal to the last bit, so they are no free inputs.
//!
//! An equality is solved for an input with a power of two before it, so that the solution is exact. What it is solved for must not
//! decide what it is solved by: an input of `f` that equals an output of `f` stays free, and its equality a row. Equalities of inputs
//! alone with three terms or more stay rows too: judges add them up in the inputs' type, and only rounding all of their
//! inputs to one grid keeps such a sum.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vnnlib::{Coefficient, Comparison, LinearRow, NormalForm, Query, Relation, Variable};

use crate::onnx::ElementType;

/// An input that an equality determines: `scale · input + what else stands there = 0`.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowedInput {
    /// The variable that the equality is solved for.
    pub variable: Variable,
    /// It, and all inputs that the query sets equal to it: places among the declared inputs.
    pub members: Vec<usize>,
    /// The number of the equality ([`Comparison::number`]).
    pub comparison: u32,
    /// Its coefficient in the difference of the equality's sides: a power of two, or the opposite of one.
    pub scale: f64,
    /// The solution's variables with their coefficients.
    pub terms: Vec<(Variable, f64)>,
    /// The solution's constant.
    pub constant: f64,
    /// The networks whose outputs are among the variables.
    pub networks: BTreeSet<usize>,
}

impl FollowedInput {
    /// The variable that it copies, if it does.
    pub fn copied(&self) -> Option<Variable> {
        match self.terms.as_slice() {
            &[(variable, 1.0)] if self.constant == 0.0 => Some(variable),
            _ => None,
        }
    }
}

/// An equation: an equality, or two inequalities that say the same.
pub(super) struct AssertedEquation {
    /// The numbers of the comparisons.
    pub(super) comparisons: Vec<u32>,
    pub(super) row: LinearRow,
}

/// A row's terms and its constant, bit by bit.
type RowBits = (Vec<(Variable, u64)>, u64);

/// The equations of every case, in the order of the text.
pub(super) fn equations(form: &NormalForm) -> Vec<AssertedEquation> {
    let mut found = Vec::new();
    let mut sides: HashMap<RowBits, (bool, u32)> = HashMap::new();
    for comparison in form.common().filter(|comparison| comparison.as_bound().is_none()) {
        let is_upper = match comparison.relation() {
            Relation::Equal => None,
            Relation::LessEqual => Some(true),
            Relation::GreaterEqual => Some(false),
            _ => continue,
        };
        let Ok(row) = comparison.linear() else { continue };
        let Some(is_upper) = is_upper else {
            found.push(AssertedEquation { comparisons: vec![comparison.number()], row });
            continue;
        };
        // Both sides of a band of no width have one spelling: the first coefficient is positive.
        let Some(&(_, first)) = row.terms.first() else { continue };
        let sign = if first.value < 0.0 { -1.0 } else { 1.0 };
        let bits = |c: &Coefficient| (sign * c.value + 0.0).to_bits();
        let key = (row.terms.iter().map(|(v, c)| (*v, bits(c))).collect(), bits(&row.constant));
        let side = is_upper == (sign > 0.0);
        match sides.get(&key) {
            Some(&(other, number)) if other != side && is_exact(&row) => {
                found.push(AssertedEquation { comparisons: vec![number, comparison.number()], row });
            }
            _ => drop(sides.insert(key, (side, comparison.number()))),
        }
    }
    found
}

/// Whether every coefficient is the file's to the last digit.
pub(super) fn is_exact(row: &LinearRow) -> bool {
    row.terms.iter().map(|(_, c)| c).chain([&row.constant]).all(|c| c.error == 0.0)
}

/// The inputs of a query that follow from other variables, and in which order its networks are then computed.
pub(super) struct Follows {
    pub(super) inputs: Vec<FollowedInput>,
    pub(super) order: Vec<usize>,
    /// The numbers of the comparisons that they satisfy by themselves.
    pub(super) satisfied: BTreeSet<u32>,
}

/// Finds the inputs that follow. `classes` has for each declared input the first one that the query sets equal to it; `variables` are
/// the declared inputs.
pub(super) fn find(
    query: &Query,
    form: &NormalForm,
    classes: &[usize],
    variables: &[Variable],
    element: impl Fn(usize) -> ElementType,
) -> Follows {
    let place: HashMap<Variable, usize> = variables.iter().enumerate().map(|(i, &v)| (v, i)).collect();
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (input, &class) in classes.iter().enumerate() {
        members.entry(class).or_default().push(input);
    }
    let mut finder = FollowFinder {
        query,
        classes,
        members,
        variables,
        place,
        reads: vec![BTreeSet::new(); query.networks().len()],
        free: BTreeSet::new(),
        found: BTreeMap::new(),
        inputs: Vec::new(),
    };
    let mut satisfied = BTreeSet::new();
    for equation in equations(form) {
        if finder.solve(&equation, &element) {
            satisfied.extend(equation.comparisons);
        }
    }
    Follows { order: finder.order(), inputs: finder.inputs, satisfied }
}

struct FollowFinder<'q> {
    query: &'q Query,
    classes: &'q [usize],
    /// By class, its inputs.
    members: BTreeMap<usize, Vec<usize>>,
    variables: &'q [Variable],
    place: HashMap<Variable, usize>,
    /// For each network, those whose outputs its inputs follow from.
    reads: Vec<BTreeSet<usize>>,
    /// Classes of inputs that others follow from: they stay free.
    free: BTreeSet<usize>,
    /// Classes that follow, with the networks that they follow from.
    found: BTreeMap<usize, BTreeSet<usize>>,
    inputs: Vec<FollowedInput>,
}

impl FollowFinder<'_> {
    /// Solves an equation for one of its inputs, if that is possible.
    fn solve(&mut self, equation: &AssertedEquation, element: &impl Fn(usize) -> ElementType) -> bool {
        let row = &equation.row;
        let has_outputs = row.terms.iter().any(|(variable, _)| !self.place.contains_key(variable));
        if row.terms.len() < 2 || (row.terms.len() > 2 && !has_outputs) {
            return false;
        }
        // The later variable reads the earlier one, where both could.
        for (at, &(variable, coefficient)) in row.terms.iter().enumerate().rev() {
            let Some(&input) = self.place.get(&variable) else { continue };
            let is_power = coefficient.error == 0.0 && is_power_of_two(coefficient.value);
            let inputs = row.terms.iter().filter_map(|(variable, _)| self.place.get(variable));
            let is_one_type = element(input).is_float()
                && inputs.into_iter().all(|&other| element(other) == element(input))
                && self.types_agree(row);
            if is_power && is_one_type && self.can_follow(input, at, row) {
                self.follow(input, at, equation);
                return true;
            }
        }
        false
    }

    fn types_agree(&self, row: &LinearRow) -> bool {
        let declared = |v: &Variable| self.query.tensors()[v.tensor().index()].element_type();
        let first = row.terms.first().map(|(v, _)| declared(v));
        row.terms.iter().all(|(v, _)| Some(declared(v)) == first)
    }

    /// Whether nothing that the rest of a row depends on depends on this input.
    fn can_follow(&self, input: usize, at: usize, row: &LinearRow) -> bool {
        let class = self.classes[input];
        if self.free.contains(&class) || self.found.contains_key(&class) {
            return false;
        }
        let others = row.terms.iter().enumerate().filter(|&(other, _)| other != at);
        let mut places = others.filter_map(|(_, (variable, _))| self.place.get(variable));
        if places.any(|&place| self.classes[place] == class) {
            return false;
        }
        let needed = self.reach(&self.networks_of(at, row));
        self.members[&class].iter().all(|&member| !needed.contains(&self.network_of(member)))
    }

    fn follow(&mut self, input: usize, at: usize, equation: &AssertedEquation) {
        let row = &equation.row;
        let class = self.classes[input];
        let networks = self.networks_of(at, row);
        let members = self.members[&class].clone();
        for &member in &members {
            let network = self.network_of(member);
            self.reads[network].extend(networks.iter().copied());
        }
        let (variable, scale) = (row.terms[at].0, row.terms[at].1.value);
        let others = row.terms.iter().enumerate().filter(|&(other, _)| other != at);
        let terms = others.map(|(_, &(v, c))| (v, -c.value / scale)).collect();
        for (v, _) in &row.terms {
            if let Some(&place) = self.place.get(v)
                && self.classes[place] != class
                && !self.found.contains_key(&self.classes[place])
            {
                self.free.insert(self.classes[place]);
            }
        }
        self.found.insert(class, networks.clone());
        let (comparison, constant) = (equation.comparisons[0], -row.constant.value / scale + 0.0);
        self.inputs.push(FollowedInput { variable, members, comparison, scale, terms, constant, networks });
    }

    /// The networks that the rest of a row reads.
    fn networks_of(&self, at: usize, row: &LinearRow) -> BTreeSet<usize> {
        let others = row.terms.iter().enumerate().filter(|&(other, _)| other != at);
        let mut networks = BTreeSet::new();
        for (_, (variable, _)) in others {
            match self.place.get(variable) {
                None => drop(networks.insert(self.query.tensors()[variable.tensor().index()].network())),
                Some(&place) => networks.extend(self.found.get(&self.classes[place]).into_iter().flatten()),
            }
        }
        networks
    }

    /// They, and all that they read.
    fn reach(&self, networks: &BTreeSet<usize>) -> BTreeSet<usize> {
        let (mut reached, mut left) = (BTreeSet::new(), networks.iter().copied().collect::<Vec<_>>());
        while let Some(network) = left.pop() {
            if reached.insert(network) {
                left.extend(&self.reads[network]);
            }
        }
        reached
    }

    fn network_of(&self, input: usize) -> usize {
        self.query.tensors()[self.variables[input].tensor().index()].network()
    }

    /// The networks, each behind those that it reads; otherwise in the order of their declarations.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        let is_ready = |order: &[usize], network: &usize| {
            !order.contains(network) && self.reads[*network].iter().all(|read| order.contains(read))
        };
        while let Some(next) = (0..self.reads.len()).find(|network| is_ready(&order, network)) {
            order.push(next);
        }
        order
    }
}

fn is_power_of_two(x: f64) -> bool {
    x != 0.0 && x.is_normal() && x.to_bits().trailing_zeros() >= 52
}

/// The comparisons with these numbers, wherever they stand.
pub fn comparisons_of<'q>(query: &'q Query, numbers: &BTreeSet<u32>) -> HashMap<u32, Comparison<'q>> {
    let mut left: Vec<_> = query.assertions().map(|assertion| assertion.formula()).collect();
    let mut found = HashMap::new();
    while let Some(formula) = left.pop() {
        match formula {
            vnnlib::Formula::And(operands) | vnnlib::Formula::Or(operands) => left.extend(operands),
            vnnlib::Formula::Compare(comparison) => {
                if numbers.contains(&comparison.number()) {
                    found.insert(comparison.number(), comparison);
                }
            }
        }
    }
    found
}
