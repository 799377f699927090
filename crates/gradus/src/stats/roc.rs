//! The area under the ROC curve: the chance that a positive scores above a
//! negative, ties counted one half.

use serde::Serialize;

use super::interval::{Interval, normal_deviate};

/// The area over all pairs of a positive and a negative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Auc {
    /// The area.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Number of positives.
    pub positives: u64,
    /// Number of negatives.
    pub negatives: u64,
}

/// The area over pairs of the same group only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AucWithin {
    /// The share of pairs in the right order.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Number of pairs.
    pub pairs: u64,
    /// Number of groups that had both classes; the others have no pairs.
    pub groups: u64,
}

/// ROC-AUC with the interval of `DeLong` et al. 1988 ("Comparing the areas under two or
/// more correlated receiver operating characteristic curves"), in O(n log n).
///
/// `None` where a class is missing or a score is NaN. With a single positive or
/// negative the variance is unknown and the interval is 0..=1; a perfect separation
/// has no variance, so its interval has no width, however few the observations.
pub fn roc_auc(scores: &[f64], labels: &[bool], confidence: f64) -> Option<Auc> {
    assert_eq!(scores.len(), labels.len(), "one label per score");
    let deviate = normal_deviate(confidence);
    let mut scored: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    let (positives, negatives) = classes(&scored)?;
    let ties = ties(&mut scored);
    let (m, n) = (positives as f64, negatives as f64);
    let value = ordered_pairs(&ties) / (m * n);
    // Each observation's share of the other class on its right side (V10, V01).
    let (mut of_positives, mut of_negatives) = (0.0, 0.0);
    let (mut positives_below, mut negatives_below) = (0, 0);
    for tie in &ties {
        let below = negatives_below as f64 + 0.5 * tie.negatives as f64;
        let above = (positives - positives_below) as f64 - 0.5 * tie.positives as f64;
        of_positives += tie.positives as f64 * (below / n - value).powi(2);
        of_negatives += tie.negatives as f64 * (above / m - value).powi(2);
        positives_below += tie.positives;
        negatives_below += tie.negatives;
    }
    let variance = if positives > 1 && negatives > 1 {
        Some(of_positives / (m * (m - 1.0)) + of_negatives / (n * (n - 1.0)))
    } else {
        None
    };
    let Interval { low, high } = around(value, variance, deviate);
    Some(Auc { value, low, high, positives, negatives })
}

/// [`roc_auc`] of observations that come in groups (the steps of one problem's
/// samples), which are the independent units: the variance is that of Obuchowski 1997
/// ("Nonparametric analysis of clustered ROC curve data", Biometrics 53): `DeLong`'s with
/// the shares added up group by group.
///
/// `None` where a class is missing or a score is NaN. Where fewer than two groups hold
/// a class, the variance is unknown and the interval is 0..=1.
pub fn roc_auc_clustered<G: AsRef<[(f64, bool)]>>(groups: &[G], confidence: f64) -> Option<Auc> {
    let deviate = normal_deviate(confidence);
    let mut scored: Vec<(f64, bool, usize)> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        scored.extend(group.as_ref().iter().map(|&(score, label)| (score, label, at)));
    }
    let observations: Vec<(f64, bool)> = scored.iter().map(|row| (row.0, row.1)).collect();
    let (positives, negatives) = classes(&observations)?;
    let (m, n) = (positives as f64, negatives as f64);
    scored.sort_unstable_by(|one, two| one.0.total_cmp(&two.0).then(one.2.cmp(&two.2)));
    // Per group: the sums of its shares of the other class on its right side, and its counts.
    let mut sums = vec![[0.0; 4]; groups.len()];
    let (mut ordered, mut positives_below, mut negatives_below) = (0.0, 0.0, 0.0);
    for tie in scored.chunk_by(|one, two| one.0 == two.0) {
        let tied_positives = tie.iter().filter(|row| row.1).count() as f64;
        let tied_negatives = tie.len() as f64 - tied_positives;
        let below = negatives_below + 0.5 * tied_negatives;
        let above = m - positives_below - 0.5 * tied_positives;
        for &(_, label, group) in tie {
            let [of_positives, held_positives, of_negatives, held_negatives] = &mut sums[group];
            if label {
                *of_positives += below / n;
                *held_positives += 1.0;
            } else {
                *of_negatives += above / m;
                *held_negatives += 1.0;
            }
        }
        ordered += tied_positives * below;
        positives_below += tied_positives;
        negatives_below += tied_negatives;
    }
    let value = ordered / (m * n);
    let holding = |class: usize| sums.iter().filter(|row| row[class] > 0.0).count() as f64;
    let (with_positives, with_negatives) = (holding(1), holding(3));
    let variance = (with_positives > 1.0 && with_negatives > 1.0).then(|| {
        let (mut of_positives, mut of_negatives, mut of_both) = (0.0, 0.0, 0.0);
        for [positive, held_positives, negative, held_negatives] in &sums {
            let (one, two) = (positive - held_positives * value, negative - held_negatives * value);
            of_positives += one * one;
            of_negatives += two * two;
            of_both += one * two;
        }
        let unbiased = |count: f64| count / (count - 1.0);
        let variance = unbiased(with_positives) * of_positives / (m * m)
            + unbiased(with_negatives) * of_negatives / (n * n)
            + 2.0 * unbiased(groups.len() as f64) * of_both / (m * n);
        variance.max(0.0)
    });
    let Interval { low, high } = around(value, variance, deviate);
    Some(Auc { value, low, high, positives, negatives })
}

/// ROC-AUC over pairs inside one group (the samples of one problem), pooled over all
/// pairs: what tells samples of the same problem apart, not problems.
///
/// The interval treats groups as the independent units: the variance is that of a
/// ratio of two sums over groups (Cochran 1977, "Sampling Techniques", chapter 6,
/// without the finite population). `None` where no group has both classes or a score
/// is NaN; with one such group the interval is 0..=1.
pub fn roc_auc_within<G: AsRef<[(f64, bool)]>>(groups: &[G], confidence: f64) -> Option<AucWithin> {
    let deviate = normal_deviate(confidence);
    let mut counted = Vec::new();
    let (mut ordered, mut pairs) = (0.0, 0);
    let mut scored = Vec::new();
    for group in groups {
        scored.clear();
        scored.extend_from_slice(group.as_ref());
        if scored.iter().any(|(score, _)| score.is_nan()) {
            return None;
        }
        let Some((positives, negatives)) = classes(&scored) else { continue };
        let in_order = ordered_pairs(&ties(&mut scored));
        ordered += in_order;
        pairs += positives * negatives;
        counted.push((in_order, (positives * negatives) as f64));
    }
    if counted.is_empty() {
        return None;
    }
    let (total, count) = (pairs as f64, counted.len() as f64);
    let value = ordered / total;
    let squares: f64 =
        counted.iter().map(|(ordered, pairs)| (ordered - value * pairs).powi(2)).sum();
    let variance = (counted.len() > 1).then(|| count / (count - 1.0) * squares / (total * total));
    let Interval { low, high } = around(value, variance, deviate);
    Some(AucWithin { value, low, high, pairs, groups: counted.len() as u64 })
}

/// Numbers of positives and negatives; `None` where one is 0 or a score is NaN.
fn classes(scored: &[(f64, bool)]) -> Option<(u64, u64)> {
    let positives = scored.iter().filter(|(_, label)| *label).count() as u64;
    let negatives = scored.len() as u64 - positives;
    let compared = scored.iter().all(|(score, _)| !score.is_nan());
    (positives > 0 && negatives > 0 && compared).then_some((positives, negatives))
}

/// How many observations share a score.
struct Tie {
    positives: u64,
    negatives: u64,
}

/// The ties in rising order of score.
fn ties(scored: &mut [(f64, bool)]) -> Vec<Tie> {
    scored.sort_unstable_by(|one, two| one.0.total_cmp(&two.0));
    let tie = |tie: &[(f64, bool)]| {
        let positives = tie.iter().filter(|(_, label)| *label).count() as u64;
        Tie { positives, negatives: tie.len() as u64 - positives }
    };
    scored.chunk_by(|one, two| one.0 == two.0).map(tie).collect()
}

/// Pairs in which the positive scores higher, half of the tied ones included.
fn ordered_pairs(ties: &[Tie]) -> f64 {
    let mut negatives_below = 0;
    let mut twice: u128 = 0;
    for tie in ties {
        twice += u128::from(tie.positives) * u128::from(2 * negatives_below + tie.negatives);
        negatives_below += tie.negatives;
    }
    twice as f64 / 2.0
}

/// The normal interval inside 0..=1; all of it where the variance is unknown.
fn around(value: f64, variance: Option<f64>, deviate: f64) -> Interval {
    let half = variance.map_or(f64::INFINITY, |variance| deviate * variance.sqrt());
    Interval { low: (value - half).max(0.0), high: (value + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating
    // characteristic (ROC) curve", Radiology 143, table I: 58 normal and 51 abnormal CT
    // images rated 1 to 5. Area 0.893; the DeLong interval as in Stata's manual (roctab):
    // 0.8932, standard error 0.0307, 0.83295 to 0.95339.
    #[test]
    fn the_rated_ct_images_have_the_published_area_and_interval() {
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for (rating, normal, abnormal) in
            [(1, 33, 3), (2, 6, 2), (3, 6, 2), (4, 11, 11), (5, 2, 33)]
        {
            scores.extend(std::iter::repeat_n(f64::from(rating), normal + abnormal));
            labels.extend((0..normal + abnormal).map(|index| index >= normal));
        }
        let auc = roc_auc(&scores, &labels, 0.95).unwrap();
        assert_eq!((auc.positives, auc.negatives), (51, 58));
        // scikit-learn 1.9.1, roc_auc_score.
        assert!((auc.value - 0.893_171_061_528_059_5).abs() < 1e-15);
        assert!((auc.low - 0.83295).abs() < 5e-6 && (auc.high - 0.95339).abs() < 5e-6, "{auc:?}");
    }

    // scikit-learn's documentation of roc_auc_score.
    #[test]
    fn the_documented_example_of_scikit_learn_is_reproduced() {
        let auc = roc_auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], 0.95).unwrap();
        assert_eq!(auc.value, 0.75);
    }

    #[test]
    fn what_cannot_be_ranked_has_no_area() {
        assert_eq!(roc_auc(&[], &[], 0.95), None);
        assert_eq!(roc_auc(&[0.5, 0.6], &[true, true], 0.95), None);
        assert_eq!(roc_auc(&[0.5, f64::NAN], &[true, false], 0.95), None);
        assert_eq!(roc_auc_within::<Vec<_>>(&[], 0.95), None);
        assert_eq!(roc_auc_within(&[[(0.5, true)], [(0.1, false)]], 0.95), None);
        assert_eq!(roc_auc_within(&[[(f64::NAN, true), (0.1, false)]], 0.95), None);
        assert_eq!(roc_auc_within(&[[(f64::NAN, true), (0.1, true)]], 0.95), None);
    }

    // With one observation a group Obuchowski's variance is DeLong's.
    #[test]
    fn groups_of_one_have_the_plain_interval() {
        let scores: Vec<f64> = (0..60).map(|at| f64::from(at * 7 % 23)).collect();
        let labels: Vec<bool> = (0..60).map(|at| at * 7 % 23 + at % 5 > 12).collect();
        let groups: Vec<[(f64, bool); 1]> =
            scores.iter().zip(&labels).map(|(&score, &label)| [(score, label)]).collect();
        let (plain, grouped) =
            (roc_auc(&scores, &labels, 0.95).unwrap(), roc_auc_clustered(&groups, 0.95).unwrap());
        assert!((plain.value - grouped.value).abs() < 1e-12);
        assert!(
            (plain.low - grouped.low).abs() < 1e-12 && (plain.high - grouped.high).abs() < 1e-12
        );
    }

    // Observations repeated within their group add nothing: the interval stays as wide.
    #[test]
    fn copies_within_a_group_do_not_narrow_the_interval() {
        let single: Vec<Vec<(f64, bool)>> =
            (0..40).map(|at| vec![(f64::from(at % 11), at % 11 + at % 3 > 5)]).collect();
        let copied: Vec<Vec<(f64, bool)>> = single.iter().map(|group| vec![group[0]; 9]).collect();
        let (one, nine) =
            (roc_auc_clustered(&single, 0.95).unwrap(), roc_auc_clustered(&copied, 0.95).unwrap());
        assert!((one.value - nine.value).abs() < 1e-12 && (one.low - nine.low).abs() < 1e-12);
        let pooled: (Vec<f64>, Vec<bool>) = copied.iter().flatten().copied().unzip();
        assert!(roc_auc(&pooled.0, &pooled.1, 0.95).unwrap().low > nine.low + 0.01);
    }

    #[test]
    fn one_observation_of_a_class_leaves_the_interval_open() {
        let auc = roc_auc(&[0.1, 0.4, 0.3], &[false, true, false], 0.95).unwrap();
        assert_eq!((auc.value, auc.low, auc.high), (1.0, 0.0, 1.0));
        let within = roc_auc_within(&[[(0.4, true), (0.1, false)]], 0.95).unwrap();
        assert_eq!((within.value, within.low, within.high), (1.0, 0.0, 1.0));
    }

    // By hand: the scores only tell the problems apart (area 0.75 over all pairs), and
    // inside them one pair of two is in order; the third problem has one class.
    #[test]
    fn telling_problems_apart_does_not_help_within_them() {
        let groups = [
            vec![(0.8, true), (0.9, true), (0.85, false)],
            vec![(0.1, false), (0.2, false), (0.15, true)],
            vec![(0.99, true)],
        ];
        let within = roc_auc_within(&groups, 0.95).unwrap();
        assert_eq!((within.value, within.pairs, within.groups), (0.5, 4, 2));
        let all: Vec<(f64, bool)> = groups.concat();
        let (scores, labels): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        assert_eq!(roc_auc(&scores, &labels, 0.95).unwrap().value, 9.0 / 12.0);
    }

    // By hand from the ratio's variance: groups with (ordered, pairs) = (1, 1), (1, 2), (0, 1).
    #[test]
    fn the_interval_within_groups_is_that_of_a_ratio_of_sums() {
        let groups = [
            vec![(0.8, true), (0.1, false)],
            vec![(0.5, true), (0.1, false), (0.9, false)],
            vec![(0.1, true), (0.2, false)],
        ];
        let within = roc_auc_within(&groups, 0.95).unwrap();
        let half = 1.959_963_984_540_054 * (1.5 * (0.25 + 0.0 + 0.25) / 16.0_f64).sqrt();
        assert_eq!((within.value, within.pairs), (0.5, 4));
        assert!((within.low - (0.5 - half)).abs() < 1e-12, "{within:?}");
    }

    proptest! {
        #[test]
        fn all_pairs_counted_one_by_one_give_the_same_area_and_variance(
            scored in proptest::collection::vec((0..6_u8, any::<bool>()), 4..40)
        ) {
            let side = |wanted| scored.iter().filter(move |(_, label)| *label == wanted);
            let (m, n) = (side(true).count(), side(false).count());
            prop_assume!(m > 1 && n > 1);
            let kernel = |positive: u8, negative: u8| match positive.cmp(&negative) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let variance = |values: &[f64]| {
                let mean = mean(values);
                values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
                    / (values.len() - 1) as f64
            };
            let v10: Vec<f64> = side(true)
                .map(|p| mean(&side(false).map(|q| kernel(p.0, q.0)).collect::<Vec<_>>()))
                .collect();
            let v01: Vec<f64> = side(false)
                .map(|q| mean(&side(true).map(|p| kernel(p.0, q.0)).collect::<Vec<_>>()))
                .collect();
            let half = 1.959_963_984_540_054
                * (variance(&v10) / m as f64 + variance(&v01) / n as f64).sqrt();
            let scores: Vec<f64> = scored.iter().map(|&(score, _)| score.into()).collect();
            let labels: Vec<bool> = scored.iter().map(|&(_, label)| label).collect();
            let auc = roc_auc(&scores, &labels, 0.95).unwrap();
            prop_assert!((auc.value - mean(&v10)).abs() < 1e-12);
            prop_assert!((auc.low - (mean(&v10) - half).max(0.0)).abs() < 1e-9);
            prop_assert!((auc.high - (mean(&v10) + half).min(1.0)).abs() < 1e-9);
        }
    }
}
