use serde::Serialize;

use super::Metadata;

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
