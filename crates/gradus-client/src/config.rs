use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a server is and how it is talked to; a table of a recipe.
///
/// The key is not among it: it is read from `OPENAI_API_KEY` and nowhere else.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the model, as the server lists it.
    pub model: String,
    /// Address up to and with `/v1`; empty takes `OPENAI_BASE_URL`, and without it OpenAI's own.
    pub base_url: String,
    /// Which of the two sampling endpoints is used.
    pub api: Api,
    /// Most requests under way at once.
    pub max_connections: usize,
    /// Seconds from the start of a request to the last byte of its answer.
    pub timeout_seconds: f64,
    /// How often a request is tried before its rows fail.
    pub attempts: u32,
    /// Seconds before the second attempt, doubled with every further one up to a minute.
    pub retry_seconds: f64,
    /// Longest answer that is read, in bytes.
    pub max_response_bytes: u64,
    /// Most samples of a prompt that are asked for in one request.
    pub choices_per_request: u32,
    /// Texts in one embedding request.
    pub embeddings_per_request: usize,
    /// Ask for the log-probs of sampled tokens where the server has them.
    pub log_probs: bool,
    /// Further fields of the request body, passed on as they are.
    pub extra_body: Map<String, Value>,
    /// What may be spent in all.
    pub budget: Budget,
    /// Prices by the model's name.
    pub prices: BTreeMap<String, Price>,
    /// Folder in which answers are kept and looked up; none keeps nothing.
    pub cache: Option<PathBuf>,
    /// How a judge is asked.
    pub reward: RewardForm,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: String::new(),
            base_url: String::new(),
            api: Api::default(),
            max_connections: 10,
            timeout_seconds: 600.0,
            attempts: 10,
            retry_seconds: 0.5,
            max_response_bytes: 64 << 20,
            choices_per_request: 64,
            embeddings_per_request: 32,
            log_probs: true,
            extra_body: Map::new(),
            budget: Budget::default(),
            prices: BTreeMap::new(),
            cache: None,
            reward: RewardForm::default(),
        }
    }
}

/// Which of the two sampling endpoints is used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// `/v1/chat/completions`; a plain text is sent as the user's message.
    #[default]
    Chat,
    /// `/v1/completions`: texts and token ids as they are, and prefixes to go on from.
    Completions,
}

/// What may be spent in all, before which a run stops.
///
/// Room is kept for the worst case of every request under way: a token for each byte of its
/// prompt and what a template adds, and `max_tokens` for each sample. An answer that counts
/// its tokens is charged with these; one that does not, or breaks off, with the worst case.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Prompt and completion tokens together.
    pub tokens: Option<u64>,
    /// US dollars, by the price table.
    pub dollars: Option<f64>,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For a million tokens of prompts.
    pub prompt: f64,
    /// For a million tokens of completions.
    pub completion: f64,
}

/// How a judge is asked (endpoints of vLLM).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardForm {
    /// Which endpoint judges.
    pub endpoint: RewardEndpoint,
    /// Follows every step in the assistant's message (`pooling`).
    pub step_mark: String,
    /// The system message; none is sent where empty (`pooling`).
    pub system: String,
    /// Stands between problem and completion (`classify`).
    pub separator: String,
    /// Which class's probability is the reward; none takes the last (`pooling`, `classify`).
    pub class: Option<usize>,
}

impl Default for RewardForm {
    fn default() -> Self {
        Self {
            endpoint: RewardEndpoint::default(),
            // As Qwen2.5-Math-PRM was trained: one reading at each mark.
            step_mark: "<extra_0>".into(),
            system: String::new(),
            separator: "\n".into(),
            class: None,
        }
    }
}

/// Which endpoint judges.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewardEndpoint {
    /// `/pooling`: class probabilities at every step mark.
    #[default]
    Pooling,
    /// `/classify`: class probabilities of the whole text.
    Classify,
    /// `/score`: one number for the pair of problem and completion.
    Score,
}

/// Fields of the body that are ours; `extra_body` may not hold them.
const OWN_FIELDS: [&str; 25] = [
    "add_generation_prompt",
    "echo",
    "encoding_format",
    "input",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "min_p",
    "model",
    "n",
    "prompt",
    "prompt_logprobs",
    "repeat_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "stop_token_ids",
    "stream",
    "temperature",
    "text_1",
    "text_2",
    "top_k",
    "top_logprobs",
    "top_p",
];

impl Config {
    /// What is wrong with it, as "field: reason".
    pub(crate) fn fault(&self) -> Option<String> {
        if self.model.is_empty() {
            return Some("model: no name is given".into());
        }
        let counts = [
            ("max_connections", self.max_connections as u64, 4096),
            ("attempts", u64::from(self.attempts), 1000),
            ("max_response_bytes", self.max_response_bytes, 1 << 40),
            ("choices_per_request", u64::from(self.choices_per_request), 1 << 16),
            ("embeddings_per_request", self.embeddings_per_request as u64, 1 << 16),
        ];
        for (name, value, most) in counts {
            if value == 0 || value > most {
                return Some(format!("{name}: {value} is not in 1..={most}"));
            }
        }
        let seconds = [
            ("timeout_seconds", self.timeout_seconds, 1e6),
            ("retry_seconds", self.retry_seconds, 60.0),
        ];
        for (name, value, most) in seconds {
            if !(value > 0.0 && value <= most) {
                return Some(format!("{name}: {value} is not a number above 0 and up to {most}"));
            }
        }
        if let Some(name) = OWN_FIELDS.iter().find(|&&name| self.extra_body.contains_key(name)) {
            return Some(format!("extra_body.{name}: this field is set by the client itself"));
        }
        if let Some(dollars) = self.budget.dollars {
            if !(dollars.is_finite() && dollars >= 0.0) {
                return Some(format!("budget.dollars: {dollars} is not a number from 0"));
            }
            if !self.prices.contains_key(&self.model) {
                return Some(format!(
                    "budget.dollars: prices has no entry for {:?}, so money cannot be counted",
                    self.model
                ));
            }
        }
        for (name, price) in &self.prices {
            if ![price.prompt, price.completion].iter().all(|p| p.is_finite() && *p >= 0.0) {
                return Some(format!("prices.{name:?}: a price is not a number from 0"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config { model: "m".into(), ..Config::default() };
        change(&mut config);
        config.fault().unwrap_or_default()
    }

    #[test]
    fn a_plain_config_is_fine() {
        assert_eq!(fault(|_| ()), "");
    }

    #[test]
    fn faults_name_their_field() {
        assert!(fault(|config| config.model.clear()).starts_with("model: "));
        assert!(fault(|config| config.max_connections = 0).starts_with("max_connections: 0"));
        assert!(fault(|config| config.timeout_seconds = f64::NAN).starts_with("timeout_seconds"));
        let streaming = |config: &mut Config| {
            config.extra_body.insert("stream".into(), true.into());
        };
        assert!(fault(streaming).starts_with("extra_body.stream: "));
    }

    #[test]
    fn money_without_a_price_is_refused() {
        assert!(fault(|config| config.budget.dollars = Some(1.0)).contains("no entry for \"m\""));
        let free = Price { prompt: 0.0, completion: -1.0 };
        let priced = |config: &mut Config| config.prices = [("m".to_owned(), free)].into();
        assert!(fault(priced).contains("prices"));
    }
}
