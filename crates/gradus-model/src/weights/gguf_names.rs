//! From the names of tensors in GGUF files to those of Hugging Face's models, and what
//! the conversion did to the numbers.
//!
//! Source: llama.cpp, `gguf-py/gguf/tensor_mapping.py` for the names and
//! `convert_hf_to_gguf.py` for the numbers (`LlamaModel.permute`, `Gemma3Model.norm_shift`).

use super::metadata::Metadata;
use crate::ModelError;

/// A family of models, by `general.architecture`.
struct Family {
    architecture: &'static str,
    /// What the parts of a layer are called besides [`SHARED`].
    norms: &'static [(&'static str, &'static str)],
    /// The rows of queries and keys are in the order of interleaved rotation.
    interleaved: bool,
    /// Weights of norms are one more than in Hugging Face's files.
    norm_plus_one: bool,
}

const ONE_NORM: &[(&str, &str)] = &[("ffn_norm", "post_attention_layernorm")];

const FAMILIES: [Family; 4] = [
    // Also SmolLM2 and Mistral.
    Family { architecture: "llama", norms: ONE_NORM, interleaved: true, norm_plus_one: false },
    Family { architecture: "qwen2", norms: ONE_NORM, interleaved: false, norm_plus_one: false },
    Family { architecture: "qwen3", norms: ONE_NORM, interleaved: false, norm_plus_one: false },
    Family {
        architecture: "gemma3",
        norms: &[
            ("post_attention_norm", "post_attention_layernorm"),
            ("ffn_norm", "pre_feedforward_layernorm"),
            ("post_ffw_norm", "post_feedforward_layernorm"),
        ],
        interleaved: false,
        norm_plus_one: true,
    },
];

/// Parts of a layer that are called the same in every family.
const SHARED: [(&str, &str); 10] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// Parts outside the layers.
const OUTSIDE: [(&str, &str); 3] =
    [("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

/// What has to be done to the numbers of a file to get those of the model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layout {
    /// Nothing.
    Plain,
    /// Rows of so many heads, each with the two halves of the rotation interleaved.
    Interleaved { heads: usize },
    /// One is to be taken off.
    PlusOne,
}

/// Names of one file.
pub(super) struct Names {
    family: &'static Family,
    heads: usize,
    key_heads: usize,
}

impl Names {
    /// For the architecture that `metadata` names; others are refused.
    pub(super) fn of(metadata: &Metadata) -> Result<Self, ModelError> {
        let architecture = metadata.required("general.architecture", Metadata::text)?;
        let Some(family) = FAMILIES.iter().find(|family| family.architecture == architecture)
        else {
            let known = FAMILIES.map(|family| family.architecture).join(", ");
            return Err(metadata
                .file
                .unsupported(format!("architecture {architecture:?}; these are read: {known}")));
        };
        let heads = format!("{architecture}.attention.head_count");
        let key_heads = format!("{architecture}.attention.head_count_kv");
        let heads = metadata.required(&heads, Metadata::count)?;
        let key_heads = metadata.count(&key_heads)?.unwrap_or(heads);
        Ok(Self { family, heads, key_heads })
    }

    /// The name in the model, and what was done to the numbers. A tensor without
    /// a counterpart (`rope_freqs.weight`) keeps its name.
    pub(super) fn translate(&self, name: &str) -> (String, Layout) {
        self.translated(name).unwrap_or_else(|| (name.to_owned(), Layout::Plain))
    }

    fn translated(&self, name: &str) -> Option<(String, Layout)> {
        let (part, kind) = name.rsplit_once('.')?;
        if !matches!(kind, "weight" | "bias") {
            return None;
        }
        let find = |table: &[(&str, &'static str)], part: &str| {
            table.iter().find(|(known, _)| *known == part).map(|&(_, name)| name)
        };
        let (part, translated) = if let Some(rest) = part.strip_prefix("blk.") {
            let (layer, part) = rest.split_once('.')?;
            // `07` and `7` would be one layer.
            let number: usize = layer.parse().ok().filter(|n: &usize| n.to_string() == layer)?;
            let own = find(&SHARED, part).or_else(|| find(self.family.norms, part))?;
            (part, format!("model.layers.{number}.{own}.{kind}"))
        } else {
            (part, format!("{}.{kind}", find(&OUTSIDE, part)?))
        };
        let layout = match part {
            "attn_q" if self.family.interleaved => Layout::Interleaved { heads: self.heads },
            "attn_k" if self.family.interleaved => Layout::Interleaved { heads: self.key_heads },
            _ if self.family.norm_plus_one && part.ends_with("norm") => Layout::PlusOne,
            _ => Layout::Plain,
        };
        Some((translated, layout))
    }
}

/// Whether a matrix or bias of `shape` has the rows of `heads` heads of even size.
pub(super) fn is_of_heads(shape: &[usize], heads: usize) -> bool {
    matches!(shape, [rows] | [rows, _] if heads > 0 && rows.is_multiple_of(2 * heads) && *rows > 0)
}

/// Where a row of queries or keys is in the file: there the pairs of the rotation are
/// neighbours, in the model they are half a head apart.
pub(super) fn stored_at(row: usize, rows: usize, heads: usize) -> usize {
    let size = rows / heads;
    let (head, within) = (row / size, row % size);
    head * size + within % (size / 2) * 2 + within / (size / 2)
}
