//! SimBA-ODS, the black-box form of output diversification: the victim is asked for outputs only, and other networks of the
//! same images say in which directions outputs move.
//!
//! Tashiro, Song and Ermon, "Diversity can be enhanced by output diversified sampling", NeurIPS 2020, on SimBA (Guo et al.
//! 2019). In each step one of the companions is drawn, and `w ~ U(−1, 1)^outputs` of that companion; the direction is
//! `d = ∇(w · o) / ‖∇(w · o)‖` at the present point. `x + 0.2 d` is tried, then `x − 0.2 d`, and the first of them that raises
//! the victim's margin is the next point. Lengths are on the scale 0 to 1. The authors' code allows 10,000 steps; here it
//! is 10,000 queries, as users count them.
//!
//! Of what is spent, evaluations are the victim's queries. Gradients are the companions', each with the evaluation of the
//! companion that it needs; the victim has none.

use super::attempt::{Attempt, keep, outcome};
use super::companion::{Companion, has_the_images, to_unit};
use super::{Method, NotUsable, Outcome, Preparation};
use crate::attack::{Session, Task};
use crate::budget::StopReason;
use crate::network::Workspace;

const STEP: f32 = 0.2;
const QUERIES: u64 = 10_000;

/// Makes the method.
///
/// # Errors
/// [`NotUsable`] without companions, or with one of other images. Their classes may be others.
pub fn make(preparation: &Preparation<'_>) -> Result<Box<dyn Method>, NotUsable> {
    let Preparation { victim, companions, .. } = *preparation;
    if companions.is_empty() {
        let problem = "simba-ods takes its directions from another network (help: name at least one with --companion, \
                       of the same images)";
        return Err(NotUsable(problem.into()));
    }
    if companions.iter().any(|other| !has_the_images(other, victim)) {
        return Err(NotUsable("simba-ods needs companions of the same images".into()));
    }
    let companions = companions.iter().map(|other| Companion::new(other, victim)).collect();
    Ok(Box::new(SimbaOds { companions }))
}

struct SimbaOds {
    /// At least one.
    companions: Vec<Companion>,
}

impl Method for SimbaOds {
    fn attack(&self, task: &Task<'_>, session: &mut Session<'_>) -> Outcome {
        outcome(self.search(task, session))
    }
}

impl SimbaOds {
    fn search(&self, task: &Task<'_>, session: &mut Session<'_>) -> Attempt {
        let mut workspaces: Vec<Workspace<f32>> =
            self.companions.iter().map(|companion| companion.network.workspace(1)).collect();
        let mut best = task.image.to_vec();
        let mut lead = task.lead(session.outputs(&best)?).1;
        // Where no companion has a slope nothing is asked: directions are counted as well.
        for _ in 0..QUERIES {
            let Some(direction) = self.direction(task, session, &mut workspaces, &best)? else { continue };
            for step in [STEP, -STEP] {
                if session.spent.evaluations >= QUERIES {
                    return Ok(None);
                }
                let point = moved(task, &best, &direction, step);
                let outputs = session.outputs(&point)?;
                if task.success(outputs).is_some() {
                    return Ok(Some(point));
                }
                let reached = task.lead(outputs).1;
                if reached > lead {
                    (best, lead) = (point, reached);
                    break;
                }
            }
        }
        Ok(None)
    }

    /// A direction of length 1 on the scale 0 to 1, in the victim's order; `None` where the companion drawn has no slope.
    fn direction(
        &self,
        task: &Task<'_>,
        session: &mut Session<'_>,
        workspaces: &mut [Workspace<f32>],
        point: &[f32],
    ) -> Result<Option<Vec<f32>>, StopReason> {
        session.budget.check()?;
        let place = session.random.below(self.companions.len());
        let (companion, workspace) = (&self.companions[place], &mut workspaces[place]);
        companion.forward(workspace, &to_unit(task.victim, point));
        let weights: Vec<f32> =
            (0..companion.network.output_len()).map(|_| session.random.between(-1.0, 1.0) as f32).collect();
        let mut direction = vec![0.0; point.len()];
        companion.add(&companion.gradient(workspace, &weights), &mut direction);
        session.spent.gradients += 1;
        let length = direction.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() as f32;
        direction.iter_mut().for_each(|x| *x /= length);
        Ok((length > 0.0 && length.is_finite()).then_some(direction))
    }
}

/// The point so far along a direction, brought within the limits.
fn moved(task: &Task<'_>, point: &[f32], direction: &[f32], step: f32) -> Vec<f32> {
    let victim = task.victim;
    let width = |index: usize| victim.upper[index] - victim.lower[index];
    let along = |(index, (&x, &d)): (usize, (&f32, &f32))| x + step * d * width(index);
    let mut moved = point.iter().zip(direction).enumerate().map(along).collect::<Vec<f32>>();
    keep(task, &mut moved);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::methods::small;
    use crate::attack::session::Spent;
    use crate::attack::{Limits, Victim};

    /// Of the victim's kind, but with weights and outputs of its own.
    fn surrogate() -> Victim {
        let rows: [small::Row<'_>; 3] =
            [(&[2.0, 3.0, 0.0, 0.0], 1.0), (&[0.0, 0.0, 3.0, 0.0], 0.0), (&[0.0, 0.0, 0.0, 1.0], 0.0)];
        small::dense(2, 2, &[&rows])
    }

    fn constant() -> Victim {
        small::dense(2, 2, &[&[(&[0.0; 4], 1.0), (&[0.0; 4], 0.0)]])
    }

    #[test]
    fn directions_of_another_network_cross_a_boundary_that_is_near_and_none_that_is_not() {
        let victim = small::victim();
        let check = |limits: Limits, want: bool| {
            let task = small::task(&victim, &small::IMAGE, &limits);
            let found = small::succeeds("simba-ods", &task, &[surrogate()]);
            assert_eq!(found, want, "{limits:?}");
        };
        check(Limits::none(), true);
        check(Limits { linf: 0.051, ..Limits::none() }, true);
        check(Limits { linf: 0.049, ..Limits::none() }, false);
        // The nearest point of the border is 0.2 / √6 = 0.0816 away, two pixels of three reach 0.1.
        check(Limits { l2: 0.11, ..Limits::none() }, true);
        check(Limits { l2: 0.08, ..Limits::none() }, false);
        check(Limits { pixels: 2, linf: 0.11, ..Limits::none() }, true);
        check(Limits { pixels: 1, linf: 0.09, ..Limits::none() }, false);
    }

    /// What an attack costs with these companions.
    fn spent(linf: f32, companions: &[Victim]) -> (bool, Spent) {
        let (victim, limits) = (small::victim(), Limits { linf, ..Limits::none() });
        let task = small::task(&victim, &small::IMAGE, &limits);
        let method = small::method("simba-ods", &task, companions);
        let (outcome, spent) = small::run(method.as_ref(), &task);
        (matches!(outcome, Outcome::Adversarial(_)), spent)
    }

    #[test]
    fn queries_are_the_victims_and_gradients_the_companions() {
        let (found, near) = spent(0.2, &[surrogate()]);
        assert!(found && near.evaluations < 20 && near.gradients < near.evaluations, "{near:?}");
        let (found, far) = spent(0.01, &[surrogate()]);
        assert!(!found && far.evaluations == QUERIES, "{far:?}");
        // Two queries a direction, where neither helps; less is spent on directions that do.
        assert!((QUERIES / 2..=QUERIES).contains(&far.gradients), "{far:?}");
        let (found, flat) = spent(0.2, &[constant()]);
        assert!(!found && (flat.evaluations, flat.gradients) == (1, QUERIES), "{flat:?}");
        // Any companion may be drawn.
        let (found, mixed) = spent(0.2, &[constant(), surrogate(), constant()]);
        assert!(found && mixed.gradients > 0, "{mixed:?}");
    }

    #[test]
    fn a_deep_network_falls_to_another_of_its_kind() {
        let (victim, image, label) = small::deep();
        let limits = Limits::none();
        let task = Task { label, ..small::task(&victim, &image, &limits) };
        assert!(small::succeeds("simba-ods", &task, &[small::seeded(4).0, small::seeded(5).0]));
    }

    #[test]
    fn without_a_companion_of_the_same_images_it_is_not_usable() {
        let victim = small::victim();
        let check = |companions: &[Victim], want: &str| {
            let preparation = Preparation { companions, ..crate::attack::testing::preparation(&victim) };
            assert!(make(&preparation).is_err_and(|error| error.0.contains(want)), "{want}");
        };
        check(&[], "name at least one with --companion");
        check(&[surrogate(), small::deep().0], "companions of the same images");
    }
}
