use gradus_model::{Example, LocalModel};

use crate::{TrainConfig, TrainError};

/// What a training learns from, and how much of it is supervised.
#[derive(Debug)]
pub(crate) struct TrainingSet {
    /// Targets of weight 1; the training loop divides them by their number in the batch.
    pub(crate) examples: Vec<Example>,
    /// Weight of the mean next-token loss beside the mean evaluator loss.
    pub(crate) lm_weight: f64,
    /// Rows left out because they exceed `max_length`.
    pub(crate) rows_too_long: usize,
}

/// How much of a training set is supervised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Supervised {
    /// Tokens of one epoch.
    pub(crate) tokens: u64,
    /// Targets of the next-token loss.
    pub(crate) lm: u64,
    /// Targets of the evaluator loss.
    pub(crate) values: u64,
    /// Evaluator targets whose label is right.
    pub(crate) positives: u64,
}

impl TrainingSet {
    pub(crate) fn new(lm_weight: f64) -> Self {
        Self { examples: Vec::new(), lm_weight, rows_too_long: 0 }
    }

    /// Takes an example in, unless it is longer than `max_length`; `row` names it in errors.
    pub(crate) fn push(
        &mut self,
        model: &LocalModel,
        config: &TrainConfig,
        row: impl Fn() -> String,
        example: Example,
    ) -> Result<(), TrainError> {
        let tokens = example.tokens.len();
        let context = model.decoder.config().max_position_embeddings;
        if config.max_length.is_some_and(|most| tokens > most) {
            self.rows_too_long += 1;
        } else if tokens > context {
            let reason = format!(
                "{tokens} tokens exceed the model's context of {context}; \
                 a max_length of {context} leaves such rows out"
            );
            return Err(TrainError::Row { row: row(), reason });
        } else {
            self.examples.push(example);
        }
        Ok(())
    }

    /// Counts what is supervised; nothing at all is an error.
    pub(crate) fn supervised(&self) -> Result<Supervised, TrainError> {
        let count = |of: &dyn Fn(&Example) -> usize| -> u64 {
            self.examples.iter().map(|example| of(example) as u64).sum()
        };
        let positive =
            |example: &Example| example.values.iter().filter(|value| value.label > 0.5).count();
        let counts = Supervised {
            tokens: count(&|example| example.tokens.len()),
            lm: count(&|example| example.lm.len()),
            values: count(&|example| example.values.len()),
            positives: count(&positive),
        };
        if counts.lm + counts.values == 0 {
            let rows = self.examples.len() + self.rows_too_long;
            let reason = match self.rows_too_long {
                0 => "hold no supervised token".into(),
                long => format!("hold no supervised token; {long} of them exceed max_length"),
            };
            return Err(TrainError::Rows { rows, reason });
        }
        Ok(counts)
    }
}
