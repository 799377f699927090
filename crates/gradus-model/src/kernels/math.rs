/// Lanes of the partial sums: fixed, so that the order of summation is.
pub(super) const LANES: usize = 16;

/// Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;
/// Below it, `e^x` is not a normal number.
pub(super) const SMALLEST: f32 = -87.0;
const LARGEST: f32 = 88.0;
pub(super) const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// Minus the logarithm of two, in two parts.
pub(super) const LN_2_HIGH: f32 = -0.693_359_4;
pub(super) const LN_2_LOW: f32 = 2.121_944_4e-4;
/// Of `(e^r - 1 - r) / r^2`, the highest power first.
pub(super) const POLYNOMIAL: [f32; 6] =
    [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5];

/// `e^x` to about 1e-7 relative, by Cephes' polynomial (Moshier, `expf`);
/// the argument is clamped to where the result is a normal number.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = x.clamp(SMALLEST, LARGEST);
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(LN_2_HIGH, x);
    let r = n.mul_add(LN_2_LOW, r);
    let [first, rest @ ..] = POLYNOMIAL;
    let poly = rest.iter().fold(first, |poly, coefficient| poly.mul_add(r, *coefficient));
    let poly = poly.mul_add(r * r, r) + 1.0;
    poly * power_of_two(shifted)
}

/// Two to the power of the integer that [`ROUND`] left in the low bits.
#[inline(always)]
pub(super) fn power_of_two(shifted: f32) -> f32 {
    f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

/// `1 / (1 + e^-x)`
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Folds the lanes in halves.
#[inline(always)]
pub(super) fn fold(lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let half = |at: usize| combine(lanes[at], lanes[at + 8]);
    let quarter = |at: usize| combine(half(at), half(at + 4));
    let eighth = |at: usize| combine(quarter(at), quarter(at + 2));
    combine(eighth(0), eighth(1))
}

/// `sum_i x_i y_i`
#[inline(always)]
pub(super) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (y_chunks, y_rest) = y.as_chunks::<LANES>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..LANES {
            lanes[lane] = x[lane].mul_add(y[lane], lanes[lane]);
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane = x.mul_add(*y, *lane);
    }
    fold(lanes, |a, b| a + b)
}

/// `sum_i x_i`
#[inline(always)]
pub(super) fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x;
    }
    fold(lanes, |a, b| a + b)
}

/// The largest element, or negative infinity.
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = larger(chunk[lane], lanes[lane]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = larger(x, *lane);
    }
    fold(lanes, larger)
}

/// Replaces each `x` by `e^(x - shift)` and returns the sum.
#[inline(always)]
pub(super) fn exp_and_sum(x: &mut [f32], shift: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - shift);
            lanes[lane] += chunk[lane];
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *x = exp(*x - shift);
        *lane += *x;
    }
    fold(lanes, |a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for step in -8700..8800 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 3e-7, "{x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }
}
