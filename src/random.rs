//! The one source of randomness: seeded, and split into independent streams by name or number.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A seeded random stream (xoshiro256++).
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    state: Xoshiro256PlusPlus,
}

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// An independent stream that depends on this stream's seed and `label` only, not on what was drawn before: a
    /// strategy draws the same numbers whatever the others do.
    pub fn fork(&self, label: u64) -> Self {
        // The finaliser of splitmix64 spreads neighbouring labels over all seeds.
        let mut z = self.seed ^ label.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::new(z ^ (z >> 31))
    }

    /// A uniform integer.
    pub fn bits(&mut self) -> u64 {
        self.state.next_u64()
    }

    /// Uniform in [0, 1), in steps of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform below `n` (0 for `n` = 0). The bias of the multiplication, `n` / 2⁶⁴, does not matter here.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_depend_on_the_seed_and_the_label_only() {
        let mut a = Random::new(7);
        let b = Random::new(7);
        a.bits();
        assert_eq!(a.fork(3).bits(), b.fork(3).bits());
        assert_ne!(a.fork(3).bits(), b.fork(4).bits());
        assert_ne!(Random::new(8).fork(3).bits(), b.fork(3).bits());
    }

    #[test]
    fn draws_stay_in_their_ranges() {
        let mut random = Random::new(1);
        let mut sum = 0.0;
        for _ in 0..10_000 {
            assert!(random.below(7) < 7);
            let x = random.between(-2.0, 3.0);
            assert!((-2.0..3.0).contains(&x));
            sum += random.normal();
        }
        assert!(sum.abs() < 400.0, "the mean of 10,000 normals is off by more than four deviations");
    }
}
