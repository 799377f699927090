//! The config of a GGUF file: its metadata under the names of `config.json`.

use serde_json::json;

use super::family::{FAMILIES, Window};
use super::rope::Scaling;
use super::shape::{Shape, Wire};
use crate::{Metadata, ModelError, WeightFiles};

const ARCHITECTURE: &str = "general.architecture";
/// Divisors of the rotary frequencies, beside the weights.
const DIVISORS: &str = "rope_freqs.weight";

impl Shape {
    /// Reads the metadata of a GGUF file; `files` are its tensors.
    pub(crate) fn from_gguf(metadata: &Metadata, files: &WeightFiles) -> Result<Self, ModelError> {
        let architecture = metadata.required(ARCHITECTURE, Metadata::text)?;
        let Some(family) = FAMILIES.iter().find(|family| family.gguf == architecture) else {
            let known: Vec<&str> = FAMILIES.iter().map(|family| family.gguf).collect();
            return Err(metadata.malformed(
                ARCHITECTURE,
                format!("{architecture:?} is not supported, expected one of {}", known.join(", ")),
            ));
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let count = |name: &str| metadata.count(&key(name));
        let number = |name: &str| metadata.number(&key(name));
        let has = |name: &str| files.info(name).is_some();
        let rows = |name: &str| files.info(name).and_then(|info| info.shape.first().copied());
        let scaling = metadata.text(&key("rope.scaling.type"))?.filter(|kind| *kind != "none");
        let mut wire = Wire {
            model_type: family.model_types.first().map(|&name| name.to_owned()),
            vocab_size: rows("model.embed_tokens.weight"),
            hidden_size: count("embedding_length")?,
            num_hidden_layers: count("block_count")?,
            num_attention_heads: count("attention.head_count")?,
            num_key_value_heads: count("attention.head_count_kv")?,
            head_dim: count("attention.key_length")?,
            intermediate_size: count("feed_forward_length")?,
            rms_norm_eps: number("attention.layer_norm_rms_epsilon")?.map(|epsilon| epsilon as f32),
            max_position_embeddings: count("context_length")?,
            tie_word_embeddings: Some(!has("lm_head.weight")),
            attention_bias: Some(has("model.layers.0.self_attn.q_proj.bias")),
            final_logit_softcapping: number("final_logit_softcapping")?.map(|cap| cap as f32),
            sliding_window: count("attention.sliding_window")?,
            rope_theta: number("rope.freq_base")?,
            rope_local_base_freq: number("rope.freq_base_swa")?,
            rope_scaling: match scaling {
                None => None,
                Some(kind) => Some(json!({
                    "rope_type": kind,
                    "factor": number("rope.scaling.factor")?,
                    "original_max_position_embeddings":
                        number("rope.scaling.original_context_length")?,
                })),
            },
            ..Wire::default()
        };
        // A head's width is not written where it follows from the others.
        if wire.head_dim.is_none()
            && let (Some(hidden), Some(heads)) = (wire.hidden_size, wire.num_attention_heads)
        {
            wire.head_dim = hidden.checked_div(heads);
        }
        // Of Gemma 3, the model with 62 layers alone has queries scaled by another width.
        if family.window == Window::Alternating && wire.num_hidden_layers == Some(62) {
            let width = wire.hidden_size.zip(wire.num_attention_heads);
            wire.query_pre_attn_scalar = width.map(|(hidden, heads)| hidden as f32 / heads as f32);
        }
        let malformed = |reason: String| metadata.malformed(ARCHITECTURE, reason);
        let mut shape = wire.check().map_err(malformed)?;
        for (name, expected) in
            [("attention.value_length", shape.head), ("rope.dimension_count", shape.head)]
        {
            if let Some(found) = count(name)?.filter(|&found| found != expected) {
                return Err(metadata.malformed(
                    &key(name),
                    format!("{found} is not supported beside heads of width {expected}"),
                ));
            }
        }
        if has(DIVISORS) {
            files.expect(DIVISORS, &[shape.head / 2])?;
            let mut divisors = Vec::new();
            files.read_f32(DIVISORS, &mut divisors)?;
            shape.rope.scaling = Scaling::Divisors(divisors);
            shape.local_rope = shape.rope.clone();
        }
        Ok(shape)
    }
}
