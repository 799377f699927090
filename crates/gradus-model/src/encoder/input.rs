use std::path::Path;

use serde::Deserialize;

use super::config::EncoderConfig;
use crate::ModelError;
use crate::tokenizer::{Slot, frame, read_folder, read_json};

/// A token of a text, with which of two texts it is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) id: u32,
    pub(super) kind: u32,
}

/// From texts to tokens, special tokens included.
pub(super) struct Input {
    tokenizer: tokenizers::Tokenizer,
    single: Vec<Slot>,
    pair: Vec<Slot>,
    /// Most tokens of a text.
    pub(super) longest: usize,
}

/// `sentence_bert_config.json`.
#[derive(Default, Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

impl Input {
    pub(super) fn read(dir: &Path, config: &EncoderConfig) -> Result<Self, ModelError> {
        let (tokenizer, processor) = read_folder(dir)?;
        let path = || dir.join("tokenizer.json");
        let malformed = |reason: String| ModelError::Malformed { path: path(), reason };
        let frame =
            |texts| frame(processor.as_ref(), texts).map_err(|error| malformed(error.to_string()));
        let (single, pair) = (frame(1)?, frame(2)?);
        let known = tokenizer.get_vocab_size(true);
        let ids = tokenizer.get_vocab(true).into_values();
        let slots = single.iter().chain(&pair);
        let framing = slots.clone().filter_map(|slot| slot.text.is_none().then_some(slot.id));
        if let Some(id) = ids.chain(framing).find(|&id| id as usize >= config.vocab_size) {
            return Err(malformed(format!(
                "token {id} of {known}, but config.json has a vocab_size of {}",
                config.vocab_size
            )));
        }
        let kinds = config.type_vocab_size.max(1);
        let sentence: SentenceConfig =
            read_json(&dir.join("sentence_bert_config.json"))?.unwrap_or_default();
        let longest = sentence.max_seq_length.unwrap_or(usize::MAX).min(config.positions());
        let clip = |frame: Vec<Slot>| {
            // A model of one kind of text has pairs of that kind.
            frame.into_iter().map(|slot| Slot { kind: slot.kind.min(kinds as u32 - 1), ..slot })
        };
        let (single, pair) = (clip(single).collect::<Vec<_>>(), clip(pair).collect::<Vec<_>>());
        if longest < single.len().max(pair.len()) {
            return Err(malformed(format!("{longest} tokens leave no room for a text")));
        }
        Ok(Self { tokenizer, single, pair, longest })
    }

    /// The tokens of a text, or of a pair of texts.
    pub(super) fn pieces(&self, texts: &[&str]) -> Result<Vec<Piece>, String> {
        let tokens = self.tokens(texts)?;
        Ok(self.framed(&tokens))
    }

    /// The same, and of a longer text the beginning, as sentence-transformers cuts it.
    pub(super) fn beginning(&self, text: &str) -> Result<Vec<Piece>, String> {
        let mut tokens = self.tokens(&[text])?;
        tokens[0].truncate(self.longest - (self.single.len() - 1));
        Ok(self.framed(&tokens))
    }

    fn tokens(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, String> {
        let tokens = |text: &&str| {
            let encoding = self.tokenizer.encode_fast(*text, false);
            encoding.map(|encoding| encoding.get_ids().to_vec()).map_err(|error| error.to_string())
        };
        texts.iter().map(tokens).collect()
    }

    fn framed(&self, texts: &[Vec<u32>]) -> Vec<Piece> {
        let frame = if texts.len() == 1 { &self.single } else { &self.pair };
        let mut pieces = Vec::new();
        for slot in frame {
            match slot.text {
                None => pieces.push(Piece { id: slot.id, kind: slot.kind }),
                Some(text) => {
                    pieces.extend(texts[text].iter().map(|&id| Piece { id, kind: slot.kind }));
                }
            }
        }
        pieces
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Input").field("longest", &self.longest).finish_non_exhaustive()
    }
}
