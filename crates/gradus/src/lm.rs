//! What a language model can do, as four small traits.
//!
//! All are synchronous, object-safe and take batches. Rows go to a sink as they
//! finish, in any order, each a row or an error of its own; the sink's answer
//! can stop the work. What ends a whole call is the call's own error.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::data::{FinishReason, Span};

mod echo;
#[cfg(test)]
mod fake_tests;
mod model_name;
mod oracle;
mod replay;
mod rows;

pub use echo::Echo;
pub use model_name::{Fake, ModelName, ModelNameError, ModelSource};
pub use oracle::Oracle;
pub use replay::Replay;

/// Which row of a batch a result belongs to; it also names the random stream.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Id of the problem.
    pub problem: Arc<str>,
    /// Index of the sample among those of the problem.
    pub sample: u32,
    /// Index of the branch, for searches that fork a sample; otherwise 0.
    pub branch: u32,
}

/// What a model is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// Plain text.
    Text(Arc<str>),
    /// Chat messages, rendered by the model's own template.
    Chat(Arc<[Message]>),
    /// Token ids of the model's own vocabulary.
    Tokens(Arc<[u32]>),
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The message's text.
    pub content: String,
}

/// One completion to be sampled.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where the result belongs.
    pub key: Key,
    /// What the model is shown.
    pub prompt: Prompt,
    /// Text that the completion already begins with (empty as a rule).
    pub prefix: Arc<str>,
}

/// How to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token.
    pub temperature: f32,
    /// Keep the k likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens with this much probability; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens at least this share as probable as the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens that the prompt or the
    /// completion holds (Keskar et al. 2019, "CTRL", section 4.1); 1 changes nothing.
    pub repetition_penalty: f32,
    /// Most tokens to sample, the end-of-sequence token included.
    pub max_tokens: usize,
    /// End at the first of these strings, which is cut off.
    pub stop: Vec<String>,
    /// End at any of these tokens, beside the model's own ends of sequence.
    pub stop_tokens: Vec<u32>,
    /// Seed of the run.
    pub seed: u64,
    /// Name of the stage; with the seed and the key it names the random stream.
    pub stream: String,
}

impl Default for Sampling {
    /// From the untouched distribution, at most 512 tokens, seed 0.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            max_tokens: 512,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            seed: 0,
            stream: "sample".to_owned(),
        }
    }
}

/// One sampled completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The text after the prompt, the request's prefix included.
    pub text: String,
    /// Ids of the sampled tokens, an end of sequence included, where known.
    pub tokens: Vec<u32>,
    /// Natural-log probability of each sampled token under the untempered model, where known.
    pub token_log_probs: Vec<f32>,
    /// The same under the distribution that it was drawn from, where known.
    pub sampled_log_probs: Vec<f32>,
    /// Tokens of the prompt and the request's prefix, where known.
    pub prompt_tokens: Option<usize>,
    /// Sampled tokens, an end of sequence included, where known.
    pub completion_tokens: Option<usize>,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

impl Generated {
    /// Sum of the token log-probs; absent where the model gives none.
    pub fn log_prob(&self) -> Option<f64> {
        (!self.token_log_probs.is_empty())
            .then(|| self.token_log_probs.iter().map(|&value| f64::from(value)).sum())
    }
}

/// A prompt with a continuation whose log-prob is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Where the result belongs.
    pub key: Key,
    /// What comes first; requests that share it are evaluated together.
    pub prompt: Prompt,
    /// What is scored.
    pub text: String,
}

/// What is told of the predicted distributions beside the log-probs of given tokens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Detail {
    /// Rank of each token, 0 for the likeliest.
    pub ranks: bool,
    /// Entropy and variance of the log-prob of each predicted distribution.
    pub moments: bool,
}

/// A continuation's tokens under the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// Natural-log probability of each token.
    pub token_log_probs: Vec<f32>,
    /// Number of tokens likelier than each token, where asked for.
    pub ranks: Vec<u32>,
    /// Entropy of the distribution that each token was predicted by, in nats: minus the
    /// mean of ln p under p; where asked for.
    pub entropies: Vec<f32>,
    /// Variance of ln p under p, in nats squared, where asked for.
    pub variances: Vec<f32>,
}

impl Scored {
    /// Adds a token that was predicted by `logits`, whose log-sum-exp is `normalizer`.
    pub fn push(&mut self, logits: &[f32], normalizer: f32, token: u32, detail: Detail) {
        let logit = logits[token as usize];
        self.token_log_probs.push(logit - normalizer);
        if detail.ranks {
            self.ranks.push(logits.iter().filter(|&&other| other > logit).count() as u32);
        }
        if detail.moments {
            let log_ps = || logits.iter().map(|&logit| f64::from(logit) - f64::from(normalizer));
            let mean: f64 = log_ps().map(|log_p| log_p.exp() * log_p).sum();
            let variance: f64 = log_ps().map(|log_p| log_p.exp() * (log_p - mean).powi(2)).sum();
            self.entropies.push(-mean as f32);
            self.variances.push(variance as f32);
        }
    }
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Pooling {
    /// As the model's own files say; the mean where they say nothing.
    #[default]
    Own,
    /// Mean over the tokens.
    Mean,
    /// The first token (`[CLS]`).
    First,
    /// The last token.
    Last,
}

/// A completion to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Where the result belongs.
    pub key: Key,
    /// The problem as the evaluator was trained to see it.
    pub problem: Arc<str>,
    /// The completion's text.
    pub completion: String,
    /// Its steps, as byte spans of `completion`.
    pub steps: Vec<Span>,
}

/// What an implementation can promise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capabilities {
    /// The same request and seed give the same completion.
    pub seeds: bool,
    /// Completions carry token log-probs.
    pub log_probs: bool,
    /// Requests may carry a prefix.
    pub prefix: bool,
}

/// A whole call failed.
#[derive(Debug, thiserror::Error)]
pub enum LmError {
    /// The model cannot be had: server gone, file missing.
    #[error("model {model} is unavailable: {reason}")]
    Unavailable {
        /// Name of the model.
        model: String,
        /// What happened.
        reason: String,
    },
    /// The model cannot do what was asked of it.
    #[error("model {model} cannot {request}")]
    Unsupported {
        /// Name of the model.
        model: String,
        /// What was asked, as "sample with a prefix".
        request: String,
    },
    /// The computation failed.
    #[error("model {model} failed: {reason}")]
    Failed {
        /// Name of the model.
        model: String,
        /// What happened.
        reason: String,
    },
}

/// One row failed; the others go on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("problem {:?} sample {}: {reason}", key.problem, key.sample)]
pub struct RowError {
    /// The row.
    pub key: Key,
    /// What happened.
    pub reason: String,
}

/// Takes rows as they finish; `Break` stops the work.
pub type Sink<'a, T> = dyn FnMut(Key, Result<T, RowError>) -> ControlFlow<()> + 'a;

/// Samples completions.
pub trait Generate {
    /// Name of the model, as rows record it.
    fn name(&self) -> String;
    /// What this implementation can promise.
    fn capabilities(&self) -> Capabilities;
    /// Samples one completion per request.
    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError>;
}

/// Scores given text.
pub trait LogProb {
    /// Log-probs of the tokens of each continuation, given its prompt.
    fn log_prob(
        &self,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError>;
}

/// Judges completions step by step.
pub trait Reward {
    /// One probability in 0..=1 per step of each completion, or a single one for the whole.
    fn reward(&self, completions: &[Judged], sink: &mut Sink<'_, Vec<f64>>) -> Result<(), LmError>;
}

/// Turns texts into vectors.
pub trait Embed {
    /// One vector per text, in order, read at the named layer (`None`: the last).
    fn embed(
        &self,
        texts: &[&str],
        layer: Option<&str>,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError>;
}
