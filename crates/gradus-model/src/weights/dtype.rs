//! The types of numbers in weight files, with the sizes of their blocks.

use std::fmt;

/// How the numbers of a tensor are stored.
///
/// The `Q` types are GGUF's blocks: a few numbers of 4 to 8 bits with the scale
/// that they share.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dtype {
    /// 64-bit floating point.
    F64,
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point, IEEE 754 binary16.
    F16,
    /// The upper half of a 32-bit floating point number.
    Bf16,
    /// 32 numbers of 4 bits, one scale.
    Q4_0,
    /// 32 numbers of 4 bits, scale and minimum.
    Q4_1,
    /// 32 numbers of 5 bits, one scale.
    Q5_0,
    /// 32 numbers of 5 bits, scale and minimum.
    Q5_1,
    /// 32 numbers of 8 bits, one scale.
    Q8_0,
    /// 256 numbers of 4 bits, scale and minimum for every 32.
    Q4K,
    /// 256 numbers of 5 bits, scale and minimum for every 32.
    Q5K,
    /// 256 numbers of 6 bits, a scale for every 16.
    Q6K,
    /// Integers or truth values of so many bytes: positions and masks, never weights.
    Integer(u8),
}

/// The types of GGUF that are read, by the number that files give them.
const GGUF: [(u32, Dtype); 16] = [
    (0, Dtype::F32),
    (1, Dtype::F16),
    (2, Dtype::Q4_0),
    (3, Dtype::Q4_1),
    (6, Dtype::Q5_0),
    (7, Dtype::Q5_1),
    (8, Dtype::Q8_0),
    (12, Dtype::Q4K),
    (13, Dtype::Q5K),
    (14, Dtype::Q6K),
    (24, Dtype::Integer(1)),
    (25, Dtype::Integer(2)),
    (26, Dtype::Integer(4)),
    (27, Dtype::Integer(8)),
    (28, Dtype::F64),
    (30, Dtype::Bf16),
];

/// The types of GGUF that are refused, so that the message can name them.
const GGUF_REFUSED: [(u32, &str); 21] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

/// What the message of a refused type tells besides.
pub(super) const READ: &str = "F64, F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K";

impl Dtype {
    /// The type that a GGUF file numbers so; the error is its name there.
    pub(super) fn of_gguf(number: u32) -> Result<Self, String> {
        let name = || {
            let named = GGUF_REFUSED.iter().find(|(known, _)| *known == number);
            named.map_or_else(|| format!("type {number}"), |(_, name)| (*name).to_owned())
        };
        let read = GGUF.iter().find(|(known, _)| *known == number);
        read.map(|&(_, dtype)| dtype).ok_or_else(name)
    }

    /// The type that a safetensors header names so, where it is read.
    pub(super) fn of_safetensors(name: &str) -> Option<Self> {
        Some(match name {
            "F64" => Self::F64,
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "BOOL" | "U8" | "I8" => Self::Integer(1),
            "U16" | "I16" => Self::Integer(2),
            "U32" | "I32" => Self::Integer(4),
            "U64" | "I64" => Self::Integer(8),
            _ => return None,
        })
    }

    /// Numbers in a block, and bytes of a block.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F64 => (1, 8),
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
            Self::Integer(bytes) => (1, usize::from(bytes)),
        }
    }

    /// Bytes of a tensor of `shape`; none where its rows are no whole blocks, or past counting.
    pub(super) fn bytes_of(self, shape: &[usize]) -> Option<usize> {
        let (numbers, bytes) = self.block();
        if !shape.last().copied().unwrap_or(1).is_multiple_of(numbers) {
            return None;
        }
        let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size))?;
        (count / numbers).checked_mul(bytes)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::Integer(bytes) => return write!(f, "integers of {bytes} bytes"),
        })
    }
}
