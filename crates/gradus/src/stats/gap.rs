use rand_core::Rng;
use serde::Serialize;

use super::bootstrap::{Resamples, differences, mean, percentile_estimate};
use super::interval::Estimate;

/// The share of the gap between base and full supervision that easy supervision recovers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GapRecovered {
    /// `(easy - base) / (full - base)` of the means; `None` where there is no gap to
    /// recover, as far as the data can tell: the gap's interval reaches down to 0.
    pub value: Option<Estimate>,
    /// The gap, `full - base`.
    pub denominator: Estimate,
}

/// Gap recovered (the "performance gap recovered" of Burns et al. 2023, "Weak-to-Strong
/// Generalization", section 3) of values paired over problems, with a joint bootstrap:
/// each draw takes the same problems for all three.
///
/// Draws without a gap (`full` not above `base`) have no ratio and are left out: they are
/// fewer than one tail of the interval, else the value is undefined. `None` without values
/// or draws. Several seeds: [`Resamples::gap_recovered`] of stratified resamples.
pub fn gap_recovered(
    base: &[f64],
    easy: &[f64],
    full: &[f64],
    draws: usize,
    confidence: f64,
    rng: &mut impl Rng,
) -> Option<GapRecovered> {
    Resamples::new(base.len(), draws, rng).gap_recovered(base, easy, full, confidence)
}

impl Resamples {
    /// As the function [`gap_recovered`], over these resamples.
    pub fn gap_recovered(
        &self,
        base: &[f64],
        easy: &[f64],
        full: &[f64],
        confidence: f64,
    ) -> Option<GapRecovered> {
        let (gained, gap) = (differences(easy, base), differences(full, base));
        let denominator = self.mean(&gap, confidence)?;
        let value = if denominator.low > 0.0 {
            let draws = self.means(&gained).zip(self.means(&gap));
            let mut ratios: Vec<f64> =
                draws.filter(|&(_, gap)| gap > 0.0).map(|(gained, gap)| gained / gap).collect();
            let recovered = mean(&gained)? / denominator.value;
            percentile_estimate(recovered, &mut ratios, confidence, base.len())
        } else {
            None
        };
        Some(GapRecovered { value, denominator })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    /// Right on the first `right` problems of `n`.
    fn right(right: usize, n: usize) -> Vec<f64> {
        (0..n).map(|index| f64::from(u8::from(index < right))).collect()
    }

    #[test]
    fn halfway_between_base_and_full_is_one_half() {
        let (base, easy, full) = (right(100, 400), right(200, 400), right(300, 400));
        let gap = gap_recovered(&base, &easy, &full, 2000, 0.95, &mut rng(1)).unwrap();
        let value = gap.value.unwrap();
        assert_eq!((gap.denominator.value, value.value, value.n), (0.5, 0.5, 400));
        // Of the 200 problems in the gap half are gained: given how many of them a draw
        // holds, the share is binomial, with a standard error of sqrt(0.25 / 200) = 0.0354.
        assert!((value.low - 0.431).abs() < 0.01 && (value.high - 0.569).abs() < 0.01, "{gap:?}");
    }

    #[test]
    fn the_ends_are_nothing_and_all_of_the_gap() {
        let (base, full) = (right(10, 100), right(60, 100));
        for (easy, recovered) in [(&base, 0.0), (&full, 1.0)] {
            let gap = gap_recovered(&base, easy, &full, 500, 0.95, &mut rng(2)).unwrap();
            let value = gap.value.unwrap();
            assert_eq!((value.value, value.low, value.high), (recovered, recovered, recovered));
        }
    }

    #[test]
    fn a_gap_whose_interval_covers_zero_cannot_be_recovered() {
        let (base, easy) = (right(50, 100), right(70, 100));
        // 3 problems gained and 1 lost.
        let mut full = right(53, 100);
        full[0] = 0.0;
        let gap = gap_recovered(&base, &easy, &full, 1000, 0.95, &mut rng(3)).unwrap();
        assert!(gap.denominator.low <= 0.0 && gap.denominator.high >= 0.0);
        assert_eq!(gap.value, None);
    }

    #[test]
    fn full_supervision_that_hurts_leaves_no_gap() {
        let (base, easy, full) = (right(80, 100), right(40, 100), right(20, 100));
        let gap = gap_recovered(&base, &easy, &full, 1000, 0.95, &mut rng(4)).unwrap();
        assert!(gap.denominator.high < 0.0);
        assert_eq!(gap.value, None);
    }

    #[test]
    fn strata_keep_their_sizes_in_every_draw() {
        // In each seed all problems are alike, so nothing varies within a seed.
        let strata = |values: [f64; 2]| [vec![values[0]; 30], vec![values[1]; 10]].concat();
        let (base, easy, full) = (strata([0.0, 0.2]), strata([0.5, 0.2]), strata([1.0, 1.0]));
        let resamples = Resamples::stratified(&[30, 10], 200, &mut rng(5));
        let gap = resamples.gap_recovered(&base, &easy, &full, 0.95).unwrap().value.unwrap();
        assert!((gap.value - 15.0 / 38.0).abs() < 1e-12);
        assert!(gap.high - gap.low < 1e-12 && gap.n == 40);
    }

    #[test]
    fn nothing_has_no_gap() {
        assert_eq!(gap_recovered(&[], &[], &[], 100, 0.95, &mut rng(6)), None);
    }
}
