//! py-irt's form: `{"subject_id": "m1", "responses": {"q1": 1, "q2": 0}}` a line.

use std::path::Path;

use super::long::number;
use super::{Builder, Form, Reading, Responses, ResponsesError};
use crate::data::{self, FieldError, Fields, Row};

pub(super) const FORM: Form =
    Form { name: "py-irt", summary: "JSON Lines with subject_id and responses", read };

struct Subject {
    id: String,
    responses: Vec<(String, f64)>,
}

impl Row for Subject {
    const NOUN: &str = "subject";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let id = fields.text("subject_id")?;
        let Some(serde_json::Value::Object(object)) = fields.take("responses") else {
            return Err(FieldError::new("responses", "no object", "an object of item: score"));
        };
        let mut responses = Vec::with_capacity(object.len());
        for (item, value) in object {
            if value.is_null() {
                continue;
            }
            let Some(score) = number(&value) else {
                let field = format!("responses.{item}");
                return Err(FieldError::new(field, value.to_string(), "a number or null"));
            };
            responses.push((item, score));
        }
        fields.rest()?;
        Ok(Self { id, responses })
    }
}

/// A subject may stand on several lines.
fn read(path: &Path, reading: &Reading) -> Result<Responses, ResponsesError> {
    let mut builder = Builder::default();
    for subject in data::read::<Subject>(path)? {
        let subject = subject?;
        for (item, score) in &subject.responses {
            builder.push(&subject.id, item, *score);
        }
    }
    builder.finish(path, reading.duplicates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_may_answer_different_items() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let text = "{\"subject_id\": \"m1\", \"responses\": {\"q1\": 1, \"q2\": 0}}\n\
                    {\"subject_id\": \"m2\", \"responses\": {\"q2\": 1, \"q3\": null}}\n";
        std::fs::write(&path, text).unwrap();
        let responses = read(&path, &Reading::default()).unwrap();
        assert_eq!((responses.len(), responses.items()), (3, &["q1".into(), "q2".into()][..]));
        assert_eq!(responses.score(1, 1), Some(1.0));
    }
}
