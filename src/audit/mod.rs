//! Whether to believe what tools claim about many instances: every counterexample is replayed, every `unsat` attacked.
//!
//! An accusation needs a counterexample that passes [`crate::witness::validate`] with a margin that no engine's rounding
//! eats up, found by our search or taken (mended, if need be) from another tool. Anything less is reported as doubtful.

pub mod claims;
pub mod examine;
pub mod page;
pub mod record;
pub mod summary;

pub use claims::{AuditClaim, ClaimedVerdict};
pub use examine::examine;
pub use record::{AuditRecord, Evidence, Finding, InstanceTruth, Judged};
pub use summary::AuditSummary;
