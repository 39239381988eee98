//! Finds a counterexample, and judges it from its text as the competition does, which works for the text of any tool.
//!
//! usage: cargo run --example check

use std::time::Duration;

use counterpatch::search::observer::Silent;
use counterpatch::witness::check::{Year, check};
use counterpatch::witness::{Replay, read};
use counterpatch::{Error, Falsification};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let falsification =
        Falsification::read(["tests/data/digits_mlp.onnx"], "tests/data/digits_mlp_easy.vnnlib")?
            .budget(Duration::from_secs(60));
    let conclusion = falsification.run()?;
    let Some(found) = conclusion.counterexample() else {
        println!("{}: {conclusion}", conclusion.word());
        return Ok(());
    };
    let models = falsification.models(&Silent)?;
    let path = models.first().map(|model| model.path.clone()).unwrap_or_default();
    let replay =
        Replay::new(falsification.query().clone(), models).map_err(|source| Error::replay(path, source))?;
    let reading = read::parse("the counterexample", &found.text())?;
    let report = check(&replay, &reading, Year::Of2026)?;
    println!("{}", report.class.word());
    report.details().iter().for_each(|detail| println!("  {detail}"));
    Ok(())
}
