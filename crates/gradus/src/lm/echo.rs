use super::rows::{each, generated};
use super::{
    Capabilities, Continuation, Detail, Embed, Generate, Generated, LmError, LogProb, Pooling,
    Prompt, Request, Sampling, Scored, Sink,
};
use crate::data::FinishReason;

/// A model that says what it was shown: the prompt's text, or the last message of a chat.
///
/// As a scorer it has a token a byte, each with log-prob -1; as an embedding the counts of
/// the 256 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Echo {
    fn answer(request: &Request) -> Result<Generated, String> {
        let shown = match &request.prompt {
            Prompt::Text(text) => text,
            Prompt::Chat(messages) => {
                messages.last().map_or("", |message| message.content.as_str())
            }
            Prompt::Tokens(_) => return Err("echo has no vocabulary, expected text".to_owned()),
        };
        Ok(generated(format!("{}{shown}", request.prefix), FinishReason::Stop))
    }
}

impl Generate for Echo {
    fn name(&self) -> String {
        "fake/echo".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: false, prefix: true }
    }

    fn generate(
        &self,
        requests: &[Request],
        _sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        each(requests, |request| &request.key, Self::answer, sink);
        Ok(())
    }
}

impl LogProb for Echo {
    fn log_prob(
        &self,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError> {
        if detail != Detail::default() {
            return Err(LmError::Unsupported {
                model: self.name(),
                request: "tell ranks or moments of a distribution".to_owned(),
            });
        }
        let score = |row: &Continuation| {
            Ok(Scored { token_log_probs: vec![-1.0; row.text.len()], ..Scored::default() })
        };
        each(continuations, |row| &row.key, score, sink);
        Ok(())
    }
}

impl Embed for Echo {
    fn embed(
        &self,
        texts: &[&str],
        _layer: Option<&str>,
        _pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError> {
        let histogram = |text: &&str| {
            let mut counts = vec![0.0; 256];
            text.bytes().for_each(|byte| counts[usize::from(byte)] += 1.0);
            counts
        };
        Ok(texts.iter().map(histogram).collect())
    }
}
