//! The inner loops, and the only unsafe code of the network: everything else is written in terms of these.

pub mod dispatch;
pub mod dot;
pub mod functions;
pub mod panels;
pub mod products;
pub mod vector;
