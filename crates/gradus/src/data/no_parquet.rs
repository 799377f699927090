//! In place of Parquet where the feature `parquet` is off: a sentence that says so.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use serde_json::Value;

use super::{DataError, RowError};

/// There are none.
pub(crate) enum ParquetRows {}

impl ParquetRows {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        Err(DataError::Row(RowError {
            file: path.to_owned(),
            line: 1,
            field: None,
            found: "a Parquet file".into(),
            expected: "text, as this build has no feature `parquet`".into(),
        }))
    }

    pub(crate) fn columns(&self) -> &[String] {
        match *self {}
    }

    pub(crate) fn row(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn bytes(&self) -> usize {
        match *self {}
    }

    pub(crate) fn next_row(&mut self) -> Option<Result<Vec<(String, Value)>, DataError>> {
        match *self {}
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) enum ParquetTable {}

impl ParquetTable {
    pub(crate) fn new(path: &Path) -> Result<Self, DataError> {
        let source = std::io::Error::other("this build has no feature `parquet`");
        Err(DataError::Io { action: "write", path: path.to_owned(), source })
    }

    pub(crate) fn push(&mut self, _: Vec<(String, Value)>) -> Result<(), DataError> {
        match *self {}
    }

    pub(crate) fn write(self, _: &mut BufWriter<File>) -> Result<(), DataError> {
        match self {}
    }
}
