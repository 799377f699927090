use std::error::Error;
use std::fmt::Display;
use std::path::Path;

use gradus::data::DataError;
use gradus::difficulty::irt::IrtError;
use gradus::difficulty::ratings::RatingError;
use gradus::difficulty::responses::ResponsesError;
use gradus::difficulty::{CutError, LabelError};
use gradus::lm::{LmError, ModelNameError};
use gradus::prompt::PromptError;
use gradus::run::{ErrorKind, RecipeError, RunError, resume_line};
use gradus::search::SearchError;
use gradus::tasks::TaskError;
use gradus_client::ConnectError;
use gradus_model::ModelError;
use gradus_model::hub::HubError;
use gradus_studies::StudyError;
use gradus_train::TrainError;

use crate::args;
use crate::exit_code::ExitCode;

/// Why a command ended without its answer: one sentence, its causes, and what to try.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: ExitCode,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    /// Whether going on can end otherwise: after an interruption, or an error of the machine.
    /// Wrong configs and rows are wrong again.
    pub(crate) passing: bool,
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
        Self { exit, message: message.to_string(), causes: Vec::new(), hint: None, passing: false }
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

    /// Of work that had begun in `dir`: with the line that goes on with it, where that can help.
    #[must_use]
    pub(crate) fn of_work_in(self, dir: &Path) -> Self {
        if !self.passing {
            return self;
        }
        self.hint(format!("to go on: {}", resume_line(args::given(), dir)))
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
        Self { passing: run_passes(&error), ..Self::of(run_exit(&error), &error) }
    }
}

impl From<ModelNameError> for Failure {
    fn from(error: ModelNameError) -> Self {
        Self::of(ExitCode::Usage, &error)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        let exit = match error {
            PromptError::Demonstration { .. } | PromptError::TooFew { .. } => ExitCode::Rows,
            _ => ExitCode::Usage,
        };
        Self::of(exit, &error)
    }
}

impl From<LmError> for Failure {
    fn from(error: LmError) -> Self {
        StudyError::from(error).into()
    }
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        Self::of(search_exit(&error), &error)
    }
}

impl From<ResponsesError> for Failure {
    fn from(error: ResponsesError) -> Self {
        Self::of(responses_exit(&error), &error)
    }
}

impl From<IrtError> for Failure {
    fn from(error: IrtError) -> Self {
        Self::of(irt_exit(&error), &error)
    }
}

impl From<RatingError> for Failure {
    fn from(error: RatingError) -> Self {
        Self::of(rating_exit(&error), &error)
    }
}

impl From<LabelError> for Failure {
    fn from(error: LabelError) -> Self {
        Self::of(label_exit(&error), &error)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self { passing: model_passes(&error), ..Self::of(model_exit(&error), &error) }
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::of(hub_exit(&error), &error)
    }
}

fn hub_exit(error: &HubError) -> ExitCode {
    match error {
        HubError::Run(error) => run_exit(error),
        HubError::Name { .. } => ExitCode::Usage,
        HubError::Absent { .. } | HubError::Refused { .. } | HubError::Damaged { .. } => {
            ExitCode::Unavailable
        }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Self { passing: train_passes(&error), ..Self::of(train_exit(&error), &error) }
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        let passing = match &error {
            StudyError::Run(error) => run_passes(error),
            StudyError::Train(error) => train_passes(error),
            StudyError::Model(error) => model_passes(error),
            StudyError::Data(DataError::Io { .. })
            | StudyError::Lm(LmError::Unavailable { .. }) => true,
            _ => false,
        };
        Self { passing, ..Self::of(study_exit(&error), &error) }
    }
}

fn run_passes(error: &RunError) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Io)
}

fn model_passes(error: &ModelError) -> bool {
    matches!(error, ModelError::Run(error) if run_passes(error))
}

fn train_passes(error: &TrainError) -> bool {
    matches!(error, TrainError::Run(error) if run_passes(error))
}

fn run_exit(error: &RunError) -> ExitCode {
    if let RunError::Data(error) = error {
        return data_exit(error);
    }
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

fn model_exit(error: &ModelError) -> ExitCode {
    match error {
        ModelError::Run(RunError::Io { action: "read", .. })
        | ModelError::Malformed { .. }
        | ModelError::Unsupported { .. }
        | ModelError::MissingTensor { .. }
        | ModelError::Shape { .. }
        | ModelError::Tensor(_) => ExitCode::Unavailable,
        ModelError::Run(error) => run_exit(error),
        ModelError::Config { .. } => ExitCode::Usage,
        ModelError::Tokenize(_) | ModelError::Example { .. } => ExitCode::Rows,
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

fn rating_exit(error: &RatingError) -> ExitCode {
    match error {
        RatingError::Unknown { .. }
        | RatingError::Parameters { .. }
        | RatingError::NothingKnown { .. }
        | RatingError::NotConverged { .. } => ExitCode::Usage,
        RatingError::Data(error) => data_exit(error),
        RatingError::NoGames | RatingError::Score { .. } | RatingError::Disconnected { .. } => {
            ExitCode::Rows
        }
    }
}

fn responses_exit(error: &ResponsesError) -> ExitCode {
    match error {
        ResponsesError::Data(error) => data_exit(error),
        ResponsesError::UnknownForm { .. } => ExitCode::Usage,
        _ => ExitCode::Rows,
    }
}

fn irt_exit(error: &IrtError) -> ExitCode {
    match error {
        IrtError::UnknownModel { .. } | IrtError::Setting { .. } => ExitCode::Usage,
        _ => ExitCode::Rows,
    }
}

fn label_exit(error: &LabelError) -> ExitCode {
    match error {
        LabelError::Cut(CutError::Bounds { .. }) => ExitCode::Usage,
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
        StudyError::Responses(error) => responses_exit(error),
        StudyError::Irt(error) => irt_exit(error),
        StudyError::Label(error) => label_exit(error),
        StudyError::Json(_) => ExitCode::Bug,
        StudyError::Config(_)
        | StudyError::Task(_)
        | StudyError::Symbols(_)
        | StudyError::Server(ConnectError::Config(_)) => ExitCode::Usage,
        StudyError::Model(error) => model_exit(error),
        StudyError::Hub(error) => hub_exit(error),
        StudyError::Lm(_) | StudyError::Server(ConnectError::Server(_)) => ExitCode::Unavailable,
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
    fn a_full_disk_is_2_and_passes_wherever_it_is_met() {
        let full = || {
            let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
            RunError::io("write", Path::new("model/model.safetensors"))(error)
        };
        let met: [Failure; 5] = [
            full().into(),
            ModelError::from(full()).into(),
            TrainError::from(full()).into(),
            StudyError::from(ModelError::from(full())).into(),
            StudyError::from(TrainError::from(full())).into(),
        ];
        for failure in met {
            assert_eq!((failure.exit, failure.passing), (ExitCode::Usage, true), "{failure:?}");
        }
    }

    #[test]
    fn sizes_that_make_no_model_are_2_and_a_missing_input_is_3() {
        let sizes = || ModelError::Config { reason: "hidden_size is 0".into() };
        assert_eq!(Failure::from(sizes()).exit, ExitCode::Usage);
        assert_eq!(Failure::from(StudyError::from(sizes())).exit, ExitCode::Usage);
        let absent = gradus::data::hash_file("absent.jsonl").unwrap_err();
        assert_eq!(Failure::from(StudyError::from(RunError::from(absent))).exit, ExitCode::Rows);
        let rows = TrainError::Rows { rows: 9, reason: "hold none".into() };
        assert!(!Failure::from(StudyError::from(rows)).passing);
    }

    #[test]
    fn a_cause_is_told_once() {
        let causes = |told| Failure::of(ExitCode::Rows, &Outer { told, source: Inner }).causes;
        assert_eq!(causes(false), ["no such file"]);
        assert!(causes(true).is_empty());
    }
}
