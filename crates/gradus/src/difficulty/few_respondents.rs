//! What the answers of so few respondents say that no model of the items can be fitted:
//! each one's accuracy with its interval, and how many items how many of them have right.
//!
//! Of one respondent nothing about items is known but its own answer. With a handful the
//! Rasch model tells items apart by their number of right answers alone, so the split holds
//! all of its order; a slope of each item is not to be had.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::irt::IrtError;
use super::responses::{Counts, Responses};
use crate::data::DataError;
use crate::run::Stream;
use crate::stats::{Estimate, bootstrap_mean, wilson};

const CONFIDENCE: f64 = 0.95;
const DRAWS: usize = 2000;
/// Up to so many respondents are split by who was right.
const PATTERNS: usize = 6;

/// The answers as they are, in place of a fit; `fit.json` and `--json` have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FewRespondents {
    /// The model that was asked for.
    pub model: String,
    /// Always false: nothing was fitted.
    pub converged: bool,
    /// Why not, and what would do.
    pub reason: String,
    /// Respondents, with counts.
    pub respondents: f64,
    /// Items of the responses.
    pub items: usize,
    /// Scores.
    pub responses: usize,
    /// Mean score of each respondent: Wilson's interval where all scores are 0 or 1, else
    /// the bootstrap over items.
    pub accuracy: Vec<(String, Option<Estimate>)>,
    /// Mean scores that occur, from the highest, and the number of items that have them.
    pub items_by_mean: Vec<(f64, u64)>,
    /// Of items that all respondents answered with 0 or 1: who was right, in the order of
    /// the respondents, and how many items; empty where there are more than six respondents.
    pub patterns: Vec<(Vec<bool>, u64)>,
    /// Scores that a log has as NaN or infinite, read as missing: respondent and item.
    pub not_numbers: Vec<(String, String)>,
    /// Answers that are no plain right or wrong.
    pub counts: Counts,
    /// Version of this program.
    pub version: String,
    /// Where the responses came from, with a hash of the bytes.
    pub input: Vec<(String, String)>,
}

impl FewRespondents {
    /// What to show where a fit ended in an error that so few respondents explain; none where
    /// they do not.
    pub fn instead(
        error: &IrtError,
        model: &str,
        responses: &Responses,
        input: Vec<(String, String)>,
    ) -> Option<Self> {
        matches!(error, IrtError::TooFewRespondents { .. })
            .then(|| Self::new(error.to_string(), model, responses, input))
    }

    fn new(
        reason: String,
        model: &str,
        responses: &Responses,
        input: Vec<(String, String)>,
    ) -> Self {
        let (respondents, items) = (responses.respondents(), responses.items());
        let accuracy = (0..respondents.len()).map(|row| {
            let name = &respondents[row];
            (name.clone(), mean(name, responses.row(row).1))
        });
        let by_item = responses.transposed();
        let mut means: Vec<f64> = (0..items.len())
            .map(|item| by_item.row(item).1)
            .filter(|scores| !scores.is_empty())
            .map(|scores| {
                scores.iter().map(|&score| f64::from(score)).sum::<f64>() / scores.len() as f64
            })
            .collect();
        means.sort_by(|one, other| other.total_cmp(one));
        let groups = means.chunk_by(|one, other| one == other);
        let mut patterns: BTreeMap<Vec<bool>, u64> = BTreeMap::new();
        if respondents.len() <= PATTERNS {
            for item in 0..items.len() {
                let scores = by_item.row(item).1;
                if scores.len() == respondents.len() && binary(scores) {
                    *patterns
                        .entry(scores.iter().map(|&score| score == 1.0).collect())
                        .or_default() += 1;
                }
            }
        }
        let no_number = |&(respondent, item): &(u32, u32)| {
            (respondents[respondent as usize].clone(), items[item as usize].clone())
        };
        Self {
            model: model.to_owned(),
            converged: false,
            reason,
            respondents: responses.total_weight(),
            items: items.len(),
            responses: responses.len(),
            accuracy: accuracy.collect(),
            items_by_mean: groups.map(|group| (group[0], group.len() as u64)).collect(),
            patterns: patterns.into_iter().rev().collect(),
            not_numbers: responses.not_numbers().iter().map(no_number).collect(),
            counts: responses.counts(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            input,
        }
    }

    /// Writes `items.csv`, `respondents.csv` and `fit.json` into a folder, which is made. The
    /// tables have no column of a model.
    pub fn write(&self, responses: &Responses, folder: &Path) -> Result<(), DataError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| DataError::Io { action: "write", path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let by_item = responses.transposed();
        let item = |(place, name): (usize, &String)| {
            let scores = by_item.row(place).1;
            let sum: f64 = scores.iter().map(|&score| f64::from(score)).sum();
            let mean = if scores.is_empty() {
                String::new()
            } else {
                (sum / scores.len() as f64).to_string()
            };
            [name.clone(), "not-fitted".to_owned(), scores.len().to_string(), mean].to_vec()
        };
        let items = by_item.respondents().iter().enumerate().map(item);
        let respondent = |(name, accuracy): &(String, Option<Estimate>)| {
            let cell = |of: &dyn Fn(Estimate) -> String| accuracy.map_or(String::new(), of);
            vec![
                name.clone(),
                accuracy.map_or(0, |mean| mean.n).to_string(),
                cell(&|mean| mean.value.to_string()),
                cell(&|mean| mean.low.to_string()),
                cell(&|mean| mean.high.to_string()),
            ]
        };
        let respondents = self.accuracy.iter().map(respondent);
        let summary = serde_json::to_string_pretty(self).expect("plain data with finite numbers");
        for (name, bytes) in [
            ("items.csv", csv(&["item", "status", "n", "mean"], items)),
            ("respondents.csv", csv(&["respondent", "n", "mean", "low", "high"], respondents)),
            ("fit.json", (summary + "\n").into_bytes()),
        ] {
            let path = folder.join(name);
            let temporary = folder.join(format!(".{name}.tmp"));
            std::fs::write(&temporary, bytes)
                .and_then(|()| std::fs::rename(&temporary, &path))
                .map_err(io(&path))?;
        }
        Ok(())
    }
}

fn csv(header: &[&str], lines: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = header.iter().map(|&name| name.to_owned()).collect();
    for line in std::iter::once(header).chain(lines) {
        table.write_record(line).expect("a vector takes every byte, and lines are of one length");
    }
    table.into_inner().expect("a vector can always be flushed")
}

fn binary(scores: &[f32]) -> bool {
    scores.iter().all(|&score| score == 0.0 || score == 1.0)
}

fn mean(name: &str, scores: &[f32]) -> Option<Estimate> {
    let values: Vec<f64> = scores.iter().map(|&score| f64::from(score)).collect();
    if !binary(scores) {
        let mut stream = Stream::new(1, &["few-respondents", name]);
        return bootstrap_mean(&values, DRAWS, CONFIDENCE, &mut stream);
    }
    let (right, n) =
        (scores.iter().filter(|&&score| score == 1.0).count() as u64, scores.len() as u64);
    let interval = wilson(right, n, CONFIDENCE)?;
    Some(Estimate { value: right as f64 / n as f64, low: interval.low, high: interval.high, n })
}

#[cfg(test)]
mod tests {
    use super::super::irt::{Settings, fit, model};
    use super::*;

    fn responses(rows: &[&[f32]]) -> Responses {
        let names =
            |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect();
        let (respondents, items) = (names("m", rows.len()), names("q", rows[0].len()));
        Responses::from_rows(respondents, items, rows.iter().copied()).unwrap()
    }

    #[test]
    fn one_respondent_has_an_accuracy_and_a_split() {
        let row: Vec<f32> = (0..10u8).map(|item| f32::from(u8::from(item < 8))).collect();
        let responses = responses(&[&row]);
        let error = fit(&responses, &Settings::new(model("rasch").unwrap())).unwrap_err();
        let found = FewRespondents::instead(&error, "rasch", &responses, Vec::new()).unwrap();
        let accuracy = found.accuracy[0].1.unwrap();
        // R 4.3: prop.test(8, 10, correct = FALSE)$conf.int.
        assert!(
            (accuracy.low - 0.490_162_5).abs() < 1e-6 && (accuracy.high - 0.943_317_8).abs() < 1e-6
        );
        assert_eq!(found.items_by_mean, [(1.0, 8), (0.0, 2)]);
        assert_eq!(found.patterns, [(vec![true], 8), (vec![false], 2)]);
        let folder = tempfile::tempdir().unwrap();
        found.write(&responses, folder.path()).unwrap();
        let items = std::fs::read_to_string(folder.path().join("items.csv")).unwrap();
        assert!(items.starts_with("item,status,n,mean\nq0,not-fitted,1,1\n"), "{items}");
    }

    #[test]
    fn a_fault_that_many_respondents_have_too_is_not_explained_by_few() {
        let responses = responses(&[&[1.0, 1.0, 0.0], &[1.0, 1.0, 0.0], &[1.0, 1.0, 0.0]]);
        let error = fit(&responses, &Settings::new(model("rasch").unwrap())).unwrap_err();
        assert!(FewRespondents::instead(&error, "rasch", &responses, Vec::new()).is_none());
    }
}
