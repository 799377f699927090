use std::collections::HashMap;

use super::label::Label;
use crate::data::{FieldError, Fields, Row, Verdict};

/// What a model got on a problem.
///
/// Columns or fields: `problem` (also `item`), `model` (also `respondent`; else the
/// row's model is the empty name), `domain` (also `subject`) and one of `score` (0 to 1),
/// `correct` (true, false, 1 or 0) and `verdict`; others are ignored. A score that is empty or
/// null, and the verdicts bad gold and undecided, are unscored; no answer counts as 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRow {
    /// Name of the model.
    pub model: String,
    /// Id of the problem.
    pub problem: String,
    /// Subject or category.
    pub domain: Option<String>,
    /// The score in 0..=1; `None` where the row could not be scored.
    pub score: Option<f64>,
}

impl Row for ResultRow {
    const NOUN: &str = "result";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let model = either(fields, "model", "respondent")?.unwrap_or_default();
        let problem = either(fields, "problem", "item")?
            .ok_or_else(|| FieldError::new("problem", "nothing", "a string or a number"))?;
        let domain = either(fields, "domain", "subject")?;
        let score = score(fields)?;
        fields.ignore_rest();
        Ok(Self { model, problem, domain, score })
    }
}

/// A text under either of two names.
pub(super) fn either(
    fields: &mut Fields,
    name: &str,
    other: &str,
) -> Result<Option<String>, FieldError> {
    match fields.optional_text(name)? {
        Some(text) => Ok(Some(text)),
        None => fields.optional_text(other),
    }
}

/// A score in one of its three forms.
pub(super) fn score(fields: &mut Fields) -> Result<Option<f64>, FieldError> {
    let has = |fields: &Fields, name: &str| fields.names().any(|field| field == name);
    if has(fields, "verdict") {
        return Ok(match fields.verdict("verdict")? {
            Verdict::Correct => Some(1.0),
            Verdict::Incorrect | Verdict::NoAnswer => Some(0.0),
            Verdict::BadGold | Verdict::Undecided => None,
        });
    }
    if has(fields, "correct") {
        return Ok(fields.optional_flag("correct")?.map(|right| f64::from(u8::from(right))));
    }
    let score = fields.optional_f64("score")?;
    match score {
        Some(score) if !(0.0..=1.0).contains(&score) => {
            Err(FieldError::new("score", score.to_string(), "a number from 0 to 1"))
        }
        score => Ok(score),
    }
}

/// The mean score of a model on a problem, with the problem's difficulty.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Id of the problem.
    pub problem: String,
    /// Subject or category.
    pub domain: Option<String>,
    /// Its place on the axis of difficulty.
    pub difficulty: f64,
    /// Mean over the rows of this model and problem, in 0..=1.
    pub score: f64,
}

/// Results joined to labels, and what did not join.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joined {
    /// By model, in the order of appearance: its outcomes from easy to hard.
    pub models: Vec<(String, Vec<Outcome>)>,
    /// Rows that could not be scored.
    pub unscored: u64,
    /// Rows whose problem has no label.
    pub unlabelled: u64,
    /// Ids of the first few of these problems.
    pub unlabelled_examples: Vec<String>,
}

/// Joins rows to the labels of their problems; `place` is where a label lies on the
/// axis of difficulty.
pub fn join(
    rows: impl IntoIterator<Item = ResultRow>,
    labels: &[Label],
    place: fn(&Label) -> f64,
) -> Joined {
    const EXAMPLES: usize = 3;
    let labels: HashMap<&str, &Label> =
        labels.iter().map(|label| (label.problem.as_str(), label)).collect();
    let mut joined = Joined::default();
    let mut models: HashMap<String, usize> = HashMap::new();
    let mut places: HashMap<(usize, String), usize> = HashMap::new();
    // Beside each outcome the number of rows in it.
    let mut counts: Vec<Vec<f64>> = Vec::new();
    for ResultRow { model, problem, domain, score } in rows {
        let Some(score) = score else {
            joined.unscored += 1;
            continue;
        };
        let Some(label) = labels.get(problem.as_str()) else {
            joined.unlabelled += 1;
            let examples = &mut joined.unlabelled_examples;
            if examples.len() < EXAMPLES && !examples.contains(&problem) {
                examples.push(problem);
            }
            continue;
        };
        let model = *models.entry(model).or_insert_with_key(|name| {
            joined.models.push((name.clone(), Vec::new()));
            counts.push(Vec::new());
            joined.models.len() - 1
        });
        let (outcomes, counts) = (&mut joined.models[model].1, &mut counts[model]);
        let at = *places.entry((model, problem)).or_insert_with_key(|(_, problem)| {
            let (problem, difficulty) = (problem.clone(), place(label));
            outcomes.push(Outcome { problem, domain, difficulty, score: 0.0 });
            counts.push(0.0);
            outcomes.len() - 1
        });
        counts[at] += 1.0;
        outcomes[at].score += (score - outcomes[at].score) / counts[at];
    }
    for (_, outcomes) in &mut joined.models {
        outcomes.sort_by(|one, other| {
            let by_difficulty = one.difficulty.total_cmp(&other.difficulty);
            by_difficulty.then_with(|| one.problem.cmp(&other.problem))
        });
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::label::tests::labels;
    use super::*;
    use crate::data::read_table;

    fn rows(text: &str) -> Vec<Result<ResultRow, String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, text).unwrap();
        let short = |error: crate::data::DataError| {
            error.to_string().split("rows:").last().unwrap().to_owned()
        };
        read_table(&path).unwrap().map(|row| row.map_err(short)).collect()
    }

    #[test]
    fn scores_come_in_three_forms() {
        let lines = r#"{"model": "m", "problem": "a", "verdict": "no_answer", "subject": "x"}
            {"model": "m", "item": "b", "correct": true}
            {"respondent": "m", "problem": "c", "score": 0.25, "other": [1]}
            {"model": "m", "problem": "d", "verdict": "bad_gold"}
            {"model": "m", "problem": "e", "score": null}"#;
        let scores: Vec<_> = rows(lines).into_iter().map(|row| row.unwrap().score).collect();
        assert_eq!(scores, [Some(0.0), Some(1.0), Some(0.25), None, None]);
        let wrong = rows("model,problem,score\nm,a,3\nm,,1\n");
        assert_eq!(wrong[0], Err("2: score: found 3, expected a number from 0 to 1".into()));
        assert_eq!(
            wrong[1],
            Err("3: problem: found nothing, expected a string or a number".into())
        );
    }

    #[test]
    fn rows_join_to_labels_and_what_does_not_is_counted() {
        let text = "model,problem,correct\nm,b,True\nm,b,0\nm,a,true\nn,a,1\nm,x,true\nm,a,\n";
        let rows = rows(text).into_iter().map(Result::unwrap);
        let joined = join(rows, &labels(&[("a", 2.0), ("b", 1.0)]), |label| label.unnorm_rating);
        assert_eq!((joined.unscored, joined.unlabelled), (1, 1));
        assert_eq!(joined.unlabelled_examples, ["x"]);
        let (name, outcomes) = &joined.models[0];
        let found: Vec<_> =
            outcomes.iter().map(|row| (row.problem.as_str(), row.difficulty, row.score)).collect();
        assert_eq!(name, "m");
        assert_eq!(found, [("b", 1.0, 0.5), ("a", 2.0, 1.0)]);
        assert_eq!(joined.models[1].1.len(), 1);
    }
}
