//! What strategies are made of: the counted, batched [`oracle`](mod@oracle) through which all points go, points and starts, steps that are asked for points
//! and told losses (Auto-PGD, Square), lines and rays, programs under a budget, and what sound bounds say of a box.
//!
//! Nothing here knows a strategy; attacks on images use some of it too.

pub mod apgd;
pub mod asking;
pub mod corners;
pub mod envelope;
pub mod exclusion;
pub mod line;
pub mod local;
pub mod losses;
pub mod oracle;
pub mod points;
pub mod programs;
pub mod pseudo_costs;
pub mod ray;
pub mod seeds;
pub mod shared;
pub mod spread;
pub mod square;
pub mod starts;
pub mod tally;
pub mod ties;
pub mod whole;
