//! The control that every table shows: `k` uniformly random values go to a random end of what they may be, `k`
//! doubling. A method whose row does not beat it has found nothing out about the network.

use super::attempt::{Attempt, StatelessMethod};
use super::{Method, NotUsable, Preparation};
use crate::attack::{Session, Task};

/// Draws for each `k`.
const DRAWS: usize = 32;

/// Makes the control.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

/// The first draw that is classified otherwise, with few values before many.
///
/// # Errors
/// [`StopReason`](crate::budget::StopReason) when the budget is used up.
pub(super) fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let layout = task.victim.layout;
    let most = task.limits.pixels.min(layout.pixels());
    let mut order: Vec<usize> = (0..layout.len()).collect();
    let mut count = 1;
    loop {
        for _ in 0..DRAWS {
            let mut input = task.image.to_vec();
            for place in 0..count {
                let other = place + session.random.below(order.len() - place);
                order.swap(place, other);
                let index = order[place];
                let up = session.random.below(2) == 1;
                input[index] = if up { task.upper(index) } else { task.lower(index) };
            }
            if session.fools(task, &input)? {
                return Ok(Some(input));
            }
        }
        if count == most {
            return Ok(None);
        }
        count = (2 * count).min(most);
    }
}
