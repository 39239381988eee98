//! Which flat index of the searched network's inputs and outputs a VNN-LIB variable stands for.
//!
//! The search sees one network, whatever the query declares ([`crate::problem`] makes it): the inputs of all declared
//! networks one after the other, the hidden tensors and outputs one after the other, and behind them the products of
//! variables that the query multiplies. Inputs that the query sets equal, `(== X_f[0] X_g[0])`, are one input of the
//! search: nothing else keeps two floats equal to the last bit. Those that follow from outputs ([`followed`]) are
//! none: each is the output that it copies, or a sum of its own between the declared outputs and the products.

use std::collections::{BTreeMap, BTreeSet};

use vnnlib::{Comparison, Formula, NormalForm, NotLinear, Query, Role, Variable};

use super::followed::{self, AssertedEquation, FollowedInput};
use super::lower::PropertyError;
use crate::onnx::ElementType;

/// The two vectors that rows speak about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// The flat input vector of the search.
    Input,
    /// The flat output vector: hidden tensors and outputs in declaration order, then inputs that follow as sums, then products.
    Output,
}

/// One factor of a product: where it lies, and its power.
pub type Factor = ((Space, usize), u32);

/// The ways in which the query writes one product, coupled inputs being one.
type Spellings = Vec<Vec<Variable>>;

/// Offsets of the declared tensors in the flat vectors, couplings, products.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    tensors: Vec<(Space, usize)>,
    /// For each declared flat input, the input of the search; `None` for one that follows.
    merged: Vec<Option<usize>>,
    /// For each declared flat input, the variable that stands for it and its equals.
    leaders: Vec<Variable>,
    /// Element type of each input of the search.
    elements: Vec<ElementType>,
    /// Element type of each declared flat input.
    declared_elements: Vec<ElementType>,
    /// The inputs that follow, each after those that it follows from.
    followed: Vec<FollowedInput>,
    /// Where each declared flat input that follows lies among the outputs.
    follow_places: BTreeMap<usize, usize>,
    /// How many of those that follow are sums of their own.
    sums: usize,
    /// The order in which the networks are computed.
    order: Vec<usize>,
    /// The numbers of comparisons that hold because of what inputs are one and which follow.
    satisfied: BTreeSet<u32>,
    declared_outputs: usize,
    products: Vec<Vec<Factor>>,
    /// The query's products, sorted, with their position in `products`.
    by_variables: BTreeMap<Vec<Variable>, usize>,
}

impl Layout {
    /// Inputs in declaration order in one vector, everything else in declaration order in the other. `elements` are
    /// the models' types of the declared flat inputs.
    ///
    /// # Errors
    /// If a product cannot be multiplied out.
    pub fn new(query: &Query, form: &NormalForm, elements: &[ElementType]) -> Result<Self, PropertyError> {
        let (mut tensors, mut inputs, mut declared_outputs) = (Vec::new(), 0, 0);
        for tensor in query.tensors() {
            let (space, next) = match tensor.role() {
                Role::Input => (Space::Input, &mut inputs),
                Role::Output | Role::Hidden => (Space::Output, &mut declared_outputs),
            };
            tensors.push((space, *next));
            *next += tensor.len();
        }
        let element = |input: usize| elements.get(input).copied().unwrap_or(ElementType::Float32);
        let mut layout = Self {
            tensors,
            merged: Vec::new(),
            leaders: input_variables(query),
            elements: Vec::new(),
            declared_elements: (0..inputs).map(element).collect(),
            followed: Vec::new(),
            follow_places: BTreeMap::new(),
            sums: 0,
            order: Vec::new(),
            satisfied: BTreeSet::new(),
            declared_outputs,
            products: Vec::new(),
            by_variables: BTreeMap::new(),
        };
        let classes = layout.classes(inputs, form, element);
        layout.follow(query, form, &classes, element);
        let mut leaders: Vec<usize> = layout.searched_classes(&classes);
        leaders.sort_unstable();
        leaders.dedup();
        layout.elements = leaders.iter().map(|&input| element(input)).collect();
        let place = |class: &usize| leaders.binary_search(class).ok();
        layout.merged = classes.iter().map(place).collect();
        layout.multiply(query)?;
        Ok(layout)
    }

    /// Merges inputs of one type that every case sets equal: for each, the first input of its class.
    fn classes(
        &mut self,
        inputs: usize,
        form: &NormalForm,
        element: impl Fn(usize) -> ElementType,
    ) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..inputs).collect();
        let root = |classes: &[usize], mut input: usize| {
            while classes[input] != input {
                input = classes[input];
            }
            input
        };
        for equation in followed::equations(form) {
            let Some((a, b)) = self.coupling(&equation) else { continue };
            let (a, b) = (root(&classes, a), root(&classes, b));
            if element(a) == element(b) {
                classes[a.max(b)] = a.min(b);
                self.satisfied.extend(equation.comparisons);
            }
        }
        for input in 0..inputs {
            classes[input] = classes[classes[input]];
            self.leaders[input] = self.leaders[classes[input]];
        }
        classes
    }

    /// Finds the inputs that follow, and where each lies.
    fn follow(
        &mut self,
        query: &Query,
        form: &NormalForm,
        classes: &[usize],
        element: impl Fn(usize) -> ElementType,
    ) {
        let follows = followed::find(query, form, classes, &input_variables(query), element);
        for input in &follows.inputs {
            let copied = input.copied().map(|variable| (variable, self.place_of(variable)));
            let place = match copied {
                Some((variable, Some(place))) => {
                    input.members.iter().for_each(|&member| self.leaders[member] = variable);
                    place
                }
                _ => {
                    self.sums += 1;
                    self.declared_outputs + self.sums - 1
                }
            };
            self.follow_places.extend(input.members.iter().map(|&member| (member, place)));
        }
        self.satisfied.extend(follows.satisfied);
        (self.followed, self.order) = (follows.inputs, follows.order);
    }

    /// Where a variable lies among the declared outputs, if it does.
    fn place_of(&self, variable: Variable) -> Option<usize> {
        match self.tensors.get(variable.tensor().index())? {
            (Space::Output, offset) => Some(offset + variable.element()),
            _ => None,
        }
    }

    /// The classes that are inputs of the search.
    fn searched_classes(&self, classes: &[usize]) -> Vec<usize> {
        let is_free = |&(input, _): &(usize, &usize)| !self.follow_places.contains_key(&input);
        classes.iter().enumerate().filter(is_free).map(|(_, &class)| class).collect()
    }

    /// The two declared inputs that an equation sets equal.
    fn coupling(&self, equation: &AssertedEquation) -> Option<(usize, usize)> {
        let [(a, one), (b, other)] = equation.row.terms.as_slice() else { return None };
        let opposite = one.value == -other.value && equation.row.constant.value == 0.0;
        (followed::is_exact(&equation.row) && opposite)
            .then_some((self.declared_input(*a)?, self.declared_input(*b)?))
    }

    fn declared_input(&self, variable: Variable) -> Option<usize> {
        match self.tensors.get(variable.tensor().index())? {
            (Space::Input, offset) => Some(offset + variable.element()),
            _ => None,
        }
    }

    /// Collects the products of the query's comparisons, in the order of their powers.
    fn multiply(&mut self, query: &Query) -> Result<(), PropertyError> {
        let mut found: BTreeMap<(Vec<u32>, Vec<Factor>), Spellings> = BTreeMap::new();
        let mut left: Vec<Formula<'_>> = query.assertions().map(|assertion| assertion.formula()).collect();
        while let Some(formula) = left.pop() {
            let comparison = match formula {
                Formula::And(operands) | Formula::Or(operands) => {
                    left.extend(operands);
                    continue;
                }
                Formula::Compare(comparison) => comparison,
            };
            if comparison.as_bound().is_some() || comparison.linear() != Err(NotLinear::Polynomial) {
                continue;
            }
            let row = comparison
                .polynomial(|variable| self.leader(variable))
                .map_err(|reason| PropertyError::not_polynomial(query, comparison, reason))?;
            for (variables, _) in row.terms.into_iter().filter(|(variables, _)| variables.len() > 1) {
                let factors = self.factors(&variables);
                let powers = factors.iter().map(|&(_, power)| power).collect();
                found.entry((powers, factors)).or_default().push(variables);
            }
        }
        for ((_, factors), spellings) in found {
            let number = self.products.len();
            self.products.push(factors);
            self.by_variables.extend(spellings.into_iter().map(|variables| (variables, number)));
        }
        Ok(())
    }

    fn factors(&self, variables: &[Variable]) -> Vec<Factor> {
        let mut powers: BTreeMap<(Space, usize), u32> = BTreeMap::new();
        variables.iter().for_each(|&variable| *powers.entry(self.place(variable)).or_default() += 1);
        powers.into_iter().collect()
    }

    /// Number of inputs of the search.
    pub fn inputs(&self) -> usize {
        self.elements.len()
    }

    /// Number of inputs that the query declares.
    pub fn declared_inputs(&self) -> usize {
        self.merged.len()
    }

    /// Length of the flat output vector.
    pub fn outputs(&self) -> usize {
        self.declared_outputs + self.sums + self.products.len()
    }

    /// The inputs that follow from other variables, each after those that it follows from.
    pub fn followed(&self) -> &[FollowedInput] {
        &self.followed
    }

    /// The declared outputs that they follow from.
    pub fn followed_outputs(&self) -> impl Iterator<Item = usize> + '_ {
        let variables = self.followed.iter().flat_map(|input| &input.terms);
        variables.filter_map(|&(variable, _)| self.place_of(variable))
    }

    /// How many of them are sums of their own, which lie behind the declared outputs.
    pub fn sums(&self) -> usize {
        self.sums
    }

    /// The networks in the order in which they are computed: each behind those that it reads.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Whether a comparison holds by itself: its variables are one, or it determines one of them.
    pub fn satisfies(&self, comparison: Comparison<'_>) -> bool {
        self.satisfied.contains(&comparison.number())
    }

    /// Number of hidden values and outputs that the query declares.
    pub fn declared_outputs(&self) -> usize {
        self.declared_outputs
    }

    /// The element type of an input of the search.
    pub fn element(&self, input: usize) -> ElementType {
        self.elements.get(input).copied().unwrap_or(ElementType::Float32)
    }

    /// The element type of a declared input.
    pub fn element_of_declared(&self, declared: usize) -> ElementType {
        self.declared_elements.get(declared).copied().unwrap_or(ElementType::Float32)
    }

    /// For each declared input, in declaration order, the input of the search that gives its value; `None` for one that follows.
    pub fn sources(&self) -> &[Option<usize>] {
        &self.merged
    }

    /// Declared inputs as inputs of the search: of those that are one, the last.
    pub fn searched(&self, declared: &[f64]) -> Vec<f64> {
        let mut point = vec![0.0; self.inputs()];
        let given = self.merged.iter().zip(declared);
        given.for_each(|(source, &x)| source.iter().for_each(|&source| point[source] = x));
        point
    }

    /// Whether some declared inputs are one input of the search, or none.
    pub fn has_couplings(&self) -> bool {
        self.merged.len() != self.elements.len()
    }

    /// The products that follow the declared outputs, those with the same powers side by side.
    pub fn products(&self) -> &[Vec<Factor>] {
        &self.products
    }

    /// Where a variable lies.
    pub fn place(&self, variable: Variable) -> (Space, usize) {
        let (space, offset) = self.tensors[variable.tensor().index()];
        let flat = offset + variable.element();
        if space == Space::Input { self.place_of_input(flat) } else { (space, flat) }
    }

    /// Where a declared input lies.
    pub fn place_of_input(&self, declared: usize) -> (Space, usize) {
        match (self.merged[declared], self.follow_places.get(&declared)) {
            (Some(source), _) => (Space::Input, source),
            (None, place) => (Space::Output, place.copied().unwrap_or_default()),
        }
    }

    /// Where a product of several variables lies, each being a [`Layout::leader`].
    pub fn place_of_product(&self, variables: &[Variable]) -> Option<(Space, usize)> {
        let number = self.by_variables.get(variables)?;
        Some((Space::Output, self.declared_outputs + self.sums + number))
    }

    /// The variable of an input of the search.
    pub fn variable(&self, input: usize) -> Option<Variable> {
        let declared = self.merged.iter().position(|&merged| merged == Some(input))?;
        self.leaders.get(declared).copied()
    }

    /// The variable that stands for this one: another one where the query sets both equal.
    pub fn leader(&self, variable: Variable) -> Variable {
        let input = self.declared_input(variable);
        input.and_then(|input| self.leaders.get(input)).copied().unwrap_or(variable)
    }
}

/// The declared inputs, in declaration order.
fn input_variables(query: &Query) -> Vec<Variable> {
    let inputs = query.tensor_ids().filter(|(_, tensor)| tensor.role() == Role::Input);
    inputs.flat_map(|(id, tensor)| (0..tensor.len()).filter_map(move |i| query.variable(id, i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "(vnnlib-version <2.0>)\
        (declare-network f (declare-input X float32 [2]) (declare-output Y float32 [1]))\
        (declare-network g (declare-input U float32 [2]) (declare-output V float32 [1]))";

    fn layout(assertions: &str, elements: &[ElementType]) -> Layout {
        let query = vnnlib::parse(format!("{TWO}{assertions}")).unwrap();
        let form = query.normal_form(100).unwrap();
        Layout::new(&query, &form, elements).unwrap()
    }

    #[test]
    fn equal_inputs_are_one() {
        let float = [ElementType::Float32; 4];
        let cases: [(&str, &[usize]); 6] = [
            ("(assert (<= X[0] U[0]))", &[0, 1, 2, 3]),
            ("(assert (== X[0] U[0]))", &[0, 1, 0, 2]),
            ("(assert (and (== (- U[1] X[0]) 0.0) (== X[1] U[1])))", &[0, 0, 1, 0]),
            ("(assert (== X[0] (+ U[0] 1.0 Y[0] V[0])))", &[0, 1, 2, 3]),
            ("(assert (<= X[0] U[0]))(assert (<= U[0] X[0]))", &[0, 1, 0, 2]),
            ("(assert (or (== X[0] U[0]) (<= Y[0] 1.0)))", &[0, 1, 2, 3]),
        ];
        for (assertions, want) in cases {
            let want: Vec<_> = want.iter().copied().map(Some).collect();
            assert_eq!(layout(assertions, &float).sources(), want, "{assertions}");
        }
        let mixed = [float[0], float[1], ElementType::Float64, ElementType::Float64];
        assert_eq!(layout("(assert (== X[0] U[0]))", &mixed).sources(), [0, 1, 2, 3].map(Some));
    }

    #[test]
    fn inputs_that_follow_are_outputs() {
        use Space::{Input, Output};
        // Where X[0], X[1], U[0], U[1] lie, behind the outputs Y[0] and V[0], and the order of the networks.
        let check = |assertions: &str, want: [(Space, usize); 4], order: [usize; 2]| {
            let layout = layout(assertions, &[ElementType::Float32; 4]);
            let places: Vec<_> = (0..4).map(|input| layout.place_of_input(input)).collect();
            assert_eq!(places, want, "{assertions}");
            assert_eq!(layout.order(), order, "{assertions}");
        };
        let free = [(Input, 0), (Input, 1), (Input, 2), (Input, 3)];
        let one = [(Input, 0), (Input, 1), (Output, 0), (Input, 2)];
        check("(assert (== U[0] Y[0]))", one, [0, 1]);
        check("(assert (<= U[0] Y[0]))(assert (>= (- U[0] Y[0]) 0.0))", one, [0, 1]);
        check("(assert (<= U[0] Y[0]))", free, [0, 1]);
        check("(assert (or (== U[0] Y[0]) (<= Y[0] 1.0)))", free, [0, 1]);
        check("(assert (== X[1] V[0]))", [(Input, 0), (Output, 1), (Input, 1), (Input, 2)], [1, 0]);
        // Of two equalities in a circle only one is solved; an input never follows from its own network.
        check("(assert (== U[0] Y[0]))(assert (== X[1] V[0]))", one, [0, 1]);
        check("(assert (== X[0] Y[0]))", free, [0, 1]);
        // Sums lie behind the outputs; only what is divided by a power of two is exact.
        let sum = [(Input, 0), (Input, 1), (Input, 2), (Output, 2)];
        check("(assert (== U[1] (+ (* 3.0 Y[0]) X[0] 1.0)))", sum, [0, 1]);
        check("(assert (== (* 0.5 U[1]) (- Y[0] 0.1)))", sum, [0, 1]);
        check("(assert (== (* 3.0 U[1]) Y[0]))", free, [0, 1]);
        // Equal inputs follow together, and what follows is followed.
        let both = [(Input, 0), (Input, 1), (Output, 0), (Output, 0)];
        check("(assert (== U[0] Y[0]))(assert (== U[0] U[1]))", both, [0, 1]);
        let after = [(Input, 0), (Input, 1), (Output, 0), (Output, 2)];
        check("(assert (== U[0] Y[0]))(assert (== U[1] (+ U[0] 1.0)))", after, [0, 1]);
        // Sums of inputs alone stay rows; a single input follows another one.
        check("(assert (== (+ X[0] X[1] U[0]) 1.0))", free, [0, 1]);
        let scaled = [(Input, 0), (Input, 1), (Input, 2), (Output, 2)];
        check("(assert (== U[1] (+ X[0] 1.0)))", scaled, [0, 1]);
        // An input of f that equals one of g may not follow from f.
        check(
            "(assert (== U[0] X[0]))(assert (== U[0] Y[0]))",
            [(Input, 0), (Input, 1), (Input, 0), (Input, 2)],
            [0, 1],
        );
    }

    #[test]
    fn products_lie_behind_the_outputs() {
        let text = "(assert (== X[0] U[0]))(assert (<= (* X[0] U[0] Y[0]) (* V[0] V[0])))\
                    (assert (or (<= (* V[0] V[0]) 2.0) (<= (* Y[0] X[1]) 1.0)))";
        let layout = layout(text, &[ElementType::Float32; 4]);
        let (x, y) = ((Space::Input, 0), (Space::Output, 0));
        let want =
            [vec![((Space::Input, 1), 1), (y, 1)], vec![((Space::Output, 1), 2)], vec![(x, 2), (y, 1)]];
        assert_eq!(layout.products(), want);
        assert_eq!((layout.declared_outputs(), layout.outputs()), (2, 5));
    }
}
