//! Which flat index of the searched network's inputs and outputs a VNN-LIB variable stands for.
//!
//! The search sees one network, whatever the query declares ([`crate::problem`] makes it): the inputs of all declared
//! networks one after the other, the hidden tensors and outputs one after the other, and behind them the products of
//! variables that the query multiplies. Inputs that the query sets equal, `(== X_f[0] X_g[0])`, are one input of the
//! search: nothing else keeps two floats equal to the last bit.

use std::collections::BTreeMap;

use vnnlib::{Comparison, Formula, NormalForm, NotLinear, Query, Relation, Role, Variable};

use super::lower::PropertyError;
use crate::onnx::ElementType;

/// The two vectors that rows speak about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// The flat input vector of the search.
    Input,
    /// The flat output vector: hidden tensors and outputs in declaration order, then products.
    Output,
}

/// One factor of a product: where it lies, and its power.
pub type Factor = ((Space, usize), u32);

/// The ways in which the query writes one product, coupled inputs being one.
type Spellings = Vec<Vec<Variable>>;

/// Offsets of the declared tensors in the flat vectors, couplings, products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    tensors: Vec<(Space, usize)>,
    /// For each declared flat input, the input of the search.
    merged: Vec<usize>,
    /// For each declared flat input, the variable that stands for it and its equals.
    leaders: Vec<Variable>,
    /// Element type of each input of the search.
    elements: Vec<ElementType>,
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
            merged: (0..inputs).collect(),
            leaders: input_variables(query),
            elements: Vec::new(),
            declared_outputs,
            products: Vec::new(),
            by_variables: BTreeMap::new(),
        };
        layout.couple(form, element);
        let mut leaders: Vec<usize> = layout.merged.clone();
        leaders.sort_unstable();
        leaders.dedup();
        layout.elements = leaders.iter().map(|&input| element(input)).collect();
        for merged in &mut layout.merged {
            *merged = leaders.partition_point(|leader| leader < merged);
        }
        layout.multiply(query)?;
        Ok(layout)
    }

    /// Merges inputs of one type that every case sets equal: each class is led by its first input.
    fn couple(&mut self, form: &NormalForm, element: impl Fn(usize) -> ElementType) {
        let couplings: Vec<_> = form.common().filter_map(|comparison| self.coupling(comparison)).collect();
        for (a, b) in couplings {
            let (a, b) = (self.root(a), self.root(b));
            if element(a) == element(b) {
                self.merged[a.max(b)] = a.min(b);
            }
        }
        for input in 0..self.merged.len() {
            self.merged[input] = self.merged[self.merged[input]];
            self.leaders[input] = self.leaders[self.merged[input]];
        }
    }

    /// The first input of a class while classes are merged.
    fn root(&self, mut input: usize) -> usize {
        while self.merged[input] != input {
            input = self.merged[input];
        }
        input
    }

    /// The two declared inputs that a comparison sets equal.
    fn coupling(&self, comparison: Comparison<'_>) -> Option<(usize, usize)> {
        if comparison.relation() != Relation::Equal || comparison.as_bound().is_some() {
            return None;
        }
        let row = comparison.linear().ok()?;
        let [(a, one), (b, other)] = row.terms.as_slice() else { return None };
        let exact = [one, other, &row.constant].iter().all(|c| c.error == 0.0);
        let opposite = one.value == -other.value && row.constant.value == 0.0;
        (exact && opposite).then_some((self.declared_input(*a)?, self.declared_input(*b)?))
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
        self.declared_outputs + self.products.len()
    }

    /// Number of hidden values and outputs that the query declares.
    pub fn declared_outputs(&self) -> usize {
        self.declared_outputs
    }

    /// The element type of an input of the search.
    pub fn element(&self, input: usize) -> ElementType {
        self.elements.get(input).copied().unwrap_or(ElementType::Float32)
    }

    /// For each declared input, in declaration order, the input of the search that gives its value.
    pub fn sources(&self) -> &[usize] {
        &self.merged
    }

    /// Whether some declared inputs are one input of the search.
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
        (space, if space == Space::Input { self.merged[flat] } else { flat })
    }

    /// Where a product of several variables lies, each being a [`Layout::leader`].
    pub fn place_of_product(&self, variables: &[Variable]) -> Option<(Space, usize)> {
        let number = self.by_variables.get(variables)?;
        Some((Space::Output, self.declared_outputs + number))
    }

    /// The variable of an input of the search.
    pub fn variable(&self, input: usize) -> Option<Variable> {
        let declared = self.merged.iter().position(|&merged| merged == input)?;
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
        let cases: [(&str, &[usize]); 5] = [
            ("(assert (<= X[0] U[0]))", &[0, 1, 2, 3]),
            ("(assert (== X[0] U[0]))", &[0, 1, 0, 2]),
            ("(assert (and (== (- U[1] X[0]) 0.0) (== X[1] U[1])))", &[0, 0, 1, 0]),
            ("(assert (== X[0] (+ U[0] 1.0)))", &[0, 1, 2, 3]),
            ("(assert (or (== X[0] U[0]) (<= Y[0] 1.0)))", &[0, 1, 2, 3]),
        ];
        for (assertions, want) in cases {
            assert_eq!(layout(assertions, &float).sources(), want, "{assertions}");
        }
        let mixed = [float[0], float[1], ElementType::Float64, ElementType::Float64];
        assert_eq!(layout("(assert (== X[0] U[0]))", &mixed).sources(), [0, 1, 2, 3]);
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
