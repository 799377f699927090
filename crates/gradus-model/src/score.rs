use gradus::lm::{Continuation, Judged, LmError, LogProb, Reward, RowError, Sink};

use crate::judgement::judgement;
use crate::{LocalModel, composed};

impl LogProb for LocalModel {
    fn log_prob(
        &self,
        continuations: &[Continuation],
        sink: &mut Sink<'_, Vec<f32>>,
    ) -> Result<(), LmError> {
        for asked in continuations {
            let tokens = self.prompt_tokens(&asked.prompt).and_then(|prompt| {
                let text = self.tokenizer.encode(&asked.text).map_err(|error| error.to_string())?;
                Ok((prompt, text))
            });
            let row = match tokens {
                Ok((prompt, text)) => {
                    let all = [prompt.clone(), text.clone()].concat();
                    let scores = || {
                        let hidden = composed::hidden(&self.decoder, &[&all])?.squeeze(0)?;
                        let logits =
                            hidden.matmul(&self.decoder.lm_head().var.t()?)?.to_vec2::<f32>()?;
                        Ok(text
                            .iter()
                            .zip(&logits[prompt.len() - 1..])
                            .map(|(&token, logits)| {
                                let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
                                logits[token as usize] - sum.ln()
                            })
                            .collect::<Vec<f32>>())
                    };
                    Ok(scores().map_err(|error| self.failed(&crate::ModelError::Tensor(error)))?)
                }
                Err(reason) => Err(RowError { key: asked.key.clone(), reason }),
            };
            if sink(asked.key.clone(), row).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Reward for LocalModel {
    fn reward(&self, completions: &[Judged], sink: &mut Sink<'_, Vec<f64>>) -> Result<(), LmError> {
        let Some(head) = self.decoder.value_head() else {
            return Err(LmError::Unsupported {
                model: self.name.clone(),
                request: "judge without an evaluator head".to_owned(),
            });
        };
        for judged in completions {
            let row = match judgement(
                &self.tokenizer,
                &judged.problem,
                &judged.completion,
                &judged.steps,
            ) {
                Ok(read) => {
                    let scores = || {
                        let hidden =
                            composed::hidden(&self.decoder, &[&read.tokens])?.squeeze(0)?;
                        let z = hidden.matmul(&head.var.t()?)?.squeeze(1)?.to_vec1::<f32>()?;
                        Ok(read
                            .positions
                            .iter()
                            .map(|&at| 1.0 / (1.0 + (-f64::from(z[at])).exp()))
                            .collect::<Vec<f64>>())
                    };
                    Ok(scores().map_err(|error| self.failed(&crate::ModelError::Tensor(error)))?)
                }
                Err(error) => Err(RowError { key: judged.key.clone(), reason: error.to_string() }),
            };
            if sink(judged.key.clone(), row).is_break() {
                break;
            }
        }
        Ok(())
    }
}
