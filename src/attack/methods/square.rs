//! The Square Attack in the L∞ norm, as in AutoAttack's standard version: random search without gradients.
//!
//! Andriushchenko, Croce, Flammarion and Hein, "Square Attack: a query-efficient black-box adversarial attack via
//! random search", ECCV 2020; the steps are those of [`Square`]. One restart of 5000 queries on the margin. The size of
//! the squares falls as it does in AutoAttack: by the schedule of 10,000 queries, of which 5000 are made.
//!
//! ε is the L∞ limit or the usual radius of [`usual_share`].

use super::attempt::{Attempt, StatelessMethod, confirm};
use super::ball::{Ball, usual_share};
use super::losses::margin;
use super::{Method, NotUsable, Preparation};
use crate::attack::victim::ChannelOrder;
use crate::attack::{Session, Task};
use crate::search::kernel::square::{Grid, Square};

const QUERIES: usize = 5000;
const SCHEDULED: usize = 10_000;

/// Makes the method.
pub fn make(_: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    Ok(Box::new(StatelessMethod(search)))
}

/// One restart.
///
/// # Errors
/// [`StopReason`](crate::budget::StopReason) when the budget is used up.
pub fn search(task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
    let layout = task.victim.layout;
    let ball = Ball::of(task, usual_share(layout));
    let grid = Grid {
        channels: layout.channels,
        height: layout.height,
        width: layout.width,
        channels_last: layout.order == ChannelOrder::ChannelsLast,
    };
    let seed = session.random.bits();
    let mut kernel = Square::new(&ball.lower, &ball.upper, Some(grid), 1, SCHEDULED, seed);
    kernel.start();
    let mut unused = vec![0.0; task.victim.classes()];
    // The stripes are evaluated before the queries begin.
    for _ in 0..=QUERIES {
        let loss = margin(session.outputs(kernel.points())?, task.label, &mut unused);
        if loss >= 0.0
            && let Some(found) = confirm(task, session, kernel.points().to_vec())?
        {
            return Ok(Some(found));
        }
        kernel.tell(&[loss]);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::attack::methods::small;
    use crate::attack::{Limits, Task};

    #[test]
    fn the_right_corner_is_found_without_gradients() {
        let victim = small::victim();
        let check = |linf: f32, want: bool| {
            let limits = Limits { linf, ..Limits::none() };
            let task = small::task(&victim, &small::IMAGE, &limits);
            assert_eq!(small::succeeds("square", &task, &[]), want, "{linf}");
        };
        check(0.0505, true);
        check(0.0495, false);
    }

    #[test]
    fn queries_are_counted_and_end() {
        let (victim, image, label) = small::deep();
        let limits = Limits { linf: 1e-4, ..Limits::none() };
        let task = Task { label, ..small::task(&victim, &image, &limits) };
        let (_, spent) = small::run(small::method("square", &task, &[]).as_ref(), &task);
        assert_eq!((spent.evaluations, spent.gradients), (5001, 0));
    }
}
