use super::config::{EncoderConfig, Head};
use crate::ModelError;
use crate::kernels::{Panels, matmul};
use crate::weights::WeightFiles;

/// A matrix with its bias.
#[derive(Debug)]
pub(super) struct Dense {
    weight: Panels,
    bias: Vec<f32>,
}

impl Dense {
    /// `outputs = inputs weight^T + bias`, row by row.
    pub(super) fn apply(&self, inputs: &[f32], outputs: &mut Vec<f32>) {
        let rows = inputs.len() / self.weight.depth();
        outputs.clear();
        for _ in 0..rows {
            outputs.extend_from_slice(&self.bias);
        }
        matmul(inputs, &self.weight, outputs, true);
    }
}

/// Scale and shift of a layer norm.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    /// Queries, keys and values side by side.
    pub(super) qkv: Dense,
    pub(super) attention_out: Dense,
    pub(super) attention_norm: Norm,
    pub(super) mlp_in: Dense,
    pub(super) mlp_out: Dense,
    pub(super) mlp_norm: Norm,
}

/// The head of a classifier: `out(tanh(dense(first token)))`.
#[derive(Debug)]
pub(super) struct Classifier {
    pub(super) dense: Dense,
    pub(super) out: Dense,
    pub(super) labels: usize,
}

#[derive(Debug)]
pub(super) struct EncoderWeights {
    pub(super) words: Vec<f32>,
    /// Positions of a text's tokens from the first on.
    pub(super) positions: Vec<f32>,
    /// Of the first and second text of a pair; empty where the model has none.
    pub(super) types: Vec<f32>,
    pub(super) embedding_norm: Norm,
    pub(super) layers: Vec<Layer>,
    pub(super) classifier: Option<Classifier>,
}

/// Reads tensors by name.
struct Reader<'a> {
    files: &'a WeightFiles,
    prefix: &'static str,
}

impl Reader<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.whole(&format!("{}{name}", self.prefix), shape)
    }

    /// A tensor outside the encoder's own names.
    fn whole(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.files.expect(name, shape)?;
        let mut values = Vec::new();
        self.files.read_f32(name, &mut values)?;
        Ok(values)
    }

    fn dense(&self, name: &str, outputs: usize, inputs: usize) -> Result<Dense, ModelError> {
        self.whole_dense(&format!("{}{name}", self.prefix), outputs, inputs)
    }

    fn whole_dense(&self, name: &str, outputs: usize, inputs: usize) -> Result<Dense, ModelError> {
        let values = self.whole(&format!("{name}.weight"), &[outputs, inputs])?;
        let mut weight = Panels::default();
        weight.pack_transposed(&values, outputs, inputs);
        Ok(Dense { weight, bias: self.whole(&format!("{name}.bias"), &[outputs])? })
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm, ModelError> {
        Ok(Norm {
            weight: self.tensor(&format!("{name}.weight"), &[width])?,
            bias: self.tensor(&format!("{name}.bias"), &[width])?,
        })
    }

    /// Several matrices of the same inputs as one.
    fn joined(&self, names: [&str; 3], width: usize) -> Result<Dense, ModelError> {
        let (mut values, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            values.extend(self.tensor(&format!("{name}.weight"), &[width, width])?);
            bias.extend(self.tensor(&format!("{name}.bias"), &[width])?);
        }
        let mut weight = Panels::default();
        weight.pack_transposed(&values, names.len() * width, width);
        Ok(Dense { weight, bias })
    }
}

impl EncoderWeights {
    pub(super) fn read(files: &WeightFiles, config: &EncoderConfig) -> Result<Self, ModelError> {
        let d = config.hidden_size;
        // A bare encoder has its weights without the family's prefix.
        let bare = files.info("embeddings.word_embeddings.weight").is_some();
        let reader = Reader { files, prefix: if bare { "" } else { config.family.prefix } };
        let positions = reader.tensor(
            "embeddings.position_embeddings.weight",
            &[config.max_position_embeddings, d],
        )?;
        let types = if config.type_vocab_size == 0 {
            Vec::new()
        } else {
            let shape = [config.type_vocab_size, d];
            reader.tensor("embeddings.token_type_embeddings.weight", &shape)?
        };
        let layer = |index: usize| {
            let at = |name: &str| format!("encoder.layer.{index}.{name}");
            let parts = ["query", "key", "value"].map(|part| at(&format!("attention.self.{part}")));
            Ok(Layer {
                qkv: reader.joined([&parts[0], &parts[1], &parts[2]], d)?,
                attention_out: reader.dense(&at("attention.output.dense"), d, d)?,
                attention_norm: reader.norm(&at("attention.output.LayerNorm"), d)?,
                mlp_in: reader.dense(&at("intermediate.dense"), config.intermediate_size, d)?,
                mlp_out: reader.dense(&at("output.dense"), d, config.intermediate_size)?,
                mlp_norm: reader.norm(&at("output.LayerNorm"), d)?,
            })
        };
        let labels =
            |name: &str| files.info(name).and_then(|info| info.shape.first().copied()).unwrap_or(1);
        let classifier = match config.head {
            Head::None => None,
            Head::Pooler => {
                let labels = labels("classifier.weight");
                let out = reader.whole_dense("classifier", labels, d)?;
                Some(Classifier { dense: reader.dense("pooler.dense", d, d)?, out, labels })
            }
            Head::Dense => {
                let labels = labels("classifier.out_proj.weight");
                let out = reader.whole_dense("classifier.out_proj", labels, d)?;
                Some(Classifier {
                    dense: reader.whole_dense("classifier.dense", d, d)?,
                    out,
                    labels,
                })
            }
        };
        Ok(Self {
            words: reader.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, d])?,
            positions: positions[config.first_position * d..].to_vec(),
            types,
            embedding_norm: reader.norm("embeddings.LayerNorm", d)?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_, ModelError>>()?,
            classifier,
        })
    }
}
