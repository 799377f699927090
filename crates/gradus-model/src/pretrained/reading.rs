//! The decoder behind the sampling loop: prompts are read in blocks, each once
//! for all its samples.

use std::sync::Arc;

use super::forward::{BLOCK, Forward, Run};
use crate::ModelError;
use crate::sampler::Decode;

/// A sequence that is being sampled.
#[derive(Debug)]
pub(crate) struct Sequence<C> {
    prompt: Arc<C>,
    own: C,
}

/// A decoder with the buffers of its passes.
#[derive(Debug)]
pub(crate) struct Reading<'a, F: Forward> {
    pub(crate) model: &'a F,
    workspace: F::Workspace,
    normed: Vec<f32>,
}

impl<'a, F: Forward> Reading<'a, F> {
    pub(crate) fn new(model: &'a F) -> Self {
        Self { model, workspace: model.workspace(), normed: Vec::new() }
    }

    /// Sends sequences through the first `layers` layers in blocks. `state` is
    /// given the index of a sequence, the place of a token in it, and the
    /// residual stream there; tokens of a sequence come in order.
    ///
    /// `befores` are what the sequences continue, or empty.
    pub(crate) fn pass(
        &mut self,
        befores: &[Arc<F::Cache>],
        sequences: &[&[u32]],
        owns: &mut [F::Cache],
        layers: usize,
        mut state: impl FnMut(usize, usize, &[f32]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let hidden = self.model.shape().hidden;
        let (mut first, mut done) = (0, 0);
        while first < sequences.len() {
            let mut runs = Vec::new();
            let mut rows = Vec::new();
            let (mut index, mut from) = (first, done);
            for (own, sequence) in owns[first..].iter_mut().zip(&sequences[first..]) {
                let to = sequence.len().min(from + BLOCK - rows.len());
                if from < to {
                    let before = befores.get(index).map(AsRef::as_ref);
                    runs.push(Run { before, own, tokens: &sequence[from..to] });
                    rows.extend((from..to).map(|at| (index, at)));
                }
                if to < sequence.len() {
                    from = to;
                    break;
                }
                (index, from) = (index + 1, 0);
            }
            (first, done) = (index, from);
            if runs.is_empty() {
                continue;
            }
            let states = self.model.forward(&mut runs, layers, &mut self.workspace)?;
            for (&(index, at), row) in rows.iter().zip(states.chunks_exact(hidden)) {
                state(index, at, row)?;
            }
        }
        Ok(())
    }

    /// Reads prompts; `states` gets the residual stream behind the last token of each.
    pub(crate) fn prompts(
        &mut self,
        prompts: &[&[u32]],
        states: &mut Vec<f32>,
    ) -> Result<Vec<Arc<F::Cache>>, ModelError> {
        let shape = self.model.shape();
        let mut owns: Vec<_> =
            prompts.iter().map(|tokens| self.model.cache(tokens.len())).collect();
        states.resize(prompts.len() * shape.hidden, 0.0);
        let last = |index: usize, at: usize, row: &[f32]| {
            if at + 1 == prompts[index].len() {
                states[index * row.len()..][..row.len()].copy_from_slice(row);
            }
            Ok(())
        };
        self.pass(&[], prompts, &mut owns, shape.layers, last)?;
        Ok(owns.into_iter().map(Arc::new).collect())
    }
}

impl<F: Forward> Decode for Reading<'_, F> {
    type Prompt = Arc<F::Cache>;
    type Sequence = Sequence<F::Cache>;

    fn read(
        &mut self,
        prompts: &[&[u32]],
        logits: &mut Vec<f32>,
    ) -> Result<Vec<Self::Prompt>, ModelError> {
        logits.clear();
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        let mut states = Vec::new();
        let read = self.prompts(prompts, &mut states)?;
        self.model.final_norm(&states, &mut self.normed)?;
        self.model.logits(&self.normed, logits)?;
        Ok(read)
    }

    fn begin(
        &self,
        prompt: Self::Prompt,
        room: usize,
        finished: Option<Self::Sequence>,
    ) -> Self::Sequence {
        let own = match finished {
            Some(Sequence { mut own, .. }) => {
                self.model.clear(&mut own);
                own
            }
            None => self.model.cache(room),
        };
        Sequence { prompt, own }
    }

    fn step(
        &mut self,
        tokens: &[u32],
        sequences: &mut [&mut Self::Sequence],
        logits: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let mut runs: Vec<Run<'_, F::Cache>> = sequences
            .iter_mut()
            .zip(tokens)
            .map(|(sequence, token)| Run {
                before: Some(sequence.prompt.as_ref()),
                own: &mut sequence.own,
                tokens: std::slice::from_ref(token),
            })
            .collect();
        let layers = self.model.shape().layers;
        let states = self.model.forward(&mut runs, layers, &mut self.workspace)?;
        self.model.final_norm(states, &mut self.normed)?;
        self.model.logits(&self.normed, logits)
    }
}
