//! The least Euclidean change over the values that an input changes.
//!
//! The least sum of changes leaves most values at an end and one in between; the Euclidean length is smaller where all
//! share. At the input the lead is linearised in the changed values alone, and the image is projected on the plane
//! where the lead is still large enough: within one activation region that is the shortest change. Elsewhere it is a
//! proposal, from which the way back is searched.

use super::beam::FoolingInput;
use super::plane::{PixelNorm, ValueEnds, along, project};
use super::probe::Probe;
use super::region::closest;
use super::trim::changed;
use crate::budget::StopReason;

/// Planes that are looked at one after the other.
const ROUNDS: usize = 6;

/// Shortens the change over the values that are changed already.
///
/// # Errors
/// [`StopReason`] when the budget is used up.
pub(super) fn spread(
    probe: &mut Probe<'_, '_, '_>,
    mut found: FoolingInput,
    ends: &ValueEnds,
) -> Result<FoolingInput, StopReason> {
    let (task, image) = (probe.task, probe.task.image);
    for _ in 0..ROUNDS {
        let here = &found.spot.input;
        let columns = changed(probe, here);
        let outputs = probe.session.outputs(here)?;
        let gap = f64::from(2.0 * task.asked(outputs) - task.toward(outputs, found.class));
        let slopes = &probe.slopes(&[(&found.spot, found.class)])?[0];
        let of = |values: &[f32]| columns.iter().map(|&i| values[i]).collect::<Vec<f32>>();
        let (slopes, own) = (of(slopes), of(image));
        let ends = ValueEnds { lower: of(&ends.lower), upper: of(&ends.upper), unit: of(&ends.unit) };
        let gap = gap + along(&slopes, &own, &of(here));
        let values = project(&own, &slopes, gap, &ends, PixelNorm::Euclidean);
        let Some(shorter) = closest(probe, &found, &columns, &values)? else { break };
        let length =
            |found: &FoolingInput| PixelNorm::Euclidean.of(&task.victim.unit, image, &found.spot.input);
        let (before, after) = (length(&found), length(&shorter));
        if after >= before {
            break;
        }
        found = shorter;
        if after > 0.999 * before {
            break;
        }
    }
    Ok(found)
}
