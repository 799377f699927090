//! The decoder's forward pass over cached keys and values.

use super::rope::Angles;
use super::shape::Shape;
use super::weights::{Layer, Weights};
use crate::kernels::{self, KeyValues, Matrix, Reading};
use crate::{Activation, ModelError};

/// Rows that go through the layers at once.
pub(crate) const BLOCK: usize = 256;

/// A decoder's forward pass.
pub(crate) trait Forward {
    /// Keys and values of a sequence, layer by layer.
    type Cache;
    /// Buffers, kept from one pass to the next.
    type Workspace;

    fn shape(&self) -> &Shape;

    fn workspace(&self) -> Self::Workspace;

    /// Keys and values of nothing, with room for `capacity` positions.
    fn cache(&self, capacity: usize) -> Self::Cache;

    /// Forgets every position of a cache, but not its room.
    fn clear(&self, cache: &mut Self::Cache);

    /// Sends the tokens of `runs` through the first `layers` layers, adding
    /// their keys and values to the caches; gives the residual stream behind
    /// them, row by row (tokens of the first run, of the second, ...; hidden).
    fn forward<'w>(
        &self,
        runs: &mut [Run<'_, Self::Cache>],
        layers: usize,
        workspace: &'w mut Self::Workspace,
    ) -> Result<&'w [f32], ModelError>;

    /// The final norm of rows of the residual stream.
    fn final_norm(&self, x: &[f32], to: &mut Vec<f32>) -> Result<(), ModelError>;

    /// Logits from normed rows: (rows, vocabulary).
    fn logits(&self, normed: &[f32], to: &mut Vec<f32>) -> Result<(), ModelError>;
}

/// Consecutive tokens of one sequence.
#[derive(Debug)]
pub(crate) struct Run<'a, C> {
    /// What came before and is shared.
    pub(crate) before: Option<&'a C>,
    /// What came before and is the sequence's own; the tokens are added to it.
    pub(crate) own: &'a mut C,
    /// The tokens.
    pub(crate) tokens: &'a [u32],
}

/// Buffers of the forward pass, kept from one block to the next.
#[derive(Debug)]
pub(crate) struct Workspace {
    angles: Angles,
    local_angles: Angles,
    /// The residual stream: (rows, hidden).
    x: Vec<f32>,
    normed: Vec<f32>,
    inverse: Vec<f32>,
    query_key_value: Vec<f32>,
    heads: Vec<f32>,
    attended: Vec<f32>,
    inner: Vec<f32>,
    activated: Vec<f32>,
    out: Vec<f32>,
    /// The run of each row.
    rows: Vec<usize>,
}

impl Workspace {
    fn new(shape: &Shape) -> Self {
        Self {
            angles: Angles::new(&shape.rope, shape.head),
            local_angles: Angles::new(&shape.local_rope, shape.head),
            x: Vec::new(),
            normed: Vec::new(),
            inverse: Vec::new(),
            query_key_value: Vec::new(),
            heads: Vec::new(),
            attended: Vec::new(),
            inner: Vec::new(),
            activated: Vec::new(),
            out: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// A decoder on a CPU, by kernels over slices: its shape and its weights.
#[derive(Debug)]
pub(crate) struct Transformer {
    pub(crate) shape: Shape,
    pub(crate) weights: Weights<Matrix>,
}

impl Forward for Transformer {
    type Cache = Vec<KeyValues>;
    type Workspace = Workspace;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn workspace(&self) -> Workspace {
        Workspace::new(&self.shape)
    }

    fn cache(&self, capacity: usize) -> Vec<KeyValues> {
        let layer = || KeyValues::new(self.shape.key_value_heads, self.shape.head, capacity);
        (0..self.shape.layers).map(|_| layer()).collect()
    }

    fn clear(&self, cache: &mut Vec<KeyValues>) {
        cache.iter_mut().for_each(KeyValues::clear);
    }

    /// A row's bits depend on its own sequence alone: every kernel treats rows
    /// one by one, and sums in an order that its position decides.
    fn forward<'w>(
        &self,
        runs: &mut [Run<'_, Vec<KeyValues>>],
        layers: usize,
        workspace: &'w mut Workspace,
    ) -> Result<&'w [f32], ModelError> {
        let (shape, d) = (&self.shape, self.shape.hidden);
        workspace.rows.clear();
        workspace.x.clear();
        let scale = if shape.family.scaled_embedding { (d as f32).sqrt() } else { 1.0 };
        let mut longest = 0;
        for (index, run) in runs.iter().enumerate() {
            workspace.rows.extend(run.tokens.iter().map(|_| index));
            longest = longest.max(start(run) + run.tokens.len());
            for &token in run.tokens {
                self.weights.embedding(token, &mut workspace.out)?;
                workspace.x.extend(workspace.out.iter().map(|x| x * scale));
            }
        }
        workspace.angles.cover(longest);
        workspace.local_angles.cover(longest);
        for (index, layer) in self.weights.layers.iter().enumerate().take(layers) {
            self.attention(index, layer, runs, workspace);
            self.mlp(layer, workspace);
        }
        Ok(&workspace.x)
    }

    fn final_norm(&self, x: &[f32], to: &mut Vec<f32>) -> Result<(), ModelError> {
        norm(x, &self.weights.final_norm, self.shape.epsilon, to, &mut Vec::new());
        Ok(())
    }

    fn logits(&self, normed: &[f32], to: &mut Vec<f32>) -> Result<(), ModelError> {
        self.weights.head.product(normed, normed.len() / self.shape.hidden, to);
        squash(to, self.shape.logit_cap);
        Ok(())
    }
}

impl Transformer {
    fn attention(
        &self,
        index: usize,
        layer: &Layer<Matrix>,
        runs: &mut [Run<'_, Vec<KeyValues>>],
        workspace: &mut Workspace,
    ) {
        let (shape, rows) = (&self.shape, &workspace.rows);
        let (query_width, key_width) = (shape.query_width(), shape.key_width());
        let width = query_width + 2 * key_width;
        let window = shape.windows[index];
        let (normed, packed) = (&mut workspace.normed, &mut workspace.query_key_value);
        norm(&workspace.x, &layer.input_norm, shape.epsilon, normed, &mut workspace.inverse);
        layer.query_key_value.product(normed, rows.len(), packed);
        let angles = if window.is_some() { &workspace.local_angles } else { &workspace.angles };
        for (packed, &run) in packed.chunks_exact_mut(width).zip(rows) {
            let run = &mut runs[run];
            let (queries, rest) = packed.split_at_mut(query_width);
            let (keys, values) = rest.split_at_mut(key_width);
            if shape.family.query_key_norm {
                for (part, weight) in
                    [(&mut *queries, &layer.query_norm), (&mut *keys, &layer.key_norm)]
                {
                    let heads = &mut workspace.heads;
                    norm(part, weight, shape.epsilon, heads, &mut workspace.inverse);
                    part.copy_from_slice(heads);
                }
            }
            // The run's earlier rows are in its cache already.
            let (cos, sin) = angles.at(start_at(run, index));
            rotate(queries, cos, sin, shape.query_scale);
            rotate(keys, cos, sin, 1.0);
            run.own[index].push(keys, values);
        }
        workspace.attended.resize(rows.len() * query_width, 0.0);
        let readings: Vec<Reading<'_>> = runs
            .iter()
            .map(|run| Reading {
                before: run.before.map(|before| &before[index]),
                own: &run.own[index],
                count: run.tokens.len(),
            })
            .collect();
        kernels::attend_grouped(packed, width, &readings, window, &mut workspace.attended);
        let out = &mut workspace.out;
        layer.attention_out.product(&workspace.attended, rows.len(), out);
        if shape.family.output_norms {
            norm(out, &layer.attention_out_norm, shape.epsilon, normed, &mut workspace.inverse);
            std::mem::swap(out, normed);
        }
        add(&mut workspace.x, out);
    }

    fn mlp(&self, layer: &Layer<Matrix>, workspace: &mut Workspace) {
        let (shape, rows) = (&self.shape, workspace.rows.len());
        let (normed, inner) = (&mut workspace.normed, &mut workspace.inner);
        norm(&workspace.x, &layer.mlp_norm, shape.epsilon, normed, &mut workspace.inverse);
        layer.gate_up.product(normed, rows, inner);
        let activated = &mut workspace.activated;
        activated.resize(rows * shape.inner, 0.0);
        match shape.activation {
            Activation::Silu => kernels::swiglu(inner, shape.inner, activated),
            Activation::GeluTanh => {
                let pairs = inner.chunks_exact(2 * shape.inner);
                for (pair, activated) in pairs.zip(activated.chunks_exact_mut(shape.inner)) {
                    let (gate, up) = pair.split_at(shape.inner);
                    kernels::gelu(gate, activated);
                    activated.iter_mut().zip(up).for_each(|(activated, up)| *activated *= up);
                }
            }
        }
        let out = &mut workspace.out;
        layer.down.product(activated, rows, out);
        if shape.family.output_norms {
            norm(out, &layer.mlp_out_norm, shape.epsilon, normed, &mut workspace.inverse);
            std::mem::swap(out, normed);
        }
        add(&mut workspace.x, out);
    }
}

/// Position of a run's first token.
fn start(run: &Run<'_, Vec<KeyValues>>) -> usize {
    start_at(run, 0)
}

/// The next position of a run in a layer.
fn start_at(run: &Run<'_, Vec<KeyValues>>, layer: usize) -> usize {
    run.before.map_or(0, |before| before[layer].len()) + run.own[layer].len()
}

fn norm(x: &[f32], weight: &[f32], epsilon: f32, y: &mut Vec<f32>, inverse: &mut Vec<f32>) {
    y.resize(x.len(), 0.0);
    inverse.resize(x.len() / weight.len(), 0.0);
    kernels::rms_norm(x, weight, epsilon, y, inverse);
}

/// Rotates the first half of each head against the second, and scales.
fn rotate(heads: &mut [f32], cos: &[f32], sin: &[f32], scale: f32) {
    for head in heads.chunks_exact_mut(2 * cos.len()) {
        let (first, second) = head.split_at_mut(cos.len());
        for ((x, y), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
            let turned = (*x * cos - *y * sin) * scale;
            *y = (*y * cos + *x * sin) * scale;
            *x = turned;
        }
    }
}

fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}

/// `cap tanh(x / cap)`, where there is a cap.
fn squash(x: &mut [f32], cap: Option<f32>) {
    if let Some(cap) = cap {
        for x in x {
            *x = cap * (*x / cap).tanh();
        }
    }
}
