//! Convolution with constant weights in one to three dimensions, and its transpose.
//!
//! Both directions are weighted sums of rows (`kernel::panels`): the forward pass weights rows of the image's
//! planes (see [`windows`](super::windows)), the backward pass rows of the padded cotangent, one plane of the
//! image at a time. A transposed convolution is the same operator with the directions exchanged.

mod few;
mod rows;

use std::sync::OnceLock;

use super::windows::{AXES, Windows};
use super::{Operands, Operator, Pass, View, cast};
use crate::network::backward::Gradients;
use crate::network::kernel::panels::{Panels, SumStart};
use crate::network::real::Real;
use crate::network::shape::ShapeError;
use rows::{RowBlock, Strided};

/// `y[o][w] = bias[o] + Σ_{c, tap} weights[o][c][tap] · x[c][w·stride + tap·dilation − pad]`, or its transpose.
#[derive(Debug, Clone)]
pub struct Conv<T> {
    /// `[outputs][inputs / groups][taps]`; "outputs" and "inputs" are those of the convolution, so that a
    /// transposed one takes `outputs` channels and gives `inputs`.
    pub weights: Vec<T>,
    /// One number a channel of the result.
    pub bias: Vec<T>,
    /// Channels of the image.
    pub inputs: usize,
    /// Channels of the windows.
    pub outputs: usize,
    /// Both kinds of channels are split into this many independent groups.
    pub groups: usize,
    /// The image and the windows on it.
    pub windows: Windows,
    /// How many of the image's axes ONNX knows of.
    pub rank: usize,
    /// Whether the operand is the windows and the result the image.
    pub transposed: bool,
    prepared: OnceLock<Box<PreparedPanels<T>>>,
}

/// What both passes need and the weights determine.
#[derive(Debug, Clone)]
struct PreparedPanels<T> {
    /// For each group the weights `[outputs][inputs × taps]`.
    forward: Vec<Panels<T>>,
    /// Where the rows of the first window lie in the planes of a group's channels.
    forward_rows: Vec<usize>,
    /// The weights for a single point with few windows, made when the first one comes.
    turned: OnceLock<Vec<Vec<T>>>,
    backward: Vec<PlaneTaps<T>>,
    /// Lengths of a padded cotangent channel.
    padded: [usize; AXES],
}

/// The taps that lie in one plane.
#[derive(Debug, Clone)]
struct PlaneTaps<T> {
    plane: usize,
    /// For each group the weights `[inputs][outputs × taps of this plane]`.
    weights: Vec<Panels<T>>,
    rows: Vec<usize>,
}

impl<T: Real> Conv<T> {
    /// A convolution; `weights` must hold `outputs × inputs / groups × taps` numbers and `bias` one a channel of
    /// the result.
    pub fn new(
        weights: Vec<T>,
        bias: Vec<T>,
        (outputs, inputs, groups): (usize, usize, usize),
        windows: Windows,
        rank: usize,
        transposed: bool,
    ) -> Result<Self, ShapeError> {
        let fits = groups > 0
            && inputs.is_multiple_of(groups)
            && outputs.is_multiple_of(groups)
            && weights.len() == outputs * (inputs / groups) * windows.taps()
            && bias.len() == if transposed { inputs } else { outputs };
        if !fits {
            return Err(ShapeError(format!(
                "{} weights and {} biases do not make a convolution of {inputs} to {outputs} channels in {groups} groups",
                weights.len(),
                bias.len()
            )));
        }
        let weights = weights.into_iter().map(T::normal_or_zero).collect();
        let prepared = OnceLock::new();
        Ok(Self { weights, bias, inputs, outputs, groups, windows, rank, transposed, prepared })
    }

    /// Multiplications for one point and one image.
    pub fn multiplications(&self) -> usize {
        self.weights.len() * self.windows.count()
    }

    /// The convolution with absolute weights and no bias: it bounds the sums of absolute terms.
    pub fn magnitude(&self) -> Self {
        Self {
            weights: self.weights.iter().map(|w| w.abs()).collect(),
            bias: vec![T::zero(); self.bias.len()],
            prepared: OnceLock::new(),
            ..self.clone()
        }
    }

    /// Products in a sum, at most.
    pub fn terms(&self) -> usize {
        let channels = if self.transposed { self.outputs } else { self.inputs };
        channels / self.groups * self.windows.taps()
    }

    /// The same convolution in another precision.
    pub fn cast<U: Real>(&self) -> Conv<U> {
        Conv {
            weights: cast::<T, U>(&self.weights).into_iter().map(U::normal_or_zero).collect(),
            bias: cast(&self.bias),
            inputs: self.inputs,
            outputs: self.outputs,
            groups: self.groups,
            windows: self.windows.clone(),
            rank: self.rank,
            transposed: self.transposed,
            prepared: OnceLock::new(),
        }
    }

    /// `weights[output][input of its group][tap]`
    pub fn weight(&self, output: usize, input: usize, tap: usize) -> T {
        self.weights[(output * (self.inputs / self.groups) + input) * self.windows.taps() + tap]
    }

    fn prepared(&self) -> &PreparedPanels<T> {
        self.prepared.get_or_init(|| Box::new(self.prepare()))
    }

    fn prepare(&self) -> PreparedPanels<T> {
        let (inputs, outputs) = (self.inputs / self.groups, self.outputs / self.groups);
        let (taps, planes) = (self.windows.taps(), self.windows.planes_len());
        let offsets = self.windows.offsets();
        let forward = |g: usize| {
            Panels::pack(outputs, inputs * taps, |o, k| self.weights[(g * outputs + o) * inputs * taps + k])
        };
        let reach = self.windows.0.each_ref().map(|axis| axis.reach());
        let padded: [usize; AXES] = std::array::from_fn(|i| self.windows.0[i].plane() + reach[i]);
        let mut places = Vec::new();
        self.windows.each_tap(|phases, tap| {
            let back: [usize; AXES] = std::array::from_fn(|i| reach[i] - tap[i]);
            places.push((
                self.windows.plane_number(phases),
                (back[0] * padded[1] + back[1]) * padded[2] + back[2],
            ));
        });
        let channel: usize = padded.iter().product();
        let phase = |plane: usize| {
            let own: Vec<usize> = (0..taps).filter(|&tap| places[tap].0 == plane).collect();
            let weights = |g: usize| {
                Panels::pack(inputs, outputs * own.len(), |i, k| {
                    self.weight(g * outputs + k / own.len(), i, own[k % own.len()])
                })
            };
            PlaneTaps {
                plane,
                weights: (0..self.groups).map(weights).collect(),
                rows: (0..outputs)
                    .flat_map(|o| own.iter().map(move |&tap| (o, tap)))
                    .map(|(o, tap)| o * channel + places[tap].1)
                    .collect(),
            }
        };
        let planes_count = self.windows.0.iter().map(|axis| axis.phases()).product();
        PreparedPanels {
            forward: (0..self.groups).map(forward).collect(),
            forward_rows: (0..inputs).flat_map(|c| offsets.iter().map(move |&at| c * planes + at)).collect(),
            turned: OnceLock::new(),
            backward: (0..planes_count).map(phase).collect(),
            padded,
        }
    }

    /// From images to windows: `y (+)= conv(x)` for one image.
    fn gather(&self, x: &[T], y: &mut [T], accumulate: bool, pass: &mut Pass<'_, T>) {
        let (lanes, threads, scratch) = (pass.lanes, pass.threads, &mut *pass.scratch);
        let prepared = self.prepared();
        let (inputs, outputs) = (self.inputs / self.groups, self.outputs / self.groups);
        let (plane_len, image) = (self.windows.planes_len() * lanes, self.windows.image_len() * lanes);
        let plain = self.windows.is_plain();
        let block = RowBlock {
            counts: self.windows.0.each_ref().map(|axis| axis.windows),
            from: self.windows.plane_shape(),
            to: self.windows.0.each_ref().map(|axis| axis.windows),
            lanes,
            threads,
        };
        let terms = prepared.forward_rows.len();
        let few = lanes == 1 && few::applies(self.windows.count(), outputs, terms);
        let extra = match few {
            true => few::scratch_len(self.windows.count(), outputs, terms),
            false if block.is_long() => 0,
            false => block.run() * outputs,
        };
        let planes_len = if plain { 0 } else { inputs * plane_len };
        scratch.resize(scratch.len().max(planes_len + extra), T::zero());
        let (planes, rest) = scratch.split_at_mut(planes_len);
        for g in 0..self.groups {
            let group = &x[g * inputs * image..][..inputs * image];
            let rows = if plain {
                group
            } else {
                for (image, planes) in group.chunks_exact(image).zip(planes.chunks_exact_mut(plane_len)) {
                    self.windows.to_planes(image, planes, lanes, T::zero());
                }
                &*planes
            };
            let start = match (accumulate, self.transposed) {
                (true, _) => SumStart::Accumulate,
                (false, false) => SumStart::Bias(&self.bias[g * outputs..][..outputs]),
                (false, true) => SumStart::Zero,
            };
            let len = self.windows.count() * lanes;
            if few {
                let turned = &prepared.turned.get_or_init(|| self.turned())[g];
                let y = &mut y[g * outputs * len..][..outputs * len];
                few::sum(turned, &prepared.forward_rows, &block, rows, start, y, rest);
                continue;
            }
            let to = Strided { out: &mut y[g * outputs * len..][..outputs * len], stride: len };
            block.sum(prepared.forward[g].view(), rows, &prepared.forward_rows, start, to, rest);
        }
    }

    /// From windows to images: `x += convᵀ(y)` for one image.
    fn scatter(&self, y: &[T], x: &mut [T], pass: &mut Pass<'_, T>) {
        let (lanes, threads, scratch) = (pass.lanes, pass.threads, &mut *pass.scratch);
        let prepared = self.prepared();
        let (inputs, outputs) = (self.inputs / self.groups, self.outputs / self.groups);
        let (count, image) = (self.windows.count() * lanes, self.windows.image_len() * lanes);
        let padded_len = prepared.padded.iter().product::<usize>() * lanes;
        let plane = self.windows.plane_shape();
        let direct = self.windows.0.iter().all(|axis| axis.stride == 1);
        let block = RowBlock {
            counts: if direct {
                std::array::from_fn(|i| {
                    self.windows.0[i].image.min(plane[i].saturating_sub(self.windows.0[i].pad))
                })
            } else {
                plane
            },
            from: prepared.padded,
            to: if direct { self.windows.0.each_ref().map(|axis| axis.image) } else { plane },
            lanes,
            threads,
        };
        if block.counts.contains(&0) {
            return;
        }
        let pad = self.windows.0.each_ref().map(|axis| if direct { axis.pad } else { 0 });
        let shift = ((pad[0] * block.from[1] + pad[1]) * block.from[2] + pad[2]) * lanes;
        let run = if block.is_long() { 0 } else { block.run() * inputs };
        let phases = prepared.backward.len();
        let plane_len = plane.iter().product::<usize>() * lanes;
        let planes_len = if direct { 0 } else { inputs * phases * plane_len };
        scratch.resize(scratch.len().max(outputs * padded_len + planes_len + run), T::zero());
        let (padded, rest) = scratch.split_at_mut(outputs * padded_len);
        let (planes, rest) = rest.split_at_mut(planes_len);
        for g in 0..self.groups {
            let group = &y[g * outputs * count..][..outputs * count];
            for (windows, padded) in group.chunks_exact(count).zip(padded.chunks_exact_mut(padded_len)) {
                self.pad_windows(windows, padded, prepared.padded, lanes);
            }
            let x = &mut x[g * inputs * image..][..inputs * image];
            for phase in &prepared.backward {
                let weights = phase.weights[g].view();
                if direct {
                    let to = Strided { out: &mut *x, stride: image };
                    block.sum(weights, &padded[shift..], &phase.rows, SumStart::Accumulate, to, rest);
                } else {
                    let own = &mut planes[phase.plane * plane_len..];
                    let to = Strided { out: own, stride: phases * plane_len };
                    block.sum(weights, padded, &phase.rows, SumStart::Zero, to, rest);
                }
            }
            if !direct {
                for (planes, image) in planes.chunks_exact(phases * plane_len).zip(x.chunks_exact_mut(image))
                {
                    self.windows.add_planes(planes, image, lanes);
                }
            }
        }
    }

    /// Copies a channel of windows into the middle of a padded one.
    fn pad_windows(&self, windows: &[T], padded: &mut [T], shape: [usize; AXES], lanes: usize) {
        let counts = self.windows.0.each_ref().map(|axis| axis.windows);
        let reach = self.windows.0.each_ref().map(|axis| axis.reach());
        padded.fill(T::zero());
        let row = counts[2] * lanes;
        for (at, source) in windows.chunks_exact(row.max(1)).enumerate() {
            let (i, j) = (at / counts[1] + reach[0], at % counts[1] + reach[1]);
            let to = ((i * shape[1] + j) * shape[2] + reach[2]) * lanes;
            padded[to..to + row].copy_from_slice(source);
        }
    }

    fn shapes(&self) -> ((usize, usize), (usize, usize)) {
        let image = (self.inputs, self.windows.image_len());
        let windows = (self.outputs, self.windows.count());
        if self.transposed { (windows, image) } else { (image, windows) }
    }
}

impl<T: Real> Operator<T> for Conv<T> {
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, ShapeError> {
        let axes = &self.windows.0[AXES - self.rank..];
        let ((channels, _), (results, _)) = self.shapes();
        let (from, to): (Vec<usize>, Vec<usize>) = axes
            .iter()
            .map(|axis| if self.transposed { (axis.windows, axis.image) } else { (axis.image, axis.windows) })
            .unzip();
        match inputs[0] {
            [batch, c, image @ ..] if *c == channels && image == from => {
                Ok([&[*batch, results], to.as_slice()].concat())
            }
            other => Err(ShapeError(format!(
                "a convolution made for {channels} channels of {from:?} does not fit shape {other:?}"
            ))),
        }
    }

    fn forward(&self, operands: Operands<'_, T>, output: &mut [T], pass: &mut Pass<'_, T>) {
        let ((channels, len), (results, result_len)) = self.shapes();
        let lanes = pass.lanes;
        let images = operands.get(0).data.chunks_exact((channels * len * lanes).max(1));
        for (x, y) in images.zip(output.chunks_exact_mut((results * result_len * lanes).max(1))) {
            if self.transposed {
                for (row, &bias) in y.chunks_exact_mut(result_len * lanes).zip(&self.bias) {
                    row.fill(bias);
                }
                self.scatter(x, y, pass);
            } else {
                self.gather(x, y, false, pass);
            }
        }
    }

    fn vjp(
        &self,
        _operands: Operands<'_, T>,
        _result: View<'_, T>,
        cotangent: &[T],
        gradients: &mut Gradients<'_, T>,
        pass: &mut Pass<'_, T>,
    ) {
        let Some(gradient) = gradients.wrt(0) else { return };
        let ((channels, len), (results, result_len)) = self.shapes();
        let lanes = pass.lanes;
        let images = gradient.chunks_exact_mut((channels * len * lanes).max(1));
        for (g, c) in images.zip(cotangent.chunks_exact((results * result_len * lanes).max(1))) {
            if self.transposed {
                self.gather(c, g, true, pass);
            } else {
                self.scatter(c, g, pass);
            }
        }
    }
}
