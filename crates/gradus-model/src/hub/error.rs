use std::path::PathBuf;

use gradus::run::RunError;

use super::ModelId;

/// A model cannot be had by its name.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A file of the cache cannot be read or written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Not a name.
    #[error("{given:?} is no name of a model: {reason}")]
    Name {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not in the cache, or not whole there, and not to be fetched.
    #[error(
        "model {id} is not in {}{}: {reason}; where there is a network, run `{}`",
        cache.display(), lacking(missing), id.download_command()
    )]
    Absent {
        /// The model.
        id: ModelId,
        /// The cache that was looked into.
        cache: PathBuf,
        /// What the cache lacks of a model that it has in part.
        missing: Vec<String>,
        /// Why it is not fetched.
        reason: String,
    },
    /// The hub answers that there is no such thing, or not for everybody.
    #[error("model {id}: {reason}")]
    Refused {
        /// The model.
        id: ModelId,
        /// What the hub said, and what can be done.
        reason: String,
    },
    /// What came from the hub is not what it announced.
    #[error("{file} of model {id}: {reason}")]
    Damaged {
        /// The model.
        id: ModelId,
        /// The file, or the listing.
        file: String,
        /// What was found and what was expected.
        reason: String,
    },
}

fn lacking(missing: &[String]) -> String {
    if missing.is_empty() { String::new() } else { format!(" (lacking {})", missing.join(", ")) }
}
