//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line. What there is to say
//! of a network before any search, and of repairs.

pub mod inspection;
pub mod json;
#[cfg(feature = "cli")]
pub(crate) mod markup;
#[cfg(feature = "cli")]
mod progress;
pub mod repair;
mod statistics;

pub use inspection::Inspection;
pub use json::JsonLines;
#[cfg(feature = "cli")]
pub use progress::{Bar, Progress};
pub use repair::Repairs;
pub use statistics::Statistics;
