//! The header of a safetensors file, read without trust.
//!
//! Eight bytes of length, a JSON object of tensors, then the numbers without holes.
//! Everything is checked before a number is read: names once, offsets that cover the
//! rest of the file exactly, sizes that agree with shapes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::mapped::Mapped;
use super::{Dtype, FoundTensor, TensorInfo, dtype};
use crate::ModelError;

/// As the reference implementation has it.
const LONGEST_HEADER: usize = 100_000_000;
/// Beyond any tensor of a model.
const MOST_DIMENSIONS: usize = 8;

pub(super) fn read(file: &Mapped) -> Result<Vec<FoundTensor>, ModelError> {
    let bytes = file.bytes();
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(file.malformed(format!(
            "not a safetensors file: {} bytes, expected at least 8",
            bytes.len()
        )));
    };
    let length = u64::from_le_bytes(*length);
    let room = rest.len().min(LONGEST_HEADER);
    let length =
        usize::try_from(length).ok().filter(|&length| length <= room).ok_or_else(|| {
            file.malformed(format!(
                "not a safetensors file: a header of {length} bytes, at most {room} can be there"
            ))
        })?;
    let (header, data) = rest.split_at(length);
    let Header(entries) = serde_json::from_slice(header)
        .map_err(|error| file.malformed(format!("header of the safetensors file: {error}")))?;
    let start = 8 + length;
    let mut found = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let at = |reason: String| file.malformed(format!("tensor {name}: {reason}"));
        let Some(dtype) = Dtype::of_safetensors(&entry.dtype) else {
            let read = dtype::READ;
            let what = format!("tensor {name} is {}; these types are read: {read}", entry.dtype);
            return Err(file.unsupported(what));
        };
        let Shape(shape) = entry.shape;
        let expected = dtype
            .bytes_of(&shape)
            .ok_or_else(|| at(format!("shape {shape:?} has more numbers than can be counted")))?;
        let [from, to] = entry.data_offsets;
        if from > to || to > data.len() as u64 {
            return Err(at(format!("bytes {from} to {to} of {} bytes of numbers", data.len())));
        }
        let (from, to) = (from as usize, to as usize);
        if to - from != expected {
            return Err(at(format!(
                "{} bytes, expected {expected} for {dtype} of shape {shape:?}",
                to - from
            )));
        }
        let info = TensorInfo { dtype, shape };
        found.push(FoundTensor { name, info, bytes: start + from..start + to });
    }
    check_cover(file, &mut found, start)?;
    Ok(found)
}

/// Tensors lie side by side from the first byte to the last: a hole could hide anything.
fn check_cover(file: &Mapped, found: &mut [FoundTensor], start: usize) -> Result<(), ModelError> {
    found.sort_by_key(|tensor| (tensor.bytes.start, tensor.bytes.end));
    let mut next = start;
    for tensor in found.iter() {
        if tensor.bytes.start != next {
            let what =
                if tensor.bytes.start < next { "overlaps its neighbour" } else { "follows a hole" };
            return Err(file.malformed(format!(
                "tensor {} {what}: it begins at byte {} of the file, expected {next}",
                tensor.name, tensor.bytes.start
            )));
        }
        next = tensor.bytes.end;
    }
    let length = file.bytes().len();
    if next == length {
        return Ok(());
    }
    Err(file.malformed(format!("{} bytes after the last tensor", length - next)))
}

/// Tensors in the order of the header; a name that comes twice is an error.
struct Header(Vec<(String, Entry)>);

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Shape,
    data_offsets: [u64; 2],
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        let entry = map.next_value()?;
                        entries.push((name, entry));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;
        impl<'de> Visitor<'de> for Sizes {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MOST_DIMENSIONS} sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(size) = sizes.next_element()? {
                    if shape.len() == MOST_DIMENSIONS {
                        return Err(serde::de::Error::invalid_length(shape.len() + 1, &self));
                    }
                    shape.push(size);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Sizes)
    }
}
