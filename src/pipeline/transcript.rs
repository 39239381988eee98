//! From what a search knows of its proof to a certificate: the same tree, in the numbers of the query and of the tape.
//!
//! A search divides the query into regions, some of them by choosing operands of `or`s, and proves them one by one. The
//! certificate has one tree from the whole input set on, so these choices come first. Nothing here needs to be trusted: a
//! certificate that says something wrong is refused.

use std::collections::BTreeMap;

use crate::bounds::Neuron;
use crate::certificate::{Certificate, Enclosure, Token};
use crate::network::Real;
use crate::problem::Problem;
use crate::search::proof::{Choice, Part, Parts, RegionProof};

/// The tree of a region, or of one conjunction of it, and the operands that lead there.
struct RegionTree<'t> {
    path: BTreeMap<u32, u32>,
    parts: &'t [Part],
}

/// The certificate of a search's proofs; `None` where a neuron has no place on the tape.
pub(super) fn transcribe<T: Real>(
    problem: &Problem<T>,
    enclosure: &Enclosure,
    proofs: &[RegionProof],
) -> Option<Certificate> {
    let property = &problem.property;
    let mut trees = Vec::new();
    for proof in proofs {
        match &proof.parts {
            Parts::Together(parts) => {
                let ways = property.ways_of(proof.region).into_iter();
                trees.extend(ways.map(|way| RegionTree { path: way.into_iter().collect(), parts }));
            }
            Parts::Apart(each) => {
                let ways = property.ways_of_conjunctions(proof.region).into_iter().zip(each);
                trees.extend(ways.map(|(way, parts)| RegionTree { path: way.into_iter().collect(), parts }));
            }
        }
    }
    let places = Places::new(problem, enclosure);
    let mut tokens = Vec::new();
    let all: Vec<&RegionTree<'_>> = trees.iter().collect();
    write(&places, &mut BTreeMap::new(), &all, &mut tokens)?;
    Some(Certificate { tokens })
}

/// Chooses operands until one tree is left, and writes it. Where none is left, no input is: bounds of inputs contradict each other.
fn write<T: Real>(
    places: &Places<'_, T>,
    choices: &mut BTreeMap<u32, u32>,
    trees: &[&RegionTree<'_>],
    tokens: &mut Vec<Token>,
) -> Option<()> {
    let Some(first) = trees.first() else {
        tokens.push(Token::plain_leaf());
        return Some(());
    };
    let matters = |or: u32| trees.iter().any(|tree| tree.path.contains_key(&or));
    let Some((or, count)) = places.enclosure.undecided(choices).into_iter().find(|&(or, _)| matters(or))
    else {
        for part in first.parts {
            tokens.push(places.token(part)?);
        }
        return Some(());
    };
    tokens.push(Token::Cases { or, count });
    for operand in 0..count {
        let is_open = |tree: &&RegionTree<'_>| tree.path.get(&or).is_none_or(|&chosen| chosen == operand);
        let own: Vec<&RegionTree<'_>> = trees.iter().copied().filter(is_open).collect();
        choices.insert(or, operand);
        write(places, choices, &own, tokens)?;
    }
    choices.remove(&or);
    Some(())
}

/// Tokens of a proof that no input satisfies the query's bounds, at most.
const MOST_TOKENS: usize = 10_000_000;

/// The certificate that no input satisfies a query's bounds: operands are chosen until bounds contradict each other. `None` if it
/// would be too long.
pub(super) fn of_emptiness(enclosure: &Enclosure) -> Option<Certificate> {
    let mut tokens = Vec::new();
    let mut left = vec![BTreeMap::new()];
    while let Some(choices) = left.pop() {
        let or = match enclosure.is_empty(&choices) {
            true => None,
            // Where nothing is left to choose, the leaf will be refused.
            false => enclosure.undecided(&choices).first().copied(),
        };
        let Some((or, count)) = or else {
            tokens.push(Token::plain_leaf());
            continue;
        };
        tokens.push(Token::Cases { or, count });
        let with = |operand: u32| {
            let mut chosen = choices.clone();
            chosen.insert(or, operand);
            chosen
        };
        left.extend((0..count).rev().map(with));
        if tokens.len() + left.len() > MOST_TOKENS {
            return None;
        }
    }
    Some(Certificate { tokens })
}

/// Where the search's inputs and neurons are.
struct Places<'p, T> {
    problem: &'p Problem<T>,
    enclosure: &'p Enclosure,
    /// By input of the search.
    inputs: Vec<Option<u32>>,
}

impl<'p, T: Real> Places<'p, T> {
    fn new(problem: &'p Problem<T>, enclosure: &'p Enclosure) -> Self {
        let mut inputs = vec![None; problem.property.layout().inputs()];
        for (declared, source) in problem.property.layout().sources().iter().enumerate() {
            let Some(source) = *source else { continue };
            inputs[source] = inputs[source].or(enclosure.input_of_declared(declared));
        }
        Self { problem, enclosure, inputs }
    }

    fn neuron(&self, neuron: Neuron) -> Option<u32> {
        let node = self.problem.double().node(neuron.node);
        self.enclosure.pre_activations(&node.name)?.get(neuron.index).copied()
    }

    fn token(&self, part: &Part) -> Option<Token> {
        Some(match part {
            Part::Cut { input, at } => Token::Cut { input: (*self.inputs.get(*input)?)?, at: *at },
            Part::Phase(neuron) => Token::Phase { neuron: self.neuron(*neuron)? },
            Part::Excluded(choices) => {
                let (mut slopes, mut weights) = (Vec::new(), Vec::new());
                for &Choice { neuron, slope, weight } in choices {
                    let number = self.neuron(neuron)?;
                    slopes.extend(slope.map(|slope| (number, slope)));
                    weights.extend((weight > 0.0).then_some((number, weight)));
                }
                Token::Leaf { slopes, weights }
            }
        })
    }
}
