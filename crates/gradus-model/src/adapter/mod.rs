//! Low-rank adapters in the form of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! E. J. Hu et al. (2021), "`LoRA`: Low-Rank Adaptation of Large Language Models", equation 3:
//! a weight `W` of shape (outputs, inputs) becomes `W + scale * B A` with `A` of shape
//! (rank, inputs), `B` of shape (outputs, rank) and `scale = alpha / rank`, over the square
//! root of the rank for rank-stabilised adapters (D. Kalajdzievski 2023, arXiv 2312.03732).

mod config;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gradus::run::{RunError, write_file};
use safetensors::tensor::{Dtype, TensorView};

use self::config::AdapterConfig;
use crate::{ModelError, WeightFiles};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// Before the name of a module in the names of tensors.
const PREFIX: &str = "base_model.model.";

/// A low-rank adapter of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adapter {
    /// The model that it was trained on, as its trainer called it.
    pub base: Option<String>,
    /// The pairs of matrices, by the name of the module whose weight they change:
    /// `model.layers.0.self_attn.q_proj`.
    pub modules: BTreeMap<String, LowRank>,
}

/// The change of one weight: `scale * B A`.
#[derive(Clone, Debug, PartialEq)]
pub struct LowRank {
    /// Inputs of the module.
    pub inputs: usize,
    /// Outputs of the module.
    pub outputs: usize,
    /// Rows of `a`, columns of `b`.
    pub rank: usize,
    /// Shape (rank, inputs), row by row.
    pub a: Vec<f32>,
    /// Shape (outputs, rank), row by row.
    pub b: Vec<f32>,
    /// What the product is multiplied by.
    pub scale: f32,
}

impl LowRank {
    /// Adds the change to some rows of the weight: `weight` has the rows from `first` on,
    /// each of `inputs` numbers.
    pub fn add_to(&self, first: usize, weight: &mut [f32]) {
        for (index, row) in weight.chunks_exact_mut(self.inputs).enumerate() {
            let row_of_b = &self.b[(first + index) * self.rank..][..self.rank];
            for (b, row_of_a) in row_of_b.iter().zip(self.a.chunks_exact(self.inputs)) {
                let factor = self.scale * b;
                for (weight, a) in row.iter_mut().zip(row_of_a) {
                    *weight += factor * a;
                }
            }
        }
    }
}

impl Adapter {
    /// Reads a PEFT folder. Kinds of adapters that change more than weights by a low-rank
    /// product are refused by name.
    pub fn read(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join(CONFIG);
        let text = fs::read(&path).map_err(RunError::io("read", &path))?;
        let config = AdapterConfig::read(&path, &text)?;
        let path = dir.join(WEIGHTS);
        let files = WeightFiles::open_safetensors(&path)?;
        let malformed = |reason: String| ModelError::Malformed { path: path.clone(), reason };

        let mut modules = BTreeMap::new();
        let mut seen = 0;
        for name in files.names() {
            let Some(module) = name.strip_suffix(".lora_A.weight") else { continue };
            let other = format!("{module}.lora_B.weight");
            let Some(module) = module.strip_prefix(PREFIX) else {
                return Err(malformed(format!("tensor {name} does not begin with {PREFIX}")));
            };
            let shape = |name: &str| match files.info(name).map(|info| info.shape.as_slice()) {
                Some(&[rows, columns]) if rows > 0 && columns > 0 => Ok((rows, columns)),
                Some(found) => {
                    Err(malformed(format!("tensor {name} has shape {found:?}, expected two sizes")))
                }
                None => Err(malformed(format!("tensor {name} is missing beside the other half"))),
            };
            let ((rank, inputs), (outputs, _)) = (shape(name)?, shape(&other)?);
            files.expect(&other, &[outputs, rank])?;
            let expected = config.rank(module).map_err(|reason| config.malformed(reason))?;
            if rank != expected {
                return Err(malformed(format!(
                    "tensor {name} has rank {rank}, {CONFIG} has {expected} for it"
                )));
            }
            let scale = config.scale(module, rank).map_err(|reason| config.malformed(reason))?;
            let (mut a, mut b) = (Vec::new(), Vec::new());
            files.read_f32(name, &mut a)?;
            files.read_f32(&other, &mut b)?;
            modules.insert(module.to_owned(), LowRank { inputs, outputs, rank, a, b, scale });
            seen += 2;
        }
        if seen != files.names().count() {
            let half = |name: &str, end: &str, other: &str| {
                let module = name.strip_suffix(end);
                module.is_some_and(|module| files.info(&format!("{module}{other}")).is_some())
            };
            let foreign = files.names().find(|name| {
                !half(name, ".lora_A.weight", ".lora_B.weight")
                    && !half(name, ".lora_B.weight", ".lora_A.weight")
            });
            let what = format!(
                "tensor {}; only pairs of lora_A.weight and lora_B.weight of linear modules are read",
                foreign.unwrap_or_default()
            );
            return Err(ModelError::Unsupported { path, what });
        }
        if modules.is_empty() {
            return Err(malformed("no pair of lora_A.weight and lora_B.weight".to_owned()));
        }
        Ok(Self { base: config.base_model_name_or_path, modules })
    }

    /// Writes a PEFT folder, which is made if it is missing; PEFT and vLLM read it.
    pub fn write(&self, dir: &Path) -> Result<(), ModelError> {
        fs::create_dir_all(dir).map_err(RunError::io("create", dir))?;
        let config = AdapterConfig::of(self);
        write_file(&dir.join(CONFIG), &config.to_json(&dir.join(CONFIG))?)?;

        let path = dir.join(WEIGHTS);
        let mut tensors = Vec::new();
        for (module, pair) in &self.modules {
            let halves = [
                ("lora_A", [pair.rank, pair.inputs], &pair.a),
                ("lora_B", [pair.outputs, pair.rank], &pair.b),
            ];
            for (half, shape, numbers) in halves {
                let bytes: Vec<u8> =
                    numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                tensors.push((format!("{PREFIX}{module}.{half}.weight"), shape, bytes));
            }
        }
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let bytes = views
            .and_then(|views| {
                let format = [("format".to_owned(), "pt".to_owned())].into();
                safetensors::serialize(views, Some(format))
            })
            .map_err(|error| ModelError::Malformed {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        Ok(write_file(&path, &bytes)?)
    }
}
