use serde::{Deserialize, Serialize};
use statrs::function::beta::inv_beta_reg;
use statrs::function::erf::erfc_inv;

/// A range in which a value lies with the confidence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// A value with its interval and how many observations it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Number of observations.
    pub n: u64,
}

/// Wilson's score interval of a proportion (Wilson 1927; Newcombe 1998, method 3).
///
/// `None` without trials. Panics if there are more successes than trials.
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    assert!(successes <= trials, "{successes} successes of {trials}");
    let z = normal_deviate(confidence);
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let share = successes as f64 / n;
    let scale = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the two terms are equal but for rounding.
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == trials { 1.0 } else { centre + half };
    Some(Interval { low, high })
}

/// The exact interval of a proportion (Clopper and Pearson 1934): both tails of the
/// binomial hold at most half of what the confidence leaves.
///
/// `None` without trials. Panics if there are more successes than trials.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    assert!(successes <= trials, "{successes} successes of {trials}");
    let tail = tail(confidence);
    if trials == 0 {
        return None;
    }
    let (hits, misses) = (successes as f64, (trials - successes) as f64);
    let low = if successes == 0 { 0.0 } else { inv_beta_reg(hits, misses + 1.0, tail) };
    let high = if successes == trials { 1.0 } else { inv_beta_reg(hits + 1.0, misses, 1.0 - tail) };
    Some(Interval { low, high })
}

/// What a two-sided interval leaves out on each side.
pub(super) fn tail(confidence: f64) -> f64 {
    assert!(0.0 < confidence && confidence < 1.0, "a confidence of {confidence} is not in (0, 1)");
    (1.0 - confidence) / 2.0
}

/// The standard normal deviate beyond which each tail lies: 1.96 for 0.95.
pub(super) fn normal_deviate(confidence: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail(confidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interval: Option<Interval>, low: f64, high: f64, tolerance: f64) {
        let found = interval.unwrap();
        assert!((found.low - low).abs() <= tolerance, "{found:?} for {low}");
        assert!((found.high - high).abs() <= tolerance, "{found:?} for {high}");
    }

    // Newcombe 1998, "Two-sided confidence intervals for the single proportion:
    // comparison of seven methods", Statistics in Medicine 17, table I, methods 3 and 5.
    #[test]
    fn newcombes_table_is_reproduced() {
        for (successes, trials, score, exact) in [
            (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
            (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
            (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
            (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
        ] {
            check(wilson(successes, trials, 0.95), score.0, score.1, 5e-5);
            check(clopper_pearson(successes, trials, 0.95), exact.0, exact.1, 5e-5);
        }
    }

    // SciPy 1.17.1, binomtest(k, n).proportion_ci(0.95, "wilson" and "exact").
    #[test]
    fn scipys_digits_are_reproduced() {
        check(wilson(81, 263, 0.95), 0.255_288_519_878_274_2, 0.366_209_576_982_8, 1e-14);
        check(wilson(1, 29, 0.95), 0.006_113_214_292_762_667, 0.171_755_218_793_202_8, 1e-14);
        let exact = clopper_pearson(682, 925, 0.95);
        check(exact, 0.707_668_264_079_039, 0.765_406_558_241_478_1, 1e-12);
        let exact = clopper_pearson(1, 29, 0.95);
        check(exact, 0.000_872_646_883_597_107_2, 0.177_644_295_488_414_65, 1e-12);
    }

    #[test]
    fn the_ends_are_exact_and_nothing_has_no_interval() {
        for interval in [wilson, clopper_pearson] {
            assert_eq!(interval(0, 0, 0.95), None);
            assert_eq!(interval(0, 7, 0.95).unwrap().low, 0.0);
            assert_eq!(interval(7, 7, 0.95).unwrap().high, 1.0);
        }
    }

    #[test]
    fn the_deviate_is_the_normal_quantile() {
        // SciPy 1.17.1, norm.ppf(0.995) and norm.ppf(0.95).
        assert!((normal_deviate(0.99) - 2.575_829_303_548_900_4).abs() < 1e-14);
        assert!((normal_deviate(0.9) - 1.644_853_626_951_472_2).abs() < 1e-14);
    }

    #[test]
    #[should_panic(expected = "a confidence of 95 is not in (0, 1)")]
    fn a_confidence_in_percent_is_a_bug() {
        wilson(1, 2, 95.0);
    }
}
