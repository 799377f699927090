//! The tokenizer that a GGUF file describes in its metadata.
//!
//! The file has the vocabulary, its merges or scores and the kind of every token;
//! what it does not have, the rules by which a text is cut, is here and in
//! [`super::splits`]. The result is the tokenizer that the model had as
//! `tokenizer.json`, so ids are transformers' where transformers and llama.cpp differ.

use std::collections::HashMap;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::replace::Replace;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{AddedToken, Tokenizer};

use super::SubwordTokenizer;
use super::special::SpecialTokens;
use super::splits::SplitRule;
use super::subword::{Spelling, byte_characters};
use crate::ModelError;
use crate::weights::Metadata;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const SCORES: &str = "tokenizer.ggml.scores";

/// Kinds of tokens that are matched in a text as a whole, by their number.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Tokens that end a turn wherever they are control tokens; as llama.cpp has it.
const ENDS: [&str; 8] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "</s>",
];

/// Architectures whose sentence pieces are Gemma's: no space is put before a text, and
/// merges have the order of the vocabulary.
const GEMMA: [&str; 4] = ["gemma", "gemma2", "gemma3", "gemma3n"];

type Merges = Vec<(String, String)>;

/// A tokenizer without its added tokens.
struct Parts {
    model: BPE,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    decoder: DecoderWrapper,
    spelling: Spelling,
}

impl SubwordTokenizer {
    /// The tokenizer of a GGUF file. A kind of tokenizer or a rule of cutting that is not
    /// known is refused by its name.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, ModelError> {
        let tokens = metadata.required(TOKENS, Metadata::texts)?;
        let kinds = metadata.integers(KINDS)?.unwrap_or_default();
        if !kinds.is_empty() && kinds.len() != tokens.len() {
            let reason = format!("{} kinds of {} tokens", kinds.len(), tokens.len());
            return Err(metadata.malformed(KINDS, reason));
        }
        let kind = |id: usize| kinds.get(id).copied().unwrap_or(1);
        let parts = match metadata.required(MODEL, Metadata::text)? {
            "gpt2" => byte_level(metadata, &tokens, &kind)?,
            "llama" => sentence_pieces(metadata, &tokens)?,
            other => {
                let reason = format!("a tokenizer of kind {other:?}; known are gpt2 and llama");
                return Err(metadata.malformed(MODEL, reason));
            }
        };
        let failed = |error: tokenizers::Error| metadata.malformed(TOKENS, error);
        let mut inner = Tokenizer::new(parts.model);
        inner.with_normalizer(parts.normalizer).map_err(failed)?;
        inner.with_pre_tokenizer(parts.pre_tokenizer);
        inner.with_decoder(Some(parts.decoder));
        let whole = |special: bool, of: i64| {
            tokens
                .iter()
                .enumerate()
                .filter(move |&(id, text)| kind(id) == of && !text.is_empty())
                .filter(|(id, text)| inner.token_to_id(text) == Some(*id as u32))
                .map(move |(_, text)| AddedToken::from(*text, special).normalized(false))
                .collect::<Vec<_>>()
        };
        let (control, user) = (whole(true, CONTROL), whole(false, USER_DEFINED));
        inner.add_special_tokens(control).map_err(failed)?;
        inner.add_tokens(user).map_err(failed)?;

        let special = special(metadata, &tokens, kind)?;
        // llama.cpp begins a text of sentence pieces so unless the file says otherwise.
        let begins = metadata
            .flag("tokenizer.ggml.add_bos_token")?
            .unwrap_or(parts.spelling != Spelling::Bytes);
        let before = special.beginning.filter(|_| begins).into_iter().collect();
        Self::new(inner, before, special, parts.spelling)
            .map_err(|reason| metadata.malformed(TOKENS, reason))
    }
}

/// GPT-2's kind: merges over bytes.
fn byte_level(
    metadata: &Metadata,
    tokens: &[&str],
    kind: &impl Fn(usize) -> i64,
) -> Result<Parts, ModelError> {
    let name = metadata.text(PRE)?.unwrap_or("default");
    let rule = SplitRule::named(name).ok_or_else(|| {
        let reason = format!(
            "how {name:?} cuts a text into words is not known; known are {}. Another rule would \
             give other tokens without a sign of it",
            SplitRule::names()
        );
        metadata.malformed(PRE, reason)
    })?;
    let spelled: Vec<char> = byte_characters().collect();
    let mut vocab = Vocab::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        // Some files write the bytes themselves where the character is meant.
        let plain = kind(id) == 1 && token.chars().any(|character| !spelled.contains(&character));
        let text = if plain {
            token.bytes().map(|byte| spelled[usize::from(byte)]).collect()
        } else {
            (*token).to_owned()
        };
        vocab.insert(text, id as u32);
    }
    let merges = metadata
        .required(MERGES, Metadata::texts)?
        .into_iter()
        .map(|merge| {
            let (left, right) = merge
                .split_once(' ')
                .ok_or_else(|| metadata.malformed(MERGES, format!("{merge:?} is not a pair")))?;
            Ok((left.to_owned(), right.to_owned()))
        })
        .collect::<Result<Merges, ModelError>>()?;
    let failed = |error: tokenizers::Error| metadata.malformed(MERGES, error);
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .ignore_merges(rule.whole_pieces)
        .build()
        .map_err(failed)?;
    Ok(Parts {
        model,
        normalizer: rule.normalizer(),
        pre_tokenizer: Some(rule.pre_tokenizer().map_err(failed)?),
        decoder: ByteLevel::new(false, true, true).into(),
        spelling: Spelling::Bytes,
    })
}

/// The kind of sentence pieces: merges by score, and bytes where there is no piece.
fn sentence_pieces(metadata: &Metadata, tokens: &[&str]) -> Result<Parts, ModelError> {
    let name = metadata.text(PRE)?.unwrap_or("default");
    if name != "default" {
        let reason =
            format!("how {name:?} cuts a text is not known for sentence pieces; known is default");
        return Err(metadata.malformed(PRE, reason));
    }
    let gemma = GEMMA.contains(&metadata.text("general.architecture")?.unwrap_or_default());
    // Gemma's runs of spaces stand in the file as spaces.
    let spaces = |text: &str| gemma && text.len() > 1 && text.bytes().all(|byte| byte == b' ');
    let texts: Vec<String> = tokens
        .iter()
        .map(|text| if spaces(text) { "\u{2581}".repeat(text.len()) } else { (*text).to_owned() })
        .collect();
    let scores = if gemma {
        (0..texts.len()).map(|id| -(id as f64)).collect()
    } else {
        metadata.required(SCORES, Metadata::numbers)?
    };
    if scores.len() != texts.len() {
        let reason = format!("{} scores of {} tokens", scores.len(), texts.len());
        return Err(metadata.malformed(SCORES, reason));
    }
    let unknown = metadata.count("tokenizer.ggml.unknown_token_id")?;
    let unknown = unknown.and_then(|id| texts.get(id).cloned());
    let merges = match metadata.texts(MERGES)? {
        Some(merges) => merges
            .iter()
            .filter_map(|merge| merge.split_once(' '))
            .map(|(left, right)| (left.to_owned(), right.to_owned()))
            .collect(),
        None => merges_by_score(&texts, &scores),
    };
    let vocab: Vocab = texts.into_iter().zip(0..).collect();
    let mut model =
        BPE::builder().vocab_and_merges(vocab, merges).fuse_unk(true).byte_fallback(true);
    if let Some(unknown) = unknown {
        model = model.unk_token(unknown);
    }
    let failed = |error: tokenizers::Error| metadata.malformed(TOKENS, error);
    let model = model.build().map_err(failed)?;
    let spaced = !gemma && metadata.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let (normalizer, pre_tokenizer) = if gemma {
        let replace = Replace::new(" ", "\u{2581}").map_err(failed)?;
        (Some(replace.into()), None)
    } else {
        let scheme = if spaced { PrependScheme::First } else { PrependScheme::Never };
        (None, Some(Metaspace::new('\u{2581}', scheme, false).into()))
    };
    // Decoding goes by the pieces; this says the same in the library's words.
    let decoder = tokenizers::decoders::sequence::Sequence::new(vec![
        Replace::new("\u{2581}", " ").map_err(failed)?.into(),
        tokenizers::decoders::byte_fallback::ByteFallback::new().into(),
    ]);
    Ok(Parts {
        model,
        normalizer,
        pre_tokenizer,
        decoder: decoder.into(),
        spelling: Spelling::SentencePiece { spaced },
    })
}

/// Every way to make a piece of two others, the piece of the highest score first.
fn merges_by_score(texts: &[String], scores: &[f64]) -> Merges {
    let ids: HashMap<&str, usize> = texts.iter().map(String::as_str).zip(0..).collect();
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (id, text) in texts.iter().enumerate() {
        let start = found.len();
        for (cut, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(cut);
            if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                found.push((id, left, right));
            }
        }
        found[start..].sort_unstable();
    }
    // Of equal scores the one with the longer parts first, then in the order they came.
    let lengths: Vec<usize> = texts.iter().map(|text| text.chars().count()).collect();
    let order =
        |&(id, left, right): &(usize, usize, usize)| (scores[id], lengths[left], lengths[right]);
    found.sort_by(|a, b| {
        let (a, b) = (order(a), order(b));
        b.0.total_cmp(&a.0).then((b.1, b.2).cmp(&(a.1, a.2)))
    });
    let pair =
        |(_, left, right): (usize, usize, usize)| (texts[left].clone(), texts[right].clone());
    found.into_iter().map(pair).collect()
}

/// The special tokens that the metadata names, and other ends that its vocabulary marks.
fn special(
    metadata: &Metadata,
    tokens: &[&str],
    kind: impl Fn(usize) -> i64,
) -> Result<SpecialTokens, ModelError> {
    let id = |name: &str| -> Result<Option<u32>, ModelError> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        match metadata.count(&key)? {
            Some(id) if id >= tokens.len() => {
                Err(metadata.malformed(&key, format!("{id} of {} tokens", tokens.len())))
            }
            id => Ok(id.map(|id| id as u32)),
        }
    };
    let mut end: Vec<u32> = Vec::new();
    for name in ["eos", "eot", "eom"] {
        end.extend(id(name)?);
    }
    for (at, token) in tokens.iter().enumerate() {
        if kind(at) == CONTROL && ENDS.contains(token) {
            end.push(at as u32);
        }
    }
    let mut seen = Vec::new();
    end.retain(|id| {
        !seen.contains(id) && {
            seen.push(*id);
            true
        }
    });
    Ok(SpecialTokens { beginning: id("bos")?, end, padding: id("padding")? })
}
