//! Weights as they lie on disk: Hugging Face folders (safetensors, in shards or not) and
//! GGUF files, behind one type that knows tensors by Hugging Face's names.
//!
//! Files are mapped. Headers are read without trust, and nothing is allocated on a
//! number's word: a file that lies is an error that names the file and the tensor.

mod blocks;
mod dtype;
mod gguf_header;
mod gguf_names;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod known_answers;
mod mapped;
mod metadata;
mod safetensors_header;
mod shards;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use self::gguf_names::{Layout, Names};
use self::mapped::Mapped;
use self::shards::Shards;
use crate::{Adapter, LowRank, ModelError};

pub use self::dtype::Dtype;
pub use self::metadata::Metadata;

/// The weights of one model, mapped.
#[derive(Debug)]
pub struct WeightFiles {
    files: Vec<Arc<Mapped>>,
    tensors: BTreeMap<String, Tensor>,
    metadata: Option<Metadata>,
    /// What adapters add, by the name of the tensor.
    added: BTreeMap<String, LowRank>,
}

/// How the numbers of a tensor are stored, and its sizes, outermost first.
///
/// A matrix has shape (outputs, inputs), as in PyTorch, whatever the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TensorInfo {
    /// The type of the numbers.
    pub dtype: Dtype,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
}

/// A tensor of a header.
#[derive(Debug)]
struct FoundTensor {
    name: String,
    info: TensorInfo,
    /// Where in the file.
    bytes: Range<usize>,
}

#[derive(Debug)]
struct Tensor {
    file: usize,
    info: TensorInfo,
    bytes: Range<usize>,
    layout: Layout,
}

impl TensorInfo {
    /// Numbers in a row, which is the innermost dimension; 1 for a single number.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows: the product of all dimensions but the innermost.
    pub fn rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, outer)| outer.iter().product())
    }

    /// Numbers in all.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

impl WeightFiles {
    /// The weights of a Hugging Face folder: `model.safetensors`, or the shards that
    /// `model.safetensors.index.json` lists.
    pub fn open_folder(dir: &Path) -> Result<Self, ModelError> {
        let Some(shards) = Shards::of(dir)? else {
            return Self::open_safetensors(&dir.join(shards::SINGLE));
        };
        let mut opened = Self::empty();
        for name in shards.files() {
            opened.add_safetensors(&dir.join(name))?;
        }
        shards.check(&opened)?;
        Ok(opened)
    }

    /// The weights of one safetensors file.
    pub fn open_safetensors(path: &Path) -> Result<Self, ModelError> {
        let mut opened = Self::empty();
        opened.add_safetensors(path)?;
        Ok(opened)
    }

    fn empty() -> Self {
        Self { files: Vec::new(), tensors: BTreeMap::new(), metadata: None, added: BTreeMap::new() }
    }

    fn add_safetensors(&mut self, path: &Path) -> Result<(), ModelError> {
        let file = Arc::new(Mapped::open(path)?);
        let found = safetensors_header::read(&file)?;
        self.files.push(file);
        for FoundTensor { name, info, bytes } in found {
            self.add(name, info, bytes, Layout::Plain)?;
        }
        Ok(())
    }

    /// The weights of a GGUF file of version 2 or 3, under Hugging Face's names and with
    /// Hugging Face's numbers: rows of queries and keys in the order of the half rotation,
    /// norms without the one that the conversion of some families adds.
    ///
    /// A type of number or an architecture that is not read is refused here by its name.
    pub fn open_gguf(path: &Path) -> Result<Self, ModelError> {
        let file = Arc::new(Mapped::open(path)?);
        let (metadata, found) = gguf_header::read(&file)?;
        let names = Names::of(&metadata)?;
        let files = vec![Arc::clone(&file)];
        let mut opened = Self { files, metadata: Some(metadata), ..Self::empty() };
        for FoundTensor { name, info, bytes } in found {
            let (translated, layout) = names.translate(&name);
            if let Layout::Interleaved { heads } = layout
                && !gguf_names::is_of_heads(&info.shape, heads)
            {
                return Err(file.malformed(format!(
                    "tensor {name}: shape {:?} is not one of {heads} heads of even size",
                    info.shape
                )));
            }
            opened.add(translated, info, bytes, layout)?;
        }
        Ok(opened)
    }

    /// To the file that was opened last.
    fn add(
        &mut self,
        name: String,
        info: TensorInfo,
        bytes: Range<usize>,
        layout: Layout,
    ) -> Result<(), ModelError> {
        let file = self.files.len() - 1;
        match self.tensors.entry(name) {
            Entry::Vacant(place) => {
                place.insert(Tensor { file, info, bytes, layout });
                Ok(())
            }
            Entry::Occupied(there) => {
                let (name, first) = (there.key(), &self.files[there.get().file]);
                let mut reason = format!("tensor {name} is there twice");
                if there.get().file != file {
                    reason.push_str(&format!(", also in {}", first.path().display()));
                }
                Err(self.files[file].malformed(reason))
            }
        }
    }

    /// Adds the changes of an adapter to what is read from now on; the files stay as they are.
    pub fn merge(&mut self, adapter: Adapter) -> Result<(), ModelError> {
        for (module, pair) in adapter.modules {
            let name = format!("{module}.weight");
            self.expect(&name, &[pair.outputs, pair.inputs])?;
            match self.added.entry(name) {
                Entry::Vacant(place) => place.insert(pair),
                Entry::Occupied(there) => {
                    let reason = format!("{} is changed by two adapters", there.key());
                    return Err(ModelError::Config { reason });
                }
            };
        }
        Ok(())
    }

    /// What the file says about itself; none for safetensors.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// Names of all tensors in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Type and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|tensor| &tensor.info)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes().len() as u64).sum()
    }

    /// Type and shape of a tensor that has to be there, with this shape and as weights.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo, ModelError> {
        let path = || self.files.first().map(|file| file.path().to_owned()).unwrap_or_default();
        let tensor = self.tensors.get(name).ok_or_else(|| ModelError::MissingTensor {
            path: path(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
        })?;
        let file = &self.files[tensor.file];
        if tensor.info.shape != shape {
            return Err(ModelError::Shape {
                path: file.path().to_owned(),
                tensor: name.to_owned(),
                found: tensor.info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        if let Dtype::Integer(_) = tensor.info.dtype {
            return Err(file.malformed(format!(
                "tensor {name} is {}, expected floating point",
                tensor.info.dtype
            )));
        }
        Ok(&tensor.info)
    }

    /// All numbers of a tensor, row by row; what was in `out` is gone.
    ///
    /// A number that is not finite is an error with its place.
    pub fn read_f32(&self, name: &str, out: &mut Vec<f32>) -> Result<(), ModelError> {
        let rows = self.info(name).map_or(0, TensorInfo::rows);
        self.read_rows_f32(name, 0..rows, out)
    }

    /// The numbers of some rows of a tensor; what was in `out` is gone.
    ///
    /// # Panics
    ///
    /// Where there are no such rows.
    pub fn read_rows_f32(
        &self,
        name: &str,
        rows: Range<usize>,
        out: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let shape = self.info(name).map_or(&[][..], |info| &info.shape);
        let info = self.expect(name, shape)?;
        let columns = info.columns();
        let tensor = &self.tensors[name];
        let file = &self.files[tensor.file];
        let added = self.added.get(name);
        out.clear();
        out.resize(rows.len() * columns, 0.0);
        for (row, out) in rows.zip(out.chunks_exact_mut(columns.max(1))) {
            blocks::dequantise(info.dtype, self.row_bytes(tensor, row), out);
            match tensor.layout {
                Layout::PlusOne => out.iter_mut().for_each(|number| *number -= 1.0),
                Layout::Interleaved { heads } if info.shape.len() == 1 => {
                    let as_stored = out.to_vec();
                    for (column, number) in out.iter_mut().enumerate() {
                        *number = as_stored[gguf_names::stored_at(column, columns, heads)];
                    }
                }
                Layout::Plain | Layout::Interleaved { .. } => {}
            }
            if let Some(pair) = added {
                pair.add_to(row, out);
            }
            // Summed up, so that the usual case needs no branch a number.
            if !out.iter().map(|number| number * 0.0).sum::<f32>().is_finite() {
                let column = out.iter().position(|number| !number.is_finite()).unwrap_or(0);
                return Err(file.malformed(format!(
                    "tensor {name}: row {row}, column {column} is {}, expected a finite number",
                    out[column]
                )));
            }
        }
        Ok(())
    }

    /// The bytes of a row of the model.
    fn row_bytes(&self, tensor: &Tensor, row: usize) -> &[u8] {
        let bytes = &self.files[tensor.file].bytes()[tensor.bytes.clone()];
        let rows = tensor.info.rows();
        let size = bytes.len() / rows.max(1);
        let row = match tensor.layout {
            Layout::Interleaved { heads } if tensor.info.shape.len() == 2 => {
                gguf_names::stored_at(row, rows, heads)
            }
            _ => row,
        };
        &bytes[row * size..(row + 1) * size]
    }
}
