//! No permitted computation of a random network leaves its enclosure.
#![no_main]

use std::sync::Arc;

use counterpatch::certificate::door::Door;
use counterpatch::random::Random;
use counterpatch::reference::Precision;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../benchmarks/verdicts/judge.rs"]
mod judge;
#[allow(dead_code)]
#[path = "../../benchmarks/verdicts/networks.rs"]
mod networks;

fuzz_target!(|data: &[u8]| {
    let mut seed = [0u8; 8];
    let len = data.len().min(8);
    seed[..len].copy_from_slice(&data[..len]);
    let mut random = Random::new(u64::from_le_bytes(seed));
    let (model, inputs) = networks::Maker::network(&mut random);
    let element = model.graph.inputs[0].element;
    let Some(judge) = judge::Judge::new(&model) else { return };
    let ranges: Vec<(f64, f64)> = (0..inputs)
        .map(|_| {
            let low = networks::in_type(element, 3.0 * random.normal());
            (low, networks::in_type(element, low + random.unit()))
        })
        .collect();
    let Some(first) = judge.plain(&judge::point(element, &ranges, &mut random), Precision::Model) else {
        return;
    };
    let mut text = String::new();
    (0..inputs).for_each(|i| text += &format!("(declare-const X_{i} Real)"));
    (0..first.len()).for_each(|i| text += &format!("(declare-const Y_{i} Real)"));
    let query = vnnlib::parse(text + "(assert (<= Y_0 0))").expect("the query is read");
    let Ok(door) = Door::new(&query, &[Arc::clone(&model)]) else { return };
    for tightened in [false, true] {
        let outputs = door.outputs(&ranges, tightened);
        for _ in 0..10 {
            let point = judge::point(element, &ranges, &mut random);
            let Some(values) = judge.permuted(&point, &mut random) else { continue };
            for (value, (low, high)) in values.iter().zip(&outputs) {
                let is_open = low.is_infinite() || high.is_infinite();
                assert!(
                    is_open || (low <= value && value <= high),
                    "{value} is outside of [{low}, {high}] at {point:?}, tightened: {tightened}, {ranges:?}: {:#?}",
                    model.graph
                );
            }
        }
    }
});
