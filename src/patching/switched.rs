//! Linear programs with switches: at least one of some columns must be zero.
//!
//! That is the one thing that makes a minimal repair hard. A ReLU's sum is `z = a − b` with `a, b ≥ 0`, and the switch
//! says that `a` or `b` is zero: its phase. A demand that several outputs could fulfil has a slack for each, and the
//! switch says that one slack is zero: who fulfils it. With every switch set, what is left is a linear program, and
//! another setting is nothing but other bounds: the solver stays warm.

use crate::lp::{ColumnId, LinearProgram};

/// Columns (lower bound 0) of which at least one must be zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The columns; at least two.
    pub columns: Vec<ColumnId>,
}

/// For each switch the position of a column that is zero.
pub type Setting = Vec<usize>;

/// A program to be minimised, and its switches.
#[derive(Debug, Clone, PartialEq)]
pub struct Switched {
    /// The program without the switches; switch columns lie in `[0, ∞)`.
    pub program: LinearProgram,
    /// The switches.
    pub switches: Vec<Switch>,
}

impl Switched {
    /// The linear program under a setting.
    pub fn fixed(&self, setting: &[usize]) -> LinearProgram {
        let mut program = self.program.clone();
        for (switch, &zero) in self.switches.iter().zip(setting) {
            // The ids are the program's own, so this cannot fail.
            let _ = program.set_bounds(switch.columns[zero], 0.0, 0.0);
        }
        program
    }

    /// The setting that a point is nearest to: of each switch the smallest column.
    pub fn setting_at(&self, values: &[f64]) -> Setting {
        let smallest = |switch: &Switch| {
            let value = |&k: &usize| values[switch.columns[k].index()];
            (0..switch.columns.len()).min_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(0)
        };
        self.switches.iter().map(smallest).collect()
    }
}
