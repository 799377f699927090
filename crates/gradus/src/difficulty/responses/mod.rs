//! Who got which item right: a sparse matrix of scores, and the files it is read from.
//!
//! A cell that is not there is missing, never wrong. A repeated (respondent,
//! item) is an error unless [`Duplicates`] says otherwise. Respondents and items
//! keep the order in which they were met.

mod design;
mod error;
mod eval_archive;
mod gradus;
mod inspect;
mod lm_eval;
mod long;
mod patterns;
mod py_irt;
mod python_json;
mod table;
mod wide;

use std::collections::HashMap;
use std::io::{BufRead as _, Read as _};
use std::path::Path;

pub use design::{Design, design};
pub use error::ResponsesError;

use serde::{Deserialize, Serialize};

use crate::data::{DataError, ParquetRows, is_parquet, open};

/// What to do with a second score of the same respondent on the same item.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Duplicates {
    /// It is an error.
    #[default]
    Error,
    /// The score that was met first counts.
    First,
    /// The mean of all scores counts.
    Mean,
    /// Each is that of a respondent of its own: `NAME#SAMPLE`, or `NAME#2` of the second one
    /// where rows have no number.
    Separate,
}

impl Duplicates {
    /// Names, as the command line has them.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("error", Self::Error),
        ("first", Self::First),
        ("mean", Self::Mean),
        ("separate", Self::Separate),
    ];
}

/// How responses are read; what a form has no use for is not looked at.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What to do with several scores of a respondent on an item.
    pub duplicates: Duplicates,
    /// Name of the metric (lm-eval) or scorer (inspect); none where the logs have only one.
    pub metric: Option<String>,
    /// Name of the filter (lm-eval), none where the logs have only one; a word in the names of
    /// the stages that are read (runs of gradus).
    pub filter: Option<String>,
    /// Where no answer could be read, the score is missing instead of wrong.
    pub no_answer_is_missing: bool,
    /// The column that names the respondents of rows with verdicts; by default `model`.
    pub respondent: Option<String>,
}

/// Answers that are no plain right or wrong, as far as a form tells them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// No answer was found: wrong or missing, as chosen.
    pub no_answer: u64,
    /// How many of these are missing.
    pub no_answer_missing: u64,
    /// The gold could not be read: missing.
    pub bad_gold: u64,
    /// The comparison was not decided: missing.
    pub undecided: u64,
    /// There is no score, as where a sample ended in an error: missing.
    pub unscored: u64,
}

/// A form of response file that this module reads.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Name, as `--from` takes it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Reads a file or folder of this form.
    pub read: fn(&Path, &Reading) -> Result<Responses, ResponsesError>,
}

/// The form called `name`.
pub fn form(name: &str) -> Result<&'static Form, ResponsesError> {
    ALL.iter().find(|form| form.name == name).ok_or_else(|| ResponsesError::UnknownForm {
        name: name.to_owned(),
        known: ALL.iter().map(|form| form.name).collect::<Vec<_>>().join(", "),
    })
}

/// Bytes of a first line by which a form is told.
const LONGEST_HEADER: u64 = 1 << 24;

/// The form of a file or folder, by its name and first line.
pub fn recognise(path: &Path) -> Result<&'static Form, ResponsesError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let extension = Path::new(name).extension().unwrap_or_default();
    let is_jsonl = extension == "jsonl";
    if path.is_dir() {
        return Ok(if gradus::has_runs(path)? {
            &gradus::FORM
        } else if lm_eval::has_logs(path)? {
            &lm_eval::FORM
        } else {
            &inspect::FORM
        });
    }
    if is_jsonl && name.starts_with("samples_") {
        return Ok(&lm_eval::FORM);
    }
    if extension == "json" || extension == "eval" {
        return Ok(&inspect::FORM);
    }
    if is_parquet(path)? {
        let rows = ParquetRows::open(path)?;
        let has = |name: &str| rows.columns().iter().any(|column| column == name);
        return Ok(if has("subject_id") && has("responses") {
            &py_irt::FORM
        } else if has("problem") && (has("verdict") || has("correct")) {
            &gradus::FORM
        } else {
            of_columns(&rows.columns().iter().map(String::as_str).collect::<Vec<_>>())
        });
    }
    // What the form's own reader will find wrong with its bytes is not said here.
    let mut first = Vec::new();
    let read = open(path)?.take(LONGEST_HEADER).read_until(b'\n', &mut first);
    read.map_err(|source| DataError::Io { action: "read", path: path.to_owned(), source })?;
    let first = String::from_utf8_lossy(&first);
    if is_jsonl {
        let has = |name: &str| first.contains(&format!("\"{name}\""));
        return Ok(if has("subject_id") {
            &py_irt::FORM
        } else if has("problem") && (has("verdict") || has("correct")) {
            &gradus::FORM
        } else {
            &long::FORM
        });
    }
    let columns: Vec<&str> = first
        .trim()
        .trim_start_matches('\u{feff}')
        .split(',')
        .map(|name| name.trim_matches('"'))
        .collect();
    Ok(of_columns(&columns))
}

fn of_columns(columns: &[&str]) -> &'static Form {
    if ["respondent", "item", "score"].iter().all(|name| columns.contains(name)) {
        &long::FORM
    } else if columns.last().is_some_and(|last| patterns::COUNTS.contains(last)) {
        &patterns::FORM
    } else {
        &wide::FORM
    }
}

/// Every form of response file.
pub const ALL: &[Form] = &[
    long::FORM,
    wide::FORM,
    patterns::FORM,
    py_irt::FORM,
    lm_eval::FORM,
    inspect::FORM,
    gradus::FORM,
];

/// Scores of respondents on items; what was not answered is not stored.
///
/// Rows are respondents (compressed by row, items ascending), 8 bytes a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Responses {
    respondents: Vec<String>,
    items: Vec<String>,
    /// How many respondents a row stands for; empty where each is one.
    weights: Vec<f64>,
    starts: Vec<usize>,
    item: Vec<u32>,
    score: Vec<f32>,
    not_numbers: Vec<(u32, u32)>,
    counts: Counts,
}

impl Responses {
    /// Names of the respondents, in the order of the file.
    pub fn respondents(&self) -> &[String] {
        &self.respondents
    }

    /// Names of the items, in the order of the file.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// How many respondents row `respondent` stands for: a count in a table of patterns, else 1.
    pub fn weight(&self, respondent: usize) -> f64 {
        self.weights.get(respondent).copied().unwrap_or(1.0)
    }

    /// Number of respondents, with counts: the n of AIC and BIC.
    pub fn total_weight(&self) -> f64 {
        (0..self.respondents.len()).map(|respondent| self.weight(respondent)).sum()
    }

    /// Number of scores.
    pub fn len(&self) -> usize {
        self.score.len()
    }

    /// Is there no score at all.
    pub fn is_empty(&self) -> bool {
        self.score.is_empty()
    }

    /// Items (ascending) and scores of a respondent.
    pub fn row(&self, respondent: usize) -> (&[u32], &[f32]) {
        let range = self.starts[respondent]..self.starts[respondent + 1];
        (&self.item[range.clone()], &self.score[range])
    }

    /// The score of a respondent on an item, if there is one.
    pub fn score(&self, respondent: usize, item: usize) -> Option<f32> {
        let (items, scores) = self.row(respondent);
        items.binary_search(&(item as u32)).ok().map(|at| scores[at])
    }

    /// Scores that a log has as NaN or infinite, (respondent, item): they are missing. Not
    /// kept by what makes new responses of these.
    pub fn not_numbers(&self) -> &[(u32, u32)] {
        &self.not_numbers
    }

    /// What was read beside scores; as for [`Responses::not_numbers`].
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Has every respondent answered every item.
    pub fn is_complete(&self) -> bool {
        self.len() == self.respondents.len() * self.items.len()
    }

    /// The same scores with respondents and items exchanged; counts of patterns are lost.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut starts = vec![0usize; self.items.len() + 1];
        for &item in &self.item {
            starts[item as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut item = vec![0; self.item.len()];
        let mut score = vec![0.0; self.item.len()];
        for respondent in 0..self.respondents.len() {
            let (items, scores) = self.row(respondent);
            for (&column, &value) in items.iter().zip(scores) {
                let at = next[column as usize];
                item[at] = respondent as u32;
                score[at] = value;
                next[column as usize] += 1;
            }
        }
        Self {
            respondents: self.items.clone(),
            items: self.respondents.clone(),
            weights: Vec::new(),
            starts,
            item,
            score,
            not_numbers: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The rows of `respondents`, in that order, with all items.
    #[must_use]
    pub fn select(&self, respondents: &[usize]) -> Self {
        let mut selected = Self { items: self.items.clone(), starts: vec![0], ..Self::default() };
        for &respondent in respondents {
            let (items, scores) = self.row(respondent);
            selected.respondents.push(self.respondents[respondent].clone());
            selected.item.extend_from_slice(items);
            selected.score.extend_from_slice(scores);
            selected.starts.push(selected.item.len());
            if !self.weights.is_empty() {
                selected.weights.push(self.weights[respondent]);
            }
        }
        selected
    }

    /// The same scores with one item as two: respondents of the `other` group answer a
    /// new last item in its place.
    #[must_use]
    pub fn split(&self, item: usize, other: &[bool]) -> Self {
        let mut items = self.items.clone();
        let new = items.len() as u32;
        items.push(format!("{} (other group)", items[item]));
        let mut split = Self { items, starts: vec![0], not_numbers: Vec::new(), ..self.clone() };
        split.item.clear();
        split.score.clear();
        for (respondent, &other) in other.iter().enumerate() {
            let (answered, scores) = self.row(respondent);
            let mut moved = None;
            for (&answered, &score) in answered.iter().zip(scores) {
                if other && answered as usize == item {
                    moved = Some(score);
                } else {
                    split.item.push(answered);
                    split.score.push(score);
                }
            }
            if let Some(score) = moved {
                split.item.push(new);
                split.score.push(score);
            }
            split.starts.push(split.item.len());
        }
        split
    }

    /// Rows of scores, one value an item: for data that are made, not read. NaN is missing.
    pub fn from_rows<'a>(
        respondents: Vec<String>,
        items: Vec<String>,
        rows: impl IntoIterator<Item = &'a [f32]>,
    ) -> Result<Self, ResponsesError> {
        let width = items.len();
        let mut found = None;
        let rows = rows.into_iter().map(|row| {
            if row.len() != width {
                found.get_or_insert(row.len());
            }
            let cells = row.iter().enumerate().filter(|(_, score)| !score.is_nan());
            cells.map(|(item, &score)| (item as u32, score)).collect()
        });
        let made = Self::from_sparse(respondents, items, rows)?;
        match found {
            None => Ok(made),
            Some(found) => Err(ResponsesError::Shape { found, expected: width }),
        }
    }

    /// Rows of (item, score), items ascending: for data that are made, not read.
    pub fn from_sparse(
        respondents: Vec<String>,
        items: Vec<String>,
        rows: impl IntoIterator<Item = Vec<(u32, f32)>>,
    ) -> Result<Self, ResponsesError> {
        let mut made = Self { respondents, items, starts: vec![0], ..Self::default() };
        for row in rows {
            let ascending = row.windows(2).all(|pair| pair[0].0 < pair[1].0);
            let highest = row.last().map_or(0, |cell| cell.0 as usize + 1);
            if !ascending || highest > made.items.len() {
                return Err(ResponsesError::Shape { found: highest, expected: made.items.len() });
            }
            made.item.extend(row.iter().map(|cell| cell.0));
            made.score.extend(row.iter().map(|cell| cell.1));
            made.starts.push(made.item.len());
        }
        if made.starts.len() != made.respondents.len() + 1 {
            let (found, expected) = (made.starts.len() - 1, made.respondents.len());
            return Err(ResponsesError::Shape { found, expected });
        }
        Ok(made)
    }
}

/// Collects scores in any order.
#[derive(Debug, Default)]
struct Builder {
    respondents: Names,
    items: Names,
    cells: Vec<(u32, u32, f32)>,
    not_numbers: Vec<(u32, u32)>,
    counts: Counts,
}

/// Names with their numbers, in the order in which they were met.
#[derive(Debug, Default)]
struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

impl Builder {
    fn push(&mut self, respondent: &str, item: &str, score: f64) {
        let cell = (self.respondents.number(respondent), self.items.number(item), score as f32);
        self.cells.push(cell);
    }

    /// The score of a sample in which no answer was found; none where that is missing.
    fn no_answer(&mut self, reading: &Reading) -> Option<f64> {
        self.counts.no_answer += 1;
        self.counts.no_answer_missing += u64::from(reading.no_answer_is_missing);
        (!reading.no_answer_is_missing).then_some(0.0)
    }

    /// A score that is there and no number.
    fn push_no_number(&mut self, respondent: &str, item: &str) {
        let cell = (self.respondents.number(respondent), self.items.number(item));
        self.not_numbers.push(cell);
    }

    /// Gives the second score of a cell to a respondent `NAME#2`, and so on.
    fn separate(&mut self) {
        let mut times = 0;
        for at in 0..self.cells.len() {
            let (respondent, item, _) = self.cells[at];
            let again = at > 0 && {
                let (before, of, _) = self.cells[at - 1 - times];
                (before, of) == (respondent, item)
            };
            times = if again { times + 1 } else { 0 };
            if times > 0 {
                let name = format!("{}#{}", self.respondents.names[respondent as usize], times + 1);
                self.cells[at].0 = self.respondents.number(&name);
            }
        }
        self.cells.sort_by_key(|&(respondent, item, _)| (respondent, item));
    }

    /// The path is for the message where there is nothing.
    fn finish(mut self, path: &Path, duplicates: Duplicates) -> Result<Responses, ResponsesError> {
        if self.cells.is_empty() {
            return Err(ResponsesError::Empty { path: path.to_owned() });
        }
        // Stable: of equal cells the one met first stays first.
        self.cells.sort_by_key(|&(respondent, item, _)| (respondent, item));
        if duplicates == Duplicates::Separate {
            self.separate();
        }
        let mut responses = Responses {
            respondents: self.respondents.names,
            items: self.items.names,
            starts: vec![0],
            not_numbers: self.not_numbers,
            counts: self.counts,
            ..Responses::default()
        };
        for run in self.cells.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)) {
            let (respondent, item, first) = run[0];
            if run.len() > 1 && duplicates == Duplicates::Error {
                return Err(ResponsesError::Duplicate {
                    respondent: responses.respondents[respondent as usize].clone(),
                    item: responses.items[item as usize].clone(),
                    times: run.len(),
                });
            }
            let score = if duplicates == Duplicates::Mean {
                let sum: f64 = run.iter().map(|&(_, _, score)| f64::from(score)).sum();
                (sum / run.len() as f64) as f32
            } else {
                first
            };
            while responses.starts.len() <= respondent as usize {
                responses.starts.push(responses.item.len());
            }
            responses.item.push(item);
            responses.score.push(score);
        }
        while responses.starts.len() <= responses.respondents.len() {
            responses.starts.push(responses.item.len());
        }
        Ok(responses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(duplicates: Duplicates) -> Result<Responses, ResponsesError> {
        let mut builder = Builder::default();
        for (respondent, item, score) in
            [("b", "y", 1.0), ("a", "x", 0.0), ("b", "x", 1.0), ("b", "y", 0.0)]
        {
            builder.push(respondent, item, score);
        }
        builder.finish(Path::new("r"), duplicates)
    }

    #[test]
    fn a_repeated_answer_is_an_error_unless_a_rule_is_given() {
        let error = built(Duplicates::Error).unwrap_err().to_string();
        assert!(error.contains("respondent \"b\"") && error.contains("item \"y\""), "{error}");
        assert_eq!(built(Duplicates::First).unwrap().score(0, 0), Some(1.0));
        assert_eq!(built(Duplicates::Mean).unwrap().score(0, 0), Some(0.5));
        let separate = built(Duplicates::Separate).unwrap();
        assert_eq!(separate.respondents(), ["b", "a", "b#2"]);
        assert_eq!((separate.score(0, 0), separate.score(2, 0)), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn what_was_not_answered_is_missing_and_names_keep_their_order() {
        let responses = built(Duplicates::First).unwrap();
        assert_eq!(responses.respondents(), ["b", "a"]);
        assert_eq!(responses.items(), ["y", "x"]);
        assert_eq!((responses.score(1, 0), responses.score(1, 1)), (None, Some(0.0)));
        assert_eq!((responses.len(), responses.is_complete()), (3, false));
    }

    #[test]
    fn twice_transposed_is_the_same() {
        let responses = built(Duplicates::First).unwrap();
        assert_eq!(responses.transposed().transposed(), responses);
        assert_eq!(responses.transposed().score(1, 0), responses.score(0, 1));
    }
}
