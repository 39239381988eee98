//! Inputs that a property ties together to the last digit, such as three shares that sum to one.
//!
//! No sample meets `x₀ + x₁ + x₂ = 1`. But on a grid that is coarse enough for all of these inputs, sums are exact: the
//! inputs are moved onto it, and what is missing is added to one of them, or to several where the box stops the first.

use crate::onnx::ElementType;
use crate::property::{Conjunction, Region, Row, RowKind};
use crate::random::Random;

/// An equation over inputs.
#[derive(Debug, Clone, PartialEq)]
struct InputEquation {
    terms: Vec<(usize, f64)>,
    bound: f64,
    /// The size of the largest number in the box, and the digits behind the first of the coarsest type.
    largest: f64,
    digits: u32,
}

/// The equations over inputs of a conjunction.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::search) struct Balance(Vec<InputEquation>);

impl Balance {
    /// The pairs of rows that hold an expression of inputs from both sides; `element` is the type of an input.
    pub(in crate::search) fn of(
        conjunction: &Conjunction,
        region: &Region,
        element: impl Fn(usize) -> ElementType,
    ) -> Self {
        let of_inputs = |row: &&Row| {
            row.outputs.is_empty() && !row.inputs.is_empty() && row.kind == RowKind::AtMost && row.is_exact()
        };
        let rows: Vec<&Row> = conjunction.rows.iter().filter(of_inputs).collect();
        let opposite = |a: &Row, b: &Row| {
            a.bound == -b.bound
                && a.inputs.len() == b.inputs.len()
                && a.inputs.iter().zip(&b.inputs).all(|(x, y)| x.0 == y.0 && x.1 == -y.1)
        };
        let is_pair = |&(at, row): &(usize, &&Row)| rows[at + 1..].iter().any(|other| opposite(row, other));
        let equation = |(_, row): (usize, &&Row)| {
            let sizes = row.inputs.iter().map(|&(i, _)| region.lower[i].abs().max(region.upper[i].abs()));
            let digits = row.inputs.iter().map(|&(i, _)| digits(element(i))).min().unwrap_or(0);
            InputEquation {
                terms: row.inputs.clone(),
                bound: row.bound,
                largest: sizes.fold(0.0, f64::max),
                digits,
            }
        };
        Self(rows.iter().enumerate().filter(is_pair).map(equation).collect())
    }

    /// Whether there is nothing to do.
    pub(in crate::search) fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves a point so that the equations hold, as far as the box admits it.
    pub(in crate::search) fn fix(&self, region: &Region, point: &mut [f64], random: &mut Random) {
        for equation in &self.0 {
            equation.fix(region, point, random);
        }
    }
}

impl InputEquation {
    /// The distance of the grid's numbers: coarse enough for the largest number that an input may come to have.
    fn quantum(&self, point: &[f64]) -> f64 {
        let sum: f64 = self.terms.iter().map(|&(i, a)| (a * point[i]).abs()).sum();
        let least = self.terms.iter().map(|&(_, a)| a.abs()).fold(f64::INFINITY, f64::min);
        let size = self.largest.min((self.bound.abs() + sum) / least).max(f64::MIN_POSITIVE);
        (size.log2().floor() - f64::from(self.digits)).max(-1000.0).exp2()
    }

    fn fix(&self, region: &Region, point: &mut [f64], random: &mut Random) {
        let q = self.quantum(point);
        let inside = |i: usize, x: f64| {
            let (low, high) = ((region.lower[i] / q).ceil() * q, (region.upper[i] / q).floor() * q);
            if low <= high { ((x / q).round() * q).clamp(low, high) } else { x }
        };
        for &(i, _) in &self.terms {
            point[i] = inside(i, point[i]);
        }
        let first = random.below(self.terms.len());
        for turn in 0..self.terms.len() {
            let missing = self.bound - self.terms.iter().map(|&(i, a)| a * point[i]).sum::<f64>();
            let (i, a) = self.terms[(first + turn) % self.terms.len()];
            if missing == 0.0 {
                return;
            }
            if a != 0.0 {
                point[i] = inside(i, point[i] + missing / a);
            }
        }
    }
}

/// Binary digits behind the first of a type's numbers.
fn digits(element: ElementType) -> u32 {
    match element {
        ElementType::Float64 => f64::MANTISSA_DIGITS - 1,
        ElementType::Float32 => f32::MANTISSA_DIGITS - 1,
        ElementType::Float16 => 10,
        ElementType::BFloat16 => 7,
        // Whole numbers: a quantum of one or less is rounded by the type itself.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one_in_the_type_of_the_inputs() {
        let row = |sign: f64| Row {
            inputs: (0..5).map(|i| (i, sign)).collect(),
            outputs: vec![],
            bound: sign,
            kind: RowKind::AtMost,
        };
        let conjunction = Conjunction { rows: vec![row(1.0), row(-1.0)] };
        let region =
            Region { lower: vec![0.0; 5], upper: vec![1.0, 1.0, 0.5, 0.25, 1.0], ..Region::default() };
        for element in [ElementType::Float16, ElementType::Float32, ElementType::Float64] {
            let balance = Balance::of(&conjunction, &region, |_| element);
            let mut random = Random::new(3);
            for _ in 0..1000 {
                let mut point: Vec<f64> = region.upper.iter().map(|&u| u * random.unit()).collect();
                balance.fix(&region, &mut point, &mut random);
                assert_eq!(point.iter().sum::<f64>(), 1.0, "{element}: {point:?}");
                for (i, &x) in point.iter().enumerate() {
                    assert!((0.0..=region.upper[i]).contains(&x));
                    assert_eq!(crate::property::grid::nearest(element, x), x, "{element}: {x}");
                }
            }
        }
        // Boxes that are much wider than the sum.
        let wide = Region { lower: vec![0.0; 5], upper: vec![1e8; 5], ..Region::default() };
        let balance = Balance::of(&conjunction, &wide, |_| ElementType::Float32);
        let mut point = vec![0.1, 0.2, 0.3, 0.7, 0.4];
        balance.fix(&wide, &mut point, &mut Random::new(1));
        assert_eq!(point.iter().sum::<f64>(), 1.0, "{point:?}");
        let one_sided = Conjunction { rows: vec![row(1.0)] };
        assert!(Balance::of(&one_sided, &region, |_| ElementType::Float32).is_idle());
    }
}
