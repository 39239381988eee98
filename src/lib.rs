//! Counterpatch.
