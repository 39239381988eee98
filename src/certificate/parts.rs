//! Certificates of a question's parts, joined into one of the whole.
//!
//! A question is divided by operands of its `or`s and by cuts of its inputs ([`PartitionStep`]). Each part is a query of its own: the
//! text of the whole, operands left out of it and bounds added behind it. These are the judge's own tokens, so the whole's certificate
//! is the tree of the division with the certificate of each part below its leaf. Networks, inputs and neurons have the same numbers in both; only
//! the numbers of `or`s differ, as they count what stands in a text. Nothing here needs to be trusted: what is joined wrongly is refused.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use vnnlib::{Formula, Query};

use super::directed::Interval;
use super::enclosure::Enclosure;
use super::input::Input;
use super::tokens::{Certificate, Token};

/// A step of a division; from the whole on, each before those that it leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PartitionStep {
    /// A part that is not divided further: its place among the parts.
    Part(u32),
    /// A cut along an input; first the part where that is smaller. The number belongs to both.
    Cut {
        /// Which input, as a certificate counts them.
        input: u32,
        /// Where: a number of the input's type.
        at: f64,
    },
    /// Operands of an `or`: a part for each group, in which one of them must hold.
    Cases {
        /// The number of the `or` in the query.
        or: u32,
        /// The operands' places, each in one group.
        groups: Vec<Vec<u32>>,
    },
}

/// Why certificates cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The steps are no division of the query.
    #[error("the division is not one of this property (help: split anew, into another folder)")]
    Division,
    /// A part's text is not what the division makes of the whole.
    #[error(
        "part {0} is not what the division makes of the property (help: split anew, into another folder)"
    )]
    Text(u32),
    /// A part's certificate is none of its text.
    #[error(
        "the certificate of part {0} does not belong to it (help: remove the unit's files and run it again)"
    )]
    Certificate(u32),
}

/// A group of operands on the way to a part, and the one whose turn it is.
#[derive(Clone, Copy)]
struct ChosenOperand<'s> {
    or: u32,
    group: &'s [u32],
    operand: u32,
}

/// What an `or` of a part is in the whole.
struct OrOfWhole {
    number: u32,
    count: u32,
    /// Which operand of the part's `or` is looked at; `None` if all are.
    chosen: Option<usize>,
}

/// One certificate of `whole` from those of its parts, each with the part's query. Checks nothing that the judge checks.
///
/// # Errors
/// If something does not belong to the rest.
pub(crate) fn joined(
    whole: &Query,
    steps: &[PartitionStep],
    parts: &[(Query, Certificate)],
) -> Result<Certificate, JoinError> {
    let mut tokens = Vec::new();
    let end = Joiner { whole, steps, parts }.write(0, &mut Vec::new(), &mut tokens)?;
    if end == steps.len() { Ok(Certificate { tokens }) } else { Err(JoinError::Division) }
}

struct Joiner<'j> {
    whole: &'j Query,
    steps: &'j [PartitionStep],
    parts: &'j [(Query, Certificate)],
}

impl<'j> Joiner<'j> {
    /// Writes the tree from a step on; where its steps end.
    fn write(
        &self,
        at: usize,
        path: &mut Vec<ChosenOperand<'j>>,
        tokens: &mut Vec<Token>,
    ) -> Result<usize, JoinError> {
        match self.steps.get(at).ok_or(JoinError::Division)? {
            PartitionStep::Part(part) => {
                self.copy(*part, path, tokens)?;
                Ok(at + 1)
            }
            PartitionStep::Cut { input, at: value } => {
                tokens.push(Token::Cut { input: *input, at: *value });
                let middle = self.write(at + 1, path, tokens)?;
                self.write(middle, path, tokens)
            }
            PartitionStep::Cases { or, groups } => {
                let mut starts = vec![at + 1];
                for _ in groups {
                    let start = starts.last().copied().unwrap_or_default();
                    starts.push(self.end_of(start)?);
                }
                let count = groups.iter().map(Vec::len).sum::<usize>() as u32;
                let group_of = |operand: u32| groups.iter().position(|group| group.contains(&operand));
                let owners: Option<Vec<usize>> = (0..count).map(group_of).collect();
                tokens.push(Token::Cases { or: *or, count });
                for (operand, own) in (0..).zip(owners.ok_or(JoinError::Division)?) {
                    path.push(ChosenOperand { or: *or, group: &groups[own], operand });
                    self.write(starts[own], path, tokens)?;
                    path.pop();
                }
                starts.pop().ok_or(JoinError::Division)
            }
        }
    }

    /// Where the steps of a subtree end.
    fn end_of(&self, start: usize) -> Result<usize, JoinError> {
        let children = |step: &PartitionStep| match step {
            PartitionStep::Part(_) => 0,
            PartitionStep::Cut { .. } => 2,
            PartitionStep::Cases { groups, .. } => groups.len(),
        };
        end_of_tree(self.steps, start, children).ok_or(JoinError::Division)
    }

    /// Writes the tree of a part in the whole's numbers, as far as it is about the operands on the way to it.
    fn copy(&self, part: u32, path: &[ChosenOperand<'j>], tokens: &mut Vec<Token>) -> Result<(), JoinError> {
        let (query, certificate) = self.parts.get(part as usize).ok_or(JoinError::Division)?;
        let ors = ors_of_whole(self.whole, query, path).ok_or(JoinError::Text(part))?;
        copied(&certificate.tokens, &ors, tokens).ok_or(JoinError::Certificate(part))
    }
}

/// The `or`s of a part by their numbers there: both texts are walked side by side. `None` if they do not correspond.
fn ors_of_whole(whole: &Query, part: &Query, path: &[ChosenOperand<'_>]) -> Option<HashMap<u32, OrOfWhole>> {
    if part.assertions().len() < whole.assertions().len() {
        return None;
    }
    let mut ors = HashMap::new();
    let pairs = whole.assertions().zip(part.assertions());
    let mut open: Vec<_> = pairs.map(|(whole, part)| (whole.formula(), part.formula())).collect();
    let on_path = |number: u32| path.iter().find(|step| step.or == number);
    while let Some((mut of_whole, of_part)) = open.pop() {
        while let Formula::Or(mut operands) = of_whole
            && let Some(ChosenOperand { group: [only], .. }) = on_path(of_whole.number())
        {
            of_whole = operands.nth(*only as usize)?;
        }
        let (left, right): (Vec<_>, Vec<_>) = match (of_whole, of_part) {
            (Formula::Compare(_), Formula::Compare(_)) => continue,
            (Formula::And(left), Formula::And(right)) => (left.collect(), right.collect()),
            (Formula::Or(left), Formula::Or(right)) => {
                let (all, step) = (left.collect::<Vec<_>>(), on_path(of_whole.number()));
                let chosen = step.map(|step| step.group.iter().position(|&operand| operand == step.operand));
                let (number, count) = (of_whole.number(), all.len() as u32);
                let chosen = if let Some(chosen) = chosen { Some(chosen?) } else { None };
                ors.insert(of_part.number(), OrOfWhole { number, count, chosen });
                let kept = |step: &ChosenOperand<'_>| -> Option<Vec<_>> {
                    step.group.iter().map(|&operand| all.get(operand as usize).copied()).collect()
                };
                (step.map_or(Some(all.clone()), kept)?, right.collect())
            }
            _ => return None,
        };
        if left.len() != right.len() {
            return None;
        }
        open.extend(left.into_iter().zip(right));
    }
    Some(ors)
}

/// Copies a tree: `or`s get their numbers in the whole, and of those with a chosen operand only its tree stays.
fn copied(tree: &[Token], ors: &HashMap<u32, OrOfWhole>, tokens: &mut Vec<Token>) -> Option<()> {
    let mut left: Vec<_> = std::iter::once(0..tree.len()).collect();
    while let Some(Range { start, end }) = left.pop() {
        for at in start..end {
            let Token::Cases { or, count } = &tree[at] else {
                tokens.push(tree[at].clone());
                continue;
            };
            let OrOfWhole { number, count: all, chosen } = ors.get(or)?;
            let Some(chosen) = chosen else {
                (all == count).then_some(())?;
                tokens.push(Token::Cases { or: *number, count: *count });
                continue;
            };
            let mut child = at + 1..at + 1;
            let mut next = at + 1;
            for operand in 0..*count as usize {
                let start = next;
                next = end_of_tree(tree, start, children)?;
                if operand == *chosen {
                    child = start..next;
                }
            }
            left.extend([next..end, child]);
            break;
        }
    }
    Some(())
}

/// How many parts a token leads to.
fn children(token: &Token) -> usize {
    match token {
        Token::Leaf { .. } => 0,
        Token::Settled => 1,
        Token::Cut { .. } | Token::Gap { .. } | Token::Phase { .. } => 2,
        Token::Values { count, .. } | Token::Cases { count, .. } => *count as usize,
    }
}

/// Where a tree that begins at `start` ends, written from the root on; `None` if it does not.
fn end_of_tree<N>(nodes: &[N], start: usize, children: impl Fn(&N) -> usize) -> Option<usize> {
    let (mut open, mut at) = (1, start);
    while open > 0 {
        open = open - 1 + children(nodes.get(at)?);
        at += 1;
    }
    Some(at)
}

impl Enclosure {
    /// The ends of each input where the chosen operands hold; `None` where there are no points. Infinite where nothing bounds it.
    pub(crate) fn ranges(&self, choices: &BTreeMap<u32, u32>) -> Option<Vec<(f64, f64)>> {
        let domain = self.domain(choices)?;
        let ends = |(input, range): (&Input, Interval)| {
            let largest = input.largest();
            let low = if range.low <= -largest { f64::NEG_INFINITY } else { range.low };
            (low, if range.high >= largest { f64::INFINITY } else { range.high })
        };
        Some(self.inputs.iter().zip(domain).map(ends).collect())
    }

    /// A number of an input's type between two others, about in their middle and with few digits; `None` if there is none.
    pub(crate) fn middle(&self, input: u32, low: f64, high: f64) -> Option<f64> {
        self.inputs.get(input as usize)?.middle(low, high)
    }
}
