//! The sampling loop: requests share passes through a decoder, and a place that
//! gets free is filled again.

use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gradus::data::FinishReason;
use gradus::lm::{Generated, Request, RowError, Sampling};
use gradus::run::Stream;

use crate::ModelError;
use crate::language::Language;
use crate::pick::Picker;

/// Finished sequences that are replaced at once, so that prompts are read together.
const REFILL: usize = 8;

/// What becomes of a request.
pub(crate) type Row = Result<Generated, RowError>;

/// Takes the row of the request at an index; `Break` stops the work.
pub(crate) type Emit<'a> = dyn FnMut(usize, Row) -> ControlFlow<()> + 'a;

/// A decoder as the sampling loop sees it.
pub(crate) trait Decode {
    /// What has been read of a prompt; its samples share it.
    type Prompt: Clone;
    /// A sequence that is being sampled.
    type Sequence;

    /// Reads prompts; the logits that follow each, row by row.
    fn read(
        &mut self,
        prompts: &[&[u32]],
        logits: &mut Vec<f32>,
    ) -> Result<Vec<Self::Prompt>, ModelError>;

    /// A sequence that begins with `prompt` and has room for `room` more tokens,
    /// made of one that is finished if there is one.
    fn begin(
        &self,
        prompt: Self::Prompt,
        room: usize,
        finished: Option<Self::Sequence>,
    ) -> Self::Sequence;

    /// Adds a token to each sequence; the logits that follow, row by row.
    fn step(
        &mut self,
        tokens: &[u32],
        sequences: &mut [&mut Self::Sequence],
        logits: &mut Vec<f32>,
    ) -> Result<(), ModelError>;
}

/// What is still to be sampled, shared by the threads.
pub(crate) struct Queue<'a> {
    pub(crate) requests: &'a [Request],
    next: AtomicUsize,
    stopped: AtomicBool,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(requests: &'a [Request]) -> Self {
        Self { requests, next: AtomicUsize::new(0), stopped: AtomicBool::new(false) }
    }

    /// Ends the work of every thread.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The next requests, at most `count`.
    fn take(&self, count: usize) -> Range<usize> {
        let start = self.next.fetch_add(count, Ordering::Relaxed).min(self.requests.len());
        start..(start + count).min(self.requests.len())
    }
}

/// A request that is being sampled.
struct Active<S> {
    request: usize,
    sequence: S,
    stream: Stream,
    /// The tokens of the prompt and the prefix.
    given: Rc<[u32]>,
    /// The sampled tokens.
    tokens: Vec<u32>,
    /// The prefix and what the sampled tokens add to it.
    text: Vec<u8>,
    token_log_probs: Vec<f32>,
    sampled_log_probs: Vec<f32>,
    /// Most tokens to sample.
    budget: usize,
}

/// A prompt that has been read, with the logits that follow it.
struct Known<P> {
    tokens: Rc<[u32]>,
    prompt: P,
    logits: Vec<f32>,
}

/// The sampling of one thread.
pub(crate) struct Sampler<'a, D: Decode> {
    decoder: D,
    language: Language<'a>,
    sampling: &'a Sampling,
    queue: &'a Queue<'a>,
    /// Sequences side by side.
    tile: usize,
    picker: Picker<'a>,
    active: Vec<Active<D::Sequence>>,
    finished: Vec<D::Sequence>,
    /// The prompt that was read last: the next request may share it.
    known: Option<Known<D::Prompt>>,
    logits: Vec<f32>,
}

impl<'a, D: Decode> Sampler<'a, D> {
    pub(crate) fn new(
        decoder: D,
        language: Language<'a>,
        sampling: &'a Sampling,
        queue: &'a Queue<'a>,
        tile: usize,
    ) -> Self {
        Self {
            decoder,
            language,
            sampling,
            queue,
            tile,
            picker: Picker::new(sampling, language.never),
            active: Vec::with_capacity(tile),
            finished: Vec::new(),
            known: None,
            logits: Vec::new(),
        }
    }

    /// Samples until nothing is left or the work is stopped.
    pub(crate) fn run(mut self, emit: &mut Emit<'_>) -> Result<(), ModelError> {
        let mut empty = false;
        while !self.queue.stopped.load(Ordering::Relaxed) {
            let free = self.tile - self.active.len();
            let next = if !empty && (free >= REFILL.min(self.tile) || self.active.is_empty()) {
                let taken = self.queue.take(free);
                empty = taken.is_empty();
                self.start(taken, emit)?
            } else if self.active.is_empty() {
                break;
            } else {
                self.step(emit)?
            };
            if next.is_break() {
                self.queue.stop();
            }
        }
        Ok(())
    }

    /// Reads the prompts of new requests and samples the first token of each.
    fn start(
        &mut self,
        taken: Range<usize>,
        emit: &mut Emit<'_>,
    ) -> Result<ControlFlow<()>, ModelError> {
        let mut prompts: Vec<Rc<[u32]>> = Vec::new();
        let mut started = Vec::new();
        for index in taken {
            match self.given(index) {
                Ok(tokens) => {
                    if prompts.last().is_none_or(|last| **last != tokens) {
                        prompts.push(tokens.into());
                    }
                    started.push((index, prompts.len() - 1));
                }
                Err(reason) => {
                    let key = self.queue.requests[index].key.clone();
                    if emit(index, Err(RowError { key, reason })).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        let Some(last) = prompts.last().cloned() else {
            return Ok(ControlFlow::Continue(()));
        };
        let known = self.known.take().filter(|known| known.tokens == prompts[0]);
        let new: Vec<&[u32]> =
            prompts[usize::from(known.is_some())..].iter().map(AsRef::as_ref).collect();
        let mut read = self.decoder.read(&new, &mut self.logits)?;
        if let Some(known) = known {
            read.insert(0, known.prompt);
            self.logits.splice(0..0, known.logits);
        }
        let first = self.active.len();
        let mut rows = Vec::with_capacity(started.len());
        for (index, prompt) in started {
            let request = &self.queue.requests[index];
            let key = &request.key;
            let (sample, branch) = (key.sample.to_string(), key.branch.to_string());
            let path = [self.sampling.stream.as_str(), &key.problem, &sample, &branch];
            let given = Rc::clone(&prompts[prompt]);
            let budget = self.sampling.max_tokens.min(self.language.longest - given.len());
            let room = self.sampling.max_tokens.min(self.language.longest);
            self.active.push(Active {
                request: index,
                sequence: self.decoder.begin(read[prompt].clone(), room, self.finished.pop()),
                stream: Stream::new(self.sampling.seed, &path),
                given,
                tokens: Vec::new(),
                text: request.prefix.as_bytes().to_vec(),
                token_log_probs: Vec::new(),
                sampled_log_probs: Vec::new(),
                budget,
            });
            rows.push(prompt);
        }
        let last_row = (read.len() - 1) * self.language.vocabulary;
        self.known = read.pop().map(|prompt| Known {
            tokens: last,
            prompt,
            logits: self.logits[last_row..].to_vec(),
        });
        Ok(self.pick(first, &rows, emit))
    }

    /// Samples the next token of every active request.
    fn step(&mut self, emit: &mut Emit<'_>) -> Result<ControlFlow<()>, ModelError> {
        let last = |active: &Active<D::Sequence>| {
            active.tokens.last().or(active.given.last()).copied().unwrap_or_default()
        };
        let tokens: Vec<u32> = self.active.iter().map(last).collect();
        let mut sequences: Vec<&mut D::Sequence> =
            self.active.iter_mut().map(|active| &mut active.sequence).collect();
        self.decoder.step(&tokens, &mut sequences, &mut self.logits)?;
        let rows: Vec<usize> = (0..self.active.len()).collect();
        Ok(self.pick(0, &rows, emit))
    }

    /// Picks a token for each active request from `first` on, from its row of
    /// the logits; emits what is finished.
    fn pick(&mut self, first: usize, rows: &[usize], emit: &mut Emit<'_>) -> ControlFlow<()> {
        let mut finished = Vec::new();
        for (at, &row) in rows.iter().enumerate() {
            let size = self.language.vocabulary;
            let logits = &self.logits[row * size..(row + 1) * size];
            let active = &mut self.active[first + at];
            let row = match next(active, logits, &mut self.picker, self.language, self.sampling) {
                Ok(None) => continue,
                Ok(Some(reason)) => Ok(generated(active, reason)),
                Err(reason) => {
                    let key = self.queue.requests[active.request].key.clone();
                    Err(RowError { key, reason })
                }
            };
            finished.push(first + at);
            emit(active.request, row)?;
        }
        for at in finished.into_iter().rev() {
            self.finished.push(self.active.swap_remove(at).sequence);
        }
        ControlFlow::Continue(())
    }

    /// The tokens that the model is given.
    fn given(&self, index: usize) -> Result<Vec<u32>, String> {
        let request = &self.queue.requests[index];
        let (mut tokens, prefix) = self.language.continued(&request.prompt, &request.prefix)?;
        tokens.extend(&prefix);
        let longest = self.language.longest;
        if tokens.is_empty() || tokens.len() >= longest {
            return Err(format!("{} tokens given, expected 1 to {}", tokens.len(), longest - 1));
        }
        Ok(tokens)
    }
}

/// Samples a token of a request; why it ends, if it does.
fn next<S>(
    active: &mut Active<S>,
    logits: &[f32],
    picker: &mut Picker<'_>,
    language: Language<'_>,
    sampling: &Sampling,
) -> Result<Option<FinishReason>, String> {
    if active.budget == 0 {
        return Ok(Some(FinishReason::Length));
    }
    let picked = picker.pick(logits, &[&active.given, &active.tokens], &mut active.stream)?;
    active.tokens.push(picked.token);
    active.token_log_probs.push(picked.log_prob);
    active.sampled_log_probs.push(picked.sampled_log_prob);
    let ends = language.tokenizer.end_of_sequence();
    if ends.contains(&picked.token) || sampling.stop_tokens.contains(&picked.token) {
        return Ok(Some(FinishReason::Stop));
    }
    let before = active.text.len();
    language.tokenizer.append(picked.token, &mut active.text);
    // A stop string ends in what the token added, wherever it begins.
    let found = sampling.stop.iter().filter_map(|stop| {
        let from = (before + 1).saturating_sub(stop.len().max(1));
        find(&active.text[from..], stop.as_bytes()).map(|at| from + at)
    });
    if let Some(end) = found.min() {
        active.text.truncate(end);
        return Ok(Some(FinishReason::Stop));
    }
    Ok((active.tokens.len() == active.budget).then_some(FinishReason::Length))
}

/// Where `wanted` begins in `text`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() { Some(0) } else { text.windows(wanted.len()).position(|at| at == wanted) }
}

fn generated<S>(active: &mut Active<S>, finish_reason: FinishReason) -> Generated {
    let tokens = std::mem::take(&mut active.tokens);
    Generated {
        text: String::from_utf8_lossy(&active.text).into_owned(),
        token_log_probs: std::mem::take(&mut active.token_log_probs),
        sampled_log_probs: std::mem::take(&mut active.sampled_log_probs),
        prompt_tokens: Some(active.given.len()),
        completion_tokens: Some(tokens.len()),
        tokens,
        finish_reason,
    }
}
