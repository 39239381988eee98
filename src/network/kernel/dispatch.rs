//! Which instruction set the kernels use on this machine, decided once a call by what the processor says.

/// The sets that the kernels are compiled for, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// AVX-512F (with what every such server processor has: BW, DQ, VL).
    Avx512,
    /// AVX2 and FMA.
    Avx2,
    /// What the compilation target guarantees.
    Plain,
}

impl InstructionSet {
    /// The best set of this machine. The standard library caches the processor's answer.
    #[inline]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }

    /// Every set that this machine can run: the tests compare them with each other.
    pub fn available() -> impl Iterator<Item = Self> {
        let best = Self::detect();
        [Self::Avx512, Self::Avx2, Self::Plain].into_iter().skip_while(move |&set| set != best)
    }
}

/// Runs `body` compiled for the best instruction set: plain loops inside it are vectorised with that set.
///
/// `body` has to be a closure whose work is inlined into it (mark the functions it calls `#[inline(always)]`).
#[inline(always)]
pub fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    match InstructionSet::detect() {
        // SAFETY: the processor has the features.
        InstructionSet::Avx512 => return unsafe { with_avx512(body) },
        // SAFETY: the processor has the features.
        InstructionSet::Avx2 => return unsafe { with_avx2(body) },
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
