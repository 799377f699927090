//! From text to the ids of a model's own vocabulary and back.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Id of padding in every tokenizer here; it is never sampled.
pub const PAD: u32 = 0;
/// Id of the end of a sequence in every tokenizer here.
pub const EOS: u32 = 1;
const SPECIAL: u32 = 2;

/// A text that the vocabulary cannot write.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("symbol {symbol:?} at byte {byte} is not in the vocabulary")]
pub struct TokenizeError {
    /// What was found.
    pub symbol: String,
    /// Where it starts.
    pub byte: usize,
}

/// A token with the end of its bytes in the text that it came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Token {
    /// Id in the vocabulary.
    pub id: u32,
    /// One past its last byte.
    pub end: usize,
}

/// A tokenizer, saved as a small `tokenizer.json` beside the weights.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Tokenizer {
    /// One token per symbol of a task family.
    Symbols(SymbolTokenizer),
    /// One token per byte.
    Bytes(ByteTokenizer),
}

impl Tokenizer {
    /// Number of ids, padding and end of sequence included.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Symbols(symbols) => symbols.symbols.len() + SPECIAL as usize,
            Self::Bytes(_) => 256 + SPECIAL as usize,
        }
    }

    /// The ids of `text`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        Ok(self.tokens(text)?.into_iter().map(|token| token.id).collect())
    }

    /// The tokens of `text` with the bytes that each ends at.
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        match self {
            Self::Symbols(symbols) => symbols.tokens(text),
            Self::Bytes(_) => Ok(text
                .bytes()
                .enumerate()
                .map(|(at, byte)| Token { id: u32::from(byte) + SPECIAL, end: at + 1 })
                .collect()),
        }
    }

    /// The text of `ids`; padding and end of sequence write nothing, bytes
    /// that are not UTF-8 become replacement characters.
    pub fn decode(&self, ids: &[u32]) -> String {
        match self {
            Self::Symbols(symbols) => symbols.decode(ids),
            Self::Bytes(_) => {
                let bytes: Vec<u8> = ids
                    .iter()
                    .filter_map(|&id| u8::try_from(id.checked_sub(SPECIAL)?).ok())
                    .collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
        }
    }
}

/// One token per byte; every text can be written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ByteTokenizer {}

/// One token per symbol. In text, symbols are separated by one space, but a
/// newline is a symbol of its own with no space around it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "SymbolList", into = "SymbolList")]
pub struct SymbolTokenizer {
    symbols: Vec<String>,
    ids: HashMap<String, u32>,
}

/// The file form of a [`SymbolTokenizer`].
#[derive(Clone, Debug, Deserialize, Serialize)]
struct SymbolList {
    symbols: Vec<String>,
}

/// Symbols that make no tokenizer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SymbolError {
    /// A symbol is empty, or holds a space or a newline beside other characters.
    #[error("symbol {0:?} could not be told from its separators")]
    Unwritable(String),
    /// A symbol is listed twice.
    #[error("symbol {0:?} is listed twice")]
    Duplicate(String),
}

impl SymbolTokenizer {
    /// A vocabulary of `symbols`, in order, after padding and end of sequence.
    pub fn new(symbols: Vec<String>) -> Result<Self, SymbolError> {
        let mut ids = HashMap::with_capacity(symbols.len());
        for (symbol, id) in symbols.iter().zip(SPECIAL..) {
            if symbol.is_empty() || (symbol != "\n" && symbol.contains([' ', '\n'])) {
                return Err(SymbolError::Unwritable(symbol.clone()));
            }
            if ids.insert(symbol.clone(), id).is_some() {
                return Err(SymbolError::Duplicate(symbol.clone()));
            }
        }
        Ok(Self { symbols, ids })
    }

    fn tokens(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        let mut tokens = Vec::with_capacity(text.len() / 2 + 1);
        let mut push = |start: usize, end: usize| {
            let symbol = &text[start..end];
            let id = *self
                .ids
                .get(symbol)
                .ok_or_else(|| TokenizeError { symbol: symbol.to_owned(), byte: start })?;
            tokens.push(Token { id, end });
            Ok(())
        };
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let symbols = line.strip_suffix('\n').unwrap_or(line);
            let mut at = start;
            if !symbols.is_empty() {
                for symbol in symbols.split(' ') {
                    push(at, at + symbol.len())?;
                    at += symbol.len() + 1;
                }
            }
            start += line.len();
            if symbols.len() < line.len() {
                push(start - 1, start)?;
            }
        }
        Ok(tokens)
    }

    fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::with_capacity(3 * ids.len());
        for id in ids {
            let Some(symbol) =
                id.checked_sub(SPECIAL).and_then(|index| self.symbols.get(index as usize))
            else {
                continue;
            };
            if symbol != "\n" && !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(symbol);
        }
        text
    }
}

impl TryFrom<SymbolList> for SymbolTokenizer {
    type Error = SymbolError;

    fn try_from(list: SymbolList) -> Result<Self, SymbolError> {
        Self::new(list.symbols)
    }
}

impl From<SymbolTokenizer> for SymbolList {
    fn from(tokenizer: SymbolTokenizer) -> Self {
        Self { symbols: tokenizer.symbols }
    }
}

impl From<SymbolTokenizer> for Tokenizer {
    fn from(tokenizer: SymbolTokenizer) -> Self {
        Self::Symbols(tokenizer)
    }
}

impl From<ByteTokenizer> for Tokenizer {
    fn from(tokenizer: ByteTokenizer) -> Self {
        Self::Bytes(tokenizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(list: &[&str]) -> Result<SymbolTokenizer, SymbolError> {
        SymbolTokenizer::new(list.iter().map(ToString::to_string).collect())
    }

    fn sums() -> Tokenizer {
        symbols(&["\n", "#", "+", "-", "5", "-13"]).unwrap().into()
    }

    #[test]
    fn symbols_are_separated_by_one_space_but_newlines_stand_alone() {
        let tokenizer = sums();
        for text in ["5 + -13\n", "5\n-13\n# -13", "\n\n5", ""] {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()), text);
        }
        assert_eq!(tokenizer.encode("5\n# -13").unwrap(), [6, 2, 3, 7]);
        let ends: Vec<usize> =
            tokenizer.tokens("5\n# -13").unwrap().iter().map(|token| token.end).collect();
        assert_eq!(ends, [1, 2, 3, 7]);
    }

    #[test]
    fn an_unknown_symbol_is_named_with_its_place() {
        let error = sums().encode("5\n6").unwrap_err();
        assert_eq!(error.to_string(), "symbol \"6\" at byte 2 is not in the vocabulary");
        assert_eq!(sums().encode("5  5").unwrap_err().byte, 2);
    }

    #[test]
    fn every_text_is_bytes() {
        let tokenizer = Tokenizer::from(ByteTokenizer {});
        let text = "a\u{e9}\n\u{1F600}";
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!((ids.len(), ids[0]), (text.len(), 99));
        assert_eq!(tokenizer.decode(&ids), text);
        assert_eq!(tokenizer.vocab_size(), 258);
    }

    #[test]
    fn padding_and_end_of_sequence_write_nothing() {
        assert_eq!(sums().decode(&[6, PAD, 2, EOS, 99]), "5\n");
    }

    #[test]
    fn a_tokenizer_survives_its_file_form() {
        for tokenizer in [sums(), ByteTokenizer {}.into()] {
            let json = serde_json::to_string(&tokenizer).unwrap();
            assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), tokenizer);
        }
    }

    #[test]
    fn ambiguous_vocabularies_are_refused() {
        assert_eq!(symbols(&["a", "a"]).unwrap_err(), SymbolError::Duplicate("a".into()));
        assert_eq!(symbols(&["a b"]).unwrap_err(), SymbolError::Unwritable("a b".into()));
        assert!(serde_json::from_str::<Tokenizer>(r#"{"type":"symbols","symbols":[""]}"#).is_err());
    }
}
