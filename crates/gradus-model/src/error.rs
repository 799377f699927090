use std::path::PathBuf;

use gradus::run::RunError;

/// A local model cannot be made, read, written or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file of a checkpoint is not what its name says.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is right and of a kind that is not supported.
    #[error("{}: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not supported, by its name, and what is.
        what: String,
    },
    /// A checkpoint lacks a tensor.
    #[error("{}: tensor {tensor} is missing, expected with shape {expected:?}", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The shape that the config asks for.
        expected: Vec<usize>,
    },
    /// A checkpoint of another shape.
    #[error("{}: tensor {tensor} has shape {found:?}, expected {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that the config asks for.
        expected: Vec<usize>,
    },
    /// The sizes make no decoder.
    #[error("model config: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// A text cannot be written in the model's vocabulary.
    #[error(transparent)]
    Tokenize(#[from] crate::TokenizeError),
    /// A sequence is not one that the model can take.
    #[error("example {index}: {reason}")]
    Example {
        /// Its index in the micro-batch.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The tensor library failed.
    #[error("tensor computation: {0}")]
    Tensor(#[from] candle_core::Error),
}
