use std::collections::HashMap;

use serde::Serialize;

use super::label::Label;
use crate::run::Stream;
use crate::stats::{Estimate, RankedPairs, Resamples};

/// How far two sets of labels order the same problems alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Method of the first set.
    pub first: String,
    /// Method of the second set.
    pub second: String,
    /// Problems in both.
    pub problems: u64,
    /// Problems in the first set only.
    pub only_first: u64,
    /// Problems in the second set only.
    pub only_second: u64,
    /// The same respondents, by their hash: then the two share their noise.
    pub same_respondents: bool,
    /// Spearman's correlation; `None` where a set does not tell the problems apart.
    pub spearman: Option<Estimate>,
    /// Kendall's tau-b.
    pub kendall_tau_b: Option<Estimate>,
    /// Share of the problems in the same class, where both are cut.
    pub same_class: Option<Estimate>,
}

/// Compares labels over the problems that both sets have, with percentile bootstrap
/// intervals over these problems.
pub fn agreement(
    first: &[Label],
    second: &[Label],
    draws: usize,
    confidence: f64,
    seed: u64,
) -> Agreement {
    let by_problem: HashMap<&str, &Label> =
        second.iter().map(|label| (label.problem.as_str(), label)).collect();
    let pairs: Vec<(&Label, &Label)> = first
        .iter()
        .filter_map(|label| Some((label, *by_problem.get(label.problem.as_str())?)))
        .collect();
    let ratings: Vec<f64> = pairs.iter().map(|(label, _)| label.unnorm_rating).collect();
    let others: Vec<f64> = pairs.iter().map(|(_, label)| label.unnorm_rating).collect();
    let mut stream = Stream::new(seed, &["difficulty", "agreement"]);
    let resamples = Resamples::new(pairs.len(), draws, &mut stream);
    let ranked = RankedPairs::new(&ratings, &others);
    let correlation = |of: fn(&RankedPairs, &[u8]) -> Option<f64>| {
        let ranked = ranked.as_ref()?;
        resamples.statistic(confidence, |counts| of(ranked, counts))
    };
    let same: Option<Vec<f64>> = pairs
        .iter()
        .map(|(one, other)| {
            let (one, other) = (one.class.as_ref()?, other.class.as_ref()?);
            Some(f64::from(u8::from(one == other)))
        })
        .collect();
    let of = |labels: &[Label]| labels.first().map(|label| label.method.clone());
    let hash = |labels: &[Label]| labels.first().map(|label| label.respondents_hash.clone());
    Agreement {
        first: of(first).unwrap_or_default(),
        second: of(second).unwrap_or_default(),
        problems: pairs.len() as u64,
        only_first: (first.len() - pairs.len()) as u64,
        only_second: (second.len() - pairs.len()) as u64,
        same_respondents: hash(first) == hash(second),
        spearman: correlation(RankedPairs::spearman),
        kendall_tau_b: correlation(RankedPairs::kendall_tau_b),
        same_class: same.and_then(|same| resamples.mean(&same, confidence)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::label::tests::labels;
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|index| format!("p{index}")).collect()
    }

    #[test]
    fn the_same_order_on_another_scale_agrees_wholly() {
        let names = names(30);
        let first: Vec<_> =
            names.iter().enumerate().map(|(i, name)| (name.as_str(), i as f64)).collect();
        let second: Vec<_> = first.iter().map(|&(name, value)| (name, value.exp())).collect();
        let found = agreement(&labels(&first), &labels(&second), 200, 0.95, 1);
        let spearman = found.spearman.unwrap();
        assert!((spearman.value - 1.0).abs() < 1e-12 && (spearman.low - 1.0).abs() < 1e-12);
        assert_eq!((found.problems, found.only_first, found.same_class), (30, 0, None));
        assert!(found.same_respondents);
    }

    // The interval of Spearman's correlation of 200 pairs with a Gaussian correlation of
    // 0.6: the standard error is about (1 - rho^2) / sqrt(n) = 0.048 (Bonett and Wright 2000).
    #[test]
    fn the_interval_has_the_width_that_theory_gives() {
        let names = names(200);
        let mut stream = Stream::new(3, &["agreement"]);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for name in &names {
            let shared = stream.normal();
            let mut noisy = || 0.6f64.sqrt() * shared + 0.4f64.sqrt() * stream.normal();
            first.push((name.as_str(), noisy()));
            second.push((name.as_str(), noisy()));
        }
        let found = agreement(&labels(&first), &labels(&second), 2000, 0.95, 1);
        let (spearman, kendall) = (found.spearman.unwrap(), found.kendall_tau_b.unwrap());
        let error = (spearman.high - spearman.low) / 3.92;
        assert!((0.038..0.062).contains(&error), "{spearman:?}");
        assert!(kendall.value < spearman.value && kendall.low > 0.2, "{kendall:?}");
    }

    #[test]
    fn problems_of_one_set_only_are_counted() {
        let first = labels(&[("a", 1.0), ("b", 2.0), ("c", 3.0)]);
        let second = labels(&[("b", 2.0), ("x", 1.0)]);
        let found = agreement(&first, &second, 100, 0.95, 1);
        assert_eq!((found.problems, found.only_first, found.only_second), (1, 2, 1));
        assert_eq!((found.spearman, found.kendall_tau_b), (None, None));
    }
}
