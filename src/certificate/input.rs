//! Inputs of a query: the bounds that it asserts of them, and the numbers of their types.

use std::cmp::Ordering;

use vnnlib::{Numeral, Relation};

use super::directed::Interval;
use super::format::Format;
use super::tape::Scalar;
use crate::onnx::ElementType;

/// No whole number of any type is larger.
const MOST_WHOLE: f64 = 1.9e19;

/// Whole numbers below it are doubles, and neighbours differ by one; floats that large are cut by nobody.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// An input of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    pub(super) number: Scalar,
    pub(super) element: ElementType,
}

/// The tightest bounds of an input as they are written, and whether they are strict.
#[derive(Clone, Copy, Default)]
pub(super) struct Ends<'q> {
    low: Option<(Numeral<'q>, bool)>,
    high: Option<(Numeral<'q>, bool)>,
}

impl<'q> Ends<'q> {
    pub(super) fn add(&mut self, relation: Relation, numeral: Numeral<'q>) {
        let strict = matches!(relation, Relation::Less | Relation::Greater);
        let tighter = |old: Option<(Numeral<'q>, bool)>, wanted: Ordering| {
            old.is_none_or(|(other, was_strict)| match numeral.cmp_value(other) {
                Ordering::Equal => strict && !was_strict,
                order => order == wanted,
            })
        };
        if matches!(relation, Relation::Less | Relation::LessEqual | Relation::Equal)
            && tighter(self.high, Ordering::Less)
        {
            self.high = Some((numeral, strict));
        }
        if matches!(relation, Relation::Greater | Relation::GreaterEqual | Relation::Equal)
            && tighter(self.low, Ordering::Greater)
        {
            self.low = Some((numeral, strict));
        }
    }

    /// Doubles around the real numbers between the bounds; `None` if there are none, decimal against decimal.
    pub(super) fn reals(&self) -> Option<(f64, f64)> {
        if let (Some((low, above)), Some((high, below))) = (self.low, self.high) {
            match low.cmp_value(high) {
                Ordering::Greater => return None,
                Ordering::Equal if above || below => return None,
                _ => {}
            }
        }
        let low = self.low.map_or(f64::NEG_INFINITY, |(numeral, _)| numeral.f64_down());
        Some((low, self.high.map_or(f64::INFINITY, |(numeral, _)| numeral.f64_up())))
    }
}

impl Input {
    /// All numbers of the type that decimals from `low` to `high` stand for, and those decimals.
    pub(super) fn hull(self, low: f64, high: f64) -> Interval {
        let round = |x: f64| self.nearest(x);
        if let Some(format) = Format::of(self.element) {
            let inside = |x: f64| x.clamp(-format.largest, format.largest);
            Interval { low: inside(low.min(round(low))), high: inside(high.max(round(high))) }
        } else {
            Interval { low: low.floor().max(-MOST_WHOLE), high: high.ceil().min(MOST_WHOLE) }
        }
    }

    /// The number of the type that is nearest.
    pub(super) fn nearest(self, x: f64) -> f64 {
        match self.element {
            ElementType::Float64 => x,
            ElementType::Float32 => f64::from(x as f32),
            ElementType::Float16 => half::f16::from_f64(x).to_f64(),
            ElementType::BFloat16 => half::bf16::from_f64(x).to_f64(),
            _ => x.round(),
        }
    }

    /// A number of the type between two; `None` if there is none.
    pub(super) fn between(self, low: f64, high: f64) -> Option<f64> {
        let is_inside = |x: &f64| low < *x && *x < high;
        let middle = self.nearest(0.5 * low + 0.5 * high);
        Some(middle).filter(is_inside).or_else(|| self.after(self.nearest(low)).filter(is_inside))
    }

    /// What no number of the type exceeds: the end of an input that nothing bounds.
    pub(super) fn largest(self) -> f64 {
        Format::of(self.element).map_or(MOST_WHOLE, |format| format.largest)
    }

    /// A number of the type between two, about in the middle and with few digits; `None` if there is none.
    pub(super) fn middle(self, low: f64, high: f64) -> Option<f64> {
        let grid = ((high - low).log2().floor() - 4.0).exp2();
        let round = ((0.5 * low + 0.5 * high) / grid).round() * grid;
        let is_own = |x: &f64| self.nearest(*x) == *x && low < *x && *x < high;
        Some(round).filter(is_own).or_else(|| self.between(low, high))
    }

    /// The next number of the type; `None` if this is none of it.
    pub(super) fn after(self, x: f64) -> Option<f64> {
        let step = |bits: u16| match bits {
            0x8000 => 1,
            _ if bits & 0x8000 == 0 => bits.saturating_add(1),
            _ => bits - 1,
        };
        let (own, next) = match self.element {
            ElementType::Float64 => (x, x.next_up()),
            ElementType::Float32 => (f64::from(x as f32), f64::from((x as f32).next_up())),
            ElementType::Float16 => {
                let own = half::f16::from_f64(x);
                (own.to_f64(), half::f16::from_bits(step(own.to_bits())).to_f64())
            }
            ElementType::BFloat16 => {
                let own = half::bf16::from_f64(x);
                (own.to_f64(), half::bf16::from_bits(step(own.to_bits())).to_f64())
            }
            _ => (x.round(), x + 1.0),
        };
        (own == x && next > x && next.is_finite() && next.abs() < MOST_EXACT).then_some(next)
    }

    /// `None` for whole numbers.
    pub(super) fn format(self) -> Option<Format> {
        Format::of(self.element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_middle_is_a_number_of_the_type_between_the_ends(
            a in -1000.0..1000.0f64,
            width in prop_oneof![0.0..2000.0f64, 0.0..1e-3f64, Just(0.0)],
            kind in 0..6usize,
        ) {
            let element = [
                ElementType::Float32, ElementType::Float64, ElementType::Float16, ElementType::BFloat16,
                ElementType::Int8, ElementType::Int64,
            ][kind];
            let input = Input { number: 0, element };
            let (low, high) = (input.nearest(a), input.nearest(a + width));
            match input.middle(low, high) {
                Some(x) => {
                    prop_assert!(low < x && x < high && input.nearest(x) == x, "{low} {x} {high}");
                    let share = (x - low) / (high - low);
                    // Rounded to few digits, or where there are hardly any numbers.
                    let next = input.after(low).and_then(|next| input.after(next));
                    prop_assert!((0.4..=0.6).contains(&share) || next.is_none_or(|x| input.after(x).is_none_or(|x| x >= high)), "{low} {x} {high}");
                }
                None => prop_assert!(low == high || input.after(low) == Some(high), "{low} {high}"),
            }
        }
    }

    #[test]
    fn a_middle_has_few_digits() {
        let input = Input { number: 0, element: ElementType::Float32 };
        let cases = [
            ((0.0, 1.0), Some(0.5)),
            ((-0.328422874212265, 0.679857671260834), Some(0.1875)),
            ((1.0, 1.0), None),
        ];
        for ((low, high), want) in cases {
            assert_eq!(input.middle(low, high), want, "{low} {high}");
        }
    }
}
