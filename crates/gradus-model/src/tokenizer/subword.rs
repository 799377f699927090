//! Tokenizers of pretrained models, by the `tokenizers` crate.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use gradus::run::RunError;
use serde::de::DeserializeOwned;
use tokenizers::PostProcessorWrapper;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::tokenizer::{Encoding, PostProcessor};

use super::special::SpecialTokens;
use super::{Token, TokenizeError};
use crate::ModelError;

/// The tokenizer of a pretrained model: byte-level or sentence-piece BPE with added tokens.
///
/// Ids and texts are those of transformers, with one difference: bytes that are not UTF-8
/// become one replacement character for each broken sequence, never one for each byte.
#[derive(Clone)]
pub struct SubwordTokenizer {
    shared: Arc<Shared>,
}

struct Shared {
    /// Without post-processor: its tokens are in `before`.
    inner: tokenizers::Tokenizer,
    before: Vec<u32>,
    special: SpecialTokens,
    pieces: Pieces,
}

/// The bytes that every token writes.
struct Pieces {
    bytes: Vec<u8>,
    /// Where in `bytes` the piece of each id ends.
    ends: Vec<usize>,
    /// The tokenizer puts a space before a text, so one is taken from the beginning.
    spaced: bool,
}

/// How the tokens of a vocabulary spell bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spelling {
    /// Every byte is a printable character, as in GPT-2.
    Bytes,
    /// UTF-8 with `▁` for a space and `<0x0A>` for single bytes, as in sentence pieces.
    SentencePiece {
        /// The tokenizer puts a space before a text.
        spaced: bool,
    },
}

impl SubwordTokenizer {
    /// The tokenizer of a Hugging Face folder: `tokenizer.json`, and the special tokens that
    /// `tokenizer_config.json`, `generation_config.json` and `config.json` name.
    pub fn from_folder(dir: &Path) -> Result<Self, ModelError> {
        let (inner, processor) = read_folder(dir)?;
        let special = SpecialTokens::of_folder(dir, |token| inner.token_to_id(token))?;
        let path = || dir.join(TOKENIZER);
        let spelling =
            spelling(&inner).map_err(|what| ModelError::Unsupported { path: path(), what })?;
        let malformed = |reason| ModelError::Malformed { path: path(), reason };
        let frame = frame(processor.as_ref(), 1).map_err(|error| malformed(error.to_string()))?;
        // What follows a text ends it, and a prompt goes on.
        let before = frame.iter().take_while(|slot| slot.text.is_none());
        let before = before.map(|slot| slot.id).collect();
        Self::new(inner, before, special, spelling).map_err(malformed)
    }

    pub(super) fn new(
        inner: tokenizers::Tokenizer,
        before: Vec<u32>,
        special: SpecialTokens,
        spelling: Spelling,
    ) -> Result<Self, String> {
        let pieces = Pieces::read(&inner, spelling)?;
        Ok(Self { shared: Arc::new(Shared { inner, before, special, pieces }) })
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.shared.pieces.ends.len()
    }

    /// The tokens that the model expects before a text.
    pub(crate) fn before(&self) -> &[u32] {
        &self.shared.before
    }

    pub(crate) fn special(&self) -> &SpecialTokens {
        &self.shared.special
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        check_runs(text)?;
        let encoding = self.shared.inner.encode_fast(text, false).map_err(failed(text))?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn tokens(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        check_runs(text)?;
        let encoding = self.shared.inner.encode(text, false).map_err(failed(text))?;
        let ids = encoding.get_ids().iter().zip(encoding.get_offsets());
        let mut tokens: Vec<Token> =
            ids.map(|(&id, &(_, end))| Token { id, end: end.min(text.len()) }).collect();
        // It gives the space that it put before a text the text's first byte.
        if let Some(first) = tokens.first_mut()
            && self.shared.pieces.spaced
            && !text.starts_with(' ')
            && self.shared.pieces.of(first.id) == b" "
        {
            first.end = 0;
        }
        // And it lets every token of a character end where the character does.
        let mut next = text.len() + 1;
        for token in tokens.iter_mut().rev() {
            token.end = token.end.min(next.saturating_sub(1));
            next = token.end;
        }
        let mut last = 0;
        for token in &mut tokens {
            token.end = token.end.max(last);
            last = token.end;
        }
        Ok(tokens)
    }

    /// The bytes of a token.
    pub(super) fn piece(&self, id: u32) -> &[u8] {
        self.shared.pieces.of(id)
    }

    /// Does the tokenizer put a space before a text?
    pub(super) fn is_spaced(&self) -> bool {
        self.shared.pieces.spaced
    }
}

impl std::fmt::Debug for SubwordTokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SubwordTokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("before", &self.shared.before)
            .field("special", &self.shared.special)
            .finish_non_exhaustive()
    }
}

impl PartialEq for SubwordTokenizer {
    /// Copies of one tokenizer are equal.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Pieces {
    /// The bytes of a token; none for one that is not there.
    fn of(&self, id: u32) -> &[u8] {
        let at = id as usize;
        let Some(&end) = self.ends.get(at) else { return &[] };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..end]
    }

    fn read(inner: &tokenizers::Tokenizer, spelling: Spelling) -> Result<Self, String> {
        let added = inner.get_added_tokens_decoder();
        let spelled: HashMap<char, u8> = byte_characters().zip(0..=255).collect();
        let vocab = inner.get_vocab(true);
        let size = vocab.values().max().map_or(0, |&last| last as usize + 1);
        if size > 2 * vocab.len() + 65_536 {
            return Err(format!("an id of {} in a vocabulary of {} tokens", size - 1, vocab.len()));
        }
        let mut texts = vec![None; size];
        for (text, id) in &vocab {
            texts[*id as usize] = Some(text.as_str());
        }
        let spaced = spelling == Spelling::SentencePiece { spaced: true };
        let mut pieces = Self { bytes: Vec::new(), ends: Vec::with_capacity(size), spaced };
        for (text, id) in texts.into_iter().zip(0..) {
            let text = text.unwrap_or_default();
            match (added.get(&id), spelling) {
                (Some(token), _) if token.special => {}
                (Some(token), Spelling::Bytes) => {
                    pieces.bytes.extend_from_slice(token.content.as_bytes());
                }
                (None, Spelling::Bytes) => {
                    let bytes: Option<Vec<u8>> =
                        text.chars().map(|character| spelled.get(&character).copied()).collect();
                    pieces.bytes.extend(bytes.unwrap_or_else(|| text.as_bytes().to_vec()));
                }
                (_, Spelling::SentencePiece { .. }) => match single_byte(text) {
                    Some(byte) => pieces.bytes.push(byte),
                    None => {
                        pieces.bytes.extend_from_slice(text.replace('\u{2581}', " ").as_bytes());
                    }
                },
            }
            pieces.ends.push(pieces.bytes.len());
        }
        Ok(pieces)
    }
}

const TOKENIZER: &str = "tokenizer.json";

/// The tokenizer of a folder, without the post-processor, which comes beside it.
pub(crate) fn read_folder(
    dir: &Path,
) -> Result<(tokenizers::Tokenizer, Option<PostProcessorWrapper>), ModelError> {
    let path = dir.join(TOKENIZER);
    let bytes = fs::read(&path).map_err(RunError::io("read", &path))?;
    let malformed = |error: tokenizers::Error| ModelError::Malformed {
        path: path.clone(),
        reason: format!("not a tokenizer: {error}"),
    };
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(malformed)?;
    // Cutting and filling up are the caller's.
    inner.with_truncation(None).map_err(malformed)?;
    inner.with_padding(None);
    let processor = inner.get_post_processor().cloned();
    inner.with_post_processor(None::<PostProcessorWrapper>);
    Ok((inner, processor))
}

/// A place in what the model reads: a special token, or one of the texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot {
    /// The special token.
    pub(crate) id: u32,
    /// Type of the tokens here: 0 or 1.
    pub(crate) kind: u32,
    /// Which text stands here instead of the token.
    pub(crate) text: Option<usize>,
}

/// What a post-processor makes of one text or of two.
pub(crate) fn frame(
    processor: Option<&PostProcessorWrapper>,
    texts: usize,
) -> tokenizers::Result<Vec<Slot>> {
    // Ids that no vocabulary has mark the texts.
    let mark = |text: usize| u32::MAX - text as u32;
    let marked = |text: usize| {
        let token = tokenizers::Token::new(mark(text), "x".to_owned(), (0, 1));
        Encoding::from_tokens(vec![token], text as u32)
    };
    let Some(processor) = processor else {
        return Ok((0..texts)
            .map(|text| Slot { id: 0, kind: text as u32, text: Some(text) })
            .collect());
    };
    let processed = processor.process(marked(0), (texts == 2).then(|| marked(1)), true)?;
    let slots: Vec<Slot> = std::iter::zip(processed.get_ids(), processed.get_type_ids())
        .map(|(&id, &kind)| Slot { id, kind, text: (0..texts).find(|&text| mark(text) == id) })
        .collect();
    if slots.iter().filter(|slot| slot.text.is_some()).count() != texts {
        return Err("its post-processor drops or repeats a text".into());
    }
    Ok(slots)
}

/// How the decoder spells, or what it does that is not supported.
fn spelling(inner: &tokenizers::Tokenizer) -> Result<Spelling, String> {
    let steps = match inner.get_decoder() {
        Some(DecoderWrapper::Sequence(steps)) => steps.get_decoders(),
        Some(step) => std::slice::from_ref(step),
        None => &[],
    };
    let mut spelling = None;
    for step in steps {
        match step {
            DecoderWrapper::ByteLevel(_) => spelling = Some(Spelling::Bytes),
            DecoderWrapper::Replace(_) | DecoderWrapper::ByteFallback(_) => {
                spelling = spelling.or(Some(Spelling::SentencePiece { spaced: false }));
            }
            DecoderWrapper::Metaspace(space) => {
                let spaced = space.prepend_scheme
                    != tokenizers::pre_tokenizers::metaspace::PrependScheme::Never;
                spelling = Some(Spelling::SentencePiece { spaced });
            }
            DecoderWrapper::Strip(_) => spelling = Some(Spelling::SentencePiece { spaced: true }),
            DecoderWrapper::Fuse(_) => {}
            other => {
                let name = serde_json::to_value(other).ok();
                let name = name.as_ref().and_then(|value| value["type"].as_str());
                return Err(format!(
                    "a decoder of type {} is not supported; known are ByteLevel and those of \
                     sentence pieces",
                    name.unwrap_or("without name")
                ));
            }
        }
    }
    spelling.ok_or_else(|| {
        "there is no decoder, so it is not known how its tokens spell a text".to_owned()
    })
}

/// GPT-2's characters for the bytes from 0 on: printable ones are themselves, the others
/// follow from 256 on.
pub(super) fn byte_characters() -> impl Iterator<Item = char> {
    let mut next = 256u32;
    (0..=255u8).filter_map(move |byte| {
        if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
            return Some(char::from(byte));
        }
        next += 1;
        char::from_u32(next - 1)
    })
}

/// The byte that `<0x0A>` stands for.
fn single_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// Longest run of white space, or of anything else, that is taken (bytes).
const LONGEST_RUN: usize = 500_000;

/// Refuses what the regular expressions may give up on (after a million steps back): the
/// library takes that for the end of the matches, and the rest would be cut wrongly.
fn check_runs(text: &str) -> Result<(), TokenizeError> {
    if text.len() <= LONGEST_RUN {
        return Ok(());
    }
    let (mut start, mut blank) = (0, false);
    let ends = text.char_indices().chain([(text.len(), ' ')]);
    for (at, character) in ends {
        if at == text.len() || character.is_whitespace() != blank {
            if at - start > LONGEST_RUN {
                let reason = format!(
                    "{} bytes from byte {start} on are {}, expected at most {LONGEST_RUN}",
                    at - start,
                    if blank { "white space" } else { "without white space" }
                );
                return Err(TokenizeError::Failed { bytes: text.len(), reason });
            }
            (start, blank) = (at, character.is_whitespace());
        }
    }
    Ok(())
}

fn failed(text: &str) -> impl FnOnce(tokenizers::Error) -> TokenizeError {
    let bytes = text.len();
    move |error| TokenizeError::Failed { bytes, reason: error.to_string() }
}

/// A JSON file that may be missing.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RunError::io("read", path)(error).into()),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| ModelError::Malformed { path: path.to_owned(), reason: error.to_string() })
}
