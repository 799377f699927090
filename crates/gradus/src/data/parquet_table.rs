//! A table that becomes a Parquet file: one flat column a field, compressed with Snappy.
//!
//! Types are those of the values: truth values, whole numbers (64 bits), numbers (64 bits) or
//! text; every column may be null. Equal rows give equal bytes.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::Type;
use serde_json::Value;

use super::{DataError, RowError};

/// Rows of a group: readers hold a group's column at a time.
const GROUP: usize = 100_000;

/// All rows, column by column.
#[derive(Debug)]
pub(crate) struct ParquetTable {
    file: PathBuf,
    rows: usize,
    columns: Vec<(String, Column)>,
}

/// The values of a column, `None` where a row has none; shorter than the table where its last
/// rows have none.
#[derive(Debug)]
enum Column {
    /// Nothing but nulls, so many.
    Nulls(usize),
    Truths(Vec<Option<bool>>),
    Wholes(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
}

impl ParquetTable {
    /// An empty table; the path is for messages.
    #[expect(clippy::unnecessary_wraps, reason = "without the feature this is where it fails")]
    pub(crate) fn new(path: &Path) -> Result<Self, DataError> {
        Ok(Self { file: path.to_owned(), rows: 0, columns: Vec::new() })
    }

    /// Adds a row of columns and values; a column that a row lacks is null there.
    pub(crate) fn push(&mut self, row: Vec<(String, Value)>) -> Result<(), DataError> {
        for (name, value) in row {
            let place = self.columns.iter().position(|(column, _)| *column == name);
            let place = place.unwrap_or_else(|| {
                self.columns.push((name, Column::Nulls(0)));
                self.columns.len() - 1
            });
            let (name, column) = &mut self.columns[place];
            if let Err(found) = column.push(self.rows, value) {
                return Err(DataError::Row(RowError {
                    file: self.file.clone(),
                    line: self.rows as u64 + 1,
                    field: Some(name.clone()),
                    found,
                    expected: "one kind of value a column; write JSON Lines instead".into(),
                }));
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes the file.
    pub(crate) fn write(mut self, file: &mut BufWriter<File>) -> Result<(), DataError> {
        let written = self.write_groups(file);
        written.map_err(|error| DataError::io("write", &self.file)(std::io::Error::other(error)))
    }

    fn write_groups(&mut self, file: &mut BufWriter<File>) -> Result<(), ParquetError> {
        for (_, column) in &mut self.columns {
            column.fill(self.rows);
        }
        let fields = self.columns.iter().map(|(name, column)| {
            let (physical, logical) = column.kind();
            let field = Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical);
            field.build().map(Arc::new)
        });
        let fields = fields.collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut writer = SerializedFileWriter::new(file, schema.into(), properties.into())?;
        for from in (0..self.rows).step_by(GROUP) {
            let range = from..self.rows.min(from + GROUP);
            let mut group = writer.next_row_group()?;
            for (_, column) in &self.columns {
                let group = &mut group;
                let of = range.clone();
                match column {
                    Column::Nulls(_) => {
                        let none: Vec<Option<()>> = vec![None; of.len()];
                        write::<ByteArrayType, _>(group, &none, |()| ByteArray::new())
                    }
                    Column::Truths(values) => write::<BoolType, _>(group, &values[of], |v| *v),
                    Column::Wholes(values) => write::<Int64Type, _>(group, &values[of], |v| *v),
                    Column::Numbers(values) => write::<DoubleType, _>(group, &values[of], |v| *v),
                    Column::Texts(values) => {
                        write::<ByteArrayType, _>(group, &values[of], |text| text.as_str().into())
                    }
                }?;
            }
            group.close()?;
        }
        writer.close().map(drop)
    }
}

/// Writes a column of a row group.
fn write<T: DataType, V>(
    group: &mut SerializedRowGroupWriter<'_, &mut BufWriter<File>>,
    values: &[Option<V>],
    convert: impl Fn(&V) -> T::T,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| value.is_some().into()).collect();
    let values: Vec<T::T> = values.iter().flatten().map(convert).collect();
    let column = group.next_column()?;
    let mut column =
        column.ok_or_else(|| ParquetError::General("a column without a place".into()))?;
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

impl Column {
    fn kind(&self) -> (Physical, Option<LogicalType>) {
        match self {
            Self::Truths(_) => (Physical::BOOLEAN, None),
            Self::Wholes(_) => (Physical::INT64, None),
            Self::Numbers(_) => (Physical::DOUBLE, None),
            Self::Nulls(_) | Self::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        }
    }

    /// Makes the column so long, with nulls.
    fn fill(&mut self, rows: usize) {
        match self {
            Self::Nulls(count) => *count = rows,
            Self::Truths(values) => values.resize(rows, None),
            Self::Wholes(values) => values.resize(rows, None),
            Self::Numbers(values) => values.resize(rows, None),
            Self::Texts(values) => values.resize(rows, None),
        }
    }

    /// Puts a value into a row; the error is what was found.
    fn push(&mut self, row: usize, value: Value) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        self.fill(row);
        if let Self::Nulls(count) = *self {
            *self = match &value {
                Value::Bool(_) => Self::Truths(vec![None; count]),
                Value::Number(number) if number.is_i64() => Self::Wholes(vec![None; count]),
                Value::Number(_) => Self::Numbers(vec![None; count]),
                _ => Self::Texts(vec![None; count]),
            };
        }
        if let (Self::Wholes(values), Value::Number(number)) = (&mut *self, &value)
            && !number.is_i64()
        {
            let numbers = values.iter().map(|value| value.map(|number| number as f64));
            *self = Self::Numbers(numbers.collect());
        }
        match (&mut *self, value) {
            (Self::Truths(values), Value::Bool(truth)) => values.push(Some(truth)),
            (Self::Wholes(values), Value::Number(number)) => values.push(number.as_i64()),
            (Self::Numbers(values), Value::Number(number)) => values.push(number.as_f64()),
            (Self::Texts(values), Value::String(text)) => values.push(Some(text)),
            (_, Value::Array(_)) => return Err("a list".into()),
            (_, Value::Object(_)) => return Err("an object".into()),
            (column, other) => {
                let kind = match column {
                    Self::Truths(_) => "truth values",
                    Self::Wholes(_) | Self::Numbers(_) => "numbers",
                    Self::Nulls(_) | Self::Texts(_) => "text",
                };
                return Err(format!("{other} in a column of {kind}"));
            }
        }
        Ok(())
    }
}
