//! From text to the ids of a model's own vocabulary and back.

mod gguf;
mod special;
mod splits;
mod subword;
mod symbols;

use serde::{Deserialize, Serialize};

pub(crate) use self::special::NamedToken;
pub use self::subword::SubwordTokenizer;
pub(crate) use self::subword::{Slot, frame, read_folder, read_json};
pub use self::symbols::{SymbolError, SymbolTokenizer};

/// Id of padding in a tokenizer of symbols or bytes; it is never sampled.
pub(crate) const PAD: u32 = 0;
/// Id of the end of a sequence in a tokenizer of symbols or bytes.
pub(crate) const EOS: u32 = 1;
const SPECIAL: u32 = 2;

/// A text that cannot become tokens.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenizeError {
    /// The vocabulary has no word for a part of it.
    #[error("symbol {symbol:?} at byte {byte} is not in the vocabulary")]
    Unknown {
        /// What was found.
        symbol: String,
        /// Where it starts.
        byte: usize,
    },
    /// The tokenizer gave up.
    #[error("a text of {bytes} bytes cannot be tokenized: {reason}")]
    Failed {
        /// Length of the text.
        bytes: usize,
        /// What the tokenizer said.
        reason: String,
    },
    /// The vocabulary has no end of a sequence, and one is asked for.
    #[error("the tokenizer names no end-of-sequence token")]
    NoEnd,
}

/// A token with the end of its bytes in the text that it came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Token {
    /// Id in the vocabulary.
    pub id: u32,
    /// One past its last byte.
    pub end: usize,
}

/// A tokenizer; those of symbols and bytes are saved as a small `tokenizer.json`
/// beside the weights.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Tokenizer {
    /// One token per symbol of a task family.
    Symbols(SymbolTokenizer),
    /// One token per byte.
    Bytes(ByteTokenizer),
    /// Parts of words, as pretrained models have them; never saved by us.
    #[serde(skip)]
    Subword(SubwordTokenizer),
}

impl Tokenizer {
    /// Number of ids, special tokens included.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Symbols(symbols) => symbols.symbols.len() + SPECIAL as usize,
            Self::Bytes(_) => 256 + SPECIAL as usize,
            Self::Subword(subword) => subword.vocab_size(),
        }
    }

    /// The ids of `text` and of nothing else: no token of the beginning is added.
    ///
    /// Where the text spells a special token, as a rendered chat does, it becomes that token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        match self {
            Self::Subword(subword) => subword.encode(text),
            Self::Symbols(_) | Self::Bytes(_) => {
                Ok(self.tokens(text)?.into_iter().map(|token| token.id).collect())
            }
        }
    }

    /// The tokens of `text` with the bytes that each ends at.
    ///
    /// A token that holds a part of a character ends inside it.
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        match self {
            Self::Symbols(symbols) => symbols.tokens(text),
            Self::Bytes(_) => Ok(text
                .bytes()
                .enumerate()
                .map(|(at, byte)| Token { id: u32::from(byte) + SPECIAL, end: at + 1 })
                .collect()),
            Self::Subword(subword) => subword.tokens(text),
        }
    }

    /// The text of `ids`; special tokens write nothing, bytes that are not
    /// UTF-8 become replacement characters.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::with_capacity(4 * ids.len());
        for &id in ids {
            self.append(id, &mut bytes);
        }
        if self.begins_with_space() && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Writes what `id` adds to a text behind the bytes of the tokens before it.
    ///
    /// A token may hold a part of a character: [`whole_characters`] tells how much of the
    /// bytes can be shown. The space of [`Self::begins_with_space`] is in them.
    pub fn append(&self, id: u32, text: &mut Vec<u8>) {
        match self {
            Self::Symbols(symbols) => symbols.append(id, text),
            Self::Bytes(_) => {
                text.extend(id.checked_sub(SPECIAL).and_then(|byte| u8::try_from(byte).ok()));
            }
            Self::Subword(subword) => text.extend_from_slice(subword.piece(id)),
        }
    }

    /// Does the vocabulary write a text with a space before it, which [`Self::decode`] takes off?
    pub fn begins_with_space(&self) -> bool {
        match self {
            Self::Symbols(_) | Self::Bytes(_) => false,
            Self::Subword(subword) => subword.is_spaced(),
        }
    }

    /// What the model expects before a text: its beginning-of-sequence token, or nothing.
    ///
    /// A rendered chat has it already.
    pub fn beginning(&self) -> &[u32] {
        match self {
            Self::Symbols(_) | Self::Bytes(_) => &[],
            Self::Subword(subword) => subword.before(),
        }
    }

    /// The tokens that end a sequence, the usual one first.
    pub fn end_of_sequence(&self) -> &[u32] {
        match self {
            Self::Symbols(_) | Self::Bytes(_) => &[EOS],
            Self::Subword(subword) => &subword.special().end,
        }
    }

    /// The token that fills rows up.
    pub fn padding(&self) -> Option<u32> {
        match self {
            Self::Symbols(_) | Self::Bytes(_) => Some(PAD),
            Self::Subword(subword) => subword.special().padding,
        }
    }
}

/// How many bytes of `text` are whole characters, with bytes that will never be UTF-8
/// counted as characters: what follows is the beginning of one that may still be completed.
pub fn whole_characters(text: &[u8]) -> usize {
    // A character has at most four bytes, and its first says how many.
    let start = text.len().saturating_sub(3);
    for at in (start..text.len()).rev() {
        let needed = match text[at] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => 1,
        };
        let begun = at + needed > text.len()
            && std::str::from_utf8(&text[at..]).is_err_and(|error| error.error_len().is_none());
        return if begun { at } else { text.len() };
    }
    text.len()
}

/// One token per byte; every text can be written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ByteTokenizer {}

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

impl From<SubwordTokenizer> for Tokenizer {
    fn from(tokenizer: SubwordTokenizer) -> Self {
        Self::Subword(tokenizer)
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
        assert_eq!(
            sums().encode("5  5").unwrap_err(),
            TokenizeError::Unknown { symbol: String::new(), byte: 2 }
        );
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
    fn half_a_character_is_held_back_and_nonsense_is_not() {
        let text = "a\u{e9}\u{20ac}\u{1F600}";
        for cut in 0..=text.len() {
            let whole = whole_characters(&text.as_bytes()[..cut]);
            assert!(text.is_char_boundary(whole) && cut - whole < 4, "{cut}: {whole}");
            assert_eq!(whole == cut, text.is_char_boundary(cut), "{cut}");
        }
        for nonsense in [&b"a\x80"[..], b"\xFF", b"\xF0\x80", b"\xE9a", b"\x80\x80\x80\x80"] {
            assert_eq!(whole_characters(nonsense), nonsense.len());
        }
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
