use gradus::data::FinishReason;
use gradus::lm::{
    Capabilities, Generate, Generated, LmError, Prompt, Request, RowError, Sampling, Sink,
};
use gradus::run::Stream;

use crate::pick::Picker;
use crate::tokenizer::EOS;
use crate::{LocalModel, ModelError, composed};

impl Generate for LocalModel {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: true, prefix: true }
    }

    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        for request in requests {
            let row = match self.start(request) {
                Ok((tokens, prefix)) => Ok(self
                    .complete(request, sampling, tokens, prefix)
                    .map_err(|error| self.failed(&error))?),
                Err(reason) => Err(RowError { key: request.key.clone(), reason }),
            };
            if sink(request.key.clone(), row).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl LocalModel {
    pub(crate) fn failed(&self, error: &ModelError) -> LmError {
        LmError::Failed { model: self.name.clone(), reason: error.to_string() }
    }

    /// The tokens that the model is given, and how many of them are the prefix.
    fn start(&self, request: &Request) -> Result<(Vec<u32>, usize), String> {
        let mut tokens = self.prompt_tokens(&request.prompt)?;
        let prefix = self.tokenizer.encode(&request.prefix).map_err(|error| error.to_string())?;
        tokens.extend(&prefix);
        let longest = self.decoder.config().max_position_embeddings;
        if tokens.is_empty() || tokens.len() >= longest {
            return Err(format!("{} tokens given, expected 1 to {}", tokens.len(), longest - 1));
        }
        Ok((tokens, prefix.len()))
    }

    pub(crate) fn prompt_tokens(&self, prompt: &Prompt) -> Result<Vec<u32>, String> {
        match prompt {
            Prompt::Text(text) => self.tokenizer.encode(text).map_err(|error| error.to_string()),
            Prompt::Tokens(ids) => Ok(ids.to_vec()),
            Prompt::Chat(_) => Err("this model has no chat template".to_owned()),
        }
    }

    fn complete(
        &self,
        request: &Request,
        sampling: &Sampling,
        mut tokens: Vec<u32>,
        prefix: usize,
    ) -> Result<Generated, ModelError> {
        let key = &request.key;
        let mut stream = Stream::new(
            sampling.seed,
            &[&sampling.stream, &key.problem, &key.sample.to_string(), &key.branch.to_string()],
        );
        let mut picker = Picker::default();
        let completion = tokens.len() - prefix;
        let mut token_log_probs = Vec::new();
        let longest = self.decoder.config().max_position_embeddings;
        while token_log_probs.len() < sampling.max_tokens && tokens.len() < longest {
            let hidden = composed::hidden(&self.decoder, &[&tokens])?;
            let last = hidden.narrow(1, tokens.len() - 1, 1)?.squeeze(1)?;
            let logits = last.matmul(&self.decoder.lm_head().var.t()?)?.squeeze(0)?;
            let picked = picker.pick(&logits.to_vec1::<f32>()?, sampling, &mut stream);
            token_log_probs.push(picked.log_prob);
            if picked.token == EOS {
                let text = self.tokenizer.decode(&tokens[completion..]);
                return Ok(Generated { text, token_log_probs, finish_reason: FinishReason::Stop });
            }
            tokens.push(picked.token);
            if !sampling.stop.is_empty() {
                let text = self.tokenizer.decode(&tokens[completion..]);
                if let Some(end) =
                    sampling.stop.iter().filter_map(|stop| text.find(stop.as_str())).min()
                {
                    let text = text[..end].to_owned();
                    return Ok(Generated {
                        text,
                        token_log_probs,
                        finish_reason: FinishReason::Stop,
                    });
                }
            }
        }
        let text = self.tokenizer.decode(&tokens[completion..]);
        Ok(Generated { text, token_log_probs, finish_reason: FinishReason::Length })
    }
}
