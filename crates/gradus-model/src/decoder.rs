//! The decoder's weights: their names, shapes and places.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Storage, Var};
use gradus::run::Stream;

use crate::fused::Workspace;
use crate::packed::PackedWeights;
use crate::{Activation, DecoderConfig, ModelError};

/// A pre-norm decoder of the Llama kind: `RMSNorm`, rotary positions, causal
/// attention, no biases, untied head, with an optional scalar evaluator head on
/// the final norm.
///
/// Every weight is a candle variable of its own; query, key and value (and gate
/// and up) share one, because one wide product is cheaper than three.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
    parameters: Vec<Parameter>,
    /// Buffers of finished micro-batches, for the next ones: one set per thread
    /// that was at work, however many micro-batches there are.
    spare: Mutex<Vec<Buffers>>,
}

/// What a micro-batch needs beside weights and gradient.
pub(crate) type Buffers = (PackedWeights, Workspace);

/// One weight, and its place in a flat gradient.
#[derive(Debug)]
pub struct Parameter {
    /// Name, as in Hugging Face's checkpoints where the weight is not packed.
    pub name: String,
    /// The weight itself; matrices have shape (outputs, inputs).
    pub var: Var,
    /// First index in a flat gradient.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Takes weight decay: every matrix, no norm.
    pub decay: bool,
}

impl Parameter {
    /// Changes the weight in place.
    pub fn update(&self, change: impl FnOnce(&mut [f32])) -> Result<(), ModelError> {
        Ok(self.var.inplace_op1(&Change(Cell::new(Some(change))))?)
    }

    /// Looks at the weight, row by row.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&[f32]) -> R) -> Result<R, ModelError> {
        let (storage, layout) = self.var.storage_and_layout();
        if let Storage::Cpu(CpuStorage::F32(values)) = &*storage
            && let Some((start, end)) = layout.contiguous_offsets()
        {
            return Ok(look(&values[start..end]));
        }
        let reason = format!("parameter {} is not contiguous f32 on a CPU", self.name);
        Err(candle_core::Error::Msg(reason).into())
    }

    /// A copy of the weight, row by row.
    pub fn to_vec(&self) -> Result<Vec<f32>, ModelError> {
        self.read(<[f32]>::to_vec)
    }
}

struct Change<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut [f32])> InplaceOp1 for Change<F> {
    fn name(&self) -> &'static str {
        "change"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(values) = storage else {
            return Err(candle_core::Error::Msg("a parameter is not f32".to_owned()));
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(candle_core::Error::Msg("a parameter is not contiguous".to_owned()));
        };
        if let Some(change) = self.0.take() {
            change(&mut values[start..end]);
        }
        Ok(())
    }
}

/// Indices of one layer's weights among the decoder's parameters.
pub(crate) mod part {
    pub(crate) const INPUT_NORM: usize = 0;
    pub(crate) const QKV: usize = 1;
    pub(crate) const ATTENTION_OUT: usize = 2;
    pub(crate) const MLP_NORM: usize = 3;
    pub(crate) const MLP_IN: usize = 4;
    pub(crate) const MLP_OUT: usize = 5;
    pub(crate) const COUNT: usize = 6;
}

/// How a weight starts.
enum Start {
    Ones,
    Zeros,
    Normal(f64),
}

impl Decoder {
    /// A decoder with fresh weights: matrices N(0, 1/inputs), outputs into the
    /// residual stream scaled by `1/sqrt(2 layers)` (Radford et al. 2019, "GPT-2",
    /// section 2.3), embeddings with deviation 0.5, language head halved,
    /// evaluator head zero.
    pub fn new(config: DecoderConfig, init: &mut Stream) -> Result<Self, ModelError> {
        config.check()?;
        let (d, inner) = (config.hidden_size, config.intermediate_size);
        let fan_in = |inputs: usize| 1.0 / (inputs as f64).sqrt();
        let residual = 1.0 / (2.0 * config.num_hidden_layers as f64).sqrt();
        let mut weights = Weights { parameters: Vec::new(), end: 0, init };
        weights.add("model.embed_tokens", &[config.vocab_size, d], &Start::Normal(0.5))?;
        for layer in 0..config.num_hidden_layers {
            let mut add = |part: &str, shape: &[usize], start: Start| {
                weights.add(&format!("model.layers.{layer}.{part}"), shape, &start)
            };
            let mlp_in = match config.hidden_act {
                Activation::GeluTanh => "mlp.up_proj",
                Activation::Silu => "mlp.gate_up_proj",
            };
            add("input_layernorm", &[d], Start::Ones)?;
            add("self_attn.qkv_proj", &[3 * d, d], Start::Normal(fan_in(d)))?;
            add("self_attn.o_proj", &[d, d], Start::Normal(fan_in(d) * residual))?;
            add("post_attention_layernorm", &[d], Start::Ones)?;
            add(mlp_in, &[config.packed_intermediate_size(), d], Start::Normal(fan_in(d)))?;
            add("mlp.down_proj", &[d, inner], Start::Normal(fan_in(inner) * residual))?;
        }
        weights.add("model.norm", &[d], &Start::Ones)?;
        weights.add("lm_head", &[config.vocab_size, d], &Start::Normal(0.5 * fan_in(d)))?;
        if config.value_head {
            weights.add("score", &[1, d], &Start::Zeros)?;
        }
        Ok(Self { parameters: weights.parameters, config, spare: Mutex::default() })
    }

    /// A copy that shares nothing, with or without an evaluator head; a head
    /// that was not there is zero.
    pub(crate) fn copy(&self, value_head: bool) -> Result<Self, ModelError> {
        let config = DecoderConfig { value_head, ..self.config };
        let mut parameters = Vec::with_capacity(self.parameters.len() + 1);
        for old in &self.parameters[..self.parameters.len() - usize::from(self.config.value_head)] {
            parameters.push(old.copy()?);
        }
        if value_head {
            let start = parameters.last().map_or(0, |last| last.offset + last.len);
            parameters.push(match self.value_head() {
                Some(old) => old.copy()?,
                None => Parameter {
                    name: "score.weight".to_owned(),
                    var: Var::from_vec(
                        vec![0.0f32; config.hidden_size],
                        (1, config.hidden_size),
                        &Device::Cpu,
                    )?,
                    offset: start,
                    len: config.hidden_size,
                    decay: true,
                },
            });
        }
        Ok(Self { config, parameters, spare: Mutex::default() })
    }

    /// Its sizes.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Every weight, in the order of a flat gradient.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Number of weights, which is the length of a flat gradient.
    pub fn len(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.offset + last.len)
    }

    /// Is it without weights (it never is).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Buffers that no micro-batch is using.
    pub(crate) fn spare(&self) -> Option<Buffers> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps buffers for the next micro-batch.
    pub(crate) fn keep(&self, buffers: Buffers) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }

    pub(crate) fn embedding(&self) -> &Parameter {
        &self.parameters[0]
    }

    /// A weight of a layer, by its index in [`part`].
    pub(crate) fn layer(&self, layer: usize, part: usize) -> &Parameter {
        &self.parameters[1 + layer * part::COUNT + part]
    }

    pub(crate) fn final_norm(&self) -> &Parameter {
        &self.parameters[1 + self.config.num_hidden_layers * part::COUNT]
    }

    pub(crate) fn lm_head(&self) -> &Parameter {
        &self.parameters[2 + self.config.num_hidden_layers * part::COUNT]
    }

    pub(crate) fn value_head(&self) -> Option<&Parameter> {
        self.parameters.get(3 + self.config.num_hidden_layers * part::COUNT)
    }
}

impl Parameter {
    fn copy(&self) -> Result<Self, ModelError> {
        Ok(Self {
            name: self.name.clone(),
            var: Var::from_vec(self.to_vec()?, self.var.shape(), &Device::Cpu)?,
            offset: self.offset,
            len: self.len,
            decay: self.decay,
        })
    }
}

/// The parameter list while it grows.
struct Weights<'a> {
    parameters: Vec<Parameter>,
    end: usize,
    init: &'a mut Stream,
}

impl Weights<'_> {
    fn add(&mut self, name: &str, shape: &[usize], start: &Start) -> Result<(), ModelError> {
        let len = shape.iter().product();
        let values: Vec<f32> = match start {
            Start::Ones => vec![1.0; len],
            Start::Zeros => vec![0.0; len],
            Start::Normal(deviation) => {
                (0..len).map(|_| (deviation * self.init.normal()) as f32).collect()
            }
        };
        self.parameters.push(Parameter {
            name: format!("{name}.weight"),
            var: Var::from_vec(values, shape, &Device::Cpu)?,
            offset: self.end,
            len,
            decay: shape.len() > 1,
        });
        self.end += len;
        Ok(())
    }
}
