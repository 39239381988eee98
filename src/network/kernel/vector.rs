//! Short vectors of numbers, one type an instruction set: the vocabulary that the kernels are written in.
//!
//! Three sets: AVX-512 and AVX2 with FMA through intrinsics, and plain arrays that the compiler vectorises with
//! what every x86-64 (or other) machine has. The kernels are generic over [`Vector`] and instantiated once a set;
//! [`crate::dispatch`] chooses at run time.

/// The vector types of a number type.
pub trait Vectors: Sized {
    /// 512-bit vectors.
    type Wide: Vector<Number = Self>;
    /// 256-bit vectors.
    type Half: Vector<Number = Self>;
    /// Arrays.
    type Plain: Vector<Number = Self>;
}

/// A vector of `LANES` numbers.
///
/// # Safety
/// All functions may only be called where the instruction set of the type is available, and pointers must be
/// valid for `LANES` (or, in the partial forms, `count` ≤ `LANES`) numbers.
pub trait Vector: Copy {
    /// What a lane holds.
    type Number: Copy;
    /// How many of them.
    const LANES: usize;
    /// All lanes `x`.
    unsafe fn splat(x: Self::Number) -> Self;
    /// Reads `LANES` numbers.
    unsafe fn load(from: *const Self::Number) -> Self;
    /// Reads `count` numbers; the other lanes are zero.
    unsafe fn load_partial(from: *const Self::Number, count: usize) -> Self;
    /// Writes `LANES` numbers.
    unsafe fn store(self, to: *mut Self::Number);
    /// Writes the first `count` numbers.
    unsafe fn store_partial(self, to: *mut Self::Number, count: usize);
    /// `self * a + b`.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// Lane by lane sum.
    unsafe fn add(self, other: Self) -> Self;
    /// Lane by lane this number if it is larger, else the other: of this one a NaN is not larger, of the other it stays.
    unsafe fn or_if_not_larger(self, other: Self) -> Self;
}

/// Plain arrays; eight numbers keep two SSE registers of `f32` busy.
#[derive(Clone, Copy)]
pub struct LaneArray<T, const N: usize>([T; N]);

macro_rules! array {
    ($t:ty, $n:expr) => {
        impl Vector for LaneArray<$t, $n> {
            type Number = $t;
            const LANES: usize = $n;
            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                Self([x; $n])
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: the caller promises LANES readable numbers; arrays of them have their alignment.
                Self(unsafe { from.cast::<[$t; $n]>().read() })
            }
            #[inline(always)]
            unsafe fn load_partial(from: *const $t, count: usize) -> Self {
                let mut lanes = [0.0; $n];
                for (i, lane) in lanes.iter_mut().enumerate().take(count) {
                    // SAFETY: the caller promises `count` readable numbers.
                    *lane = unsafe { *from.add(i) };
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: the caller promises LANES writable numbers.
                unsafe { to.cast::<[$t; $n]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn store_partial(self, to: *mut $t, count: usize) {
                for (i, lane) in self.0.iter().enumerate().take(count) {
                    // SAFETY: the caller promises `count` writable numbers.
                    unsafe { *to.add(i) = *lane };
                }
            }
            #[inline(always)]
            unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                let mut lanes = b.0;
                for i in 0..$n {
                    lanes[i] += self.0[i] * a.0[i];
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                let mut lanes = self.0;
                for i in 0..$n {
                    lanes[i] += other.0[i];
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn or_if_not_larger(self, other: Self) -> Self {
                let mut lanes = other.0;
                for i in 0..$n {
                    lanes[i] = if self.0[i] > lanes[i] { self.0[i] } else { lanes[i] };
                }
                Self(lanes)
            }
        }
    };
}
array!(f32, 8);
array!(f64, 4);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! avx512 {
        ($name:ident, $t:ty, $reg:ty, $mask:ty, $n:expr, $set1:ident, $load:ident, $maskload:ident, $store:ident, $maskstore:ident, $fma:ident, $add:ident, $max:ident) => {
            #[derive(Clone, Copy)]
            pub struct $name($reg);
            impl Vector for $name {
                type Number = $t;
                const LANES: usize = $n;
                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    // SAFETY: AVX-512F is there, as the trait demands.
                    Self(unsafe { $set1(x) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $t) -> Self {
                    // SAFETY: as the trait demands; the load is unaligned.
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn load_partial(from: *const $t, count: usize) -> Self {
                    // SAFETY: masked lanes are not touched.
                    Self(unsafe { $maskload(((1u32 << count) - 1) as $mask, from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $t) {
                    // SAFETY: as the trait demands; the store is unaligned.
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn store_partial(self, to: *mut $t, count: usize) {
                    // SAFETY: masked lanes are not touched.
                    unsafe { $maskstore(to, ((1u32 << count) - 1) as $mask, self.0) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                    // SAFETY: AVX-512F is there.
                    Self(unsafe { $fma(self.0, a.0, b.0) })
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: AVX-512F is there.
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn or_if_not_larger(self, other: Self) -> Self {
                    // SAFETY: AVX-512F is there. The processor's maximum is the first number if it is larger, else the second.
                    Self(unsafe { $max(self.0, other.0) })
                }
            }
        };
    }
    avx512!(
        F32x16,
        f32,
        __m512,
        __mmask16,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_maskz_loadu_ps,
        _mm512_storeu_ps,
        _mm512_mask_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_max_ps
    );
    avx512!(
        F64x8,
        f64,
        __m512d,
        __mmask8,
        8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_maskz_loadu_pd,
        _mm512_storeu_pd,
        _mm512_mask_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_max_pd
    );

    /// The mask of the first `count` of eight numbers.
    #[inline(always)]
    unsafe fn first_of_8(count: usize) -> __m256i {
        // SAFETY: AVX2 is there, as the trait demands.
        unsafe {
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
        }
    }

    /// The mask of the first `count` of four numbers.
    #[inline(always)]
    unsafe fn first_of_4(count: usize) -> __m256i {
        // SAFETY: AVX2 is there, as the trait demands.
        unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
    }

    macro_rules! avx2 {
        ($name:ident, $t:ty, $reg:ty, $n:expr, $set1:ident, $load:ident, $maskload:ident, $store:ident, $maskstore:ident, $first:ident, $fma:ident, $add:ident, $max:ident) => {
            #[derive(Clone, Copy)]
            pub struct $name($reg);
            impl Vector for $name {
                type Number = $t;
                const LANES: usize = $n;
                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    // SAFETY: AVX2 is there, as the trait demands.
                    Self(unsafe { $set1(x) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $t) -> Self {
                    // SAFETY: as the trait demands; the load is unaligned.
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn load_partial(from: *const $t, count: usize) -> Self {
                    // SAFETY: masked lanes are not touched.
                    Self(unsafe { $maskload(from, $first(count)) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $t) {
                    // SAFETY: as the trait demands; the store is unaligned.
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn store_partial(self, to: *mut $t, count: usize) {
                    // SAFETY: masked lanes are not touched.
                    unsafe { $maskstore(to, $first(count), self.0) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                    // SAFETY: FMA is there.
                    Self(unsafe { $fma(self.0, a.0, b.0) })
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: AVX2 is there.
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn or_if_not_larger(self, other: Self) -> Self {
                    // SAFETY: AVX2 is there. The processor's maximum is the first number if it is larger, else the second.
                    Self(unsafe { $max(self.0, other.0) })
                }
            }
        };
    }
    avx2!(
        F32x8,
        f32,
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_maskload_ps,
        _mm256_storeu_ps,
        _mm256_maskstore_ps,
        first_of_8,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_max_ps
    );
    avx2!(
        F64x4,
        f64,
        __m256d,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_maskload_pd,
        _mm256_storeu_pd,
        _mm256_maskstore_pd,
        first_of_4,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_max_pd
    );
}

#[cfg(target_arch = "x86_64")]
impl Vectors for f32 {
    type Wide = x86::F32x16;
    type Half = x86::F32x8;
    type Plain = LaneArray<f32, 8>;
}
#[cfg(target_arch = "x86_64")]
impl Vectors for f64 {
    type Wide = x86::F64x8;
    type Half = x86::F64x4;
    type Plain = LaneArray<f64, 4>;
}
#[cfg(not(target_arch = "x86_64"))]
impl Vectors for f32 {
    type Wide = LaneArray<f32, 8>;
    type Half = LaneArray<f32, 8>;
    type Plain = LaneArray<f32, 8>;
}
#[cfg(not(target_arch = "x86_64"))]
impl Vectors for f64 {
    type Wide = LaneArray<f64, 4>;
    type Half = LaneArray<f64, 4>;
    type Plain = LaneArray<f64, 4>;
}
