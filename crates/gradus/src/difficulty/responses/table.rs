//! Comma-separated files and Parquet, with the line (of Parquet the row) of every value.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use csv::{Position, Reader, ReaderBuilder, StringRecord, Terminator, Trim};
use serde_json::Value;

use super::ResponsesError;
use crate::data::{DataError, ParquetRows, RowError, is_parquet, open};

/// A CSV file with a header, or a Parquet file of flat columns.
pub(super) struct Table {
    path: PathBuf,
    source: Source,
    /// Names of the columns.
    pub(super) header: Vec<String>,
    record: StringRecord,
}

enum Source {
    Csv(Box<Reader<Box<dyn BufRead + Send>>>),
    Parquet(Box<ParquetRows>),
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Self, ResponsesError> {
        let (path, record) = (path.to_owned(), StringRecord::new());
        if is_parquet(&path)? {
            let rows = ParquetRows::open(&path)?;
            let header = rows.columns().to_vec();
            return Ok(Self { path, source: Source::Parquet(Box::new(rows)), header, record });
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(true)
            .flexible(true)
            .trim(Trim::All)
            // So that lines are counted right where they end in \r\n; the \r is trimmed.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(open(&path)?);
        let header = reader.headers().cloned().map_err(|error| csv_error(&path, &error))?;
        let header =
            header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(Self { path, source: Source::Csv(Box::new(reader)), header, record })
    }

    /// The number of the column called `name`, which must be there.
    pub(super) fn column(&self, name: &str) -> Result<usize, ResponsesError> {
        let mut places = (0..self.header.len()).filter(|&column| self.header[column] == name);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => {
                Err(self.error(Some(name), "two columns of that name", "one").into())
            }
            (None, _) => {
                let found = format!("the columns {}", self.header.join(", "));
                Err(self.error(Some(name), found, format!("a column {name:?}")).into())
            }
        }
    }

    /// Reads the next line; `None` at the end. A line has a value a column.
    pub(super) fn next_line(&mut self) -> Result<Option<&StringRecord>, ResponsesError> {
        match &mut self.source {
            Source::Csv(reader) => {
                loop {
                    let more = reader.read_record(&mut self.record);
                    if !more.map_err(|error| csv_error(&self.path, &error))? {
                        return Ok(None);
                    }
                    // An empty line that ends in \r\n is no row, as is one that ends in \n.
                    if self.record.len() != 1 || !self.record[0].is_empty() {
                        break;
                    }
                }
            }
            Source::Parquet(rows) => {
                let Some(row) = rows.next_row() else { return Ok(None) };
                let row = row?;
                self.record.clear();
                let mut position = Position::new();
                self.record.set_position(Some(position.set_line(rows.row()).clone()));
                for (name, value) in row {
                    match cell(value) {
                        Ok(text) => self.record.push_field(&text),
                        Err(found) => {
                            return Err(self.error(Some(&name), found, "one value a cell").into());
                        }
                    }
                }
            }
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
            line: self.record.position().map_or(1, Position::line),
            field: field.map(str::to_owned),
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// A value as the text that CSV would have.
fn cell(value: Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text),
        Value::Array(_) => Err("a list".into()),
        Value::Object(_) => Err("a group of columns".into()),
    }
}

fn csv_error(path: &Path, error: &csv::Error) -> ResponsesError {
    let line = error.position().map_or(1, Position::line);
    if let csv::ErrorKind::Io(source) = error.kind() {
        let source = std::io::Error::new(source.kind(), source.to_string());
        return DataError::Io { action: "read", path: path.to_owned(), source }.into();
    }
    RowError {
        file: path.to_owned(),
        line,
        field: None,
        found: error.to_string(),
        expected: "comma-separated values in UTF-8".into(),
    }
    .into()
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

#[cfg(all(test, feature = "parquet"))]
mod tests {
    use super::super::{ALL, Reading, recognise};

    /// Files of pyarrow (see make.py beside them): a scores table and a matrix.
    #[test]
    fn parquet_is_read_as_the_same_table_in_csv() {
        let fixtures =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parquet");
        let folder = tempfile::tempdir().unwrap();
        for (name, form, csv) in [
            ("long", "long", "respondent,item,score\nm,1,1\nm,2,\nm,3,NaN\nk,2,0.5\n"),
            ("wide", "wide", "respondent,q1,q2,q3\na,1,true,1\nb,0,false,0\nc,,true,1\n"),
        ] {
            let path = folder.path().join("r.csv");
            std::fs::write(&path, csv).unwrap();
            let parquet = fixtures.join(name).with_extension("parquet");
            let found = recognise(&parquet).unwrap();
            assert_eq!(found.name, form);
            let form = ALL.iter().find(|known| known.name == form).unwrap();
            let read = |path| (form.read)(path, &Reading::default()).unwrap();
            assert_eq!(read(&parquet), read(&path));
        }
    }
}
