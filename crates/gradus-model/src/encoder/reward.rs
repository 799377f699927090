use std::ops::ControlFlow;

use gradus::lm::{Judged, LmError, Reward, RowError, Sink};

use super::Encoder;
use super::forward::states;
use super::weights::Classifier;

/// Rows of one call that are computed before they go to the sink.
const ROWS: usize = 256;

impl Reward for Encoder {
    /// One probability per completion, whatever its steps: of a head with one output its
    /// sigmoid, of a head with two the softmax of the second.
    ///
    /// The head reads problem and completion as a pair, the completion alone where the problem
    /// is empty. A row longer than the model reads is an error of its own.
    fn reward(&self, completions: &[Judged], sink: &mut Sink<'_, Vec<f64>>) -> Result<(), LmError> {
        let Some(classifier) = &self.weights.classifier else {
            return Err(self.unsupported("judge: it has no classification head"));
        };
        if classifier.labels > 2 {
            return Err(self.unsupported(format!(
                "judge: its head has {} labels, expected one or two",
                classifier.labels
            )));
        }
        for block in completions.chunks(ROWS) {
            let (mut rows, mut keys) = (Vec::new(), Vec::new());
            for judged in block {
                let pair = [judged.problem.as_ref(), judged.completion.as_str()];
                let texts = if judged.problem.is_empty() { &pair[1..] } else { &pair };
                let reason = match self.input.pieces(texts) {
                    Ok(pieces) if pieces.len() <= self.input.longest => {
                        keys.push(judged.key.clone());
                        rows.push(pieces);
                        continue;
                    }
                    Ok(pieces) => {
                        let longest = self.input.longest;
                        format!("{} tokens, expected at most {longest}", pieces.len())
                    }
                    Err(reason) => reason,
                };
                let key = judged.key.clone();
                if sink(key.clone(), Err(RowError { key, reason })).is_break() {
                    return Ok(());
                }
            }
            let scores = Self::passes(&rows, |rows| {
                let d = self.config.hidden_size;
                let states = states(&self.config, &self.weights, rows, self.weights.layers.len());
                let first: Vec<f32> = rows
                    .texts
                    .iter()
                    .flat_map(|text| &states[text.start * d..(text.start + 1) * d])
                    .copied()
                    .collect();
                probabilities(classifier, &first)
            });
            for (key, score) in keys.into_iter().zip(scores) {
                if sink(key, Ok(vec![score])) == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// From the states of first tokens, one row a text.
fn probabilities(classifier: &Classifier, first: &[f32]) -> Vec<f64> {
    let (mut dense, mut logits) = (Vec::new(), Vec::new());
    classifier.dense.apply(first, &mut dense);
    for x in &mut dense {
        *x = x.tanh();
    }
    classifier.out.apply(&dense, &mut logits);
    let odds = |logits: &[f32]| match *logits {
        [no, yes] => f64::from(yes) - f64::from(no),
        _ => f64::from(logits[0]),
    };
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    logits.chunks_exact(classifier.labels).map(|logits| sigmoid(odds(logits))).collect()
}
