use std::path::PathBuf;

use crate::data::{DataError, RowError};

/// Why responses could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ResponsesError {
    /// A row of a file is wrong, or the file cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No form has this name.
    #[error("unknown form {name:?}, expected one of {known}")]
    UnknownForm {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// There is not one score.
    #[error("{}: found no score, expected at least one answered item", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// A respondent has several scores on an item.
    #[error(
        "respondent {respondent:?} has {times} scores on item {item:?}, expected one; \
         choose --duplicates mean, first or separate if that is meant"
    )]
    Duplicate {
        /// Who.
        respondent: String,
        /// On what.
        item: String,
        /// How often.
        times: usize,
    },
    /// Rows that do not fit their names.
    #[error("found {found} values, expected {expected}, one a name")]
    Shape {
        /// How many there were.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A folder or log holds nothing that could be read.
    #[error("{}: found no {what}, expected {expected}", path.display())]
    Nothing {
        /// The folder or file.
        path: PathBuf,
        /// What was looked for.
        what: String,
        /// What would have been right, with what there is.
        expected: String,
    },
}

impl From<RowError> for ResponsesError {
    fn from(error: RowError) -> Self {
        Self::Data(DataError::Row(error))
    }
}
