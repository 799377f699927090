//! Causal attention over packed rows of query, key and value.
//!
//! Sequences lie one behind the other without padding. Queries are taken in
//! blocks of eight, keys in panels of sixteen; panels above the diagonal are
//! skipped. The probabilities are kept for the backward pass.

use std::ops::Range;

use super::kernel;
use super::lanes::Lanes;
use super::math::dot;
use super::matmul::{Strided, across, block, down};

/// Keys of a panel.
const PANEL: usize = 16;
/// Queries of a block.
const ROWS: usize = 8;

/// What is attended to by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention<'a> {
    /// Width of the residual stream.
    pub(crate) hidden: usize,
    /// Number of heads.
    pub(crate) heads: usize,
    /// Rows of each sequence.
    pub(crate) sequences: &'a [Range<usize>],
    /// Per sequence, the first of its rows whose output is needed.
    pub(crate) first: &'a [usize],
}

/// Copies of one head's keys, values and so on, reused from head to head.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttentionScratch {
    one: Vec<f32>,
    two: Vec<f32>,
    scores: Vec<f32>,
}

impl Attention<'_> {
    /// Length of the buffer that keeps the probabilities.
    pub(crate) fn probabilities_len(&self) -> usize {
        self.sequences.iter().map(|rows| self.heads * rows.len() * padded(rows.len())).sum()
    }

    /// `output = softmax(queries keys^T) values` per head; queries come scaled.
    pub(crate) fn forward(
        &self,
        qkv: &[f32],
        probabilities: &mut [f32],
        output: &mut [f32],
        scratch: &mut AttentionScratch,
    ) {
        attention(self, qkv, probabilities, output, scratch);
    }

    /// The gradient of `qkv`, given `doutput`; what no gradient reaches is zero.
    pub(crate) fn backward(
        &self,
        qkv: &[f32],
        probabilities: &[f32],
        output: &[f32],
        doutput: &[f32],
        dqkv: &mut [f32],
        scratch: &mut AttentionScratch,
    ) {
        attention_backward(self, qkv, probabilities, output, doutput, dqkv, scratch);
    }
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(PANEL)
}

/// Panels of columns: row by row within a panel, zeros where columns are missing.
#[inline(always)]
fn pack(rows: &[f32], stride: usize, columns: usize, length: usize, to: &mut Vec<f32>) {
    to.resize(padded(columns) * length, 0.0);
    for (at, panel) in to.chunks_exact_mut(PANEL * length).enumerate() {
        let from = at * PANEL..columns.min((at + 1) * PANEL);
        let rows = rows.chunks(stride).map(|row| &row[from.clone()]);
        for (to, row) in panel.as_chunks_mut::<PANEL>().0.iter_mut().zip(rows) {
            if let Some(row) = row.first_chunk::<PANEL>() {
                *to = *row;
            } else {
                *to = [0.0; PANEL];
                to[..row.len()].copy_from_slice(row);
            }
        }
    }
}

/// Panels of rows: column by column within a panel, zeros where rows are missing.
#[inline(always)]
fn pack_transposed(rows: &[f32], stride: usize, columns: usize, length: usize, to: &mut Vec<f32>) {
    to.resize(padded(length) * columns, 0.0);
    for (panel, rows) in to.chunks_exact_mut(PANEL * columns).zip(rows.chunks(PANEL * stride)) {
        if rows.len() <= (PANEL - 1) * stride {
            panel.fill(0.0);
        }
        let (panel, _) = panel.as_chunks_mut::<PANEL>();
        for (lane, row) in rows.chunks(stride).enumerate() {
            for (to, &from) in panel.iter_mut().zip(&row[..columns]) {
                to[lane] = from;
            }
        }
    }
}

/// A block of rows from `start` in a sequence of `length`, and the width of a head.
#[derive(Clone, Copy)]
struct Block {
    start: usize,
    length: usize,
    width: usize,
}

impl Block {
    /// Positions up to the block's end: what its queries may see.
    #[inline(always)]
    fn seen(self) -> usize {
        self.length.min(self.start + ROWS)
    }
}

/// How many of the first `visible` positions are in a panel.
#[inline(always)]
pub(super) fn seen_in(visible: usize, panel: usize) -> usize {
    visible.saturating_sub(panel * PANEL).min(PANEL)
}

/// Softmax of rows of `stride` scores, at most [`ROWS`] rows; in whole panels, of
/// which only the first `seen(row, panel)` count. Zeros elsewhere.
///
/// One pass after the other over all rows, because within a row each waits for
/// the last.
#[inline(always)]
pub(super) fn softmax<L: Lanes>(
    scores: &mut [f32],
    stride: usize,
    panels: usize,
    seen: impl Fn(usize, usize) -> usize,
) {
    // Sixteen of these from the right place hide the lanes from `seen` on.
    const BIAS: [f32; 2 * PANEL] = {
        let mut bias = [f32::NEG_INFINITY; 2 * PANEL];
        bias.split_at_mut(PANEL).0.copy_from_slice(&[0.0; PANEL]);
        bias
    };
    const KEEP: [f32; 2 * PANEL] = {
        let mut keep = [0.0; 2 * PANEL];
        keep.split_at_mut(PANEL).0.copy_from_slice(&[1.0; PANEL]);
        keep
    };
    let window = |of: &[f32; 2 * PANEL], row: usize, panel: usize| {
        let mut window = [0.0; PANEL];
        window.copy_from_slice(&of[PANEL - seen(row, panel)..][..PANEL]);
        L::load(&window)
    };
    let mut scales = [0.0; ROWS];
    for (row, (scores, shift)) in scores.chunks_mut(stride).zip(&mut scales).enumerate() {
        let mut largest = L::splat(f32::NEG_INFINITY);
        for (panel, scores) in scores.as_chunks_mut().0.iter_mut().take(panels).enumerate() {
            let score = L::load(scores).add(window(&BIAS, row, panel));
            score.store(scores);
            largest = largest.max(score);
        }
        *shift = -largest.largest();
    }
    for (row, (scores, scale)) in scores.chunks_mut(stride).zip(&mut scales).enumerate() {
        let (shift, mut sum) = (L::splat(*scale), L::splat(0.0));
        for (panel, scores) in scores.as_chunks_mut().0.iter_mut().take(panels).enumerate() {
            let weight = L::load(scores).add(shift).exp_of_negative();
            let weight = weight.mul(window(&KEEP, row, panel));
            weight.store(scores);
            sum = sum.add(weight);
        }
        *scale = 1.0 / sum.sum();
    }
    for (scores, &scale) in scores.chunks_mut(stride).zip(&scales) {
        for scores in scores.as_chunks_mut().0.iter_mut().take(panels) {
            L::load(scores).mul(L::splat(scale)).store(scores);
        }
    }
}

/// `to = left right^T` for a block of queries and the panels that it may see.
#[inline(always)]
fn scores_of_block<L: Lanes>(
    left: &[f32],
    left_stride: usize,
    right: &[f32],
    of: Block,
    to: &mut [f32],
) {
    let Block { start, length, width } = of;
    let stride = padded(length);
    let panels = right.chunks_exact(PANEL * width).take(of.seen().div_ceil(PANEL));
    for (at, panel) in panels.enumerate() {
        let mut target = Strided {
            to: &mut to[start * stride + at * PANEL..],
            stride,
            rows: of.seen() - start,
            columns: PANEL,
            add: false,
        };
        let left = down(left, left_stride, width, start, length);
        block::<L, PANEL>(&left, panel.as_chunks().0, &mut target);
    }
}

/// `to = left right` for a block of queries, summed over the keys that it may see.
#[inline(always)]
fn mix_of_block<L: Lanes>(
    left: &[f32],
    right: &[f32],
    of: Block,
    to: &mut [f32],
    to_stride: usize,
) {
    let Block { start, length, width } = of;
    for (at, panel) in right.chunks_exact(PANEL * length).enumerate() {
        let mut target = Strided {
            to: &mut to[start * to_stride + at * PANEL..],
            stride: to_stride,
            rows: of.seen() - start,
            columns: width - at * PANEL,
            add: false,
        };
        let left = down(left, padded(length), of.seen(), start, length);
        block::<L, PANEL>(&left, &panel.as_chunks().0[..of.seen()], &mut target);
    }
}

/// `to = left^T right` for a block of keys, summed over the queries from `first` that see it.
#[inline(always)]
fn gather_of_block<L: Lanes>(
    left: &[f32],
    right: &[f32],
    of: Block,
    first: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    let Block { start, length, width } = of;
    let from = start.max(first);
    let stride = padded(length);
    for (at, panel) in right.chunks_exact(PANEL * length).enumerate() {
        let mut target = Strided {
            to: &mut to[start * to_stride + at * PANEL..],
            stride: to_stride,
            rows: of.seen() - start,
            columns: width - at * PANEL,
            add: false,
        };
        let left = across(&left[from * stride..], stride, start);
        block::<L, PANEL>(&left, &panel.as_chunks().0[from..], &mut target);
    }
}

kernel! {
    fn attention(
        of: &Attention<'_>,
        qkv: &[f32],
        probabilities: &mut [f32],
        output: &mut [f32],
        scratch: &mut AttentionScratch,
    ) {
        let (hidden, width) = (of.hidden, of.hidden / of.heads);
        let AttentionScratch { one: keys, two: values, .. } = scratch;
        let mut kept = probabilities;
        for (rows, &first) in of.sequences.iter().zip(of.first) {
            let (length, stride) = (rows.len(), padded(rows.len()));
            let qkv = &qkv[rows.start * 3 * hidden..rows.end * 3 * hidden];
            let output = &mut output[rows.start * hidden..rows.end * hidden];
            for head in 0..of.heads {
                let probabilities;
                (probabilities, kept) = kept.split_at_mut(length * stride);
                let at = head * width;
                pack_transposed(&qkv[hidden + at..], 3 * hidden, width, length, keys);
                pack(&qkv[2 * hidden + at..], 3 * hidden, width, length, values);
                for start in (first / ROWS * ROWS..length).step_by(ROWS) {
                    let block = Block { start, length, width };
                    scores_of_block::<L>(&qkv[at..], 3 * hidden, keys, block, probabilities);
                    let scores = &mut probabilities[start * stride..block.seen() * stride];
                    softmax::<L>(scores, stride, block.seen().div_ceil(PANEL), |row, panel| {
                        seen_in(start + row + 1, panel)
                    });
                    mix_of_block::<L>(probabilities, values, block, &mut output[at..], hidden);
                }
            }
        }
    }
}

kernel! {
    fn attention_backward(
        of: &Attention<'_>,
        qkv: &[f32],
        probabilities: &[f32],
        output: &[f32],
        doutput: &[f32],
        dqkv: &mut [f32],
        scratch: &mut AttentionScratch,
    ) {
        let (hidden, width) = (of.hidden, of.hidden / of.heads);
        let AttentionScratch { one, two, scores } = scratch;
        let mut kept = probabilities;
        for (rows, &first) in of.sequences.iter().zip(of.first) {
            let (length, stride) = (rows.len(), padded(rows.len()));
            let first = first / ROWS * ROWS;
            let qkv = &qkv[rows.start * 3 * hidden..rows.end * 3 * hidden];
            let dqkv = &mut dqkv[rows.start * 3 * hidden..rows.end * 3 * hidden];
            let output = &output[rows.start * hidden..rows.end * hidden];
            let doutput = &doutput[rows.start * hidden..rows.end * hidden];
            for row in dqkv.chunks_exact_mut(3 * hidden).take(first) {
                row[..hidden].fill(0.0);
            }
            scores.resize(length * stride, 0.0);
            for head in 0..of.heads {
                let probabilities;
                (probabilities, kept) = kept.split_at(length * stride);
                let at = head * width;

                pack_transposed(&qkv[2 * hidden + at..], 3 * hidden, width, length, one);
                pack(&qkv[hidden + at..], 3 * hidden, width, length, two);
                for start in (first..length).step_by(ROWS) {
                    let block = Block { start, length, width };
                    scores_of_block::<L>(&doutput[at..], hidden, one, block, scores);
                    // dS = P (dP - rowsum(dP P)), and the row sum is doutput . output.
                    for row in start..block.seen() {
                        let place = row * hidden + at..row * hidden + at + width;
                        let sum = dot(&doutput[place.clone()], &output[place]);
                        let place = row * stride..row * stride + padded(block.seen());
                        let values = scores[place.clone()].iter_mut().zip(&probabilities[place]);
                        // Beyond the diagonal the probability is zero.
                        for (value, probability) in values {
                            *value = probability * (*value - sum);
                        }
                    }
                    mix_of_block::<L>(scores, two, block, &mut dqkv[at..], 3 * hidden);
                }

                pack(&qkv[at..], 3 * hidden, width, length, one);
                pack(&doutput[at..], hidden, width, length, two);
                for start in (0..length).step_by(ROWS) {
                    let block = Block { start, length, width };
                    let dkeys = &mut dqkv[hidden + at..];
                    gather_of_block::<L>(scores, one, block, first, dkeys, 3 * hidden);
                    let dvalues = &mut dqkv[2 * hidden + at..];
                    gather_of_block::<L>(probabilities, two, block, first, dvalues, 3 * hidden);
                }
            }
        }
    }
}
