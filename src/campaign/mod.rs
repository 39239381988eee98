//! Campaigns: thousands of instances, each with several tools and seeds, on one machine or on many.
//!
//! A [`Campaign`] says what is run. Each [`CampaignUnit`] of it has a [`Key`] made of the contents of its files, its settings and
//! the program that runs it, and its [`UnitResult`] is one file of a [`CampaignFolder`], written once. Whoever holds a
//! unit's [`Lease`] runs it, so that any number of processes share the work. [`Collected`] is what came of it.

mod collected;
mod compared;
pub mod folder;
mod instances;
mod key;
mod names;
pub mod page;
mod plan;
mod plots;
mod result;
mod submission;
mod table;

pub use collected::{Asked, AskedWords, Collected, CollectedLogs, CollectedUnit, Opposed, Scores};
pub use compared::{Compared, Shift, ShiftedUnit};
pub use folder::{
    CampaignFolder, Claimed, FolderError, Holder, Lease, ListedKeys, SplitQuestion, StoredResult,
    UnitEvidence, WriteOnce,
};
pub use instances::{Listing, ListingError, listings};
pub use key::{Digest, Key, external_files};
pub use names::NameNumber;
pub use plan::{
    Campaign, CampaignTool, CampaignUnit, FileMark, PlanError, PlannedInstance, Shard, ToolKind, UnitLimits,
    seeds,
};
pub use result::{Resources, UnitHead, UnitResult, UnitVerdict};
pub use submission::Submission;
pub use table::{csv, json, parquet, summary};
