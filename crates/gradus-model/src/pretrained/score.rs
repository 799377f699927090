use std::ops::ControlFlow;
use std::sync::Arc;

use gradus::lm::{Continuation, Detail, LmError, LogProb, RowError, Scored, Sink};
use rayon::prelude::*;

use super::forward::Forward;
use super::reading::Reading;
use super::{Pretrained, with_engine};
use crate::{ModelError, kernels};

/// Tokens that are scored in one wave, about.
const WAVE: usize = 2048;
/// Rows whose logits exist at the same time.
const ROWS: usize = 64;

/// A continuation as tokens.
struct Asked {
    /// Index among the wave's prompts.
    prompt: usize,
    tokens: Vec<u32>,
}

impl LogProb for Pretrained {
    /// A prompt that several continuations share is evaluated once, if they
    /// follow each other. Prompt and text are encoded together and cut where the prompt's
    /// own tokens end, or, where a token would lie across that border, each alone.
    fn log_prob(
        &self,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError> {
        with_engine!(self, engine => self.scored(Reading::new(engine), continuations, detail, sink))
    }
}

impl Pretrained {
    fn scored<F: Forward>(
        &self,
        mut reading: Reading<'_, F>,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError> {
        let shape = self.shape();
        let mut rest = continuations;
        while !rest.is_empty() {
            let (mut prompts, mut asked) = (Vec::<Vec<u32>>::new(), Vec::new());
            let mut tokens = 0;
            for continuation in rest {
                let read = self.asked(continuation);
                let row = read.map(|(prompt, text)| {
                    tokens += text.len();
                    if prompts.last() != Some(&prompt) {
                        tokens += prompt.len();
                        prompts.push(prompt);
                    }
                    Asked { prompt: prompts.len() - 1, tokens: text }
                });
                asked.push(row);
                if tokens >= WAVE {
                    break;
                }
            }
            let needed = (tokens * shape.bytes_per_position()) as u64;
            if needed + shape.pass_bytes() > self.budget {
                return Err(self.failed(&format!(
                    "keys and values of {tokens} tokens need {} beside the weights, and {} are left",
                    super::megabytes(needed),
                    super::megabytes(self.budget)
                )));
            }
            let scored = wave(&mut reading, &prompts, &asked, detail)
                .map_err(|error| self.failed(&error))?;
            let (now, later) = rest.split_at(asked.len());
            rest = later;
            for ((continuation, asked), scored) in now.iter().zip(asked).zip(scored) {
                let key = continuation.key.clone();
                let row =
                    asked.map(|_| scored).map_err(|reason| RowError { key: key.clone(), reason });
                if let ControlFlow::Break(()) = sink(key, row) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The tokens of a continuation's prompt and text.
    fn asked(&self, asked: &Continuation) -> Result<(Vec<u32>, Vec<u32>), String> {
        let (prompt, text) = self.language().continued(&asked.prompt, &asked.text)?;
        let (length, longest) = (prompt.len() + text.len(), self.context());
        match length {
            _ if prompt.is_empty() => Err("an empty prompt predicts nothing".to_owned()),
            _ if length > longest => Err(format!("{length} tokens, expected 1 to {longest}")),
            _ => Ok((prompt, text)),
        }
    }
}

/// Scores of every continuation; of one that is an error, nothing.
fn wave<F: Forward>(
    reading: &mut Reading<'_, F>,
    prompts: &[Vec<u32>],
    asked: &[Result<Asked, String>],
    detail: Detail,
) -> Result<Vec<Scored>, ModelError> {
    let model = reading.model;
    let (size, hidden) = (model.shape().vocabulary, model.shape().hidden);
    let mut scored = vec![Scored::default(); asked.len()];
    if prompts.is_empty() {
        return Ok(scored);
    }
    let slices: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let mut logits = Vec::new();
    let mut targets: Vec<(usize, u32)> = Vec::new();
    let mut states: Vec<f32> = Vec::new();

    // The first token of each is predicted by its prompt, the others by the token before.
    let mut last_states = Vec::new();
    let read = reading.prompts(&slices, &mut last_states)?;
    for (index, asked) in asked.iter().enumerate() {
        if let Ok(asked) = asked
            && let Some(&token) = asked.tokens.first()
        {
            targets.push((index, token));
            states.extend(&last_states[asked.prompt * hidden..][..hidden]);
        }
    }
    let mut normed = Vec::new();
    let mut flush = |states: &mut Vec<f32>, targets: &mut Vec<(usize, u32)>| {
        for (states, targets) in states.chunks(ROWS * hidden).zip(targets.chunks(ROWS)) {
            model.final_norm(states, &mut normed)?;
            model.logits(&normed, &mut logits)?;
            let rows: Vec<Scored> = logits
                .par_chunks_exact(size)
                .zip(targets)
                .map_init(Vec::new, |weights, (logits, &(_, token))| {
                    let mut normalizer = [0.0];
                    weights.resize(logits.len(), 0.0);
                    kernels::probabilities(logits, logits.len(), 1.0, weights, &mut normalizer);
                    let mut row = Scored::default();
                    row.push(logits, normalizer[0], token, detail);
                    row
                })
                .collect();
            for (row, &(index, _)) in rows.into_iter().zip(targets) {
                let to = &mut scored[index];
                to.token_log_probs.extend(row.token_log_probs);
                to.ranks.extend(row.ranks);
                to.entropies.extend(row.entropies);
                to.variances.extend(row.variances);
            }
        }
        states.clear();
        targets.clear();
        Ok::<(), ModelError>(())
    };
    flush(&mut states, &mut targets)?;

    let with_rest: Vec<(usize, &Asked)> = asked
        .iter()
        .enumerate()
        .filter_map(|(index, asked)| Some((index, asked.as_ref().ok()?)))
        .filter(|(_, asked)| asked.tokens.len() > 1)
        .collect();
    let befores: Vec<Arc<F::Cache>> =
        with_rest.iter().map(|(_, asked)| Arc::clone(&read[asked.prompt])).collect();
    let texts: Vec<&[u32]> =
        with_rest.iter().map(|(_, asked)| &asked.tokens[..asked.tokens.len() - 1]).collect();
    let mut owns: Vec<F::Cache> = texts.iter().map(|text| model.cache(text.len())).collect();
    let take = |place: usize, at: usize, row: &[f32]| {
        let (index, asked) = with_rest[place];
        targets.push((index, asked.tokens[at + 1]));
        states.extend(row);
        if targets.len() == ROWS { flush(&mut states, &mut targets) } else { Ok(()) }
    };
    reading.pass(&befores, &texts, &mut owns, model.shape().layers, take)?;
    flush(&mut states, &mut targets)?;
    Ok(scored)
}
