//! One token at a time: the decoder over cached keys and values, without gradients.

use std::rc::Rc;

use crate::ModelError;
use crate::fused::{Rows, Workspace, states};
use crate::kernels::{self, Heads, Rotary, Segment};
use crate::packed::PackedWeights;
use crate::sampler::Decode;
use crate::{Activation, DecoderConfig};

/// Keys and values of a prompt, one segment per layer; samples of it share them.
pub(crate) type Prompt = Rc<Vec<Segment>>;

/// A sequence that is being sampled.
#[derive(Debug)]
pub(crate) struct Sequence {
    prompt: Prompt,
    own: Vec<Segment>,
}

impl Sequence {
    /// Room for `capacity` tokens after `prompt`.
    pub(crate) fn new(prompt: Prompt, config: &DecoderConfig, capacity: usize) -> Self {
        let own = vec![Segment::new(heads(config), capacity); config.num_hidden_layers];
        Self { prompt, own }
    }

    /// The same room for another sample.
    pub(crate) fn restart(&mut self, prompt: Prompt) {
        self.prompt = prompt;
        self.own.iter_mut().for_each(Segment::clear);
    }

    /// Number of tokens so far, the prompt's included.
    pub(crate) fn len(&self) -> usize {
        self.prompt[0].len() + self.own[0].len()
    }
}

fn heads(config: &DecoderConfig) -> Heads {
    Heads { count: config.num_attention_heads, width: config.head_size() }
}

/// The decoder with the buffers of one thread.
#[derive(Debug)]
pub(crate) struct Decoding<'a> {
    config: &'a DecoderConfig,
    weights: &'a PackedWeights,
    workspace: Workspace,
    rotary: Rotary,
    x: Vec<f32>,
    normed: Vec<f32>,
    inverse: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    inner: Vec<f32>,
    activated: Vec<f32>,
    scores: Vec<f32>,
    positions: Vec<u32>,
}

impl<'a> Decoding<'a> {
    pub(crate) fn new(config: &'a DecoderConfig, weights: &'a PackedWeights) -> Self {
        Self {
            config,
            weights,
            workspace: Workspace::default(),
            rotary: Rotary::default(),
            x: Vec::new(),
            normed: Vec::new(),
            inverse: Vec::new(),
            qkv: Vec::new(),
            attended: Vec::new(),
            inner: Vec::new(),
            activated: Vec::new(),
            scores: Vec::new(),
            positions: Vec::new(),
        }
    }
}

impl Decode for Decoding<'_> {
    type Prompt = Prompt;
    type Sequence = Sequence;

    fn read(
        &mut self,
        prompts: &[&[u32]],
        logits: &mut Vec<f32>,
    ) -> Result<Vec<Prompt>, ModelError> {
        let config = self.config;
        let mut rows = Rows::default();
        for tokens in prompts {
            rows.push(tokens, &[tokens.len() - 1]);
        }
        let states = states(config, self.weights, &rows, &mut self.workspace);
        logits.resize(prompts.len() * config.vocab_size, 0.0);
        kernels::matmul(states, &self.weights.lm_head.forward, logits, false);
        let read = (0..prompts.len())
            .map(|index| {
                let layers = (0..config.num_hidden_layers).map(|layer| {
                    let sequence = rows.sequence(index);
                    let mut segment = Segment::new(heads(config), sequence.len());
                    let width = 3 * config.hidden_size;
                    let qkv = &self.workspace.qkv(layer)[sequence.start * width..];
                    for row in qkv.chunks_exact(width).take(sequence.len()) {
                        segment.push(row);
                    }
                    segment
                });
                Rc::new(layers.collect())
            })
            .collect();
        Ok(read)
    }

    fn begin(&self, prompt: Prompt, room: usize, finished: Option<Sequence>) -> Sequence {
        match finished {
            Some(mut sequence) => {
                sequence.restart(prompt);
                sequence
            }
            None => Sequence::new(prompt, self.config, room),
        }
    }

    fn step(
        &mut self,
        tokens: &[u32],
        sequences: &mut [&mut Sequence],
        logits: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let (config, weights) = (self.config, self.weights);
        let (d, eps, rows) = (config.hidden_size, config.rms_norm_eps, tokens.len());
        self.positions.clear();
        self.positions.extend(sequences.iter().map(|sequence| sequence.len() as u32));
        let longest = self.positions.iter().max().map_or(0, |&last| last as usize + 1);
        self.rotary.cover(config.head_size(), config.rope_theta, longest.next_multiple_of(64));
        self.x.clear();
        for &token in tokens {
            self.x.extend_from_slice(&weights.embedding[token as usize * d..][..d]);
        }
        self.normed.resize(rows * d, 0.0);
        self.inverse.resize(rows, 0.0);
        self.qkv.resize(rows * 3 * d, 0.0);
        self.attended.resize(rows * d, 0.0);
        self.inner.resize(rows * config.packed_intermediate_size(), 0.0);
        self.activated.resize(rows * config.intermediate_size, 0.0);
        logits.resize(rows * config.vocab_size, 0.0);

        let scale = 1.0 / (config.head_size() as f32).sqrt();
        for (index, layer) in weights.layers.iter().enumerate() {
            kernels::rms_norm(&self.x, &layer.input_norm, eps, &mut self.normed, &mut self.inverse);
            kernels::matmul(&self.normed, &layer.qkv.forward, &mut self.qkv, false);
            kernels::rotate(&mut self.qkv, d, &self.positions, &self.rotary, scale, false);
            let attended = self.attended.chunks_exact_mut(d);
            for ((sequence, qkv), to) in
                sequences.iter_mut().zip(self.qkv.chunks_exact(3 * d)).zip(attended)
            {
                let own = &mut sequence.own[index];
                own.push(qkv);
                kernels::attend(&qkv[..d], &sequence.prompt[index], own, to, &mut self.scores);
            }
            kernels::matmul(&self.attended, &layer.attention_out.forward, &mut self.x, true);
            kernels::rms_norm(&self.x, &layer.mlp_norm, eps, &mut self.normed, &mut self.inverse);
            kernels::matmul(&self.normed, &layer.mlp_in.forward, &mut self.inner, false);
            match config.hidden_act {
                Activation::GeluTanh => kernels::gelu(&self.inner, &mut self.activated),
                Activation::Silu => {
                    kernels::swiglu(&self.inner, config.intermediate_size, &mut self.activated);
                }
            }
            kernels::matmul(&self.activated, &layer.mlp_out.forward, &mut self.x, true);
        }
        kernels::rms_norm(&self.x, &weights.final_norm, eps, &mut self.normed, &mut self.inverse);
        kernels::matmul(&self.normed, &weights.lm_head.forward, logits, false);
        Ok(())
    }
}
