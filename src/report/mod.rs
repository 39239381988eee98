//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line.

pub mod observer;

pub use observer::{Ended, Event, Observer, Silent};
