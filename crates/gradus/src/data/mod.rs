//! The nouns, as rows of plain files.
//!
//! Every noun is one JSON object a line. Fields that a noun does not know are
//! kept in its `metadata`, never dropped.

mod completion;
mod problem;
mod step_scores;
mod verdict;

pub use completion::{Completion, FinishReason, Span};
pub use problem::Problem;
pub use step_scores::StepScores;
pub use verdict::{Grade, Verdict};

/// Fields of a row that its noun has no name for.
pub type Metadata = serde_json::Map<String, serde_json::Value>;
