//! Makes the tables of `benchmarks/patching.md`: what the paper's method finds when taken literally and when relaxed,
//! at which stage it fails, and what the strategies built on it find alone.
//!
//!     cargo run --release --example patching -- readings acasxu_2023 > readings.md
//!     cargo run --release --example patching -- from-centre acasxu_2023 default > centres.md
//!     cargo run --release --example patching -- strategies acasxu_2023 SECONDS SEEDS NAME... > strategies.md
//!     cargo run --release --example patching -- folder PATH SECONDS SEEDS NAME... > planted.md
//!     cargo run --release --example patching -- centre safenlp_2024 > centre.md
//!
//! A NAME is a strategy, or `adam`, which the program does not have; of readings a name of the table, and none is all.
//!
//! Instances come from the folder in COUNTERPATCH_BENCHMARKS, or ../shared/benchmarks: the known-sat rows of its
//! instances.csv; `folder` takes every NAME.onnx with its NAME.vnnlib.

mod adam;
mod centre;
mod instances;
mod readings;
mod strategies;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use counterpatch::budget::{Budget, Interrupt};

/// Processor time of this thread so far, in seconds: the machine may be shared.
fn cpu_seconds() -> f64 {
    seconds_on(Path::new("/proc/thread-self/schedstat"))
}

/// Runs something under a budget that ends after so many seconds of this thread's processor time, to a hundredth.
fn within_cpu<R>(seconds: f64, run: impl FnOnce(&Budget) -> R) -> R {
    let interrupt = Interrupt::default();
    let budget = Budget::unlimited().with_interrupt(interrupt.clone());
    let task = fs::read_link("/proc/thread-self").unwrap_or_default();
    let (clock, done) = (Path::new("/proc").join(task).join("schedstat"), AtomicBool::new(false));
    let end = seconds_on(&clock) + seconds;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if seconds_on(&clock) >= end {
                    interrupt.raise();
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        let result = run(&budget);
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// Seconds that a thread has run, from its schedstat file.
fn seconds_on(clock: &Path) -> f64 {
    let stat = fs::read_to_string(clock).unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["readings", family, names @ ..] => {
            readings::table(&instances::known_sat(family)?, readings::SAMPLES, names)
        }
        ["from-centre", family, names @ ..] => readings::table(&instances::known_sat(family)?, 0, names),
        ["strategies", family, seconds, seeds, names @ ..] => {
            strategies::table(&instances::known_sat(family)?, seconds.parse()?, seeds.parse()?, names)
        }
        ["folder", path, seconds, seeds, names @ ..] => {
            strategies::table(&instances::in_folder(path)?, seconds.parse()?, seeds.parse()?, names)
        }
        ["centre", family] => centre::table(&instances::known_sat(family)?),
        _ => return Err("usage: see the head of benchmarks/patching/main.rs".into()),
    }
    Ok(())
}
