//! Encoders of the class of `BERT`, `RoBERTa` and `MiniLM`: embeddings of texts, and
//! judgements by a classification head.
//!
//! Devlin et al. 2019 (arXiv 1810.04805) and Liu et al. 2019 (arXiv 1907.11692), with the
//! names and numbers of transformers; pooling as sentence-transformers does it (Reimers and
//! Gurevych 2019, arXiv 1908.10084). Texts lie one behind the other without padding, so a
//! result does not depend on the texts beside it, to the bit.

mod config;
mod embed;
mod forward;
mod input;
mod pooling;
mod reward;
#[cfg(test)]
mod tests;
mod weights;

use std::path::Path;

use gradus::lm::LmError;

use self::config::EncoderConfig;
use self::input::Input;
use self::pooling::OwnPooling;
use self::weights::EncoderWeights;
use crate::ModelError;
use crate::weights::WeightFiles;

/// Whether a model of this `model_type` is an encoder.
pub(crate) fn is_encoder(model_type: &str) -> bool {
    EncoderConfig::is_encoder(model_type)
}

/// What is wrong with the config of an encoder, if anything is.
pub(crate) fn check_config(dir: &Path) -> Result<(), ModelError> {
    EncoderConfig::read(dir).map(|_| ())
}

/// A bidirectional encoder, read from a Hugging Face folder; it embeds and judges through the
/// traits of [`gradus::lm`].
#[derive(Debug)]
pub struct Encoder {
    name: String,
    config: EncoderConfig,
    weights: EncoderWeights,
    input: Input,
    pooling: OwnPooling,
}

impl Encoder {
    /// Reads `config.json`, `tokenizer.json`, the weights and, where they are there, the files
    /// of sentence-transformers (`modules.json`, `1_Pooling/config.json`,
    /// `sentence_bert_config.json`). The model is named after its folder.
    ///
    /// Another architecture, activation or pooling is refused by its name before any weight is read.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let config = EncoderConfig::read(dir)?;
        let pooling = OwnPooling::read(dir)?;
        let input = Input::read(dir, &config)?;
        let weights = EncoderWeights::read(&WeightFiles::open_folder(dir)?, &config)?;
        let name = dir.file_name().map_or_else(|| "encoder".into(), |name| name.to_string_lossy());
        Ok(Self { name: name.into_owned(), config, weights, input, pooling })
    }

    /// Most tokens of a text that are read, special tokens included.
    pub fn longest(&self) -> usize {
        self.input.longest
    }

    /// Width of an embedding.
    pub fn hidden_size(&self) -> usize {
        self.config.hidden_size
    }

    fn failed(&self, reason: impl std::fmt::Display) -> LmError {
        LmError::Failed { model: self.name.clone(), reason: reason.to_string() }
    }

    fn unsupported(&self, request: impl Into<String>) -> LmError {
        LmError::Unsupported { model: self.name.clone(), request: request.into() }
    }
}
