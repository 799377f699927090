//! Which tokens begin, end and fill sequences, as the files of a model name them.

use std::path::Path;

use serde::Deserialize;

use super::subword::read_json;
use crate::ModelError;

/// The special tokens of a pretrained model.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SpecialTokens {
    /// Begins a text; a chat template may write it.
    pub(crate) beginning: Option<u32>,
    /// Any of these ends a sequence; the usual one first.
    pub(crate) end: Vec<u32>,
    /// Fills rows up.
    pub(crate) padding: Option<u32>,
}

/// `eos_token_id`: one id or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

/// What `config.json` and `generation_config.json` say.
#[derive(Default, Deserialize)]
struct ModelConfig {
    bos_token_id: Option<Ids>,
    eos_token_id: Option<Ids>,
    pad_token_id: Option<Ids>,
    /// Where a model has several parts, the language model's own.
    text_config: Option<Box<ModelConfig>>,
}

/// A token in `tokenizer_config.json`: its text, or a table with its text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum NamedToken {
    /// Its text.
    Text(String),
    /// Its text with how it is matched.
    Added {
        /// Its text.
        content: String,
    },
}

/// What `tokenizer_config.json` says.
#[derive(Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the file")]
struct TokenizerConfig {
    bos_token: Option<NamedToken>,
    eos_token: Option<NamedToken>,
    pad_token: Option<NamedToken>,
}

impl NamedToken {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Added { content: text } => text,
        }
    }
}

impl SpecialTokens {
    /// From the files of a folder. Of the ends, those of `generation_config.json` count, else
    /// those of `config.json`, else the tokenizer's own: as transformers generates.
    pub(super) fn of_folder(
        dir: &Path,
        id: impl Fn(&str) -> Option<u32>,
    ) -> Result<Self, ModelError> {
        let named: TokenizerConfig =
            read_json(&dir.join("tokenizer_config.json"))?.unwrap_or_default();
        let model: ModelConfig = read_json(&dir.join("config.json"))?.unwrap_or_default();
        let generation: ModelConfig =
            read_json(&dir.join("generation_config.json"))?.unwrap_or_default();
        let of_name = |token: Option<NamedToken>| token.and_then(|token| id(token.text()));
        let text = model.text_config.map(|config| *config).unwrap_or_default();
        let first = |ids: Option<Ids>| match ids {
            Some(Ids::One(id)) => Some(id),
            Some(Ids::Many(ids)) => ids.first().copied(),
            None => None,
        };
        let configured = generation.eos_token_id.or(model.eos_token_id).or(text.eos_token_id);
        let usual = of_name(named.eos_token);
        let mut end = match configured {
            Some(Ids::One(id)) => vec![id],
            Some(Ids::Many(ids)) => ids,
            None => usual.into_iter().collect(),
        };
        // The tokenizer's own comes first, where it is one of them.
        if let Some(at) = end.iter().position(|&id| Some(id) == usual) {
            end[..=at].rotate_right(1);
        }
        let beginning = of_name(named.bos_token)
            .or(first(generation.bos_token_id))
            .or(first(model.bos_token_id))
            .or(first(text.bos_token_id));
        let padding = of_name(named.pad_token)
            .or(first(generation.pad_token_id))
            .or(first(model.pad_token_id))
            .or(first(text.pad_token_id));
        Ok(Self { beginning, end, padding })
    }
}
