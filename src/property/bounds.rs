//! Interval ends exactly as written, and the numbers of the network's type between them.

use std::cmp::Ordering;

use vnnlib::{Numeral, Relation};

use crate::onnx::ElementType;

/// One end of an interval.
#[derive(Debug, Clone, Copy)]
struct End<'q> {
    numeral: Numeral<'q>,
    strict: bool,
}

/// What the file says of one input.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Interval<'q> {
    lower: Option<End<'q>>,
    upper: Option<End<'q>>,
}

/// The numbers of the network's input type in an interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// From the first to the second; infinite where the file gives no bound.
    Range(f64, f64),
    /// There is none, but the interval is not empty: the nearest number, and a decimal of the file inside.
    Nearest(f64, String),
    /// There is none, and no bound of the file lies inside either (both ends are strict).
    Unreachable,
    /// The interval is empty.
    Empty,
}

impl<'q> Interval<'q> {
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
    pub(super) fn values(&self, element: ElementType) -> Values {
        if self.is_empty() {
            return Values::Empty;
        }
        let lower = self.lower.map_or(f64::NEG_INFINITY, |end| end.first(element));
        let upper = self.upper.map_or(f64::INFINITY, |end| end.last(element));
        if lower <= upper {
            return Values::Range(lower, upper);
        }
        match [self.lower, self.upper].into_iter().flatten().find(|end| !end.strict) {
            Some(end) => Values::Nearest(nearest(end.numeral, element), end.numeral.as_str().to_owned()),
            None => Values::Unreachable,
        }
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

impl End<'_> {
    fn first(&self, element: ElementType) -> f64 {
        let up = match element {
            ElementType::Float64 => self.numeral.f64_up(),
            _ => f64::from(self.numeral.f32_up()),
        };
        if self.strict && self.numeral.cmp_f64(up) == Some(Ordering::Equal) {
            next(up, element, true)
        } else {
            up
        }
    }

    fn last(&self, element: ElementType) -> f64 {
        let down = match element {
            ElementType::Float64 => self.numeral.f64_down(),
            _ => f64::from(self.numeral.f32_down()),
        };
        if self.strict && self.numeral.cmp_f64(down) == Some(Ordering::Equal) {
            next(down, element, false)
        } else {
            down
        }
    }
}

fn nearest(numeral: Numeral<'_>, element: ElementType) -> f64 {
    match element {
        ElementType::Float64 => numeral.nearest_f64(),
        _ => f64::from(numeral.nearest_f32()),
    }
}

fn next(x: f64, element: ElementType, up: bool) -> f64 {
    match (element, up) {
        (ElementType::Float64, true) => x.next_up(),
        (ElementType::Float64, false) => x.next_down(),
        (_, true) => f64::from((x as f32).next_up()),
        (_, false) => f64::from((x as f32).next_down()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bounds: &[(Relation, &str)], want: Values) {
        let mut interval = Interval::default();
        for &(relation, text) in bounds {
            assert!(interval.add(relation, Numeral::new(text).unwrap()));
        }
        assert_eq!(interval.values(ElementType::Float32), want, "{bounds:?}");
    }

    #[test]
    fn bounds_round_into_the_box() {
        use Relation::*;
        let tenth = f64::from(0.1f32); // above the decimal
        check(&[(GreaterEqual, "0.1"), (LessEqual, "1")], Values::Range(tenth, 1.0));
        check(&[(GreaterEqual, "0"), (LessEqual, "0.1")], Values::Range(0.0, f64::from(0.1f32.next_down())));
        check(
            &[(Greater, "0.5"), (Less, "1")],
            Values::Range(f64::from(0.5f32.next_up()), f64::from(1f32.next_down())),
        );
        check(
            &[(GreaterEqual, "0.2"), (GreaterEqual, "0.5"), (LessEqual, "9"), (LessEqual, "7")],
            Values::Range(0.5, 7.0),
        );
        check(&[(Equal, "0.5")], Values::Range(0.5, 0.5));
        check(&[(LessEqual, "2")], Values::Range(f64::NEG_INFINITY, 2.0));
    }

    #[test]
    fn intervals_without_a_float_keep_their_decimal() {
        use Relation::*;
        check(&[(Equal, "0.61")], Values::Nearest(f64::from(0.61f32), "0.61".into()));
        check(
            &[(Greater, "0.61"), (LessEqual, "0.610000000000001")],
            Values::Nearest(f64::from(0.61f32), "0.610000000000001".into()),
        );
        check(&[(Greater, "0.61"), (Less, "0.610000000000001")], Values::Unreachable);
        check(&[(GreaterEqual, "1.0"), (LessEqual, "0.999999999999999999999")], Values::Empty);
        check(&[(Greater, "1"), (LessEqual, "1")], Values::Empty);
    }
}
