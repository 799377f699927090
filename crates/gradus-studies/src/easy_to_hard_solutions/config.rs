use gradus_model::DecoderConfig;
use gradus_train::{OrmConfig, TrainConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PlannedStage, StudyError};

/// Config of the study, as recipes give it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Seed of the held-out split and of training.
    pub(super) seed: u64,
    /// Most problems, from the beginning of the file.
    pub(super) limit: Option<usize>,
    /// Path of `example_model_solutions.jsonl`.
    pub(super) solutions: String,
    /// Problems with up to this many gold steps are easy.
    pub(super) easy_steps: u32,
    /// Share of the easy problems that the evaluator does not learn from.
    pub(super) held_out: f64,
    /// Shape of the evaluator; its vocabulary is bytes.
    pub(super) model: DecoderConfig,
    /// Training of the evaluator.
    pub(super) evaluator: OrmConfig,
    /// Bootstrap draws of an interval.
    pub(super) draws: usize,
    /// Coverage of the intervals.
    pub(super) confidence: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            limit: None,
            solutions: String::new(),
            easy_steps: 3,
            held_out: 0.25,
            model: DecoderConfig {
                rope_theta: 10_000.0,
                max_position_embeddings: 2048,
                ..DecoderConfig::default()
            },
            evaluator: OrmConfig {
                train: TrainConfig {
                    num_train_epochs: 4,
                    learning_rate: 2e-3,
                    batch_size: 16,
                    micro_batch_size: 4,
                    group_by_length: true,
                    ..TrainConfig::default()
                },
                ..OrmConfig::default()
            },
            draws: 2000,
            confidence: 0.95,
        }
    }
}

impl Config {
    /// The checked config of a resolved recipe.
    pub(super) fn read(value: &Value) -> Result<Self, StudyError> {
        let config: Self = serde_json::from_value(value.clone())
            .map_err(|error| StudyError::Config(error.to_string()))?;
        if config.solutions.is_empty() {
            return Err(StudyError::Config(
                "config key solutions: found nothing, expected the path of \
                 example_model_solutions.jsonl (the data folder of openai/grade-school-math); \
                 give it with --set solutions=PATH"
                    .to_owned(),
            ));
        }
        if !(0.0..1.0).contains(&config.held_out) {
            let found = config.held_out;
            return Err(StudyError::Config(format!(
                "config key held_out: found {found}, expected a share in 0..1"
            )));
        }
        if !(config.confidence > 0.0 && config.confidence < 1.0) {
            let found = config.confidence;
            return Err(StudyError::Config(format!(
                "config key confidence: found {found}, expected a share in 0..1"
            )));
        }
        if config.draws == 0 {
            return Err(StudyError::Config(
                "config key draws: found 0, expected at least 1".to_owned(),
            ));
        }
        let in_group = |group: &str, error: &dyn std::fmt::Display| {
            StudyError::Config(format!("config group {group}: {error}"))
        };
        config.evaluator.train.validate().map_err(|error| in_group("evaluator.train", &error))?;
        DecoderConfig { vocab_size: 256, ..config.model }
            .check()
            .map_err(|error| in_group("model", &error))?;
        Ok(config)
    }

    /// What a run would do, in order.
    pub(super) fn plan(&self) -> Vec<PlannedStage> {
        let stage = |name: &str, detail: String| PlannedStage { name: name.to_owned(), detail };
        let limit = self.limit.map_or_else(|| "all".to_owned(), |limit| limit.to_string());
        let epochs = self.evaluator.train.num_train_epochs;
        vec![
            stage("rows", format!("{limit} problems of {}", self.solutions)),
            stage(
                "orm",
                format!(
                    "solutions to problems of up to {} steps x {epochs} epochs",
                    self.easy_steps
                ),
            ),
            stage("scores", "every solution".to_owned()),
        ]
    }
}
