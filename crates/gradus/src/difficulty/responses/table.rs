//! Comma-separated files, with the line of every value.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use super::ResponsesError;
use crate::data::{DataError, RowError, open};

/// A CSV file with a header.
pub(super) struct Table {
    path: PathBuf,
    reader: Reader<Box<dyn BufRead + Send>>,
    /// Names of the columns.
    pub(super) header: Vec<String>,
    record: StringRecord,
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Self, ResponsesError> {
        let source = open(path)?;
        let reader = ReaderBuilder::new()
            .has_headers(true)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(source);
        let mut table =
            Self { path: path.to_owned(), reader, header: Vec::new(), record: StringRecord::new() };
        let header = table.reader.headers().cloned().map_err(|error| table.csv_error(&error))?;
        table.header =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(table)
    }

    /// The number of the column called `name`, which must be there.
    pub(super) fn column(&self, name: &str) -> Result<usize, ResponsesError> {
        self.header.iter().position(|column| column == name).ok_or_else(|| {
            let found = format!("the columns {}", self.header.join(", "));
            self.error(Some(name), found, format!("a column {name:?}")).into()
        })
    }

    /// Reads the next line; `None` at the end. A line has a value a column.
    pub(super) fn next_line(&mut self) -> Result<Option<&StringRecord>, ResponsesError> {
        let more = self.reader.read_record(&mut self.record);
        if !more.map_err(|error| self.csv_error(&error))? {
            return Ok(None);
        }
        if self.record.len() != self.header.len() {
            let found = format!("{} values", self.record.len());
            let expected = format!("{}, one a column of the header", self.header.len());
            return Err(self.error(None, found, expected).into());
        }
        Ok(Some(&self.record))
    }

    /// What is wrong with a field of the line that was read last.
    pub(super) fn error(
        &self,
        field: Option<&str>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> RowError {
        RowError {
            file: self.path.clone(),
            line: self.record.position().map_or(1, csv::Position::line),
            field: field.map(str::to_owned),
            found: found.into(),
            expected: expected.into(),
        }
    }

    fn csv_error(&self, error: &csv::Error) -> ResponsesError {
        let line = error.position().map_or(1, csv::Position::line);
        if let csv::ErrorKind::Io(source) = error.kind() {
            let source = std::io::Error::new(source.kind(), source.to_string());
            return DataError::Io { action: "read", path: self.path.clone(), source }.into();
        }
        RowError {
            file: self.path.clone(),
            line,
            field: None,
            found: error.to_string(),
            expected: "comma-separated values in UTF-8".into(),
        }
        .into()
    }
}

/// A score, `None` where it is missing (empty or `NA`); `Err` with what was found.
pub(super) fn score(text: &str) -> Result<Option<f64>, String> {
    match text {
        "" | "NA" | "NaN" | "nan" => Ok(None),
        "true" | "True" | "TRUE" => Ok(Some(1.0)),
        "false" | "False" | "FALSE" => Ok(Some(0.0)),
        _ => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(format!("{text:?}")),
        },
    }
}

pub(super) const SCORE: &str = "a number, or nothing or NA where the score is missing";
