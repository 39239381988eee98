//! The inner loops, and the only unsafe code of the network: everything else is written in terms of these.

#![allow(unsafe_code)]

pub(crate) mod dot;
pub(crate) mod extremes;
pub(crate) mod functions;
pub(crate) mod panels;
pub(crate) mod products;
pub(crate) mod vector;

/// `steps · stride + len`: where something ends that begins so many steps on. No slice is as long as a number that
/// was cut off at the top, so a check against it fails as it should.
fn extent(steps: usize, stride: usize, len: usize) -> usize {
    steps.saturating_mul(stride).saturating_add(len)
}
