//! The strategies, one a file: each is a [`Falsifier`](super::Falsifier) with a function `make`, and a row in the
//! [table](super::schedule::table).

pub mod apgd;
pub mod balance;
pub mod centre;
pub mod coordinate;
pub mod facet_walk;
pub mod glance;
pub mod last_digits;
pub mod least_squares;
pub mod line_sweep;
pub mod minorant;
pub mod neighbourhood;
pub mod patch;
pub mod pgd;
pub mod phase_milp;
pub mod phase_split;
#[cfg(test)]
mod program_tests;
pub mod region_walk;
pub mod ridges;
pub mod sample;
pub mod split;
pub mod square;
pub mod target_propagation;
