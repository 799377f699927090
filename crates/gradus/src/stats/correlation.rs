/// Pairs of values as ranks, made once for many resamples.
///
/// A statistic is of how often each pair counts: all ones, or a draw of
/// [`super::Resamples`].
#[derive(Clone, Debug)]
pub struct RankedPairs {
    /// Dense ranks from 0: equal values have equal ranks.
    first: Vec<u32>,
    second: Vec<u32>,
    /// Numbers of the pairs by their first rank.
    by_first: Vec<u32>,
}

impl RankedPairs {
    /// `None` where a value is NaN.
    pub fn new(first: &[f64], second: &[f64]) -> Option<Self> {
        assert_eq!(first.len(), second.len(), "paired values");
        let first = dense_ranks(first)?;
        let second = dense_ranks(second)?;
        let mut by_first: Vec<u32> = (0..first.len() as u32).collect();
        by_first.sort_by_key(|&pair| first[pair as usize]);
        Some(Self { first, second, by_first })
    }

    /// Spearman's rank correlation: Pearson's of the mid-ranks. `None` where one side
    /// has a single value.
    pub fn spearman(&self, counts: &[u8]) -> Option<f64> {
        let (first, second) = (mid_ranks(&self.first, counts), mid_ranks(&self.second, counts));
        let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
        // The mean of mid-ranks is that of ranks.
        let mean = f64::midpoint(total, 1.0);
        let (mut both, mut squares) = (0.0, [0.0; 2]);
        for (pair, &count) in counts.iter().enumerate() {
            let a = first[self.first[pair] as usize] - mean;
            let b = second[self.second[pair] as usize] - mean;
            let count = f64::from(count);
            both += count * a * b;
            squares[0] += count * a * a;
            squares[1] += count * b * b;
        }
        let scale = (squares[0] * squares[1]).sqrt();
        (scale > 0.0).then(|| both / scale)
    }

    /// Kendall's tau-b (Kendall 1945): pairs of pairs in the same order less those in
    /// the opposite one, over the geometric mean of those not tied on either side.
    /// `None` where one side has a single value. In O(n log n), after Knight 1966.
    pub fn kendall_tau_b(&self, counts: &[u8]) -> Option<f64> {
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let pairs = |n: u64| n * n.saturating_sub(1) / 2;
        let untied = |ranks: &[u32]| {
            let tied: u64 = level_counts(ranks, counts).into_iter().map(pairs).sum();
            (pairs(total) - tied) as f64
        };
        let scale = (untied(&self.first) * untied(&self.second)).sqrt();
        // How many of the pairs before have a second rank of at most this.
        let levels = self.second.iter().max().map_or(0, |&most| most as usize + 1);
        let mut before = Fenwick(vec![0; levels + 1]);
        let (mut seen, mut score) = (0_i64, 0_i64);
        for level in
            self.by_first.chunk_by(|&a, &b| self.first[a as usize] == self.first[b as usize])
        {
            for &pair in level {
                let rank = self.second[pair as usize] as usize;
                let (below, upto) = (before.below(rank), before.below(rank + 1));
                score += i64::from(counts[pair as usize]) * (below - (seen - upto));
            }
            for &pair in level {
                let count = i64::from(counts[pair as usize]);
                before.add(self.second[pair as usize] as usize, count);
                seen += count;
            }
        }
        (scale > 0.0).then(|| score as f64 / scale)
    }
}

/// Counts by rank with sums of all lower ranks in O(log n) (Fenwick 1994).
struct Fenwick(Vec<i64>);

impl Fenwick {
    fn add(&mut self, rank: usize, count: i64) {
        let mut at = rank + 1;
        while at < self.0.len() {
            self.0[at] += count;
            at += at & at.wrapping_neg();
        }
    }

    fn below(&self, rank: usize) -> i64 {
        let (mut at, mut sum) = (rank, 0);
        while at > 0 {
            sum += self.0[at];
            at &= at - 1;
        }
        sum
    }
}

fn dense_ranks(values: &[f64]) -> Option<Vec<u32>> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    for (rank, level) in order.chunk_by(|&a, &b| values[a] == values[b]).enumerate() {
        for &place in level {
            ranks[place] = rank as u32;
        }
    }
    Some(ranks)
}

/// How often each rank counts.
fn level_counts(ranks: &[u32], counts: &[u8]) -> Vec<u64> {
    let mut levels = vec![0; ranks.iter().max().map_or(0, |&most| most as usize + 1)];
    for (&rank, &count) in ranks.iter().zip(counts) {
        levels[rank as usize] += u64::from(count);
    }
    levels
}

/// By dense rank: the mean of the ranks from 1 that its values share.
fn mid_ranks(ranks: &[u32], counts: &[u8]) -> Vec<f64> {
    let mut before = 0.0;
    let mid = |count: u64| {
        let count = count as f64;
        let middle = before + f64::midpoint(count, 1.0);
        before += count;
        middle
    };
    level_counts(ranks, counts).into_iter().map(mid).collect()
}

/// Spearman's rank correlation; `None` where one side has a single value or a NaN.
pub fn spearman(first: &[f64], second: &[f64]) -> Option<f64> {
    RankedPairs::new(first, second)?.spearman(&vec![1; first.len()])
}

/// Kendall's tau-b; `None` where one side has a single value or a NaN.
pub fn kendall_tau_b(first: &[f64], second: &[f64]) -> Option<f64> {
    RankedPairs::new(first, second)?.kendall_tau_b(&vec![1; first.len()])
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    const FIRST: [f64; 10] = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0];
    const SECOND: [f64; 10] = [2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0, 2.0, 8.0];

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    }

    // SciPy 1.17.1, spearmanr and kendalltau (variant b).
    #[test]
    fn scipys_digits_are_reproduced() {
        close(spearman(&FIRST, &SECOND), 0.134_715_062_810_912_67);
        close(kendall_tau_b(&FIRST, &SECOND), 0.130_410_132_739_325_25);
    }

    // A draw with counts is a sample with repetitions.
    #[test]
    fn counts_stand_for_repetitions() {
        let counts = [0, 2, 1, 1, 0, 3, 1, 1, 0, 1];
        let repeat = |values: &[f64]| -> Vec<f64> {
            let repeated = values.iter().zip(counts);
            repeated.flat_map(|(&value, count)| vec![value; usize::from(count)]).collect()
        };
        let (first, second) = (repeat(&FIRST), repeat(&SECOND));
        let ranked = RankedPairs::new(&FIRST, &SECOND).unwrap();
        close(ranked.spearman(&counts), spearman(&first, &second).unwrap());
        close(ranked.kendall_tau_b(&counts), kendall_tau_b(&first, &second).unwrap());
        close(kendall_tau_b(&first, &second), by_definition(&first, &second));
    }

    fn by_definition(first: &[f64], second: &[f64]) -> f64 {
        let (mut score, mut untied) = (0.0, [0.0; 2]);
        for i in 0..first.len() {
            for j in 0..i {
                let sign = |values: &[f64]| match values[i].total_cmp(&values[j]) {
                    Ordering::Less => -1.0,
                    Ordering::Equal => 0.0,
                    Ordering::Greater => 1.0,
                };
                let (a, b) = (sign(first), sign(second));
                score += a * b;
                untied[0] += a * a;
                untied[1] += b * b;
            }
        }
        score / f64::sqrt(untied[0] * untied[1])
    }

    #[test]
    fn the_same_and_the_opposite_order_are_the_ends() {
        let falling: Vec<f64> = FIRST.iter().map(|value| -value).collect();
        close(spearman(&FIRST, &FIRST), 1.0);
        close(kendall_tau_b(&FIRST, &falling), -1.0);
    }

    #[test]
    fn a_constant_or_a_missing_number_has_no_correlation() {
        assert_eq!(spearman(&[1.0; 3], &[1.0, 2.0, 3.0]), None);
        assert_eq!(kendall_tau_b(&[1.0, 2.0], &[4.0, 4.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau_b(&[], &[]), None);
    }
}
