use std::path::Path;

use gradus::run::Stream;

use crate::{Decoder, DecoderConfig, ModelError, Tokenizer, checkpoint};

/// A decoder with its tokenizer and name: a language model that samples,
/// scores and judges, through the traits of [`gradus::lm`].
#[derive(Debug)]
pub struct LocalModel {
    /// The weights.
    pub decoder: Decoder,
    /// Text to ids and back.
    pub tokenizer: Tokenizer,
    /// Name, as rows record it.
    pub name: String,
}

impl LocalModel {
    /// A model with fresh weights; `vocab_size` is taken from the tokenizer.
    pub fn new(
        config: DecoderConfig,
        tokenizer: Tokenizer,
        init: &mut Stream,
    ) -> Result<Self, ModelError> {
        let config = DecoderConfig { vocab_size: tokenizer.vocab_size(), ..config };
        let decoder = Decoder::new(config, init)?;
        Ok(Self { decoder, tokenizer, name: "local".to_owned() })
    }

    /// Reads a checkpoint; the model is named after its folder.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let (decoder, tokenizer) = checkpoint::load(dir)?;
        let name = dir.file_name().map_or_else(|| "local".into(), |name| name.to_string_lossy());
        Ok(Self { decoder, tokenizer, name: name.into_owned() })
    }

    /// Writes a checkpoint: `model.safetensors`, `config.json`, `tokenizer.json`.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        checkpoint::save(dir, &self.decoder, &self.tokenizer)
    }

    /// A copy with weights of its own.
    pub fn clone_weights(&self) -> Result<Self, ModelError> {
        self.copy(self.decoder.config().value_head)
    }

    /// A copy with weights of its own and an evaluator head, zero if there was none.
    pub fn with_value_head(&self) -> Result<Self, ModelError> {
        self.copy(true)
    }

    fn copy(&self, value_head: bool) -> Result<Self, ModelError> {
        Ok(Self {
            decoder: self.decoder.copy(value_head)?,
            tokenizer: self.tokenizer.clone(),
            name: self.name.clone(),
        })
    }
}
