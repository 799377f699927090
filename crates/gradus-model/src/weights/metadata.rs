//! What a GGUF file says about itself: keys with typed values.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::gguf_header;
use super::mapped::Mapped;
use crate::ModelError;

/// The keys and values of a GGUF file.
///
/// A getter gives none where the key is not there, and an error where its value has
/// another type. Texts and arrays stay in the mapped file until they are asked for.
#[derive(Clone, Debug)]
pub struct Metadata {
    pub(super) file: Arc<Mapped>,
    pub(super) entries: BTreeMap<String, Value>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Integer(i128),
    Real(f64),
    Flag(bool),
    Text(Range<usize>),
    Array { kind: Kind, count: usize, bytes: Range<usize> },
}

/// The types of single values, by the number that files give them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Flag = 7,
    Text = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl Kind {
    pub(super) fn of(number: u32) -> Option<Self> {
        use Kind::{Array, F32, F64, Flag, I8, I16, I32, I64, Text, U8, U16, U32, U64};
        let all = [U8, I8, U16, I16, U32, I32, F32, Flag, Text, Array, U64, I64, F64];
        all.into_iter().find(|&kind| kind as u32 == number)
    }

    /// Bytes of a value; none where they vary.
    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Flag => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::Array => None,
        }
    }

    /// A number or truth value of this type; none for others, or where there are too few bytes.
    pub(super) fn single(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Self::U8 => Value::Integer((*bytes.first()?).into()),
            Self::I8 => Value::Integer(bytes.first()?.cast_signed().into()),
            Self::U16 => Value::Integer(u16::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::I16 => Value::Integer(i16::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::U32 => Value::Integer(u32::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::I32 => Value::Integer(i32::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::U64 => Value::Integer(u64::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::I64 => Value::Integer(i64::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::F32 => Value::Real(f32::from_le_bytes(*bytes.first_chunk()?).into()),
            Self::F64 => Value::Real(f64::from_le_bytes(*bytes.first_chunk()?)),
            Self::Flag => Value::Flag(*bytes.first()? != 0),
            Self::Text | Self::Array => return None,
        })
    }
}

impl Metadata {
    /// The keys and values of a GGUF file, whatever its tensors are.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        gguf_header::read_metadata(&Arc::new(Mapped::open(path)?))
    }

    /// The keys in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(Value::Text(range)) => self.utf8(key, range.clone()).map(Some),
            Some(other) => Err(self.other(key, other, "a text")),
        }
    }

    /// A whole number, not negative.
    pub fn count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(value) => match value {
                Value::Integer(number) => usize::try_from(*number).ok(),
                _ => None,
            }
            .map(Some)
            .ok_or_else(|| self.other(key, value, "a whole number, not negative")),
        }
    }

    /// A number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(Value::Real(number)) => Ok(Some(*number)),
            Some(other) => Err(self.other(key, other, "a number")),
        }
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.other(key, other, "a truth value")),
        }
    }

    /// An array of texts.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, ModelError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let Value::Array { kind: Kind::Text, count, bytes } = value else {
            return Err(self.other(key, value, "an array of texts"));
        };
        // The reader of the header walked over the same lengths.
        let mut at = bytes.start;
        let mut texts = Vec::with_capacity(*count);
        while at < bytes.end {
            let length =
                self.file.bytes()[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
            let end = at + 8 + length as usize;
            texts.push(self.utf8(key, at + 8..end)?);
            at = end;
        }
        Ok(Some(texts))
    }

    /// An array of numbers as 64-bit floating point.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, ModelError> {
        self.array(key, "an array of numbers", |value| match value {
            Value::Integer(number) => Some(number as f64),
            Value::Real(number) => Some(number),
            _ => None,
        })
    }

    /// An array of whole numbers.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, ModelError> {
        self.array(key, "an array of whole numbers", |value| match value {
            Value::Integer(number) => i64::try_from(number).ok(),
            Value::Flag(flag) => Some(flag.into()),
            _ => None,
        })
    }

    /// What a getter found, or an error that the key is missing:
    /// `metadata.required("general.architecture", Metadata::text)`.
    pub fn required<'a, T>(
        &'a self,
        key: &str,
        get: impl FnOnce(&'a Self, &str) -> Result<Option<T>, ModelError>,
    ) -> Result<T, ModelError> {
        get(self, key)?.ok_or_else(|| self.file.malformed(format!("metadata {key} is missing")))
    }

    /// An error about the value of a key.
    pub fn malformed(&self, key: &str, reason: impl std::fmt::Display) -> ModelError {
        self.file.malformed(format!("metadata {key}: {reason}"))
    }

    fn array<T>(
        &self,
        key: &str,
        expected: &str,
        get: impl Fn(Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ModelError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let Value::Array { kind, bytes, .. } = value else {
            return Err(self.other(key, value, expected));
        };
        let bytes = &self.file.bytes()[bytes.clone()];
        let items = kind.bytes().map(|size| {
            bytes.chunks_exact(size).map(|bytes| kind.single(bytes).and_then(&get)).collect()
        });
        items.flatten().map(Some).ok_or_else(|| self.other(key, value, expected))
    }

    fn utf8(&self, key: &str, range: Range<usize>) -> Result<&str, ModelError> {
        let bytes = &self.file.bytes()[range];
        std::str::from_utf8(bytes).map_err(|error| {
            self.malformed(
                key,
                format!("{:?} is not UTF-8: {error}", String::from_utf8_lossy(bytes)),
            )
        })
    }

    fn other(&self, key: &str, found: &Value, expected: &str) -> ModelError {
        let found = match found {
            Value::Integer(number) => format!("the number {number}"),
            Value::Real(number) => format!("the number {number}"),
            Value::Flag(flag) => flag.to_string(),
            Value::Text(_) => "a text".to_owned(),
            Value::Array { kind, count, .. } => format!("an array of {count} {kind:?}"),
        };
        self.malformed(key, format!("found {found}, expected {expected}"))
    }
}
