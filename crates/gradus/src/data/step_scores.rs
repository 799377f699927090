use serde::Serialize;

use super::{FieldError, Fields, Metadata, Row};

/// An evaluator's judgement of one completion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepScores {
    /// Id of the problem.
    pub problem: String,
    /// Index of the sample.
    pub sample: u32,
    /// One probability in 0..=1 per step, or a single one for the whole.
    pub scores: Vec<f64>,
    /// Name of the evaluator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluator: Option<String>,
    /// Whatever else the row carried.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl Row for StepScores {
    const NOUN: &str = "row of step scores";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let scores = fields.f64s("scores")?;
        for (index, score) in scores.iter().enumerate() {
            if !(0.0..=1.0).contains(score) {
                let field = format!("scores[{index}]");
                return Err(FieldError::new(field, score.to_string(), "a probability in 0..=1"));
            }
        }
        Ok(Self {
            problem: fields.text("problem")?,
            sample: fields.u32("sample")?,
            scores,
            evaluator: fields.optional_string("evaluator")?,
            metadata: fields.rest()?,
        })
    }
}
