//! The model of a command, by its name.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use gradus::data::Problem;
use gradus::lm::ModelName;
use gradus::run::Monitor;
use gradus_client::{Api, Budget, Config, Price};
use gradus_model::WeightForm;
use gradus_studies::{Model, Opening};
use serde::Serialize;

use crate::failure::Failure;

/// Which model, and how it is reached.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// A folder, hf/org/name[@revision], gguf/FILE, openai/name, or a script: fake/echo,
    /// fake/replay:FILE, fake/oracle:0.9,0.5 (accuracy by level); +FOLDER adds an adapter.
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// How a pretrained model's weights are kept: f32, or q8 (faster, and other numbers).
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    weights: Weights,
    /// Address of the server, up to and with /v1; OPENAI_BASE_URL by default. The key is
    /// read from OPENAI_API_KEY.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Most requests to the server at once.
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// Seconds that a request may take.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Folder in which the server's answers are kept and looked up.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Dollars for a million tokens of prompts and of completions, as 0.15,0.6.
    #[arg(long, value_name = "IN,OUT")]
    price: Option<Prices>,
    /// Stop before more tokens than this are spent at the server.
    #[arg(long, value_name = "TOKENS")]
    budget_tokens: Option<u64>,
    /// Stop before more dollars than this are spent, by --price.
    #[arg(long, value_name = "DOLLARS", requires = "price")]
    budget_dollars: Option<f64>,
}

/// How weights are kept in memory.
#[derive(Clone, Copy, Debug, Default, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weights {
    /// 32-bit floating point, whatever the file has.
    #[default]
    F32,
    /// Blocks of 8-bit numbers with a scale.
    Q8,
}

impl From<Weights> for WeightForm {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::F32 => Self::F32,
            Weights::Q8 => Self::Q8,
        }
    }
}

/// `--price`.
#[derive(Clone, Copy, Debug)]
struct Prices(Price);

impl FromStr for Prices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let dollars = |text: &str| {
            let number = text.trim().parse::<f64>().ok();
            number.filter(|number| number.is_finite() && *number >= 0.0)
        };
        let price = text.split_once(',').and_then(|(prompt, completion)| {
            Some(Price { prompt: dollars(prompt)?, completion: dollars(completion)? })
        });
        price.map(Self).ok_or_else(|| "expected two numbers from 0 up, as 0.15,0.6".to_owned())
    }
}

impl ModelArgs {
    /// The name, as a record states it.
    pub(crate) fn name(&self) -> &str {
        &self.model
    }

    /// How its weights are kept, as a record states it.
    pub(crate) fn weights(&self) -> Weights {
        self.weights
    }

    /// Opens it; `problems` are those that an oracle knows the answers of, `api` is the
    /// endpoint that a server is asked at.
    pub(crate) fn open(
        &self,
        problems: &[Problem],
        api: Api,
        monitor: &Monitor,
    ) -> Result<Model, Failure> {
        let name: ModelName = self.model.parse()?;
        let usual = Config::default();
        let server = Config {
            base_url: self.base_url.clone().unwrap_or_default(),
            api,
            max_connections: self.max_connections.unwrap_or(usual.max_connections),
            timeout_seconds: self.timeout.unwrap_or(usual.timeout_seconds),
            budget: Budget { tokens: self.budget_tokens, dollars: self.budget_dollars },
            prices: self
                .price
                .map(|Prices(price)| (self.model.trim_start_matches("openai/").to_owned(), price))
                .into_iter()
                .collect(),
            cache: self.cache.clone(),
            ..usual
        };
        Ok(Model::open(&name, Opening { problems, weights: self.weights.into(), server, monitor })?)
    }

    /// Dollars that so many tokens cost, by `--price`.
    pub(crate) fn dollars(&self, prompt_tokens: u64, tokens: u64) -> Option<f64> {
        self.price.map(|Prices(price)| {
            (prompt_tokens as f64 * price.prompt + tokens as f64 * price.completion) / 1e6
        })
    }
}
