//! Finds a counterexample, and changes as few weights as it takes to make the network right there: what is written is a copy of the
//! file with the change in it.
//!
//! usage: cargo run --example repair [COPY.onnx]

use std::env;
use std::fs;
use std::time::Duration;

use counterpatch::Falsification;
use counterpatch::budget::Budget;
use counterpatch::pipeline::repair::{ChangeNorm, RepairSettings, RepairWish, of_bytes};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = "tests/data/digits_mlp.onnx";
    let falsification = Falsification::read([network], "tests/data/digits_mlp_easy.vnnlib")?
        .budget(Duration::from_secs(10))
        .threads(1);
    let conclusion = falsification.run()?;
    let Some(found) = conclusion.counterexample() else {
        println!("{}: {conclusion}", conclusion.word());
        return Ok(());
    };
    let points = [found.inputs()[0].values.iter().copied().collect()];
    let wish = RepairWish {
        settings: RepairSettings { norm: ChangeNorm::Fewest, ..RepairSettings::default() },
        ..RepairWish::default()
    };
    let budget = Budget::unlimited().slice(Duration::from_secs(10));
    let query = falsification.query().clone();
    let answer = of_bytes(network, fs::read(network)?, query, &points, &wish, &budget)?;
    let Some(copy) = answer.copy else {
        println!("no repair of the last layer was found");
        return Ok(());
    };
    for patch in &copy.patches {
        for change in &patch.changes {
            println!(
                "layer {}, weight {} to {}: {:+.4}",
                patch.layer, change.source, change.target, change.by
            );
        }
    }
    println!("replayed: the property holds there by {:.2e}", copy.margins.model);
    if let Some(path) = env::args_os().nth(1) {
        fs::write(path, &copy.bytes)?;
    }
    Ok(())
}
