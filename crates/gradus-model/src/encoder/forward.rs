use std::ops::Range;

use super::config::{Activation, EncoderConfig};
use super::input::Piece;
use super::weights::{EncoderWeights, Norm};
use crate::kernels::{self, Panels};

/// Texts as rows of tokens, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) pieces: Vec<Piece>,
    pub(super) texts: Vec<Range<usize>>,
}

impl Rows {
    pub(super) fn push(&mut self, text: &[Piece]) {
        let start = self.pieces.len();
        self.pieces.extend_from_slice(text);
        self.texts.push(start..self.pieces.len());
    }
}

/// The states of all rows behind `layers` layers: (rows, hidden).
pub(super) fn states(
    config: &EncoderConfig,
    weights: &EncoderWeights,
    rows: &Rows,
    layers: usize,
) -> Vec<f32> {
    let d = config.hidden_size;
    let mut x = embed(weights, rows, d);
    let mut normed = Vec::new();
    norm(&mut x, &weights.embedding_norm, config, &mut normed);
    let (mut qkv, mut attended, mut inner, mut activated) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut attention = Attention::default();
    for layer in &weights.layers[..layers] {
        layer.qkv.apply(&x, &mut qkv);
        attended.resize(x.len(), 0.0);
        for text in &rows.texts {
            let qkv = &qkv[text.start * 3 * d..text.end * 3 * d];
            let to = &mut attended[text.start * d..text.end * d];
            attention.of_text(qkv, d, config.num_attention_heads, to);
        }
        let mut out = std::mem::take(&mut normed);
        layer.attention_out.apply(&attended, &mut out);
        add(&out, &mut x);
        norm(&mut x, &layer.attention_norm, config, &mut out);
        normed = out;

        layer.mlp_in.apply(&x, &mut inner);
        activated.resize(inner.len(), 0.0);
        match config.activation {
            Activation::Gelu => kernels::gelu_erf(&inner, &mut activated),
            Activation::GeluTanh => kernels::gelu(&inner, &mut activated),
        }
        let mut out = std::mem::take(&mut normed);
        layer.mlp_out.apply(&activated, &mut out);
        add(&out, &mut x);
        norm(&mut x, &layer.mlp_norm, config, &mut out);
        normed = out;
    }
    x
}

/// Sum of the embeddings of word, position and type of every row.
fn embed(weights: &EncoderWeights, rows: &Rows, d: usize) -> Vec<f32> {
    let mut x = Vec::with_capacity(rows.pieces.len() * d);
    for text in &rows.texts {
        for (position, piece) in rows.pieces[text.clone()].iter().enumerate() {
            x.extend_from_slice(&weights.words[piece.id as usize * d..][..d]);
            let start = x.len() - d;
            add(&weights.positions[position * d..][..d], &mut x[start..]);
            if !weights.types.is_empty() {
                add(&weights.types[piece.kind as usize * d..][..d], &mut x[start..]);
            }
        }
    }
    x
}

fn add(from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Replaces `x` by its layer norm.
fn norm(x: &mut Vec<f32>, norm: &Norm, config: &EncoderConfig, scratch: &mut Vec<f32>) {
    scratch.resize(x.len(), 0.0);
    kernels::layer_norm(x, &norm.weight, &norm.bias, config.layer_norm_eps, scratch);
    std::mem::swap(x, scratch);
}

/// Attention of every token of a text to all of them.
#[derive(Default)]
struct Attention {
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    packed: Panels,
    scores: Vec<f32>,
    mixed: Vec<f32>,
}

impl Attention {
    fn of_text(&mut self, qkv: &[f32], d: usize, heads: usize, to: &mut [f32]) {
        let (length, width) = (qkv.len() / (3 * d), d / heads);
        let scale = 1.0 / (width as f32).sqrt();
        for head in 0..heads {
            let at = head * width;
            gather(qkv, 3 * d, at, width, &mut self.queries);
            gather(qkv, 3 * d, d + at, width, &mut self.keys);
            gather(qkv, 3 * d, 2 * d + at, width, &mut self.values);
            self.queries.iter_mut().for_each(|query| *query *= scale);
            self.packed.pack_transposed(&self.keys, length, width);
            self.scores.resize(length * length, 0.0);
            kernels::matmul(&self.queries, &self.packed, &mut self.scores, false);
            kernels::softmax_rows(&mut self.scores, length);
            self.packed.pack(&self.values, length, width);
            self.mixed.resize(length * width, 0.0);
            kernels::matmul(&self.scores, &self.packed, &mut self.mixed, false);
            for (to, mixed) in to.chunks_exact_mut(d).zip(self.mixed.chunks_exact(width)) {
                to[at..at + width].copy_from_slice(mixed);
            }
        }
    }
}

/// Columns of every row.
fn gather(from: &[f32], stride: usize, column: usize, width: usize, to: &mut Vec<f32>) {
    to.clear();
    for row in from.chunks_exact(stride) {
        to.extend_from_slice(&row[column..column + width]);
    }
}
