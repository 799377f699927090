use serde::{Deserialize, Serialize};

use crate::TrainError;

/// What every trainer shares. Names are TRL's and transformers'; the defaults
/// are those of the generator in the easy-to-hard toy experiment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Passes over the rows.
    pub num_train_epochs: u32,
    /// Rows per optimiser step.
    pub batch_size: usize,
    /// Rows whose gradients are computed together. It changes the last bits of
    /// the result; the number of threads does not.
    pub micro_batch_size: usize,
    /// Share of the steps over which the learning rate rises from 0.
    pub warmup_ratio: f64,
    /// The learning rate of the last step, as a share of the peak (1: no decay).
    pub min_lr_rate: f64,
    /// Decay of the mean of the gradients.
    pub adam_beta1: f64,
    /// Decay of the mean of their squares.
    pub adam_beta2: f64,
    /// Keeps the update finite where gradients vanish.
    pub adam_epsilon: f64,
    /// Decoupled weight decay, on matrices only.
    pub weight_decay: f64,
    /// Gradients of a greater norm are scaled down to it; 0 leaves them.
    pub max_grad_norm: f64,
    /// Rows of more tokens are left out and counted; without it they are an error
    /// where they exceed the model's context.
    pub max_length: Option<usize>,
    /// Put rows of like length into the same batch, which saves padding.
    pub group_by_length: bool,
    /// Steps between rows of `metrics.jsonl`.
    pub logging_steps: u64,
    /// Steps between checkpoints, from which a killed training resumes.
    pub save_steps: u64,
    /// Seed of the order of the rows and of shuffled labels.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-3,
            num_train_epochs: 5,
            batch_size: 32,
            micro_batch_size: 8,
            warmup_ratio: 0.05,
            min_lr_rate: 0.05,
            adam_beta1: 0.9,
            adam_beta2: 0.98,
            adam_epsilon: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            max_length: None,
            group_by_length: false,
            logging_steps: 20,
            save_steps: 200,
            seed: 0,
        }
    }
}

impl TrainConfig {
    /// Checks the values that serde cannot.
    pub fn validate(&self) -> Result<(), TrainError> {
        let share = 0.0..=1.0;
        let rules = [
            ("learning_rate", self.learning_rate > 0.0, "a positive number"),
            ("num_train_epochs", self.num_train_epochs > 0, "at least 1"),
            ("batch_size", self.batch_size > 0, "at least 1"),
            ("micro_batch_size", self.micro_batch_size > 0, "at least 1"),
            ("warmup_ratio", share.contains(&self.warmup_ratio), "a share in 0..=1"),
            ("min_lr_rate", share.contains(&self.min_lr_rate), "a share in 0..=1"),
            ("adam_beta1", (0.0..1.0).contains(&self.adam_beta1), "a decay in 0..1"),
            ("adam_beta2", (0.0..1.0).contains(&self.adam_beta2), "a decay in 0..1"),
            ("adam_epsilon", self.adam_epsilon > 0.0, "a positive number"),
            ("weight_decay", self.weight_decay >= 0.0, "0 or more"),
            ("max_grad_norm", self.max_grad_norm >= 0.0, "0 or more"),
            ("logging_steps", self.logging_steps > 0, "at least 1"),
            ("save_steps", self.save_steps > 0, "at least 1"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, expected)) => Err(TrainError::Config { field, expected }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_and_an_absent_one_its_default() {
        let config: TrainConfig = serde_json::from_str(r#"{"learning_rate": 1e-4}"#).unwrap();
        assert_eq!(config, TrainConfig { learning_rate: 1e-4, ..TrainConfig::default() });
        assert!(serde_json::from_str::<TrainConfig>(r#"{"lr": 1e-4}"#).is_err());
    }

    #[test]
    fn a_value_out_of_range_names_its_field() {
        let config = TrainConfig { warmup_ratio: 1.5, ..TrainConfig::default() };
        assert_eq!(
            config.validate().unwrap_err().to_string(),
            "warmup_ratio is out of range, expected a share in 0..=1"
        );
        let config = TrainConfig { learning_rate: f64::NAN, ..TrainConfig::default() };
        assert!(config.validate().is_err());
    }
}
