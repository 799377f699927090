//! The nested file `example_model_solutions.jsonl` of openai/grade-school-math:
//! one problem a line, with the solutions of several models ("authors") inside.
//!
//! A line is `{"question", "ground_truth", AUTHOR: {"is_correct", "solution"}, ...}`.
//! Gold and solutions end with a line `A: ANSWER`; each line before it is a step.

use std::path::Path;

use serde_json::Value;

use super::{Completion, DataError, FieldError, Fields, Metadata, Problem, Row, Span, read};

/// A problem with one completion of each author.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthoredProblem {
    /// The problem. Its id is its place in the file from 1, as `gsm8k-0001`; its
    /// answer stands after `A:` in the gold solution; its level is the number of
    /// gold steps; its metadata holds the gold solution under `solution`.
    pub problem: Problem,
    /// One per author in the order of the line, which is `sample` (from 0). The
    /// author is `model`, the lines are the steps, and the metadata holds the
    /// file's label under `is_correct`.
    pub completions: Vec<Completion>,
}

/// Reads the nested file of solutions as typed rows.
pub fn gsm8k_solutions(path: impl AsRef<Path>) -> Result<Vec<AuthoredProblem>, DataError> {
    let lines = read::<Nested>(path)?.enumerate();
    lines.map(|(index, nested)| Ok(nested?.named(&format!("gsm8k-{:04}", index + 1)))).collect()
}

/// A line of the file, before its place is known.
struct Nested(AuthoredProblem);

impl Nested {
    fn named(self, id: &str) -> AuthoredProblem {
        let Self(mut row) = self;
        id.clone_into(&mut row.problem.id);
        for completion in &mut row.completions {
            id.clone_into(&mut completion.problem);
        }
        row
    }
}

impl Row for Nested {
    const NOUN: &str = "problem with its solutions";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let question = fields.string("question")?;
        let solution = fields.string("ground_truth")?;
        let (answer, level) = gold(&solution)?;
        let mut completions = Vec::new();
        let mut others = Metadata::new();
        let names: Vec<String> = fields.names().map(str::to_owned).collect();
        for name in names {
            match fields.take(&name) {
                Some(Value::Object(author)) if is_author(&author) => {
                    completions.push(completion(&name, completions.len() as u32, author)?);
                }
                Some(other) => {
                    others.insert(name, other);
                }
                None => {}
            }
        }
        if completions.is_empty() {
            let expected = "at least one {\"is_correct\", \"solution\"} under an author's name";
            return Err(FieldError::new("authors", "nothing", expected));
        }
        others.insert("solution".into(), solution.into());
        let problem = Problem {
            question,
            answer: Some(answer),
            level: Some(level),
            metadata: others,
            ..Problem::default()
        };
        Ok(Self(AuthoredProblem { problem, completions }))
    }
}

fn is_author(fields: &Metadata) -> bool {
    fields.contains_key("solution") && fields.contains_key("is_correct")
}

/// The answer after `A:` and the number of steps before that line.
fn gold(solution: &str) -> Result<(String, u32), FieldError> {
    let lines = || solution.lines().map(str::trim);
    let answer = lines().find_map(|line| line.strip_prefix("A:"));
    let Some(answer) = answer.map(str::trim).filter(|answer| !answer.is_empty()) else {
        let expected = "a line that starts with \"A:\" and goes on with the answer";
        return Err(FieldError::new("ground_truth", "none", expected));
    };
    let steps = lines().take_while(|line| !line.starts_with("A:"));
    Ok((answer.to_owned(), steps.filter(|line| !line.is_empty()).count() as u32))
}

fn completion(author: &str, sample: u32, fields: Metadata) -> Result<Completion, FieldError> {
    let inside =
        |error: FieldError| FieldError { field: format!("{author}.{}", error.field), ..error };
    let mut fields = Fields::from(fields);
    let text = fields.string("solution").map_err(inside)?;
    let is_correct = fields.bool("is_correct").map_err(inside)?;
    let mut metadata = fields.rest().map_err(inside)?;
    metadata.insert("is_correct".into(), is_correct.into());
    Ok(Completion {
        problem: String::new(),
        sample,
        steps: lines(&text),
        text,
        log_prob: None,
        finish_reason: None,
        model: Some(author.to_owned()),
        seed: None,
        metadata,
    })
}

/// Spans of the lines that are not empty, without their newlines.
fn lines(text: &str) -> Vec<Span> {
    let mut start = 0;
    let mut spans = Vec::new();
    for line in text.split('\n') {
        let end = start + line.len();
        if !line.trim().is_empty() {
            spans.push(Span { start, end });
        }
        start = end + 1;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::super::test_data;
    use super::*;

    fn right(row: &AuthoredProblem) -> Vec<bool> {
        let label = |completion: &Completion| completion.metadata["is_correct"].as_bool();
        row.completions.iter().filter_map(label).collect()
    }

    #[test]
    fn the_published_file_has_the_counts_that_are_known_of_it() {
        let Some(file) = test_data::file("gsm8k/example_model_solutions.jsonl") else { return };
        let rows = gsm8k_solutions(file).unwrap();
        assert_eq!(rows.len(), 1319);
        let authors = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"];
        let mut per_author = [0; 4];
        let (mut any, mut two, mut without_answer) = (0, 0, 0);
        for row in &rows {
            assert_eq!(
                row.completions.iter().filter_map(|c| c.model.as_deref()).collect::<Vec<_>>(),
                authors
            );
            let right = right(row);
            for (count, &right) in per_author.iter_mut().zip(&right) {
                *count += u32::from(right);
            }
            let of_four = right.iter().filter(|&&right| right).count();
            any += u32::from(of_four >= 1);
            two += u32::from(of_four >= 2);
            for completion in &row.completions {
                without_answer +=
                    u32::from(!completion.text.lines().any(|line| line.starts_with("A:")));
            }
        }
        assert_eq!(per_author, [286, 515, 458, 742]);
        assert_eq!((any, two, without_answer), (887, 597, 11));
    }

    #[test]
    fn the_first_problem_of_the_published_file_is_read_as_it_stands() {
        let Some(file) = test_data::file("gsm8k/example_model_solutions.jsonl") else { return };
        let row = gsm8k_solutions(file).unwrap().swap_remove(0);
        assert_eq!(
            (row.problem.id.as_str(), row.problem.answer.as_deref()),
            ("gsm8k-0001", Some("18"))
        );
        assert_eq!(row.problem.level, Some(2));
        assert!(row.problem.question.starts_with("Janet\u{2019}s ducks lay 16 eggs per day."));
        let last = &row.completions[3];
        assert_eq!((last.problem.as_str(), last.sample), ("gsm8k-0001", 3));
        let step = last.steps[3];
        assert_eq!((last.steps.len(), &last.text[step.start..step.end]), (4, "A: 18"));
        assert_eq!(right(&row), [false, false, false, true]);
    }

    fn import(line: &str) -> Result<AuthoredProblem, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("solutions.jsonl");
        std::fs::write(&path, line).unwrap();
        gsm8k_solutions(&path).map(|mut rows| rows.swap_remove(0))
    }

    #[test]
    fn whoever_has_a_solution_and_a_label_is_an_author_and_the_rest_is_kept() {
        let row = import(
            r#"{"question": "1+1?", "ground_truth": "One.\n\n A: 2 ", "split": {"name": "test"},
                "zoe": {"is_correct": true, "solution": "x\n\nA: 2", "seconds": 1},
                "abe": {"is_correct": false, "solution": ""}}"#
                .replace('\n', " ")
                .as_str(),
        )
        .unwrap();
        assert_eq!((row.problem.answer.as_deref(), row.problem.level), (Some("2"), Some(1)));
        assert_eq!(row.problem.metadata["split"]["name"], "test");
        let models: Vec<_> = row.completions.iter().map(|c| c.model.clone().unwrap()).collect();
        assert_eq!(models, ["zoe", "abe"]);
        assert_eq!(row.completions[0].metadata["seconds"], 1);
        assert_eq!(
            row.completions[0].steps,
            [Span { start: 0, end: 1 }, Span { start: 3, end: 7 }]
        );
        assert_eq!(row.completions[1].steps, []);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_field() {
        let error = import(r#"{"question": "?", "ground_truth": "A: 2"}"#).unwrap_err();
        assert!(
            error.to_string().contains("jsonl:1: authors: found nothing, expected at least one")
        );
        let error = import(r#"{"question": "?", "ground_truth": "two"}"#).unwrap_err();
        assert!(
            error.to_string().contains("ground_truth: found none, expected a line that starts")
        );
        let author =
            r#"{"question": "?", "ground_truth": "A: 2", "a": {"is_correct": 1, "solution": ""}}"#;
        let error = import(author).unwrap_err();
        assert!(error.to_string().contains("a.is_correct: found 1, expected true or false"));
    }
}
