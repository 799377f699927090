//! Eight numbers at a time, in plain loops that a compiler turns into vector instructions.

/// Quadrature nodes, or values at them, that are worked on together.
pub(super) type Lanes = [f64; LANES];

/// How many.
pub(super) const LANES: usize = 8;

/// A value for every lane.
pub(super) fn lanes(value: impl Fn(usize) -> f64) -> Lanes {
    std::array::from_fn(value)
}

/// Adds `terms` lane by lane.
#[inline]
pub(super) fn add(sums: &mut Lanes, terms: &Lanes) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// The sum of all lanes, always in the same order.
#[inline]
pub(super) fn sum(values: &Lanes) -> f64 {
    let [a, b, c, d, e, f, g, h] = *values;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

/// e^x to 1e-15 relative, between 1e-307 and 1e307.
///
/// x = k ln 2 + r with |r| at most ln 2 / 2; a Taylor polynomial for e^r, the exponent's bits for 2^k.
#[inline]
pub(super) fn exp(values: &Lanes) -> Lanes {
    // 1.5 * 2^52: adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    lanes(|lane| {
        let x = values[lane].clamp(-707.0, 707.0);
        let rounded = x * std::f64::consts::LOG2_E + ROUND;
        let k = rounded - ROUND;
        let r = x - k * LN_2_HIGH - k * LN_2_LOW;
        let mut power = 1.0 / 6_227_020_800.0;
        for factorial in [
            479_001_600.0,
            39_916_800.0,
            3_628_800.0,
            362_880.0,
            40_320.0,
            5_040.0,
            720.0,
            120.0,
            24.0,
            6.0,
            2.0,
            1.0,
            1.0,
        ] {
            power = power * r + 1.0 / factorial;
        }
        power * f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52))
    })
}

/// ln(1 + u) for u in 0..=1.
///
/// ln(1 + f) = 2 artanh(f / (2 + f)), with f brought to -0.3..0.42 by halving 1 + u above the root of 2.
#[inline]
fn ln_1p(u: f64) -> f64 {
    let large = u > std::f64::consts::SQRT_2 - 1.0;
    let f = if large { (u - 1.0) * 0.5 } else { u };
    let s = f / (2.0 + f);
    let square = s * s;
    let mut series = 1.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * square + 1.0 / odd;
    }
    2.0 * s * series + if large { std::f64::consts::LN_2 } else { 0.0 }
}

/// ln(1 + e^z), and with it -ln of the chance to fail at logit z.
#[inline]
pub(super) fn softplus(z: &Lanes) -> Lanes {
    let small = exp(&lanes(|lane| -z[lane].abs()));
    lanes(|lane| z[lane].max(0.0) + ln_1p(small[lane]))
}

/// 1 / (1 + e^-z).
#[inline]
pub(super) fn logistic(z: &Lanes) -> Lanes {
    let grown = exp(z);
    lanes(|lane| grown[lane] / (1.0 + grown[lane]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the functions of the standard library.
    #[test]
    fn exponentials_and_logarithms_are_right_to_the_last_digits() {
        let close = |found: f64, expected: f64| {
            assert!(
                (found - expected).abs() <= 1e-15 * expected.abs().max(1e-300),
                "{found} {expected}"
            );
        };
        for step in -7000..7000 {
            let x = f64::from(step) * 0.1 + 0.013;
            close(exp(&[x; LANES])[0], x.exp());
            let expected = if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() };
            close(softplus(&[x; LANES])[3], expected);
        }
        close(logistic(&[0.3; LANES])[7], 1.0 / (1.0 + (-0.3f64).exp()));
        assert!(exp(&[-2000.0; LANES])[0] < 1e-300 && softplus(&[900.0; LANES])[0] == 900.0);
    }
}
