//! Interval ends exactly as written, and the numbers of the network's type between them.

use std::cmp::Ordering;
use std::fmt;

use vnnlib::{Numeral, Relation};

use super::grid;
use crate::onnx::ElementType;

/// One end of an interval.
#[derive(Debug, Clone, Copy)]
struct End<'q> {
    numeral: Numeral<'q>,
    strict: bool,
}

/// What the file says of one input.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StatedInterval<'q> {
    lower: Option<End<'q>>,
    upper: Option<End<'q>>,
}

/// The numbers of the network's input type in an interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RepresentableValues {
    /// From the first to the second; infinite where neither the file nor the type gives a bound.
    Range(f64, f64),
    /// There is none, but the interval is not empty: the nearest number, and a decimal of the file inside.
    Nearest(f64, String),
    /// There is none, and no bound of the file lies inside either (both ends are strict).
    Unreachable,
    /// The interval is empty.
    Empty,
}

impl<'q> StatedInterval<'q> {
    /// Intersects with `variable relation numeral`; `false` for `≠`, which no interval can hold.
    pub(super) fn add(&mut self, relation: Relation, numeral: Numeral<'q>) -> bool {
        let end = |strict| End { numeral, strict };
        match relation {
            Relation::LessEqual => self.add_upper(end(false)),
            Relation::Less => self.add_upper(end(true)),
            Relation::GreaterEqual => self.add_lower(end(false)),
            Relation::Greater => self.add_lower(end(true)),
            Relation::Equal => {
                self.add_lower(end(false));
                self.add_upper(end(false));
            }
            Relation::NotEqual => return false,
        }
        true
    }

    fn add_lower(&mut self, end: End<'q>) {
        let tighter = self.lower.is_none_or(|old| {
            let order = end.numeral.cmp_value(old.numeral);
            order == Ordering::Greater || (order == Ordering::Equal && end.strict)
        });
        if tighter {
            self.lower = Some(end);
        }
    }

    fn add_upper(&mut self, end: End<'q>) {
        let tighter = self.upper.is_none_or(|old| {
            let order = end.numeral.cmp_value(old.numeral);
            order == Ordering::Less || (order == Ordering::Equal && end.strict)
        });
        if tighter {
            self.upper = Some(end);
        }
    }

    /// The admissible numbers of type `element`: lower ends are rounded up, upper ends down.
    pub(super) fn values(&self, element: ElementType) -> RepresentableValues {
        if self.is_empty() {
            return RepresentableValues::Empty;
        }
        let (least, most) = grid::range(element);
        let first = self.lower.map_or(f64::NEG_INFINITY, |end| end.first(element));
        let last = self.upper.map_or(f64::INFINITY, |end| end.last(element));
        let (lower, upper) = (first.max(least), last.min(most));
        if lower <= upper && lower != f64::INFINITY && upper != f64::NEG_INFINITY {
            return RepresentableValues::Range(lower, upper);
        }
        if !element.is_float() {
            // Nothing between two integers, or beyond the type's range: the file speaks of numbers all the same.
            return RepresentableValues::Unreachable;
        }
        match [self.lower, self.upper].into_iter().flatten().find(|end| !end.strict) {
            Some(end) if nearest(end.numeral, element).is_finite() => {
                RepresentableValues::Nearest(nearest(end.numeral, element), end.numeral.as_str().to_owned())
            }
            _ => RepresentableValues::Unreachable,
        }
    }

    /// Doubles around every real number of the interval; infinite where the file gives no bound.
    pub(super) fn hull(&self) -> (f64, f64) {
        let lower = self.lower.map_or(f64::NEG_INFINITY, |end| end.numeral.f64_down());
        let upper = self.upper.map_or(f64::INFINITY, |end| end.numeral.f64_up());
        (lower, upper)
    }

    /// Whether the file leaves an end out.
    pub(super) fn is_open(&self) -> bool {
        self.lower.is_none() || self.upper.is_none()
    }

    fn is_empty(&self) -> bool {
        match (self.lower, self.upper) {
            (Some(lower), Some(upper)) => match lower.numeral.cmp_value(upper.numeral) {
                Ordering::Less => false,
                Ordering::Equal => lower.strict || upper.strict,
                Ordering::Greater => true,
            },
            _ => false,
        }
    }
}

impl fmt::Display for StatedInterval<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |end: &End<'_>, strict, other| if end.strict { strict } else { other };
        let lower = self.lower.map(|end| format!("{} {}", sign(&end, ">", ">="), end.numeral.as_str()));
        let upper = self.upper.map(|end| format!("{} {}", sign(&end, "<", "<="), end.numeral.as_str()));
        let bounds: Vec<String> = lower.into_iter().chain(upper).collect();
        f.write_str(&bounds.join(" and "))
    }
}

impl End<'_> {
    /// The least number of the type that this lower end admits.
    fn first(&self, element: ElementType) -> f64 {
        let up = match element {
            ElementType::Float64 => self.numeral.f64_up(),
            ElementType::Float32 => f64::from(self.numeral.f32_up()),
            _ => self.beyond(element, true),
        };
        if self.strict && self.numeral.cmp_f64(up) == Some(Ordering::Equal) {
            grid::next(element, up, true)
        } else {
            up
        }
    }

    /// The largest number of the type that this upper end admits.
    fn last(&self, element: ElementType) -> f64 {
        let down = match element {
            ElementType::Float64 => self.numeral.f64_down(),
            ElementType::Float32 => f64::from(self.numeral.f32_down()),
            _ => self.beyond(element, false),
        };
        if self.strict && self.numeral.cmp_f64(down) == Some(Ordering::Equal) {
            grid::next(element, down, false)
        } else {
            down
        }
    }

    /// The first number of the type that is not below (not above) the decimal. The nearest one is it or its
    /// neighbour.
    fn beyond(&self, element: ElementType, up: bool) -> f64 {
        let near = if element.is_float() {
            grid::nearest(element, self.numeral.nearest_f64())
        } else {
            // Not clamped to the type's range: beyond it there is nothing.
            self.numeral.nearest_f64().round()
        };
        let short = if up { Ordering::Greater } else { Ordering::Less };
        match self.numeral.cmp_f64(near) {
            Some(order) if order == short => grid::next(element, near, up),
            _ => near,
        }
    }
}

fn nearest(numeral: Numeral<'_>, element: ElementType) -> f64 {
    match element {
        ElementType::Float32 => f64::from(numeral.nearest_f32()),
        _ => grid::nearest(element, numeral.nearest_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bounds: &[(Relation, &str)], want: RepresentableValues) {
        let mut interval = StatedInterval::default();
        for &(relation, text) in bounds {
            assert!(interval.add(relation, Numeral::new(text).unwrap()));
        }
        assert_eq!(interval.values(ElementType::Float32), want, "{bounds:?}");
    }

    #[test]
    fn bounds_round_into_the_box() {
        use Relation::*;
        let tenth = f64::from(0.1f32); // above the decimal
        check(&[(GreaterEqual, "0.1"), (LessEqual, "1")], RepresentableValues::Range(tenth, 1.0));
        check(
            &[(GreaterEqual, "0"), (LessEqual, "0.1")],
            RepresentableValues::Range(0.0, f64::from(0.1f32.next_down())),
        );
        check(
            &[(Greater, "0.5"), (Less, "1")],
            RepresentableValues::Range(f64::from(0.5f32.next_up()), f64::from(1f32.next_down())),
        );
        check(
            &[(GreaterEqual, "0.2"), (GreaterEqual, "0.5"), (LessEqual, "9"), (LessEqual, "7")],
            RepresentableValues::Range(0.5, 7.0),
        );
        check(&[(Equal, "0.5")], RepresentableValues::Range(0.5, 0.5));
        check(&[(LessEqual, "2")], RepresentableValues::Range(f64::NEG_INFINITY, 2.0));
    }

    #[test]
    fn intervals_without_a_float_keep_their_decimal() {
        use Relation::*;
        check(&[(Equal, "0.61")], RepresentableValues::Nearest(f64::from(0.61f32), "0.61".into()));
        check(
            &[(Greater, "0.61"), (LessEqual, "0.610000000000001")],
            RepresentableValues::Nearest(f64::from(0.61f32), "0.610000000000001".into()),
        );
        check(&[(Greater, "0.61"), (Less, "0.610000000000001")], RepresentableValues::Unreachable);
        check(&[(GreaterEqual, "1.0"), (LessEqual, "0.999999999999999999999")], RepresentableValues::Empty);
        check(&[(Greater, "1"), (LessEqual, "1")], RepresentableValues::Empty);
    }

    #[test]
    fn other_types_have_other_numbers() {
        use ElementType::*;
        use Relation::*;
        let cases = [
            (Int8, vec![(GreaterEqual, "-1.5"), (Less, "3")], RepresentableValues::Range(-1.0, 2.0)),
            (Int8, vec![(GreaterEqual, "-1")], RepresentableValues::Range(-1.0, 127.0)),
            (Int8, vec![(Greater, "1"), (Less, "2")], RepresentableValues::Unreachable),
            (Int8, vec![(Greater, "2"), (Less, "1")], RepresentableValues::Empty),
            (UInt8, vec![(Less, "0")], RepresentableValues::Unreachable),
            (Int64, vec![(Greater, "1e17"), (Less, "1e18")], RepresentableValues::Unreachable),
            (Bool, vec![], RepresentableValues::Range(0.0, 1.0)),
            (
                Float16,
                vec![(GreaterEqual, "0.1"), (LessEqual, "1")],
                RepresentableValues::Range(0.10003662109375, 1.0),
            ),
            (Float16, vec![(GreaterEqual, "100000")], RepresentableValues::Unreachable),
            (Float64, vec![(Equal, "0.5")], RepresentableValues::Range(0.5, 0.5)),
        ];
        for (element, bounds, want) in cases {
            let mut interval = StatedInterval::default();
            for &(relation, text) in &bounds {
                assert!(interval.add(relation, Numeral::new(text).unwrap()));
            }
            assert_eq!(interval.values(element), want, "{element} {bounds:?}");
        }
    }
}
