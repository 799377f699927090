//! The decoder as a composition of differentiable candle primitives.
//!
//! This is the definition that reads like the equations. It runs wherever
//! candle does; the fused path is tested against it, loss and all gradients.
//! candle-nn's fused norms, softmax and rotary ops are not used: they have no
//! backward and would end the gradient in silence.

use candle_core::{D, Device, Result, Tensor};

use crate::batch::check;
use crate::decoder::part;
use crate::{Activation, Decoder, Example, ModelError};

/// The weighted loss of a micro-batch, and its parts.
#[derive(Clone, Debug)]
pub struct ComposedLoss {
    /// Language and evaluator part together, to be differentiated.
    pub total: Tensor,
    /// Sum of weight times cross-entropy over language targets.
    pub lm: f64,
    /// Sum of weight times binary cross-entropy over evaluator targets.
    pub value: f64,
}

impl Decoder {
    /// The final norm's output for sequences padded on the right, shape (sequences,
    /// longest, hidden): a candle tensor, for losses that [`crate::gradients`] has not.
    pub fn composed_states(&self, sequences: &[&[u32]]) -> std::result::Result<Tensor, ModelError> {
        Ok(states(self, sequences)?)
    }

    /// The loss that [`crate::gradients`] differentiates, as a candle tensor.
    pub fn composed_loss(
        &self,
        examples: &[&Example],
    ) -> std::result::Result<ComposedLoss, ModelError> {
        check(self, examples)?;
        Ok(loss(self, examples)?)
    }
}

fn states(decoder: &Decoder, sequences: &[&[u32]]) -> Result<Tensor> {
    let config = decoder.config();
    let (batch, d) = (sequences.len(), config.hidden_size);
    let longest = sequences.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
    let mut ids = vec![0u32; batch * longest];
    for (row, tokens) in ids.chunks_mut(longest).zip(sequences) {
        row[..tokens.len()].copy_from_slice(tokens);
    }
    let ids = Tensor::from_vec(ids, batch * longest, &Device::Cpu)?;
    let mut x = decoder.embedding().var.index_select(&ids, 0)?;
    let (cos, sin) = rotary(config.head_size(), config.rope_theta, longest)?;
    // Padding is on the right, so the causal mask already keeps it from every real position.
    let mask: Vec<f32> = (0..longest * longest)
        .map(|at| if at % longest > at / longest { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    let mask = Tensor::from_vec(mask, (longest, longest), &Device::Cpu)?;
    for layer in 0..config.num_hidden_layers {
        let weight = |part| decoder.layer(layer, part).var.as_tensor();
        let heads = |t: Tensor| {
            t.reshape((batch, longest, config.num_attention_heads, config.head_size()))?
                .transpose(1, 2)?
                .contiguous()
        };
        let normed = rms_norm(&x, weight(part::INPUT_NORM), config.rms_norm_eps)?;
        let qkv = linear(&normed, weight(part::QKV))?;
        let q = rotate(&heads(qkv.narrow(1, 0, d)?.contiguous()?)?, &cos, &sin)?;
        let k = rotate(&heads(qkv.narrow(1, d, d)?.contiguous()?)?, &cos, &sin)?;
        let v = heads(qkv.narrow(1, 2 * d, d)?.contiguous()?)?;
        let scores = q.matmul(&k.t()?.contiguous()?)?;
        let scale = 1.0 / (config.head_size() as f64).sqrt();
        let attention = softmax(&(scores * scale)?.broadcast_add(&mask)?)?;
        let mixed = attention.matmul(&v)?.transpose(1, 2)?.contiguous()?;
        let mixed = mixed.reshape((batch * longest, d))?;
        x = (x + linear(&mixed, weight(part::ATTENTION_OUT))?)?;

        let normed = rms_norm(&x, weight(part::MLP_NORM), config.rms_norm_eps)?;
        let inner = linear(&normed, weight(part::MLP_IN))?;
        let inner = match config.hidden_act {
            Activation::GeluTanh => inner.gelu()?,
            Activation::Silu => {
                let width = config.intermediate_size;
                let gate = inner.narrow(1, 0, width)?.contiguous()?;
                (gate.silu()? * inner.narrow(1, width, width)?.contiguous()?)?
            }
        };
        x = (x + linear(&inner, weight(part::MLP_OUT))?)?;
    }
    rms_norm(&x, &decoder.final_norm().var, config.rms_norm_eps)?.reshape((batch, longest, d))
}

fn loss(decoder: &Decoder, examples: &[&Example]) -> Result<ComposedLoss> {
    let sequences: Vec<&[u32]> = examples.iter().map(|example| example.tokens.as_slice()).collect();
    let hidden = states(decoder, &sequences)?;
    let (batch, longest, d) = hidden.dims3()?;
    let hidden = hidden.reshape((batch * longest, d))?;
    let mut total = Tensor::new(0f32, &Device::Cpu)?;
    let (mut lm, mut value) = (0.0, 0.0);

    let at = |row: usize, position: usize| (row * longest + position) as u32;
    let targets = examples.iter().enumerate().flat_map(|(row, example)| {
        example.lm.iter().map(move |t| (at(row, t.position), t.token, t.weight))
    });
    let (rows, tokens, weights) = unzip3(targets);
    if !rows.is_empty() {
        let count = rows.len();
        let logits = linear(
            &hidden.index_select(&Tensor::from_vec(rows, count, &Device::Cpu)?, 0)?,
            &decoder.lm_head().var,
        )?;
        let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
        let normalizer = shifted.exp()?.sum(D::Minus1)?.log()?;
        let tokens = Tensor::from_vec(tokens, (count, 1), &Device::Cpu)?;
        let picked = shifted.gather(&tokens, 1)?.squeeze(1)?;
        let weights = Tensor::from_vec(weights, count, &Device::Cpu)?;
        let sum = ((normalizer - picked)? * weights)?.sum_all()?;
        lm = f64::from(sum.to_scalar::<f32>()?);
        total = (total + sum)?;
    }

    let targets = examples.iter().enumerate().flat_map(|(row, example)| {
        example.values.iter().map(move |t| (at(row, t.position), t.label, t.weight))
    });
    let (rows, labels, weights) = unzip3(targets);
    if let Some(head) = decoder.value_head().filter(|_| !rows.is_empty()) {
        let count = rows.len();
        let rows = Tensor::from_vec(rows, count, &Device::Cpu)?;
        let z = linear(&hidden.index_select(&rows, 0)?, &head.var)?.squeeze(1)?;
        let labels = Tensor::from_vec(labels, count, &Device::Cpu)?;
        let weights = Tensor::from_vec(weights, count, &Device::Cpu)?;
        // log(1 + e^z) - y z, without overflow.
        let softplus = (z.relu()? + (z.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        let sum = ((softplus - (z * labels)?)? * weights)?.sum_all()?;
        value = f64::from(sum.to_scalar::<f32>()?);
        total = (total + sum)?;
    }
    Ok(ComposedLoss { total, lm, value })
}

fn unzip3<A, B, C>(items: impl Iterator<Item = (A, B, C)>) -> (Vec<A>, Vec<B>, Vec<C>) {
    let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
    for (a, b, c) in items {
        first.push(a);
        second.push(b);
        third.push(c);
    }
    (first, second, third)
}

/// `x w^T`
pub(crate) fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)
}

/// Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4.
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)?.broadcast_mul(weight)
}

pub(crate) fn softmax(scores: &Tensor) -> Result<Tensor> {
    let exp = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

/// Cosine and sine of position times frequency, shape (positions, head width / 2).
fn rotary(head: usize, theta: f32, positions: usize) -> Result<(Tensor, Tensor)> {
    let half = head / 2;
    let angles = crate::rotary::angles(head, theta, positions);
    let shape = (positions, half);
    let cos = angles.iter().map(|angle| angle.cos() as f32).collect();
    let sin = angles.iter().map(|angle| angle.sin() as f32).collect();
    Ok((Tensor::from_vec(cos, shape, &Device::Cpu)?, Tensor::from_vec(sin, shape, &Device::Cpu)?))
}

/// Rotates the first half of each head against the second.
pub(crate) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let first = x.narrow(D::Minus1, 0, half)?.contiguous()?;
    let second = x.narrow(D::Minus1, half, half)?.contiguous()?;
    let rotated = [
        (first.broadcast_mul(cos)? - second.broadcast_mul(sin)?)?,
        (second.broadcast_mul(cos)? + first.broadcast_mul(sin)?)?,
    ];
    Tensor::cat(&rotated, D::Minus1)
}
