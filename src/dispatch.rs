//! How loops run on this machine: with which instruction set, decided once a call by what the processor says, and on how many threads.
//! It is the only thing that the engines have in common: both make the same loop faster, and round the same.
//!
//! A kernel that is compiled for a set is entered with the set's token, and only detection makes one: code that a processor does
//! not have cannot be called.

#![allow(unsafe_code)]

use std::thread;

/// Multiplications from which on threads are worth their start, some 30 microseconds each.
pub(crate) const WORTH_THREADS: usize = 1 << 22;

/// Runs the parts of one computation side by side, each on a thread of its own, the first one on this.
pub(crate) fn side_by_side<P: Send>(parts: impl IntoIterator<Item = P>, run: impl Fn(P) + Sync) {
    let mut parts = parts.into_iter();
    let (own, run) = (parts.next(), &run);
    thread::scope(|scope| {
        parts.for_each(|part| {
            scope.spawn(move || run(part));
        });
        own.into_iter().for_each(run);
    });
}

/// The processor has AVX-512F, BW, DQ and VL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HasAvx512(());

/// The processor has AVX2 and FMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HasAvx2(());

/// The sets that the kernels are compiled for, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    /// AVX-512F (with what every such server processor has: BW, DQ, VL).
    Avx512(HasAvx512),
    /// AVX2 and FMA.
    Avx2(HasAvx2),
    /// What the compilation target guarantees.
    Plain,
}

impl InstructionSet {
    /// The best set of this machine. The standard library caches the processor's answer.
    #[inline]
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Self::Avx512(HasAvx512(()));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2(HasAvx2(()));
            }
        }
        Self::Plain
    }

    /// Every set that this machine can run, best first: the tests compare them with each other.
    #[cfg(test)]
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        let best = Self::detect();
        // All processors with AVX-512 have AVX2 and FMA.
        let second = matches!(best, Self::Avx512(_)).then_some(Self::Avx2(HasAvx2(())));
        let last = (best != Self::Plain).then_some(Self::Plain);
        [Some(best), second, last].into_iter().flatten()
    }
}

/// Loops that are compiled for an instruction set wherever they are run: [`VectorLoops::run`] has to be `#[inline(always)]`, and so has
/// what it calls.
pub(crate) trait VectorLoops {
    /// What they compute.
    type Output;
    /// Runs them.
    fn run(self) -> Self::Output;
}

impl<R, F: FnOnce() -> R> VectorLoops for F {
    type Output = R;
    #[inline(always)]
    fn run(self) -> R {
        self()
    }
}

/// Runs loops compiled for the best instruction set: plain ones are vectorised with that set.
///
/// A closure is inlined as long as the compiler thinks it small, which a nest of loops is not: that wants a type of its own.
#[inline(always)]
pub(crate) fn vectorized<L: VectorLoops>(loops: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    match InstructionSet::detect() {
        // SAFETY: the token says that the processor has the features.
        InstructionSet::Avx512(HasAvx512(())) => return unsafe { with_avx512(loops) },
        // SAFETY: the token says that the processor has the features.
        InstructionSet::Avx2(HasAvx2(())) => return unsafe { with_avx2(loops) },
        InstructionSet::Plain => {}
    }
    loops.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn with_avx512<L: VectorLoops>(loops: L) -> L::Output {
    loops.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<L: VectorLoops>(loops: L) -> L::Output {
    loops.run()
}
