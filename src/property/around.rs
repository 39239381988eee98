//! From a point to a property: which inputs are near it, and what must not happen there, written as VNN-LIB 1.0.
//!
//! The text asserts what a counterexample looks like, as everywhere in VNN-LIB. Its numbers are decimals that stand for exactly
//! the doubles computed here.

use super::decision::Decision;

/// What a counterexample does.
#[derive(Debug, Clone, PartialEq)]
pub enum Violation {
    /// Another output is decided for, or ties with it.
    Leaves {
        /// The output that should be decided for, from 0.
        output: usize,
        /// How a decision is read.
        decision: Decision,
    },
    /// This output is decided for, or ties with the best.
    Reaches {
        /// The output, from 0.
        output: usize,
        /// How a decision is read.
        decision: Decision,
    },
    /// One of these outputs is outside of its range, or at an end of it.
    OutOf(Vec<OutputRange>),
}

/// Where an output should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputRange {
    /// The output, from 0.
    pub output: usize,
    /// Its lower end, perhaps −∞.
    pub low: f64,
    /// Its upper end, perhaps ∞.
    pub high: f64,
}

/// A property of all inputs near a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    /// The point, in units of the network's inputs.
    pub point: Vec<f64>,
    /// How far an input may be from it: one number for all, or one an input; none negative.
    pub reach: Vec<f64>,
    /// What an input may be at all.
    pub valid: (f64, f64),
    /// How many outputs the network has.
    pub outputs: usize,
    /// What a counterexample does.
    pub violation: Violation,
}

/// A property that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AroundError {
    /// Neither one distance nor one an input.
    #[error(
        "{has} distances, the network has {wanted} inputs (help: give one for all, or one for each input)"
    )]
    Reach {
        /// How many there are.
        has: usize,
        /// How many inputs.
        wanted: usize,
    },
    /// The box is empty.
    #[error(
        "input {input} of the point is {value}: nothing within reach of it is valid, from {low} to {high} \
         (help: check the scale of the point, or the valid range)"
    )]
    Beyond {
        /// The input, from 0.
        input: usize,
        /// What the point has there.
        value: f64,
        /// The least valid value.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// An output that does not exist.
    #[error("there is no output {output} (help: the network has {outputs}, counted from 0)")]
    Output {
        /// The output.
        output: usize,
        /// How many there are.
        outputs: usize,
    },
    /// A decision among one.
    #[error(
        "the network has one output, so that nothing else can be decided for (help: say what the output should be \
         with --output-range)"
    )]
    OneOutput,
    /// Outputs that may be anything.
    #[error("every output may be anything, so that nothing is a counterexample (help: bound one)")]
    Unbounded,
}

impl Around {
    /// The property's text, below lines of comment.
    ///
    /// # Errors
    /// [`AroundError`] if the box is empty, or an output does not exist.
    pub fn text(&self, comment: &[String]) -> Result<String, AroundError> {
        let ranges = self.ranges()?;
        let violation = self.violation()?;
        let mut text = String::new();
        let mut line = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        comment.iter().flat_map(|text| text.lines()).for_each(|text| line(&format!("; {text}")));
        (0..self.point.len()).for_each(|i| line(&format!("(declare-const X_{i} Real)")));
        (0..self.outputs).for_each(|i| line(&format!("(declare-const Y_{i} Real)")));
        line("; near the point:");
        for (i, (low, high)) in ranges.into_iter().enumerate() {
            line(&format!("(assert (>= X_{i} {}))", decimal(low)));
            line(&format!("(assert (<= X_{i} {}))", decimal(high)));
        }
        line("; a counterexample:");
        violation.iter().for_each(|assertion| line(assertion));
        Ok(text)
    }

    /// The box.
    fn ranges(&self) -> Result<Vec<(f64, f64)>, AroundError> {
        let (has, wanted) = (self.reach.len(), self.point.len());
        if has != 1 && has != wanted {
            return Err(AroundError::Reach { has, wanted });
        }
        let (low, high) = self.valid;
        let range = |(input, &value): (usize, &f64)| {
            let reach = self.reach[input % has];
            let range = ((value - reach).max(low), (value + reach).min(high));
            if range.0 <= range.1 { Ok(range) } else { Err(AroundError::Beyond { input, value, low, high }) }
        };
        self.point.iter().enumerate().map(range).collect()
    }

    fn violation(&self) -> Result<Vec<String>, AroundError> {
        let outputs = self.outputs;
        let exists = |output: usize| match output < outputs {
            true => Ok(()),
            false => Err(AroundError::Output { output, outputs }),
        };
        let others = |output: usize| {
            exists(output)?;
            if outputs == 1 {
                return Err(AroundError::OneOutput);
            }
            Ok((0..outputs).filter(move |&other| other != output))
        };
        let beats = |decision: Decision, best: usize, other: usize| match decision {
            Decision::Largest => format!("(>= Y_{best} Y_{other})"),
            Decision::Smallest => format!("(<= Y_{best} Y_{other})"),
        };
        Ok(match &self.violation {
            &Violation::Leaves { output, decision } => {
                let ways: Vec<String> = others(output)?.map(|other| beats(decision, other, output)).collect();
                vec![any_of(&ways)]
            }
            &Violation::Reaches { output, decision } => {
                others(output)?.map(|other| format!("(assert {})", beats(decision, output, other))).collect()
            }
            Violation::OutOf(ranges) => {
                let mut ways = Vec::new();
                for &OutputRange { output, low, high } in ranges {
                    exists(output)?;
                    ways.extend(low.is_finite().then(|| format!("(<= Y_{output} {})", decimal(low))));
                    ways.extend(high.is_finite().then(|| format!("(>= Y_{output} {})", decimal(high))));
                }
                if ways.is_empty() {
                    return Err(AroundError::Unbounded);
                }
                vec![any_of(&ways)]
            }
        })
    }
}

/// An assertion that one of several conditions holds.
pub(super) fn any_of(ways: &[String]) -> String {
    match ways {
        [way] => format!("(assert {way})"),
        ways => {
            let ways: Vec<String> = ways.iter().map(|way| format!("    (and {way})")).collect();
            format!("(assert (or\n{}\n))", ways.join("\n"))
        }
    }
}

/// The shortest decimal that stands for a double, without an exponent: version 1.0 has none.
pub(super) fn decimal(x: f64) -> String {
    // Minus zero would be `-0`.
    let text = if x == 0.0 { "0".to_owned() } else { x.to_string() };
    if text.contains('.') { text } else { text + ".0" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(violation: Violation) -> Around {
        Around { point: vec![0.5, 0.0], reach: vec![0.1], valid: (0.0, 1.0), outputs: 3, violation }
    }

    #[test]
    fn texts_of_properties() {
        let decision = Decision::Largest;
        let range = |output, low, high| OutputRange { output, low, high };
        let cases = [
            around(Violation::Leaves { output: 1, decision }),
            around(Violation::Leaves { output: 1, decision: Decision::Smallest }),
            around(Violation::Reaches { output: 2, decision }),
            around(Violation::OutOf(vec![range(0, -1.0, 2.5), range(2, f64::NEG_INFINITY, 1e20)])),
            around(Violation::OutOf(vec![range(1, 1e-7, f64::INFINITY)])),
        ];
        let texts = cases.map(|around| around.text(&["a comment\nof two lines".into()]).unwrap());
        texts.iter().for_each(|text| drop(vnnlib::parse(text.clone()).unwrap()));
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let decision = Decision::Largest;
        let check = |around: Around, expected: &str| {
            let message = around.text(&[]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        let good = around(Violation::Leaves { output: 1, decision });
        check(Around { reach: vec![0.1; 3], ..good.clone() }, "3 distances, the network has 2 inputs");
        check(Around { point: vec![0.5, 1.2], ..good.clone() }, "input 1 of the point is 1.2");
        check(Around { outputs: 1, ..good.clone() }, "there is no output 1");
        check(Around { outputs: 1, ..around(Violation::Leaves { output: 0, decision }) }, "one output");
        check(around(Violation::Reaches { output: 3, decision }), "the network has 3");
        let open = OutputRange { output: 0, low: f64::NEG_INFINITY, high: f64::INFINITY };
        check(around(Violation::OutOf(vec![open])), "may be anything");
    }

    proptest! {
        #[test]
        fn numbers_are_written_exactly(x in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
            let text = decimal(x);
            prop_assert!(!text.contains('e') && text.contains('.'));
            prop_assert_eq!(text.parse::<f64>().unwrap(), x);
        }
    }
}
