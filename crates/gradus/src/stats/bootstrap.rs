//! The percentile bootstrap (Efron 1979) over problems.
//!
//! A resample is kept as how often each value was drawn, so that a statistic of it is
//! one weighted sum, and many statistics can share the same draws.

use rand_core::Rng;

use super::interval::{Estimate, Interval, tail, wilson};

/// Resamples with replacement of the same `n` values, drawn once for many statistics.
///
/// Statistics that share resamples are compared over the same problems in each draw.
/// Memory: a byte per value and draw.
#[derive(Clone, Debug)]
pub struct Resamples {
    values: usize,
    // How often each value is in the draw, draw by draw. A count of 256 needs more than
    // 255 values and has a probability below 1e-500.
    counts: Vec<u8>,
}

impl Resamples {
    /// `draws` resamples of `values` values.
    pub fn new(values: usize, draws: usize, rng: &mut impl Rng) -> Self {
        Self::stratified(&[values], draws, rng)
    }

    /// Resamples within consecutive strata of these lengths (the problems of each seed),
    /// so that each stratum keeps its size; statistics are of all values pooled.
    pub fn stratified(strata: &[usize], draws: usize, rng: &mut impl Rng) -> Self {
        let values = strata.iter().sum();
        let mut counts = vec![0; values * draws];
        let mut words = Vec::new();
        if values > 0 {
            for mut draw in counts.chunks_exact_mut(values) {
                for &length in strata {
                    let (stratum, rest) = draw.split_at_mut(length);
                    resample(stratum, &mut words, rng);
                    draw = rest;
                }
            }
        }
        Self { values, counts }
    }

    /// The mean of `values` with its percentile interval. `None` without values or draws.
    pub fn mean(&self, values: &[f64], confidence: f64) -> Option<Estimate> {
        let mut means: Vec<f64> = self.means(values).collect();
        percentile_estimate(mean(values)?, &mut means, confidence, values.len())
    }

    /// The mean of accuracies, each in 0..=1, as [`Resamples::mean`]; but where all are 0
    /// or all are 1, which leaves nothing to resample, with Wilson's interval.
    pub fn accuracy(&self, values: &[f64], confidence: f64) -> Option<Estimate> {
        let estimate = self.mean(values, confidence)?;
        let certain = |sure: f64| values.iter().all(|&value| value == sure);
        if !certain(0.0) && !certain(1.0) {
            return Some(estimate);
        }
        let successes = if certain(1.0) { estimate.n } else { 0 };
        let Interval { low, high } = wilson(successes, estimate.n, confidence)?;
        Some(Estimate { low, high, ..estimate })
    }

    /// The mean of the differences `first - second` over pairs, as [`Resamples::mean`].
    pub fn paired(&self, first: &[f64], second: &[f64], confidence: f64) -> Option<Estimate> {
        self.mean(&differences(first, second), confidence)
    }

    /// How often each value counts, draw by draw.
    pub fn draws(&self) -> impl Iterator<Item = &[u8]> {
        self.counts.chunks_exact(self.values.max(1))
    }

    /// Any statistic of how often each value counts, with its percentile interval.
    ///
    /// Draws in which it is not defined are left out. `None` where it is not defined for
    /// the values themselves, or for more draws than one tail of the interval holds.
    pub fn statistic(
        &self,
        confidence: f64,
        mut of: impl FnMut(&[u8]) -> Option<f64>,
    ) -> Option<Estimate> {
        let value = of(&vec![1; self.values])?;
        let mut found: Vec<f64> = self.draws().filter_map(of).collect();
        let draws = self.counts.len() / self.values.max(1);
        let undefined = (draws - found.len()) as f64;
        if undefined > tail(confidence) * draws as f64 {
            return None;
        }
        percentile_estimate(value, &mut found, confidence, self.values)
    }

    /// The mean of `values` in each draw.
    pub(super) fn means(&self, values: &[f64]) -> impl Iterator<Item = f64> {
        assert_eq!(values.len(), self.values, "as many values as were resampled");
        self.draws().map(move |counts| weighted_sum(counts, values) / values.len() as f64)
    }
}

/// The mean of `values` with its percentile interval from `draws` resamples.
/// `None` without values or draws.
pub fn bootstrap_mean(
    values: &[f64],
    draws: usize,
    confidence: f64,
    rng: &mut impl Rng,
) -> Option<Estimate> {
    Resamples::new(values.len(), draws, rng).mean(values, confidence)
}

/// The mean of the differences `first - second` over pairs, as [`bootstrap_mean`].
pub fn bootstrap_paired(
    first: &[f64],
    second: &[f64],
    draws: usize,
    confidence: f64,
    rng: &mut impl Rng,
) -> Option<Estimate> {
    bootstrap_mean(&differences(first, second), draws, confidence, rng)
}

/// The mean of all values pooled, resampled within each stratum (the problems of each
/// seed); `n` counts all values. It does not hold the noise between strata.
pub fn bootstrap_strata<S: AsRef<[f64]>>(
    strata: &[S],
    draws: usize,
    confidence: f64,
    rng: &mut impl Rng,
) -> Option<Estimate> {
    let lengths: Vec<usize> = strata.iter().map(|stratum| stratum.as_ref().len()).collect();
    let pooled: Vec<f64> = strata.iter().flat_map(AsRef::as_ref).copied().collect();
    Resamples::stratified(&lengths, draws, rng).mean(&pooled, confidence)
}

pub(super) fn differences(first: &[f64], second: &[f64]) -> Vec<f64> {
    assert_eq!(first.len(), second.len(), "paired values");
    first.iter().zip(second).map(|(first, second)| first - second).collect()
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The percentile interval of the draws of a statistic of `n` observations around its
/// value; the draws are sorted on the way. `None` without draws.
pub fn percentile_estimate(
    value: f64,
    draws: &mut [f64],
    confidence: f64,
    n: usize,
) -> Option<Estimate> {
    let tail = tail(confidence);
    draws.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile(draws, tail)?, quantile(draws, 1.0 - tail)?);
    Some(Estimate { value, low, high, n: n as u64 })
}

/// Linear between order statistics (type 7 of Hyndman and Fan 1996, as in R and `NumPy`).
/// `None` without values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = place.floor();
    let (low, high) = (sorted[below as usize], sorted[place.ceil() as usize]);
    Some(low + (place - below) * (high - low))
}

/// Counts how often each of the stratum's values is drawn, in as many draws as it has values.
fn resample(counts: &mut [u8], words: &mut Vec<u8>, rng: &mut impl Rng) {
    let Ok(values) = u32::try_from(counts.len()) else { panic!("a stratum below 2^32 values") };
    words.resize(counts.len() * size_of::<u32>(), 0);
    rng.fill_bytes(words);
    for word in words.as_chunks().0 {
        let mut word = u32::from_le_bytes(*word);
        // Rejection on the widening product (Lemire 2019, "Fast random integer generation").
        let index = loop {
            let wide = u64::from(word) * u64::from(values);
            if wide as u32 >= values || wide as u32 >= values.wrapping_neg() % values {
                break (wide >> u32::BITS) as usize;
            }
            word = rng.next_u32();
        };
        counts[index] += 1;
    }
}

/// Eight running sums, added up in order: the same bits on every machine, and fast.
fn weighted_sum(counts: &[u8], values: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (whole_counts, rest_counts) = counts.as_chunks::<8>();
    let (whole_values, rest_values) = values.as_chunks::<8>();
    for (counts, values) in whole_counts.iter().zip(whole_values) {
        for lane in 0..8 {
            sums[lane] += f64::from(counts[lane]) * values[lane];
        }
    }
    for (sum, (&count, value)) in sums.iter_mut().zip(rest_counts.iter().zip(rest_values)) {
        *sum += f64::from(count) * value;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // NumPy 2.4.6, quantile([3, 1, 4, 1, 5, 9, 2, 6], [0.025, 0.975, 0.3]).
        let sorted = [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0];
        let found = [0.025, 0.975, 0.3].map(|share| quantile(&sorted, share).unwrap());
        for (found, expected) in found.into_iter().zip([1.0, 8.475, 2.1]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_resample_has_as_many_values_as_its_stratum() {
        let resamples = Resamples::stratified(&[3, 0, 70], 50, &mut rng(1));
        for draw in resamples.counts.chunks_exact(73) {
            let size = |counts: &[u8]| counts.iter().map(|&count| u32::from(count)).sum::<u32>();
            assert_eq!((size(&draw[..3]), size(&draw[3..])), (3, 70));
        }
    }

    #[test]
    fn every_value_is_drawn_alike() {
        // 70 values a draw, 20,000 draws: each is drawn 20,000 times but for a deviation of 140.
        let resamples = Resamples::new(70, 20_000, &mut rng(2));
        for value in 0..70 {
            let drawn: u32 =
                resamples.counts.iter().skip(value).step_by(70).map(|&c| u32::from(c)).sum();
            assert!(drawn.abs_diff(20_000) < 700, "{value}: {drawn}");
        }
    }

    // Of n values 0 or 1 a resample's sum is binomial, so the percentile interval is known:
    // SciPy 1.17.1, binom.ppf([0.025, 0.975], 100, 0.3) = 21, 39.
    #[test]
    fn a_mean_of_zeros_and_ones_has_the_binomial_interval() {
        let values: Vec<f64> = (0..100).map(|index| f64::from(u8::from(index % 10 < 3))).collect();
        let found = bootstrap_mean(&values, 20_000, 0.95, &mut rng(3)).unwrap();
        assert_eq!((found.value, found.low, found.high, found.n), (0.3, 0.21, 0.39, 100));
    }

    // The standard error of a pooled mean is known: within strata without noise there is none.
    #[test]
    fn strata_keep_the_noise_between_them_out() {
        let strata = [vec![0.0; 30], vec![1.0; 10]];
        let within = bootstrap_strata(&strata, 500, 0.95, &mut rng(4)).unwrap();
        assert_eq!((within.value, within.low, within.high, within.n), (0.25, 0.25, 0.25, 40));
        let plain = bootstrap_mean(&strata.concat(), 500, 0.95, &mut rng(4)).unwrap();
        assert!(plain.low < 0.2 && plain.high > 0.3);
    }

    #[test]
    fn what_both_share_cancels_in_pairs() {
        let first: Vec<f64> = (0..50).map(|index| f64::from(index) + 0.5).collect();
        let second: Vec<f64> = (0..50).map(f64::from).collect();
        let paired = bootstrap_paired(&first, &second, 300, 0.95, &mut rng(5)).unwrap();
        assert_eq!((paired.value, paired.low, paired.high), (0.5, 0.5, 0.5));
    }

    #[test]
    fn shared_resamples_give_what_single_calls_give() {
        let values: Vec<f64> = (0..37).map(|index| f64::from(index).sin()).collect();
        let resamples = Resamples::new(37, 200, &mut rng(6));
        let single = bootstrap_mean(&values, 200, 0.9, &mut rng(6));
        assert_eq!(resamples.mean(&values, 0.9), single);
        assert_eq!(resamples.paired(&values, &[0.0; 37], 0.9), single);
        assert_ne!(single, bootstrap_mean(&values, 200, 0.9, &mut rng(7)));
    }

    // Wilson's upper bound for 0 of 10 is z^2 / (10 + z^2) = 3.8415 / 13.8415.
    #[test]
    fn accuracies_that_are_all_the_same_have_the_interval_of_a_proportion() {
        let accuracy =
            |values: &[f64]| Resamples::new(10, 100, &mut rng(9)).accuracy(values, 0.95).unwrap();
        let none = accuracy(&[0.0; 10]);
        assert!(none.low == 0.0 && (none.high - 0.277_533).abs() < 1e-6, "{none:?}");
        let all = accuracy(&[1.0; 10]);
        assert!(all.high == 1.0 && (all.low - 0.722_467).abs() < 1e-6, "{all:?}");
        let mut mixed = [1.0; 10];
        mixed[3] = 0.5;
        let mean = Resamples::new(10, 100, &mut rng(9)).mean(&mixed, 0.95);
        assert_eq!(Some(accuracy(&mixed)), mean);
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(bootstrap_mean(&[], 100, 0.95, &mut rng(8)), None);
        assert_eq!(bootstrap_mean(&[1.0], 0, 0.95, &mut rng(8)), None);
        assert_eq!(bootstrap_strata::<Vec<f64>>(&[], 100, 0.95, &mut rng(8)), None);
    }
}
