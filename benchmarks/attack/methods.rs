//! Runs methods of the attack over images and prints a line of figures for each: for development, without reports.
//!
//!     cargo run --release --example attack-methods -- NET.onnx IMAGES LABELS CxHxW|HxWxC METHOD[,METHOD…] [COUNT [own]]
//!
//! IMAGES holds 32-bit floats in the network's order, LABELS one byte an image. Images that the network classifies
//! wrongly are left out; with `own`, every image has the network's own class as its label. Times are this process's wall clock, one thread.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use counterpatch::attack::methods::{Entry, Outcome, TABLE};
use counterpatch::attack::victim::{Scaling, decision};
use counterpatch::attack::{Layout, Limits, Order, Preparation, Session, Targets, Task, Victim};
use counterpatch::budget::Budget;
use counterpatch::onnx;
use counterpatch::random::Random;

struct Images {
    values: Vec<Vec<f32>>,
    labels: Vec<usize>,
}

#[derive(Default)]
struct Figures {
    pixels: Vec<f64>,
    values: Vec<f64>,
    l1: Vec<f64>,
    l2: Vec<f64>,
    linf: Vec<f64>,
    milliseconds: Vec<f64>,
    attacked: usize,
    unconfirmed: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [net, images, labels, layout, methods, rest @ ..] = arguments.as_slice() else {
        return Err("arguments: NET.onnx IMAGES LABELS CxHxW|HxWxC METHOD[,METHOD...] [COUNT]".into());
    };
    let layout = layout_of(layout)?;
    let model = Arc::new(onnx::read(Path::new(net))?);
    let victim = Victim::new(model, layout, Scaling::unit(layout.channels))?;
    let count = rest.first().map_or(Ok(usize::MAX), |count| count.parse())?;
    let mut images = read(Path::new(images), Path::new(labels), layout.len(), count)?;
    if rest.get(1).is_some_and(|word| word == "own") {
        let class = |image: &Vec<f32>| decision(&victim.network.evaluate(image)).unwrap_or(0);
        images.labels = images.values.iter().map(class).collect();
    }
    for name in methods.split(',') {
        let entry = TABLE.iter().find(|entry| entry.name == name).ok_or(format!("no method {name}"))?;
        print(name, run(entry, &victim, &images)?);
    }
    Ok(())
}

/// `1x28x28` is channels first, `32x32x3` channels last: the channels are the smaller end.
fn layout_of(text: &str) -> Result<Layout, Box<dyn Error>> {
    let sizes = text.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    match sizes[..] {
        [channels, height, width] if channels <= 4 => {
            Ok(Layout { channels, height, width, order: Order::ChannelsFirst })
        }
        [height, width, channels] => Ok(Layout { channels, height, width, order: Order::ChannelsLast }),
        _ => Err("the layout has three sizes".into()),
    }
}

fn read(images: &Path, labels: &Path, len: usize, count: usize) -> Result<Images, Box<dyn Error>> {
    let (bytes, labels) = (fs::read(images)?, fs::read(labels)?);
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let values: Vec<f32> = bytes.chunks_exact(4).map(number).collect();
    let values = values.chunks_exact(len).take(count).map(<[f32]>::to_vec).collect();
    Ok(Images { values, labels: labels.into_iter().map(usize::from).collect() })
}

fn run(entry: &Entry, victim: &Victim, images: &Images) -> Result<Figures, Box<dyn Error>> {
    let seed = 1;
    let prepared =
        Preparation { victim, companions: &[], images: &images.values, labels: &images.labels, seed };
    let method = (entry.make)(&prepared)?;
    let (budget, limits) = (Budget::unlimited(), Limits::none());
    let mut figures = Figures::default();
    for (index, (image, &label)) in images.values.iter().zip(&images.labels).enumerate() {
        if decision(&victim.network.evaluate(image)) != Some(label) {
            continue;
        }
        let task = Task { victim, image, label, limits: &limits, targets: Targets::Strongest(3) };
        let mut session = Session::new(&victim.network, &budget, Random::new(seed).fork(index as u64));
        let start = Instant::now();
        let outcome = method.attack(&task, &mut session);
        figures.milliseconds.push(1e3 * start.elapsed().as_secs_f64());
        figures.attacked += 1;
        let Outcome::Adversarial(input) = outcome else { continue };
        let confirmed = victim.replay(&input).and_then(|outputs| decision(&outputs)) != Some(label);
        if confirmed && (entry.leaves_range || task.keeps_limits(&input)) {
            figures.add(&task, &input);
        } else {
            figures.unconfirmed += 1;
        }
    }
    Ok(figures)
}

impl Figures {
    fn add(&mut self, task: &Task<'_>, input: &[f32]) {
        let changes = task.image.iter().zip(input).map(|(a, b)| f64::from((a - b).abs()));
        let changes: Vec<f64> = changes.filter(|&change| change > 0.0).collect();
        self.pixels.push(task.changed_pixels(input) as f64);
        self.values.push(changes.len() as f64);
        self.l1.push(changes.iter().sum());
        self.l2.push(changes.iter().map(|change| change * change).sum::<f64>().sqrt());
        self.linf.push(changes.into_iter().fold(0.0, f64::max));
    }
}

fn print(name: &str, figures: Figures) {
    let Figures { pixels, values, l1, l2, linf, milliseconds, attacked, unconfirmed } = figures;
    let found = pixels.len();
    println!(
        "{name}: {found} of {attacked} ({:.1}%), unconfirmed {unconfirmed}",
        100.0 * found as f64 / attacked as f64
    );
    let columns = [
        ("pixels", pixels),
        ("values", values),
        ("L1", l1),
        ("L2", l2),
        ("Linf", linf),
        ("ms", milliseconds),
    ];
    for (what, mut column) in columns {
        column.sort_by(f64::total_cmp);
        let mean = column.iter().sum::<f64>() / column.len().max(1) as f64;
        let at = |share: f64| column.get((share * column.len() as f64) as usize).copied().unwrap_or(f64::NAN);
        let most = column.last().copied().unwrap_or(f64::NAN);
        println!("  {what:>6}: mean {mean:.3}  median {:.3}  90% {:.3}  max {most:.3}", at(0.5), at(0.9));
    }
}
