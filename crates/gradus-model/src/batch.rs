use crate::{Decoder, ModelError};

/// One training sequence with what is supervised in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    /// Token ids, from the first token of the prompt.
    pub tokens: Vec<u32>,
    /// Next-token targets of the language head.
    pub lm: Vec<LmTarget>,
    /// Targets of the evaluator head.
    pub values: Vec<ValueTarget>,
}

/// Cross-entropy of the language head at one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LmTarget {
    /// Where the prediction is made: the target follows this position.
    pub position: usize,
    /// The token that should follow.
    pub token: u32,
    /// Weight of its loss in the sum.
    pub weight: f32,
}

/// Binary cross-entropy of the evaluator head at one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueTarget {
    /// Where the evaluator is read.
    pub position: usize,
    /// Probability that it should give, in 0..=1.
    pub label: f32,
    /// Weight of its loss in the sum.
    pub weight: f32,
}

/// Weighted sums of the losses of a micro-batch, with the sums of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Losses {
    /// Sum of weight times cross-entropy (nats) over language targets.
    pub lm_sum: f64,
    /// Sum of their weights.
    pub lm_weight: f64,
    /// Sum of weight times binary cross-entropy (nats) over evaluator targets.
    pub value_sum: f64,
    /// Sum of their weights.
    pub value_weight: f64,
}

impl Losses {
    /// Adds the sums of another micro-batch.
    pub fn add(&mut self, other: &Self) {
        self.lm_sum += other.lm_sum;
        self.lm_weight += other.lm_weight;
        self.value_sum += other.value_sum;
        self.value_weight += other.value_weight;
    }
}

/// Refuses tokens and positions that the decoder does not have.
pub(crate) fn check(decoder: &Decoder, examples: &[&Example]) -> Result<(), ModelError> {
    let config = decoder.config();
    for (index, example) in examples.iter().enumerate() {
        let wrong = |reason| Err(ModelError::Example { index, reason });
        let length = example.tokens.len();
        if length == 0 || length > config.max_position_embeddings {
            let longest = config.max_position_embeddings;
            return wrong(format!("{length} tokens, expected 1 to {longest}"));
        }
        let targets = example.lm.iter().map(|target| &target.token);
        if let Some(token) =
            example.tokens.iter().chain(targets).find(|&&token| token as usize >= config.vocab_size)
        {
            return wrong(format!("token {token} of a vocabulary of {}", config.vocab_size));
        }
        let positions = example.lm.iter().map(|target| target.position);
        if let Some(position) = positions
            .chain(example.values.iter().map(|target| target.position))
            .find(|&position| position >= length)
        {
            return wrong(format!("a target at position {position} of {length} tokens"));
        }
        if !example.values.is_empty() && !config.value_head {
            return wrong("evaluator targets, but the model has no evaluator head".to_owned());
        }
    }
    Ok(())
}
