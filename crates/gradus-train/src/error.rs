use std::fmt;
use std::path::{Path, PathBuf};

use gradus::run::RunError;
use gradus_model::{LocalModel, ModelError};

/// What can go wrong in a training; each displays as one sentence fragment.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A value of the config is out of range.
    #[error("{field} is out of range, expected {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A row cannot be trained on.
    #[error("{row}: {reason}")]
    Row {
        /// Its problem and sample where it has them, else "row" and its number from 1.
        row: String,
        /// Why not.
        reason: String,
    },
    /// The rows together cannot be trained on.
    #[error("the {rows} rows {reason}")]
    Rows {
        /// How many there are.
        rows: usize,
        /// What is wrong with them, as "hold no supervised token".
        reason: String,
    },
    /// The model lacks what the trainer needs, or its computation failed.
    #[error("model {model}: {reason}")]
    Model {
        /// Name of the model.
        model: String,
        /// What happened.
        reason: String,
    },
    /// The loss or the gradients are no longer finite.
    #[error(
        "the loss is {loss} and the gradient norm {grad_norm} at step {step}; a lower \
        learning_rate or max_grad_norm may help"
    )]
    Diverged {
        /// The step, from 1.
        step: u64,
        /// The loss.
        loss: f64,
        /// The norm of the gradients.
        grad_norm: f64,
    },
    /// A checkpoint cannot be resumed from.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Interrupted, or the run directory failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl TrainError {
    pub(crate) fn model(model: &LocalModel, error: ModelError) -> Self {
        match error {
            // The disk's fault, not the model's.
            ModelError::Run(error) => Self::Run(error),
            error => Self::Model { model: model.name.clone(), reason: error.to_string() },
        }
    }

    pub(crate) fn checkpoint(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Checkpoint { path: path.to_owned(), reason: reason.to_string() }
    }
}
