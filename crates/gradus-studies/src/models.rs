//! Models by their names: what studies and commands open alike.

use std::path::Path;

use gradus::data::Problem;
use gradus::lm::{
    Echo, Embed, Fake, Generate, LmError, LogProb, ModelName, ModelSource, Oracle, Prompt, Replay,
};
use gradus::run::{Monitor, RunError};
use gradus_client::{Api, Config, Server, Usage};
use gradus_model::hub::{Hub, ModelId};
use gradus_model::{
    Encoder, LocalModel, ModelError, Pretrained, PretrainedOptions, Tokenizer, WeightForm,
};

use serde::Deserialize;

use crate::StudyError;

/// What opening a model may need beside its name.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// Problems that a `fake/oracle` knows the answers of.
    pub problems: &'a [Problem],
    /// How weights of pretrained models are kept.
    pub weights: WeightForm,
    /// How a server is reached; the model's name is filled in.
    pub server: Config,
    /// Whom a server tells what it can do, and asks whether to go on.
    pub monitor: &'a Monitor,
}

/// A model that was opened by its name.
#[derive(Debug)]
pub struct Model {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Local(LocalModel),
    Pretrained(Box<Pretrained>),
    Encoder(Box<Encoder>),
    Server { server: Box<Server>, chat: bool },
    Echo(Echo),
    Replay(Replay),
    Oracle(Oracle),
}

impl Model {
    /// Opens the model. A server is asked whether it has it.
    pub fn open(name: &ModelName, opening: Opening<'_>) -> Result<Self, StudyError> {
        let options = PretrainedOptions {
            weights: opening.weights,
            adapter: name.adapter.clone(),
            ..PretrainedOptions::default()
        };
        let kind = match &name.source {
            ModelSource::Folder(dir) => folder(dir, &options)?,
            ModelSource::Gguf(file) => {
                Kind::Pretrained(Box::new(Pretrained::open(file, &options)?))
            }
            ModelSource::Hub { repository, revision } => {
                let revision = revision.as_ref().map_or(String::new(), |at| format!("@{at}"));
                let id: ModelId = format!("{repository}{revision}").parse()?;
                let dir = Hub::from_environment().resolve(&id, opening.monitor)?;
                match folder(&dir, &options)? {
                    Kind::Pretrained(model) => {
                        Kind::Pretrained(Box::new(model.named(&name.to_string())))
                    }
                    other => other,
                }
            }
            ModelSource::Fake(Fake::Echo) => Kind::Echo(Echo),
            ModelSource::Fake(Fake::Replay(file)) => Kind::Replay(Replay::read(file)?),
            ModelSource::Fake(Fake::Oracle(accuracy)) => {
                Kind::Oracle(Oracle::new(accuracy.clone(), opening.problems))
            }
            ModelSource::Server(model) => {
                let config = Config { model: model.clone(), ..opening.server };
                let chat = config.api == Api::Chat;
                let server = Box::new(Server::connect(config, opening.monitor)?);
                Kind::Server { server, chat }
            }
        };
        let model = Self { name: name.to_string(), kind };
        match (&name.adapter, &model.kind) {
            (Some(_), Kind::Local(_) | Kind::Encoder(_)) => {
                Err(model.cannot("take an adapter: it is no pretrained decoder").into())
            }
            _ => Ok(model),
        }
    }

    /// The model as one that samples.
    pub fn generate(&self) -> Result<&dyn Generate, LmError> {
        match &self.kind {
            Kind::Local(model) => Ok(model),
            Kind::Pretrained(model) => Ok(&**model),
            Kind::Server { server, .. } => Ok(&**server),
            Kind::Echo(model) => Ok(model),
            Kind::Replay(model) => Ok(model),
            Kind::Oracle(model) => Ok(model),
            Kind::Encoder(_) => Err(self.cannot("sample: it is an encoder")),
        }
    }

    /// The model as one that scores text.
    pub fn log_prob(&self) -> Result<&dyn LogProb, LmError> {
        match &self.kind {
            Kind::Local(model) => Ok(model),
            Kind::Pretrained(model) => Ok(&**model),
            Kind::Server { server, .. } => Ok(&**server),
            Kind::Echo(model) => Ok(model),
            Kind::Encoder(_) | Kind::Replay(_) | Kind::Oracle(_) => Err(self.cannot("score text")),
        }
    }

    /// The model as one that turns texts into vectors.
    pub fn embed(&self) -> Result<&dyn Embed, LmError> {
        match &self.kind {
            Kind::Pretrained(model) => Ok(&**model),
            Kind::Encoder(model) => Ok(&**model),
            Kind::Server { server, .. } => Ok(&**server),
            Kind::Echo(model) => Ok(model),
            Kind::Local(_) | Kind::Replay(_) | Kind::Oracle(_) => {
                Err(self.cannot("turn texts into vectors"))
            }
        }
    }

    /// Whether prompts are best given as a chat, for a template of the model's own.
    pub fn chats(&self) -> bool {
        match &self.kind {
            Kind::Server { chat, .. } => *chat,
            Kind::Pretrained(model) => model.chat_template().is_some(),
            Kind::Local(_)
            | Kind::Encoder(_)
            | Kind::Echo(_)
            | Kind::Replay(_)
            | Kind::Oracle(_) => false,
        }
    }

    /// Tokens of a prompt, where the model counts them itself.
    pub fn tokens(&self, prompt: &Prompt) -> Option<usize> {
        let count = |tokenizer: &Tokenizer, text: &str| Some(tokenizer.encode(text).ok()?.len());
        match (&self.kind, prompt) {
            (Kind::Local(model), Prompt::Text(text)) => count(&model.tokenizer, text),
            (Kind::Pretrained(model), Prompt::Text(text)) => count(model.tokenizer(), text),
            (Kind::Pretrained(model), Prompt::Chat(messages)) => {
                count(model.tokenizer(), &model.chat_template()?.render(messages, true).ok()?)
            }
            _ => None,
        }
    }

    /// Most tokens of prompt and completion together, where it is known.
    pub fn context(&self) -> Option<usize> {
        match &self.kind {
            Kind::Local(model) => Some(model.decoder.config().max_position_embeddings),
            Kind::Pretrained(model) => Some(model.context()),
            Kind::Encoder(model) => Some(model.longest()),
            Kind::Server { .. } | Kind::Echo(_) | Kind::Replay(_) | Kind::Oracle(_) => None,
        }
    }

    /// Whether sampling takes this machine's time, so that a trial of it costs nothing.
    pub fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local(_) | Kind::Pretrained(_))
    }

    /// What a server was asked and what it took.
    pub fn usage(&self) -> Option<Usage> {
        match &self.kind {
            Kind::Server { server, .. } => Some(server.usage()),
            _ => None,
        }
    }

    fn cannot(&self, request: &str) -> LmError {
        LmError::Unsupported { model: self.name.clone(), request: request.to_owned() }
    }
}

/// A folder says what it holds by the `model_type` of its config; those that gradus trained
/// have none.
fn folder(dir: &Path, options: &PretrainedOptions) -> Result<Kind, StudyError> {
    #[derive(Deserialize)]
    struct Config {
        model_type: Option<String>,
    }
    let path = dir.join("config.json");
    let text = std::fs::read_to_string(&path).map_err(RunError::io("read", &path))?;
    let config: Config = serde_json::from_str(&text)
        .map_err(|error| ModelError::Malformed { path, reason: error.to_string() })?;
    Ok(match config.model_type.as_deref() {
        None => Kind::Local(LocalModel::load(dir)?),
        Some("bert" | "roberta") => Kind::Encoder(Box::new(Encoder::load(dir)?)),
        Some(_) => Kind::Pretrained(Box::new(Pretrained::open(dir, options)?)),
    })
}
