use gradus::lm::{Embed, LmError, Pooling};
use rayon::prelude::*;

use super::Encoder;
use super::forward::{Rows, states};
use super::input::Piece;
use super::pooling::{Kind, normalise};

/// Tokens of one pass, which a text may exceed.
const PASS: usize = 1024;

impl Embed for Encoder {
    /// One vector per text; of a text longer than the model reads, its beginning.
    ///
    /// Layers are `embeddings` and `layers.0` and so on, the states behind each. Vectors are
    /// normalised where the model's files say so and the pooling of the last layer is its own.
    fn embed(
        &self,
        texts: &[&str],
        layer: Option<&str>,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError> {
        let layers = self.layers(layer)?;
        let kind = match pooling {
            Pooling::Own => self.pooling.kind,
            Pooling::Mean => Kind::Mean,
            Pooling::First => Kind::First,
            Pooling::Last => Kind::Last,
        };
        let unit = self.pooling.normalise && pooling == Pooling::Own && layer.is_none();
        let d = self.config.hidden_size;
        let mut rows: Vec<Vec<Piece>> = Vec::with_capacity(texts.len());
        for text in texts {
            rows.push(self.input.beginning(text).map_err(|reason| self.failed(reason))?);
        }
        Ok(Self::passes(&rows, |rows| {
            let states = states(&self.config, &self.weights, rows, layers);
            let pooled = rows.texts.iter().map(|text| {
                let mut vector = kind.of(&states[text.start * d..text.end * d], d);
                if unit {
                    normalise(&mut vector);
                }
                vector
            });
            pooled.collect()
        }))
    }
}

impl Encoder {
    fn layers(&self, name: Option<&str>) -> Result<usize, LmError> {
        let all = self.config.num_hidden_layers;
        let found = match name {
            None => Some(all),
            Some("embeddings") => Some(0),
            Some(name) => name
                .strip_prefix("layers.")
                .and_then(|index| index.parse().ok())
                .filter(|&index: &usize| index < all)
                .map(|index| index + 1),
        };
        found.ok_or_else(|| {
            self.unsupported(format!(
                "embed at layer {:?}; it has embeddings and layers.0 to layers.{}",
                name.unwrap_or_default(),
                all - 1
            ))
        })
    }

    /// Runs over texts in passes of about [`PASS`] tokens, on as many threads as rayon has; the
    /// results are in the order of the texts.
    pub(super) fn passes<T: Send>(
        texts: &[Vec<Piece>],
        run: impl Fn(&Rows) -> Vec<T> + Sync,
    ) -> Vec<T> {
        let mut passes = vec![Rows::default()];
        for text in texts {
            if let Some(last) = passes.last_mut() {
                if last.texts.is_empty() || last.pieces.len() + text.len() <= PASS {
                    last.push(text);
                    continue;
                }
                let mut next = Rows::default();
                next.push(text);
                passes.push(next);
            }
        }
        let found: Vec<Vec<T>> =
            passes.par_iter().filter(|rows| !rows.texts.is_empty()).map(&run).collect();
        found.into_iter().flatten().collect()
    }
}
