//! Sixteen numbers at once, for the products: there the sums must stay in
//! registers, which plain loops do not promise. Everything else is plain loops.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

use super::math;

/// Sixteen numbers.
pub(super) trait Lanes: Copy {
    /// Is there room for 16 of these in registers, beside what a product needs.
    const WIDE: bool;
    fn splat(x: f32) -> Self;
    fn load(from: &[f32; 16]) -> Self;
    fn store(self, to: &mut [f32; 16]);
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    /// `self factor + sum` with one rounding.
    fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// Two to the power of the integer that [`math::ROUND`] left in the low bits.
    fn power_of_two(self) -> Self;

    /// Asks for the cache line of the first number, which will be read soon.
    #[inline(always)]
    fn fetch(_: &[f32]) {}

    /// [`math::exp`] of numbers that are not above 0.
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        let x = self.max(Self::splat(math::SMALLEST));
        let shifted = x.mul_add(Self::splat(math::LOG2_E), Self::splat(math::ROUND));
        let n = shifted.add(Self::splat(-math::ROUND));
        let r = n.mul_add(Self::splat(math::LN_2_HIGH), x);
        let r = n.mul_add(Self::splat(math::LN_2_LOW), r);
        let mut poly = Self::splat(math::POLYNOMIAL[0]);
        for coefficient in &math::POLYNOMIAL[1..] {
            poly = poly.mul_add(r, Self::splat(*coefficient));
        }
        let poly = poly.mul_add(r.mul(r), r).add(Self::splat(1.0));
        poly.mul(shifted.power_of_two())
    }

    /// The sum of the lanes, in halves.
    #[inline(always)]
    fn sum(self) -> f32 {
        let mut lanes = [0.0; 16];
        self.store(&mut lanes);
        math::fold(lanes, |a, b| a + b)
    }

    /// The largest of the lanes.
    #[inline(always)]
    fn largest(self) -> f32 {
        let mut lanes = [0.0; 16];
        self.store(&mut lanes);
        math::fold(lanes, |a, b| if a > b { a } else { b })
    }
}

/// Lanes for every processor.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 16]);

impl Lanes for Portable {
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; 16])
    }

    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        *to = self.0;
    }

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for lane in 0..16 {
            self.0[lane] += other.0[lane];
        }
        self
    }

    #[inline(always)]
    fn mul(mut self, other: Self) -> Self {
        for lane in 0..16 {
            self.0[lane] *= other.0[lane];
        }
        self
    }

    #[inline(always)]
    fn max(mut self, other: Self) -> Self {
        for lane in 0..16 {
            let (a, b) = (self.0[lane], other.0[lane]);
            self.0[lane] = if a > b { a } else { b };
        }
        self
    }

    #[inline(always)]
    fn power_of_two(mut self) -> Self {
        for lane in 0..16 {
            self.0[lane] = math::power_of_two(self.0[lane]);
        }
        self
    }

    #[inline(always)]
    fn mul_add(mut self, factor: Self, sum: Self) -> Self {
        for lane in 0..16 {
            self.0[lane] = self.0[lane].mul_add(factor.0[lane], sum.0[lane]);
        }
        self
    }
}

/// One register of AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx512(arch::__m512);

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "named only by kernels that are compiled for AVX-512")]
// SAFETY, of every block: `kernel!` uses this type only where the processor has
// AVX-512, and the arrays are as long as a register.
impl Lanes for Avx512 {
    const WIDE: bool = true;

    #[inline(always)]
    fn fetch(from: &[f32]) {
        unsafe { arch::_mm_prefetch::<{ arch::_MM_HINT_T1 }>(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(unsafe { arch::_mm512_set1_ps(x) })
    }

    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        Self(unsafe { arch::_mm512_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        unsafe { arch::_mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { arch::_mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(unsafe { arch::_mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(unsafe { arch::_mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        unsafe {
            let exponent = arch::_mm512_slli_epi32::<23>(arch::_mm512_castps_si512(self.0));
            let one = arch::_mm512_castps_si512(arch::_mm512_set1_ps(1.0));
            Self(arch::_mm512_castsi512_ps(arch::_mm512_add_epi32(exponent, one)))
        }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        Self(unsafe { arch::_mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }
}

#[cfg(target_arch = "x86_64")]
impl From<arch::__m512> for Avx512 {
    #[inline(always)]
    fn from(lanes: arch::__m512) -> Self {
        Self(lanes)
    }
}

/// Two registers of AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx2(arch::__m256, arch::__m256);

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "named only by kernels that are compiled for AVX2 with FMA")]
// SAFETY, of every block: `kernel!` uses this type only where the processor has
// AVX2 and FMA, and the arrays are as long as two registers.
impl Lanes for Avx2 {
    const WIDE: bool = false;

    #[inline(always)]
    fn fetch(from: &[f32]) {
        unsafe { arch::_mm_prefetch::<{ arch::_MM_HINT_T1 }>(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat(x: f32) -> Self {
        let x = unsafe { arch::_mm256_set1_ps(x) };
        Self(x, x)
    }

    #[inline(always)]
    fn load(from: &[f32; 16]) -> Self {
        unsafe {
            Self(arch::_mm256_loadu_ps(from.as_ptr()), arch::_mm256_loadu_ps(from[8..].as_ptr()))
        }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; 16]) {
        unsafe {
            arch::_mm256_storeu_ps(to.as_mut_ptr(), self.0);
            arch::_mm256_storeu_ps(to[8..].as_mut_ptr(), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { Self(arch::_mm256_add_ps(self.0, other.0), arch::_mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        unsafe { Self(arch::_mm256_mul_ps(self.0, other.0), arch::_mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        unsafe { Self(arch::_mm256_max_ps(self.0, other.0), arch::_mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        let power = |x| unsafe {
            let exponent = arch::_mm256_slli_epi32::<23>(arch::_mm256_castps_si256(x));
            let one = arch::_mm256_castps_si256(arch::_mm256_set1_ps(1.0));
            arch::_mm256_castsi256_ps(arch::_mm256_add_epi32(exponent, one))
        };
        Self(power(self.0), power(self.1))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        unsafe {
            Self(
                arch::_mm256_fmadd_ps(self.0, factor.0, sum.0),
                arch::_mm256_fmadd_ps(self.1, factor.1, sum.1),
            )
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl From<(arch::__m256, arch::__m256)> for Avx2 {
    #[inline(always)]
    fn from((low, high): (arch::__m256, arch::__m256)) -> Self {
        Self(low, high)
    }
}
