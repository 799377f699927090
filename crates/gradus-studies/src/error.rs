use gradus::data::DataError;
use gradus::difficulty::LabelError;
use gradus::difficulty::irt::IrtError;
use gradus::difficulty::responses::ResponsesError;
use gradus::lm::{LmError, RowError};
use gradus::run::RunError;
use gradus::search::SearchError;
use gradus::tasks::TaskError;
use gradus_client::ConnectError;
use gradus_model::hub::HubError;
use gradus_model::{ModelError, SymbolError};
use gradus_train::TrainError;

/// Why a study ended early.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The run directory, the stage store or the user ended it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Input rows could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Responses could not be read.
    #[error(transparent)]
    Responses(#[from] ResponsesError),
    /// An item response model could not be fitted.
    #[error(transparent)]
    Irt(#[from] IrtError),
    /// Difficulties make no labels.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A model's call failed.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// A model of the hub cannot be had.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A server cannot be used.
    #[error(transparent)]
    Server(#[from] ConnectError),
    /// A row failed that the study cannot do without.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The family's symbols make no tokenizer.
    #[error(transparent)]
    Symbols(#[from] SymbolError),
    /// Samples could not be compared.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A local model could not be made, read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A trainer failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The task family cannot do what was asked.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A file that the study wrote itself does not read back.
    #[error("a file of the study does not read back: {0}")]
    Json(#[from] serde_json::Error),
    /// The config asks for something that cannot be.
    #[error("{0}")]
    Config(String),
    /// `results.json` or `run.json` of an old run lacks what the page needs.
    #[error("the results cannot be shown: {0}")]
    Results(String),
}
