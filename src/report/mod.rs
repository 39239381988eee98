//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line.

pub mod json;
pub mod observer;
mod progress;
mod statistics;

pub use json::JsonLines;
pub use observer::{Ended, Event, Listeners, Observer, Silent};
pub use progress::Progress;
pub use statistics::Statistics;
