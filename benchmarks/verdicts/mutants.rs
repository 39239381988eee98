//! Certificates with one thing changed: a mutant that no longer covers the set is refused, one that is accepted is a proof.

use counterpatch::certificate::door::Door;
use counterpatch::certificate::{Certificate, Mending, Refusal, Token};
use counterpatch::random::Random;

use crate::{Case, judge};

/// What became of mutants.
#[derive(Debug, Default)]
struct Counts {
    certificates: usize,
    mutants: usize,
    refused_shape: usize,
    refused_open: usize,
    accepted: usize,
    accepted_wrong: usize,
}

pub(crate) fn campaign(count: usize, seed: u64) {
    let mut counts = Counts::default();
    let whole = Random::new(seed);
    let mut round = 0;
    while counts.mutants < count {
        round += 1;
        let mut random = whole.fork(round);
        let Some(case) = Case::new(&mut random) else { continue };
        let Ok(door) = Door::new(&case.query, std::slice::from_ref(&case.model)) else { continue };
        let grown = grown(&door, &case, &mut random);
        let Ok(proof) = door.check(&grown, Mending::Cut) else { continue };
        let certificate = proof.certificate();
        if certificate.tokens.len() < 2 {
            continue;
        }
        counts.certificates += 1;
        for _ in 0..10 {
            let mutant = mutant(certificate, &mut random);
            counts.mutants += 1;
            match door.check(&mutant, Mending::Refuse) {
                Err(Refusal::Shape { .. }) => counts.refused_shape += 1,
                Err(_) => counts.refused_open += 1,
                Ok(_) => {
                    counts.accepted += 1;
                    let wrong = arity(&mutant) != Some(1) || case.counterexample(&mut random).is_some();
                    counts.accepted_wrong += usize::from(wrong);
                }
            }
        }
    }
    println!("seed {seed}: {counts:?}");
}

/// A tree of random cuts and phases, to be mended.
fn grown(door: &Door, case: &Case, random: &mut Random) -> Certificate {
    let neurons: Vec<u32> =
        (0..case.model.graph.nodes.len()).flat_map(|n| door.neurons(&format!("n{n}"))).collect();
    let mut tokens = Vec::new();
    let mut open = 1;
    while open > 0 {
        open -= 1;
        if tokens.len() < 12 && random.below(3) > 0 {
            open += 2;
            let input = random.below(judge::width(&case.model));
            let (low, high) = case.ranges[input];
            tokens.push(match neurons.is_empty() || random.below(2) == 0 {
                true => Token::Cut { input: input as u32, at: 0.5 * low + 0.5 * high },
                false => Token::Phase { neuron: neurons[random.below(neurons.len())] },
            });
        } else {
            let some = |random: &mut Random| match neurons.is_empty() {
                true => vec![],
                false => vec![(neurons[random.below(neurons.len())], random.unit() as f32)],
            };
            tokens.push(Token::Leaf { slopes: some(random), weights: some(random) });
        }
    }
    Certificate { tokens }
}

/// Parts that the tokens leave over when they are read as a tree; `None` where it ends too early.
fn arity(certificate: &Certificate) -> Option<usize> {
    let mut open = 1usize;
    for token in &certificate.tokens {
        open = open.checked_sub(1)?;
        open += match token {
            Token::Leaf { .. } => 0,
            Token::Cut { .. } | Token::Gap { .. } | Token::Phase { .. } => 2,
            Token::Cases { count, .. } | Token::Values { count, .. } => *count as usize,
            Token::Settled => 1,
        };
    }
    (open == 0).then_some(1)
}

fn mutant(certificate: &Certificate, random: &mut Random) -> Certificate {
    let mut tokens = certificate.tokens.clone();
    let at = random.below(tokens.len());
    match random.below(5) {
        0 => drop(tokens.remove(at)),
        1 => tokens.insert(at, tokens[at].clone()),
        2 => {
            let other = random.below(tokens.len());
            tokens.swap(at, other);
        }
        3 => tokens.truncate(at),
        _ => changed(&mut tokens[at], random),
    }
    Certificate { tokens }
}

fn changed(token: &mut Token, random: &mut Random) {
    let numbers = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e30, random.normal()];
    let number = numbers[random.below(numbers.len())];
    match token {
        Token::Leaf { slopes, weights } => {
            let list = if random.below(2) == 0 { slopes } else { weights };
            match list.first_mut() {
                Some(pair) if random.below(2) == 0 => pair.1 = number as f32,
                Some(pair) => pair.0 = pair.0.wrapping_add(1),
                None => list.push((random.below(50) as u32, number as f32)),
            }
        }
        Token::Cut { input, at } | Token::Gap { input, at } => match random.below(2) {
            0 => *at = number,
            _ => *input += 1,
        },
        Token::Phase { neuron } => *neuron = neuron.wrapping_add(1),
        Token::Values { at, low, count, .. } => match random.below(3) {
            0 => *at = at.wrapping_add(1),
            1 => *low = low.wrapping_add(1),
            _ => *count = count.saturating_sub(1),
        },
        Token::Settled => {}
        Token::Cases { or, count } => match random.below(2) {
            0 => *or += 1,
            _ => *count += 1,
        },
    }
}
