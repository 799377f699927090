//! Weights packed for products, in one of several formats, and threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::matmul::Panels;
use super::quantized::{Quantized, Rounded};

/// Multiplications below which a product stays on its thread.
const WORTH_SHARING: usize = 1 << 21;

/// Weights (outputs, inputs) of a linear map, packed once.
///
/// A row's result has the same bits whatever rows stand beside it and however
/// many threads there are.
#[derive(Clone, Debug)]
pub(crate) enum Matrix {
    /// Products and sums in f32.
    F32(Panels),
    /// Weights of eight bits, rows rounded to sixteen: another numerical mode
    /// than [`Matrix::F32`], see [`Quantized`].
    Q8(Quantized),
}

impl Matrix {
    /// Packs `weights` (outputs, inputs) as they are.
    pub(crate) fn pack(weights: &[f32], outputs: usize, inputs: usize) -> Self {
        let mut panels = Panels::default();
        panels.pack_transposed(weights, outputs, inputs);
        Self::F32(panels)
    }

    /// Rounds `weights` (outputs, inputs) to eight bits and packs them.
    pub(crate) fn quantize(weights: &[f32], outputs: usize, inputs: usize) -> Self {
        Self::Q8(Quantized::pack(weights, outputs, inputs))
    }

    /// Number of inputs.
    pub(crate) fn inputs(&self) -> usize {
        match self {
            Self::F32(panels) => panels.depth(),
            Self::Q8(quantized) => quantized.depth(),
        }
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::F32(panels) => panels.width(),
            Self::Q8(quantized) => quantized.width(),
        }
    }

    /// `to = rows weights^T`, or `to += rows weights^T`: `count` rows of inputs
    /// give as many rows of outputs. Large products are shared among rayon's threads.
    pub(crate) fn product(&self, rows: &[f32], count: usize, to: &mut [f32], add: bool) {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        assert_eq!(rows.len(), count * inputs, "rows of a product");
        assert_eq!(to.len(), count * outputs, "result of a product");
        if to.is_empty() {
            return;
        }
        let threads =
            if count * inputs * outputs < WORTH_SHARING { 1 } else { rayon::current_num_threads() };
        match self {
            Self::F32(panels) => {
                share(to, outputs, Panels::PANEL, threads, |range, to| {
                    panels.product(rows, range, to, add);
                });
            }
            Self::Q8(quantized) => with_rounded(|rounded| {
                quantized.round(rows, rounded);
                let rounded = &*rounded;
                share(to, outputs, Quantized::PANEL, threads, |range, to| {
                    quantized.product(rounded, range, to, add);
                });
            }),
        }
    }
}

/// Lends the thread's buffer for rounded rows.
fn with_rounded(work: impl FnOnce(&mut Rounded)) {
    thread_local! {
        static ROUNDED: Cell<Rounded> = const { Cell::new(Rounded::new()) };
    }
    let mut rounded = ROUNDED.take();
    work(&mut rounded);
    ROUNDED.set(rounded);
}

/// Cuts the columns of `to` into a range of whole panels for each thread, and
/// gives each its range and the pieces of the rows in it.
fn share(
    to: &mut [f32],
    width: usize,
    panel: usize,
    threads: usize,
    work: impl Fn(Range<usize>, &mut [&mut [f32]]) + Sync,
) {
    let panels = width.div_ceil(panel);
    let share = panels.div_ceil(threads);
    if threads == 1 {
        let mut rows: Vec<&mut [f32]> = to.chunks_exact_mut(width).collect();
        work(0..panels, &mut rows);
        return;
    }
    let mut shares: Vec<Vec<&mut [f32]>> = Vec::new();
    shares.resize_with(panels.div_ceil(share), || Vec::with_capacity(to.len() / width));
    for row in to.chunks_exact_mut(width) {
        for (share, piece) in shares.iter_mut().zip(row.chunks_mut(share * panel)) {
            share.push(piece);
        }
    }
    shares.par_iter_mut().enumerate().for_each(|(at, rows)| {
        work(at * share..panels.min((at + 1) * share), rows);
    });
}

#[cfg(test)]
mod tests {
    use super::super::{AT_MOST, Instructions};
    use super::*;

    fn numbers(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// Rows times the transpose of weights, in f64.
    fn definition(rows: &[f32], weights: &[f32], inputs: usize) -> Vec<f64> {
        let dot = |row: &[f32], weights: &[f32]| {
            row.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
        };
        rows.chunks_exact(inputs)
            .flat_map(|row| weights.chunks_exact(inputs).map(move |weights| dot(row, weights)))
            .collect()
    }

    fn product(matrix: &Matrix, rows: &[f32]) -> Vec<f32> {
        let count = rows.len() / matrix.inputs();
        let mut to = vec![f32::NAN; count * matrix.outputs()];
        matrix.product(rows, count, &mut to, false);
        to
    }

    const SIZES: [(usize, usize, usize); 8] = [
        (1, 1, 1),
        (1, 40, 300),
        (2, 64, 33),
        (3, 100, 17),
        (4, 32, 200),
        (7, 576, 130),
        (64, 33, 70),
        (131, 64, 64),
    ];

    #[test]
    fn products_agree_with_the_definition_in_every_size() {
        for (count, inputs, outputs) in SIZES {
            let (rows, weights) = (numbers(count * inputs, 1), numbers(outputs * inputs, 2));
            let matrix = Matrix::pack(&weights, outputs, inputs);
            let mut found = product(&matrix, &rows);
            for (found, expected) in found.iter().zip(definition(&rows, &weights, inputs)) {
                let tolerance = 1e-5 + 2e-6 * expected.abs();
                assert!((f64::from(*found) - expected).abs() < tolerance, "{found} {expected}");
            }
            let twice: Vec<f32> = found.iter().map(|value| value + value).collect();
            matrix.product(&rows, count, &mut found, true);
            assert_eq!(found, twice);
        }
    }

    /// A number of a row is off by at most half a step, 1 / 65278 of the largest in its block.
    #[test]
    fn rounded_products_are_within_the_stated_tolerance_of_the_dequantized_weights() {
        for (count, inputs, outputs) in SIZES {
            let (rows, weights) = (numbers(count * inputs, 3), numbers(outputs * inputs, 4));
            let matrix = Matrix::quantize(&weights, outputs, inputs);
            let dequantized: Vec<f32> = weights
                .chunks_exact(inputs)
                .flat_map(|row| row.chunks(32))
                .flat_map(|block| {
                    let scale = block.iter().fold(0.0f32, |most, w| most.max(w.abs())) / 127.0;
                    block.iter().map(move |weight| (weight / scale).round_ties_even() * scale)
                })
                .collect();
            let found = product(&matrix, &rows);
            let expected = definition(&rows, &dequantized, inputs);
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                let weights = &dequantized[at % outputs * inputs..][..inputs];
                let sizes: f32 = weights.iter().map(|weight| weight.abs()).sum();
                let tolerance = f64::from(sizes) / 65_278.0 + 2e-6 * expected.abs() + 1e-6;
                assert!((f64::from(*found) - expected).abs() < tolerance, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_row_is_the_same_to_the_bit_in_any_company_and_on_any_number_of_threads() {
        let (inputs, outputs) = (576, 1000);
        let (rows, weights) = (numbers(64 * inputs, 5), numbers(outputs * inputs, 6));
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for matrix in
            [Matrix::pack(&weights, outputs, inputs), Matrix::quantize(&weights, outputs, inputs)]
        {
            let all = pool(1).install(|| product(&matrix, &rows));
            for (threads, count) in [(1, 1), (3, 1), (2, 2), (1, 3), (3, 7), (2, 33), (3, 64)] {
                let rows = &rows[..count * inputs];
                let some = pool(threads).install(|| product(&matrix, rows));
                assert_eq!(some, all[..count * outputs], "{threads} threads, {count} rows");
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for (count, inputs, outputs) in SIZES {
            let (rows, weights) = (numbers(count * inputs, 7), numbers(outputs * inputs, 8));
            for pack in [Matrix::pack, Matrix::quantize] {
                let matrix = pack(&weights, outputs, inputs);
                let results = [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512]
                    .map(|most| {
                        AT_MOST.set(Some(most));
                        product(&matrix, &rows)
                    });
                AT_MOST.set(None);
                assert_eq!(results[0], results[1]);
                assert_eq!(results[1], results[2]);
            }
        }
    }

    #[test]
    fn a_row_that_is_not_finite_gives_no_number() {
        let matrix = Matrix::quantize(&numbers(40 * 64, 9), 40, 64);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut rows = numbers(64, 10);
            rows[50] = bad;
            assert!(product(&matrix, &rows).iter().all(|value| value.is_nan()));
        }
        assert!(product(&matrix, &[0.0; 64]).iter().all(|&value| value == 0.0));
        assert!(product(&matrix, &[1e-38; 64]).iter().all(|&value| value == 0.0));
    }
}
