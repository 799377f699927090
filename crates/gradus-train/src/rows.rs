use gradus::data::{FieldError, Fields, Row, Span};
use serde::Serialize;

/// A demonstration: what the generator is shown and what it should write.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct PromptCompletion {
    /// The prompt, on which there is no loss.
    pub prompt: String,
    /// The completion, without an end-of-sequence token.
    pub completion: String,
}

impl Row for PromptCompletion {
    const NOUN: &str = "prompt with its completion";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let row =
            Self { prompt: fields.string("prompt")?, completion: fields.string("completion")? };
        ignore_rest(fields)?;
        Ok(row)
    }
}

/// A completion whose steps, outcome or both are labelled: what evaluators learn from.
///
/// It is read also from TRL's stepwise supervision (`prompt`, `completions` as a
/// list of steps, `labels`), whose steps are joined by `separator`, a newline
/// unless the row says otherwise.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct StepwiseRow {
    /// Id of the problem; it groups rows for balance, duplicates and AUC within a problem.
    pub problem: String,
    /// Index of the sample among those of the problem.
    pub sample: u32,
    /// The problem as the evaluator is shown it.
    pub prompt: String,
    /// The completion, without an end-of-sequence token.
    pub completion: String,
    /// Byte spans of the steps in `completion`, in order.
    pub steps: Vec<Span>,
    /// Per step: does it follow from the step before it as written. Empty where unknown.
    pub labels: Vec<bool>,
    /// Is the final answer right; absent where unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
}

impl StepwiseRow {
    /// How errors call the row.
    pub(crate) fn name(&self) -> String {
        format!("problem {:?} sample {}", self.problem, self.sample)
    }

    /// No step is labelled wrong.
    pub(crate) fn sound(&self) -> bool {
        self.labels.iter().all(|&label| label)
    }
}

impl Row for StepwiseRow {
    const NOUN: &str = "labelled completion";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let prompt = fields.string("prompt")?;
        let (completion, steps) = if fields.names().any(|name| name == "completions") {
            let separator = fields.optional_string("separator")?.unwrap_or_else(|| "\n".into());
            join(&fields.strings("completions")?, &separator)
        } else {
            let completion = fields.string("completion")?;
            let steps = fields.spans("steps", &completion)?;
            (completion, steps)
        };
        let row = Self {
            problem: fields.optional_text("problem")?.unwrap_or_else(|| prompt.clone()),
            sample: fields.optional_u32("sample")?.unwrap_or(0),
            labels: labels(fields)?,
            correct: fields.optional_bool("correct")?,
            prompt,
            completion,
            steps,
        };
        let (steps, labels) = (row.steps.len(), row.labels.len());
        if labels != 0 && labels != steps {
            let expected = format!("one label for each of the {steps} steps");
            return Err(FieldError::new("labels", format!("{labels} labels"), expected));
        }
        ignore_rest(fields)?;
        Ok(row)
    }
}

/// Training rows are read to be learned from and never written back, so that
/// columns of other uses may stand beside.
fn ignore_rest(fields: &mut Fields) -> Result<(), FieldError> {
    fields.rest().map(|_| ())
}

/// One text with the spans of its steps; a separator belongs to the step that it ends.
fn join(parts: &[String], separator: &str) -> (String, Vec<Span>) {
    let mut text = String::new();
    let mut steps = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let start = text.len();
        text.push_str(part);
        if index + 1 < parts.len() {
            text.push_str(separator);
        }
        steps.push(Span { start, end: text.len() });
    }
    (text, steps)
}

fn labels(fields: &mut Fields) -> Result<Vec<bool>, FieldError> {
    let expected = "a list of true or false";
    let Some(value) = fields.take("labels") else { return Ok(Vec::new()) };
    let wrong = |found: String| FieldError::new("labels", found, expected);
    let items = value.as_array().ok_or_else(|| wrong(value.to_string()))?;
    items.iter().map(|item| item.as_bool().ok_or_else(|| wrong(item.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StepwiseRow, FieldError> {
        StepwiseRow::from_fields(&mut serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_labelled_completion_reads_back_as_written() {
        let row = StepwiseRow {
            problem: "p1".into(),
            sample: 2,
            prompt: "1 + 1\n".into(),
            completion: "2\n# 2".into(),
            steps: vec![Span { start: 0, end: 2 }, Span { start: 2, end: 5 }],
            labels: vec![true, false],
            correct: Some(true),
        };
        assert_eq!(read(&gradus::data::to_line(&row)).unwrap(), row);
    }

    #[test]
    fn stepwise_supervision_of_trl_is_joined_at_newlines_or_as_it_says() {
        let trl = r#"{"prompt": "q", "completions": ["a", "bc"], "labels": [true, false]"#;
        let row = read(&format!("{trl}}}")).unwrap();
        assert_eq!((row.problem.as_str(), row.completion.as_str()), ("q", "a\nbc"));
        assert_eq!(row.steps, [Span { start: 0, end: 2 }, Span { start: 2, end: 4 }]);
        assert_eq!(row.labels, [true, false]);
        let row = read(&format!(r#"{trl}, "separator": ""}}"#)).unwrap();
        assert_eq!(row.completion, "abc");
    }

    #[test]
    fn columns_of_other_uses_are_passed_over() {
        let text = r#"{"prompt": "q", "completion": "a", "source": "b", "metadata": {"level": 2}}"#;
        let row = PromptCompletion::from_fields(&mut serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!((row.prompt.as_str(), row.completion.as_str()), ("q", "a"));
        assert_eq!(read(text).unwrap().labels, [false; 0]);
    }

    #[test]
    fn labels_that_are_no_booleans_or_too_few_are_errors() {
        let error = |labels: &str| {
            let text =
                format!(r#"{{"prompt": "q", "completions": ["a", "b"], "labels": {labels}}}"#);
            read(&text).unwrap_err()
        };
        assert_eq!(error("[1, 0]").found, "1");
        assert_eq!(error("[true, null]").found, "null");
        assert_eq!(error("[true]").expected, "one label for each of the 2 steps");
    }
}
