//! The nouns, as rows of plain files.
//!
//! Every noun is one JSON object a line. Fields that a noun does not know are
//! kept in its `metadata`, never dropped.

mod completion;
mod compressed;
mod error;
mod fields;
mod hash;
mod import_gsm8k_solutions;
mod import_problems;
mod jsonl;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_table;
mod problem;
mod row;
mod step_scores;
mod table;
#[cfg(test)]
pub(crate) mod test_data;
mod verdict;

pub use completion::{Completion, FinishReason, Span};
use compressed::PARQUET;
pub(crate) use compressed::{is_parquet, open};
pub(crate) use error::explain;
pub use error::{DataError, FieldError, RowError};
pub use fields::Fields;
pub use hash::{hash_bytes, hash_file};
pub use import_gsm8k_solutions::{AuthoredProblem, gsm8k_solutions};
pub use import_problems::{gsm8k_problems, math_problems, multiple_choice, question_answers};
pub use jsonl::{Rows, Writer, read, read_all, to_line, write_all};
pub(crate) use jsonl::{read_lines, sync_folder};
pub(crate) use parquet::ParquetRows;
#[cfg(not(feature = "parquet"))]
use parquet::ParquetTable;
#[cfg(feature = "parquet")]
use parquet_table::ParquetTable;
pub use problem::Problem;
pub use row::Row;
pub use step_scores::StepScores;
pub use table::{TableRows, read_table};
pub use verdict::{Grade, Verdict};

/// Fields of a row that its noun has no name for.
pub type Metadata = serde_json::Map<String, serde_json::Value>;
