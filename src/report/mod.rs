//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line. What there is to say
//! of a network before any search.

pub mod inspection;
pub mod json;
pub mod observer;
mod progress;
mod statistics;

pub use inspection::Inspection;
pub use json::JsonLines;
pub use observer::{Ended, Event, Listeners, Observer, Silent};
pub use progress::Progress;
pub use statistics::Statistics;
