use gradus::lm::{Embed, LmError, Pooling};

use super::forward::Forward;
use super::reading::Reading;
use super::{Pretrained, with_engine};

/// Texts that are read together.
const BATCH: usize = 16;

impl Embed for Pretrained {
    /// Layers are `embeddings`, `layers.0` and so on (the residual stream behind
    /// that layer) and `norm`, the final norm, which is also the default. What
    /// the model expects before a text is read and pooled, too; a decoder's
    /// own pooling is the mean.
    fn embed(
        &self,
        texts: &[&str],
        layer: Option<&str>,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError> {
        let place = self.layer(layer)?;
        with_engine!(self, engine => self.embedded(Reading::new(engine), texts, place, pooling))
    }
}

impl Pretrained {
    /// Vectors of the state behind the first `layers` layers.
    fn embedded<F: Forward>(
        &self,
        mut reading: Reading<'_, F>,
        texts: &[&str],
        (layers, normed): (usize, bool),
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError> {
        let (model, shape) = (reading.model, self.shape());
        let mut vectors = Vec::with_capacity(texts.len());
        for (batch, texts) in texts.chunks(BATCH).enumerate() {
            let mut sequences = Vec::with_capacity(texts.len());
            for (at, text) in texts.iter().enumerate() {
                let place = batch * BATCH + at;
                let mut tokens = self.tokenizer.beginning().to_vec();
                let own = self.tokenizer.encode(text);
                tokens.extend(own.map_err(|error| self.failed(&format!("text {place}: {error}")))?);
                if tokens.is_empty() || tokens.len() > shape.longest {
                    return Err(self.failed(&format!(
                        "text {place}: {} tokens, expected 1 to {}",
                        tokens.len(),
                        shape.longest
                    )));
                }
                sequences.push(tokens);
            }
            let slices: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
            let mut owns: Vec<F::Cache> =
                sequences.iter().map(|tokens| model.cache(tokens.len())).collect();
            let mut sums = vec![vec![0.0f64; shape.hidden]; texts.len()];
            let mut row_normed = Vec::new();
            let add = |index: usize, at: usize, row: &[f32]| {
                let length = sequences[index].len();
                let weight = match pooling {
                    Pooling::Own | Pooling::Mean => 1.0 / length as f64,
                    Pooling::First => f64::from(u8::from(at == 0)),
                    Pooling::Last => f64::from(u8::from(at + 1 == length)),
                };
                if weight == 0.0 {
                    return Ok(());
                }
                let row = if normed {
                    model.final_norm(row, &mut row_normed)?;
                    &row_normed
                } else {
                    row
                };
                for (sum, &x) in sums[index].iter_mut().zip(row) {
                    *sum += weight * f64::from(x);
                }
                Ok(())
            };
            reading
                .pass(&[], &slices, &mut owns, layers, add)
                .map_err(|error| self.failed(&error))?;
            vectors.extend(sums.into_iter().map(|sum| sum.into_iter().map(|x| x as f32).collect()));
        }
        Ok(vectors)
    }

    /// How many layers come before a named state, and does the final norm follow.
    fn layer(&self, name: Option<&str>) -> Result<(usize, bool), LmError> {
        let count = self.shape().layers;
        match name {
            None | Some("norm") => return Ok((count, true)),
            Some("embeddings") => return Ok((0, false)),
            Some(name) => {
                let index = name.strip_prefix("layers.").and_then(|index| index.parse().ok());
                if let Some(index) = index.filter(|&index: &usize| index < count) {
                    return Ok((index + 1, false));
                }
            }
        }
        Err(LmError::Unsupported {
            model: self.name.clone(),
            request: format!(
                "embed at layer {:?}, expected embeddings, layers.0 to layers.{} or norm",
                name.unwrap_or_default(),
                count - 1
            ),
        })
    }
}
