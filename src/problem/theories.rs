//! What of VNN-LIB 2.0 is supported, in the standard's words (section 5.4 there). Each list is complete: the standard's
//! order of theories is not applied to it.

/// Queries without and with hidden nodes ([`crate::network::import_with_hidden`] exposes them).
pub const HIDDEN_NODES: &[&str] = &["NH", "H"];

/// One input and output, and several ([`crate::property::layout`] strings them together).
pub const INPUTS_AND_OUTPUTS: &[&str] = &["SIO", "MIO"];

/// One network; `equal-to`, `isomorphic-to`, and unrelated networks ([`super::Problem::of_networks`] joins them).
pub const NETWORKS: &[&str] = &["SNET", "MENET", "MINET", "MNET"];

/// Comparisons about one node, and about several.
pub const COMPARISONS: &[&str] = &["SNC", "MNC"];

/// Bounds, comparisons of outputs, linear and polynomial arithmetic ([`crate::property`] makes rows of all).
pub const ARITHMETIC: &[&str] = &["BND", "OUTC", "LIN", "POLY"];
