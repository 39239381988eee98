//! Pielou's evenness of the classes that adversarial images are taken for: `−Σ p ln p / ln m`, of all `m` classes of
//! the network, as the paper's figures have it (E. C. Pielou, J. Theor. Biol. 13, 1966; the index divides by the classes
//! that occur, the paper by those that exist). 1: all classes equally often; 0: always the same.

/// The evenness of counts, one a class; `None` without any, or with fewer than two classes.
pub fn pielou(counts: &[usize]) -> Option<f64> {
    let all: usize = counts.iter().sum();
    if all == 0 || counts.len() < 2 {
        return None;
    }
    let entropy = counts.iter().filter(|&&count| count > 0).map(|&count| {
        // The logarithm of the inverse: of a single class it is 0, not -0.
        let (count, all) = (count as f64, all as f64);
        count / all * (all / count).ln()
    });
    Some(entropy.sum::<f64>() / (counts.len() as f64).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenness_of_known_counts() {
        let cases: [(&[usize], Option<f64>); 6] = [
            (&[5, 5, 5, 5], Some(1.0)),
            (&[7, 0, 0], Some(0.0)),
            (&[1, 1, 0, 0], Some(0.5)),
            (&[3, 1], Some(0.811_278_124_459_132_8)),
            (&[0, 0], None),
            (&[3], None),
        ];
        for (counts, want) in cases {
            let near = match (pielou(counts), want) {
                (Some(got), Some(want)) => (got - want).abs() < 1e-12,
                (got, want) => got == want,
            };
            assert!(near, "{counts:?}: {:?}", pielou(counts));
            assert!(pielou(counts).is_none_or(f64::is_sign_positive), "{counts:?}");
        }
    }
}
