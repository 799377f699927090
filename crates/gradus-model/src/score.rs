use std::ops::ControlFlow;

use gradus::lm::{
    Continuation, Detail, Judged, Key, LmError, LogProb, Reward, RowError, Scored, Sink,
};
use rayon::prelude::*;

use crate::LocalModel;
use crate::fused::{Rows, Workspace, states};
use crate::judgement::judgement;
use crate::kernels;
use crate::packed::PackedWeights;

/// Rows that are scored together on a thread.
const BATCH: usize = 16;

/// Tokens with the positions at which the model is read.
struct Asked {
    tokens: Vec<u32>,
    positions: Vec<usize>,
}

impl LogProb for LocalModel {
    fn log_prob(
        &self,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError> {
        let size = self.decoder.config().vocab_size;
        let ask = |asked: &Continuation| {
            let (mut tokens, text) = self.language().continued(&asked.prompt, &asked.text)?;
            let start = tokens.len();
            if start == 0 {
                return Err("an empty prompt predicts nothing".to_owned());
            }
            tokens.extend(text);
            Ok(Asked { positions: (start - 1..tokens.len() - 1).collect(), tokens })
        };
        let read = |weights: &PackedWeights, asked: &Asked, states: &[f32]| {
            let rows = asked.positions.len();
            let mut logits = vec![0.0; rows * size];
            kernels::matmul(states, &weights.lm_head.forward, &mut logits, false);
            let mut probabilities = vec![0.0; rows * size];
            let mut normalizers = vec![0.0; rows];
            kernels::probabilities(&logits, size, 1.0, &mut probabilities, &mut normalizers);
            let mut scored = Scored::default();
            let rows = logits.chunks_exact(size).zip(normalizers).zip(&asked.positions);
            for ((logits, normalizer), &at) in rows {
                scored.push(logits, normalizer, asked.tokens[at + 1], detail);
            }
            scored
        };
        self.score(continuations, |asked| &asked.key, ask, read, sink)
    }
}

impl Reward for LocalModel {
    /// A score is read where [`judgement`] says.
    fn reward(&self, completions: &[Judged], sink: &mut Sink<'_, Vec<f64>>) -> Result<(), LmError> {
        if self.decoder.value_head().is_none() {
            return Err(LmError::Unsupported {
                model: self.name.clone(),
                request: "judge without an evaluator head".to_owned(),
            });
        }
        let ask = |judged: &Judged| {
            judgement(&self.tokenizer, &judged.problem, &judged.completion, &judged.steps)
                .map(|read| Asked { tokens: read.tokens, positions: read.positions })
                .map_err(|error| error.to_string())
        };
        let read = |weights: &PackedWeights, _: &Asked, states: &[f32]| {
            let head = &weights.value_head;
            let logit = |state: &[f32]| -> f64 {
                std::iter::zip(state, head).map(|(&s, &w)| f64::from(s) * f64::from(w)).sum()
            };
            states
                .chunks_exact(head.len())
                .map(|state| 1.0 / (1.0 + (-logit(state)).exp()))
                .collect()
        };
        self.score(completions, |judged| &judged.key, ask, read, sink)
    }
}

impl LocalModel {
    /// Reads the final states of rows, a wave of batches at a time.
    fn score<A: Sync, T: Send>(
        &self,
        rows: &[A],
        key: impl Fn(&A) -> &Key + Sync,
        ask: impl Fn(&A) -> Result<Asked, String> + Sync,
        read: impl Fn(&PackedWeights, &Asked, &[f32]) -> T + Sync,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), LmError> {
        let mut weights = PackedWeights::default();
        weights.fill(&self.decoder, false).map_err(|error| self.failed(&error))?;
        let config = self.decoder.config();
        let batch = |workspace: &mut Workspace, rows: &[A]| -> Vec<Result<T, RowError>> {
            let asked: Vec<Result<Asked, String>> = rows
                .iter()
                .map(|row| {
                    let asked = ask(row)?;
                    match asked.tokens.len() {
                        1.. if asked.tokens.len() <= config.max_position_embeddings => Ok(asked),
                        length => Err(format!(
                            "{length} tokens, expected 1 to {}",
                            config.max_position_embeddings
                        )),
                    }
                })
                .collect();
            let mut sequences = Rows::default();
            for asked in asked.iter().flatten() {
                sequences.push(&asked.tokens, &asked.positions);
            }
            let mut states = states(config, &weights, &sequences, workspace);
            let mut next = |asked: &Asked| {
                let own;
                (own, states) = states.split_at(asked.positions.len() * config.hidden_size);
                read(&weights, asked, own)
            };
            std::iter::zip(rows, asked)
                .map(|(row, asked)| match asked {
                    Ok(asked) => Ok(next(&asked)),
                    Err(reason) => Err(RowError { key: key(row).clone(), reason }),
                })
                .collect()
        };
        let wave = BATCH * rayon::current_num_threads() * 4;
        for rows in rows.chunks(wave) {
            let scored: Vec<_> = rows
                .par_chunks(BATCH)
                .map_init(Workspace::default, |workspace, rows| batch(workspace, rows))
                .collect();
            for (row, result) in rows.iter().zip(scored.into_iter().flatten()) {
                if let ControlFlow::Break(()) = sink(key(row).clone(), result) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
