//! No text makes the reader of results files panic or take more than linear time and memory. What it accepts has as
//! many values as its shapes say; what it refuses has a place inside the text.
#![no_main]

use counterpatch::witness::read::{Listed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse("fuzz", text) {
        Ok(reading) => match reading.assignment {
            Some(Listed::Pairs { inputs, outputs }) => {
                assert_eq!(inputs.floats.len(), inputs.decimals.len());
                assert_eq!(outputs.floats.len(), outputs.decimals.len());
            }
            Some(Listed::Tensors(tensors)) => {
                for tensor in tensors {
                    let count: u64 = tensor.shape.iter().map(|&extent| u64::from(extent)).product();
                    assert_eq!(tensor.values.floats.len() as u64, count);
                    assert!(tensor.line <= text.lines().count());
                }
            }
            None => {}
        },
        Err(malformed) => {
            assert!(malformed.line <= text.matches('\n').count() + 1);
            let line = text.split('\n').nth(malformed.line - 1).unwrap_or_default();
            assert!(malformed.column <= line.chars().count() + 1);
        }
    }
});
