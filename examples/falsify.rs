//! Falsifies a controller without any file but its network's: inputs of a box, and an output that must not be reached. Ends early
//! after Ctrl-C, as every program with a flag of its own can.
//!
//! usage: cargo run --example falsify

use std::path::Path;
use std::time::Duration;

use counterpatch::property::within::{HalfSpace, Within};
use counterpatch::{Conclusion, Error, Falsification, Interrupt, load};

fn main() -> Result<(), Error> {
    let model = load::network(Path::new("tests/data/toy.onnx"))?;
    // Both inputs from 0 to 1, and the first output below the second: y₀ − y₁ ≤ −0.1.
    let within = Within {
        lower: vec![0.0, 0.0],
        upper: vec![1.0, 1.0],
        unsafe_sets: vec![vec![HalfSpace { coefficients: vec![1.0, -1.0], bound: -0.1 }]],
    };
    let interrupt = Interrupt::default();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where the system refuses, the signal ends the program as usual.
        let _ = signal_hook::flag::register(signal, interrupt.flag());
    }
    let falsification = Falsification::within(model, &within)?
        .budget(Duration::from_secs(10))
        .threads(1)
        .interrupt(&interrupt);
    let conclusion = falsification.run()?;
    println!("{}: {conclusion}", conclusion.word());
    if let Conclusion::Counterexample(found) = &conclusion {
        for array in found.inputs().iter().chain(found.outputs()) {
            println!("{} {:?} = {}", array.name, array.values.shape(), array.values);
        }
    }
    Ok(())
}
