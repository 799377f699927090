//! Pretrained decoders, read from their published files: sampling, scoring, hidden states.
//!
//! To add a family, give it a row in `family.rs` and a model in
//! `tests/golden/pretrained/make.py`.

mod composed;
mod embed;
mod family;
mod forward;
mod generate;
mod gguf;
#[cfg(test)]
mod golden_tests;
mod memory;
mod reading;
mod rope;
mod score;
mod shape;
#[cfg(test)]
mod tests;
mod weights;

use std::path::{Path, PathBuf};

use candle_core::Device;
use gradus::lm::LmError;
use gradus::run::RunError;

use self::composed::Composed;
pub use self::family::{FAMILIES, Family};
use self::forward::{Forward as _, Transformer};
use self::memory::{available, megabytes};
pub(crate) use self::shape::Shape;
use self::weights::{Make, Weights};
use crate::kernels::Matrix;
use crate::language::Language;
use crate::{Adapter, ChatTemplate, ModelError, SubwordTokenizer, Tokenizer, WeightFiles};

/// How weights are kept in memory. The choice changes numbers and holds for the
/// whole model and every batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WeightForm {
    /// 32-bit floating point, whatever the file has.
    #[default]
    F32,
    /// Blocks of 32 numbers of 8 bits with a scale.
    Q8,
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compute {
    /// Kernels over slices on a CPU.
    #[default]
    Cpu,
    /// The composition of candle's operations on a CPU: slow, and what a GPU would run.
    Composed,
    /// The same on a GPU of NVIDIA, by index; needs the feature `cuda`. Never run by us.
    Cuda(usize),
    /// The same on a GPU of Apple, by index; needs the feature `metal`. Never run by us.
    Metal(usize),
}

/// How a pretrained model is opened.
#[derive(Clone, Debug, Default)]
pub struct PretrainedOptions {
    /// How weights are kept in memory.
    pub weights: WeightForm,
    /// What computes; all but [`Compute::Cpu`] keep weights as f32 only.
    pub compute: Compute,
    /// Folder of a PEFT adapter, whose changes are added to the weights.
    pub adapter: Option<PathBuf>,
    /// Most bytes for weights, keys and values, and buffers; `None` is what the
    /// system has left when the model is opened.
    pub budget: Option<u64>,
}

/// A pretrained decoder with its tokenizer and chat template.
///
/// On a CPU it runs on the threads that rayon has, and a row's bits depend on its
/// request and the weights alone: not on the rows beside it, not on the number
/// of threads. Compositions of candle's operations promise no bits.
#[derive(Debug)]
pub struct Pretrained {
    engine: Engine,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    name: String,
    /// Bytes beside the weights.
    budget: u64,
}

/// The two forward passes.
#[derive(Debug)]
enum Engine {
    Fused(Transformer),
    Composed(Composed),
}

/// Does the same with either forward pass.
macro_rules! with_engine {
    ($model:expr, $engine:ident => $work:expr) => {
        match &$model.engine {
            $crate::pretrained::Engine::Fused($engine) => $work,
            $crate::pretrained::Engine::Composed($engine) => $work,
        }
    };
}
use with_engine;

impl Pretrained {
    /// Opens a Hugging Face folder or a GGUF file. A family, a rope scaling or a
    /// quantisation that is not supported, and a model that does not fit into
    /// the budget, are refused before any weight is read.
    pub fn open(path: &Path, options: &PretrainedOptions) -> Result<Self, ModelError> {
        let folder = path.is_dir();
        let (shape, mut files, tokenizer, template);
        if folder {
            let config = path.join("config.json");
            let text = std::fs::read_to_string(&config).map_err(RunError::io("read", &config))?;
            shape = Shape::from_config(&config, &text)?;
            files = WeightFiles::open_folder(path)?;
            tokenizer = SubwordTokenizer::from_folder(path)?;
            template = ChatTemplate::from_folder(path)?;
        } else {
            files = WeightFiles::open_gguf(path)?;
            let metadata = files.metadata().ok_or_else(|| ModelError::Malformed {
                path: path.to_owned(),
                reason: "no metadata".to_owned(),
            })?;
            shape = Shape::from_gguf(metadata, &files)?;
            tokenizer = SubwordTokenizer::from_gguf(metadata)?;
            template = ChatTemplate::from_gguf(metadata)?;
        }
        let tokenizer = Tokenizer::from(tokenizer);
        let malformed = |reason| ModelError::Malformed { path: path.to_owned(), reason };
        if tokenizer.vocab_size() > shape.vocabulary {
            return Err(malformed(format!(
                "the tokenizer has {} tokens and the model knows {}",
                tokenizer.vocab_size(),
                shape.vocabulary
            )));
        }
        let needed = shape.weight_bytes(options.weights);
        let budget = options.budget.or_else(available).unwrap_or(u64::MAX);
        let Some(left) = budget.checked_sub(needed) else {
            return Err(malformed(format!(
                "{} weights need {}, and the memory budget is {}",
                shape.parameters(),
                megabytes(needed),
                megabytes(budget)
            )));
        };
        let name = if folder { path.file_name() } else { path.file_stem() };
        if let Some(dir) = &options.adapter {
            files.merge(Adapter::read(dir)?)?;
        }
        let engine = Engine::read(shape, files, options)?;
        Ok(Self {
            engine,
            tokenizer,
            template,
            name: name.map_or_else(|| "pretrained".into(), |name| name.to_string_lossy().into()),
            budget: left,
        })
    }

    /// The same model under another name, as rows record it.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Text to ids and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Its chat template, if it has one.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// Its family.
    pub fn family(&self) -> &'static Family {
        self.shape().family
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.shape().parameters()
    }

    /// Most tokens of a sequence.
    pub fn context(&self) -> usize {
        self.shape().longest
    }

    fn shape(&self) -> &Shape {
        with_engine!(self, engine => engine.shape())
    }

    fn language(&self) -> Language<'_> {
        Language {
            tokenizer: &self.tokenizer,
            template: self.template.as_ref(),
            vocabulary: self.shape().vocabulary,
            longest: self.shape().longest,
            never: None,
        }
    }

    fn failed(&self, reason: &impl ToString) -> LmError {
        LmError::Failed { model: self.name.clone(), reason: reason.to_string() }
    }
}

impl Engine {
    fn read(
        shape: Shape,
        files: WeightFiles,
        options: &PretrainedOptions,
    ) -> Result<Self, ModelError> {
        let device = match options.compute {
            Compute::Cpu => {
                let weights = Weights::read(&shape, files, options.weights.make())?;
                return Ok(Self::Fused(Transformer { shape, weights }));
            }
            Compute::Composed => Device::Cpu,
            Compute::Cuda(index) => Device::new_cuda(index)?,
            Compute::Metal(index) => Device::new_metal(index)?,
        };
        if options.weights != WeightForm::F32 {
            return Err(ModelError::Config {
                reason: format!(
                    "weights as {:?} are not supported by {:?}, expected F32",
                    options.weights, options.compute
                ),
            });
        }
        Composed::read(shape, files, device).map(Self::Composed)
    }
}

impl WeightForm {
    /// Packs the rows of a matrix, given their number and their length.
    fn make(self) -> &'static Make<'static, Matrix> {
        match self {
            Self::F32 => &|rows, outputs, inputs| Ok(Matrix::pack(rows, outputs, inputs)),
            Self::Q8 => &|rows, outputs, inputs| Ok(Matrix::quantize(rows, outputs, inputs)),
        }
    }
}
