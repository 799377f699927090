//! Products of small matrices, row-major.
//!
//! One inner loop: a block of `ROWS` by `PANEL` sums stays in registers while
//! it runs along the contracted side in order. So every element is one chain
//! of fused multiply-adds, whatever the number of rows beside it.

use std::ops::Range;

use super::kernel;
use super::lanes::Lanes;

/// Columns of a panel of the right side.
const PANEL: usize = 32;
/// Rows of the left side that are done at once.
pub(super) const ROWS: usize = 8;
/// Rows of the left side that share a pass over the panels (fits a second-level cache).
const BLOCK: usize = 64;
/// Contracted length of one pass of a product with transposed left side.
const STRIP: usize = 128;

/// The right side of a product, cut into panels of [`PANEL`] columns whose
/// rows lie one behind the other, padded with zeros.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panels {
    data: Vec<f32>,
    depth: usize,
    width: usize,
}

impl Panels {
    /// Columns of a panel.
    pub(super) const PANEL: usize = PANEL;

    /// Rows of the right side: how many numbers an element of the product sums.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the right side.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// A range of panels, one behind the other.
    #[inline(always)]
    pub(super) fn panels(&self, range: Range<usize>) -> &[f32] {
        &self.data[range.start * PANEL * self.depth..range.end * PANEL * self.depth]
    }

    /// Packs `right`, of `depth` rows and `width` columns.
    pub(crate) fn pack(&mut self, right: &[f32], depth: usize, width: usize) {
        self.reset(depth, width);
        for (at, panel) in self.data.chunks_exact_mut(PANEL * depth).enumerate() {
            let (panel, _) = panel.as_chunks_mut();
            copy_columns(right, width, at * PANEL, panel);
        }
    }

    /// Packs the transpose of `right`, of `width` rows and `depth` columns.
    pub(crate) fn pack_transposed(&mut self, right: &[f32], width: usize, depth: usize) {
        self.reset(depth, width);
        for (panel, rows) in
            self.data.chunks_exact_mut(PANEL * depth).zip(right.chunks(PANEL * depth))
        {
            if rows.len() < PANEL * depth {
                panel.fill(0.0);
            }
            // Sixteen rows of the panel at a time stay in the nearest cache.
            for (block, panel) in panel.as_chunks_mut::<PANEL>().0.chunks_mut(16).enumerate() {
                for (lane, row) in rows.chunks_exact(depth).enumerate() {
                    for (to, &from) in panel.iter_mut().zip(&row[16 * block..]) {
                        to[lane] = from;
                    }
                }
            }
        }
    }

    fn reset(&mut self, depth: usize, width: usize) {
        (self.depth, self.width) = (depth, width);
        self.data.resize(width.div_ceil(PANEL) * PANEL * depth, 0.0);
    }
}

/// Copies the columns of a panel, from `column` on, out of rows of `width`.
#[inline(always)]
fn copy_columns(from: &[f32], width: usize, column: usize, to: &mut [[f32; PANEL]]) {
    for (to, row) in to.iter_mut().zip(from.chunks_exact(width)) {
        let row = &row[column..];
        if let Some(row) = row.first_chunk() {
            *to = *row;
        } else {
            *to = [0.0; PANEL];
            to[..row.len()].copy_from_slice(row);
        }
    }
}

/// Where a block of sums goes.
pub(super) trait Target {
    /// Whether so many rows and columns of the block exist.
    fn holds(&self, rows: usize, columns: usize) -> bool;
    /// How many of the block's rows exist.
    fn rows(&self) -> usize;
    /// A row of the block, as long as it exists.
    fn row(&mut self, row: usize) -> &mut [f32];
    /// Whether sums are added to what is there.
    fn add(&self) -> bool;
}

/// A block within rows that lie at equal distances.
pub(super) struct Strided<'a> {
    /// The rows from the block's first element on.
    pub(super) to: &'a mut [f32],
    /// Distance of two rows.
    pub(super) stride: usize,
    /// How many of the block's rows exist.
    pub(super) rows: usize,
    /// How many of the block's columns exist.
    pub(super) columns: usize,
    /// Add to what is there.
    pub(super) add: bool,
}

impl Target for Strided<'_> {
    #[inline(always)]
    fn holds(&self, rows: usize, columns: usize) -> bool {
        self.rows >= rows && self.columns >= columns
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    fn row(&mut self, row: usize) -> &mut [f32] {
        &mut self.to[row * self.stride..][..self.columns]
    }

    #[inline(always)]
    fn add(&self) -> bool {
        self.add
    }
}

/// A block within pieces of rows, of which other threads may hold the rest.
pub(super) struct Pieces<'a, 'b> {
    /// The block's rows and those below it.
    pub(super) rows: &'a mut [&'b mut [f32]],
    /// The block's first column in them.
    pub(super) column: usize,
    /// Add to what is there.
    pub(super) add: bool,
}

impl Target for Pieces<'_, '_> {
    #[inline(always)]
    fn holds(&self, rows: usize, columns: usize) -> bool {
        self.rows.len() >= rows && self.rows[0].len() >= self.column + columns
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    #[inline(always)]
    fn row(&mut self, row: usize) -> &mut [f32] {
        self.rows[row].get_mut(self.column..).unwrap_or_default()
    }

    #[inline(always)]
    fn add(&self) -> bool {
        self.add
    }
}

/// The left side of a block: `ROWS` numbers for each of the panel's rows. (A
/// closure may end up outside the kernel that calls it, a method that is always
/// inlined cannot.)
pub(super) trait Left {
    fn at(&self, at: usize) -> [f32; ROWS];
}

/// A block of `ROWS` by `WIDTH` sums of `left.at(at)` times the panel's rows, in order.
#[inline(always)]
pub(super) fn block<L: Lanes, const WIDTH: usize>(
    left: &impl Left,
    panel: &[[f32; WIDTH]],
    target: &mut impl Target,
) {
    if L::WIDE && WIDTH == 32 && target.rows() <= 4 {
        part::<L, 0, 4, 0, 2, WIDTH>(left, panel, target);
    } else if L::WIDE && WIDTH == 32 {
        part::<L, 0, 8, 0, 2, WIDTH>(left, panel, target);
    } else if L::WIDE {
        part::<L, 0, 8, 0, 1, WIDTH>(left, panel, target);
    } else {
        part::<L, 0, 4, 0, 1, WIDTH>(left, panel, target);
        part::<L, 4, 4, 0, 1, WIDTH>(left, panel, target);
        if WIDTH == 32 {
            part::<L, 0, 4, 1, 1, WIDTH>(left, panel, target);
            part::<L, 4, 4, 1, 1, WIDTH>(left, panel, target);
        }
    }
}

/// `COUNT` rows from `ROW` by `VECTORS` times 16 columns from `16 VECTOR` of a
/// block: as many sums as stay in registers until they are stored.
#[inline(always)]
fn part<
    L: Lanes,
    const ROW: usize,
    const COUNT: usize,
    const VECTOR: usize,
    const VECTORS: usize,
    const WIDTH: usize,
>(
    left: &impl Left,
    panel: &[[f32; WIDTH]],
    target: &mut impl Target,
) {
    let mut sums = [[L::splat(0.0); VECTORS]; COUNT];
    for (at, right) in panel.iter().enumerate() {
        let left = left.at(at);
        let (right, _) = right.as_chunks::<16>();
        for (row, sums) in sums.iter_mut().enumerate() {
            let x = L::splat(left[ROW + row]);
            for (vector, sum) in sums.iter_mut().enumerate() {
                *sum = x.mul_add(L::load(&right[VECTOR + vector]), *sum);
            }
        }
    }
    store::<L, ROW, VECTOR, COUNT, VECTORS>(sums, target);
}

/// Stores what exists of a part of a block that begins at `ROW` and `16 VECTOR`.
#[inline(always)]
pub(super) fn store<
    L: Lanes,
    const ROW: usize,
    const VECTOR: usize,
    const COUNT: usize,
    const VECTORS: usize,
>(
    sums: [[L; VECTORS]; COUNT],
    target: &mut impl Target,
) {
    let add = target.add();
    // Rows one by one, so that the sums stay in registers to the end.
    if target.holds(ROW + COUNT, 16 * (VECTOR + VECTORS)) {
        for (row, sums) in sums.into_iter().enumerate() {
            let (to, _) = target.row(ROW + row).as_chunks_mut::<16>();
            for (vector, sum) in sums.into_iter().enumerate() {
                let to = &mut to[VECTOR + vector];
                (if add { L::load(to).add(sum) } else { sum }).store(to);
            }
        }
        return;
    }
    let mut copies = [[[0.0; 16]; VECTORS]; COUNT];
    for (copies, sums) in copies.iter_mut().zip(sums) {
        for (copy, sum) in copies.iter_mut().zip(sums) {
            sum.store(copy);
        }
    }
    for (row, copies) in copies.iter().enumerate().take(target.rows().saturating_sub(ROW)) {
        let to = target.row(ROW + row).iter_mut().skip(16 * VECTOR);
        for (to, sum) in to.zip(copies.as_flattened()) {
            *to = if add { *to + sum } else { *sum };
        }
    }
}

/// `ROWS` rows, read down.
pub(super) struct Down<'a>([&'a [f32]; ROWS]);

impl Left for Down<'_> {
    #[inline(always)]
    fn at(&self, at: usize) -> [f32; ROWS] {
        let [a, b, c, d, e, f, g, h] = self.0;
        [a[at], b[at], c[at], d[at], e[at], f[at], g[at], h[at]]
    }
}

/// `ROWS` rows of `depth` elements from `start`; past the last row, the last again.
#[inline(always)]
pub(super) fn down(
    left: &[f32],
    stride: usize,
    depth: usize,
    start: usize,
    rows: usize,
) -> Down<'_> {
    let row = |row: usize| &left[(start + row).min(rows - 1) * stride..][..depth];
    Down([row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)])
}

kernel! {
    /// `to = left right`, or `to += left right`; `left` has `right.depth()` columns.
    pub(crate) fn matmul(left: &[f32], right: &Panels, to: &mut [f32], add: bool) {
        let (depth, width) = (right.depth, right.width);
        let rows = left.len() / depth;
        assert_eq!(left.len(), rows * depth, "left side of a product");
        assert_eq!(to.len(), rows * width, "result of a product");
        for block_start in (0..rows).step_by(BLOCK) {
            let block_end = rows.min(block_start + BLOCK);
            for (at, panel) in right.data.chunks_exact(PANEL * depth).enumerate() {
                let column = at * PANEL;
                let (panel, _) = panel.as_chunks::<PANEL>();
                for row in (block_start..block_end).step_by(ROWS) {
                    let mut target = Strided {
                        to: &mut to[row * width + column..],
                        stride: width,
                        rows: ROWS.min(rows - row),
                        columns: width - column,
                        add,
                    };
                    block::<L, PANEL>(&down(left, depth, depth, row, rows), panel, &mut target);
                }
            }
        }
    }
}

kernel! {
    /// `to += left^T right`: the gradient of a weight from `left`, the gradient
    /// of the outputs (rows, outputs), and `right`, the inputs (rows, inputs).
    pub(crate) fn matmul_transposed_left(
        left: &[f32],
        right: &[f32],
        outputs: usize,
        inputs: usize,
        to: &mut [f32],
    ) {
        assert_eq!(left.len() / outputs, right.len() / inputs, "rows of a product");
        assert_eq!(to.len(), outputs * inputs, "result of a product");
        let mut panel = [[0.0; PANEL]; STRIP];
        for (left, right) in left.chunks(STRIP * outputs).zip(right.chunks(STRIP * inputs)) {
            for column in (0..inputs).step_by(PANEL) {
                let columns = PANEL.min(inputs - column);
                copy_columns(right, inputs, column, &mut panel);
                let panel = &panel[..right.len() / inputs];
                for output in (0..outputs).step_by(ROWS) {
                    let mut target = Strided {
                        to: &mut to[output * inputs + column..],
                        stride: inputs,
                        rows: ROWS.min(outputs - output),
                        columns,
                        add: true,
                    };
                    let left = across(left, outputs, output);
                    if target.rows == ROWS {
                        block::<L, PANEL>(&left, panel, &mut target);
                    } else {
                        block::<L, PANEL>(&Last(left), panel, &mut target);
                    }
                }
            }
        }
    }
}

/// `ROWS` columns, read across.
pub(super) struct Across<'a> {
    left: &'a [f32],
    stride: usize,
    start: usize,
}

impl Left for Across<'_> {
    #[inline(always)]
    fn at(&self, at: usize) -> [f32; ROWS] {
        let row = &self.left[at * self.stride + self.start..][..ROWS];
        [row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]]
    }
}

/// `ROWS` columns of `left` from `start`.
#[inline(always)]
pub(super) fn across(left: &[f32], stride: usize, start: usize) -> Across<'_> {
    Across { left, stride, start }
}

/// The last columns, fewer than `ROWS`, and zeros.
struct Last<'a>(Across<'a>);

impl Left for Last<'_> {
    #[inline(always)]
    fn at(&self, at: usize) -> [f32; ROWS] {
        let Across { left, stride, start } = self.0;
        let row = &left[at * stride + start..(at + 1) * stride];
        let mut padded = [0.0; ROWS];
        padded[..row.len()].copy_from_slice(row);
        padded
    }
}

#[cfg(test)]
mod tests {
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

    fn close(found: &[f32], expected: &[f64]) {
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{at}: {found} {expected}");
        }
    }

    #[test]
    fn products_agree_with_the_definition_in_every_size() {
        for (rows, depth, width) in
            [(1, 1, 1), (7, 3, 38), (8, 16, 32), (65, 17, 33), (130, 40, 70)]
        {
            let left = numbers(rows * depth, 1);
            let right = numbers(depth * width, 2);
            let mut expected = vec![0.0; rows * width];
            for row in 0..rows {
                for column in 0..width {
                    expected[row * width + column] = (0..depth)
                        .map(|at| {
                            f64::from(left[row * depth + at])
                                * f64::from(right[at * width + column])
                        })
                        .sum();
                }
            }
            let mut panels = Panels::default();
            panels.pack(&right, depth, width);
            let mut found = vec![f32::NAN; rows * width];
            matmul(&left, &panels, &mut found, false);
            close(&found, &expected);

            let transposed: Vec<f32> =
                (0..width * depth).map(|at| right[at % depth * width + at / depth]).collect();
            panels.pack_transposed(&transposed, width, depth);
            let mut again = found.clone();
            matmul(&left, &panels, &mut again, true);
            let twice: Vec<f32> = found.iter().map(|value| value + value).collect();
            assert_eq!(again, twice);

            // left^T right over `rows`, against the same product of a transposed copy.
            let right = numbers(rows * width, 3);
            let turned: Vec<f32> =
                (0..rows * depth).map(|at| left[at % rows * depth + at / rows]).collect();
            panels.pack(&right, rows, width);
            let mut expected = vec![0.0; depth * width];
            matmul(&turned, &panels, &mut expected, false);
            let mut found = vec![0.0; depth * width];
            matmul_transposed_left(&left, &right, depth, width, &mut found);
            let expected: Vec<f64> = expected.iter().map(|&value| f64::from(value)).collect();
            close(&found, &expected);
        }
    }

    #[test]
    fn a_row_is_the_same_to_the_bit_in_any_company() {
        let (depth, width) = (64, 70);
        let left = numbers(64 * depth, 4);
        let mut panels = Panels::default();
        panels.pack(&numbers(depth * width, 5), depth, width);
        let mut all = vec![0.0; 64 * width];
        matmul(&left, &panels, &mut all, false);
        for rows in [1, 2, 7, 63] {
            let mut some = vec![0.0; rows * width];
            matmul(&left[depth..(rows + 1) * depth], &panels, &mut some, false);
            assert_eq!(some, all[width..(rows + 1) * width]);
        }
    }
}
