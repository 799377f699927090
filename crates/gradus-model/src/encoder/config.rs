use std::path::Path;

use serde::Deserialize;

use crate::ModelError;
use crate::tokenizer::read_json;

/// Sizes and kind of an encoder, under the names of `config.json`.
#[derive(Clone, Debug)]
pub(super) struct EncoderConfig {
    pub(super) family: &'static Family,
    pub(super) head: Head,
    pub(super) activation: Activation,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    pub(super) layer_norm_eps: f32,
    /// The position of a text's first token.
    pub(super) first_position: usize,
}

/// A row of the table of families.
#[derive(Debug)]
pub(super) struct Family {
    /// `model_type`.
    name: &'static str,
    /// What precedes the names of weights in a model with a head.
    pub(super) prefix: &'static str,
    /// Positions are counted from the padding's id on.
    counts_from_padding: bool,
}

const FAMILIES: &[Family] = &[
    Family { name: "bert", prefix: "bert.", counts_from_padding: false },
    Family { name: "roberta", prefix: "roberta.", counts_from_padding: true },
    Family { name: "xlm-roberta", prefix: "roberta.", counts_from_padding: true },
    Family { name: "camembert", prefix: "roberta.", counts_from_padding: true },
];

/// What is on top of the last layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Head {
    None,
    /// Pooler and `classifier`, as in `BertForSequenceClassification`.
    Pooler,
    /// `classifier.dense` and `classifier.out_proj`, as in `RobertaForSequenceClassification`.
    Dense,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Activation {
    /// GELU by the error function.
    Gelu,
    /// GELU in its tanh form.
    GeluTanh,
}

#[derive(Deserialize)]
struct File {
    model_type: String,
    #[serde(default)]
    architectures: Vec<String>,
    hidden_act: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    type_vocab_size: usize,
    layer_norm_eps: f64,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

impl EncoderConfig {
    /// Whether a model of this `model_type` is an encoder.
    pub(super) fn is_encoder(model_type: &str) -> bool {
        FAMILIES.iter().any(|family| family.name == model_type)
    }

    pub(super) fn read(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let unsupported = |what: String| ModelError::Unsupported { path: path.clone(), what };
        let malformed = |reason: String| ModelError::Malformed { path: path.clone(), reason };
        // The kind first: other kinds lack fields that are needed here.
        let json: serde_json::Value = read_json(&path)?
            .ok_or_else(|| malformed("there is no such file, and it names the model".to_owned()))?;
        let kind = json["model_type"].as_str().unwrap_or_default();
        let family = FAMILIES.iter().find(|family| family.name == kind).ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            unsupported(format!(
                "model_type {kind:?} is no encoder that is supported; known are {}",
                known.join(", ")
            ))
        })?;
        let file: File =
            serde_json::from_value(json).map_err(|error| malformed(error.to_string()))?;
        debug_assert_eq!(file.model_type, family.name);
        let activation = match file.hidden_act.as_str() {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            other => {
                return Err(unsupported(format!(
                    "hidden_act {other:?}; known are gelu, gelu_new and gelu_pytorch_tanh"
                )));
            }
        };
        if let Some(kind) = file.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(unsupported(format!(
                "position_embedding_type {kind:?}; known is absolute"
            )));
        }
        if file.is_decoder {
            return Err(unsupported("is_decoder: it attends to the past alone".to_owned()));
        }
        let architecture = file.architectures.first().map_or("", String::as_str);
        let head = match (architecture.ends_with("ForSequenceClassification"), family.name) {
            (false, _) => Head::None,
            (true, "bert") => Head::Pooler,
            (true, _) => Head::Dense,
        };
        let first_position =
            if family.counts_from_padding { file.pad_token_id.unwrap_or(1) + 1 } else { 0 };
        let sizes = [
            ("vocab_size", file.vocab_size),
            ("hidden_size", file.hidden_size),
            ("num_hidden_layers", file.num_hidden_layers),
            ("num_attention_heads", file.num_attention_heads),
            ("intermediate_size", file.intermediate_size),
            ("max_position_embeddings", file.max_position_embeddings),
        ];
        for (name, size) in sizes {
            if size == 0 || size > 1 << 24 {
                return Err(malformed(format!("{name} is {size}, expected 1 to {}", 1 << 24)));
            }
        }
        if !file.hidden_size.is_multiple_of(file.num_attention_heads) {
            return Err(malformed(format!(
                "hidden_size {} is no multiple of num_attention_heads {}",
                file.hidden_size, file.num_attention_heads
            )));
        }
        if first_position + 2 >= file.max_position_embeddings {
            return Err(malformed(format!(
                "max_position_embeddings {} leaves no room for a text from position {first_position}",
                file.max_position_embeddings
            )));
        }
        Ok(Self {
            family,
            head,
            activation,
            vocab_size: file.vocab_size,
            hidden_size: file.hidden_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: file.num_attention_heads,
            intermediate_size: file.intermediate_size,
            max_position_embeddings: file.max_position_embeddings,
            type_vocab_size: file.type_vocab_size,
            layer_norm_eps: file.layer_norm_eps as f32,
            first_position,
        })
    }

    /// Most tokens that have a position.
    pub(super) fn positions(&self) -> usize {
        self.max_position_embeddings - self.first_position
    }
}
