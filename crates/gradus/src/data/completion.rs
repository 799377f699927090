use serde::Serialize;

use super::{FieldError, Fields, Metadata, Row};

/// A half-open range of bytes in a completion's text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Why sampling ended, with the names that OpenAI-compatible servers use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// An end-of-sequence token or a stop string.
    Stop,
    /// The token limit.
    Length,
}

/// One sampled answer to a problem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completion {
    /// Id of the problem.
    pub problem: String,
    /// Index of the sample among those of the same problem, from 0.
    pub sample: u32,
    /// The text, without the prompt.
    pub text: String,
    /// Byte spans of the steps in `text`, in order; the answer block, where there is one, is the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Span>,
    /// Sum of the natural-log probabilities of the sampled tokens under the untempered model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_prob: Option<f64>,
    /// Why sampling ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    /// Name of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Seed of the run that sampled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whatever else the row carried.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl Row for Completion {
    const NOUN: &str = "completion";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let text = fields.string("text")?;
        Ok(Self {
            problem: fields.text("problem")?,
            sample: fields.u32("sample")?,
            steps: fields.spans("steps", &text)?,
            text,
            log_prob: fields.optional_f64("log_prob")?,
            finish_reason: fields.finish_reason("finish_reason")?,
            model: fields.optional_string("model")?,
            seed: fields.optional_u64("seed")?,
            metadata: fields.rest()?,
        })
    }
}
