//! The competition's judges: how they round, where they are lenient.
//!
//! They read the property and the inputs as doubles. In 2026 inputs are then cast to the network's type, and a plain
//! bound `X_3 <= 0.5` is compared in that type (NumPy 2 converts the Python float); other comparisons of VNN-LIB 1.0
//! are doubles, those of 2.0 are computed in the network's type from left to right. In 2025 everything was compared
//! as doubles, the outputs being those that the tool had listed. Both allow an input to leave its bounds by 1e-4,
//! 2025 also an output, but count only what needs no tolerance as proof.

use vnnlib::{
    Comparison, Event, Formula, Formulas, Operator, Query, Relation, Role, Term, Variable, Version,
};

use super::replay::cast;
use crate::onnx::ElementType;

/// What a judge forgives, and in which type it compares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How far a constraint of inputs alone may be off, absolutely.
    pub input_tolerance: f64,
    /// How far any other constraint may be off.
    pub output_tolerance: f64,
    /// The type that comparisons are rounded to, as described above, where the property declares none; `None` for
    /// plain doubles everywhere.
    pub element: Option<ElementType>,
}

impl Rules {
    /// The judge of 2026 without tolerance; `element` is the network's input type.
    pub fn strict_2026(element: ElementType) -> Self {
        Self { input_tolerance: 0.0, output_tolerance: 0.0, element: Some(element) }
    }

    /// The judge of 2026 as it scores: inputs may be off by 1e-4.
    pub fn lenient_2026(element: ElementType) -> Self {
        Self { input_tolerance: 1e-4, ..Self::strict_2026(element) }
    }

    /// The judge of 2025 with one tolerance for everything.
    pub fn of_2025(tolerance: f64) -> Self {
        Self { input_tolerance: tolerance, output_tolerance: tolerance, element: None }
    }

    /// Whether a point satisfies the query under these rules. `point` holds one list a tensor, in declaration
    /// order. A variable without a value satisfies nothing.
    pub fn holds(&self, query: &Query, point: &[Vec<f64>]) -> bool {
        query.assertions().all(|assertion| {
            let formula = assertion.formula();
            let whole = match query.version() {
                Version::V1 => None,
                Version::V2 { .. } => Some(self.tolerance(only_inputs(query, formula.events()))),
            };
            let evaluator = Evaluator { rules: self, query, point, tolerance: whole };
            let leaf =
                |comparison| if evaluator.holds(comparison) { f64::INFINITY } else { f64::NEG_INFINITY };
            fold(formula, &mut { leaf }) > 0.0
        })
    }

    fn tolerance(&self, only_inputs: bool) -> f64 {
        if only_inputs { self.input_tolerance } else { self.output_tolerance }
    }
}

/// The value of a formula from those of its comparisons: the least under `and`, the largest under `or`. Where an
/// infinity decides a subformula, the rest of it is not looked at. No value may be NaN.
pub(super) fn fold<'q>(formula: Formula<'q>, leaf: &mut impl FnMut(Comparison<'q>) -> f64) -> f64 {
    let mut open: Vec<(bool, Formulas<'q>, f64)> = Vec::new();
    let mut current = formula;
    loop {
        let mut value = match current {
            Formula::Compare(comparison) => leaf(comparison),
            Formula::And(operands) => {
                open.push((false, operands, f64::INFINITY));
                f64::INFINITY
            }
            Formula::Or(operands) => {
                open.push((true, operands, f64::NEG_INFINITY));
                f64::NEG_INFINITY
            }
        };
        current = loop {
            let Some((is_or, operands, so_far)) = open.last_mut() else { return value };
            *so_far = if *is_or { so_far.max(value) } else { so_far.min(value) };
            let decided = if *is_or { *so_far == f64::INFINITY } else { *so_far == f64::NEG_INFINITY };
            match operands.next() {
                Some(next) if !decided => break next,
                _ => {
                    value = *so_far;
                    open.pop();
                }
            }
        };
    }
}

/// Whether all variables of a walk are inputs, and there is one.
pub(super) fn only_inputs<'q>(query: &Query, events: impl Iterator<Item = Event<'q>>) -> bool {
    let mut any = false;
    for event in events {
        if let Event::Variable(variable) = event {
            any = true;
            if !is_input(query, variable) {
                return false;
            }
        }
    }
    any
}

/// The model's type that a declared type stands for in a judge's arithmetic; `None` for `real`.
fn declared_type(declared: vnnlib::ElementType) -> Option<ElementType> {
    match declared {
        vnnlib::ElementType::Float16 => Some(ElementType::Float16),
        vnnlib::ElementType::BFloat16 => Some(ElementType::BFloat16),
        vnnlib::ElementType::Float32 => Some(ElementType::Float32),
        vnnlib::ElementType::Float64 => Some(ElementType::Float64),
        vnnlib::ElementType::Real => None,
        // Whole numbers are not rounded.
        _ => Some(ElementType::Int64),
    }
}

pub(super) fn is_input(query: &Query, variable: Variable) -> bool {
    query.tensors().get(variable.tensor().index()).is_some_and(|tensor| tensor.role() == Role::Input)
}

pub(super) fn value_at(point: &[Vec<f64>], variable: Variable) -> f64 {
    let tensor = point.get(variable.tensor().index());
    tensor.and_then(|values| values.get(variable.element())).copied().unwrap_or(f64::NAN)
}

/// A number of a network's type, or a constant (`None`), which takes on the type of what it meets.
#[derive(Clone, Copy)]
struct TypedNumber {
    value: f64,
    element: Option<ElementType>,
}

struct Evaluator<'a> {
    rules: &'a Rules,
    query: &'a Query,
    point: &'a [Vec<f64>],
    /// The tolerance of the whole assertion, where it is not each comparison's own.
    tolerance: Option<f64>,
}

impl Evaluator<'_> {
    fn holds(&self, comparison: Comparison<'_>) -> bool {
        let relation = comparison.relation();
        let tolerance = self
            .tolerance
            .unwrap_or_else(|| self.rules.tolerance(only_inputs(self.query, comparison.events())));
        match (comparison.left(), comparison.right()) {
            (Term::Variable(variable), Term::Numeral(numeral)) => {
                let left =
                    TypedNumber { value: value_at(self.point, variable), element: self.bound_type(variable) };
                let right = TypedNumber { value: numeral.nearest_f64(), element: None };
                self.compare(relation, left, right, tolerance)
            }
            _ => {
                let (left, right) = self.sides(comparison);
                self.compare(relation, left, right, tolerance)
            }
        }
    }

    /// The type that a variable carries into a plain bound. In VNN-LIB 1.0 only an input does: everything else has
    /// been turned into doubles.
    fn bound_type(&self, variable: Variable) -> Option<ElementType> {
        match self.query.version() {
            Version::V1 => self.rules.element.filter(|_| is_input(self.query, variable)),
            Version::V2 { .. } => self.type_of(variable),
        }
    }

    /// The type of a variable in VNN-LIB 2.0: the declared one, or that of the rules for `real`.
    fn type_of(&self, variable: Variable) -> Option<ElementType> {
        let rules = self.rules.element?;
        let tensor = self.query.tensors().get(variable.tensor().index())?;
        Some(declared_type(tensor.element_type()).unwrap_or(rules))
    }

    fn compare(&self, relation: Relation, left: TypedNumber, right: TypedNumber, tolerance: f64) -> bool {
        let right_plus =
            |by: f64| self.meet(left, self.round(TypedNumber { value: right.value + by, ..right })).1;
        let l = self.meet(left, right).0;
        match relation {
            Relation::LessEqual => l <= right_plus(tolerance),
            Relation::Less => l < right_plus(tolerance),
            Relation::GreaterEqual => l >= right_plus(-tolerance),
            Relation::Greater => l > right_plus(-tolerance),
            Relation::Equal => (l - right_plus(0.0)).abs() <= tolerance,
            Relation::NotEqual => (l - right_plus(0.0)).abs() > tolerance,
        }
    }

    /// Two numbers as they are when they meet: if one is typed, the other becomes so.
    fn meet(&self, a: TypedNumber, b: TypedNumber) -> (f64, f64) {
        let element = a.element.or(b.element);
        let at = |n: TypedNumber| self.round(TypedNumber { element, ..n }).value;
        (at(a), at(b))
    }

    fn round(&self, number: TypedNumber) -> TypedNumber {
        match number.element {
            Some(element) if element.is_float() => {
                TypedNumber { value: cast(element, number.value), ..number }
            }
            _ => number,
        }
    }

    fn sides(&self, comparison: Comparison<'_>) -> (TypedNumber, TypedNumber) {
        let typed = matches!(self.query.version(), Version::V2 { .. });
        let element = |variable| if typed { self.type_of(variable) } else { None };
        let mut stack: Vec<TypedNumber> = Vec::new();
        for event in comparison.events() {
            match event {
                Event::Open(_) | Event::Close { operator: Operator::Compare(_), .. } => {}
                Event::Numeral(numeral) => {
                    stack.push(TypedNumber { value: numeral.nearest_f64(), element: None });
                }
                Event::Variable(variable) => {
                    let value = value_at(self.point, variable);
                    stack.push(TypedNumber { value, element: element(variable) });
                }
                Event::Close { operator, operands } => {
                    let operands = stack.split_off(stack.len().saturating_sub(operands));
                    stack.push(self.apply(operator, &operands));
                }
            }
        }
        let missing = TypedNumber { value: f64::NAN, element: None };
        let right = stack.pop().unwrap_or(missing);
        (stack.pop().unwrap_or(missing), right)
    }

    fn apply(&self, operator: Operator, operands: &[TypedNumber]) -> TypedNumber {
        let join = |op: fn(f64, f64) -> f64| {
            let step = |a: TypedNumber, b: TypedNumber| {
                let (x, y) = self.meet(a, b);
                self.round(TypedNumber { value: op(x, y), element: a.element.or(b.element) })
            };
            operands.iter().copied().reduce(step)
        };
        let result = match (operator, operands) {
            (Operator::Negation, [one]) => Some(TypedNumber { value: -one.value, ..*one }),
            (Operator::Difference, [first, rest @ ..]) if !rest.is_empty() => {
                // As the judge writes it: the first less the sum of the others.
                let others = self.apply(Operator::Sum, rest);
                let (x, y) = self.meet(*first, others);
                Some(self.round(TypedNumber { value: x - y, element: first.element.or(others.element) }))
            }
            (Operator::Product, _) => join(|a, b| a * b),
            _ => join(|a, b| a + b),
        };
        result.unwrap_or(TypedNumber { value: f64::NAN, element: None })
    }
}
