use std::io::BufRead;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Terminator};

use super::jsonl::{Rows, next_parquet, shown};
use super::{DataError, FieldError, Fields, PARQUET, ParquetRows, Row, RowError, compressed};

/// Reads rows one by one, in constant memory, from JSON Lines, from Parquet (with the
/// feature `parquet`) or from a comma-separated table (RFC 4180) whose first line names the
/// columns; what the file is show its first bytes. Compression and `-` are as for [`super::read`].
///
/// An empty cell is absent. Columns that the row has no name for are an error of
/// the row unless it keeps or ignores them, as in JSON Lines.
pub fn read_table<R: Row>(path: impl AsRef<Path>) -> Result<TableRows<R>, DataError> {
    let path = path.as_ref();
    let mut lines = compressed::open(path)?;
    let file = shown(path);
    let head = lines.fill_buf().map_err(DataError::io("read", path))?;
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let source = if head.starts_with(PARQUET) {
        Source::Parquet(Box::new(ParquetRows::open(path)?))
    } else if first.is_none_or(|&byte| byte == b'{') {
        Source::JsonLines(Rows::new(file.clone(), lines))
    } else {
        let mut table = ReaderBuilder::new()
            .flexible(true)
            // So that lines are counted right where they end in \r\n.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(lines);
        let header = table.headers().cloned().map_err(|error| wrong(&file, 1, error))?;
        let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            let error = FieldError::new(&names[twice], "it twice", "each column once");
            return Err(row_error(&file, 1, error).into());
        }
        Source::Cells { table: Box::new(table), names, record: StringRecord::new(), line: 1 }
    };
    Ok(TableRows { file, source, noun: PhantomData })
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The rows of a table or of a file of JSON Lines. A wrong row does not end them.
pub struct TableRows<R> {
    file: PathBuf,
    source: Source<R>,
    noun: PhantomData<fn() -> R>,
}

enum Source<R> {
    JsonLines(Rows<R>),
    Parquet(Box<ParquetRows>),
    Cells {
        table: Box<csv::Reader<Box<dyn BufRead + Send>>>,
        names: Vec<String>,
        record: StringRecord,
        line: u64,
    },
}

impl<R> TableRows<R> {
    /// The line at which the row read last begins, from 1; of Parquet the row.
    pub fn line(&self) -> u64 {
        match &self.source {
            Source::JsonLines(rows) => rows.line(),
            Source::Parquet(rows) => rows.row(),
            Source::Cells { line, .. } => *line,
        }
    }

    /// What is wrong with the row read last, with its file and line: for what only
    /// the rows before it can tell.
    pub fn error(&self, error: FieldError) -> RowError {
        row_error(&self.file, self.line(), error)
    }
}

impl<R: Row> Iterator for TableRows<R> {
    type Item = Result<R, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (table, names, record, line) = match &mut self.source {
            Source::JsonLines(rows) => return rows.next(),
            Source::Parquet(rows) => return next_parquet(rows, &self.file),
            Source::Cells { table, names, record, line } => (table, names, record, line),
        };
        let read = loop {
            let read = table.read_record(record);
            let is_empty = record.len() == 1 && &record[0] == "\r";
            if !(matches!(read, Ok(true)) && is_empty) {
                break read;
            }
        };
        match read {
            Ok(false) => return None,
            Ok(true) => *line = record.position().map_or(*line, csv::Position::line),
            Err(error) => {
                *line = error.position().map_or(*line, csv::Position::line);
                return Some(Err(wrong(&self.file, *line, error)));
            }
        }
        Some(row(names, record).map_err(|error| row_error(&self.file, *line, error).into()))
    }
}

fn row<R: Row>(names: &[String], record: &StringRecord) -> Result<R, FieldError> {
    if record.len() != names.len() {
        let found = format!("{} cells", record.len());
        let expected = format!("{}, as in the first line", names.len());
        return Err(FieldError::new("the line", found, expected));
    }
    let last = record.len() - 1;
    let cells = record.iter().enumerate().map(|(place, cell)| match cell.strip_suffix('\r') {
        Some(cell) if place == last => cell,
        _ => cell,
    });
    let mut fields = Fields::of_cells(names.iter().map(String::as_str).zip(cells));
    let row = R::from_fields(&mut fields)?;
    match fields.names().next() {
        None => Ok(row),
        Some(name) => Err(FieldError::new(name, "it", format!("no such column for a {}", R::NOUN))),
    }
}

fn row_error(file: &Path, line: u64, error: FieldError) -> RowError {
    let FieldError { field, found, expected } = error;
    RowError { file: file.to_owned(), line, field: Some(field), found, expected }
}

fn wrong(file: &Path, line: u64, error: csv::Error) -> DataError {
    match error.into_kind() {
        ErrorKind::Io(source) => DataError::Io { action: "read", path: file.to_owned(), source },
        ErrorKind::Utf8 { err, .. } => {
            let found = format!("bytes that are not UTF-8 in cell {}", err.field() + 1);
            row_error(file, line, FieldError::new("the line", found, "UTF-8")).into()
        }
        other => {
            let found = format!("{other:?}");
            row_error(file, line, FieldError::new("the line", found, "cells")).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Metadata, Problem, StepScores};
    use super::*;

    fn read<R: Row>(contents: impl AsRef<[u8]>) -> Result<Vec<Result<R, String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, contents).unwrap();
        let short = |error: DataError| error.to_string().split("rows:").last().unwrap().to_owned();
        let rows = read_table(&path).map_err(short)?;
        Ok(rows.map(|row| row.map_err(short)).collect())
    }

    #[test]
    fn a_table_and_json_lines_read_the_same() {
        let table = "\u{feff}id,question,level,answer\r\n07,\"a, \"\"b\"\"\nc\",3,\r\n8,d,,1.50\n";
        let lines = "\u{feff}{\"id\": \"07\", \"question\": \"a, \\\"b\\\"\\nc\", \"level\": 3}\n\
                     {\"id\": 8, \"question\": \"d\", \"answer\": \"1.50\"}";
        let rows: Vec<Problem> =
            read(table).unwrap().into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, read(lines).unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>());
        assert_eq!(rows[0].metadata, Metadata::new());
        assert!(read::<Problem>("").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_row_is_named_and_the_next_one_is_read() {
        let rows = read::<Problem>("id,question,level\na,b,x\n\"c\nc\",d\ne,f,2\n,g,1\n").unwrap();
        let errors: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
        assert_eq!(
            errors,
            [
                "2: level: found \"x\", expected a whole number from 0 to 4294967295",
                "3: the line: found 2 cells, expected 3, as in the first line",
                "6: id: found nothing, expected a string or a number",
            ]
        );
        assert_eq!(rows[2].as_ref().unwrap().id, "e");
    }

    #[test]
    fn lines_that_end_in_windows_style_are_counted_right() {
        let rows = read::<Problem>("id,question,level\r\na,b,1\r\n\r\nc,d,x\r\n").unwrap();
        assert_eq!(rows[0].as_ref().unwrap().level, Some(1));
        assert!(rows[1].as_ref().unwrap_err().starts_with("4: level: found \"x\""), "{rows:?}");
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn columns_twice_and_bytes_that_are_no_text_are_errors() {
        assert_eq!(
            read::<Problem>("id,id\n").unwrap_err(),
            "1: id: found it twice, expected each column once"
        );
        let rows = read::<Problem>(b"id,question\na,\xff\n").unwrap();
        assert!(rows[0].as_ref().unwrap_err().starts_with("2: the line: found bytes"));
    }

    #[test]
    fn a_list_does_not_fit_into_a_cell() {
        let rows = read::<StepScores>("problem,sample,scores\na,0,0.5\n").unwrap();
        assert!(rows[0].as_ref().unwrap_err().starts_with("2: scores: found"), "{rows:?}");
    }
}
