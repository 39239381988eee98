//! The L∞ ball around an image, cut off at the valid range.

use crate::attack::task::ROUNDING;
use crate::attack::{ImageLayout, Task};
use crate::random::Random;

/// The values that an attack in the L∞ norm may take, one number an input in each list.
#[derive(Debug, Clone)]
pub struct Ball {
    /// How far an input may move, on its own scale.
    pub radius: Vec<f32>,
    /// The least valid value that near.
    pub lower: Vec<f32>,
    /// The largest.
    pub upper: Vec<f32>,
}

/// The radius where the user gives none, as a share of the valid range: that of AutoAttack's rows in the patching
/// paper's Table I, 0.3 for grey images and 8/255 for colours.
pub fn usual_share(layout: ImageLayout) -> f32 {
    if layout.channels == 1 { 0.3 } else { 8.0 / 255.0 }
}

impl Ball {
    /// The ball of the task's limit or, where there is none, with this share of the valid range as its radius.
    pub fn of(task: &Task<'_>, share: f32) -> Self {
        let victim = task.victim;
        let radius = |index: usize| match task.reach(index).is_finite() {
            true => task.reach(index),
            false => share * (victim.upper[index] - victim.lower[index]),
        };
        let radius: Vec<f32> = (0..task.image.len()).map(radius).collect();
        let ends = |sign: f32, index: usize| {
            let end = task.image[index] + sign * radius[index];
            end.max(victim.lower[index]).min(victim.upper[index])
        };
        let lower = (0..radius.len()).map(|index| ends(-1.0, index)).collect();
        let upper = (0..radius.len()).map(|index| ends(1.0, index)).collect();
        Self { radius, lower, upper }
    }

    /// A value of the ball that is nearest to this one.
    pub fn clip(&self, index: usize, value: f32) -> f32 {
        value.max(self.lower[index]).min(self.upper[index])
    }

    /// Whether a point lies in it, up to rounding: as [`Task::keeps_limits`] does.
    pub fn holds(&self, task: &Task<'_>, point: &[f32]) -> bool {
        let inside = |(index, &value): (usize, &f32)| {
            let radius = task.victim.in_pixels(index, f64::from(self.radius[index]));
            task.moved(index, value) <= radius + ROUNDING
        };
        point.iter().enumerate().all(inside)
    }

    /// A block of random points as AutoAttack starts from: uniform, then stretched until one value is `radius` away,
    /// then cut off at the valid range. Lanes are innermost.
    pub fn starts(&self, image: &[f32], lanes: usize, random: &mut Random) -> Vec<f32> {
        let mut block = vec![0.0; image.len() * lanes];
        for lane in 0..lanes {
            let moves: Vec<f32> = image.iter().map(|_| random.between(-1.0, 1.0) as f32).collect();
            let largest = moves.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
            for (index, x) in moves.iter().enumerate() {
                let value = image[index] + self.radius[index] * x / largest;
                block[index * lanes + lane] = self.clip(index, value);
            }
        }
        block
    }
}
