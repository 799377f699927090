//! Standardised difficulty labels: the form of Ding et al. 2024, *Easy2Hard-Bench*
//! ([arXiv 2409.18433](https://arxiv.org/abs/2409.18433)), whose six sets all carry
//! `rating` in 0..=1, `rating_std`, `rating_quantile`, `unnorm_rating` and
//! `unnorm_rating_std`.
//!
//! What the set's authors put in, and how far that is known:
//!
//! | set | unnormalised rating | map to 0..=1 |
//! | --- | --- | --- |
//! | E2H-AMC | item response model from published solve rates, by logistic regression | not established |
//! | E2H-Codeforces | Glicko-2 from submissions and the contestants' ratings | not established |
//! | E2H-Lichess | Glicko-2 ratings, as it seems those of the site | not established |
//! | E2H-GSM8K | item response model by variational Bayes over leaderboard models | not established |
//! | E2H-ARC | the same | not established |
//! | E2H-Winogrande | the same | not established |
//!
//! Sources are the project page and the data card; the paper's body was not at hand, and
//! neither of the two says whether the map is min-max or from clipped quantiles. So both
//! are here, min-max is the default, and a label names the one it was made with. The
//! third, a median of 1500 with a range of 2000, is that of a script of the authors for
//! leaderboard games.
//!
//! A quantile is the mid-rank over n: equal ratings have equal quantiles.

use std::collections::HashSet;

use serde::Serialize;

use super::cut::{Cut, CutError};
use super::ratings::Role;
use super::results::either;
use crate::data::{FieldError, Fields, Row, hash_bytes};
use crate::stats::quantile;

/// How hard a problem is, or, in a file of ratings, how strong one of its solvers is.
///
/// Columns or fields: `problem` (also `item` or `name`), `value` (also `rating` or
/// `difficulty`), `std` (also `deviation` or `se_difficulty`), `volatility`, `role`, `method`
/// (also `system`); others are ignored. So the ratings of `gradus difficulty rate` and the
/// `items.csv` of `gradus difficulty fit` are read as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct DifficultyRow {
    /// Id of the problem, or name of the solver.
    pub name: String,
    /// Which of the two it is.
    pub role: Role,
    /// The difficulty on its own scale, high is hard; `None` where none could be found.
    pub value: Option<f64>,
    /// Its standard error.
    pub std: Option<f64>,
    /// Its volatility, by a rating system that has one.
    pub volatility: Option<f64>,
    /// How it was found.
    pub method: Option<String>,
}

impl Row for DifficultyRow {
    const NOUN: &str = "difficulty";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let role = match fields.optional_string("role")?.as_deref() {
            Some("player") => Role::Player,
            None | Some("problem") => Role::Problem,
            Some(other) => {
                let found = format!("{other:?}");
                return Err(FieldError::new("role", found, "\"player\" or \"problem\""));
            }
        };
        let name = match either(fields, "problem", "item")? {
            Some(name) => name,
            None => fields.text("name")?,
        };
        let value = first_number(fields, ["value", "rating", "difficulty"])?;
        let std = first_number(fields, ["std", "deviation", "se_difficulty"])?;
        if std.is_some_and(|std| std < 0.0) {
            return Err(FieldError::new("std", format!("{std:?}"), "a number from 0 up"));
        }
        let volatility = fields.optional_f64("volatility")?;
        let method = either(fields, "method", "system")?;
        fields.ignore_rest();
        Ok(Self { name, role, value, std, volatility, method })
    }
}

fn first_number(fields: &mut Fields, names: [&str; 3]) -> Result<Option<f64>, FieldError> {
    let there = names.into_iter().find(|name| fields.names().any(|field| field == *name));
    match there {
        Some(name) => fields.optional_f64(name),
        None => Ok(None),
    }
}

/// A problem's standardised difficulty as a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Id of the problem.
    pub problem: String,
    /// Difficulty in 0..=1 by the `normalisation` (points: about 500 to 2500).
    pub rating: f64,
    /// Its standard error, on the scale of `rating`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating_std: Option<f64>,
    /// Share of the problems that are easier, ties counted one half.
    pub rating_quantile: f64,
    /// Difficulty on the scale of the method.
    pub unnorm_rating: f64,
    /// Its standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unnorm_rating_std: Option<f64>,
    /// Its volatility per rating period, on the internal scale of Glicko-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating_volatility: Option<f64>,
    /// The class it was cut into: easy, medium or hard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// How the difficulty was found: a rating system, an item response model.
    pub method: String,
    /// How `rating` was made of `unnorm_rating`.
    pub normalisation: String,
    /// How many respondents it rests on.
    pub respondents: u64,
    /// SHA-256 of their sorted names, each ended by a newline.
    pub respondents_hash: String,
}

impl Row for Label {
    const NOUN: &str = "label";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let label = Self {
            problem: fields.text("problem")?,
            rating: fields.f64("rating")?,
            rating_std: fields.optional_f64("rating_std")?,
            rating_quantile: fields.f64("rating_quantile")?,
            unnorm_rating: fields.f64("unnorm_rating")?,
            unnorm_rating_std: fields.optional_f64("unnorm_rating_std")?,
            rating_volatility: fields.optional_f64("rating_volatility")?,
            class: fields.optional_string("class")?,
            method: fields.optional_string("method")?.unwrap_or_default(),
            normalisation: fields.optional_string("normalisation")?.unwrap_or_default(),
            respondents: fields.optional_u64("respondents")?.unwrap_or_default(),
            respondents_hash: fields.optional_string("respondents_hash")?.unwrap_or_default(),
        };
        fields.ignore_rest();
        Ok(label)
    }
}

/// A way from the scale of a method to that of the labels.
#[derive(Clone, Copy, Debug)]
pub struct Normalisation {
    /// Name, as the command line uses it.
    pub name: &'static str,
    /// The formula, one line.
    pub summary: &'static str,
    /// What of a rating `r` becomes `offset + scale * (r - origin)`: origin, scale, offset.
    map: fn(sorted: &[f64]) -> (f64, f64, f64),
    /// What lies outside 0..=1 is set to the nearer end.
    clipped: bool,
}

/// Every normalisation.
pub const NORMALISATIONS: &[Normalisation] = &[
    Normalisation {
        name: "min-max",
        summary: "(r - min) / (max - min)",
        map: |sorted| {
            let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
            (low, 1.0 / (high - low), 0.0)
        },
        clipped: false,
    },
    Normalisation {
        name: "clipped-quantiles",
        summary: "(r - q01) / (q99 - q01), clipped to 0..1",
        map: |sorted| {
            let (low, high) = ends(sorted);
            (low, 1.0 / (high - low), 0.0)
        },
        clipped: true,
    },
    Normalisation {
        name: "points",
        summary: "(r - median) 2000 / (q99 - q01) + 1500",
        map: |sorted| {
            let (low, high) = ends(sorted);
            let median = quantile(sorted, 0.5).unwrap_or(low);
            (median, 2000.0 / (high - low), 1500.0)
        },
        clipped: false,
    },
];

/// The quantiles .01 and .99, linear between order statistics.
fn ends(sorted: &[f64]) -> (f64, f64) {
    let at = |share| quantile(sorted, share).unwrap_or(f64::NAN);
    (at(0.01), at(0.99))
}

/// What labels are made by.
#[derive(Clone, Debug)]
pub struct Labelling<'a> {
    /// From the scale of the method to that of the labels.
    pub normalisation: &'a Normalisation,
    /// Into easy, medium and hard, where asked.
    pub cut: Option<Cut>,
    /// How the difficulties were found.
    pub method: String,
    /// Names of those whose answers they rest on, in any order.
    pub respondents: Vec<String>,
}

/// Why there are no labels; each displays as one sentence fragment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// No problem has a difficulty.
    #[error("found no problem with a difficulty, expected at least two that differ")]
    NoProblems,
    /// The problems cannot be told apart.
    #[error(
        "the difficulties of all {problems} problems lie at {value} (between the quantiles \
         .01 and .99 where those are used): expected at least two that differ"
    )]
    AllEqual {
        /// How many there are.
        problems: usize,
        /// The difficulty that they share.
        value: f64,
    },
    /// A problem is there twice.
    #[error("problem {problem:?} has two difficulties, expected one")]
    Duplicate {
        /// Id of the problem.
        problem: String,
    },
    /// The problems cannot be cut into classes.
    #[error(transparent)]
    Cut(#[from] CutError),
}

/// Labels of the problems among the rows that have a difficulty, in the order of the rows.
pub fn label(rows: &[DifficultyRow], labelling: &Labelling<'_>) -> Result<Vec<Label>, LabelError> {
    let problems = rows.iter().filter(|row| row.role == Role::Problem);
    let valued: Vec<(&DifficultyRow, f64)> =
        problems.filter_map(|row| row.value.map(|value| (row, value))).collect();
    let mut names = HashSet::new();
    for (row, _) in &valued {
        if !names.insert(row.name.as_str()) {
            return Err(LabelError::Duplicate { problem: row.name.clone() });
        }
    }
    let values: Vec<f64> = valued.iter().map(|&(_, value)| value).collect();
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let Some(&lowest) = sorted.first() else { return Err(LabelError::NoProblems) };
    let (origin, scale, offset) = (labelling.normalisation.map)(&sorted);
    if !scale.is_finite() {
        return Err(LabelError::AllEqual { problems: sorted.len(), value: lowest });
    }
    let stds: Vec<Option<f64>> = valued.iter().map(|(row, _)| row.std).collect();
    let classes = match &labelling.cut {
        Some(cut) => cut.classes(&values, &stds)?.into_iter().map(Some).collect(),
        None => vec![None; values.len()],
    };
    let respondents_hash = respondents_hash(&labelling.respondents);
    let respondents = labelling.respondents.len() as u64;
    let labels = valued.iter().zip(classes).map(|(&(row, value), class)| {
        let mapped = offset + scale * (value - origin);
        let rating = if labelling.normalisation.clipped { mapped.clamp(0.0, 1.0) } else { mapped };
        Label {
            problem: row.name.clone(),
            rating,
            rating_std: row.std.map(|std| scale * std),
            rating_quantile: mid_quantile(&sorted, value),
            unnorm_rating: value,
            unnorm_rating_std: row.std,
            rating_volatility: row.volatility,
            class,
            method: labelling.method.clone(),
            normalisation: labelling.normalisation.name.to_owned(),
            respondents,
            respondents_hash: respondents_hash.clone(),
        }
    });
    Ok(labels.collect())
}

/// The share of values below, with half of those that are equal.
fn mid_quantile(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|&other| other < value);
    let upto = sorted.partition_point(|&other| other <= value);
    f64::midpoint(below as f64, upto as f64) / sorted.len() as f64
}

/// SHA-256 of the names, sorted, each once and ended by a newline.
pub fn respondents_hash(names: &[String]) -> String {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let lines = sorted.into_iter().fold(String::new(), |lines, name| lines + name + "\n");
    hash_bytes(lines.as_bytes())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::{read_table, to_line};

    /// Labels by min-max of problems with these difficulties.
    pub(in crate::difficulty) fn labels(difficulties: &[(&str, f64)]) -> Vec<Label> {
        label(&rows(difficulties), &labelling("min-max")).unwrap()
    }

    fn rows(difficulties: &[(&str, f64)]) -> Vec<DifficultyRow> {
        let row = |&(name, value): &(&str, f64)| DifficultyRow {
            name: name.to_owned(),
            role: Role::Problem,
            value: Some(value),
            std: Some(0.5),
            volatility: (name == "a").then_some(0.06),
            method: None,
        };
        difficulties.iter().map(row).collect()
    }

    fn labelling(normalisation: &str) -> Labelling<'static> {
        Labelling {
            normalisation: NORMALISATIONS.iter().find(|row| row.name == normalisation).unwrap(),
            cut: None,
            method: "test".into(),
            respondents: vec!["b".into(), "a".into()],
        }
    }

    const FIVE: [(&str, f64); 5] = [("a", -2.0), ("b", 2.0), ("c", 0.0), ("d", 0.0), ("e", -1.0)];

    #[test]
    fn min_max_puts_the_ends_at_zero_and_one_and_ties_stay_ties() {
        let labels = labels(&FIVE);
        let found: Vec<_> =
            labels.iter().map(|label| (label.rating, label.rating_quantile)).collect();
        assert_eq!(found, [(0.0, 0.1), (1.0, 0.9), (0.5, 0.6), (0.5, 0.6), (0.25, 0.3)]);
        assert_eq!((labels[0].rating_std, labels[0].unnorm_rating_std), (Some(0.125), Some(0.5)));
    }

    // NumPy 2.4: quantile(range(101), [.01, .5, .99]) is 1, 50, 99.
    #[test]
    fn quantiles_leave_outliers_at_the_ends() {
        let names: Vec<String> = (0..101).map(|index| format!("p{index}")).collect();
        let difficulties: Vec<(&str, f64)> =
            names.iter().enumerate().map(|(value, name)| (name.as_str(), value as f64)).collect();
        let clipped = label(&rows(&difficulties), &labelling("clipped-quantiles")).unwrap();
        assert_eq!((clipped[0].rating, clipped[1].rating, clipped[100].rating), (0.0, 0.0, 1.0));
        assert!((clipped[50].rating - 0.5).abs() < 1e-12);
        let points = label(&rows(&difficulties), &labelling("points")).unwrap();
        assert!((points[50].rating - 1500.0).abs() < 1e-9);
        assert!((points[99].rating - 2500.0).abs() < 1e-9);
    }

    #[test]
    fn labels_come_back_from_their_rows() {
        let labels = labels(&FIVE);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        crate::data::write_all(&path, &labels).unwrap();
        let read: Vec<Label> = read_table(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, labels);
        assert!(to_line(&labels[0]).contains("\"rating_quantile\":0.1,\"unnorm_rating\":-2.0"));
    }

    // printf 'a\nb\n' | sha256sum
    #[test]
    fn the_hash_is_of_the_sorted_names() {
        let hash = respondents_hash(&["b".into(), "a".into(), "b".into()]);
        assert_eq!(hash, "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2");
    }

    #[test]
    fn ratings_and_items_are_read_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| -> Vec<DifficultyRow> {
            let path = folder.path().join("rows");
            std::fs::write(&path, text).unwrap();
            read_table(&path).unwrap().map(Result::unwrap).collect()
        };
        let items = read("item,discrimination,difficulty,se_difficulty\ni1,1.2,-0.5,0.1\ni2,1,,\n");
        assert_eq!((items[0].value, items[0].std), (Some(-0.5), Some(0.1)));
        assert_eq!(items[1].value, None);
        let ratings =
            read("{\"name\": \"p\", \"role\": \"player\", \"rating\": 1, \"system\": \"elo\"}");
        assert_eq!((ratings[0].role, ratings[0].method.as_deref()), (Role::Player, Some("elo")));
    }

    #[test]
    fn what_cannot_be_labelled_says_so() {
        let labelling = labelling("min-max");
        assert_eq!(label(&[], &labelling), Err(LabelError::NoProblems));
        let twice = rows(&[("a", 1.0), ("a", 2.0)]);
        assert_eq!(label(&twice, &labelling), Err(LabelError::Duplicate { problem: "a".into() }));
        let equal = rows(&[("a", 1.0), ("b", 1.0)]);
        assert!(matches!(label(&equal, &labelling), Err(LabelError::AllEqual { .. })));
    }
}
