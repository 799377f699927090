//! What a decoder looks like: sizes and switches, read from `config.json` or
//! from a GGUF file's metadata, checked before any weight is read.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::family::{FAMILIES, Family, Window};
use super::rope::{Rope, Scaling, yarn_scale};
use crate::{Activation, ModelError};

/// Largest size that a config may name; keeps products of two far from overflow.
const LARGEST: usize = 1 << 24;

/// The checked form of a config.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a config is sizes and switches")]
pub(crate) struct Shape {
    pub(crate) family: &'static Family,
    pub(crate) vocabulary: usize,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) key_value_heads: usize,
    pub(crate) head: usize,
    pub(crate) inner: usize,
    pub(crate) epsilon: f32,
    /// Most positions.
    pub(crate) longest: usize,
    /// Is the head the embedding; a checkpoint without a head is tied, too.
    pub(crate) tied: bool,
    pub(crate) query_key_value_bias: bool,
    pub(crate) output_bias: bool,
    pub(crate) mlp_bias: bool,
    pub(crate) activation: Activation,
    /// What queries are multiplied by.
    pub(crate) query_scale: f32,
    /// What logits are squashed to.
    pub(crate) logit_cap: Option<f32>,
    /// Per layer, how many positions it sees, its own included, if not all.
    pub(crate) windows: Vec<Option<usize>>,
    /// Angles of layers that see everything.
    pub(crate) rope: Rope,
    /// Angles of layers that see a window.
    pub(crate) local_rope: Rope,
}

impl Shape {
    /// Width of the queries.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head
    }

    /// Width of the keys, which is that of the values.
    pub(crate) fn key_width(&self) -> usize {
        self.key_value_heads * self.head
    }

    /// Number of weights.
    pub(crate) fn parameters(&self) -> usize {
        let (d, q, k) = (self.hidden, self.query_width(), self.key_width());
        let matrices = d * (2 * q + 2 * k) + 3 * d * self.inner;
        let biases = usize::from(self.query_key_value_bias) * (q + 2 * k)
            + usize::from(self.output_bias) * d
            + usize::from(self.mlp_bias) * (2 * self.inner + d);
        let norms = d * if self.family.output_norms { 4 } else { 2 }
            + if self.family.query_key_norm { 2 * self.head } else { 0 };
        let embeddings = self.vocabulary * d * if self.tied { 1 } else { 2 };
        self.layers * (matrices + biases + norms) + embeddings + d
    }

    /// Bytes of keys and values that a position takes.
    pub(crate) fn bytes_per_position(&self) -> usize {
        self.layers * 2 * self.key_width() * size_of::<f32>()
    }

    /// Reads the text of `config.json` at `path`.
    pub(crate) fn from_config(path: &Path, text: &str) -> Result<Self, ModelError> {
        let malformed = |reason: String| ModelError::Malformed { path: path.to_owned(), reason };
        let wire: Wire =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        wire.check().map_err(malformed)
    }
}

/// `config.json` as it is written: everything may be missing, and old and new
/// names of a thing stand side by side.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wire {
    pub(crate) model_type: Option<String>,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) vocab_size: Option<usize>,
    pub(crate) hidden_size: Option<usize>,
    pub(crate) num_hidden_layers: Option<usize>,
    pub(crate) num_attention_heads: Option<usize>,
    pub(crate) num_key_value_heads: Option<usize>,
    pub(crate) head_dim: Option<usize>,
    pub(crate) intermediate_size: Option<usize>,
    pub(crate) rms_norm_eps: Option<f32>,
    pub(crate) max_position_embeddings: Option<usize>,
    pub(crate) tie_word_embeddings: Option<bool>,
    pub(crate) attention_bias: Option<bool>,
    pub(crate) mlp_bias: Option<bool>,
    pub(crate) hidden_act: Option<String>,
    pub(crate) hidden_activation: Option<String>,
    pub(crate) query_pre_attn_scalar: Option<f32>,
    pub(crate) attn_logit_softcapping: Option<f32>,
    pub(crate) final_logit_softcapping: Option<f32>,
    pub(crate) sliding_window: Option<usize>,
    pub(crate) use_sliding_window: Option<bool>,
    pub(crate) max_window_layers: Option<usize>,
    pub(crate) sliding_window_pattern: Option<usize>,
    #[serde(rename = "_sliding_window_pattern")]
    pub(crate) hidden_sliding_window_pattern: Option<usize>,
    pub(crate) layer_types: Option<Vec<String>>,
    pub(crate) use_bidirectional_attention: Option<Value>,
    pub(crate) rope_theta: Option<f64>,
    pub(crate) rope_local_base_freq: Option<f64>,
    pub(crate) rope_scaling: Option<Value>,
    pub(crate) rope_parameters: Option<Value>,
    pub(crate) partial_rotary_factor: Option<f64>,
    pub(crate) quantization_config: Option<Value>,
}

impl Wire {
    /// The checked form; the error says which field is at fault and what was expected.
    pub(crate) fn check(&self) -> Result<Shape, String> {
        let family = self.family()?;
        if let Some(quantised) = &self.quantization_config {
            let method = quantised.get("quant_method").and_then(Value::as_str).unwrap_or("unnamed");
            return Err(format!(
                "quantization_config {method} is not supported, expected weights as \
                 F32, F16 or BF16, or a GGUF file"
            ));
        }
        let size = |name: &str, value: Option<usize>| match value {
            Some(value) if (1..=LARGEST).contains(&value) => Ok(value),
            Some(value) => Err(format!("{name} is {value}, expected 1 to {LARGEST}")),
            None => Err(format!("{name} is missing")),
        };
        let hidden = size("hidden_size", self.hidden_size)?;
        let layers = size("num_hidden_layers", self.num_hidden_layers)?;
        let heads = size("num_attention_heads", self.num_attention_heads)?;
        let key_value_heads =
            size("num_key_value_heads", self.num_key_value_heads.or(Some(heads)))?;
        if layers > 4096 || heads > 4096 {
            return Err(format!("{layers} layers of {heads} heads, expected at most 4096 of each"));
        }
        if !heads.is_multiple_of(key_value_heads) {
            return Err(format!(
                "num_attention_heads {heads} is no multiple of num_key_value_heads \
                 {key_value_heads}"
            ));
        }
        let head = match self.head_dim.or(family.head_size) {
            Some(head) => size("head_dim", Some(head))?,
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => return Err(format!("hidden_size {hidden} does not divide into {heads} heads")),
        };
        if !head.is_multiple_of(2) || head > 4096 {
            return Err(format!("head_dim is {head}, expected an even number up to 4096"));
        }
        let epsilon = self.rms_norm_eps.unwrap_or(1e-6);
        if !(epsilon > 0.0 && epsilon < 1.0) {
            return Err(format!("rms_norm_eps is {epsilon}, expected above 0"));
        }
        let (rope, local_rope) = self.ropes(family)?;
        if self
            .use_bidirectional_attention
            .as_ref()
            .is_some_and(|it| *it != Value::Bool(false) && !it.is_null())
        {
            return Err("use_bidirectional_attention is not supported".to_owned());
        }
        // transformers reads it for no family here, so no checkpoint was made with it.
        if let Some(cap) = self.attn_logit_softcapping {
            return Err(format!("attn_logit_softcapping {cap} is not supported"));
        }
        let scalar = self.query_pre_attn_scalar.unwrap_or(head as f32);
        let positive = |name: &str, value: Option<f32>| match value {
            Some(value) if value > 0.0 && value.is_finite() => Ok(Some(value)),
            Some(value) => Err(format!("{name} is {value}, expected above 0")),
            None => Ok(None),
        };
        positive("query_pre_attn_scalar", Some(scalar))?;
        let attention_bias = self.attention_bias.unwrap_or(false);
        Ok(Shape {
            family,
            vocabulary: size("vocab_size", self.vocab_size)?,
            hidden,
            layers,
            heads,
            key_value_heads,
            head,
            inner: size("intermediate_size", self.intermediate_size)?,
            epsilon,
            longest: size("max_position_embeddings", self.max_position_embeddings)?,
            tied: self.tie_word_embeddings.unwrap_or(family.tied),
            query_key_value_bias: family.query_key_value_bias.unwrap_or(attention_bias),
            output_bias: family.query_key_value_bias.is_none() && attention_bias,
            mlp_bias: self.mlp_bias.unwrap_or(false),
            activation: self.activation(family)?,
            query_scale: 1.0 / scalar.sqrt(),
            logit_cap: positive("final_logit_softcapping", self.final_logit_softcapping)?,
            windows: self.windows(family, layers)?,
            rope,
            local_rope,
        })
    }

    fn family(&self) -> Result<&'static Family, String> {
        let Some(model_type) = &self.model_type else {
            return Err("model_type is missing".to_owned());
        };
        let known =
            || FAMILIES.iter().flat_map(|family| family.model_types).copied().collect::<Vec<_>>();
        let family = FAMILIES
            .iter()
            .find(|family| family.model_types.contains(&model_type.as_str()))
            .ok_or_else(|| {
                format!(
                    "model_type {model_type:?} is not supported, expected one of {}",
                    known().join(", ")
                )
            })?;
        // A classifier or an encoder of a known family has other heads or other masks.
        if let Some(other) = self
            .architectures
            .iter()
            .flatten()
            .find(|name| !name.ends_with("ForCausalLM") && !name.ends_with("Model"))
        {
            return Err(format!("architecture {other:?} is not supported, expected a ForCausalLM"));
        }
        Ok(family)
    }

    fn activation(&self, family: &Family) -> Result<Activation, String> {
        match self.hidden_activation.as_deref().or(self.hidden_act.as_deref()) {
            None => Ok(family.activation),
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some("gelu_pytorch_tanh" | "gelu_new") => Ok(Activation::GeluTanh),
            Some(other) => Err(format!(
                "hidden_act {other:?} is not supported, expected silu or gelu_pytorch_tanh"
            )),
        }
    }

    fn windows(&self, family: &Family, layers: usize) -> Result<Vec<Option<usize>>, String> {
        let window = match self.sliding_window {
            Some(0) => return Err("sliding_window is 0, expected at least 1".to_owned()),
            window => window,
        };
        let limited: Vec<bool> = if let Some(types) = &self.layer_types {
            if types.len() != layers {
                return Err(format!("{} layer_types for {layers} layers", types.len()));
            }
            let limited = types.iter().map(|kind| match kind.as_str() {
                "full_attention" => Ok(false),
                "sliding_attention" => Ok(true),
                other => Err(format!(
                    "layer type {other:?} is not supported, expected full_attention or \
                     sliding_attention"
                )),
            });
            limited.collect::<Result<_, _>>()?
        } else {
            let pattern =
                self.sliding_window_pattern.or(self.hidden_sliding_window_pattern).unwrap_or(6);
            let upper = self.max_window_layers.unwrap_or(28);
            let limited = |layer: usize| match family.window {
                Window::Never => false,
                Window::Always => true,
                Window::Upper => self.use_sliding_window == Some(true) && layer >= upper,
                Window::Alternating => !(layer + 1).is_multiple_of(pattern.max(1)),
            };
            (0..layers).map(limited).collect()
        };
        if window.is_none() && family.window == Window::Alternating && limited.contains(&true) {
            return Err("sliding_window is missing".to_owned());
        }
        Ok(limited.into_iter().map(|limited| window.filter(|_| limited)).collect())
    }

    /// Angles of layers that see everything, and of those that see a window.
    fn ropes(&self, family: &Family) -> Result<(Rope, Rope), String> {
        if let Some(part) = self.partial_rotary_factor.filter(|&part| part != 1.0) {
            return Err(format!("partial_rotary_factor {part} is not supported, expected 1"));
        }
        let (theta, local_theta) = family.rope_theta;
        let theta = self.rope_theta.unwrap_or(theta);
        if family.window != Window::Alternating {
            let given = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
            let rope = self.rope(given, theta)?;
            return Ok((rope.clone(), rope));
        }
        let local_theta = self.rope_local_base_freq.unwrap_or(local_theta);
        let of = |kind: &str| self.rope_parameters.as_ref().and_then(|all| all.get(kind));
        Ok((
            self.rope(of("full_attention").or(self.rope_scaling.as_ref()), theta)?,
            self.rope(of("sliding_attention"), local_theta)?,
        ))
    }

    fn rope(&self, given: Option<&Value>, theta: f64) -> Result<Rope, String> {
        let Some(given) = given.filter(|given| !given.is_null()) else {
            return Ok(Rope { theta, scaling: Scaling::None });
        };
        let optional = |name: &str| match given.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_f64()
                .filter(|value| *value > 0.0)
                .map(Some)
                .ok_or_else(|| format!("rope {name} is {value}, expected a number above 0")),
        };
        let number = |name: &str| optional(name)?.ok_or_else(|| format!("rope {name} is missing"));
        let theta = optional("rope_theta")?.unwrap_or(theta);
        if !(theta > 1.0 && theta.is_finite()) {
            return Err(format!("rope_theta is {theta}, expected above 1"));
        }
        if let Some(part) = optional("partial_rotary_factor")?.filter(|&part| part != 1.0) {
            return Err(format!("partial_rotary_factor {part} is not supported, expected 1"));
        }
        let kind = given.get("rope_type").or_else(|| given.get("type"));
        let trained = || match optional("original_max_position_embeddings")? {
            Some(trained) => Ok(trained),
            None => self
                .max_position_embeddings
                .map(|longest| longest as f64)
                .ok_or_else(|| "max_position_embeddings is missing".to_owned()),
        };
        let scaling = match kind.and_then(Value::as_str) {
            None | Some("default") => Scaling::None,
            Some("linear") => Scaling::Linear { factor: number("factor")? },
            Some("llama3") => Scaling::Llama3 {
                factor: number("factor")?,
                low: number("low_freq_factor")?,
                high: number("high_freq_factor")?,
                trained: number("original_max_position_embeddings")?,
            },
            Some("yarn") => {
                let factor = number("factor")?;
                let attention = match (
                    optional("attention_factor")?,
                    optional("mscale")?,
                    optional("mscale_all_dim")?,
                ) {
                    (Some(attention), ..) => attention,
                    (None, Some(one), Some(all)) => {
                        yarn_scale(factor, one) / yarn_scale(factor, all)
                    }
                    _ => yarn_scale(factor, 1.0),
                };
                Scaling::Yarn {
                    factor,
                    fast: optional("beta_fast")?.unwrap_or(32.0),
                    slow: optional("beta_slow")?.unwrap_or(1.0),
                    trained: trained()?,
                    attention,
                    whole: given.get("truncate").and_then(Value::as_bool).unwrap_or(true),
                }
            }
            Some(other) => {
                return Err(format!(
                    "rope scaling {other:?} is not supported, expected default, linear, llama3 \
                     or yarn"
                ));
            }
        };
        Ok(Rope { theta, scaling })
    }
}
