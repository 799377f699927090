use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gradus::lm::LmError;
use gradus::run::Monitor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::budget::{Ledger, Tokens, Usage};
use super::cache::{Cache, Name};
use super::call::{self, Message, NoAnswer};
use super::config::Config;
use super::http::Http;
use super::key::Key;
use super::probe::Probe;
use super::wire;

/// Most attempts of a question about the server itself: a wrong address is said soon.
const PROBE_ATTEMPTS: u32 = 3;
/// Most names that an error lists.
const NAMES_SHOWN: usize = 10;

/// A model behind an OpenAI-compatible server.
pub struct Server {
    pub(crate) config: Config,
    pub(crate) http: Http,
    pub(crate) ledger: Ledger,
    pub(crate) cache: Option<Cache>,
    pub(crate) monitor: Monitor,
    pub(crate) counts: Counts,
    probe: Mutex<Probe>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cached: AtomicU64,
    pub(crate) given_up_in_a_row: AtomicU32,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Server");
        shown.field("model", &self.config.model).field("http", &self.http).finish_non_exhaustive()
    }
}

/// A server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The config is wrong.
    #[error("server config: {0}")]
    Config(String),
    /// The server is not there, or has not the model.
    #[error(transparent)]
    Server(#[from] LmError),
}

impl Server {
    /// Checks the config and asks the server whether it has the model.
    ///
    /// The key is read from `OPENAI_API_KEY`, and the address from `OPENAI_BASE_URL` where
    /// the config has none. Progress notes go to `monitor`, whose cancelling ends every call
    /// at once and without an error, as if the sink had stopped it.
    pub fn connect(config: Config, monitor: &Monitor) -> Result<Self, ConnectError> {
        if let Some(fault) = config.fault() {
            return Err(ConnectError::Config(fault));
        }
        let key = Key::from_environment().map_err(ConnectError::Config)?;
        let http = Http::new(&config, key).map_err(ConnectError::Config)?;
        let cache = config.cache.as_deref().map(Cache::open).transpose();
        let server = Self {
            ledger: Ledger::new(config.budget, config.prices.get(&config.model).copied()),
            cache: cache.map_err(ConnectError::Config)?,
            monitor: monitor.clone(),
            counts: Counts::default(),
            probe: Mutex::default(),
            http,
            config,
        };
        server.check_model()?;
        Ok(server)
    }

    /// What was sent, and what it took.
    pub fn usage(&self) -> Usage {
        Usage {
            requests: self.counts.requests.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            cached: self.counts.cached.load(Ordering::Relaxed),
            ..self.ledger.usage()
        }
    }

    fn check_model(&self) -> Result<(), LmError> {
        #[derive(Deserialize)]
        struct Models {
            data: Vec<Model>,
        }
        #[derive(Deserialize)]
        struct Model {
            id: String,
            owned_by: Option<String>,
        }
        let read = |bytes: &[u8]| wire::json::<Models>(bytes).map(|models| (models, None));
        let models = match self.question("models", None, Tokens::default(), read) {
            Ok(models) => models.data,
            // Some gateways offer sampling alone.
            Err(Answerless::Refused(reason)) => {
                self.monitor.note(format!(
                    "{}: the names of its models cannot be read, so {:?} is not checked ({reason})",
                    self.http.endpoint("models"),
                    self.config.model
                ));
                return Ok(());
            }
            Err(Answerless::Ended(error)) => return Err(error),
        };
        let wanted = &self.config.model;
        if let Some(model) = models.iter().find(|model| model.id == *wanted) {
            let llama_cpp = model.owned_by.as_deref() == Some("llamacpp");
            self.probe().llama_cpp = llama_cpp;
            return Ok(());
        }
        let near = models
            .iter()
            .map(|model| (strsim::jaro_winkler(&model.id, wanted), &model.id))
            .max_by(|one, other| one.0.total_cmp(&other.0));
        let mut names: Vec<&str> =
            models.iter().take(NAMES_SHOWN).map(|model| model.id.as_str()).collect();
        if models.len() > NAMES_SHOWN {
            names.push("...");
        }
        let nearest = near.map_or_else(String::new, |(_, name)| {
            format!("; the nearest is {:?}", self.http.quote(name.as_bytes()))
        });
        Err(self.unavailable(format!(
            "the server has no model of that name{nearest} (it lists: {})",
            self.http.quote(names.join(", ").as_bytes())
        )))
    }

    pub(crate) fn probe(&self) -> MutexGuard<'_, Probe> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One question about the server itself, in few attempts and past the cache.
    pub(crate) fn question<T: Send>(
        &self,
        path: &str,
        body: Option<&Map<String, Value>>,
        worst: Tokens,
        read: impl Fn(&[u8]) -> Result<(T, Option<Tokens>), String> + Sync,
    ) -> Result<T, Answerless> {
        let message = Message {
            url: self.http.endpoint(path),
            body: body.map(to_bytes),
            worst,
            attempts: self.config.attempts.min(PROBE_ATTEMPTS),
            probe: true,
        };
        let mut answer = None;
        let work = |message: &Message, call: &call::Call<'_>, emit: &mut call::Emit<'_, _>| {
            let answer = match call.exchange(message, &read) {
                Err(NoAnswer::Row(reason)) => Err(reason),
                Err(NoAnswer::GivenUp(reason)) => {
                    let reason = format!("{}: {reason}", message.url);
                    return Err(NoAnswer::Gone(self.unavailable(reason)));
                }
                other => Ok(other?),
            };
            _ = emit(answer);
            Ok(())
        };
        let ended = call::each(self, &[message], work, |value| {
            answer = Some(value);
            ControlFlow::Continue(())
        });
        match (answer, ended) {
            (Some(Ok(answer)), _) => Ok(answer),
            (Some(Err(reason)), _) => Err(Answerless::Refused(reason)),
            (None, Err(error)) => Err(Answerless::Ended(error)),
            (None, Ok(())) => Err(Answerless::Ended(self.failed("interrupted".into()))),
        }
    }

    /// What the cache has under that name.
    pub(crate) fn cached<T: DeserializeOwned>(&self, name: &Name) -> Option<T> {
        let answer = self.cache.as_ref()?.get(name)?;
        self.counts.cached.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }

    /// A body with the model's name and what the config adds.
    pub(crate) fn body(&self) -> Map<String, Value> {
        let mut body = self.config.extra_body.clone();
        body.insert("model".into(), self.config.model.clone().into());
        body
    }

    pub(crate) fn label(&self) -> String {
        format!("openai/{}", self.config.model)
    }

    pub(crate) fn unavailable(&self, reason: String) -> LmError {
        LmError::Unavailable { model: self.label(), reason }
    }

    pub(crate) fn failed(&self, reason: String) -> LmError {
        LmError::Failed { model: self.label(), reason }
    }

    pub(crate) fn unsupported(&self, request: impl Into<String>) -> LmError {
        LmError::Unsupported { model: self.label(), request: request.into() }
    }
}

/// A question about the server has no answer.
#[derive(Debug)]
pub(crate) enum Answerless {
    /// The question was refused.
    Refused(String),
    /// The server is gone, the budget spent or the run interrupted.
    Ended(LmError),
}

pub(crate) fn to_bytes(body: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(body).expect("keys are texts, so that a body serialises")
}

/// No more tokens than this: a token holds at least a byte, and a template adds a few.
pub(crate) fn most_tokens(bytes: usize, messages: usize) -> u64 {
    bytes as u64 + 64 + 16 * messages as u64
}
