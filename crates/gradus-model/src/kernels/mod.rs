//! The arithmetic of the fast path, as plain loops over slices.
//!
//! Each kernel is compiled for AVX-512, for AVX2 with FMA and for the target's
//! baseline; the processor picks at run time. All three sum in the same order
//! with fused multiply-adds, so a result does not depend on the processor; and
//! a row's result does not depend on the rows beside it.

#![expect(
    clippy::inline_always,
    reason = "a helper must be compiled inside its kernel to use the kernel's instructions"
)]

mod activation;
mod attention;
mod decode;
mod dense;
mod grouped;
mod lanes;
mod loss;
mod math;
mod matmul;
mod matrix;
mod norm;
mod quantized;
mod rope;

pub(crate) use activation::{gelu, gelu_backward, gelu_erf, swiglu, swiglu_backward};
pub(crate) use attention::{Attention, AttentionScratch};
pub(crate) use decode::{Heads, Segment, attend};
pub(crate) use grouped::{KeyValues, Reading, attend_grouped};
pub(crate) use loss::{cross_entropy, probabilities, softmax_rows};
pub(crate) use matmul::{Panels, matmul, matmul_transposed_left};
pub(crate) use matrix::Matrix;
pub(crate) use norm::{layer_norm, rms_norm, rms_norm_backward};
pub(crate) use rope::{Rotary, rotate};

/// Compiles a function once per instruction set and dispatches at run time.
/// In the body, `L` is the type of sixteen lanes.
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $body:block
    ) => {
        $(#[$meta])*
        $visibility fn $name($($argument: $kind),*) {
            #[inline(always)]
            fn portable<L: $crate::kernels::lanes::Lanes>($($argument: $kind),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn avx512($($argument: $kind),*) {
                    portable::<$crate::kernels::lanes::Avx512>($($argument),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $kind),*) {
                    portable::<$crate::kernels::lanes::Avx2>($($argument),*);
                }
                #[expect(unsafe_code, reason = "the instruction set is checked on the line before")]
                match $crate::kernels::instructions() {
                    // SAFETY: the processor has these instructions.
                    $crate::kernels::Instructions::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: the processor has these instructions.
                    $crate::kernels::Instructions::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::kernels::Instructions::Baseline => {}
                }
            }
            portable::<$crate::kernels::lanes::Portable>($($argument),*);
        }
    };
}
use kernel;

/// What the processor offers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Instructions {
    Baseline,
    Avx2,
    Avx512,
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Instructions {
    #[cfg(test)]
    if let Some(at_most) = AT_MOST.get() {
        return at_most.min(detected());
    }
    detected()
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Instructions {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Instructions::Avx512,
        (true, false) => Instructions::Avx2,
        (false, _) => Instructions::Baseline,
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
thread_local! {
    /// What tests let this thread use.
    pub(crate) static AT_MOST: std::cell::Cell<Option<Instructions>> =
        const { std::cell::Cell::new(None) };
}
