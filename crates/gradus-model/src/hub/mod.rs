//! Models by name: the cache that all Hugging Face tools share, and the hub behind it.
//!
//! The cache is looked into first; with the feature `hub` what is missing is fetched
//! into it, in the layout of `huggingface_hub`, so that either finds what the other left.

mod cache;
mod error;
#[cfg(feature = "hub")]
mod fetch;
#[cfg(test)]
#[cfg(feature = "hub")]
mod fetch_tests;
mod id;
#[cfg(feature = "hub")]
mod listing;

use std::fmt;
use std::path::PathBuf;

use gradus::run::Monitor;

pub use cache::CachedModel;
pub use error::HubError;
pub use id::ModelId;

/// Where models are looked for, and how the hub is reached.
#[derive(Clone)]
pub struct Hub {
    /// The folder with `models--org--name`.
    pub cache: PathBuf,
    /// Not one request is made.
    pub offline: bool,
    /// The hub, without a slash at the end.
    pub endpoint: String,
    /// Shown to the hub, and to nobody else.
    pub token: Option<String>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "kept to itself"))
            .finish()
    }
}

impl Hub {
    /// As the environment says: `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE`, `HF_ENDPOINT`
    /// and `HF_TOKEN`, under the rules of `huggingface_hub`.
    ///
    /// Without `HF_TOKEN` the token is the one that `hf auth login` left.
    pub fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let folder = |name: &str| text(name).map(PathBuf::from);
        let home = folder("HF_HOME").unwrap_or_else(|| {
            let caches =
                folder("XDG_CACHE_HOME").or_else(|| Some(std::env::home_dir()?.join(".cache")));
            caches.unwrap_or_default().join("huggingface")
        });
        let token = text("HF_TOKEN").or_else(|| std::fs::read_to_string(home.join("token")).ok());
        let truth = |value: String| {
            matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self {
            cache: folder("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            offline: text("HF_HUB_OFFLINE").is_some_and(truth),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
        }
    }

    /// The folder of a model: out of the cache where it is whole there, else fetched.
    ///
    /// A branch is taken from the cache as it was when it was fetched, so that a run is
    /// repeatable; [`Hub::fetch`] asks the hub whether it has moved.
    pub fn resolve(&self, id: &ModelId, monitor: &Monitor) -> Result<PathBuf, HubError> {
        match self.cached(id)? {
            Some(model) if model.missing.is_empty() => Ok(model.folder),
            _ => self.fetch(id, monitor),
        }
    }

    /// Brings the cache to what the hub has, and gives the folder of the model.
    ///
    /// Every file is a stage of `monitor`; an interruption leaves what has come, and the next
    /// attempt goes on from there.
    #[cfg(feature = "hub")]
    pub fn fetch(&self, id: &ModelId, monitor: &Monitor) -> Result<PathBuf, HubError> {
        if self.offline {
            return Err(self.absent(id, "HF_HUB_OFFLINE is set"));
        }
        fetch::fetch(self, id, monitor)
    }

    /// Cannot fetch: this program was built without the feature `hub`.
    #[cfg(not(feature = "hub"))]
    pub fn fetch(&self, id: &ModelId, _monitor: &Monitor) -> Result<PathBuf, HubError> {
        Err(self.absent(id, "this program was built without the feature hub"))
    }

    fn absent(&self, id: &ModelId, reason: impl Into<String>) -> HubError {
        let missing = match self.cached(id) {
            Ok(Some(model)) => model.missing,
            _ => Vec::new(),
        };
        HubError::Absent {
            id: id.clone(),
            cache: self.cache.clone(),
            missing,
            reason: reason.into(),
        }
    }
}
