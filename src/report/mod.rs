//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line. What there is to say
//! of a network before any search, and of repairs.

pub mod inspection;
pub mod json;
#[cfg(feature = "cli")]
pub(crate) mod markup;
#[cfg(feature = "cli")]
mod progress;
pub mod repair;
#[cfg(feature = "cli")]
mod statistics;
#[cfg(feature = "cli")]
pub(crate) mod table;

pub use inspection::Inspection;
pub use json::JsonLines;
#[cfg(feature = "cli")]
pub use progress::{Bar, ProgressLine};
pub use repair::Repairs;
#[cfg(feature = "cli")]
pub use statistics::Statistics;
