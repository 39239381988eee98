//! What a property demands of the outputs at given points.
//!
//! VNN-LIB asserts what a *counterexample* looks like, here as everywhere. A repaired network must have none among
//! the points: of each disjunct whose input box holds the point, at least one row must fail. That negation is a list
//! of clauses (all must hold), each a list of half-spaces of outputs (one must hold). A point outside of all boxes
//! is demanded nothing.
//!
//! Two usual shapes: "o0 and o1 are less than the rest" has six disjuncts of one row, so six clauses of one half-space,
//! and is a convex demand. "The label is not 7" has one disjunct of nine rows, so one clause of nine half-spaces:
//! which output overtakes the seventh is for the repair to choose.

use crate::property::{Conjunction, Property, PropertyError, Region, Row, RowKind};

/// `Σ coefficient · output ≥ bound`
#[derive(Debug, Clone, PartialEq)]
pub struct OutputHalfSpace {
    /// Flat output indices with coefficients.
    pub terms: Vec<(usize, f64)>,
    /// The right-hand side.
    pub bound: f64,
}

/// What one point's outputs must satisfy: of each clause at least one half-space.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Demand {
    /// The clauses; none means that nothing is demanded.
    pub clauses: Vec<Vec<OutputHalfSpace>>,
}

/// The property cannot be turned into demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DemandError {
    /// No change of weights can help.
    #[error(
        "point {point} is a counterexample whatever the outputs are \
         (help: the disjunct that holds there has no row that speaks of outputs; remove the point or correct the property)"
    )]
    Hopeless {
        /// The point, counted from 0.
        point: usize,
    },
    /// None of the points lies in an input box.
    #[error(
        "no point lies in an input box of the property, so nothing is to repair \
         (help: check that points and property use the same scaling of the inputs)"
    )]
    Nothing,
    /// The negation of the property would be too long.
    #[error(
        "a counterexample may choose among too many combinations of the property's disjuncts \
         (help: repair for a part of the disjunctions at a time)"
    )]
    TooManyWays,
    /// The property cannot be read as rows.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

impl OutputHalfSpace {
    /// By how much the outputs satisfy it.
    pub fn margin(&self, outputs: &[f64]) -> f64 {
        self.terms.iter().map(|&(i, c)| c * outputs[i]).sum::<f64>() - self.bound
    }
}

impl Demand {
    /// That the outputs satisfy the rows of a property at an input, each a clause of its own. A row `≠` is left out:
    /// whether it holds shows when the input is evaluated.
    pub fn of(property: &Conjunction, input: &[f64]) -> Self {
        let rows = property.rows.iter().filter(|row| row.kind != RowKind::Differs);
        let clause = |row: &Row| {
            let inputs: f64 = row.inputs.iter().map(|&(i, c)| c * input[i]).sum();
            let terms = row.outputs.iter().map(|&(output, c)| (output, -c)).collect();
            vec![OutputHalfSpace { terms, bound: inputs - row.bound }]
        };
        Self { clauses: rows.map(clause).collect() }
    }

    /// That each output lies in its range.
    pub fn within(ranges: &[(f64, f64)]) -> Self {
        let half = |output: usize, sign: f64, bound: f64| {
            bound
                .is_finite()
                .then(|| vec![OutputHalfSpace { terms: vec![(output, sign)], bound: sign * bound }])
        };
        let ends =
            ranges.iter().enumerate().flat_map(|(o, &(low, high))| [half(o, 1.0, low), half(o, -1.0, high)]);
        Self { clauses: ends.flatten().collect() }
    }

    /// By how much the outputs satisfy the demand: the least over the clauses of the most over their half-spaces.
    /// Positive where it holds, `+∞` where nothing is demanded.
    pub fn margin(&self, outputs: &[f64]) -> f64 {
        let clause = |halves: &Vec<OutputHalfSpace>| {
            halves.iter().map(|half| half.margin(outputs)).fold(f64::NEG_INFINITY, f64::max)
        };
        self.clauses.iter().map(clause).fold(f64::INFINITY, f64::min)
    }
}

/// The demands at each point, given as written in the file, not rounded to the network's type.
///
/// # Errors
/// If no point is in a box, a point is a counterexample for every output, or a row is not linear.
pub fn demands(property: &Property, points: &[Vec<f64>]) -> Result<Vec<Demand>, DemandError> {
    let mut demands = vec![Demand::default(); points.len()];
    let mut inside = false;
    for index in 0..property.region_count() {
        let region = property.region(index)?;
        if region.condition.is_some() {
            return Err(DemandError::TooManyWays);
        }
        for (place, (point, demand)) in points.iter().zip(&mut demands).enumerate() {
            if holds(&region, point) {
                inside = true;
                add(&region, point, demand).ok_or(DemandError::Hopeless { point: place })?;
            }
        }
    }
    if inside { Ok(demands) } else { Err(DemandError::Nothing) }
}

/// By the numbers as written: rounded to the network's type, a point on a face may lie beside it.
fn holds(region: &Region, point: &[f64]) -> bool {
    region.hull_lower.iter().zip(&region.hull_upper).zip(point).all(|((low, high), x)| low <= x && x <= high)
}

/// Adds what a region demands; `None` if that is impossible.
fn add(region: &Region, point: &[f64], demand: &mut Demand) -> Option<()> {
    for conjunction in &region.conjunctions {
        let mut halves = Vec::new();
        let mut settled = false;
        for row in &conjunction.rows {
            match refuted(row, point) {
                Refuted::By(half) => halves.push(half),
                Refuted::Already => settled = true,
                Refuted::Never => {}
            }
        }
        if settled {
            continue;
        }
        if halves.is_empty() {
            return None;
        }
        if !demand.clauses.contains(&halves) {
            demand.clauses.push(halves);
        }
    }
    Some(())
}

enum Refuted {
    By(OutputHalfSpace),
    Already,
    Never,
}

/// The outputs with which a row fails. A row `≠` would need two outputs to be equal to the last bit, which no
/// change of weights can promise.
fn refuted(row: &Row, point: &[f64]) -> Refuted {
    if row.kind == RowKind::Differs {
        return Refuted::Never;
    }
    if row.outputs.is_empty() {
        let margin = row.margin(point, &[]);
        let holds = margin > 0.0 || (margin == 0.0 && row.admits_zero());
        return if holds { Refuted::Never } else { Refuted::Already };
    }
    let inputs: f64 = row.inputs.iter().map(|&(i, c)| c * point[i]).sum();
    Refuted::By(OutputHalfSpace { terms: row.outputs.clone(), bound: row.bound - inputs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::ElementType;

    fn property(constraints: &str) -> Property {
        let declared = "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
        let query = vnnlib::parse(format!("{declared}{constraints}")).unwrap();
        Property::new(&query, &[ElementType::Float32]).unwrap()
    }

    fn check(constraints: &str, outputs: [f64; 2], expected: Result<f64, DemandError>) {
        let found = demands(&property(constraints), &[vec![0.5]]);
        assert_eq!(found.map(|demands| demands[0].margin(&outputs)), expected, "{constraints}");
    }

    #[test]
    fn a_demand_is_the_negation_of_the_counterexample() {
        let inside = "(assert (>= X_0 0))(assert (<= X_0 1))";
        let outside = "(assert (>= X_0 2))(assert (<= X_0 3))";
        check(&format!("{inside}(assert (<= Y_0 Y_1))"), [3.0, 1.0], Ok(2.0));
        check(&format!("{inside}(assert (<= Y_0 Y_1))(assert (<= Y_1 7))"), [1.0, 9.0], Ok(2.0));
        check(&format!("{inside}(assert (or (<= Y_0 Y_1) (<= Y_1 7)))"), [1.0, 9.0], Ok(-8.0));
        check(&format!("{outside}(assert (<= Y_0 Y_1))"), [1.0, 1.0], Err(DemandError::Nothing));
        check(inside, [1.0, 1.0], Err(DemandError::Hopeless { point: 0 }));
        let boxes =
            "(assert (or (and (>= X_0 0)(<= X_0 1)(<= Y_0 2)) (and (>= X_0 0.75)(<= X_0 1)(<= Y_1 2))))";
        check(boxes, [3.0, 1.0], Ok(1.0));
    }
}
