use serde::{Deserialize, Serialize};

use crate::ModelError;

/// The nonlinearity of the MLP, by its name in `config.json`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Activation {
    /// GELU in its tanh form; one up projection, no gate.
    #[default]
    #[serde(rename = "gelu_pytorch_tanh")]
    GeluTanh,
    /// `SwiGLU`: `silu(gate x) * up x` (Shazeer 2020, "GLU Variants Improve Transformer").
    #[serde(rename = "silu")]
    Silu,
}

/// Sizes of a decoder, under the names of Hugging Face's `config.json`.
///
/// The default is the tiny model of the easy-to-hard study; `vocab_size` is
/// filled in from the tokenizer when a model is made.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct DecoderConfig {
    /// Number of tokens that the model knows.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads; divides `hidden_size` into even head widths.
    pub num_attention_heads: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// The nonlinearity of the MLP.
    pub hidden_act: Activation,
    /// Base of the rotary position angles (Su et al. 2021, "`RoFormer`", section 3.2.2).
    pub rope_theta: f32,
    /// Added to the mean square before its root in every norm.
    pub rms_norm_eps: f32,
    /// Most tokens that a sequence may have.
    pub max_position_embeddings: usize,
    /// Is there a scalar evaluator head on the final norm.
    pub value_head: bool,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            vocab_size: 0,
            hidden_size: 64,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            intermediate_size: 256,
            hidden_act: Activation::GeluTanh,
            rope_theta: 1000.0,
            rms_norm_eps: 1e-6,
            max_position_embeddings: 512,
            value_head: true,
        }
    }
}

impl DecoderConfig {
    /// Width of one head.
    pub(crate) fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Rows of the packed input projection of the MLP.
    pub(crate) fn packed_intermediate_size(&self) -> usize {
        match self.hidden_act {
            Activation::GeluTanh => self.intermediate_size,
            Activation::Silu => 2 * self.intermediate_size,
        }
    }

    /// Refuses sizes that make no decoder.
    pub fn check(&self) -> Result<(), ModelError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        // The bound keeps products of two sizes far from overflow, whatever a file says.
        if let Some((name, size)) = sizes.iter().find(|(_, size)| !(1..=1 << 24).contains(size)) {
            return Err(ModelError::Config { reason: format!("{name} is {size}") });
        }
        if !self.hidden_size.is_multiple_of(2 * self.num_attention_heads) {
            return Err(ModelError::Config {
                reason: format!(
                    "hidden_size {} does not divide into {} heads of even width",
                    self.hidden_size, self.num_attention_heads
                ),
            });
        }
        if !(self.rope_theta > 0.0 && self.rms_norm_eps > 0.0) {
            return Err(ModelError::Config {
                reason: format!(
                    "rope_theta {} and rms_norm_eps {} must be above 0",
                    self.rope_theta, self.rms_norm_eps
                ),
            });
        }
        Ok(())
    }
}
