//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line. What there is to say
//! of a network before any search, and of repairs.

pub mod inspection;
pub mod json;
pub(crate) mod markup;
mod progress;
pub mod repair;
mod statistics;

pub use inspection::Inspection;
pub use json::JsonLines;
pub use progress::{Bar, ProgressLine};
pub use repair::Repairs;
pub use statistics::Statistics;
