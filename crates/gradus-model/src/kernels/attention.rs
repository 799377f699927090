//! Causal attention over packed rows of query, key and value.
//!
//! Sequences lie one behind the other without padding. Queries are taken in
//! blocks of eight, keys in panels of sixteen; panels above the diagonal are
//! skipped. The probabilities are kept for the backward pass.

use std::ops::Range;

use super::kernel;
use super::lanes::Lanes;
use super::math::{dot, exp, largest, sum};
use super::matmul::{Target, across, block, down};

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
    dots: Vec<f32>,
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

/// Softmax of the first `visible` scores, zeros behind; `row` is whole panels.
#[inline(always)]
fn softmax(row: &mut [f32], visible: usize) {
    row[visible..].fill(f32::NEG_INFINITY);
    let shift = largest(row);
    for value in row.iter_mut() {
        *value = exp(*value - shift);
    }
    row[visible..].fill(0.0);
    let scale = 1.0 / sum(row);
    for value in row {
        *value *= scale;
    }
}

/// `to = left right^T` for a block of queries and the panels that it may see.
#[inline(always)]
fn scores_of_block<L: Lanes>(
    left: &[f32],
    left_stride: usize,
    right: &[f32],
    width: usize,
    start: usize,
    length: usize,
    to: &mut [f32],
) {
    let stride = padded(length);
    let seen = length.min(start + ROWS);
    for (at, panel) in right.chunks_exact(PANEL * width).take(seen.div_ceil(PANEL)).enumerate() {
        let mut target = Target {
            to: &mut to[start * stride + at * PANEL..],
            stride,
            rows: ROWS.min(length - start),
            columns: PANEL,
            add: false,
        };
        let left = down(left, left_stride, width, start, length);
        block::<L, PANEL>(left, panel.as_chunks().0, &mut target);
    }
}

/// `to = left right` for a block of queries, summed over the keys that it may see.
#[inline(always)]
fn mix_of_block<L: Lanes>(
    left: &[f32],
    right: &[f32],
    width: usize,
    start: usize,
    length: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    let seen = length.min(start + ROWS);
    for (at, panel) in right.chunks_exact(PANEL * length).enumerate() {
        let mut target = Target {
            to: &mut to[start * to_stride + at * PANEL..],
            stride: to_stride,
            rows: ROWS.min(length - start),
            columns: width - at * PANEL,
            add: false,
        };
        let left = down(left, padded(length), seen, start, length);
        block::<L, PANEL>(left, &panel.as_chunks().0[..seen], &mut target);
    }
}

/// `to = left^T right` for a block of keys, summed over the queries from `first` that see it.
#[inline(always)]
fn gather_of_block<L: Lanes>(
    left: &[f32],
    right: &[f32],
    width: usize,
    start: usize,
    first: usize,
    length: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    let from = start.max(first);
    let stride = padded(length);
    for (at, panel) in right.chunks_exact(PANEL * length).enumerate() {
        let mut target = Target {
            to: &mut to[start * to_stride + at * PANEL..],
            stride: to_stride,
            rows: ROWS.min(length - start),
            columns: width - at * PANEL,
            add: false,
        };
        let left = across(&left[from * stride..], stride, start);
        block::<L, PANEL>(left, &panel.as_chunks().0[from..], &mut target);
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
        let mut kept = probabilities;
        for (rows, &first) in of.sequences.iter().zip(of.first) {
            let (length, stride) = (rows.len(), padded(rows.len()));
            let qkv = &qkv[rows.start * 3 * hidden..rows.end * 3 * hidden];
            let output = &mut output[rows.start * hidden..rows.end * hidden];
            for head in 0..of.heads {
                let probabilities;
                (probabilities, kept) = kept.split_at_mut(length * stride);
                let at = head * width;
                pack_transposed(&qkv[hidden + at..], 3 * hidden, width, length, &mut scratch.one);
                pack(&qkv[2 * hidden + at..], 3 * hidden, width, length, &mut scratch.two);
                for start in (first / ROWS * ROWS..length).step_by(ROWS) {
                    let keys = &scratch.one;
                    scores_of_block::<L>(
                        &qkv[at..], 3 * hidden, keys, width, start, length, probabilities,
                    );
                    let seen = padded(length.min(start + ROWS));
                    for row in start..length.min(start + ROWS) {
                        softmax(&mut probabilities[row * stride..][..seen], row + 1);
                    }
                    let values = &scratch.two;
                    mix_of_block::<L>(
                        probabilities, values, width, start, length, &mut output[at..], hidden,
                    );
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
        let AttentionScratch { one, two, scores, dots } = scratch;
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
            dots.resize(length, 0.0);
            for head in 0..of.heads {
                let probabilities;
                (probabilities, kept) = kept.split_at(length * stride);
                let at = head * width;

                // dS = P * (dP - rowsum(dP * P)), and the row sum is doutput . output.
                for row in first..length {
                    let place = row * hidden + at..row * hidden + at + width;
                    dots[row] = dot(&doutput[place.clone()], &output[place]);
                }
                pack_transposed(&qkv[2 * hidden + at..], 3 * hidden, width, length, one);
                pack(&qkv[hidden + at..], 3 * hidden, width, length, two);
                for start in (first..length).step_by(ROWS) {
                    scores_of_block::<L>(&doutput[at..], hidden, one, width, start, length, scores);
                    let seen = padded(length.min(start + ROWS));
                    for row in start..length.min(start + ROWS) {
                        let place = row * stride..row * stride + seen;
                        let values = scores[place.clone()].iter_mut().zip(&probabilities[place]);
                        // Beyond the diagonal the probability is zero.
                        for (value, probability) in values {
                            *value = probability * (*value - dots[row]);
                        }
                    }
                    mix_of_block::<L>(scores, two, width, start, length, &mut dqkv[at..], 3 * hidden);
                }

                pack(&qkv[at..], 3 * hidden, width, length, one);
                pack(&doutput[at..], hidden, width, length, two);
                for start in (0..length).step_by(ROWS) {
                    let dkeys = &mut dqkv[hidden + at..];
                    gather_of_block::<L>(scores, one, width, start, first, length, dkeys, 3 * hidden);
                    let dvalues = &mut dqkv[2 * hidden + at..];
                    gather_of_block::<L>(
                        probabilities, two, width, start, first, length, dvalues, 3 * hidden,
                    );
                }
            }
        }
    }
}
