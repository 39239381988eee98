//! A line on the terminal that says how far a search is.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::search::observer::{Event, Observer};

/// The progress line, on standard error; gone when the search ends.
#[derive(Debug)]
pub struct ProgressLine {
    bar: ProgressBar,
    best: Mutex<f64>,
}

impl ProgressLine {
    /// Shows it from now on, five times a second.
    pub fn start() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, best: Mutex::new(f64::NEG_INFINITY) }
    }
}

/// A bar for a known number of things, on standard error; gone when it is dropped.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Shows it, with `done` of `all` things done already.
    pub fn start(done: usize, all: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stderr());
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar} {pos}/{len} {elapsed} ({per_sec}, eta {eta}) {msg}")
        {
            bar.set_style(style);
        }
        bar.set_position(done as u64);
        Self(bar)
    }

    /// One more is done; `message` is shown behind the bar.
    pub fn step(&self, message: String) {
        self.0.set_message(message);
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Observer for ProgressLine {
    fn event(&self, event: &Event<'_>) {
        if let Event::BestMargin { strategy, margin, evaluations, .. } = *event
            && let Ok(mut best) = self.best.lock()
            && margin > *best
        {
            *best = margin;
            self.bar.set_message(format!("best margin {margin:.3e} ({strategy}, {evaluations} evaluations)"));
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
