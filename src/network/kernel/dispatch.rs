//! Which instruction set the kernels use on this machine, decided once a call by what the processor says.
//!
//! A kernel that is compiled for a set is entered with the set's token, and only detection makes one: code that a processor does
//! not have cannot be called.

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

/// Runs `body` compiled for the best instruction set: plain loops inside it are vectorised with that set.
///
/// `body` has to be a closure whose work is inlined into it (mark the functions it calls `#[inline(always)]`).
#[inline(always)]
pub(crate) fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    match InstructionSet::detect() {
        // SAFETY: the token says that the processor has the features.
        InstructionSet::Avx512(HasAvx512(())) => return unsafe { with_avx512(body) },
        // SAFETY: the token says that the processor has the features.
        InstructionSet::Avx2(HasAvx2(())) => return unsafe { with_avx2(body) },
        InstructionSet::Plain => {}
    }
    body()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn with_avx512<R>(body: impl FnOnce() -> R) -> R {
    body()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<R>(body: impl FnOnce() -> R) -> R {
    body()
}
