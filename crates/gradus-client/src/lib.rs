//! OpenAI-compatible servers as language models: sampling, scoring, embedding, judging.
//!
//! [`Server`] implements the four traits of `gradus::lm` over HTTP. It is told where to go by
//! a [`Config`]; the key comes from `OPENAI_API_KEY` and from nowhere else, and is in no
//! error, log, `Debug` output or file. [`Server::prepare`] asks at the start what the server
//! can do; what is missing is done another way or refused, and [`Probe`] says which.
//!
//! Requests go out on as many threads as there are connections; the traits stay synchronous
//! and rows reach the sink on the calling thread.

mod budget;
mod cache;
mod call;
mod config;
mod embed;
mod generate;
mod http;
mod key;
mod log_prob;
mod probe;
mod resolve;
mod retry;
mod reward;
mod server;
mod wire;

pub use budget::Usage;
pub use config::{Api, Budget, Config, Price, RewardEndpoint, RewardForm};
pub use probe::{Probe, Sampled, Scoring, Use};
pub use server::{ConnectError, Server};
