//! From the blocks of a file to 32-bit numbers.
//!
//! The layouts and the order of operations are those of ggml's reference code
//! (`dequantize_row_*` in ggml-quants.c), so that the numbers are its numbers to
//! the bit; `tests/golden/quantised.py` made the files that say so.

use half::{bf16, f16};

use super::Dtype;

/// Writes the numbers of `bytes`, whole blocks of `dtype`, to `out`, which has room for
/// exactly these. Integers are no weights: `out` is left as it is.
pub(super) fn dequantise(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F64 => each(bytes, out, |number: &[u8; 8]| f64::from_le_bytes(*number) as f32),
        Dtype::F32 => each(bytes, out, |number: &[u8; 4]| f32::from_le_bytes(*number)),
        Dtype::F16 => each(bytes, out, |number: &[u8; 2]| f16::from_le_bytes(*number).to_f32()),
        Dtype::Bf16 => each(bytes, out, |number: &[u8; 2]| bf16::from_le_bytes(*number).to_f32()),
        Dtype::Q4_0 => blocks(bytes, out, q4_0),
        Dtype::Q4_1 => blocks(bytes, out, q4_1),
        Dtype::Q5_0 => blocks(bytes, out, q5_0),
        Dtype::Q5_1 => blocks(bytes, out, q5_1),
        Dtype::Q8_0 => blocks(bytes, out, q8_0),
        Dtype::Q4K => blocks(bytes, out, q4_k),
        Dtype::Q5K => blocks(bytes, out, q5_k),
        Dtype::Q6K => blocks(bytes, out, q6_k),
        Dtype::Integer(_) => {}
    }
}

fn each<const N: usize>(bytes: &[u8], out: &mut [f32], number: impl Fn(&[u8; N]) -> f32) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out) {
        *out = number(bytes);
    }
}

fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; B], &mut [f32; N]),
) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        block(bytes, out);
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The fifth bits of 32 numbers.
fn word_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// scale, 16 bytes: low halves are numbers 0 to 15, high halves 16 to 31.
fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = scale * f32::from(i16::from(byte & 15) - 8);
        *high = scale * f32::from(i16::from(byte >> 4) - 8);
    }
}

/// scale, minimum, 16 bytes as in `Q4_0`.
fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in block[4..].iter().zip(low).zip(high) {
        *low = scale * f32::from(byte & 15) + minimum;
        *high = scale * f32::from(byte >> 4) + minimum;
    }
}

/// scale, fifth bits, 16 bytes.
fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let (scale, fifth) = (half_at(block, 0), word_at(block, 2));
    let (low, high) = out.split_at_mut(16);
    for (i, ((byte, low), high)) in block[6..].iter().zip(low).zip(high).enumerate() {
        let bit = |shift: usize| ((fifth >> shift) & 1) as i16 * 16;
        *low = scale * f32::from(i16::from(byte & 15) + bit(i) - 16);
        *high = scale * f32::from(i16::from(byte >> 4) + bit(i + 16) - 16);
    }
}

/// scale, minimum, fifth bits, 16 bytes.
fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, minimum, fifth) = (half_at(block, 0), half_at(block, 2), word_at(block, 4));
    let (low, high) = out.split_at_mut(16);
    for (i, ((byte, low), high)) in block[8..].iter().zip(low).zip(high).enumerate() {
        let bit = |shift: usize| ((fifth >> shift) & 1) as i16 * 16;
        *low = scale * f32::from(i16::from(byte & 15) + bit(i)) + minimum;
        *high = scale * f32::from(i16::from(byte >> 4) + bit(i + 16)) + minimum;
    }
}

/// scale, 32 signed bytes.
fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (byte, out) in block[2..].iter().zip(out) {
        *out = scale * f32::from(byte.cast_signed());
    }
}

/// Eight scales and eight minimums of 6 bits in 12 bytes.
fn scales_k(packed: &[u8]) -> [(f32, f32); 8] {
    std::array::from_fn(|i| {
        let (scale, minimum) = if i < 4 {
            (packed[i] & 63, packed[i + 4] & 63)
        } else {
            let upper = |byte: u8| byte >> 6 << 4;
            (packed[i + 4] & 15 | upper(packed[i - 4]), packed[i + 4] >> 4 | upper(packed[i]))
        };
        (f32::from(scale), f32::from(minimum))
    })
}

/// scale, scale of the minimums, packed scales, 128 bytes: of every 32 bytes the low
/// halves first, then the high ones.
fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let scales = scales_k(&block[4..16]);
    for (i, (out, &(own_scale, own_minimum))) in out.chunks_mut(32).zip(&scales).enumerate() {
        let (scale, minimum) = (scale * own_scale, minimum * own_minimum);
        let shift = i % 2 * 4;
        for (out, byte) in out.iter_mut().zip(&block[16 + i / 2 * 32..]) {
            *out = scale * f32::from(byte >> shift & 15) - minimum;
        }
    }
}

/// As `Q4_K`, with 32 bytes of fifth bits before the halves: bit i is of group i.
fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let scales = scales_k(&block[4..16]);
    let fifth = &block[16..48];
    for (i, (out, &(own_scale, own_minimum))) in out.chunks_mut(32).zip(&scales).enumerate() {
        let (scale, minimum) = (scale * own_scale, minimum * own_minimum);
        let shift = i % 2 * 4;
        for ((out, byte), fifth) in out.iter_mut().zip(&block[48 + i / 2 * 32..]).zip(fifth) {
            let number = byte >> shift & 15 | (fifth >> i & 1) << 4;
            *out = scale * f32::from(number) - minimum;
        }
    }
}

/// 128 bytes of halves, 64 bytes of upper pairs of bits, 16 signed scales, scale.
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let scale = half_at(block, 208);
    let scales = &block[192..208];
    for (i, out) in out.chunks_mut(32).enumerate() {
        // Of every 128 numbers the first 64 are low halves of 64 bytes, the others high ones.
        let (part, group) = (i / 4, i % 4);
        let halves = &block[part * 64 + group % 2 * 32..];
        let pairs = &block[128 + part * 32..];
        for (j, out) in out.iter_mut().enumerate() {
            let low = halves[j] >> (group / 2 * 4) & 15;
            let number = low | (pairs[j] >> (group * 2) & 3) << 4;
            let own_scale = scale * f32::from(scales[i * 2 + j / 16].cast_signed());
            *out = own_scale * f32::from(i16::from(number) - 32);
        }
    }
}
