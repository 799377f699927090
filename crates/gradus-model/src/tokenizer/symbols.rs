//! One token per symbol of a task family.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{SPECIAL, Token, TokenizeError};

/// One token per symbol. In text, symbols are separated by one space, but a
/// newline is a symbol of its own with no space around it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "SymbolList", into = "SymbolList")]
pub struct SymbolTokenizer {
    pub(super) symbols: Vec<String>,
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

    pub(super) fn tokens(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        let mut tokens = Vec::with_capacity(text.len() / 2 + 1);
        let mut push = |start: usize, end: usize| {
            let symbol = &text[start..end];
            let id = *self
                .ids
                .get(symbol)
                .ok_or_else(|| TokenizeError::Unknown { symbol: symbol.to_owned(), byte: start })?;
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

    /// Writes the symbol of `id` behind `text`.
    pub(super) fn append(&self, id: u32, text: &mut Vec<u8>) {
        let Some(symbol) =
            id.checked_sub(SPECIAL).and_then(|index| self.symbols.get(index as usize))
        else {
            return;
        };
        if symbol != "\n" && !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b' ');
        }
        text.extend_from_slice(symbol.as_bytes());
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
