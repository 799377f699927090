/// Unbiased pass@k (Chen et al. 2021, "Evaluating Large Language Models Trained on
/// Code", equation 1): the share of `k`-subsets of a problem's samples that hold at
/// least one correct sample, `1 - C(n - c, k) / C(n, k)`.
///
/// `n` is `samples`, `c` is `correct`. `None` where `k` is 0 or more than `samples`.
/// Panics if more samples are correct than there are. Stable for any size: the
/// quotient is a product of at most `min(c, k)` factors, summed as logarithms.
pub fn pass_at_k(samples: u64, correct: u64, k: u64) -> Option<f64> {
    assert!(correct <= samples, "{correct} correct of {samples} samples");
    if k == 0 || k > samples {
        return None;
    }
    if samples - correct < k {
        return Some(1.0);
    }
    // C(n-c, k) / C(n, k) is symmetric in c and k: the shorter product is taken.
    let (few, many) = (correct.min(k), correct.max(k) as f64);
    let none = (samples - few + 1..=samples).map(|i| (-many / i as f64).ln_1p());
    Some(-none.sum::<f64>().exp_m1())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_all_subsets_gives_the_same() {
        for samples in 1..=10u32 {
            for correct in 0..=samples {
                let (mut with, mut all) = (vec![0u32; 11], vec![0u32; 11]);
                for subset in 1u32..1 << samples {
                    let k = subset.count_ones() as usize;
                    all[k] += 1;
                    // Without loss of generality the first ones are the correct ones.
                    with[k] += u32::from(subset & ((1 << correct) - 1) != 0);
                }
                for k in 1..=samples {
                    let exact = f64::from(with[k as usize]) / f64::from(all[k as usize]);
                    let found = pass_at_k(samples.into(), correct.into(), k.into()).unwrap();
                    assert!((found - exact).abs() < 1e-15, "{samples} {correct} {k}: {found}");
                }
            }
        }
    }

    // Python 3 fractions: float(1 - Fraction(comb(n - c, k), comb(n, k))).
    #[test]
    fn large_counts_keep_their_digits() {
        for (samples, correct, k, exact) in [
            (100_000, 1, 1, 1e-5),
            (100_000, 137, 100, 0.128_170_920_422_322_03),
            (100_000, 3, 50_000, 0.875_003_750_037_500_4),
            (100_000, 50_000, 1, 0.5),
            (256, 40, 64, 0.999_996_837_708_057_5),
            (200, 13, 10, 0.497_551_114_730_615_1),
        ] {
            let found = pass_at_k(samples, correct, k).unwrap();
            assert!((found / exact - 1.0).abs() < 1e-13, "{samples} {correct} {k}: {found}");
        }
    }

    #[test]
    fn more_than_there_are_cannot_be_drawn() {
        assert_eq!(pass_at_k(0, 0, 1), None);
        assert_eq!(pass_at_k(4, 2, 5), None);
        assert_eq!(pass_at_k(4, 2, 0), None);
        assert_eq!(pass_at_k(4, 0, 4), Some(0.0));
        assert_eq!(pass_at_k(4, 1, 4), Some(1.0));
    }
}
