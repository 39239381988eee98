//! What bounds say of a whole formula: proofs need not list its ways.
//!
//! A way is out if one of its rows cannot hold. All ways are out exactly if the formula is, with its rows that cannot
//! hold taken for false: where each `or` has an operand left, choosing these is a way that stays.

use crate::bounds::{BoundRow, Bounder, LinearBound};
use crate::property::condition::Condition;
use crate::property::{Row, RowKind};
use crate::search::kernel::exclusion::{reach, view};

/// The largest margin that the formula could reach in the bounder's box, with the bound of the row that decides; `None` if
/// no way is left.
pub(in crate::search) fn hope_of(
    bounder: &mut Bounder<'_>,
    condition: &Condition,
) -> Option<(f64, LinearBound)> {
    let bounded: Vec<usize> =
        (0..condition.rows.len()).filter(|&row| condition.rows[row].kind != RowKind::Differs).collect();
    let rows: Vec<&Row> = bounded.iter().map(|&row| &condition.rows[row]).collect();
    let views: Vec<BoundRow<'_>> = rows.iter().map(|row| view(row)).collect();
    let mut bounds: Vec<Option<LinearBound>> = vec![None; condition.rows.len()];
    let mut reaches = vec![Some(f64::INFINITY); condition.rows.len()];
    for (&row, bound) in bounded.iter().zip(bounder.rows(&views)) {
        reaches[row] = reach(bounder, &condition.rows[row], bound.least);
        bounds[row] = Some(bound);
    }
    if condition.is_excluded(|row| reaches[row].is_none()) {
        return None;
    }
    let hope = |row: usize| reaches[row].unwrap_or(f64::NEG_INFINITY);
    let (most, way) = condition.best_rows(hope);
    let decides = way.into_iter().min_by(|&a, &b| hope(a).total_cmp(&hope(b)));
    let none = LinearBound { least: f64::NEG_INFINITY, slopes: Vec::new() };
    Some((most, decides.and_then(|row| bounds[row].take()).unwrap_or(none)))
}
