//! A checkpoint's tensors, in the order in which products read them.

use super::shape::Shape;
use crate::kernels::Matrix;
use crate::{ModelError, WeightFiles};

const EMBEDDING: &str = "model.embed_tokens";

/// Every weight of a decoder; `M` is a matrix, packed or on a device.
#[derive(Debug)]
pub(crate) struct Weights<M> {
    pub(crate) layers: Vec<Layer<M>>,
    pub(crate) final_norm: Vec<f32>,
    pub(crate) head: Linear<M>,
    /// Embeddings are read from here row by row: a copy would be the largest matrix of all.
    files: WeightFiles,
}

/// The weights of one layer; what the family has not is empty.
#[derive(Debug)]
pub(crate) struct Layer<M> {
    pub(crate) input_norm: Vec<f32>,
    /// Query, key and value, one below the other.
    pub(crate) query_key_value: Linear<M>,
    pub(crate) query_norm: Vec<f32>,
    pub(crate) key_norm: Vec<f32>,
    pub(crate) attention_out: Linear<M>,
    pub(crate) attention_out_norm: Vec<f32>,
    pub(crate) mlp_norm: Vec<f32>,
    /// Gate and up, one below the other.
    pub(crate) gate_up: Linear<M>,
    pub(crate) down: Linear<M>,
    pub(crate) mlp_out_norm: Vec<f32>,
}

/// A matrix with its bias, if it has one.
#[derive(Debug)]
pub(crate) struct Linear<M> {
    pub(crate) matrix: M,
    pub(crate) bias: Vec<f32>,
}

impl Linear<Matrix> {
    /// `to = x matrix^T + bias`, row by row; `to` is resized to (rows, outputs).
    pub(crate) fn product(&self, x: &[f32], rows: usize, to: &mut Vec<f32>) {
        let outputs = self.matrix.outputs();
        to.resize(rows * outputs, 0.0);
        self.matrix.product(x, rows, to, false);
        if !self.bias.is_empty() {
            for row in to.chunks_exact_mut(outputs) {
                for (to, bias) in row.iter_mut().zip(&self.bias) {
                    *to += bias;
                }
            }
        }
    }
}

impl<M> Weights<M> {
    /// Reads what `shape` asks for; `make` makes a matrix of its rows and their
    /// number and length. Names and shapes of all tensors are checked before the first
    /// number is read.
    pub(crate) fn read(
        shape: &Shape,
        files: WeightFiles,
        make: &Make<'_, M>,
    ) -> Result<Self, ModelError> {
        files.expect(&format!("{EMBEDDING}.weight"), &[shape.vocabulary, shape.hidden])?;
        let nothing = |_: &[f32], _, _| Ok(());
        Reader { shape, files: &files, make: &nothing, numbers: false }.all()?;
        let read = Reader { shape, files: &files, make, numbers: true }.all()?;
        Ok(Self { layers: read.layers, final_norm: read.final_norm, head: read.head, files })
    }

    /// The embedding of a token.
    pub(crate) fn embedding(&self, token: u32, to: &mut Vec<f32>) -> Result<(), ModelError> {
        let row = token as usize;
        self.files.read_rows_f32(&format!("{EMBEDDING}.weight"), row..row + 1, to)
    }
}

/// Makes a matrix of rows, their number and their length.
pub(crate) type Make<'a, M> = dyn Fn(&[f32], usize, usize) -> Result<M, ModelError> + 'a;

struct Reader<'a, M> {
    shape: &'a Shape,
    files: &'a WeightFiles,
    make: &'a Make<'a, M>,
    /// Are numbers read, or is only looked whether everything is there.
    numbers: bool,
}

/// All but the embeddings.
struct All<M> {
    layers: Vec<Layer<M>>,
    final_norm: Vec<f32>,
    head: Linear<M>,
}

impl<M> Reader<'_, M> {
    fn all(&self) -> Result<All<M>, ModelError> {
        let (shape, d) = (self.shape, self.shape.hidden);
        let head = if shape.tied { EMBEDDING } else { "lm_head" };
        Ok(All {
            layers: (0..shape.layers).map(|index| self.layer(index)).collect::<Result<_, _>>()?,
            final_norm: self.norm("model.norm", d)?,
            head: self.linear("", &[(head, shape.vocabulary)], d, false)?,
        })
    }

    fn layer(&self, index: usize) -> Result<Layer<M>, ModelError> {
        let (shape, family) = (self.shape, self.shape.family);
        let (d, q, k) = (shape.hidden, shape.query_width(), shape.key_width());
        let at = format!("model.layers.{index}.");
        let norm = |part: &str, width: usize, wanted: bool| {
            if wanted { self.norm(&format!("{at}{part}"), width) } else { Ok(Vec::new()) }
        };
        let linear = |parts: &[(&str, usize)], inputs: usize, bias: bool| {
            self.linear(&at, parts, inputs, bias)
        };
        let query_key_value =
            [("self_attn.q_proj", q), ("self_attn.k_proj", k), ("self_attn.v_proj", k)];
        let gate_up = [("mlp.gate_proj", shape.inner), ("mlp.up_proj", shape.inner)];
        let (own, after_attention) = (family.output_norms, "post_attention_layernorm");
        let before_mlp = if own { "pre_feedforward_layernorm" } else { after_attention };
        Ok(Layer {
            input_norm: norm("input_layernorm", d, true)?,
            query_key_value: linear(&query_key_value, d, shape.query_key_value_bias)?,
            query_norm: norm("self_attn.q_norm", shape.head, family.query_key_norm)?,
            key_norm: norm("self_attn.k_norm", shape.head, family.query_key_norm)?,
            attention_out: linear(&[("self_attn.o_proj", d)], q, shape.output_bias)?,
            attention_out_norm: norm(after_attention, d, own)?,
            mlp_norm: norm(before_mlp, d, true)?,
            gate_up: linear(&gate_up, d, shape.mlp_bias)?,
            down: linear(&[("mlp.down_proj", d)], shape.inner, shape.mlp_bias)?,
            mlp_out_norm: norm("post_feedforward_layernorm", d, own)?,
        })
    }

    fn norm(&self, name: &str, width: usize) -> Result<Vec<f32>, ModelError> {
        let mut weight = self.numbers(&format!("{name}.weight"), &[width])?;
        for weight in &mut weight {
            *weight += self.shape.family.norm_offset;
        }
        Ok(weight)
    }

    /// Matrices one below the other, with their biases.
    fn linear(
        &self,
        at: &str,
        parts: &[(&str, usize)],
        inputs: usize,
        biased: bool,
    ) -> Result<Linear<M>, ModelError> {
        let (mut rows, mut bias) = (Vec::new(), Vec::new());
        for (part, outputs) in parts {
            let part_rows = self.numbers(&format!("{at}{part}.weight"), &[*outputs, inputs])?;
            if rows.is_empty() {
                rows = part_rows;
            } else {
                rows.extend(part_rows);
            }
            if biased {
                bias.extend(self.numbers(&format!("{at}{part}.bias"), &[*outputs])?);
            }
        }
        let outputs = rows.len() / inputs;
        let matrix = (self.make)(&rows, outputs, inputs)?;
        Ok(Linear { matrix, bias })
    }

    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.files.expect(name, shape)?;
        let mut numbers = Vec::new();
        if self.numbers {
            self.files.read_f32(name, &mut numbers)?;
        }
        Ok(numbers)
    }
}
