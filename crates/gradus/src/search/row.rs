use std::borrow::Cow;

use serde_json::Value;

use super::Level;
use crate::data::{FieldError, Fields, Row};
use crate::verify;

/// A row to select from, in either of two forms.
///
/// One sample a row: `problem`, `sample` (else the order of the rows),
/// `answer` or `text`, and as far as they are known `correct`, `gold`, `level`,
/// `scores` (a list, or one number), `sound`, `log_prob`.
///
/// One problem a row, as search-and-learn writes it: `completions` (texts),
/// `scores` (a list per completion, or a number), the gold as `gold`, `answer`
/// or in the box of `solution`, the id as `unique_id`, `id` or `problem`.
///
/// Other fields are ignored, `agg_scores` among them: its aggregation has no name.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRow {
    /// Id of the problem.
    pub problem: String,
    /// Its level.
    pub level: Option<Level>,
    /// Its gold answer.
    pub gold: Option<String>,
    /// The samples: one, or all of the problem.
    pub samples: Vec<SampleRow>,
}

/// One sample as a row states it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleRow {
    /// Index among the samples of the problem.
    pub sample: Option<u32>,
    /// The answer, `Some(None)` where the row says that there is none.
    pub answer: Option<Option<String>>,
    /// The text to read the answer from, where the row does not state it.
    pub text: Option<String>,
    /// Is the answer correct.
    pub correct: Option<bool>,
    /// Is every step valid.
    pub sound: Option<bool>,
    /// The scores of the steps, or one in all; empty where there are none.
    pub scores: Vec<f64>,
    /// Natural-log probability of the sample under its generator.
    pub log_prob: Option<f64>,
}

impl Row for SearchRow {
    const NOUN: &str = "sample";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let has = |fields: &Fields, name: &str| fields.names().any(|field| field == name);
        let row = if has(fields, "completions") {
            one_problem(fields)?
        } else {
            let stated = has(fields, "answer");
            one_sample(fields, stated)?
        };
        fields.ignore_rest();
        Ok(row)
    }
}

fn one_sample(fields: &mut Fields, stated: bool) -> Result<SearchRow, FieldError> {
    let problem = fields.text("problem")?;
    let sample = fields.optional_u32("sample")?;
    let answer = fields.optional_text("answer")?;
    let text = fields.optional_string("text")?;
    if !stated && text.is_none() {
        return Err(FieldError::new("answer", "neither `answer` nor `text`", "one of them"));
    }
    let sample = SampleRow {
        sample,
        answer: stated.then_some(answer),
        text: text.filter(|_| !stated),
        correct: fields.optional_flag("correct")?,
        sound: fields.optional_flag("sound")?,
        scores: match fields.take("scores") {
            Some(scores) => step_scores("scores", &scores)?,
            None => Vec::new(),
        },
        log_prob: fields.optional_f64("log_prob")?,
    };
    let (level, gold) = (level(fields)?, fields.optional_text("gold")?);
    Ok(SearchRow { problem, level, gold, samples: vec![sample] })
}

fn one_problem(fields: &mut Fields) -> Result<SearchRow, FieldError> {
    let completions = fields.strings("completions")?;
    let scores = match fields.take("scores") {
        None => vec![Vec::new(); completions.len()],
        Some(Value::Array(lists)) if lists.len() == completions.len() => {
            let rows = lists.iter().enumerate();
            rows.map(|(index, list)| step_scores(&format!("scores[{index}]"), list))
                .collect::<Result<_, _>>()?
        }
        Some(other) => {
            let found = other
                .as_array()
                .map_or_else(|| other.to_string(), |lists| format!("a list of {}", lists.len()));
            let expected = format!("one list for each of {} completions", completions.len());
            return Err(FieldError::new("scores", found, expected));
        }
    };
    let mut id = None;
    for name in ["unique_id", "id", "problem"] {
        id = id.or(fields.optional_text(name)?);
    }
    let problem = id.ok_or_else(|| {
        FieldError::new("problem", "nothing", "a text or number, or `unique_id` or `id`")
    })?;
    let mut gold = None;
    for name in ["gold", "answer"] {
        gold = gold.or(fields.optional_text(name)?);
    }
    if let Some(solution) = fields.optional_string("solution")? {
        gold = gold.or_else(|| verify::extract(&solution, verify::MARKED).map(Cow::into_owned));
    }
    let samples = (0..).zip(completions).zip(scores).map(|((sample, text), scores)| SampleRow {
        sample: Some(sample),
        text: Some(text),
        scores,
        ..SampleRow::default()
    });
    let samples = samples.collect();
    Ok(SearchRow { problem, level: level(fields)?, gold, samples })
}

fn step_scores(field: &str, value: &Value) -> Result<Vec<f64>, FieldError> {
    let mismatch = || FieldError::new(field, value.to_string(), "a number or a list of numbers");
    match value {
        Value::Number(score) => Ok(vec![score.as_f64().ok_or_else(mismatch)?]),
        Value::Array(scores) => {
            scores.iter().map(|score| score.as_f64().ok_or_else(mismatch)).collect()
        }
        _ => Err(mismatch()),
    }
}

fn level(fields: &mut Fields) -> Result<Option<Level>, FieldError> {
    let Some(value) = fields.take("level") else { return Ok(None) };
    let number = value.as_i64().or_else(|| {
        // Python writers turn a column of whole numbers with gaps into 3.0.
        value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64)
    });
    match (number, value) {
        (Some(number), _) => Ok(Some(Level::Number(number))),
        (None, Value::String(name)) => Ok(Some(Level::Name(name))),
        (None, other) => {
            Err(FieldError::new("level", other.to_string(), "a whole number or a name"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<SearchRow, FieldError> {
        SearchRow::from_fields(&mut serde_json::from_str(line).unwrap())
    }

    #[test]
    fn a_sample_a_row_is_read_with_what_it_has() {
        let line = r#"{"problem": "p1", "sample": 3, "answer": 42, "correct": 1, "level": "hard",
            "scores": [0.5, 1], "log_prob": -2.5, "sound": false, "note": {"kept": "elsewhere"}}"#;
        let row = read(line).unwrap();
        assert_eq!(row.level, Some(Level::Name("hard".into())));
        let sample = SampleRow {
            sample: Some(3),
            answer: Some(Some("42".into())),
            correct: Some(true),
            sound: Some(false),
            scores: vec![0.5, 1.0],
            log_prob: Some(-2.5),
            ..SampleRow::default()
        };
        assert_eq!(row.samples, [sample]);
    }

    #[test]
    fn an_answer_of_null_is_an_answer_that_is_missing() {
        let row = read(r##"{"problem": 7, "answer": null, "text": "# 4", "level": 4.0}"##).unwrap();
        assert_eq!(row.samples[0].answer, Some(None));
        assert_eq!(row.samples[0].text, None);
        assert_eq!((row.problem.as_str(), row.level), ("7", Some(Level::Number(4))));
        let row = read(r##"{"problem": 7, "text": "# 4", "gold": "4", "scores": 0.5}"##).unwrap();
        assert_eq!(row.samples[0].answer, None);
        assert_eq!(
            (row.gold.as_deref(), row.samples[0].scores.as_slice()),
            (Some("4"), &[0.5][..])
        );
    }

    #[test]
    fn a_problem_a_row_is_read_as_search_and_learn_writes_it() {
        // The columns of search-and-learn's best_of_n output, by its source.
        let line = r#"{"problem": "What is 1+1?", "solution": "It is $\\boxed{2}$.", "answer": "2",
            "subject": "Algebra", "level": 1, "unique_id": "test/algebra/1.json",
            "completions": ["So $\\boxed{2}$.", "So $\\boxed{3}$."], "scores": [[0.9, 0.8], [0.1]],
            "agg_scores": [0.8, 0.1], "pred": "2", "completion_tokens": [5, 5]}"#;
        let row = read(line).unwrap();
        assert_eq!(row.problem, "test/algebra/1.json");
        assert_eq!(row.gold.as_deref(), Some("2"));
        assert_eq!(row.samples.len(), 2);
        assert_eq!(row.samples[1].sample, Some(1));
        assert_eq!(row.samples[1].scores, [0.1]);
        let solved = r#"{"problem": "What is 1+1?", "solution": "It is $\\boxed{2}$.",
            "completions": [], "scores": []}"#;
        let row = read(solved).unwrap();
        assert_eq!((row.problem.as_str(), row.gold.as_deref()), ("What is 1+1?", Some("2")));
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (line, expected) in [
            (r#"{"problem": "p"}"#, ("answer", "neither `answer` nor `text`")),
            (r#"{"answer": "4"}"#, ("problem", "nothing")),
            (r#"{"problem": "p", "answer": "4", "correct": "yes"}"#, ("correct", "\"yes\"")),
            (r#"{"problem": "p", "answer": "4", "scores": [null]}"#, ("scores", "[null]")),
            (r#"{"problem": "p", "answer": "4", "level": true}"#, ("level", "true")),
            (r#"{"problem": "p", "completions": ["a"], "scores": []}"#, ("scores", "a list of 0")),
            (
                r#"{"problem": "p", "completions": ["a"], "scores": [["x"]]}"#,
                ("scores[0]", "[\"x\"]"),
            ),
            (r#"{"completions": ["a"]}"#, ("problem", "nothing")),
        ] {
            let error = read(line).unwrap_err();
            assert_eq!((error.field.as_str(), error.found.as_str()), expected, "{line}");
        }
    }
}
