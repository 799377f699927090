use std::collections::{BTreeMap, HashSet};

use gradus::run::Stream;
use serde::{Deserialize, Serialize};

use crate::{StepwiseRow, TrainError};

/// What a step's label says.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelKind {
    /// The step follows from the one before it as written; the rows' own labels.
    #[default]
    Local,
    /// The step and all before it are right ("prefix-correct"): once wrong, always wrong.
    Sticky,
}

impl LabelKind {
    /// Labels of this kind from local ones.
    pub fn apply(self, local: &[bool]) -> Vec<bool> {
        match self {
            Self::Local => local.to_vec(),
            Self::Sticky => {
                let mut sound = true;
                local
                    .iter()
                    .map(|&valid| {
                        sound &= valid;
                        sound
                    })
                    .collect()
            }
        }
    }
}

/// Permutes the step labels of all rows among all of their steps: the control
/// whose evaluator has seen every text and every label, but not which belongs to which.
pub fn shuffle_steps(rows: &mut [StepwiseRow], stream: &mut Stream) {
    let mut labels: Vec<bool> = rows.iter().flat_map(|row| row.labels.iter().copied()).collect();
    stream.shuffle(&mut labels);
    let steps = rows.iter_mut().flat_map(|row| &mut row.labels);
    for (label, shuffled) in steps.zip(labels) {
        *label = shuffled;
    }
}

/// Permutes the outcomes among the rows that have one.
pub fn shuffle_outcomes(rows: &mut [StepwiseRow], stream: &mut Stream) {
    let mut outcomes: Vec<bool> = rows.iter().filter_map(|row| row.correct).collect();
    stream.shuffle(&mut outcomes);
    for (outcome, shuffled) in rows.iter_mut().filter_map(|row| row.correct.as_mut()).zip(outcomes)
    {
        *outcome = shuffled;
    }
}

/// Keeps the first of the identical completions of each problem.
pub fn dedupe(mut rows: Vec<StepwiseRow>) -> Vec<StepwiseRow> {
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert((row.problem.clone(), row.completion.clone())));
    rows
}

/// Drops rows, chosen at random, until each problem has at most `max_ratio`
/// rows of one class per row of the other (the paper's appendix C.1 has 3). A
/// problem with rows of one class only cannot be balanced and is dropped whole.
pub(crate) fn balance(
    rows: Vec<StepwiseRow>,
    max_ratio: f64,
    positive: impl Fn(&StepwiseRow) -> bool,
    stream: &mut Stream,
) -> Result<Vec<StepwiseRow>, TrainError> {
    if !(1.0..f64::INFINITY).contains(&max_ratio) {
        return Err(TrainError::Config { field: "max_class_ratio", expected: "a number from 1" });
    }
    let mut problems: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        problems.entry(&row.problem).or_default()[usize::from(positive(row))].push(index);
    }
    let mut kept = vec![false; rows.len()];
    for mut classes in problems.into_values() {
        let scarce = classes[0].len().min(classes[1].len());
        let most = (scarce as f64 * max_ratio) as usize;
        for class in &mut classes {
            stream.shuffle(class);
            class.iter().take(most).for_each(|&index| kept[index] = true);
        }
    }
    Ok(rows.into_iter().zip(kept).filter_map(|(row, kept)| kept.then_some(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(problem: &str, completion: &str, labels: &[bool], correct: bool) -> StepwiseRow {
        StepwiseRow {
            problem: problem.into(),
            completion: completion.into(),
            labels: labels.to_vec(),
            correct: Some(correct),
            ..StepwiseRow::default()
        }
    }

    #[test]
    fn sticky_labels_stay_wrong_after_the_first_error() {
        let local = [true, false, true, true];
        assert_eq!(LabelKind::Local.apply(&local), local);
        assert_eq!(LabelKind::Sticky.apply(&local), [true, false, false, false]);
        assert_eq!(LabelKind::Sticky.apply(&[true; 3]), [true; 3]);
    }

    #[test]
    fn shuffling_moves_labels_between_rows_and_keeps_their_number() {
        let rows: Vec<StepwiseRow> =
            (0..50).map(|i| row("p", &i.to_string(), &[i < 25; 4], i < 25)).collect();
        let count = |rows: &[StepwiseRow]| {
            let steps = rows.iter().flat_map(|row| &row.labels).filter(|&&label| label).count();
            (steps, rows.iter().filter(|row| row.correct == Some(true)).count())
        };
        let mut shuffled = rows.clone();
        shuffle_steps(&mut shuffled, &mut Stream::new(1, &["shuffle_labels"]));
        shuffle_outcomes(&mut shuffled, &mut Stream::new(1, &["shuffle_labels"]));
        assert_ne!(rows, shuffled);
        assert_eq!(count(&rows), count(&shuffled));
        let moved = shuffled[..25].iter().filter(|row| row.correct == Some(false)).count();
        assert!((6..=19).contains(&moved), "{moved} of 25 moved");
        let mixed = shuffled.iter().filter(|row| row.labels.windows(2).any(|w| w[0] != w[1]));
        assert!(mixed.count() > 30);
    }

    #[test]
    fn identical_completions_count_once_a_problem() {
        let rows =
            vec![row("a", "x", &[], true), row("a", "x", &[], false), row("b", "x", &[], true)];
        let kept = dedupe(rows.clone());
        assert_eq!(kept, [rows[0].clone(), rows[2].clone()]);
    }

    #[test]
    fn a_balanced_problem_has_between_one_to_three_and_three_to_one() {
        let mut rows = Vec::new();
        for (problem, positives, negatives) in [("a", 10, 2), ("b", 1, 9), ("c", 2, 3), ("d", 4, 0)]
        {
            for index in 0..positives + negatives {
                rows.push(row(problem, &index.to_string(), &[], index < positives));
            }
        }
        let positive = |row: &StepwiseRow| row.correct == Some(true);
        let balanced = |rows, ratio| balance(rows, ratio, positive, &mut Stream::new(0, &["b"]));
        assert!(balanced(rows.clone(), 0.5).is_err());
        let kept = balanced(rows, 3.0).unwrap();
        let count = |problem: &str, class: bool| {
            kept.iter().filter(|row| row.problem == problem && positive(row) == class).count()
        };
        let counts =
            ["a", "b", "c", "d"].map(|problem| (count(problem, true), count(problem, false)));
        assert_eq!(counts, [(6, 2), (1, 3), (2, 3), (0, 0)]);
    }
}
