//! Names of VNN-LIB 1.0: inputs `X_0 … X_n-1`, outputs `Y_0 … Y_m-1`, each declared once, without gaps.

use std::collections::BTreeMap;

use crate::ast::{Network, Role, Span, Tensor, TensorId, Variable};
use crate::element_type::ElementType;
use crate::error::Collector;
use crate::lex::{shown, small_number};
use crate::problem::Problem;

/// The declared variables of one letter.
#[derive(Default)]
struct Row {
    /// `0 .. count` are declared.
    count: u32,
    /// Declared beyond `count`, with their place. Empty in files that declare in ascending order, as all known do.
    ahead: BTreeMap<u32, Span>,
}

impl Row {
    fn declare(&mut self, element: u32, span: Span) -> bool {
        if self.holds(element) {
            return false;
        }
        if element != self.count {
            self.ahead.insert(element, span);
            return true;
        }
        self.count += 1;
        while self.ahead.remove(&self.count).is_some() {
            self.count += 1;
        }
        true
    }

    fn holds(&self, element: u32) -> bool {
        element < self.count || self.ahead.contains_key(&element)
    }
}

/// All declared variables.
#[derive(Default)]
pub(crate) struct Variables {
    inputs: Row,
    outputs: Row,
}

const INPUT: TensorId = TensorId(0);
const OUTPUT: TensorId = TensorId(1);

/// `index = "0" | nonzero digit { digit } ;`
///
/// It is below `u32::MAX`, so that counts fit.
fn variable(word: &[u8]) -> Option<Variable> {
    let (tensor, digits) = match word {
        [b'X', b'_', digits @ ..] => (INPUT, digits),
        [b'Y', b'_', digits @ ..] => (OUTPUT, digits),
        _ => return None,
    };
    if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let mut element = 0_u32;
    for digit in digits {
        let value = digit.checked_sub(b'0').filter(|&value| value < 10)?;
        element = element.checked_mul(10)?.checked_add(u32::from(value))?;
    }
    (element < u32::MAX).then_some(Variable { tensor, element })
}

impl Variables {
    fn row(&self, tensor: TensorId) -> &Row {
        if tensor == INPUT { &self.inputs } else { &self.outputs }
    }

    /// Notes a declaration.
    pub(crate) fn declare(&mut self, word: &[u8], span: Span, problems: &mut Collector) {
        let Some(Variable { tensor, element }) = variable(word) else {
            return problems.push(span, Problem::BadVariableName(shown(word)));
        };
        let row = if tensor == INPUT { &mut self.inputs } else { &mut self.outputs };
        if !row.declare(element, span) {
            problems.push(span, Problem::DeclaredTwice(shown(word)));
        }
    }

    /// Looks a use up. A wrong name is noted and stands for some variable, so that reading can go on.
    pub(crate) fn look_up(&self, word: &[u8], span: Span, problems: &mut Collector) -> Variable {
        match variable(word) {
            Some(variable) if self.row(variable.tensor).holds(variable.element) => variable,
            found => {
                let name = shown(word);
                let problem =
                    if found.is_some() { Problem::Undeclared(name) } else { Problem::BadVariableName(name) };
                problems.push(span, problem);
                Variable { tensor: INPUT, element: 0 }
            }
        }
    }

    /// A declared variable at the beginning of the text, if its name is in the usual form.
    pub(crate) fn plain<'a>(&self, input: &'a [u8]) -> Option<(&'a [u8], Variable)> {
        let (tensor, digits) = match input {
            [b'X', b'_', digits @ ..] => (INPUT, digits),
            [b'Y', b'_', digits @ ..] => (OUTPUT, digits),
            _ => return None,
        };
        let (rest, element) = small_number(digits)?;
        let leading_zero = digits[0] == b'0' && digits.len() - rest.len() > 1;
        (!leading_zero && element < self.row(tensor).count).then_some((rest, Variable { tensor, element }))
    }

    /// Looks for gaps and empty declarations at the end of the text.
    pub(crate) fn finish(&self, end: Span, problems: &mut Collector) -> (Vec<Network>, Vec<Tensor>) {
        for (row, letter, role) in [(&self.inputs, 'X', "input"), (&self.outputs, 'Y', "output")] {
            if let Some((element, &span)) = row.ahead.first_key_value() {
                let (declared, missing) = (format!("{letter}_{element}"), format!("{letter}_{}", row.count));
                problems.push(span, Problem::Gap { declared, missing });
            } else if row.count == 0 {
                problems.push(end, Problem::NothingDeclared(role));
            }
        }
        let network = Network { name: "N".into(), equivalence: None, tensors: 0..2 };
        let tensors =
            vec![tensor("X", Role::Input, self.inputs.count), tensor("Y", Role::Output, self.outputs.count)];
        (vec![network], tensors)
    }
}

fn tensor(name: &str, role: Role, count: u32) -> Tensor {
    Tensor {
        name: name.into(),
        network: 0,
        role,
        element_type: ElementType::Real,
        shape: vec![count],
        count,
        onnx_name: None,
        initialized: false,
    }
}
