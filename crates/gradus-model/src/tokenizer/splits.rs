//! How vocabularies of bytes cut a text before any merge, by the name that GGUF files give it.
//!
//! A GGUF file holds the name of the rule and not the rule, so this table is what
//! the name means; a wrong row would give wrong ids without a sign of it, and a
//! name that is not here is refused.

use tokenizers::normalizers::{NFC, NormalizerWrapper};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

/// One rule of cutting.
pub(super) struct SplitRule {
    /// Values of `tokenizer.ggml.pre` that mean it.
    names: &'static [&'static str],
    cut: Cut,
    /// Compose characters first (NFC).
    pub(super) compose: bool,
    /// A piece that is a token as a whole is that token, whatever the merges say.
    pub(super) whole_pieces: bool,
}

enum Cut {
    /// GPT-2's words, after single digits if so said.
    Gpt2 { single_digits: bool },
    /// The matches of a regular expression.
    Pattern(&'static str),
}

const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const ALL: &[SplitRule] = &[
    SplitRule {
        names: &["gpt-2", "phi-2", "olmo"],
        cut: Cut::Gpt2 { single_digits: false },
        compose: false,
        whole_pieces: false,
    },
    SplitRule {
        names: &["smollm", "starcoder"],
        cut: Cut::Gpt2 { single_digits: true },
        compose: false,
        whole_pieces: false,
    },
    SplitRule {
        names: &["llama-bpe", "llama3", "llama-v3"],
        cut: Cut::Pattern(LLAMA_3),
        compose: false,
        whole_pieces: true,
    },
    SplitRule {
        names: &["qwen2", "deepseek-r1-qwen"],
        cut: Cut::Pattern(QWEN_2),
        compose: true,
        whole_pieces: false,
    },
    SplitRule { names: &["tekken"], cut: Cut::Pattern(TEKKEN), compose: false, whole_pieces: true },
];

impl SplitRule {
    /// The rule that `name` means.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|rule| rule.names.contains(&name))
    }

    /// All names, for an error.
    pub(super) fn names() -> String {
        ALL.iter().flat_map(|rule| rule.names).copied().collect::<Vec<_>>().join(", ")
    }

    /// The rule as the library has it; the bytes of each piece come out as GPT-2 writes them.
    pub(super) fn pre_tokenizer(&self) -> tokenizers::Result<PreTokenizerWrapper> {
        let (first, words) = match self.cut {
            Cut::Gpt2 { single_digits: false } => {
                return Ok(ByteLevel::new(false, false, true).into());
            }
            Cut::Gpt2 { single_digits: true } => (Digits::new(true).into(), true),
            Cut::Pattern(pattern) => {
                let pattern = SplitPattern::Regex(pattern.to_owned());
                let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
                (split.into(), false)
            }
        };
        Ok(Sequence::new(vec![first, ByteLevel::new(false, false, words).into()]).into())
    }

    /// What is done to a text before it is cut.
    pub(super) fn normalizer(&self) -> Option<NormalizerWrapper> {
        self.compose.then(|| NFC.into())
    }
}
