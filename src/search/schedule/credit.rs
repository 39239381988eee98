//! What a strategy has brought in its region, and the share of the work that follows from it: a bandit over strategies.
//!
//! The gain of a round is by how much it has brought the best margin nearer to zero, in factors of e: from −1 to −0.5 counts
//! as much as from −0.01 to −0.005. Gains and the work behind them fade from round to round. A strategy that has gained more
//! for its work than all together gets a larger share, one that has gained less a smaller one, within bounds: what proves,
//! or finds at one stroke, gains nothing until it has won, so nobody's share falls below a floor. Where nobody gains, all
//! shares are what the table says.
//!
//! Work is counted in multiplications, so the shares are the same each time for one seed on one thread.

/// What is left of earlier rounds after one more.
const FADE: f64 = 0.9;
/// The gain of a round that leads over the edge, and of any other at most.
const MOST: f64 = 3.0;
/// What a round is taken to gain beside what it has gained: where gains are smaller, shares are equal.
const PRIOR: f64 = 0.02;
/// The smallest and the largest share, as factors.
const SHARES: (f64, f64) = (0.5, 2.0);

/// Gains, the work that has brought them, and the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Credit {
    gain: f64,
    work: f64,
    rounds: f64,
}

impl Credit {
    /// Notes a round: the region's best margin before and after it, and its work in multiplications.
    pub(super) fn note(&mut self, before: Option<f64>, after: Option<f64>, work: f64) {
        self.gain = FADE * self.gain + gain(before, after);
        self.work = FADE * self.work + work;
        self.rounds = FADE * self.rounds + 1.0;
    }

    /// The sum of several.
    pub(super) fn total<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        all.fold(Self::default(), |a, b| Self {
            gain: a.gain + b.gain,
            work: a.work + b.work,
            rounds: a.rounds + b.rounds,
        })
    }

    /// Its share beside all together, as a factor: 1 for one that has not begun.
    pub(super) fn share(&self, all: &Self) -> f64 {
        if self.work <= 0.0 || all.work <= 0.0 {
            return 1.0;
        }
        let prior = PRIOR * all.rounds / all.work;
        let (own, usual) = (self.gain / self.work + prior, all.gain / all.work + prior);
        (own / usual).sqrt().clamp(SHARES.0, SHARES.1)
    }
}

/// How much nearer to zero a margin has come.
fn gain(before: Option<f64>, after: Option<f64>) -> f64 {
    match (before, after) {
        (Some(before), Some(after)) if before < 0.0 && after > before => match after < 0.0 {
            true => (before / after).ln().min(MOST),
            false => MOST,
        },
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_are_factors() {
        for (before, after, want) in [
            (Some(-1.0), Some(-0.5), 2.0_f64.ln()),
            (Some(-0.01), Some(-0.005), 2.0_f64.ln()),
            (Some(-1.0), Some(-1e-9), MOST),
            (Some(-1.0), Some(0.5), MOST),
            (Some(-1.0), Some(-1.0), 0.0),
            (Some(0.1), Some(0.2), 0.0),
            (None, Some(-1.0), 0.0),
            (None, None, 0.0),
        ] {
            assert!((gain(before, after) - want).abs() < 1e-12, "{before:?} to {after:?}");
        }
    }

    /// Rounds of two strategies, each with its margins and its work; their shares.
    fn check(rounds: &[(usize, f64, f64, f64)], want: [f64; 2]) {
        let mut credits = [Credit::default(); 2];
        for &(who, before, after, work) in rounds {
            credits[who].note(Some(before), Some(after), work);
        }
        let all = Credit::total(credits.iter());
        let shares = credits.map(|credit| credit.share(&all));
        let is_near = shares.iter().zip(want).all(|(share, want)| (share - want).abs() < 0.005);
        assert!(is_near, "{rounds:?}: {shares:?}");
    }

    #[test]
    fn who_gains_more_for_its_work_has_the_larger_share() {
        check(&[], [1.0, 1.0]);
        check(&[(0, -1.0, -0.5, 10.0)], [1.0, 1.0]);
        check(&[(0, -1.0, -0.5, 10.0), (1, -0.5, -0.5, 10.0)], [1.395, 0.5]);
        // The same gain for ten times the work.
        check(&[(0, -1.0, -0.5, 10.0), (1, -0.5, -0.25, 100.0)], [2.0, 0.75]);
        // Nobody gains.
        check(&[(0, -1.0, -1.0, 10.0), (1, -1.0, -1.0, 100.0)], [1.0, 1.0]);
        // Gains of long ago.
        let mut rounds = vec![(0, -1.0, -0.5, 10.0), (1, -0.5, -0.5, 10.0)];
        rounds.extend([(0, -0.5, -0.5, 10.0), (1, -0.5, -0.5, 10.0)].repeat(60));
        check(&rounds, [1.0, 1.0]);
    }
}
