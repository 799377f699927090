//! Products of rows with weights of eight bits.
//!
//! Weights have one scale for 32 inputs of an output, as in llama.cpp's `Q8_0`.
//! Rows are rounded to 16 bits with one scale for 32 inputs: the error is at most
//! 1.6e-5 of the largest of them, 256 times less than with the 8 bits that
//! llama.cpp rounds them to. The 32 products are summed as integers, exactly, and
//! the blocks in order, so a row has the same bits in any company and on any
//! processor.

use std::ops::Range;

use super::lanes::Lanes;
use super::lanes::Portable;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::math::fold;
use super::matmul::{Pieces, store};
#[cfg(target_arch = "x86_64")]
use super::{Instructions, instructions};

/// Inputs that share a scale.
pub(crate) const BLOCK: usize = 32;
/// Outputs of a panel.
const PANEL: usize = 16;
/// Rows that share a pass over the panels (they fit a second-level cache).
const PASS: usize = 64;
/// Weights are kept as unsigned numbers, which have this added.
const RAISED: i32 = 128;
/// The largest rounded number of a row: its upper and lower byte are both signed.
const LARGEST: f32 = (127 * 256 + 127) as f32;
/// Rows whose numbers are all smaller than this in a block count as zero there.
const SMALLEST: f32 = 1e-30;

/// A block of 32 inputs by 16 outputs.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct PanelBlock {
    /// Per four inputs, per output, the four weights, raised.
    weights: [[u8; 4 * PANEL]; BLOCK / 4],
    scales: [f32; PANEL],
}

/// Weights of eight bits in panels of sixteen outputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quantized {
    /// Panel by panel, the blocks along the inputs.
    blocks: Vec<PanelBlock>,
    depth: usize,
    width: usize,
}

/// A block of 32 inputs of a row, rounded.
#[derive(Clone, Debug)]
struct RowBlock {
    /// The numbers, as the processor's products read them.
    words: [i32; BLOCK / 2],
    /// What the raised weights add to a sum, with the sign turned.
    offset: i32,
    scale: f32,
}

impl Quantized {
    /// Outputs of a panel.
    pub(super) const PANEL: usize = PANEL;

    /// Rounds `weights` (outputs, inputs) to the nearest of 255 values for each
    /// 32 inputs, the largest magnitude among them.
    pub(crate) fn pack(weights: &[f32], outputs: usize, inputs: usize) -> Self {
        assert_eq!(weights.len(), outputs * inputs, "weights to round");
        let blocks = weights.chunks_exact(inputs.max(1)).flat_map(|row| {
            row.chunks(BLOCK).map(|block| {
                let block = padded(block);
                let scale = magnitude(&block) / 127.0;
                let mut rounded = [0; BLOCK];
                for (rounded, weight) in rounded.iter_mut().zip(&block) {
                    *rounded = (weight / scale).round_ties_even() as i8;
                }
                (scale, rounded)
            })
        });
        Self::from_blocks(blocks, outputs, inputs)
    }

    /// Takes blocks as a `Q8_0` file has them: output by output, along the inputs,
    /// a scale and 32 weights (the last block of an output may be padded).
    pub(crate) fn from_blocks(
        blocks: impl IntoIterator<Item = (f32, [i8; BLOCK])>,
        outputs: usize,
        inputs: usize,
    ) -> Self {
        let (across, down) = (outputs.div_ceil(PANEL), inputs.div_ceil(BLOCK));
        let empty =
            PanelBlock { weights: [[RAISED as u8; 4 * PANEL]; BLOCK / 4], scales: [0.0; PANEL] };
        let mut packed = vec![empty; across * down];
        let mut blocks = blocks.into_iter();
        for output in 0..outputs {
            let panel = &mut packed[output / PANEL * down..][..down];
            for (to, (scale, weights)) in panel.iter_mut().zip(&mut blocks) {
                let lane = output % PANEL;
                to.scales[lane] = scale;
                for (to, four) in to.weights.iter_mut().zip(weights.as_chunks::<4>().0) {
                    let raised = four.map(|weight| (i32::from(weight) + RAISED) as u8);
                    to[4 * lane..][..4].copy_from_slice(&raised);
                }
            }
        }
        Self { blocks: packed, depth: inputs, width: outputs }
    }

    /// Number of inputs.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Number of outputs.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Blocks of a panel.
    fn down(&self) -> usize {
        self.depth.div_ceil(BLOCK)
    }

    /// Rounds rows of inputs.
    pub(super) fn round(&self, rows: &[f32], to: &mut Rounded) {
        round(rows, self.depth, &mut to.0);
    }

    /// `to = rows self` for the columns of `panels` of [`Self::PANEL`] outputs, or
    /// `to += rows self`: a piece in `to` for each of the rows, as long as the columns.
    pub(super) fn product(
        &self,
        rows: &Rounded,
        panels: Range<usize>,
        to: &mut [&mut [f32]],
        add: bool,
    ) {
        let down = self.down();
        assert_eq!(rows.0.len(), to.len() * down, "left side of a product");
        product(&self.blocks[panels.start * down..panels.end * down], down, &rows.0, to, add);
    }
}

/// Rows of inputs, rounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounded(Vec<RowBlock>);

impl Rounded {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }
}

/// The largest magnitude; no number if there is one that is not finite.
#[inline(always)]
fn magnitude(numbers: &[f32; BLOCK]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let (mut largest, mut broken) = ([0.0; BLOCK / 2], [0.0; BLOCK / 2]);
    for half in numbers.as_chunks::<{ BLOCK / 2 }>().0 {
        for lane in 0..BLOCK / 2 {
            largest[lane] = larger(half[lane].abs(), largest[lane]);
            broken[lane] += half[lane] * 0.0;
        }
    }
    fold(largest, larger) + fold(broken, |a, b| a + b)
}

/// Numbers, and zeros where some are missing.
#[inline(always)]
fn padded(numbers: &[f32]) -> [f32; BLOCK] {
    numbers.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0.0; BLOCK];
        padded[..numbers.len()].copy_from_slice(numbers);
        padded
    })
}

/// Integer products of one processor.
trait Dots {
    /// Sixteen numbers of the same processor.
    type Lanes: Lanes;
    /// Sums of sixteen outputs.
    type Sums: Copy;
    /// Weights of four inputs by sixteen outputs.
    type Weights: Copy;

    /// Rows that are done at once, for their sums to stay in registers.
    const ROWS: usize;

    /// 32 numbers of 16 bits, as [`Dots::add`] reads them.
    fn words(numbers: &[i32; BLOCK]) -> [i32; BLOCK / 2];
    fn load(weights: &[u8; 4 * PANEL]) -> Self::Weights;
    fn start(offset: i32) -> Self::Sums;
    /// Adds the products of four inputs, the `at`-th of the block.
    fn add(
        sums: Self::Sums,
        weights: Self::Weights,
        words: &[i32; BLOCK / 2],
        at: usize,
    ) -> Self::Sums;
    fn finish(sums: Self::Sums) -> Self::Lanes;
}

#[inline(always)]
fn round_with<D: Dots>(rows: &[f32], depth: usize, to: &mut Vec<RowBlock>) {
    to.clear();
    to.reserve(rows.len() / depth * depth.div_ceil(BLOCK));
    for row in rows.chunks_exact(depth) {
        for block in row.chunks(BLOCK) {
            let block = padded(block);
            let largest = magnitude(&block);
            let inverse = if largest < SMALLEST { 0.0 } else { LARGEST / largest };
            let mut rounded = [0; BLOCK];
            for (rounded, number) in rounded.iter_mut().zip(&block) {
                *rounded = (number * inverse).round_ties_even() as i32;
            }
            let sum: i32 = rounded.iter().sum();
            to.push(RowBlock {
                words: D::words(&rounded),
                offset: -RAISED * sum,
                scale: largest / LARGEST,
            });
        }
    }
}

#[inline(always)]
fn product_with<D: Dots>(
    panels: &[PanelBlock],
    down: usize,
    rows: &[RowBlock],
    to: &mut [&mut [f32]],
    add: bool,
) {
    for (rows, to) in rows.chunks(PASS * down).zip(to.chunks_mut(PASS)) {
        let mut pairs = panels.chunks_exact(2 * down);
        let mut column = 0;
        for pair in &mut pairs {
            let (first, second) = pair.split_at(down);
            panel::<D, 2>([first, second], down, rows, column, to, add);
            column += 2 * PANEL;
        }
        for single in pairs.remainder().chunks_exact(down) {
            panel::<D, 1>([single], down, rows, column, to, add);
            column += PANEL;
        }
    }
}

#[inline(always)]
fn panel<D: Dots, const BESIDE: usize>(
    panels: [&[PanelBlock]; BESIDE],
    down: usize,
    rows: &[RowBlock],
    column: usize,
    to: &mut [&mut [f32]],
    add: bool,
) {
    let (mut rows, mut to) = (rows, to);
    while !to.is_empty() {
        let count = match to.len() {
            1 => 1,
            2 => 2,
            _ if D::ROWS < 4 => 2,
            _ => 4.min(to.len()),
        };
        let (these, these_to);
        (these, rows) = rows.split_at(count * down);
        (these_to, to) = to.split_at_mut(count);
        match count {
            1 => tile::<D, 1, BESIDE>(panels, down, these, column, these_to, add),
            2 => tile::<D, 2, BESIDE>(panels, down, these, column, these_to, add),
            _ => tile::<D, 4, BESIDE>(panels, down, these, column, these_to, add),
        }
    }
}

#[inline(always)]
fn tile<D: Dots, const COUNT: usize, const BESIDE: usize>(
    panels: [&[PanelBlock]; BESIDE],
    down: usize,
    rows: &[RowBlock],
    column: usize,
    to: &mut [&mut [f32]],
    add: bool,
) {
    let rows: [&[RowBlock]; COUNT] =
        std::array::from_fn(|row| &rows[row.min(to.len() - 1) * down..][..down]);
    let mut totals = [[D::Lanes::splat(0.0); BESIDE]; COUNT];
    for at in 0..down {
        let rows = rows.map(|row| &row[at]);
        let blocks = panels.map(|panel| &panel[at]);
        let mut sums = rows.map(|row| [D::start(row.offset); BESIDE]);
        for four in 0..BLOCK / 4 {
            let weights = blocks.map(|block| D::load(&block.weights[four]));
            for (sums, row) in sums.iter_mut().zip(rows) {
                for (sums, &weights) in sums.iter_mut().zip(&weights) {
                    *sums = D::add(*sums, weights, &row.words, four);
                }
            }
        }
        let scales = blocks.map(|block| D::Lanes::load(&block.scales));
        for ((totals, sums), row) in totals.iter_mut().zip(sums).zip(rows) {
            for ((total, sums), scale) in totals.iter_mut().zip(sums).zip(scales) {
                *total = D::finish(sums).mul(scale).mul_add(D::Lanes::splat(row.scale), *total);
            }
        }
    }
    store::<D::Lanes, 0, 0, COUNT, BESIDE>(totals, &mut Pieces { rows: to, column, add });
}

/// Plain loops.
struct Plain;

impl Dots for Plain {
    type Lanes = Portable;
    type Sums = [i32; PANEL];
    type Weights = [u8; 4 * PANEL];

    const ROWS: usize = 2;

    #[inline(always)]
    fn words(numbers: &[i32; BLOCK]) -> [i32; BLOCK / 2] {
        std::array::from_fn(|at| pair(numbers[2 * at], numbers[2 * at + 1]))
    }

    #[inline(always)]
    fn load(weights: &[u8; 4 * PANEL]) -> Self::Weights {
        *weights
    }

    #[inline(always)]
    fn start(offset: i32) -> Self::Sums {
        [offset; PANEL]
    }

    #[inline(always)]
    fn add(
        mut sums: Self::Sums,
        weights: Self::Weights,
        words: &[i32; BLOCK / 2],
        at: usize,
    ) -> Self::Sums {
        let numbers = [words[2 * at], words[2 * at + 1]];
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            for (pair, weights) in numbers.iter().zip(weights.as_chunks::<2>().0) {
                *sum += i32::from(*pair as i16) * i32::from(weights[0]);
                *sum += (pair >> 16) * i32::from(weights[1]);
            }
        }
        sums
    }

    #[inline(always)]
    fn finish(sums: Self::Sums) -> Portable {
        Portable::load(&sums.map(|sum| sum as f32))
    }
}

/// Two numbers of 16 bits in a word.
#[inline(always)]
fn pair(first: i32, second: i32) -> i32 {
    (first & 0xffff) | (second << 16)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64 as arch;

    use super::{Avx2, Avx512, BLOCK, Dots, PANEL, pair};

    /// Bytes by bytes into sums of 32 bits, AVX-512's neural network instructions:
    /// the upper and the lower bytes of a row's numbers are summed apart.
    pub(super) struct Vnni;

    #[expect(unsafe_code, reason = "named only by products that are compiled for AVX-512 VNNI")]
    // SAFETY, of every block: the dispatch uses this type only where the processor
    // has these instructions, and the arrays are as long as a register.
    impl Dots for Vnni {
        type Lanes = Avx512;
        type Sums = (arch::__m512i, arch::__m512i);
        type Weights = arch::__m512i;

        const ROWS: usize = 4;

        #[inline(always)]
        fn words(numbers: &[i32; BLOCK]) -> [i32; BLOCK / 2] {
            let mut words = [0; BLOCK / 2];
            let (upper, lower) = words.split_at_mut(BLOCK / 4);
            let fours = upper.as_chunks_mut::<4>().0.iter_mut().zip(lower.as_chunks_mut::<4>().0);
            for ((upper, lower), numbers) in fours.zip(numbers.as_chunks::<16>().0) {
                unsafe {
                    let numbers = arch::_mm512_loadu_si512(numbers.as_ptr().cast());
                    let nearest = arch::_mm512_add_epi32(numbers, arch::_mm512_set1_epi32(128));
                    let shifted = arch::_mm512_srai_epi32::<8>(nearest);
                    let (to_upper, to_lower) = (upper.as_mut_ptr(), lower.as_mut_ptr());
                    arch::_mm_storeu_si128(to_upper.cast(), arch::_mm512_cvtepi32_epi8(shifted));
                    arch::_mm_storeu_si128(to_lower.cast(), arch::_mm512_cvtepi32_epi8(numbers));
                }
            }
            words
        }

        #[inline(always)]
        fn load(weights: &[u8; 4 * PANEL]) -> Self::Weights {
            unsafe { arch::_mm512_loadu_si512(weights.as_ptr().cast()) }
        }

        #[inline(always)]
        fn start(offset: i32) -> Self::Sums {
            unsafe { (arch::_mm512_setzero_si512(), arch::_mm512_set1_epi32(offset)) }
        }

        #[inline(always)]
        fn add(
            (upper, lower): Self::Sums,
            weights: Self::Weights,
            words: &[i32; BLOCK / 2],
            at: usize,
        ) -> Self::Sums {
            unsafe {
                let of = |word: usize| arch::_mm512_set1_epi32(words[word]);
                (
                    arch::_mm512_dpbusd_epi32(upper, weights, of(at)),
                    arch::_mm512_dpbusd_epi32(lower, weights, of(BLOCK / 4 + at)),
                )
            }
        }

        #[inline(always)]
        fn finish((upper, lower): Self::Sums) -> Avx512 {
            unsafe {
                let sums = arch::_mm512_add_epi32(arch::_mm512_slli_epi32::<8>(upper), lower);
                Avx512::from(arch::_mm512_cvtepi32_ps(sums))
            }
        }
    }

    /// Pairs of 16 bits into sums of 32 bits, AVX2.
    pub(super) struct Pairs;

    #[expect(unsafe_code, reason = "named only by products that are compiled for AVX2")]
    // SAFETY, of every block: the dispatch uses this type only where the processor
    // has these instructions, and the arrays are as long as what is loaded.
    impl Dots for Pairs {
        type Lanes = Avx2;
        type Sums = [arch::__m256i; 4];
        type Weights = [arch::__m256i; 4];

        const ROWS: usize = 2;

        #[inline(always)]
        fn words(numbers: &[i32; BLOCK]) -> [i32; BLOCK / 2] {
            std::array::from_fn(|at| pair(numbers[2 * at], numbers[2 * at + 1]))
        }

        #[inline(always)]
        fn load(weights: &[u8; 4 * PANEL]) -> Self::Weights {
            std::array::from_fn(|at| unsafe {
                arch::_mm256_cvtepu8_epi16(arch::_mm_loadu_si128(
                    weights[16 * at..][..16].as_ptr().cast(),
                ))
            })
        }

        #[inline(always)]
        fn start(offset: i32) -> Self::Sums {
            // A sum is in two halves, of which one begins with what both are short of.
            let first = unsafe { arch::_mm256_set1_epi64x(i64::from(offset as u32)) };
            [first; 4]
        }

        #[inline(always)]
        fn add(
            sums: Self::Sums,
            weights: Self::Weights,
            words: &[i32; BLOCK / 2],
            at: usize,
        ) -> Self::Sums {
            let four = i64::from(words[2 * at] as u32) | (i64::from(words[2 * at + 1]) << 32);
            unsafe {
                let four = arch::_mm256_set1_epi64x(four);
                std::array::from_fn(|at| {
                    arch::_mm256_add_epi32(sums[at], arch::_mm256_madd_epi16(weights[at], four))
                })
            }
        }

        #[inline(always)]
        fn finish(sums: Self::Sums) -> Avx2 {
            let eight = |a, b| unsafe {
                let halves = arch::_mm256_hadd_epi32(a, b);
                arch::_mm256_cvtepi32_ps(arch::_mm256_permute4x64_epi64::<0b11_01_10_00>(halves))
            };
            Avx2::from((eight(sums[0], sums[1]), eight(sums[2], sums[3])))
        }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma")]
    pub(super) fn round_vnni(rows: &[f32], depth: usize, to: &mut Vec<super::RowBlock>) {
        super::round_with::<Vnni>(rows, depth, to);
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn round_pairs(rows: &[f32], depth: usize, to: &mut Vec<super::RowBlock>) {
        super::round_with::<Pairs>(rows, depth, to);
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma")]
    pub(super) fn product_vnni(
        panels: &[super::PanelBlock],
        down: usize,
        rows: &[super::RowBlock],
        to: &mut [&mut [f32]],
        add: bool,
    ) {
        super::product_with::<Vnni>(panels, down, rows, to, add);
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn product_pairs(
        panels: &[super::PanelBlock],
        down: usize,
        rows: &[super::RowBlock],
        to: &mut [&mut [f32]],
        add: bool,
    ) {
        super::product_with::<Pairs>(panels, down, rows, to, add);
    }
}

#[expect(unsafe_code, reason = "the instruction set is checked on the line before")]
fn round(rows: &[f32], depth: usize, to: &mut Vec<RowBlock>) {
    #[cfg(target_arch = "x86_64")]
    match instructions() {
        // SAFETY: the processor has these instructions.
        Instructions::Avx512 if vnni() => return unsafe { x86::round_vnni(rows, depth, to) },
        // SAFETY: the processor has these instructions.
        Instructions::Avx512 | Instructions::Avx2 => {
            return unsafe { x86::round_pairs(rows, depth, to) };
        }
        Instructions::Baseline => {}
    }
    round_with::<Plain>(rows, depth, to);
}

#[expect(unsafe_code, reason = "the instruction set is checked on the line before")]
fn product(
    panels: &[PanelBlock],
    down: usize,
    rows: &[RowBlock],
    to: &mut [&mut [f32]],
    add: bool,
) {
    #[cfg(target_arch = "x86_64")]
    match instructions() {
        // SAFETY: the processor has these instructions.
        Instructions::Avx512 if vnni() => {
            return unsafe { x86::product_vnni(panels, down, rows, to, add) };
        }
        // SAFETY: the processor has these instructions.
        Instructions::Avx512 | Instructions::Avx2 => {
            return unsafe { x86::product_pairs(panels, down, rows, to, add) };
        }
        Instructions::Baseline => {}
    }
    product_with::<Plain>(panels, down, rows, to, add);
}

#[cfg(target_arch = "x86_64")]
fn vnni() -> bool {
    is_x86_feature_detected!("avx512vnni")
}
