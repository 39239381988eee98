//! The largest of several rows, number by number: what poolings are made of.

use super::vector::Vector;
use crate::dispatch::InstructionSet;
use crate::network::real::Real;

/// `out[l] = max_k data[starts[k] + l]`. What is no number counts as the smallest, and so does nothing at all.
pub(crate) fn largest_rows<T: Real>(data: &[T], starts: &[usize], out: &mut [T]) {
    largest_rows_with(InstructionSet::detect(), data, starts, out);
}

/// [`largest_rows`] with a given instruction set.
fn largest_rows_with<T: Real>(set: InstructionSet, data: &[T], starts: &[usize], out: &mut [T]) {
    let last = starts.iter().max().map_or(0, |&start| start.saturating_add(out.len()));
    assert!(last <= data.len(), "a row is outside of the data");
    // SAFETY: the lengths were checked above, and a set carries its token.
    unsafe {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(_) => run_avx512(data, starts, out),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => run_avx2(data, starts, out),
            _ => run::<T, T::Plain>(data, starts, out),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_avx512<T: Real>(data: &[T], starts: &[usize], out: &mut [T]) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Wide>(data, starts, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Real>(data: &[T], starts: &[usize], out: &mut [T]) {
    // SAFETY: the caller checked the lengths.
    unsafe { run::<T, T::Half>(data, starts, out) }
}

/// # Safety
/// Every row of `out.len()` numbers lies in the data, and `V`'s instruction set is there.
#[inline(always)]
unsafe fn run<T: Real, V: Vector<Number = T>>(data: &[T], starts: &[usize], out: &mut [T]) {
    let mut lane = 0;
    while lane < out.len() {
        let count = V::LANES.min(out.len() - lane);
        // SAFETY: as this function's; the last vector of a row may be a part of one.
        unsafe {
            let mut largest = V::splat(T::neg_infinity());
            if count == V::LANES {
                for &start in starts {
                    largest = V::load(data.as_ptr().add(start + lane)).or_if_not_larger(largest);
                }
                largest.store(out.as_mut_ptr().add(lane));
            } else {
                for &start in starts {
                    let row = V::load_partial(data.as_ptr().add(start + lane), count);
                    largest = row.or_if_not_larger(largest);
                }
                largest.store_partial(out.as_mut_ptr().add(lane), count);
            }
        }
        lane += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Real>(starts: &[usize], len: usize) {
        let mut data: Vec<T> = (0..200).map(|i| T::of(((i * 37) % 101) as f64 / 7.0 - 5.0)).collect();
        data[17] = T::nan();
        for set in InstructionSet::available() {
            let mut out = vec![T::zero(); len];
            largest_rows_with(set, &data, starts, &mut out);
            for (l, &got) in out.iter().enumerate() {
                let want = starts.iter().map(|start| data[start + l]).fold(T::neg_infinity(), T::max);
                assert!(got == want, "{set:?} {starts:?} [{l}]: {got}, not {want}");
            }
        }
    }

    #[test]
    fn agrees_with_the_plain_maximum_for_every_length_and_instruction_set() {
        for starts in [&[][..], &[3], &[0, 17, 5], &[17, 16], &[9, 60, 31, 2]] {
            for len in [0, 1, 4, 7, 8, 15, 16, 17, 33, 64, 100] {
                check::<f32>(starts, len);
                check::<f64>(starts, len);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a row is outside of the data")]
    fn a_row_beyond_the_data_is_refused() {
        largest_rows(&[1.0; 4], &[usize::MAX, 0], &mut [0.0; 2]);
    }
}
