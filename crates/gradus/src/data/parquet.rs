//! Rows of a Parquet file, as the same fields as those of a JSON object.
//!
//! What the crate `parquet` panics on when a file is damaged or hostile becomes an error:
//! the schema is looked at before its reader sees it, and the reader runs inside
//! `catch_unwind`.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::parquet::basic::{ConvertedType, Repetition};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::Field;
use ::parquet::record::reader::RowIter;
use ::parquet::schema::types::Type;
use serde_json::{Number, Value};

use super::{DataError, FieldError, PARQUET, RowError};

/// Deeper columns are refused: the reader goes down into them by recursion.
const DEEPEST: usize = 16;
const EXPECTED: &str = "a Parquet file that is whole";

/// The rows of a Parquet file, one by one; memory holds a page of each column.
pub(crate) struct ParquetRows {
    file: PathBuf,
    columns: Vec<String>,
    rows: Option<RowIter<'static>>,
    row: u64,
    bytes: usize,
}

impl ParquetRows {
    /// Opens a file whose first bytes said that it is Parquet.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let fault = |found: String| RowError {
            file: path.to_owned(),
            line: 1,
            field: None,
            found,
            expected: EXPECTED.into(),
        };
        if path.as_os_str() == "-" {
            return Err(DataError::Row(RowError {
                file: "standard input".into(),
                line: 1,
                field: None,
                found: "a Parquet file".into(),
                expected: "rows as text; give a Parquet file by its path".into(),
            }));
        }
        let mut file = File::open(path).map_err(DataError::io("open", path))?;
        let mut magic = Vec::new();
        file.by_ref()
            .take(4)
            .read_to_end(&mut magic)
            .and_then(|_| file.rewind())
            .map_err(DataError::io("read", path))?;
        if magic != PARQUET {
            return Err(fault("a Parquet file that is packed once more".into()).into());
        }
        let opened = guarded(|| {
            let reader = SerializedFileReader::new(file)?;
            let root = reader.metadata().file_metadata().schema_descr().root_schema();
            let columns = root.get_fields().iter().map(|field| field.name().to_owned()).collect();
            let wrong = if root.get_fields().is_empty() {
                Some("no column".to_owned())
            } else {
                root.get_fields().iter().find_map(|field| unreadable(field, 0))
            };
            Ok((columns, wrong, RowIter::from_file_into(Box::new(reader))))
        });
        let (columns, wrong, rows): (Vec<String>, _, _) = opened.map_err(fault)?;
        if let Some(found) = wrong {
            return Err(fault(found).into());
        }
        if let Some(twice) = (1..columns.len()).find(|&at| columns[..at].contains(&columns[at])) {
            let field = Some(columns[twice].clone());
            let (found, expected) = ("it twice".into(), "each column once".into());
            let file = path.to_owned();
            return Err(RowError { file, line: 1, field, found, expected }.into());
        }
        Ok(Self { file: path.to_owned(), columns, rows: Some(rows), row: 0, bytes: 0 })
    }

    /// Names of the columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The row that was read last, from 1.
    pub(crate) fn row(&self) -> u64 {
        self.row
    }

    /// Roughly the length of that row in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Columns and values of the next row. After an error of the file there is no row more,
    /// after that of a value there is.
    pub(crate) fn next_row(&mut self) -> Option<Result<Vec<(String, Value)>, DataError>> {
        let rows = self.rows.as_mut()?;
        let next = guarded(|| rows.next().transpose());
        if !matches!(next, Ok(Some(_))) {
            self.rows = None;
        }
        let record = match next {
            Ok(record) => record?,
            Err(found) => {
                self.row += 1;
                return Some(Err(self.error(None, found, EXPECTED.into()).into()));
            }
        };
        self.row += 1;
        self.bytes = record.get_column_iter().map(|(_, field)| size(field)).sum();
        let values = record.into_columns().into_iter().map(|(name, field)| match value(field) {
            Ok(value) => Ok((name, value)),
            Err(FieldError { found, expected, .. }) => {
                Err(self.error(Some(name), found, expected).into())
            }
        });
        Some(values.collect())
    }

    fn error(&self, field: Option<String>, found: String, expected: String) -> RowError {
        RowError { file: self.file.clone(), line: self.row, field, found, expected }
    }
}

/// What the reader of a damaged file said, be it an error or a panic.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| {
            let said = error.to_string();
            said.split_once(": ").map_or(said.clone(), |(_, said)| said.to_owned())
        }),
        Err(_) => Err("columns that contradict each other".into()),
    }
}

/// What about a column the reader would panic on.
fn unreadable(field: &Type, depth: usize) -> Option<String> {
    let name = field.name();
    if depth > DEEPEST {
        return Some(format!("a column nested more than {DEEPEST} deep"));
    }
    if !field.get_basic_info().has_repetition() {
        return Some(format!("a column {name:?} that may or may not repeat"));
    }
    if field.is_primitive() {
        return None;
    }
    let inner = field.get_fields();
    let repeated = |inner: &Type| {
        inner.get_basic_info().has_repetition()
            && inner.get_basic_info().repetition() == Repetition::REPEATED
    };
    let sound = match field.get_basic_info().converted_type() {
        ConvertedType::LIST => {
            inner.len() == 1
                && repeated(&inner[0])
                && (inner[0].is_primitive() || !inner[0].get_fields().is_empty())
        }
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => {
            inner.len() == 1
                && !inner[0].is_primitive()
                && repeated(&inner[0])
                && (1..=2).contains(&inner[0].get_fields().len())
        }
        _ => true,
    };
    if !sound {
        return Some(format!("a column {name:?} that is no list and no map"));
    }
    inner.iter().find_map(|field| unreadable(field, depth + 1))
}

fn size(field: &Field) -> usize {
    match field {
        Field::Str(text) => text.len(),
        Field::Bytes(bytes) => bytes.len(),
        Field::Group(record) => record.get_column_iter().map(|(_, field)| size(field)).sum(),
        Field::ListInternal(list) => list.elements().iter().map(size).sum(),
        Field::MapInternal(map) => {
            map.entries().iter().map(|(key, value)| size(key) + size(value)).sum()
        }
        _ => 8,
    }
}

/// A cell as JSON has it. What is no number becomes the word that Python writes, so that
/// whoever wants a number says so; dates and decimals become their text.
fn value(field: Field) -> Result<Value, FieldError> {
    let float = |number: f64| match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None => (if number > 0.0 { "Infinity" } else { "-Infinity" }).into(),
    };
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => truth.into(),
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => number.into(),
        Field::Float16(number) => float(number.to_f64()),
        Field::Float(number) => float(number.into()),
        Field::Double(number) => float(number),
        Field::Decimal(_) => {
            let text = field.to_string();
            text.parse::<f64>().map_or(Value::String(text), float)
        }
        Field::Str(text) => text.into(),
        Field::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes.data()).map_err(|_| {
                let found = format!("{} bytes that are no text", bytes.len());
                FieldError::new("", found, "text, numbers or truth values")
            })?;
            text.into()
        }
        Field::Group(record) => Value::Object(
            record
                .into_columns()
                .into_iter()
                .map(|(name, field)| Ok((name, value(field)?)))
                .collect::<Result<_, _>>()?,
        ),
        Field::ListInternal(list) => {
            list.elements().iter().cloned().map(value).collect::<Result<_, _>>()?
        }
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, field)| {
                let key = match value(key.clone())? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Ok((key, value(field.clone())?))
            });
            Value::Object(entries.collect::<Result<_, _>>()?)
        }
        date @ (Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_)) => date.to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde::Serialize;

    use super::super::{Metadata, Problem, Writer, read, read_all, read_table};
    use super::*;

    /// By `DuckDB`, Zstandard (see make.py beside the file).
    const PROBLEMS: &[u8] = include_bytes!("../../tests/fixtures/parquet/problems.parquet");
    /// By pyarrow, Snappy.
    const LONG: &[u8] = include_bytes!("../../tests/fixtures/parquet/long.parquet");

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn rows_of_another_program_are_nouns_like_those_of_json_lines() {
        let (_folder, path) = file(PROBLEMS);
        let found: Vec<Problem> = read_all(&path).unwrap();
        let expected = Problem {
            id: "a".into(),
            question: "1 + 1".into(),
            answer: Some("2".into()),
            choices: vec!["1".into(), "2".into()],
            level: Some(3),
            metadata: Metadata::from_iter([
                ("source".into(), "x".into()),
                ("year".into(), 2024.into()),
            ]),
            ..Problem::default()
        };
        assert_eq!(found[0], expected);
        assert_eq!((found[1].answer.clone(), found[1].level), (None, None));
        let rows: Vec<Problem> = read_table(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows, found);
    }

    #[test]
    fn a_wrong_value_is_named_by_row_and_column() {
        let (_folder, path) = file(LONG);
        let mut rows = read::<Problem>(&path).unwrap();
        let said = rows.next().unwrap().unwrap_err().to_string();
        assert!(
            said.ends_with("rows:1: id: found nothing, expected a string or a number"),
            "{said}"
        );
        assert_eq!((rows.count(), ParquetRows::open(&path).unwrap().columns().len()), (3, 3));
        let mut rows = ParquetRows::open(&path).unwrap();
        let values: Vec<Value> =
            std::iter::from_fn(|| rows.next_row()).map(|row| row.unwrap()[2].1.clone()).collect();
        assert_eq!(values, [1.0.into(), Value::Null, "NaN".into(), 0.5.into()]);
    }

    #[test]
    fn what_is_cut_packed_or_on_standard_input_is_a_sentence() {
        let check = |path: &Path, expected: &str| {
            let said = read::<Problem>(path).map(|_| ()).unwrap_err().to_string();
            assert!(said.ends_with(expected), "{said}");
        };
        let (_folder, path) = file(&LONG[..LONG.len() - 1]);
        check(&path, "expected a Parquet file that is whole");
        let (_folder, path) = file(b"PAR1");
        check(&path, "expected a Parquet file that is whole");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(LONG).unwrap();
        let (_folder, path) = file(&packed.finish().unwrap());
        check(
            &path,
            "rows:1: found a Parquet file that is packed once more, expected a Parquet file that is whole",
        );
        let said = ParquetRows::open(Path::new("-")).map(drop).unwrap_err().to_string();
        assert!(said.ends_with("give a Parquet file by its path"), "{said}");
    }

    #[test]
    fn no_damage_makes_the_reader_panic() {
        for whole in [PROBLEMS, LONG] {
            for at in (0..whole.len()).step_by(2) {
                for value in [0x01, 0xff] {
                    let mut damaged = whole.to_vec();
                    damaged[at] = value;
                    let (_folder, path) = file(&damaged);
                    if let Ok(mut rows) = ParquetRows::open(&path) {
                        let mut read = 0;
                        while read < 100 && rows.next_row().is_some() {
                            read += 1;
                        }
                    }
                }
            }
        }
    }

    #[derive(Serialize)]
    struct Line {
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
        count: i64,
        right: bool,
        nothing: Option<u8>,
    }

    #[test]
    fn what_is_written_is_read_back_in_the_order_of_the_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        let mut writer = Writer::create(&path).unwrap();
        let line = |name, value, count| Line { name, value, count, right: true, nothing: None };
        let lines = [line("a", None, 1), line("é", Some(0.1), -2), line("", None, i64::MAX)];
        for line in &lines {
            writer.write(line).unwrap();
        }
        assert!(!path.exists());
        writer.finish().unwrap();
        let mut rows = ParquetRows::open(&path).unwrap();
        // A column is where it first has a place.
        assert_eq!(rows.columns(), ["name", "count", "right", "nothing", "value"]);
        for line in &lines {
            let row = rows.next_row().unwrap().unwrap();
            let values: Vec<Value> = row.into_iter().map(|(_, value)| value).collect();
            let expected = serde_json::json!([line.name, line.count, true, null, line.value]);
            assert_eq!(Value::from(values), expected);
        }
        assert!(rows.next_row().is_none());
        let mut writer = Writer::create(&path).unwrap();
        let list = serde_json::json!({"steps": [1]});
        let said = writer.write(&list).unwrap_err().to_string();
        assert!(said.ends_with("t.parquet:1: steps: found a list, expected one kind of value a column; write JSON Lines instead"), "{said}");
    }
}
