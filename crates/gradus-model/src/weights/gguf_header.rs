//! The header of a GGUF file (versions 2 and 3), read without trust.
//!
//! Magic number, version, counts, metadata, tensors, padding, numbers
//! (ggml's docs/gguf.md). A count is believed only as far as there are bytes for it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::mapped::Mapped;
use super::metadata::{Kind, Metadata, Value};
use super::{Dtype, FoundTensor, TensorInfo, dtype};
use crate::ModelError;

const MAGIC: &[u8; 4] = b"GGUF";
/// As in ggml: `GGML_MAX_DIMS`.
const MOST_DIMENSIONS: u32 = 4;
/// Far beyond any model; what a tensor or key takes in memory is more than in the file.
const MOST_ENTRIES: usize = 1 << 16;
/// Where numbers begin is a multiple of this, if the file says nothing else.
const ALIGNMENT: usize = 32;

pub(super) fn read(file: &Arc<Mapped>) -> Result<(Metadata, Vec<FoundTensor>), ModelError> {
    let mut reader = Reader { file, at: 0 };
    let (metadata, tensors) = reader.metadata()?;
    let mut found = Vec::new();
    for index in 0..tensors {
        found.push(reader.tensor(index)?);
    }
    let alignment = metadata.count("general.alignment")?.unwrap_or(ALIGNMENT);
    if !alignment.is_power_of_two() {
        let reason = format!("found {alignment}, expected a power of two");
        return Err(metadata.malformed("general.alignment", reason));
    }
    let found = place(file, found, reader.at, alignment)?;
    Ok((metadata, found))
}

/// A tensor as the header has it, its offset counted from where numbers begin.
struct Listed {
    name: String,
    info: TensorInfo,
    offset: u64,
}

/// From offsets to ranges of bytes of the file.
fn place(
    file: &Mapped,
    listed: Vec<Listed>,
    header: usize,
    alignment: usize,
) -> Result<Vec<FoundTensor>, ModelError> {
    let length = file.bytes().len();
    let start = header.checked_next_multiple_of(alignment).unwrap_or(usize::MAX);
    let mut found = Vec::with_capacity(listed.len());
    for Listed { name, info, offset } in listed {
        let at = |reason: String| file.malformed(format!("tensor {name}: {reason}"));
        let TensorInfo { dtype, shape } = &info;
        let bytes = dtype.bytes_of(shape).ok_or_else(|| {
            let (numbers, _) = dtype.block();
            at(format!("shape {shape:?} is not one of {dtype}, whose rows are blocks of {numbers}"))
        })?;
        if !offset.is_multiple_of(alignment as u64) {
            return Err(at(format!("offset {offset} is no multiple of {alignment}")));
        }
        let begin = usize::try_from(offset).ok().and_then(|offset| start.checked_add(offset));
        let range = begin
            .and_then(|begin| Some(begin..begin.checked_add(bytes)?))
            .filter(|range| range.end <= length)
            .ok_or_else(|| {
                at(format!(
                    "{bytes} bytes at offset {offset}, but the file has {} bytes of numbers",
                    length.saturating_sub(start)
                ))
            })?;
        found.push(FoundTensor { name, info, bytes: range });
    }
    found.sort_by_key(|tensor| (tensor.bytes.start, tensor.bytes.end));
    for pair in found.windows(2) {
        if pair[1].bytes.start < pair[0].bytes.end {
            let (first, second) = (&pair[0].name, &pair[1].name);
            return Err(file.malformed(format!("tensor {second} overlaps tensor {first}")));
        }
    }
    Ok(found)
}

/// Keys and values alone, for what does not depend on the tensors.
pub(super) fn read_metadata(file: &Arc<Mapped>) -> Result<Metadata, ModelError> {
    Ok(Reader { file, at: 0 }.metadata()?.0)
}

struct Reader<'a> {
    file: &'a Arc<Mapped>,
    at: usize,
}

impl Reader<'_> {
    /// The metadata, and how many tensors follow.
    fn metadata(&mut self) -> Result<(Metadata, usize), ModelError> {
        let magic = self.take(4, "the magic number")?;
        if &self.file.bytes()[magic.clone()] != MAGIC {
            let found = String::from_utf8_lossy(&self.file.bytes()[magic]).into_owned();
            return Err(self.file.malformed(format!("not a GGUF file: it begins with {found:?}")));
        }
        let version = self.u32("the version")?;
        if !(2..=3).contains(&version) {
            // Swapped bytes show in the version first.
            let what = if (2..=3).contains(&version.swap_bytes()) {
                "GGUF written big-endian".to_owned()
            } else {
                format!("GGUF version {version}; 2 and 3 are read")
            };
            return Err(self.file.unsupported(what));
        }
        let tensors = self.count("the number of tensors", 8 + 4 + 4 + 8)?;
        let pairs = self.count("the number of metadata keys", 8 + 4 + 1)?;
        if tensors.max(pairs) > MOST_ENTRIES {
            return Err(self.file.unsupported(format!(
                "{tensors} tensors and {pairs} metadata keys; up to {MOST_ENTRIES} are read"
            )));
        }

        let mut entries = BTreeMap::new();
        for index in 0..pairs {
            let key = self.name(&format!("metadata key {index}"))?;
            let value = self.value(&format!("metadata {key}"))?;
            if entries.insert(key.clone(), value).is_some() {
                return Err(self.file.malformed(format!("metadata {key} is there twice")));
            }
        }
        let metadata = Metadata { file: Arc::clone(self.file), entries };
        Ok((metadata, tensors))
    }

    /// The next bytes, as a range of the file.
    fn take(&mut self, count: u64, what: &str) -> Result<Range<usize>, ModelError> {
        let left = self.file.bytes().len() - self.at;
        let count =
            usize::try_from(count).ok().filter(|&count| count <= left).ok_or_else(|| {
                self.file.malformed(format!(
                    "{what}: {count} bytes at byte {}, where {left} are left",
                    self.at
                ))
            })?;
        let range = self.at..self.at + count;
        self.at = range.end;
        Ok(range)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ModelError> {
        let range = self.take(N as u64, what)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.file.bytes()[range]);
        Ok(bytes)
    }

    fn u32(&mut self, what: &str) -> Result<u32, ModelError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64, ModelError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A number of things of at least `size` bytes each, for which there are bytes.
    fn count(&mut self, what: &str, size: usize) -> Result<usize, ModelError> {
        let count = self.u64(what)?;
        let most = (self.file.bytes().len() - self.at) / size;
        usize::try_from(count).ok().filter(|&count| count <= most).ok_or_else(|| {
            self.file.malformed(format!("{what} is {count}; the file has room for {most}"))
        })
    }

    fn text(&mut self, what: &str) -> Result<Range<usize>, ModelError> {
        let length = self.u64(what)?;
        self.take(length, what)
    }

    fn name(&mut self, what: &str) -> Result<String, ModelError> {
        let range = self.text(what)?;
        let name = std::str::from_utf8(&self.file.bytes()[range])
            .map_err(|error| self.file.malformed(format!("{what} is not UTF-8: {error}")))?;
        Ok(name.to_owned())
    }

    fn kind(&mut self, what: &str) -> Result<Kind, ModelError> {
        let number = self.u32(what)?;
        Kind::of(number).ok_or_else(|| {
            self.file.malformed(format!("{what} has a value of type {number}; 0 to 12 are known"))
        })
    }

    fn value(&mut self, what: &str) -> Result<Value, ModelError> {
        let kind = self.kind(what)?;
        match kind {
            Kind::Text => Ok(Value::Text(self.text(what)?)),
            Kind::Array => {
                let kind = self.kind(what)?;
                if kind == Kind::Array {
                    return Err(self.file.unsupported(format!("{what} is an array of arrays")));
                }
                let count = self.count(what, kind.bytes().unwrap_or(8))?;
                let start = self.at;
                match kind.bytes() {
                    Some(size) => self.at += count * size,
                    None => {
                        for _ in 0..count {
                            self.text(what)?;
                        }
                    }
                }
                Ok(Value::Array { kind, count, bytes: start..self.at })
            }
            _ => {
                let range = self.take(kind.bytes().unwrap_or_default() as u64, what)?;
                kind.single(&self.file.bytes()[range])
                    .ok_or_else(|| self.file.malformed(format!("{what} cannot be read")))
            }
        }
    }

    fn tensor(&mut self, index: usize) -> Result<Listed, ModelError> {
        let name = self.name(&format!("the name of tensor {index}"))?;
        let what = format!("tensor {name}");
        let dimensions = self.u32(&what)?;
        if dimensions > MOST_DIMENSIONS {
            return Err(self.file.malformed(format!(
                "{what} has {dimensions} dimensions, at most {MOST_DIMENSIONS} can be"
            )));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = self.u64(&what)?;
            shape.push(
                usize::try_from(size).map_err(|_| {
                    self.file.malformed(format!("{what} has a dimension of {size}"))
                })?,
            );
        }
        // The file counts from the innermost.
        shape.reverse();
        let dtype = Dtype::of_gguf(self.u32(&what)?).map_err(|name| {
            self.file.unsupported(format!(
                "{what} is quantised as {name}; these types are read: {}",
                dtype::READ
            ))
        })?;
        let offset = self.u64(&what)?;
        Ok(Listed { name, info: TensorInfo { dtype, shape }, offset })
    }
}
