//! Einsum: operands are brought to `[batch, left, contracted]` and `[batch, contracted, right]` and multiplied, one
//! after the other.

use super::Entry;
use crate::network::Real;
use crate::network::import::call::{Built, ImportCall};
use crate::network::import::{Importer, Operand};
use crate::network::op::{MatMul, Op, Rearrange, Reduction};
use crate::network::shape;
use crate::onnx::ModelError;

impl<T: Real> Importer<T> {
    pub(super) const EINSUM: &'static [Entry<T>] = &[("Einsum", einsum)];
}

/// An axis is known by a letter, or by its distance from the end of the ellipsis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SubscriptLabel {
    Ellipsis(usize),
    Letter(char),
}

/// A value whose axes have names, each at most once.
#[derive(Debug, Clone)]
struct Named {
    value: Operand,
    labels: Vec<SubscriptLabel>,
}

/// Labels of a term for an operand with `rank` axes.
fn labels(term: &str, rank: usize) -> Option<Vec<SubscriptLabel>> {
    let letters = |text: &str| -> Option<Vec<SubscriptLabel>> {
        text.chars().map(|c| c.is_ascii_alphabetic().then_some(SubscriptLabel::Letter(c))).collect()
    };
    let Some((front, back)) = term.split_once("...") else {
        return letters(term).filter(|list| list.len() == rank);
    };
    let (front, back) = (letters(front)?, letters(back)?);
    let hidden = rank.checked_sub(front.len() + back.len())?;
    let middle = (0..hidden).rev().map(SubscriptLabel::Ellipsis);
    Some(front.into_iter().chain(middle).chain(back).collect())
}

impl<T: Real> ImportCall<'_, T> {
    fn len_of(&self, x: &Named, label: SubscriptLabel) -> usize {
        x.labels.iter().position(|&l| l == label).map_or(1, |axis| self.shape(&x.value)[axis])
    }

    /// A label that occurs twice in one operand means its diagonal.
    fn diagonal(&mut self, value: &Operand, labels: &[SubscriptLabel]) -> Result<Named, ModelError> {
        let shape = self.shape(value);
        let strides = shape::strides(&shape);
        let mut unique: Vec<SubscriptLabel> = Vec::new();
        for label in labels {
            if !unique.contains(label) {
                unique.push(*label);
            }
        }
        if unique.len() == labels.len() {
            return Ok(Named { value: value.clone(), labels: unique });
        }
        let of = |label: SubscriptLabel| {
            labels.iter().enumerate().filter(move |(_, l)| **l == label).map(|(axis, _)| axis)
        };
        let to: Vec<usize> =
            unique.iter().map(|&l| of(l).map(|axis| shape[axis]).min().unwrap_or(1)).collect();
        let steps: Vec<isize> =
            unique.iter().map(|&l| of(l).map(|axis| strides[axis] as isize).sum()).collect();
        let value = self.rearrange(value, Rearrange::strided(&shape, &to, 0, &steps))?;
        Ok(Named { value, labels: unique })
    }

    /// Sums over the labels that nobody else asks for.
    fn sum_out(&mut self, x: Named, keep: impl Fn(&SubscriptLabel) -> bool) -> Result<Named, ModelError> {
        let axes: Vec<usize> = (0..x.labels.len()).filter(|&axis| !keep(&x.labels[axis])).collect();
        if axes.is_empty() {
            return Ok(x);
        }
        let sum = self.reduced(&x.value, Reduction::Sum, &axes)?;
        let shape = self.shape(&sum);
        let left: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
        let value = self.reshape(&sum, left.iter().map(|&axis| shape[axis]).collect())?;
        Ok(Named { value, labels: left.iter().map(|&axis| x.labels[axis]).collect() })
    }

    /// The value with its axes in this order, joined into groups; labels it lacks have length 1.
    fn grouped(&mut self, x: &Named, groups: [&[SubscriptLabel]; 3]) -> Result<Operand, ModelError> {
        let order: Vec<usize> = groups
            .iter()
            .flat_map(|group| group.iter())
            .filter_map(|label| x.labels.iter().position(|l| l == label))
            .collect();
        let turned = self.transpose(&x.value, &order)?;
        let to = groups.map(|group| group.iter().map(|&l| self.len_of(x, l)).product()).to_vec();
        self.reshape(&turned, to)
    }

    /// The product of two values, summed over the labels that `keep` does not ask for.
    fn contract(
        &mut self,
        a: &Named,
        b: &Named,
        keep: impl Fn(&SubscriptLabel) -> bool,
    ) -> Result<Named, ModelError> {
        // An axis of length 1 under a longer one of the same name is repeated along it: it need not be there.
        let long = |call: &Self, x: &Named, other: &Named, l: &SubscriptLabel| {
            x.labels.contains(l) && (call.len_of(x, *l) != 1 || call.len_of(other, *l) == 1)
        };
        let mut all: Vec<SubscriptLabel> = a.labels.clone();
        all.extend(b.labels.iter().filter(|l| !a.labels.contains(l)));
        let (mut batch, mut left, mut right, mut inner) = (vec![], vec![], vec![], vec![]);
        for label in all {
            match (long(self, a, b, &label), long(self, b, a, &label)) {
                (true, true) if keep(&label) => batch.push(label),
                (true, true) => inner.push(label),
                (true, false) => left.push(label),
                _ => right.push(label),
            }
        }
        for &label in batch.iter().chain(&inner) {
            if self.len_of(a, label) != self.len_of(b, label) {
                return Err(self.error("the lengths of axes of one name differ"));
            }
        }
        let without = |call: &mut Self, x: &Named, gone: &[SubscriptLabel]| -> Result<Named, ModelError> {
            // Only axes of length 1 are dropped here.
            let labels: Vec<SubscriptLabel> =
                x.labels.iter().copied().filter(|l| !gone.contains(l)).collect();
            let to = labels.iter().map(|&l| call.len_of(x, l)).collect();
            Ok(Named { value: call.reshape(&x.value, to)?, labels })
        };
        let (a, b) = (without(self, a, &right)?, without(self, b, &left)?);
        let x = self.grouped(&a, [&batch, &left, &inner])?;
        let y = self.grouped(&b, [&batch, &inner, &right])?;
        let product = self.apply(Op::MatMul(MatMul), &[x, y])?;
        let mut to: Vec<usize> = batch.iter().chain(&left).map(|&l| self.len_of(&a, l)).collect();
        to.extend(right.iter().map(|&l| self.len_of(&b, l)));
        let value = self.reshape(&product, to)?;
        Ok(Named { value, labels: [batch, left, right].concat() })
    }
}

fn einsum<T: Real>(call: &mut ImportCall<'_, T>) -> Built {
    let equation =
        call.node.string("equation")?.ok_or_else(|| call.error("attribute equation is missing"))?;
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let bad =
        |call: &ImportCall<'_, T>| call.error(format!("equation {equation:?} does not fit the operands"));
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let operands = call.all()?;
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != operands.len() {
        return Err(bad(call));
    }
    let mut values = Vec::new();
    for (term, operand) in terms.iter().zip(&operands) {
        let names = labels(term, call.shape(operand).len()).ok_or_else(|| bad(call))?;
        values.push(call.diagonal(operand, &names)?);
    }
    let ellipsis = values.iter().flat_map(|x| &x.labels).filter(|l| matches!(l, SubscriptLabel::Ellipsis(_)));
    let hidden = ellipsis.collect::<std::collections::BTreeSet<_>>().len();
    let output = match right {
        Some(term) => {
            let letters = term.replace("...", "").len();
            labels(term, letters + if term.contains("...") { hidden } else { 0 }).ok_or_else(|| bad(call))?
        }
        None => implicit_output(left, hidden),
    };
    let known = |l: &SubscriptLabel| values.iter().any(|x| x.labels.contains(l));
    if !output.iter().all(known) {
        return Err(bad(call));
    }
    let mut rest = values.into_iter();
    let Some(mut sum) = rest.next() else { return Err(bad(call)) };
    let mut rest: std::collections::VecDeque<Named> = rest.collect();
    while let Some(next) = rest.pop_front() {
        let keep = |l: &SubscriptLabel| output.contains(l) || rest.iter().any(|x| x.labels.contains(l));
        let mine = sum.labels.clone();
        let next_labels = next.labels.clone();
        sum = call.sum_out(sum, |l| keep(l) || next_labels.contains(l))?;
        let next = call.sum_out(next, |l| keep(l) || mine.contains(l))?;
        sum = call.contract(&sum, &next, keep)?;
    }
    let sum = call.sum_out(sum, |l| output.contains(l))?;
    let order: Option<Vec<usize>> = output.iter().map(|l| sum.labels.iter().position(|m| m == l)).collect();
    let order = order.ok_or_else(|| bad(call))?;
    Ok(vec![call.transpose(&sum.value, &order)?])
}

/// Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order.
fn implicit_output(left: &str, hidden: usize) -> Vec<SubscriptLabel> {
    let mut letters: Vec<char> = left.chars().filter(char::is_ascii_alphabetic).collect();
    letters.sort_unstable();
    let once = |c: &char| letters.iter().filter(|l| *l == c).count() == 1;
    (0..hidden)
        .rev()
        .map(SubscriptLabel::Ellipsis)
        .chain(letters.iter().copied().filter(once).map(SubscriptLabel::Letter))
        .collect()
}
