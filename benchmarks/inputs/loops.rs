//! `loops FOLDER COUNT [SEED]`: models of loops, scans, branches and lists, made at random, as files that `judge.py FOLDER` compares
//! with ONNX Runtime.

use std::fs;
use std::path::Path;

use counterpatch::random::Random;

mod graphs;

/// Choices that a model is made of: as many as the largest one takes.
const BYTES: usize = 400;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, rest @ ..] = arguments.as_slice() else {
        return Err("see the head of benchmarks/inputs/loops.rs for what to type".into());
    };
    let seed: u64 = rest.first().map_or(Ok(1), |seed| seed.parse())?;
    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    let mut listed = serde_json::Map::new();
    for number in 0..count.parse()? {
        let mut random = Random::new(seed).fork(number);
        let bytes: Vec<u8> = (0..BYTES).map(|_| random.below(256) as u8).collect();
        let stem = format!("loops__{number:05}");
        fs::write(folder.join(format!("{stem}.onnx")), graphs::Maker::model(&bytes).0)?;
        listed.insert(stem, serde_json::Value::Null);
    }
    Ok(fs::write(folder.join("loops.json"), serde_json::Value::Object(listed).to_string())?)
}
