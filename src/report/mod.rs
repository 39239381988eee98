//! What a search tells while it runs, and who listens: statistics, JSON lines, a progress line. What there is to say
//! of a network before any search, and of repairs.

#[cfg(feature = "cli")]
pub(crate) mod chart;
pub mod inspection;
pub mod json;
#[cfg(feature = "cli")]
pub(crate) mod markup;
#[cfg(feature = "cli")]
mod progress;
#[cfg(feature = "cli")]
pub(crate) mod provenance;
pub mod repair;
#[cfg(feature = "cli")]
pub(crate) mod scatter;
#[cfg(feature = "cli")]
mod statistics;
#[cfg(feature = "cli")]
pub(crate) mod table;
mod timeline;

pub use inspection::Inspection;
pub use json::JsonLines;
#[cfg(feature = "cli")]
pub use progress::{Bar, ProgressLine};
#[cfg(feature = "cli")]
pub use provenance::Provenance;
pub use repair::Repairs;
#[cfg(feature = "cli")]
pub use statistics::Statistics;
pub use timeline::Timeline;
