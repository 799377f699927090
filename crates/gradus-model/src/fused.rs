//! Forward and backward of the decoder on slices: the fast path for f32 on CPU.
//!
//! The equations are those of `composed.rs`, where they are easier to read.
//! Three things are cheaper here: sequences lie one behind the other without
//! padding; what is behind the last layer's attention is computed only at
//! supervised positions; and gradients are summed into the flat buffer in place.

use std::ops::Range;

use crate::batch::{Example, Losses};
use crate::decoder::part;
use crate::kernels::{self, Attention, AttentionScratch, Rotary};
use crate::packed::PackedWeights;
use crate::{Activation, Decoder, DecoderConfig};

/// Buffers of a micro-batch, kept from one to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    rotary: Rotary,
    layers: Vec<Kept>,
    last: Vec<f32>,
    scratch: Scratch,
}

/// What a layer's backward pass needs from its forward pass.
#[derive(Clone, Debug, Default)]
struct Kept {
    input: Vec<f32>,
    input_inverse: Vec<f32>,
    qkv: Vec<f32>,
    probabilities: Vec<f32>,
    attended: Vec<f32>,
    middle: Vec<f32>,
    middle_inverse: Vec<f32>,
    inner: Vec<f32>,
}

#[derive(Clone, Debug, Default)]
struct Scratch {
    normed: Vec<f32>,
    selected: Vec<f32>,
    activated: Vec<f32>,
    d_x: Vec<f32>,
    d_normed: Vec<f32>,
    d_attended: Vec<f32>,
    d_qkv: Vec<f32>,
    d_inner: Vec<f32>,
    d_activated: Vec<f32>,
    spread: Vec<f32>,
    row: Vec<f32>,
    inverse: Vec<f32>,
    attention: AttentionScratch,
}

/// Sequences, one behind the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    sequences: Vec<Range<usize>>,
    /// Rows whose final state is needed.
    needed: Vec<usize>,
    /// Per sequence, the first position whose final state is needed.
    first: Vec<usize>,
}

impl Rows {
    /// Adds a sequence of which the final states at `needed` are needed.
    pub(crate) fn push(&mut self, tokens: &[u32], needed: &[usize]) {
        let start = self.tokens.len();
        self.tokens.extend(tokens);
        self.positions.extend(0..tokens.len() as u32);
        self.sequences.push(start..self.tokens.len());
        self.first.push(needed.iter().min().copied().unwrap_or(tokens.len()));
        self.needed.extend(needed.iter().map(|position| start + position));
    }

    /// The rows of the sequence at `index`.
    pub(crate) fn sequence(&self, index: usize) -> Range<usize> {
        self.sequences[index].clone()
    }
}

/// Targets, each with its index among the needed rows.
#[derive(Default)]
struct Targets {
    /// Index, token and weight of each language target.
    lm: Vec<(usize, u32, f32)>,
    /// Index, label and weight of each evaluator target.
    values: Vec<(usize, f32, f32)>,
}

fn collect(examples: &[&Example]) -> (Rows, Targets) {
    let (mut rows, mut targets) = (Rows::default(), Targets::default());
    for example in examples {
        let before = rows.needed.len();
        let lm = example.lm.iter().map(|target| target.position);
        let values = example.values.iter().map(|target| target.position);
        let mut needed: Vec<usize> = lm.chain(values).collect();
        needed.sort_unstable();
        needed.dedup();
        let index = |position| before + needed.partition_point(|&other| other < position);
        targets.lm.extend(example.lm.iter().map(|t| (index(t.position), t.token, t.weight)));
        targets
            .values
            .extend(example.values.iter().map(|t| (index(t.position), t.label, t.weight)));
        rows.push(&example.tokens, &needed);
    }
    (rows, targets)
}

/// Final states, normed, of the needed rows of `rows`: (needed, hidden).
pub(crate) fn states<'a>(
    config: &DecoderConfig,
    weights: &PackedWeights,
    rows: &Rows,
    workspace: &'a mut Workspace,
) -> &'a [f32] {
    let longest = rows.sequences.iter().map(Range::len).max().unwrap_or(0);
    workspace.rotary.cover(config.head_size(), config.rope_theta, longest);
    workspace.layers.resize_with(config.num_hidden_layers, Kept::default);
    let mut pass = Forward { config, weights, rows, workspace };
    pass.embed();
    for layer in 0..config.num_hidden_layers {
        pass.layer(layer);
    }
    let Workspace { last, scratch, .. } = workspace;
    let normed = sized(&mut scratch.normed, last.len());
    let inverse = sized(&mut scratch.inverse, rows.needed.len());
    kernels::rms_norm(last, &weights.final_norm, config.rms_norm_eps, normed, inverse);
    normed
}

impl Workspace {
    /// Rotated queries and keys, and values, of a layer in the last forward pass.
    pub(crate) fn qkv(&self, layer: usize) -> &[f32] {
        &self.layers[layer].qkv
    }
}

/// Adds the gradient of the weighted loss of `examples` to `gradient`.
pub(crate) fn loss_and_gradient(
    decoder: &Decoder,
    weights: &PackedWeights,
    examples: &[&Example],
    workspace: &mut Workspace,
    gradient: &mut [f32],
) -> Losses {
    let (rows, targets) = collect(examples);
    if rows.needed.is_empty() {
        return Losses::default();
    }
    states(decoder.config(), weights, &rows, workspace);
    let mut pass = Backward { decoder, weights, rows: &rows, workspace, gradient };
    let losses = pass.heads(&targets);
    for layer in (0..decoder.config().num_hidden_layers).rev() {
        pass.layer(layer);
    }
    pass.embed();
    losses
}

struct Forward<'a> {
    config: &'a DecoderConfig,
    weights: &'a PackedWeights,
    rows: &'a Rows,
    workspace: &'a mut Workspace,
}

struct Backward<'a> {
    decoder: &'a Decoder,
    weights: &'a PackedWeights,
    rows: &'a Rows,
    workspace: &'a mut Workspace,
    gradient: &'a mut [f32],
}

impl Forward<'_> {
    fn embed(&mut self) {
        let d = self.config.hidden_size;
        let layers = &mut self.workspace.layers;
        let x = sized(&mut layers[0].input, self.rows.tokens.len() * d);
        for (x, &token) in x.chunks_exact_mut(d).zip(&self.rows.tokens) {
            x.copy_from_slice(&self.weights.embedding[token as usize * d..][..d]);
        }
    }

    fn layer(&mut self, layer: usize) {
        let config = self.config;
        let (d, eps) = (config.hidden_size, config.rms_norm_eps);
        let last = layer + 1 == config.num_hidden_layers;
        let Workspace { rotary, layers, last: output, scratch } = &mut *self.workspace;
        let weights = &self.weights.layers[layer];
        let (kept, next) = layers[layer..].split_at_mut(1);
        let kept = &mut kept[0];
        let next = next.first_mut().map_or(output, |next| &mut next.input);

        let rows = self.rows.tokens.len();
        let normed = sized(&mut scratch.normed, rows * d);
        let inverse = sized(&mut kept.input_inverse, rows);
        kernels::rms_norm(&kept.input, &weights.input_norm, eps, normed, inverse);
        let qkv = sized(&mut kept.qkv, rows * 3 * d);
        kernels::matmul(normed, &weights.qkv.forward, qkv, false);
        let scale = 1.0 / (config.head_size() as f32).sqrt();
        kernels::rotate(qkv, d, &self.rows.positions, rotary, scale, false);
        let none = vec![0; self.rows.first.len()];
        let first = if last { &self.rows.first } else { &none };
        let attention = Attention {
            hidden: d,
            heads: config.num_attention_heads,
            sequences: &self.rows.sequences,
            first,
        };
        let probabilities = sized(&mut kept.probabilities, attention.probabilities_len());
        let attended = sized(&mut kept.attended, rows * d);
        attention.forward(qkv, probabilities, attended, &mut scratch.attention);

        let attended = if last {
            gather(&kept.input, d, &self.rows.needed, &mut kept.middle);
            gather(attended, d, &self.rows.needed, &mut scratch.selected);
            &scratch.selected
        } else {
            kept.middle.clone_from(&kept.input);
            &kept.attended
        };
        kernels::matmul(attended, &weights.attention_out.forward, &mut kept.middle, true);

        let rows = kept.middle.len() / d;
        let normed = sized(&mut scratch.normed, rows * d);
        let inverse = sized(&mut kept.middle_inverse, rows);
        kernels::rms_norm(&kept.middle, &weights.mlp_norm, eps, normed, inverse);
        let inner = sized(&mut kept.inner, rows * config.packed_intermediate_size());
        kernels::matmul(normed, &weights.mlp_in.forward, inner, false);
        let activated = sized(&mut scratch.activated, rows * config.intermediate_size);
        match config.hidden_act {
            Activation::GeluTanh => kernels::gelu(inner, activated),
            Activation::Silu => kernels::swiglu(inner, config.intermediate_size, activated),
        }
        next.clone_from(&kept.middle);
        kernels::matmul(activated, &weights.mlp_out.forward, next, true);
    }
}

impl Backward<'_> {
    fn embed(&mut self) {
        let d = self.decoder.config().hidden_size;
        let gradient = &mut self.gradient[place(self.decoder.embedding())];
        for (dx, &token) in self.workspace.scratch.d_x.chunks_exact(d).zip(&self.rows.tokens) {
            for (sum, dx) in gradient[token as usize * d..][..d].iter_mut().zip(dx) {
                *sum += dx;
            }
        }
    }

    /// Losses of both heads; leaves the gradient of the last layer's output in `d_x`.
    fn heads(&mut self, targets: &Targets) -> Losses {
        let config = self.decoder.config();
        let (d, vocabulary) = (config.hidden_size, config.vocab_size);
        let weights = self.weights;
        let Workspace { last, scratch, .. } = &mut *self.workspace;
        let rows = self.rows.needed.len();
        let (normed, inverse) = (&scratch.normed, &scratch.inverse);
        let d_normed = sized(&mut scratch.d_normed, rows * d);
        d_normed.fill(0.0);
        let mut losses = Losses::default();

        if !targets.lm.is_empty() {
            let count = targets.lm.len();
            let at: Vec<usize> = targets.lm.iter().map(|target| target.0).collect();
            let tokens: Vec<(u32, f32)> =
                targets.lm.iter().map(|&(_, token, weight)| (token, weight)).collect();
            gather(normed, d, &at, &mut scratch.selected);
            let logits = sized(&mut scratch.d_inner, count * vocabulary);
            kernels::matmul(&scratch.selected, &weights.lm_head.forward, logits, false);
            let each = sized(&mut scratch.row, count);
            kernels::cross_entropy(logits, vocabulary, &tokens, each);
            losses.lm_sum = each.iter().map(|&loss| f64::from(loss)).sum();
            losses.lm_weight = tokens.iter().map(|target| f64::from(target.1)).sum();
            let gradient = &mut self.gradient[place(self.decoder.lm_head())];
            kernels::matmul_transposed_left(logits, &scratch.selected, vocabulary, d, gradient);
            let d_selected = sized(&mut scratch.spread, count * d);
            kernels::matmul(logits, &weights.lm_head.backward, d_selected, false);
            scatter_add(d_selected, d, &at, d_normed);
        }

        if let Some(head) = self.decoder.value_head() {
            let gradient = &mut self.gradient[place(head)];
            for &(at, label, weight) in &targets.values {
                let hidden = &normed[at * d..][..d];
                let z: f64 = std::iter::zip(hidden, &weights.value_head)
                    .map(|(&h, &w)| f64::from(h) * f64::from(w))
                    .sum();
                // log(1 + e^z) - y z, without overflow.
                let softplus = z.max(0.0) + (-z.abs()).exp().ln_1p();
                losses.value_sum += f64::from(weight) * (softplus - f64::from(label) * z);
                losses.value_weight += f64::from(weight);
                let dz = weight * ((1.0 / (1.0 + (-z).exp())) as f32 - label);
                let d_hidden = d_normed[at * d..][..d].iter_mut().zip(&weights.value_head);
                for ((sum, h), (d_hidden, w)) in gradient.iter_mut().zip(hidden).zip(d_hidden) {
                    *sum += dz * h;
                    *d_hidden += dz * w;
                }
            }
        }

        let d_x = sized(&mut scratch.d_x, rows * d);
        d_x.fill(0.0);
        let gradient = &mut self.gradient[place(self.decoder.final_norm())];
        let row = &mut scratch.row;
        kernels::rms_norm_backward(
            last,
            &weights.final_norm,
            inverse,
            d_normed,
            d_x,
            gradient,
            row,
        );
        losses
    }

    /// Turns the gradient of a layer's output in `d_x` into that of its input.
    fn layer(&mut self, layer: usize) {
        let config = self.decoder.config();
        let (d, eps) = (config.hidden_size, config.rms_norm_eps);
        let (inner_size, packed) = (config.intermediate_size, config.packed_intermediate_size());
        let last = layer + 1 == config.num_hidden_layers;
        let none = vec![0; self.rows.first.len()];
        let first = if last { &self.rows.first } else { &none };
        let attention = Attention {
            hidden: d,
            heads: config.num_attention_heads,
            sequences: &self.rows.sequences,
            first,
        };
        let Workspace { rotary, layers, scratch, .. } = &mut *self.workspace;
        let weights = &self.weights.layers[layer];
        let kept = &layers[layer];
        let parameter = |part| place(self.decoder.layer(layer, part));

        // MLP
        let rows = kept.middle.len() / d;
        let d_activated = sized(&mut scratch.d_activated, rows * inner_size);
        kernels::matmul(&scratch.d_x, &weights.mlp_out.backward, d_activated, false);
        let activated = sized(&mut scratch.activated, rows * inner_size);
        let d_inner = match config.hidden_act {
            Activation::GeluTanh => {
                kernels::gelu_backward(&kept.inner, activated, d_activated);
                d_activated
            }
            Activation::Silu => {
                let d_inner = sized(&mut scratch.d_inner, rows * packed);
                kernels::swiglu_backward(&kept.inner, inner_size, activated, d_activated, d_inner);
                d_inner
            }
        };
        let gradient = &mut self.gradient[parameter(part::MLP_OUT)];
        kernels::matmul_transposed_left(&scratch.d_x, activated, d, inner_size, gradient);
        let normed = sized(&mut scratch.normed, rows * d);
        let inverse = sized(&mut scratch.inverse, rows);
        kernels::rms_norm(&kept.middle, &weights.mlp_norm, eps, normed, inverse);
        let gradient = &mut self.gradient[parameter(part::MLP_IN)];
        kernels::matmul_transposed_left(d_inner, normed, packed, d, gradient);
        let d_normed = sized(&mut scratch.d_normed, rows * d);
        kernels::matmul(d_inner, &weights.mlp_in.backward, d_normed, false);
        kernels::rms_norm_backward(
            &kept.middle,
            &weights.mlp_norm,
            &kept.middle_inverse,
            d_normed,
            &mut scratch.d_x,
            &mut self.gradient[parameter(part::MLP_NORM)],
            &mut scratch.row,
        );

        // Attention
        let attended = if last {
            gather(&kept.attended, d, &self.rows.needed, &mut scratch.selected);
            &scratch.selected
        } else {
            &kept.attended
        };
        let gradient = &mut self.gradient[parameter(part::ATTENTION_OUT)];
        kernels::matmul_transposed_left(&scratch.d_x, attended, d, d, gradient);
        let d_attended = sized(&mut scratch.d_attended, rows * d);
        kernels::matmul(&scratch.d_x, &weights.attention_out.backward, d_attended, false);
        let rows = self.rows.tokens.len();
        if last {
            for buffer in [&mut scratch.d_x, &mut scratch.d_attended] {
                let spread = sized(&mut scratch.spread, rows * d);
                spread.fill(0.0);
                scatter_add(buffer, d, &self.rows.needed, spread);
                std::mem::swap(buffer, &mut scratch.spread);
            }
        }
        let d_qkv = sized(&mut scratch.d_qkv, rows * 3 * d);
        attention.backward(
            &kept.qkv,
            &kept.probabilities,
            &kept.attended,
            &scratch.d_attended,
            d_qkv,
            &mut scratch.attention,
        );
        let scale = 1.0 / (config.head_size() as f32).sqrt();
        kernels::rotate(d_qkv, d, &self.rows.positions, rotary, scale, true);
        let normed = sized(&mut scratch.normed, rows * d);
        let inverse = sized(&mut scratch.inverse, rows);
        kernels::rms_norm(&kept.input, &weights.input_norm, eps, normed, inverse);
        let gradient = &mut self.gradient[parameter(part::QKV)];
        kernels::matmul_transposed_left(d_qkv, normed, 3 * d, d, gradient);
        let d_normed = sized(&mut scratch.d_normed, rows * d);
        kernels::matmul(d_qkv, &weights.qkv.backward, d_normed, false);
        kernels::rms_norm_backward(
            &kept.input,
            &weights.input_norm,
            &kept.input_inverse,
            d_normed,
            &mut scratch.d_x,
            &mut self.gradient[parameter(part::INPUT_NORM)],
            &mut scratch.row,
        );
    }
}

fn place(parameter: &crate::Parameter) -> Range<usize> {
    parameter.offset..parameter.offset + parameter.len
}

/// The buffer at this length; what it holds is left over.
fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

/// Copies the rows `at` of `from`.
fn gather(from: &[f32], width: usize, at: &[usize], to: &mut Vec<f32>) {
    to.clear();
    for &row in at {
        to.extend_from_slice(&from[row * width..][..width]);
    }
}

/// Adds each row of `from` to the row `at` of `to`.
fn scatter_add(from: &[f32], width: usize, at: &[usize], to: &mut [f32]) {
    for (from, &row) in from.chunks_exact(width).zip(at) {
        for (to, from) in to[row * width..][..width].iter_mut().zip(from) {
            *to += from;
        }
    }
}
