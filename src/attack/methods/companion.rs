//! Another classifier of the same images, and how it reads them: an image is given to it on the scale 0 to 1 in the victim's
//! order, whatever its own scale and order are. For methods that compare networks, or query one and differentiate another.

use crate::attack::{Task, Victim};
use crate::network::{Network, Surrogate, Workspace};

/// A network beside the victim, or the victim itself.
#[derive(Debug)]
pub struct Companion {
    /// Its fast engine.
    pub network: Network<f32>,
    /// For each input of the network its place in the victim's order, and the input's values at 0 and 1.
    reads: Vec<(usize, f32, f32)>,
}

impl Companion {
    /// A network of the victim's images.
    pub fn new(own: &Victim, victim: &Victim) -> Self {
        let mut reads = vec![(0, 0.0, 1.0); own.layout.len()];
        for pixel in 0..own.layout.pixels() {
            for channel in 0..own.layout.channels {
                let index = own.layout.index(pixel, channel);
                reads[index] = (victim.layout.index(pixel, channel), own.lower[index], own.upper[index]);
            }
        }
        Self { network: own.network.clone(), reads }
    }

    /// The outputs for an image on the scale 0 to 1.
    pub fn forward(&self, workspace: &mut Workspace<f32>, unit: &[f32]) -> Vec<f32> {
        let scaled = |&(from, low, high): &(usize, f32, f32)| low + unit[from] * (high - low);
        let input: Vec<f32> = self.reads.iter().map(scaled).collect();
        self.network.forward(workspace, &input);
        let mut outputs = Vec::new();
        self.network.outputs_into(workspace, &mut outputs);
        outputs
    }

    /// The gradient of `Σ weights · outputs` by the network's inputs at the point of the last [`forward`](Self::forward).
    pub fn gradient(&self, workspace: &mut Workspace<f32>, weights: &[f32]) -> Vec<f32> {
        let mut own = Vec::new();
        self.network.backward(workspace, weights, Surrogate::exact(), &mut own);
        own
    }

    /// Adds a gradient by the network's inputs to one by the image on the scale 0 to 1.
    pub fn add(&self, own: &[f32], sum: &mut [f32]) {
        for (slope, &(from, low, high)) in own.iter().zip(&self.reads) {
            sum[from] += slope * (high - low);
        }
    }
}

/// Whether a network reads images of the victim's shape.
pub fn has_the_images(own: &Victim, victim: &Victim) -> bool {
    own.shape() == victim.shape()
}

/// A value of the victim's input on the scale 0 to 1.
pub fn one(victim: &Victim, index: usize, value: f32) -> f32 {
    (value - victim.lower[index]) / (victim.upper[index] - victim.lower[index])
}

/// The victim's input on the scale 0 to 1.
pub fn to_unit(victim: &Victim, image: &[f32]) -> Vec<f32> {
    image.iter().enumerate().map(|(index, &x)| one(victim, index, x)).collect()
}

/// The victim's input; values that did not move are exactly the image's.
pub fn from_unit(task: &Task<'_>, origin: &[f32], unit: &[f32]) -> Vec<f32> {
    let victim = task.victim;
    let value = |index: usize| match unit[index] == origin[index] {
        true => task.image[index],
        false => victim.lower[index] + unit[index] * (victim.upper[index] - victim.lower[index]),
    };
    (0..unit.len()).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::methods::small;
    use crate::attack::{ChannelOrder, ImageLayout};

    #[test]
    fn a_companion_reads_the_same_picture_in_its_own_order() {
        let layout = |order| ImageLayout { channels: 3, height: 2, width: 2, order };
        let (first, last) = (layout(ChannelOrder::ChannelsFirst), layout(ChannelOrder::ChannelsLast));
        let mut victim = small::dense(3, 4, &[&[(&[0.0; 12], 0.0), (&[0.0; 12], 1.0)]]);
        let mut other = small::dense(3, 4, &[&[(&[0.0; 12], 0.0), (&[0.0; 12], 1.0)]]);
        (victim.layout, other.layout) = (first, last);
        (other.lower, other.upper) = (vec![-1.0; 12], vec![3.0; 12]);
        let companion = Companion::new(&other, &victim);
        for pixel in 0..4 {
            for channel in 0..3 {
                let (from, low, high) = companion.reads[last.index(pixel, channel)];
                assert_eq!((from, low, high), (first.index(pixel, channel), -1.0, 3.0));
            }
        }
    }

    #[test]
    fn a_gradient_is_one_by_the_image_on_the_scale_0_to_1() {
        let rows: [small::Row<'_>; 2] = [(&[1.0, 2.0, 3.0, 4.0], 0.5), (&[0.0, -1.0, 0.0, 1.0], 0.0)];
        let (victim, mut other) = (small::victim(), small::dense(2, 2, &[&rows]));
        (other.lower, other.upper) = (vec![-1.0; 4], vec![3.0; 4]);
        let companion = Companion::new(&other, &victim);
        let mut workspace = companion.network.workspace(1);
        // Its input is four times the image, less one: 1, 0, −1 and 3.
        assert_eq!(companion.forward(&mut workspace, &[0.5, 0.25, 0.0, 1.0]), [10.5, 3.0]);
        let mut sum = vec![1.0; 4];
        companion.add(&companion.gradient(&mut workspace, &[1.0, 0.5]), &mut sum);
        assert_eq!(sum, [5.0, 7.0, 13.0, 19.0]);
    }
}
