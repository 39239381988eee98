//! From a box of inputs and unsafe sets of outputs to a property, written as VNN-LIB 1.0: what a program has that checks its own
//! controller, and no file.
//!
//! An unsafe set is a polytope: rows `a · y ≤ b`, all at once. Numbers are written as decimals that stand for exactly the doubles
//! given, as in [`around`](super::around).

use super::around::{any_of, decimal};

/// A half-space of the outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct HalfSpace {
    /// The coefficient of each output, finite.
    pub coefficients: Vec<f64>,
    /// What the sum is at most, finite.
    pub bound: f64,
}

/// A property: inputs of a box lead to outputs of no unsafe set.
#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    /// The least value of each input, in units of the network's inputs; −∞ where it has none.
    pub lower: Vec<f64>,
    /// The largest value of each input; ∞ where it has none.
    pub upper: Vec<f64>,
    /// The unsafe sets. A counterexample lies in one of them, which is to say in all of its half-spaces.
    pub unsafe_sets: Vec<Vec<HalfSpace>>,
}

/// A box and unsafe sets that make no property.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WithinError {
    /// The ends of the box are not as many.
    #[error(
        "the box has {lower} lower and {upper} upper ends (help: give both for every input of the network)"
    )]
    Ends {
        /// How many lower ones.
        lower: usize,
        /// How many upper ones.
        upper: usize,
    },
    /// The box is empty.
    #[error(
        "input {input} lies between {lower} and {upper}, where no number is (help: check the order of the ends)"
    )]
    Empty {
        /// The input, from 0.
        input: usize,
        /// Its lower end.
        lower: f64,
        /// Its upper end.
        upper: f64,
    },
    /// Nothing is unsafe.
    #[error("no unsafe set, or one without a row (help: give at least one row a · y <= b)")]
    NoRows,
    /// Rows of different lengths, or of none.
    #[error(
        "row {row} of unsafe set {set} has {has} coefficients, the first row has {wanted} (help: give one for each output)"
    )]
    Length {
        /// The set, from 0.
        set: usize,
        /// The row, from 0.
        row: usize,
        /// Its coefficients.
        has: usize,
        /// Those of the first row.
        wanted: usize,
    },
    /// A number that is none.
    #[error(
        "row {row} of unsafe set {set} has a number that is infinite or NaN (help: leave out rows that always hold)"
    )]
    NotFinite {
        /// The set, from 0.
        set: usize,
        /// The row, from 0.
        row: usize,
    },
}

impl Within {
    /// The property's text.
    ///
    /// # Errors
    /// [`WithinError`] if the box is empty, or rows do not fit each other.
    pub fn text(&self) -> Result<String, WithinError> {
        let outputs = self.outputs()?;
        let ranges = self.ranges()?;
        let mut lines: Vec<String> = Vec::new();
        lines.extend((0..ranges.len()).map(|i| format!("(declare-const X_{i} Real)")));
        lines.extend((0..outputs).map(|i| format!("(declare-const Y_{i} Real)")));
        for (i, (low, high)) in ranges.into_iter().enumerate() {
            lines.extend(low.is_finite().then(|| format!("(assert (>= X_{i} {}))", decimal(low))));
            lines.extend(high.is_finite().then(|| format!("(assert (<= X_{i} {}))", decimal(high))));
        }
        match self.unsafe_sets.as_slice() {
            // Rows that hold at once are assertions of their own.
            [only] => lines.extend(only.iter().map(|row| format!("(assert {})", row.text()))),
            several => lines.push(any_of(&several.iter().map(|set| conjunction(set)).collect::<Vec<_>>())),
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }

    /// The box.
    fn ranges(&self) -> Result<Vec<(f64, f64)>, WithinError> {
        let (lower, upper) = (self.lower.len(), self.upper.len());
        if lower != upper {
            return Err(WithinError::Ends { lower, upper });
        }
        let range = |(input, (&lower, &upper)): (usize, (&f64, &f64))| {
            // NaN is in no order, and an infinity as the wrong end leaves no number.
            let holds_some = lower <= upper && lower < f64::INFINITY && upper > f64::NEG_INFINITY;
            if holds_some { Ok((lower, upper)) } else { Err(WithinError::Empty { input, lower, upper }) }
        };
        self.lower.iter().zip(&self.upper).enumerate().map(range).collect()
    }

    /// How many outputs the rows speak of, all of them checked.
    fn outputs(&self) -> Result<usize, WithinError> {
        if self.unsafe_sets.iter().any(Vec::is_empty) {
            return Err(WithinError::NoRows);
        }
        let first = self.unsafe_sets.first().and_then(|set| set.first()).ok_or(WithinError::NoRows)?;
        let wanted = first.coefficients.len();
        for (set, rows) in self.unsafe_sets.iter().enumerate() {
            for (row, half_space) in rows.iter().enumerate() {
                let has = half_space.coefficients.len();
                if has != wanted || has == 0 {
                    return Err(WithinError::Length { set, row, has, wanted: wanted.max(1) });
                }
                let mut numbers = half_space.coefficients.iter().chain([&half_space.bound]);
                if !numbers.all(|number| number.is_finite()) {
                    return Err(WithinError::NotFinite { set, row });
                }
            }
        }
        Ok(wanted)
    }
}

/// Comparisons that hold at once, as the operand of an `or`.
fn conjunction(set: &[HalfSpace]) -> String {
    set.iter().map(HalfSpace::text).collect::<Vec<_>>().join(" ")
}

impl HalfSpace {
    /// The comparison. A single output is bounded by a plain bound, which judges compare without any arithmetic.
    fn text(&self) -> String {
        let terms = self.coefficients.iter().enumerate().filter(|(_, coefficient)| **coefficient != 0.0);
        let terms: Vec<(usize, f64)> = terms.map(|(output, &coefficient)| (output, coefficient)).collect();
        let product = |&(output, coefficient): &(usize, f64)| match coefficient {
            1.0 => format!("Y_{output}"),
            _ => format!("(* {} Y_{output})", decimal(coefficient)),
        };
        match terms.as_slice() {
            [] => format!("(<= (* 0.0 Y_0) {})", decimal(self.bound)),
            &[(output, -1.0)] => format!("(>= Y_{output} {})", decimal(-self.bound)),
            [one] => format!("(<= {} {})", product(one), decimal(self.bound)),
            several => {
                let sum: Vec<String> = several.iter().map(product).collect();
                format!("(<= (+ {}) {})", sum.join(" "), decimal(self.bound))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(coefficients: &[f64], bound: f64) -> HalfSpace {
        HalfSpace { coefficients: coefficients.to_vec(), bound }
    }

    fn within(unsafe_sets: &[&[HalfSpace]]) -> Within {
        let unsafe_sets = unsafe_sets.iter().map(|set| set.to_vec()).collect();
        Within { lower: vec![-1.0, f64::NEG_INFINITY], upper: vec![0.5, f64::INFINITY], unsafe_sets }
    }

    #[test]
    fn texts_of_properties() {
        let cases = [
            within(&[&[row(&[1.0, 0.0], -2.5)]]),
            within(&[&[row(&[-1.0, 0.0], 0.0), row(&[1.0, -1.0], 1e-7)]]),
            within(&[&[row(&[0.0, 0.0], 1.0)], &[row(&[0.25, 3.0], -1.0), row(&[0.0, -2.0], 1e20)]]),
        ];
        let texts = cases.map(|within| within.text().unwrap());
        texts.iter().for_each(|text| drop(vnnlib::parse(text.clone()).unwrap()));
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |within: Within, expected: &str| {
            let message = within.text().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        let good = within(&[&[row(&[1.0, 0.0], 0.0)]]);
        check(Within { lower: vec![0.0], ..good.clone() }, "1 lower and 2 upper ends");
        check(Within { lower: vec![0.6, 0.0], ..good.clone() }, "input 0 lies between 0.6 and 0.5");
        check(Within { upper: vec![0.5, f64::NAN], ..good.clone() }, "input 1");
        check(
            Within { lower: vec![f64::NEG_INFINITY; 2], upper: vec![f64::NEG_INFINITY; 2], ..good },
            "input 0",
        );
        check(within(&[]), "no unsafe set");
        check(within(&[&[]]), "one without a row");
        check(within(&[&[row(&[], 0.0)]]), "has 0 coefficients");
        check(within(&[&[row(&[1.0], 0.0)], &[row(&[1.0, 2.0], 0.0)]]), "row 0 of unsafe set 1 has 2");
        check(within(&[&[row(&[1.0], f64::INFINITY)]]), "infinite or NaN");
    }
}
