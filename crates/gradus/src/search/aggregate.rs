//! From the scores of the steps to one score of the sample: those of
//! easy-to-hard, appendix L, equations 1 to 7, and the generator's own. The paper
//! chooses the product for weighted votes and the minimum for best-of-n.

use super::SearchError;

/// Every aggregation.
pub const AGGREGATIONS: &[Aggregation] = &[
    Aggregation {
        name: "prod",
        summary: "the product of the step scores",
        needs: "step scores of at least 0",
        logarithmic: true,
        reduce: |scores, _| {
            // In logarithms, because a long solution's product is below the smallest f64.
            let logs = scores?.iter().map(|score| score.ln());
            Some(logs.sum())
        },
    },
    Aggregation {
        name: "min",
        summary: "the smallest step score",
        needs: "step scores",
        logarithmic: false,
        reduce: |scores, _| Some(scores?.iter().copied().fold(f64::INFINITY, f64::min)),
    },
    Aggregation {
        name: "max",
        summary: "the largest step score",
        needs: "step scores",
        logarithmic: false,
        reduce: |scores, _| Some(scores?.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    },
    Aggregation {
        name: "mean",
        summary: "the mean of the step scores",
        needs: "step scores",
        logarithmic: false,
        reduce: |scores, _| scores.map(|scores| scores.iter().sum::<f64>() / scores.len() as f64),
    },
    Aggregation {
        name: "mean-logit",
        summary: "the logistic function of the mean log-odds of the step scores",
        needs: "step scores in 0..=1",
        logarithmic: false,
        reduce: |scores, _| mean_of(scores?, f64::ln).map(|mean| 1.0 / (1.0 + (-mean).exp())),
    },
    Aggregation {
        name: "mean-odds",
        summary: "the mean of the odds p / (1 - p) of the step scores",
        needs: "step scores in 0..=1",
        logarithmic: false,
        reduce: |scores, _| mean_of(scores?, |odds| odds),
    },
    Aggregation {
        name: "last",
        summary: "the score of the last step",
        needs: "step scores",
        logarithmic: false,
        reduce: |scores, _| scores?.last().copied(),
    },
    Aggregation {
        name: "log-prob",
        summary: "the generator's own probability of the sample, no evaluator at all",
        needs: "log_prob",
        logarithmic: true,
        reduce: |_, log_prob| log_prob,
    },
];

/// Scores nearer to 0 or 1 are taken as this near: it is what an `f32` score of
/// nearly 1 is rounded by, and the odds of 1 itself are infinite.
const NEAREST: f64 = 1.0 / (1 << 24) as f64;

/// The mean over the steps of a function of their odds; `None` beyond 0..=1.
fn mean_of(scores: &[f64], function: fn(f64) -> f64) -> Option<f64> {
    let mut sum = 0.0;
    for &score in scores {
        if !(0.0..=1.0).contains(&score) {
            return None;
        }
        let score = score.clamp(NEAREST, 1.0 - NEAREST);
        sum += function(score / (1.0 - score));
    }
    Some(sum / scores.len() as f64)
}

/// A way to make one score of the step scores.
#[derive(Clone, Copy, Debug)]
pub struct Aggregation {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// What a sample must have for it, as messages say it.
    pub needs: &'static str,
    /// The reduced score is a natural logarithm of the weight in a vote.
    pub logarithmic: bool,
    /// Reduces the step scores (`None` where there are none) and the
    /// log-probability of the sample, as far as they are known. What cannot
    /// be reduced is `None` or not a number.
    pub reduce: fn(scores: Option<&[f64]>, log_prob: Option<f64>) -> Option<f64>,
}

impl Aggregation {
    /// The score of a sample, or what it lacks.
    pub(super) fn score(
        &self,
        problem: &str,
        sample: u32,
        scores: &[f64],
        log_prob: Option<f64>,
    ) -> Result<f64, SearchError> {
        let finite = !scores.is_empty() && scores.iter().all(|score| score.is_finite());
        let score = (self.reduce)(finite.then_some(scores), log_prob);
        score.filter(|score| !score.is_nan()).ok_or_else(|| SearchError::NoScore {
            problem: problem.to_owned(),
            sample,
            aggregate: self.name,
            needs: self.needs,
        })
    }

    /// The scores of one problem's samples as weights of a vote; logarithms are
    /// taken relative to the largest of the pool.
    pub(super) fn weights(&self, scores: &[f64], weights: &mut Vec<f64>) {
        weights.clear();
        if !self.logarithmic {
            weights.extend_from_slice(scores);
            return;
        }
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            weights.resize(scores.len(), 0.0);
        } else {
            weights.extend(scores.iter().map(|score| (score - largest).exp()));
        }
    }
}

/// The aggregation called `name`.
pub fn aggregation(name: &str) -> Result<&'static Aggregation, SearchError> {
    let found = AGGREGATIONS.iter().find(|aggregation| aggregation.name == name);
    found.ok_or_else(|| SearchError::Unknown {
        what: "aggregate",
        name: name.to_owned(),
        known: AGGREGATIONS.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, scores: &[f64]) -> f64 {
        aggregation(name).unwrap().score("p", 0, scores, Some(-2.5)).unwrap()
    }

    #[test]
    fn each_aggregation_reduces_as_it_says() {
        let scores = [0.5, 0.25, 0.9];
        assert!((score("prod", &scores).exp() - 0.1125).abs() < 1e-15);
        assert_eq!(score("min", &scores), 0.25);
        assert!((score("mean", &scores) - 0.55).abs() < 1e-15);
        assert_eq!(score("last", &scores), 0.9);
        assert_eq!(score("max", &scores), 0.9);
        // Odds 1, 1/3 and 9: their product 3, so mean log-odds ln(3) / 3.
        let root = 3f64.cbrt();
        assert!((score("mean-logit", &scores) - root / (1.0 + root)).abs() < 1e-12);
        assert!((score("mean-odds", &scores) - (1.0 + 1.0 / 3.0 + 9.0) / 3.0).abs() < 1e-12);
        // A score that was rounded to 1 does not outweigh everything.
        assert!(score("mean-logit", &[1.0, 0.0]) - 0.5 < 1e-9);
        assert_eq!(score("log-prob", &[]), -2.5);
    }

    #[test]
    fn a_product_below_the_smallest_float_still_ranks_and_weighs() {
        let prod = aggregation("prod").unwrap();
        let (one, two) = (score("prod", &[0.01; 400]), score("prod", &[0.02; 400]));
        assert!(two > one);
        let mut weights = Vec::new();
        prod.weights(&[two, two - 2f64.ln(), f64::NEG_INFINITY], &mut weights);
        assert!((weights[1] - 0.5).abs() < 1e-12 && weights[0] == 1.0 && weights[2] == 0.0);
        prod.weights(&[f64::NEG_INFINITY; 2], &mut weights);
        assert_eq!(weights, [0.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_reduced_is_named() {
        let reduce = |name, scores: &[f64]| {
            aggregation(name).unwrap().score("p1", 3, scores, None).unwrap_err().to_string()
        };
        assert_eq!(
            reduce("min", &[]),
            "problem \"p1\" sample 3 has no step scores, which min needs"
        );
        assert_eq!(
            reduce("prod", &[0.5, -1.0]),
            "problem \"p1\" sample 3 has no step scores of at least 0, which prod needs"
        );
        assert_eq!(
            reduce("log-prob", &[0.5]),
            "problem \"p1\" sample 3 has no log_prob, which log-prob needs"
        );
        assert!(reduce("min", &[0.5, f64::NAN]).contains("has no step scores"));
        assert!(reduce("mean-odds", &[0.5, 1.5]).contains("step scores in 0..=1"));
    }
}
