//! Public sets of problems as [`Problem`] rows: GSM8K, MATH, plain questions with
//! answers, multiple choice.
//!
//! Whatever a row holds beyond the named fields stays in the problem's metadata.
//! A row without an id gets its set's name and its line, from 1.

use std::path::Path;

use serde_json::Value;

use super::{DataError, FieldError, Fields, Problem, Row, read};

/// Rows of GSM8K (Cobbe et al. 2021): `question`, and `answer` as a worked solution
/// whose last line is `#### ANSWER`.
///
/// The level is the number of steps, which are the lines before; the metadata
/// holds the solution under `solution`.
pub fn gsm8k_problems(path: impl AsRef<Path>) -> Result<Vec<Problem>, DataError> {
    numbered::<Gsm8k>(path, "gsm8k")
}

/// Rows of MATH (Hendrycks et al. 2021): `problem`, `solution`, `level` as `Level 3`,
/// the subject as `subject` or `type`, and in later releases `answer` and `unique_id`.
///
/// Where there is no `answer` it stands in the last box of the solution, which the
/// metadata holds under `solution`. `Level ?` is no level and stays in the metadata.
pub fn math_problems(path: impl AsRef<Path>) -> Result<Vec<Problem>, DataError> {
    numbered::<Math>(path, "math")
}

/// Rows of a question with its answer: `question` and `answer`, or as other sets name
/// them `problem`, `input` or `Question` (after its `Body`, as in SVAMP), and
/// `final_answer` (as a list in `OlympiadBench`), `target` or `Answer`.
pub fn question_answers(path: impl AsRef<Path>) -> Result<Vec<Problem>, DataError> {
    numbered::<QuestionAnswer>(path, "question")
}

/// Rows of multiple choice: `question`, `choices` as a list or as ARC's `{"text",
/// "label"}`, and `answer` or `answerKey` as a label, an index from 0, a letter or a
/// choice's text. The problem's answer is the letter.
pub fn multiple_choice(path: impl AsRef<Path>) -> Result<Vec<Problem>, DataError> {
    numbered::<MultipleChoice>(path, "choice")
}

fn numbered<R: Row + Into<Problem>>(
    path: impl AsRef<Path>,
    set: &str,
) -> Result<Vec<Problem>, DataError> {
    let mut rows = read::<R>(path)?;
    let mut problems = Vec::new();
    while let Some(row) = rows.next() {
        let mut problem: Problem = row?.into();
        if problem.id.is_empty() {
            problem.id = format!("{set}-{:05}", rows.line());
        }
        problems.push(problem);
    }
    Ok(problems)
}

struct Gsm8k(Problem);

impl From<Gsm8k> for Problem {
    fn from(row: Gsm8k) -> Self {
        row.0
    }
}

impl Row for Gsm8k {
    const NOUN: &str = "row of GSM8K";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let (id, question) = (id(fields)?, fields.string("question")?);
        let solution = fields.string("answer")?;
        let lines: Vec<&str> =
            solution.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let at = lines.iter().position(|line| line.starts_with("####"));
        let answer = at.map(|at| lines[at].trim_start_matches('#').trim().to_owned());
        let Some((answer, steps)) = answer.zip(at).filter(|(answer, _)| !answer.is_empty()) else {
            let expected = "a line that starts with \"####\" and goes on with the answer";
            return Err(FieldError::new("answer", "none", expected));
        };
        let mut metadata = fields.rest()?;
        metadata.insert("solution".into(), solution.into());
        let level = Some(steps as u32);
        let answer = Some(answer);
        Ok(Self(Problem { id, question, answer, level, metadata, ..Problem::default() }))
    }
}

struct Math(Problem);

impl From<Math> for Problem {
    fn from(row: Math) -> Self {
        row.0
    }
}

impl Row for Math {
    const NOUN: &str = "row of MATH";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let (id, question) = (id(fields)?, fields.string("problem")?);
        let answer = fields.optional_text("answer")?;
        let solution = fields.optional_string("solution")?;
        if answer.is_none() && solution.is_none() {
            let found = "neither `answer` nor `solution`";
            return Err(FieldError::new("answer", found, "one of them"));
        }
        let (level, unknown) = level(fields)?;
        let subject = subject(fields)?;
        let mut metadata = fields.rest()?;
        metadata.extend(solution.map(|solution| ("solution".to_owned(), solution.into())));
        metadata.extend(unknown.map(|level| ("level".to_owned(), level.into())));
        let choices = Vec::new();
        Ok(Self(Problem { id, question, answer, choices, level, subject, metadata }))
    }
}

struct QuestionAnswer(Problem);

impl From<QuestionAnswer> for Problem {
    fn from(row: QuestionAnswer) -> Self {
        row.0
    }
}

impl Row for QuestionAnswer {
    const NOUN: &str = "question with its answer";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let id = id(fields)?;
        let asked = present(fields, &["question", "problem", "input", "Question"]);
        let mut question = fields.string(asked)?;
        if let Some(body) = fields.optional_string("Body")?.filter(|_| asked == "Question") {
            question = format!("{} {question}", body.trim_end());
        }
        let answered = present(fields, &["answer", "final_answer", "target", "Answer"]);
        let answer = match fields.take(answered) {
            Some(Value::Array(parts)) => {
                let mut one = Fields::from_iter([(answered.to_owned(), Value::Array(parts))]);
                Some(one.strings(answered)?.join(", "))
            }
            Some(other) => {
                Fields::from_iter([(answered.to_owned(), other)]).optional_text(answered)?
            }
            None => None,
        };
        let answer = answer.filter(|answer| !answer.trim().is_empty());
        let Some(answer) = answer else {
            return Err(FieldError::new(
                answered,
                "nothing",
                "a string, a number or a list of them",
            ));
        };
        let (level, unknown) = level(fields)?;
        let subject = subject(fields)?;
        let mut metadata = fields.rest()?;
        metadata.extend(unknown.map(|level| ("level".to_owned(), level.into())));
        let (answer, choices) = (Some(answer), Vec::new());
        Ok(Self(Problem { id, question, answer, choices, level, subject, metadata }))
    }
}

struct MultipleChoice(Problem);

impl From<MultipleChoice> for Problem {
    fn from(row: MultipleChoice) -> Self {
        row.0
    }
}

impl Row for MultipleChoice {
    const NOUN: &str = "multiple-choice question";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let id = id(fields)?;
        let question = match fields.take("question") {
            // ARC as first published: the choices stand inside the question.
            Some(Value::Object(inside)) => {
                return Self::nested(id, Fields::from(inside), fields);
            }
            Some(other) => {
                Fields::from_iter([("question".to_owned(), other)]).string("question")?
            }
            None => fields.string("question")?,
        };
        let (choices, labels) = choices(fields)?;
        Self::answered(id, question, choices, &labels, fields)
    }
}

impl MultipleChoice {
    fn nested(id: String, mut inside: Fields, fields: &mut Fields) -> Result<Self, FieldError> {
        let within =
            |error: FieldError| FieldError { field: format!("question.{}", error.field), ..error };
        let question = inside.string("stem").map_err(within)?;
        let (choices, labels) = choices(&mut inside).map_err(within)?;
        Self::answered(id, question, choices, &labels, fields)
    }

    fn answered(
        id: String,
        question: String,
        choices: Vec<String>,
        labels: &[String],
        fields: &mut Fields,
    ) -> Result<Self, FieldError> {
        let name = present(fields, &["answer", "answerKey"]);
        let index = matches!(fields.peek(name), Some(Value::Number(_)));
        let key = fields.text(name)?;
        let place = key.parse().ok().filter(|&place: &usize| index && place < choices.len());
        let letter = || match key.trim().as_bytes() {
            [letter @ b'A'..=b'Z'] => {
                Some(usize::from(letter - b'A')).filter(|&place| place < choices.len())
            }
            _ => None,
        };
        let place = labels
            .iter()
            .position(|label| *label == key)
            .or(place)
            .or_else(letter)
            .or_else(|| choices.iter().position(|choice| *choice == key));
        let Some(place) = place else {
            let expected = format!("a label, index, letter or text of {} choices", choices.len());
            return Err(FieldError::new(name, format!("{key:?}"), expected));
        };
        let answer = Some(char::from(b'A' + place as u8).to_string());
        let (level, unknown) = level(fields)?;
        let subject = subject(fields)?;
        let mut metadata = fields.rest()?;
        metadata.extend(unknown.map(|level| ("level".to_owned(), level.into())));
        Ok(Self(Problem { id, question, answer, choices, level, subject, metadata }))
    }
}

/// The choices with their labels, where they have any.
fn choices(fields: &mut Fields) -> Result<(Vec<String>, Vec<String>), FieldError> {
    let (texts, labels) = match fields.take("choices") {
        Some(Value::Object(inside)) => {
            let mut inside = Fields::from(inside);
            (inside.strings("text")?, inside.strings("label")?)
        }
        Some(Value::Array(items)) if items.iter().any(Value::is_object) => {
            let (mut texts, mut labels) = (Vec::new(), Vec::new());
            for (index, item) in items.into_iter().enumerate() {
                let Value::Object(item) = item else {
                    let expected = "an object with `text` and `label`, as the others are";
                    return Err(FieldError::new(
                        format!("choices[{index}]"),
                        item.to_string(),
                        expected,
                    ));
                };
                let mut item = Fields::from(item);
                texts.push(item.text("text")?);
                labels.push(item.text("label")?);
            }
            (texts, labels)
        }
        Some(other) => {
            let mut one = Fields::from_iter([("choices".to_owned(), other)]);
            (one.strings("choices")?, Vec::new())
        }
        None => (Vec::new(), Vec::new()),
    };
    if !(2..=26).contains(&texts.len()) {
        let found = format!("{} choices", texts.len());
        return Err(FieldError::new("choices", found, "2 to 26 of them"));
    }
    Ok((texts, labels))
}

/// The first of the names that the row has, else the first.
fn present<'a>(fields: &Fields, names: &[&'a str]) -> &'a str {
    let has = |name: &&&str| fields.names().any(|field| field == **name);
    names.iter().find(has).unwrap_or(&names[0])
}

/// Empty where the row has none.
fn id(fields: &mut Fields) -> Result<String, FieldError> {
    let name = present(fields, &["unique_id", "id", "ID"]);
    Ok(fields.optional_text(name)?.unwrap_or_default())
}

/// `3` and `Level 3`; what is no number is given back.
fn level(fields: &mut Fields) -> Result<(Option<u32>, Option<String>), FieldError> {
    let Some(text) = fields.optional_text("level")? else { return Ok((None, None)) };
    let number = text.trim().trim_start_matches("Level").trim().parse().ok();
    Ok(if number.is_some() { (number, None) } else { (None, Some(text)) })
}

fn subject(fields: &mut Fields) -> Result<Option<String>, FieldError> {
    let name = present(fields, &["subject", "type"]);
    fields.optional_string(name)
}

#[cfg(test)]
mod tests {
    use super::super::test_data;
    use super::*;

    fn with<T>(rows: &str, import: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, rows).unwrap();
        import(&path)
    }

    #[test]
    fn the_public_sets_are_read_whole() {
        let count = |file: &str, import: fn(&Path) -> Result<Vec<Problem>, DataError>| {
            let path = test_data::file(file)?;
            let problems = import(&path).unwrap();
            assert!(problems.iter().all(|problem| problem.answer.is_some()), "{file}");
            let mut ids: Vec<&str> = problems.iter().map(|problem| problem.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            Some((problems.len(), ids.len()))
        };
        let expect = |rows| move |found| assert_eq!(found, (rows, rows));
        count("gsm8k/test.jsonl", |path| gsm8k_problems(path)).map(expect(1319));
        count("gsm8k/train.jsonl", |path| gsm8k_problems(path)).map(expect(7473));
        count("math500/test.jsonl", |path| math_problems(path)).map(expect(500));
        count("qwen-math-eval/svamp.jsonl", |path| question_answers(path)).map(expect(1000));
        count("qwen-math-eval/olympiadbench.jsonl", |path| question_answers(path)).map(expect(675));
        count("qwen-math-eval/mmlu_stem.jsonl", |path| multiple_choice(path)).map(expect(3018));
    }

    #[test]
    fn levels_of_math500_are_as_published() {
        let Some(path) = test_data::file("math500/test.jsonl") else { return };
        let problems = math_problems(path).unwrap();
        let of = |level| problems.iter().filter(|problem| problem.level == Some(level)).count();
        assert_eq!([1, 2, 3, 4, 5].map(of), [43, 90, 105, 128, 134]);
    }

    #[test]
    fn a_gold_solution_of_gsm8k_is_split_into_steps_and_answer() {
        let row = r#"{"question": "?", "answer": "One.\nTwo.\n#### 1,234", "split": "test"}"#;
        let problem = with(row, |path| gsm8k_problems(path)).unwrap().remove(0);
        assert_eq!((problem.answer.as_deref(), problem.level), (Some("1,234"), Some(2)));
        assert_eq!(
            (problem.id.as_str(), &problem.metadata["split"]),
            ("gsm8k-00001", &"test".into())
        );
        let error = with(r#"{"question": "?", "answer": "18"}"#, |path| gsm8k_problems(path));
        assert!(error.unwrap_err().to_string().contains("rows.jsonl:1: answer: found none"));
    }

    #[test]
    fn a_level_that_is_no_number_is_kept_beside_the_problem() {
        let row =
            r#"{"problem": "?", "solution": "\\boxed{2}", "level": "Level ?", "type": "Algebra"}"#;
        let problem = with(row, |path| math_problems(path)).unwrap().remove(0);
        assert_eq!((problem.level, &problem.metadata["level"]), (None, &"Level ?".into()));
        assert_eq!((problem.subject.as_deref(), problem.answer), (Some("Algebra"), None));
        let error = with(r#"{"problem": "?"}"#, |path| math_problems(path)).unwrap_err();
        assert!(error.to_string().contains("answer: found neither"), "{error}");
    }

    #[test]
    fn questions_go_by_several_names() {
        let rows = r#"{"question": "q", "answer": 3}
{"input": "i", "target": "x", "level": 2}
{"Body": "There are 5.", "Question": "How many?", "Answer": 5.0}
{"question": "o", "final_answer": ["1", "2"]}"#;
        let problems = with(rows, |path| question_answers(path)).unwrap();
        let read: Vec<_> = problems
            .iter()
            .map(|row| (row.question.as_str(), row.answer.as_deref().unwrap()))
            .collect();
        assert_eq!(
            read,
            [("q", "3"), ("i", "x"), ("There are 5. How many?", "5.0"), ("o", "1, 2")]
        );
        for (row, said) in [
            (r#"{"question": "q"}"#, "answer: found nothing, expected a string, a number"),
            (r#"{"question": "q", "answer": {}}"#, "answer: found an object, expected a string"),
            (r#"{"answer": "a"}"#, "question: found nothing, expected a string"),
        ] {
            let error = with(row, |path| question_answers(path)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_choice_is_named_by_label_index_letter_or_text() {
        let letter = |row: &str| {
            with(row, |path| multiple_choice(path)).map(|mut rows| rows.remove(0).answer.unwrap())
        };
        for row in [
            r#"{"question": "?", "choices": ["a", "b", "c"], "answer": 1}"#,
            r#"{"question": "?", "choices": ["a", "b", "c"], "answer": "B"}"#,
            r#"{"question": "?", "choices": ["a", "b", "c"], "answer": "b"}"#,
            r#"{"question": "?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"}"#,
            r#"{"question": {"stem": "?", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}, "answerKey": "B"}"#,
        ] {
            assert_eq!(letter(row).unwrap(), "B", "{row}");
        }
        for (row, said) in [
            (
                r#"{"question": "?", "choices": ["a", "b"], "answer": 2}"#,
                "answer: found \"2\", expected a label",
            ),
            (r#"{"question": "?", "answer": 2}"#, "choices: found 0 choices, expected 2 to 26"),
            (
                r#"{"question": "?", "choices": "ab", "answer": 2}"#,
                "choices: found \"ab\", expected a list",
            ),
        ] {
            let error = letter(row).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
