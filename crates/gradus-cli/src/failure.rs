use std::error::Error;
use std::fmt::Display;

use gradus::data::DataError;
use gradus::run::{ErrorKind, RecipeError, RunError};
use gradus::search::SearchError;
use gradus::tasks::TaskError;
use gradus_model::ModelError;
use gradus_studies::StudyError;
use gradus_train::TrainError;

use crate::exit_code::ExitCode;

/// Why a command ended without its answer: one sentence, its causes, and what to try.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: ExitCode,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The command line or a recipe is wrong.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// Input rows are wrong or missing.
    pub(crate) fn rows(message: impl Display) -> Self {
        Self::new(ExitCode::Rows, message)
    }

    pub(crate) fn new(exit: ExitCode, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), causes: Vec::new(), hint: None }
    }

    /// An error of a library with the chain of its causes; what a message says already is left out.
    pub(crate) fn of(exit: ExitCode, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error);
        let mut cause = error.source();
        let mut said = failure.message.clone();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                said.clone_from(&text);
                failure.causes.push(text);
            }
            cause = error.source();
        }
        failure
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl From<RecipeError> for Failure {
    fn from(error: RecipeError) -> Self {
        Self::of(ExitCode::Usage, &error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::of(data_exit(&error), &error)
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self::of(ExitCode::Usage, &error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::of(run_exit(&error), &error)
    }
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        Self::of(search_exit(&error), &error)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::of(ExitCode::Unavailable, &error)
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Self::of(train_exit(&error), &error)
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        Self::of(study_exit(&error), &error)
    }
}

fn run_exit(error: &RunError) -> ExitCode {
    match error.kind() {
        ErrorKind::Usage | ErrorKind::Locked | ErrorKind::Io => ExitCode::Usage,
        ErrorKind::Rows => ExitCode::Rows,
        ErrorKind::Interrupted => ExitCode::Interrupted,
        ErrorKind::Internal => ExitCode::Bug,
    }
}

fn data_exit(error: &DataError) -> ExitCode {
    match error {
        DataError::Row(_)
        | DataError::CutShort(_)
        | DataError::Io { action: "open" | "read", .. } => ExitCode::Rows,
        DataError::Io { .. } => ExitCode::Usage,
    }
}

fn train_exit(error: &TrainError) -> ExitCode {
    match error {
        TrainError::Run(error) => run_exit(error),
        TrainError::Config { .. } | TrainError::Checkpoint { .. } | TrainError::Diverged { .. } => {
            ExitCode::Usage
        }
        TrainError::Row { .. } | TrainError::Rows { .. } => ExitCode::Rows,
        TrainError::Model { .. } => ExitCode::Unavailable,
    }
}

fn search_exit(error: &SearchError) -> ExitCode {
    match error {
        SearchError::Unknown { .. } | SearchError::Setting { .. } | SearchError::TooFew { .. } => {
            ExitCode::Usage
        }
        _ => ExitCode::Rows,
    }
}

fn study_exit(error: &StudyError) -> ExitCode {
    match error {
        StudyError::Run(error) => run_exit(error),
        StudyError::Data(error) => data_exit(error),
        StudyError::Train(error) => train_exit(error),
        StudyError::Row(_) | StudyError::Results(_) => ExitCode::Rows,
        StudyError::Search(error) => search_exit(error),
        StudyError::Json(_) => ExitCode::Bug,
        StudyError::Config(_) | StudyError::Task(_) | StudyError::Symbols(_) => ExitCode::Usage,
        StudyError::Lm(_) | StudyError::Model(_) => ExitCode::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read rows.jsonl{}", if *.told { ": no such file" } else { "" })]
    struct Outer {
        told: bool,
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no such file")]
    struct Inner;

    #[test]
    fn a_cause_is_told_once() {
        let causes = |told| Failure::of(ExitCode::Rows, &Outer { told, source: Inner }).causes;
        assert_eq!(causes(false), ["no such file"]);
        assert!(causes(true).is_empty());
    }
}
