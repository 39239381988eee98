//! Models of loops, scans, branches and lists, made of the bytes: nothing panics, what both engines compute is the same to
//! the last bit, and lies where the certificate's tape says. Some of the files are damaged in one place.
#![no_main]

use std::sync::Arc;

use counterpatch::bounds::Bounder;
use counterpatch::certificate::door::Door;
use counterpatch::network::op::Op;
use counterpatch::network::{self, Network};
use counterpatch::onnx::{self, Model};
use counterpatch::reference::{Engine, Output, Precision};
use libfuzzer_sys::fuzz_target;

#[path = "../../benchmarks/inputs/graphs.rs"]
mod graphs;

/// Larger networks are right, and slow.
const VALUES: usize = 1 << 14;

fuzz_target!(|data: &[u8]| {
    let Some((&[damage, at, to], rest)) = data.split_first_chunk::<3>() else { return };
    let (mut file, inputs) = graphs::Maker::model(rest);
    if damage >= 240 {
        let place = usize::from(u16::from_le_bytes([at, damage])) * 7 % file.len().max(1);
        file[place] = to;
    }
    let Ok(model) = onnx::from_bytes(&file) else { return };
    let declared: usize = model
        .graph
        .inputs
        .iter()
        .map(|info| info.closed_shape().map_or(inputs, |s| s.iter().product()))
        .sum();
    // A damaged file may ask for any number of inputs.
    if declared != inputs || model.graph.inputs.len() != 1 {
        return;
    }
    let model = Arc::new(model);
    let points: Vec<Vec<f64>> = [at, to]
        .iter()
        .map(|&turn| (0..inputs).map(|i| ((i * 7 + usize::from(turn)) % 17) as f64 / 4.0 - 2.0).collect())
        .collect();
    let is_whole = damage < 240;
    let plain = plain(&model, &points, is_whole);
    if let Some((_, len)) = fast(&model, &points, &plain) {
        enclosed(&model, &points, &plain, len, is_whole);
    }
});

/// What the plain engine says of each point. All numbers of a whole file are so short that no sum of them is rounded; a damaged one may
/// hold others.
fn plain(model: &Arc<Model>, points: &[Vec<f64>], is_whole: bool) -> Vec<Option<Vec<f64>>> {
    let Ok(engine) = Engine::new(Arc::clone(model)) else { return vec![None; points.len()] };
    let run = |point: &Vec<f64>, precision| -> Option<Vec<Output>> { engine.run(&[point], precision).ok() };
    let values =
        |outputs: Vec<Output>| -> Vec<f64> { outputs.into_iter().flat_map(|output| output.values).collect() };
    points
        .iter()
        .map(|point| {
            let (single, double) = (run(point, Precision::Model), run(point, Precision::Double));
            assert_eq!(single.is_some(), double.is_some(), "one precision has an answer, the other has none");
            let (single, double) = (single?, double?);
            assert!(double.iter().all(|o| o.shape.iter().product::<usize>() == o.values.len()));
            let (single, double) = (values(single), values(double));
            let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() || a.abs() > 4096.0;
            assert!(!is_whole || single.iter().zip(&double).all(same), "{single:?} {double:?}");
            Some(double)
        })
        .collect()
}

/// The fast network, and how many outputs it has.
fn fast(model: &Model, points: &[Vec<f64>], plain: &[Option<Vec<f64>>]) -> Option<(Network<f64>, usize)> {
    let network: Network<f64> = network::import(model).ok()?;
    if network.values_per_lane() >= VALUES || network.multiplications() >= VALUES {
        return None;
    }
    let _ = Bounder::new(&network);
    // What is left to the plain engine has no result where its shape is another one than at most inputs, and a function behind
    // it may hide that.
    let is_whole = !network.nodes().iter().any(|node| matches!(node.op, Op::Plain(_)));
    for (point, plain) in points.iter().zip(plain) {
        let got = network.evaluate(point);
        assert_eq!(got.len(), network.output_len());
        let Some(want) = plain else { continue };
        if is_whole && got.len() == want.len() {
            let same = |(a, b): (&f64, &f64)| a == b || b.is_nan() || a.is_nan() || b.abs() > 4096.0;
            assert!(got.iter().zip(want).all(same), "{got:?} is not {want:?}");
        }
    }
    let len = network.output_len();
    Some((network, len))
}

fn enclosed(model: &Arc<Model>, points: &[Vec<f64>], plain: &[Option<Vec<f64>>], len: usize, whole: bool) {
    let inputs = points[0].len();
    if len > 64 || !whole {
        return;
    }
    let mut text = String::new();
    (0..inputs).for_each(|i| text += &format!("(declare-const X_{i} Real)"));
    (0..len).for_each(|i| text += &format!("(declare-const Y_{i} Real)"));
    let Ok(query) = vnnlib::parse(text + "(assert (<= Y_0 0))") else { return };
    let Ok(door) = Door::new(&query, std::slice::from_ref(model)) else { return };
    let ranges: Vec<(f64, f64)> =
        (0..inputs).map(|i| (points[0][i].min(points[1][i]), points[0][i].max(points[1][i]))).collect();
    let outputs = door.outputs(&ranges, true);
    for values in plain.iter().flatten().filter(|values| values.len() == outputs.len()) {
        for (value, (low, high)) in values.iter().zip(&outputs) {
            let open = low.is_infinite() || high.is_infinite() || value.abs() > 4096.0 || value.is_nan();
            assert!(open || (low <= value && value <= high), "{value} is outside of [{low}, {high}]");
        }
    }
}
