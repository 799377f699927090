//! What the commands about ratings, labels and profiles share.

use std::path::Path;

use gradus::data::{self, Row};

use crate::failure::Failure;

/// Draws of every bootstrap over problems.
pub(super) const DRAWS: usize = 2000;
pub(super) const CONFIDENCE: f64 = 0.95;

/// All rows of a table or of JSON Lines.
pub(super) fn read<R: Row>(file: &Path) -> Result<Vec<R>, Failure> {
    Ok(data::read_table(file)?.collect::<Result<_, _>>()?)
}
