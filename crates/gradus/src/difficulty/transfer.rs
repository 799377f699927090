use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::label::Label;
use super::results::{either, score};
use crate::data::{FieldError, Fields, Row};
use crate::run::Stream;
use crate::stats::{Estimate, Resamples};

/// What a model that was trained on one class of difficulty got on a problem.
///
/// Columns or fields: `trained_on`, `problem` (also `item`), optionally `tested_on` (else
/// the class of the problem's label) and `seed`, and a score as in
/// [`super::ResultRow`]; others are ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferRow {
    /// The class it was trained on, or any other name, as "random".
    pub trained_on: String,
    /// The class of the problem, where the row says it.
    pub tested_on: Option<String>,
    /// Id of the problem.
    pub problem: String,
    /// Which of several trainings.
    pub seed: Option<String>,
    /// The score in 0..=1; `None` where the row could not be scored.
    pub score: Option<f64>,
}

impl Row for TransferRow {
    const NOUN: &str = "transfer result";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let row = Self {
            trained_on: fields.text("trained_on")?,
            tested_on: fields.optional_text("tested_on")?,
            problem: either(fields, "problem", "item")?
                .ok_or_else(|| FieldError::new("problem", "nothing", "a string or a number"))?,
            seed: fields.optional_text("seed")?,
            score: score(fields)?,
        };
        fields.ignore_rest();
        Ok(row)
    }
}

/// A cell of the grid: trained on one class, tested on another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransferCell {
    /// The class of the training problems.
    pub trained_on: String,
    /// The class of the test problems.
    pub tested_on: String,
    /// Accuracy over the problems, each a mean over its seeds; a percentile bootstrap
    /// interval over problems. It does not hold the noise between trainings: see `seeds`.
    pub accuracy: Estimate,
    /// Trainings in the cell.
    pub seeds: u64,
    /// Accuracy of each training, in the order of the seeds' names.
    pub by_seed: Vec<f64>,
    /// Accuracy less that of the baseline on the same problems, where there is one.
    pub over_baseline: Option<Estimate>,
}

/// A grid and what is not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TransferGrid {
    /// The cells that have problems, in the order in which the rows name the classes.
    pub cells: Vec<TransferCell>,
    /// Rows that could not be scored.
    pub unscored: u64,
    /// Rows whose problem has neither `tested_on` nor a label with a class.
    pub unplaced: u64,
}

/// The scores of a problem in a cell, by seed: sum and number.
type BySeed = BTreeMap<String, (f64, f64)>;

/// Accuracies by class of training and of test problems, compared with the models trained
/// on `baseline` (equally many problems of random difficulty, say) over the same problems.
pub fn transfer_grid(
    rows: impl IntoIterator<Item = TransferRow>,
    labels: &[Label],
    baseline: Option<&str>,
    draws: usize,
    confidence: f64,
    seed: u64,
) -> TransferGrid {
    let classes: HashMap<&str, &str> = labels
        .iter()
        .filter_map(|label| Some((label.problem.as_str(), label.class.as_deref()?)))
        .collect();
    let mut grid = TransferGrid::default();
    let (mut trained, mut tested) = (Vec::new(), class_order(labels));
    let mut cells: HashMap<(String, String), BTreeMap<String, BySeed>> = HashMap::new();
    for row in rows {
        let Some(score) = row.score else {
            grid.unscored += 1;
            continue;
        };
        let labelled = || classes.get(row.problem.as_str()).map(|&class| class.to_owned());
        let Some(tested_on) = row.tested_on.clone().or_else(labelled) else {
            grid.unplaced += 1;
            continue;
        };
        for (known, name) in [(&mut trained, &row.trained_on), (&mut tested, &tested_on)] {
            if !known.contains(name) {
                known.push(name.clone());
            }
        }
        let problems = cells.entry((row.trained_on, tested_on)).or_default();
        let by_seed = problems.entry(row.problem).or_default();
        let (sum, count) = by_seed.entry(row.seed.unwrap_or_default()).or_default();
        *sum += score;
        *count += 1.0;
    }
    for tested_on in &tested {
        let base = baseline.and_then(|name| cells.get(&(name.to_owned(), tested_on.clone())));
        for trained_on in &trained {
            let Some(problems) = cells.get(&(trained_on.clone(), tested_on.clone())) else {
                continue;
            };
            let stream = || Stream::new(seed, &["difficulty", "transfer", tested_on]);
            let scores: Vec<f64> = problems.values().map(mean_over_seeds).collect();
            let resamples = Resamples::new(scores.len(), draws, &mut stream());
            let Some(accuracy) = resamples.mean(&scores, confidence) else { continue };
            let over = base.filter(|_| Some(trained_on.as_str()) != baseline).and_then(|base| {
                let differences: Vec<f64> = problems
                    .iter()
                    .filter_map(|(problem, scores)| {
                        Some(mean_over_seeds(scores) - mean_over_seeds(base.get(problem)?))
                    })
                    .collect();
                Resamples::new(differences.len(), draws, &mut stream())
                    .mean(&differences, confidence)
            });
            let by_seed = by_seed(problems);
            grid.cells.push(TransferCell {
                trained_on: trained_on.clone(),
                tested_on: tested_on.clone(),
                accuracy,
                seeds: by_seed.len() as u64,
                by_seed,
                over_baseline: over,
            });
        }
    }
    grid.cells.sort_by_key(|cell| trained.iter().position(|name| *name == cell.trained_on));
    grid
}

/// The classes of labels from easy to hard.
fn class_order(labels: &[Label]) -> Vec<String> {
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_by(|one, other| one.unnorm_rating.total_cmp(&other.unnorm_rating));
    let mut order: Vec<String> = Vec::new();
    for class in sorted.into_iter().filter_map(|label| label.class.as_ref()) {
        if !order.contains(class) {
            order.push(class.clone());
        }
    }
    order
}

fn mean_over_seeds(by_seed: &BySeed) -> f64 {
    by_seed.values().map(|(sum, count)| sum / count).sum::<f64>() / by_seed.len() as f64
}

/// The accuracy of each seed over the problems that it has.
fn by_seed(problems: &BTreeMap<String, BySeed>) -> Vec<f64> {
    let mut seeds: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (seed, (sum, count)) in problems.values().flatten() {
        let (total, problems) = seeds.entry(seed).or_default();
        *total += sum / count;
        *problems += 1.0;
    }
    seeds.into_values().map(|(total, problems)| total / problems).collect()
}

#[cfg(test)]
mod tests {
    use super::super::label::tests::labels;
    use super::*;

    fn row(trained_on: &str, problem: &str, seed: &str, score: f64) -> TransferRow {
        TransferRow {
            trained_on: trained_on.into(),
            tested_on: None,
            problem: problem.into(),
            seed: Some(seed.into()),
            score: Some(score),
        }
    }

    fn classed() -> Vec<Label> {
        let mut labels = labels(&[("a", 0.0), ("b", 1.0), ("c", 2.0), ("d", 3.0)]);
        for (label, class) in labels.iter_mut().zip(["easy", "easy", "hard", "hard"]) {
            label.class = Some(class.into());
        }
        labels
    }

    #[test]
    fn a_cell_is_a_mean_over_problems_of_means_over_seeds() {
        let rows = [
            row("hard", "a", "1", 0.0),
            row("easy", "a", "1", 1.0),
            row("easy", "a", "2", 0.0),
            row("easy", "b", "1", 1.0),
            row("easy", "b", "2", 1.0),
            row("easy", "c", "1", 0.0),
        ];
        let grid = transfer_grid(rows, &classed(), None, 200, 0.95, 1);
        let found: Vec<_> = grid
            .cells
            .iter()
            .map(|cell| {
                (cell.trained_on.as_str(), cell.tested_on.as_str(), cell.accuracy.value, cell.seeds)
            })
            .collect();
        assert_eq!(
            found,
            [("hard", "easy", 0.0, 1), ("easy", "easy", 0.75, 2), ("easy", "hard", 0.0, 1)]
        );
        assert_eq!(grid.cells[1].by_seed, [1.0, 0.5]);
        assert_eq!(grid.cells[1].accuracy.n, 2);
    }

    #[test]
    fn a_baseline_is_compared_over_the_same_problems() {
        let rows = [
            row("random", "a", "1", 1.0),
            row("random", "b", "1", 0.0),
            row("easy", "a", "1", 1.0),
            row("easy", "b", "1", 1.0),
        ];
        let grid = transfer_grid(rows, &classed(), Some("random"), 200, 0.95, 1);
        assert_eq!(grid.cells[0].over_baseline, None);
        let over = grid.cells[1].over_baseline.unwrap();
        assert_eq!((over.value, over.n), (0.5, 2));
    }

    #[test]
    fn rows_without_a_score_or_a_class_are_counted() {
        let mut unscored = row("easy", "a", "1", 1.0);
        unscored.score = None;
        let rows = [unscored, row("easy", "x", "1", 1.0)];
        let grid = transfer_grid(rows, &classed(), None, 200, 0.95, 1);
        assert_eq!((grid.unscored, grid.unplaced, grid.cells.len()), (1, 1, 0));
    }
}
