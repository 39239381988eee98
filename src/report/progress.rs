//! A line on the terminal that says how far a search is.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::observer::{Event, Observer};

/// The progress line, on standard error; gone when the search ends.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    best: Mutex<f64>,
}

impl Progress {
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

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        if let Event::BestMargin { strategy, margin, evaluations } = *event
            && let Ok(mut best) = self.best.lock()
            && margin > *best
        {
            *best = margin;
            self.bar.set_message(format!("best margin {margin:.3e} ({strategy}, {evaluations} evaluations)"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
