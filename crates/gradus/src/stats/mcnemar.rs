use statrs::function::beta::beta_reg;

/// `McNemar`'s exact test of two paired proportions: the two-sided p value.
///
/// `only_first` pairs are right under the first method alone, `only_second` under
/// the second alone; pairs on which both agree say nothing. Under no difference the
/// smaller count is binomial with one half, and p is twice its lower tail (at most
/// 1): the exact conditional test, not the mid-p. Without such pairs p is 1.
pub fn mcnemar(only_first: u64, only_second: u64) -> f64 {
    let fewer = only_first.min(only_second) as f64;
    let more = only_first.max(only_second) as f64;
    if fewer == more {
        return 1.0;
    }
    // P(X <= fewer) of Binomial(fewer + more, 1/2) as a regularised incomplete beta.
    (2.0 * beta_reg(more, fewer + 1.0, 0.5)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fagerland, Lydersen and Laake 2013, "The McNemar test for binary matched-pairs
    // data", BMC Medical Research Methodology 13:91: airway hyper-responsiveness before
    // and after transplantation, 1 against 7 discordant pairs, exact conditional p = 0.070.
    #[test]
    fn the_published_example_is_reproduced() {
        assert!((mcnemar(1, 7) - 0.070_312_5).abs() < 1e-12);
    }

    // SciPy 1.17.1, binomtest(b, b + c).pvalue.
    #[test]
    fn scipys_digits_are_reproduced() {
        for (first, second, p) in [
            (6, 16, 0.052_478_790_283_203_125),
            (150, 86, 3.715_936_139_571_386_6e-5),
            (3000, 3200, 0.011_488_253_770_871_584),
            (59, 6, 4.964_650_327_128_616e-12),
        ] {
            let found = mcnemar(first, second);
            assert!((found / p - 1.0).abs() < 1e-9, "{first} {second}: {found}");
            assert_eq!(found, mcnemar(second, first));
        }
    }

    #[test]
    fn equal_counts_and_none_at_all_say_nothing() {
        assert_eq!((mcnemar(0, 0), mcnemar(5, 5)), (1.0, 1.0));
        assert!(mcnemar(4, 5) <= 1.0);
    }
}
