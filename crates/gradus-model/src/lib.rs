//! Local language models: the decoder with its language and evaluator heads,
//! tokenizers, checkpoints, sampling and scoring.
//!
//! ```
//! use gradus::run::Stream;
//! use gradus_model::{ByteTokenizer, DecoderConfig, Example, Gradients, LmTarget, LocalModel};
//!
//! let mut init = Stream::new(1, &["init"]);
//! let model = LocalModel::new(DecoderConfig::default(), ByteTokenizer {}.into(), &mut init)?;
//! let tokens = model.tokenizer.encode("1+1=2")?;
//! let target = LmTarget { position: 3, token: tokens[4], weight: 1.0 };
//! let example = Example { tokens, lm: vec![target], values: vec![] };
//! let mut gradients = Gradients::new(&model.decoder);
//! let losses = gradus_model::gradients(&model.decoder, &[&example], &mut gradients)?;
//! assert!(losses.lm_sum > 4.0);
//! # Ok::<(), gradus_model::ModelError>(())
//! ```

mod adapter;
mod allocator;
mod batch;
mod chat_template;
mod checkpoint;
mod composed;
mod config;
mod decoder;
mod decoding;
mod description;
mod encoder;
mod error;
mod fused;
mod generate;
#[cfg(test)]
mod generate_tests;
mod gradients;
pub mod hub;
mod judgement;
mod kernels;
mod language;
mod local_model;
mod packed;
mod pick;
mod pretrained;
mod rotary;
mod sampler;
mod score;
mod tokenizer;
mod weights;

pub use adapter::{Adapter, LowRank};
pub use allocator::tune_allocator;
pub use batch::{Example, LmTarget, Losses, ValueTarget};
pub use chat_template::{ChatTemplate, TemplateError};
pub use composed::ComposedLoss;
pub use config::{Activation, DecoderConfig};
pub use decoder::{Decoder, Parameter};
pub use description::ModelDescription;
pub use encoder::Encoder;
pub use error::ModelError;
pub use gradients::{Gradients, gradients};
pub use judgement::{Judgement, judgement};
pub use local_model::LocalModel;
pub use pretrained::{Compute, FAMILIES, Family, Pretrained, PretrainedOptions, WeightForm};
pub use tokenizer::{
    ByteTokenizer, SubwordTokenizer, SymbolError, SymbolTokenizer, Token, TokenizeError, Tokenizer,
    whole_characters,
};
pub use weights::{Dtype, Metadata, TensorInfo, WeightFiles};
