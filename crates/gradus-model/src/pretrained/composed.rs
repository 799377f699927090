//! The forward pass as a composition of candle's operations, wherever candle runs.
//!
//! It reads like the equations, and the kernels of `forward.rs` are tested
//! against it. On a GPU it is the only path; that was never run here.

use candle_core::{Device, Result, Tensor};

use super::forward::{Forward, Run};
use super::rope::Angles;
use super::shape::Shape;
use super::weights::{Linear, Weights};
use crate::composed::{linear, rms_norm, rotate, softmax};
use crate::{Activation, ModelError, WeightFiles};

/// A decoder on a device.
#[derive(Debug)]
pub(crate) struct Composed {
    shape: Shape,
    device: Device,
    weights: Weights<Tensor>,
    layers: Vec<Norms>,
    final_norm: Tensor,
}

/// The norms of a layer on the device; what the family has not is not there.
#[derive(Debug)]
struct Norms {
    input: Tensor,
    query: Option<Tensor>,
    key: Option<Tensor>,
    attention_out: Option<Tensor>,
    mlp: Tensor,
    mlp_out: Option<Tensor>,
}

/// Keys and values of a sequence: per layer, (key and value heads, positions, width).
type Cache = Vec<Option<(Tensor, Tensor)>>;

/// Angles of positions on the host, and what the last pass gave.
#[derive(Debug)]
pub(crate) struct Workspace {
    angles: Angles,
    local_angles: Angles,
    states: Vec<f32>,
}

impl Composed {
    /// Brings the weights to `device`, as f32.
    pub(crate) fn read(
        shape: Shape,
        files: WeightFiles,
        device: Device,
    ) -> std::result::Result<Self, ModelError> {
        let matrix = |rows: &[f32], outputs: usize, inputs: usize| {
            Ok(Tensor::from_slice(rows, (outputs, inputs), &device)?)
        };
        let weights = Weights::read(&shape, files, &matrix)?;
        let norm = |weight: &[f32]| Tensor::from_slice(weight, weight.len(), &device);
        let optional = |weight: &[f32]| (!weight.is_empty()).then(|| norm(weight)).transpose();
        let mut layers = Vec::with_capacity(shape.layers);
        for layer in &weights.layers {
            layers.push(Norms {
                input: norm(&layer.input_norm)?,
                query: optional(&layer.query_norm)?,
                key: optional(&layer.key_norm)?,
                attention_out: optional(&layer.attention_out_norm)?,
                mlp: norm(&layer.mlp_norm)?,
                mlp_out: optional(&layer.mlp_out_norm)?,
            });
        }
        let final_norm = norm(&weights.final_norm)?;
        Ok(Self { shape, device, weights, layers, final_norm })
    }

    fn linear(&self, x: &Tensor, weights: &Linear<Tensor>) -> Result<Tensor> {
        let y = linear(x, &weights.matrix)?;
        if weights.bias.is_empty() {
            return Ok(y);
        }
        y.broadcast_add(&Tensor::from_slice(&weights.bias, weights.bias.len(), &self.device)?)
    }

    fn norm(&self, x: &Tensor, weight: Option<&Tensor>) -> Result<Tensor> {
        weight.map_or_else(|| Ok(x.clone()), |weight| rms_norm(x, weight, self.shape.epsilon))
    }

    /// Cosines and sines of `positions`, each of shape (positions, 1, half a head).
    fn rotation(&self, angles: &mut Angles, positions: &[usize]) -> Result<(Tensor, Tensor)> {
        angles.cover(positions.iter().max().map_or(0, |last| last + 1));
        let shape = (positions.len(), 1, self.shape.head / 2);
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for &position in positions {
            let at = angles.at(position);
            cos.extend_from_slice(at.0);
            sin.extend_from_slice(at.1);
        }
        Ok((
            Tensor::from_vec(cos, shape, &self.device)?,
            Tensor::from_vec(sin, shape, &self.device)?,
        ))
    }

    /// Attention of one run in one layer; queries, keys and values are (tokens, heads, width).
    fn attend(
        &self,
        layer: usize,
        run: &mut Run<'_, Cache>,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<Tensor> {
        let (shape, count) = (&self.shape, run.tokens.len());
        let by_head = |x: &Tensor| x.transpose(0, 1)?.contiguous();
        let (mut keys, mut values) = (by_head(keys)?, by_head(values)?);
        if let Some((earlier_keys, earlier_values)) = &run.own[layer] {
            keys = Tensor::cat(&[earlier_keys, &keys], 1)?;
            values = Tensor::cat(&[earlier_values, &values], 1)?;
        }
        run.own[layer] = Some((keys.clone(), values.clone()));
        if let Some((shared_keys, shared_values)) =
            run.before.and_then(|before| before[layer].as_ref())
        {
            keys = Tensor::cat(&[shared_keys, &keys], 1)?;
            values = Tensor::cat(&[shared_values, &values], 1)?;
        }
        let seen = keys.dim(1)?;
        let (groups, group) = (shape.key_value_heads, shape.heads / shape.key_value_heads);
        let queries = by_head(queries)?.reshape((groups, group * count, shape.head))?;
        let scores = (queries.matmul(&keys.t()?.contiguous()?)? * f64::from(shape.query_scale))?;
        let visible = |row: usize, position: usize| {
            let last = seen - count + row;
            position <= last && shape.windows[layer].is_none_or(|window| last - position < window)
        };
        let mask: Vec<f32> = (0..count * seen)
            .map(|at| if visible(at / seen, at % seen) { 0.0 } else { f32::NEG_INFINITY })
            .collect();
        let mask = Tensor::from_vec(mask, (count, seen), &self.device)?;
        let scores = scores.reshape((groups, group, count, seen))?.broadcast_add(&mask)?;
        let weights = softmax(&scores)?.reshape((groups, group * count, seen))?;
        weights
            .matmul(&values)?
            .reshape((shape.heads, count, shape.head))?
            .transpose(0, 1)?
            .reshape((count, shape.query_width()))
    }

    fn states(
        &self,
        runs: &mut [Run<'_, Cache>],
        layers: usize,
        workspace: &mut Workspace,
        embeddings: Vec<f32>,
    ) -> Result<Vec<f32>> {
        let shape = &self.shape;
        let mut positions = Vec::new();
        for run in &*runs {
            let length = |cache: Option<&Cache>| {
                let keys = cache.and_then(|cache| cache.first()?.as_ref());
                keys.map_or(Ok(0), |(keys, _)| keys.dim(1))
            };
            let start = length(run.before)? + length(Some(&*run.own))?;
            positions.extend(start..start + run.tokens.len());
        }
        let rows = positions.len();
        let mut x = Tensor::from_vec(embeddings, (rows, shape.hidden), &self.device)?;
        if shape.family.scaled_embedding {
            x = (x * f64::from((shape.hidden as f32).sqrt()))?;
        }
        let global = self.rotation(&mut workspace.angles, &positions)?;
        let local = self.rotation(&mut workspace.local_angles, &positions)?;
        for (index, norms) in self.layers.iter().enumerate().take(layers) {
            let weights = &self.weights.layers[index];
            let (cos, sin) = if shape.windows[index].is_some() { &local } else { &global };
            let normed = rms_norm(&x, &norms.input, shape.epsilon)?;
            let packed = self.linear(&normed, &weights.query_key_value)?;
            let part = |from: usize, heads: usize| {
                let part = packed.narrow(1, from, heads * shape.head)?.contiguous()?;
                part.reshape((rows, heads, shape.head))
            };
            let (query_width, key_width) = (shape.query_width(), shape.key_width());
            let queries = self.norm(&part(0, shape.heads)?, norms.query.as_ref())?;
            let keys = part(query_width, shape.key_value_heads)?;
            let keys = self.norm(&keys, norms.key.as_ref())?;
            let values = part(query_width + key_width, shape.key_value_heads)?;
            let (queries, keys) = (rotate(&queries, cos, sin)?, rotate(&keys, cos, sin)?);
            let (mut attended, mut start) = (Vec::with_capacity(runs.len()), 0);
            for run in &mut *runs {
                let count = run.tokens.len();
                let own = |x: &Tensor| x.narrow(0, start, count);
                let (queries, keys, values) = (own(&queries)?, own(&keys)?, own(&values)?);
                attended.push(self.attend(index, run, &queries, &keys, &values)?);
                start += count;
            }
            let out = self.linear(&Tensor::cat(&attended, 0)?, &weights.attention_out)?;
            x = (x + self.norm(&out, norms.attention_out.as_ref())?)?;

            let normed = rms_norm(&x, &norms.mlp, shape.epsilon)?;
            let inner = self.linear(&normed, &weights.gate_up)?;
            let gate = inner.narrow(1, 0, shape.inner)?.contiguous()?;
            let up = inner.narrow(1, shape.inner, shape.inner)?.contiguous()?;
            let gate = match shape.activation {
                Activation::Silu => gate.silu()?,
                Activation::GeluTanh => gate.gelu()?,
            };
            let out = self.linear(&(gate * up)?, &weights.down)?;
            x = (x + self.norm(&out, norms.mlp_out.as_ref())?)?;
        }
        x.flatten_all()?.to_vec1()
    }

    /// Rows of `width` numbers on the device.
    fn rows(&self, x: &[f32], width: usize) -> Result<Tensor> {
        Tensor::from_slice(x, (x.len() / width, width), &self.device)
    }

    fn head(&self, normed: &[f32]) -> Result<Vec<f32>> {
        let normed = self.rows(normed, self.shape.hidden)?;
        let mut logits = self.linear(&normed, &self.weights.head)?;
        if let Some(cap) = self.shape.logit_cap.map(f64::from) {
            logits = ((logits / cap)?.tanh()? * cap)?;
        }
        logits.flatten_all()?.to_vec1()
    }
}

impl Forward for Composed {
    type Cache = Cache;
    type Workspace = Workspace;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn workspace(&self) -> Workspace {
        Workspace {
            angles: Angles::new(&self.shape.rope, self.shape.head),
            local_angles: Angles::new(&self.shape.local_rope, self.shape.head),
            states: Vec::new(),
        }
    }

    fn cache(&self, _: usize) -> Cache {
        vec![None; self.shape.layers]
    }

    fn clear(&self, cache: &mut Cache) {
        cache.fill(None);
    }

    fn forward<'w>(
        &self,
        runs: &mut [Run<'_, Cache>],
        layers: usize,
        workspace: &'w mut Workspace,
    ) -> std::result::Result<&'w [f32], ModelError> {
        let (mut embeddings, mut row) = (Vec::new(), Vec::new());
        for &token in runs.iter().flat_map(|run| run.tokens) {
            self.weights.embedding(token, &mut row)?;
            embeddings.extend_from_slice(&row);
        }
        workspace.states = self.states(runs, layers, workspace, embeddings)?;
        Ok(&workspace.states)
    }

    fn final_norm(&self, x: &[f32], to: &mut Vec<f32>) -> std::result::Result<(), ModelError> {
        let x = self.rows(x, self.shape.hidden)?;
        *to = rms_norm(&x, &self.final_norm, self.shape.epsilon)?.flatten_all()?.to_vec1()?;
        Ok(())
    }

    fn logits(&self, normed: &[f32], to: &mut Vec<f32>) -> std::result::Result<(), ModelError> {
        *to = self.head(normed)?;
        Ok(())
    }
}
