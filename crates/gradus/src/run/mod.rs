//! A run: one folder of plain files, resumable and repeatable.
//!
//! This module is the only one of the library that reads the clock.

mod stream;

pub use stream::Stream;
