//! Windows that slide over the spatial axes: the geometry that convolutions and poolings share.
//!
//! Source: the ONNX specification of `Conv` and `MaxPool` (`auto_pad`, `ceil_mode`).

use super::super::array;
use super::super::call::Call;

/// One spatial axis.
#[derive(Debug, Clone, Copy)]
pub(in crate::reference) struct Axis {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    pub(super) pad_begin: usize,
    pub(super) pad_end: usize,
}

impl Axis {
    /// The input position under tap `k` of the window at `o`; `None` in the padding.
    fn source(&self, o: usize, k: usize) -> Option<usize> {
        let at = (o * self.stride + k * self.dilation).checked_sub(self.pad_begin)?;
        (at < self.input).then_some(at)
    }

    /// Whether tap `k` of the window at `o` lies in the input or its padding.
    fn is_padded(&self, o: usize, k: usize) -> bool {
        o * self.stride + k * self.dilation < self.input + self.pad_begin + self.pad_end
    }

    /// Distance from the first to behind the last tap.
    pub(super) fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }
}

/// An attribute with one positive number for each axis.
pub(super) fn per_axis(call: &Call<'_>, name: &str, default: &[usize]) -> Result<Vec<usize>, String> {
    let Some(given) = call.ints(name)? else { return Ok(default.to_vec()) };
    let numbers: Option<Vec<usize>> =
        given.iter().map(|&n| usize::try_from(n).ok().filter(|n| *n < 1 << 31)).collect();
    match numbers {
        Some(numbers) if numbers.len() == default.len() => Ok(numbers),
        _ => Err(format!("its attribute {name} is {given:?} for {} spatial axes", default.len())),
    }
}

/// The axes of a window with the given kernel over an input with the spatial dimensions `input`, from the attributes
/// `strides`, `dilations`, `pads`, `auto_pad` and `ceil_mode`.
pub(in crate::reference) fn axes(
    call: &Call<'_>,
    input: &[usize],
    kernel: &[usize],
) -> Result<Vec<Axis>, String> {
    let ones = vec![1; input.len()];
    let strides = per_axis(call, "strides", &ones)?;
    let dilations = per_axis(call, "dilations", &ones)?;
    let pads = per_axis(call, "pads", &vec![0; 2 * input.len()])?;
    let auto_pad = call.string("auto_pad", "NOTSET")?;
    let ceil = call.flag("ceil_mode", false)?;
    if kernel.len() != input.len() || [kernel, &strides, &dilations].iter().any(|list| list.contains(&0)) {
        return Err(format!("kernel {kernel:?}, strides {strides:?}, dilations {dilations:?} for {input:?}"));
    }
    let mut axes = Vec::with_capacity(input.len());
    for d in 0..input.len() {
        let mut axis = Axis {
            input: input[d],
            output: 0,
            kernel: kernel[d],
            stride: strides[d],
            dilation: dilations[d],
            pad_begin: pads[d],
            pad_end: pads[input.len() + d],
        };
        place(&mut axis, auto_pad, ceil)?;
        axes.push(axis);
    }
    array::len(&axes.iter().map(|a| a.output).collect::<Vec<_>>())?;
    Ok(axes)
}

/// Fills in the output size, and with `auto_pad` the padding.
fn place(axis: &mut Axis, auto_pad: &str, ceil: bool) -> Result<(), String> {
    match auto_pad {
        "NOTSET" => {}
        "VALID" => (axis.pad_begin, axis.pad_end) = (0, 0),
        "SAME_UPPER" | "SAME_LOWER" => {
            axis.output = axis.input.div_ceil(axis.stride);
            let covered = axis.output.saturating_sub(1) * axis.stride + axis.reach();
            let total = covered.saturating_sub(axis.input);
            let (small, large) = (total / 2, total - total / 2);
            (axis.pad_begin, axis.pad_end) =
                if auto_pad == "SAME_UPPER" { (small, large) } else { (large, small) };
            return Ok(());
        }
        other => return Err(format!("its attribute auto_pad is {other:?}")),
    }
    let padded = axis.input + axis.pad_begin + axis.pad_end;
    let room = padded.checked_sub(axis.reach()).ok_or_else(|| {
        format!("a window of {} does not fit into {padded} values, padding included", axis.reach())
    })?;
    axis.output = if ceil { room.div_ceil(axis.stride) } else { room / axis.stride } + 1;
    // A last window that would begin in the padding behind the input is left out.
    if ceil && (axis.output - 1) * axis.stride >= axis.input + axis.pad_begin {
        axis.output -= 1;
    }
    Ok(())
}

/// Most taps of all windows together: 1 GiB. A kernel of 7×7 over 224×224 places has 2.5 million.
const MAX_TAPS: usize = 1 << 26;

/// The taps of one window that lie in the input.
#[derive(Debug, Clone, Default)]
pub(in crate::reference) struct Window {
    /// Flat number of the tap in the kernel and flat position in the input.
    pub(in crate::reference) taps: Vec<(usize, usize)>,
    /// Number of taps in the input or its padding.
    pub(super) padded: usize,
}

/// All windows, by flat output position.
pub(in crate::reference) fn windows(axes: &[Axis]) -> Result<Vec<Window>, String> {
    let sizes = |f: fn(&Axis) -> usize| axes.iter().map(f).collect::<Vec<_>>();
    let (outputs, kernel) = (sizes(|a| a.output), sizes(|a| a.kernel));
    let taps = array::len(&[array::len(&outputs)?, array::len(&kernel)?])?;
    if taps > MAX_TAPS {
        return Err(format!("windows {kernel:?} at {outputs:?} places have more than {MAX_TAPS} taps"));
    }
    let (in_strides, kernel_strides) = (strides(&sizes(|a| a.input)), strides(&kernel));
    let mut windows = Vec::new();
    for_each_index(&outputs, |o| {
        let mut window = Window::default();
        for_each_index(&kernel, |k| {
            let each = || axes.iter().zip(o.iter().zip(k));
            window.padded += usize::from(each().all(|(axis, (&o, &k))| axis.is_padded(o, k)));
            let source = each()
                .zip(&in_strides)
                .try_fold(0, |at, ((axis, (&o, &k)), stride)| Some(at + axis.source(o, k)? * stride));
            if let Some(source) = source {
                window.taps.push((flat(k, &kernel_strides), source));
            }
        });
        windows.push(window);
    });
    Ok(windows)
}

/// Row-major strides of `shape`.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// Calls `visit` with each index of `shape` in row-major order. ndarray's own walk of indices of any rank takes a replay of
/// convolutions 1.15 to 1.3 times as long.
fn for_each_index(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        visit(&index);
        let Some(d) = (0..shape.len()).rev().find(|&d| index[d] + 1 < shape[d]) else { return };
        index[d] += 1;
        index[d + 1..].fill(0);
    }
}

/// Flat index of `index` with the given strides.
fn flat(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(i, s)| i * s).sum()
}
