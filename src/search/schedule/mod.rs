//! Who works when: the [`table`](mod@table) of strategies, the [`portfolio`] that shares the work out among them, and the
//! [`summary`] of what each has done.

mod credit;
pub mod portfolio;
pub mod summary;
pub mod table;
