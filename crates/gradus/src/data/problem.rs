use serde::Serialize;

use super::{FieldError, Fields, Metadata, Row};

/// One question with what is needed to check an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Problem {
    /// Unique within its set; completions, scores and verdicts refer to it.
    pub id: String,
    /// The question as text, without any prompt around it.
    pub question: String,
    /// The gold answer; absent where nobody could label it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The options of a multiple-choice question, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Difficulty level, small is easy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// Subject or category, as its source names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whatever else the row carried.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl Row for Problem {
    const NOUN: &str = "problem";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self {
            id: fields.text("id")?,
            question: fields.string("question")?,
            answer: fields.optional_text("answer")?,
            choices: fields.strings("choices")?,
            level: fields.optional_u32("level")?,
            subject: fields.optional_string("subject")?,
            metadata: fields.rest()?,
        })
    }
}
