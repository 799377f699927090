use serde::{Deserialize, Serialize};

/// What a training did. It holds no time, so that equal work gives equal bytes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Summary {
    /// Sequences trained on; an evaluator of steps and outcomes may make two of a row.
    pub examples: usize,
    /// Rows left out because they exceed `max_length`.
    pub rows_too_long: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Tokens seen, over all epochs.
    pub num_tokens: u64,
    /// Share of the tokens at which a generator learns the next token, or an evaluator is judged.
    pub supervised_share: f64,
    /// Share of the tokens with an auxiliary next-token loss; none for a generator.
    pub auxiliary_share: Option<f64>,
    /// Share of an evaluator's labels that say right; none for a generator.
    pub positive_share: Option<f64>,
    /// Mean loss over the last 50 steps.
    pub final_loss: f64,
    /// Of it, the evaluator's binary cross-entropy; none for a generator.
    pub final_value_loss: Option<f64>,
    /// Of it, the next-token cross-entropy, before its weight.
    pub final_lm_loss: Option<f64>,
    /// What a reader should know before trusting the model.
    pub warnings: Vec<String>,
}
