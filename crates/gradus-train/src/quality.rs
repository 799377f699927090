//! How well an evaluator tells right from wrong.
//!
//! The area over all pairs can be high because some problems are harder than
//! others, which says nothing about choosing among samples of the same problem:
//! so each area is given over the pairs within a problem, too.

use std::collections::BTreeMap;

use gradus::stats::{Auc, AucWithin, roc_auc_clustered, roc_auc_within};
use serde::Serialize;

/// One completion with its labels and what an evaluator gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredCompletion {
    /// Id of the problem.
    pub problem: String,
    /// One score per step.
    pub scores: Vec<f64>,
    /// One label per step, of the kind that the scores are compared with; empty where unknown.
    pub labels: Vec<bool>,
    /// The step scores reduced to one, by an aggregation that the caller names in its report.
    pub outcome_score: f64,
    /// Is the final answer right; absent where unknown.
    pub correct: Option<bool>,
}

/// Areas under the ROC curve, with problems as the independent units of the intervals;
/// none where a class is missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EvaluatorQuality {
    /// Steps, over all pairs.
    pub step_auc: Option<Auc>,
    /// Steps, over pairs of the same problem.
    pub step_auc_within: Option<AucWithin>,
    /// Outcomes, over all pairs.
    pub outcome_auc: Option<Auc>,
    /// Outcomes, over pairs of the same problem.
    pub outcome_auc_within: Option<AucWithin>,
}

/// Measures `completions`, with intervals of `confidence`.
pub fn evaluator_quality(completions: &[ScoredCompletion], confidence: f64) -> EvaluatorQuality {
    let mut steps: BTreeMap<&str, Vec<(f64, bool)>> = BTreeMap::new();
    let mut outcomes: BTreeMap<&str, Vec<(f64, bool)>> = BTreeMap::new();
    for row in completions {
        let scored = row.scores.iter().copied().zip(row.labels.iter().copied());
        steps.entry(&row.problem).or_default().extend(scored);
        let outcome = row.correct.map(|correct| (row.outcome_score, correct));
        outcomes.entry(&row.problem).or_default().extend(outcome);
    }
    let (step_auc, step_auc_within) = areas(steps, confidence);
    let (outcome_auc, outcome_auc_within) = areas(outcomes, confidence);
    EvaluatorQuality { step_auc, step_auc_within, outcome_auc, outcome_auc_within }
}

fn areas(
    problems: BTreeMap<&str, Vec<(f64, bool)>>,
    confidence: f64,
) -> (Option<Auc>, Option<AucWithin>) {
    let groups: Vec<Vec<(f64, bool)>> = problems.into_values().collect();
    (roc_auc_clustered(&groups, confidence), roc_auc_within(&groups, confidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(problem: &str, steps: &[(f64, bool)], outcome: (f64, bool)) -> ScoredCompletion {
        ScoredCompletion {
            problem: problem.into(),
            scores: steps.iter().map(|step| step.0).collect(),
            labels: steps.iter().map(|step| step.1).collect(),
            outcome_score: outcome.0,
            correct: Some(outcome.1),
        }
    }

    #[test]
    fn an_evaluator_that_only_knows_hard_problems_fails_within_them() {
        // All of the easy problem scores above all of the hard one; inside each, wrong above right.
        let rows = [
            scored("easy", &[(0.8, true), (0.9, false), (0.8, true)], (0.8, true)),
            scored("easy", &[(0.8, true)], (0.9, false)),
            scored("hard", &[(0.1, true), (0.2, false), (0.2, false)], (0.1, true)),
            scored("hard", &[(0.2, false)], (0.2, false)),
        ];
        let quality = evaluator_quality(&rows, 0.95);
        // 9 of 16 pairs of steps: three right easy ones above three wrong hard ones.
        assert_eq!(quality.step_auc.map(|auc| auc.value), Some(9.0 / 16.0));
        assert_eq!(quality.step_auc_within.map(|auc| auc.value), Some(0.0));
        assert_eq!(quality.outcome_auc.map(|auc| auc.value), Some(0.25));
        assert_eq!(quality.outcome_auc_within.map(|auc| auc.value), Some(0.0));
    }

    #[test]
    fn without_labels_there_is_no_area() {
        let mut row = scored("p", &[(0.5, true)], (0.5, true));
        (row.labels, row.correct) = (Vec::new(), None);
        let quality = evaluator_quality(&[row], 0.95);
        assert_eq!((quality.step_auc, quality.outcome_auc_within), (None, None));
    }
}
