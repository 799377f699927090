use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use gradus::data::FinishReason;
use gradus::lm::{
    Capabilities, Generate, Generated, LmError, Prompt, Request, RowError, Sampling, Sink,
};
use gradus::run::Stream;

use crate::decoding::{Decoding, Sequence};
use crate::packed::PackedWeights;
use crate::pick::Picker;
use crate::tokenizer::EOS;
use crate::{LocalModel, ModelError};

/// Sequences that a thread samples side by side.
const TILE: usize = 64;
/// Finished sequences that are replaced at once, so that prompts are read together.
const REFILL: usize = 8;

type Row = Result<Generated, RowError>;

impl Generate for LocalModel {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: true, prefix: true }
    }

    /// Samples on as many threads as rayon has. A row depends on its request,
    /// the sampling and the weights alone, to the bit: not on threads, not on
    /// the rows beside it.
    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        if sampling.min_p > 0.0 || sampling.repetition_penalty != 1.0 {
            return Err(LmError::Unsupported {
                model: self.name.clone(),
                request: "sample with min_p or a repetition penalty".to_owned(),
            });
        }
        let mut weights = PackedWeights::default();
        weights.fill(&self.decoder, false).map_err(|error| self.failed(&error))?;
        let queue = Queue { requests, next: AtomicUsize::new(0), stopped: AtomicBool::new(false) };
        let work = |emit: &mut dyn FnMut(usize, Row) -> ControlFlow<()>| {
            Sampler::new(self, &weights, sampling, &queue).run(emit);
        };
        let threads = rayon::current_num_threads().min(requests.len().div_ceil(TILE)).max(1);
        if threads == 1 {
            work(&mut |index, row| sink(requests[index].key.clone(), row));
            return Ok(());
        }
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let sender = sender.clone();
                scope.spawn(move || {
                    work(&mut |index, row| match sender.send((index, row)) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    });
                });
            }
            drop(sender);
            // Leaving the loop drops the receiver, which stops the threads.
            for (index, row) in receiver {
                if sink(requests[index].key.clone(), row).is_break() {
                    queue.stopped.store(true, Ordering::Relaxed);
                    break;
                }
            }
        });
        Ok(())
    }
}

impl LocalModel {
    pub(crate) fn failed(&self, error: &ModelError) -> LmError {
        LmError::Failed { model: self.name.clone(), reason: error.to_string() }
    }

    pub(crate) fn prompt_tokens(&self, prompt: &Prompt) -> Result<Vec<u32>, String> {
        match prompt {
            Prompt::Text(text) => self.tokenizer.encode(text).map_err(|error| error.to_string()),
            Prompt::Tokens(ids) => {
                let size = self.decoder.config().vocab_size;
                match ids.iter().find(|&&id| id as usize >= size) {
                    Some(id) => Err(format!("token {id} of a vocabulary of {size}")),
                    None => Ok(ids.to_vec()),
                }
            }
            Prompt::Chat(_) => Err("this model has no chat template".to_owned()),
        }
    }
}

/// What is still to be sampled, shared by the threads.
struct Queue<'a> {
    requests: &'a [Request],
    next: AtomicUsize,
    stopped: AtomicBool,
}

impl Queue<'_> {
    /// The next requests, at most `count`.
    fn take(&self, count: usize) -> std::ops::Range<usize> {
        let start = self.next.fetch_add(count, Ordering::Relaxed).min(self.requests.len());
        start..(start + count).min(self.requests.len())
    }
}

/// A request that is being sampled.
struct Active {
    request: usize,
    sequence: Sequence,
    stream: Stream,
    /// Number of tokens given: the prompt's and the prefix's.
    given: usize,
    /// The request's prefix and what was sampled.
    tokens: Vec<u32>,
    token_log_probs: Vec<f32>,
    /// Most tokens to sample.
    budget: usize,
}

/// The sampling of one thread.
struct Sampler<'a> {
    model: &'a LocalModel,
    sampling: &'a Sampling,
    queue: &'a Queue<'a>,
    decoding: Decoding<'a>,
    picker: Picker<'a>,
    active: Vec<Active>,
    spare: Vec<Sequence>,
}

impl<'a> Sampler<'a> {
    fn new(
        model: &'a LocalModel,
        weights: &'a PackedWeights,
        sampling: &'a Sampling,
        queue: &'a Queue<'a>,
    ) -> Self {
        let config = model.decoder.config();
        Self {
            model,
            sampling,
            queue,
            decoding: Decoding::new(config, weights),
            picker: Picker::new(sampling, config.vocab_size),
            active: Vec::with_capacity(TILE),
            spare: Vec::new(),
        }
    }

    fn run(mut self, emit: &mut dyn FnMut(usize, Row) -> ControlFlow<()>) {
        let mut empty = false;
        while !self.queue.stopped.load(Ordering::Relaxed) {
            let free = TILE - self.active.len();
            let next = if !empty && (free >= REFILL || self.active.is_empty()) {
                let taken = self.queue.take(free);
                empty = taken.is_empty();
                self.start(taken, emit)
            } else if self.active.is_empty() {
                break;
            } else {
                self.step(emit)
            };
            if next.is_break() {
                break;
            }
        }
    }

    /// Reads the prompts of new requests and samples the first token of each.
    fn start(
        &mut self,
        taken: std::ops::Range<usize>,
        emit: &mut dyn FnMut(usize, Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut prompts: Vec<Vec<u32>> = Vec::new();
        let mut started = Vec::new();
        for index in taken {
            match self.given(index) {
                Ok((tokens, prefix)) => {
                    let prefix = tokens[tokens.len() - prefix..].to_vec();
                    if prompts.last() != Some(&tokens) {
                        prompts.push(tokens);
                    }
                    started.push((index, prompts.len() - 1, prefix));
                }
                Err(reason) => {
                    let key = self.queue.requests[index].key.clone();
                    emit(index, Err(RowError { key, reason }))?;
                }
            }
        }
        if started.is_empty() {
            return ControlFlow::Continue(());
        }
        let config = self.model.decoder.config();
        let slices: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let (read, logits) = self.decoding.read(&slices);
        self.picker.look(logits);
        let first = self.active.len();
        let mut rows = Vec::with_capacity(started.len());
        for (index, prompt, prefix) in started {
            let key = &self.queue.requests[index].key;
            let (sample, branch) = (key.sample.to_string(), key.branch.to_string());
            let path = [self.sampling.stream.as_str(), &key.problem, &sample, &branch];
            let room = config.max_position_embeddings - prompts[prompt].len();
            let budget = self.sampling.max_tokens.min(room);
            let sequence = match self.spare.pop() {
                Some(mut sequence) => {
                    sequence.restart(read[prompt].clone());
                    sequence
                }
                None => Sequence::new(read[prompt].clone(), config, self.sampling.max_tokens),
            };
            self.active.push(Active {
                request: index,
                sequence,
                stream: Stream::new(self.sampling.seed, &path),
                given: prompts[prompt].len(),
                tokens: prefix,
                token_log_probs: Vec::with_capacity(budget),
                budget,
            });
            rows.push(prompt);
        }
        self.pick(first, &rows, emit)
    }

    /// Samples the next token of every active request.
    fn step(&mut self, emit: &mut dyn FnMut(usize, Row) -> ControlFlow<()>) -> ControlFlow<()> {
        let last = |active: &Active| active.tokens.last().copied().unwrap_or(EOS);
        let tokens: Vec<u32> = self.active.iter().map(last).collect();
        let mut sequences: Vec<&mut Sequence> =
            self.active.iter_mut().map(|active| &mut active.sequence).collect();
        let logits = self.decoding.step(&tokens, &mut sequences);
        self.picker.look(logits);
        let rows: Vec<usize> = (0..self.active.len()).collect();
        self.pick(0, &rows, emit)
    }

    /// Picks a token for each active request from `first` on, from its row of
    /// the logits; emits what is finished.
    fn pick(
        &mut self,
        first: usize,
        rows: &[usize],
        emit: &mut dyn FnMut(usize, Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut finished = Vec::new();
        for (at, &row) in rows.iter().enumerate() {
            let active = &mut self.active[first + at];
            let done = if active.budget == 0 {
                Some((self.model.tokenizer.decode(&active.tokens), FinishReason::Length))
            } else {
                let picked = self.picker.pick(row, &mut active.stream);
                active.token_log_probs.push(picked.log_prob);
                active.tokens.push(picked.token);
                if picked.token == EOS || self.sampling.stop_tokens.contains(&picked.token) {
                    let text = &active.tokens[..active.tokens.len() - 1];
                    Some((self.model.tokenizer.decode(text), FinishReason::Stop))
                } else {
                    ended(self.model, active, self.sampling)
                }
            };
            if let Some((text, finish_reason)) = done {
                finished.push(first + at);
                let token_log_probs = std::mem::take(&mut active.token_log_probs);
                let sampled = token_log_probs.len();
                let row = Generated {
                    text,
                    tokens: active.tokens.split_off(active.tokens.len() - sampled),
                    token_log_probs,
                    sampled_log_probs: Vec::new(),
                    prompt_tokens: Some(active.given),
                    completion_tokens: Some(sampled),
                    finish_reason,
                };
                emit(active.request, Ok(row))?;
            }
        }
        for at in finished.into_iter().rev() {
            self.spare.push(self.active.swap_remove(at).sequence);
        }
        ControlFlow::Continue(())
    }

    /// The tokens that the model is given, and how many of them are the prefix.
    fn given(&self, index: usize) -> Result<(Vec<u32>, usize), String> {
        let request = &self.queue.requests[index];
        let mut tokens = self.model.prompt_tokens(&request.prompt)?;
        let prefix = self.model.tokenizer.encode(&request.prefix).map_err(|e| e.to_string())?;
        tokens.extend(&prefix);
        let longest = self.model.decoder.config().max_position_embeddings;
        if tokens.is_empty() || tokens.len() >= longest {
            return Err(format!("{} tokens given, expected 1 to {}", tokens.len(), longest - 1));
        }
        Ok((tokens, prefix.len()))
    }
}

/// The text and reason, where a stop string or the budget ends a request.
fn ended(
    model: &LocalModel,
    active: &Active,
    sampling: &Sampling,
) -> Option<(String, FinishReason)> {
    let spent = active.token_log_probs.len() == active.budget;
    if sampling.stop.is_empty() && !spent {
        return None;
    }
    let mut text = model.tokenizer.decode(&active.tokens);
    let stops = sampling.stop.iter().filter_map(|stop| text.find(stop.as_str()));
    if let Some(end) = stops.min() {
        text.truncate(end);
        return Some((text, FinishReason::Stop));
    }
    spent.then_some((text, FinishReason::Length))
}
