use gradus::tasks::{self, TaskFamily};
use gradus_model::DecoderConfig;
use gradus_train::{LabelKind, OprmConfig, OrmConfig, PrmConfig, RestEmConfig, TrainConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sampling::Draws;
use crate::{PlannedStage, StudyError};

/// Config of the study, as recipes give it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// First seed; the run uses `seed, seed + 1, ...`.
    pub(super) seed: u64,
    /// Number of seeds. Each draws its own problems and trains its own models.
    pub(super) seeds: u64,
    /// Most test problems per set.
    pub(super) limit: Option<usize>,
    /// Task family, see `gradus list tasks`.
    pub(super) family: String,
    /// Parameters of the family; absent ones keep its defaults.
    pub(super) task: Map<String, Value>,
    /// Problems per set.
    pub(super) problems: Problems,
    /// Shape of generator and evaluator; the family sets the vocabulary.
    pub(super) model: DecoderConfig,
    /// Supervised fine-tuning of the generator.
    pub(super) generator: TrainConfig,
    /// Epochs of the generator that is trained to convergence; 0 leaves it out.
    pub(super) converged_epochs: u32,
    /// Samples that the evaluators are trained on.
    pub(super) evaluator_samples: Draws,
    /// Training of evaluators that start from the generator's weights.
    pub(super) evaluator: PrmConfig,
    /// Training of evaluators that start from random weights.
    pub(super) evaluator_scratch: PrmConfig,
    /// Evaluators to train; the first is the one of the headline.
    pub(super) evaluators: Vec<Evaluator>,
    /// The generator's side of the comparison: one round on the evaluators' samples.
    pub(super) rest_em: RestEmConfig,
    /// Whether a generator is trained on all levels, as the ceiling.
    pub(super) ceiling: bool,
    /// Samples per easy test problem.
    pub(super) easy_samples: Draws,
    /// Samples per hard test problem.
    pub(super) hard_samples: Draws,
    /// How answers are selected and compared.
    pub(super) selection: Selection,
}

/// Problems per set.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Problems {
    /// Solved easy problems for the generator; as many of all levels for the ceiling.
    pub(super) generator_train: usize,
    /// Other easy problems, whose samples train the evaluators.
    pub(super) evaluator_train: usize,
    /// Easy test problems.
    pub(super) easy_test: usize,
    /// Hard test problems.
    pub(super) hard_test: usize,
}

/// How answers are selected and compared.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    /// Numbers of samples on the curves; those above a pool's size are left out of its set.
    pub(super) n: Vec<u32>,
    /// Random subsets a point, where no closed form exists.
    pub(super) resamples: usize,
    /// Bootstrap draws of an interval.
    pub(super) draws: usize,
    /// Coverage of the intervals.
    pub(super) confidence: f64,
    /// The number of samples that the lead figures use; a smaller pool is used whole.
    pub(super) headline_n: u32,
}

/// The evaluators that the study can train.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Evaluator {
    /// Process reward model from the generator's weights, local step labels.
    Prm,
    /// The same from random weights, trained longer.
    PrmScratch,
    /// Outcome reward model: the answer's label at every step end.
    Orm,
    /// Trained on the union of process and outcome labels.
    Oprm,
    /// Process reward model with prefix-correct ("sticky") labels.
    PrmSticky,
    /// Process reward model whose labels were permuted: the control.
    PrmShuffled,
    /// Process reward model trained on samples of all levels: the ceiling. From random weights.
    PrmAllLevels,
}

impl Evaluator {
    /// Name, as recipes and results give it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prm => "prm",
            Self::PrmScratch => "prm-scratch",
            Self::Orm => "orm",
            Self::Oprm => "oprm",
            Self::PrmSticky => "prm-sticky",
            Self::PrmShuffled => "prm-shuffled",
            Self::PrmAllLevels => "prm-all-levels",
        }
    }

    /// Whether training starts from random weights.
    pub(super) fn is_from_scratch(self) -> bool {
        matches!(self, Self::PrmScratch | Self::PrmAllLevels)
    }
}

impl Default for Config {
    fn default() -> Self {
        let draws = |n, temperature| Draws { n, temperature, top_k: 0 };
        let training = |epochs, learning_rate| TrainConfig {
            num_train_epochs: epochs,
            learning_rate,
            ..TrainConfig::default()
        };
        Self {
            seed: 1,
            seeds: 1,
            limit: None,
            family: "signed-running-totals".to_owned(),
            task: Map::new(),
            problems: Problems {
                generator_train: 3000,
                evaluator_train: 6000,
                easy_test: 300,
                hard_test: 300,
            },
            model: DecoderConfig::default(),
            generator: training(5, 3e-3),
            converged_epochs: 0,
            evaluator_samples: draws(4, 1.2),
            evaluator: PrmConfig { train: training(4, 2e-3), ..PrmConfig::default() },
            evaluator_scratch: PrmConfig { train: training(8, 3e-3), ..PrmConfig::default() },
            evaluators: vec![Evaluator::Prm],
            rest_em: RestEmConfig { train: training(4, 2e-3), ..RestEmConfig::default() },
            ceiling: true,
            easy_samples: draws(64, 1.0),
            hard_samples: draws(64, 1.0),
            selection: Selection {
                n: vec![1, 4, 16, 64],
                resamples: 100,
                draws: 2000,
                confidence: 0.95,
                headline_n: 64,
            },
        }
    }
}

impl Config {
    /// The checked config of a resolved recipe.
    pub(super) fn read(value: &Value) -> Result<Self, StudyError> {
        let config: Self = serde_json::from_value(value.clone())
            .map_err(|error| StudyError::Config(error.to_string()))?;
        let reject = |key: &str, found: String, expected: &str| {
            Err(StudyError::Config(format!("config key {key}: found {found}, expected {expected}")))
        };
        if config.seeds == 0 {
            return reject("seeds", "0".into(), "at least 1");
        }
        if config.evaluators.is_empty() {
            return reject("evaluators", "[]".into(), "at least one evaluator");
        }
        for (at, kind) in config.evaluators.iter().enumerate() {
            if config.evaluators[..at].contains(kind) {
                return reject("evaluators", format!("{} twice", kind.name()), "each name once");
            }
        }
        if config.selection.n.is_empty() || config.selection.n.contains(&0) {
            return reject("selection.n", format!("{:?}", config.selection.n), "numbers from 1 up");
        }
        if config.limit == Some(0) {
            return reject("limit", "0".into(), "at least 1");
        }
        if config.seed.checked_add(config.seeds).is_none() {
            let found = format!("{} with {} seeds", config.seed, config.seeds);
            return reject("seed", found, "seeds below 2^64");
        }
        let Selection { resamples, draws, confidence, headline_n, .. } = config.selection;
        for (key, count) in [
            ("selection.resamples", resamples),
            ("selection.draws", draws),
            ("selection.headline_n", headline_n as usize),
        ] {
            if count == 0 {
                return reject(key, "0".into(), "at least 1");
            }
        }
        if !(confidence > 0.0 && confidence < 1.0) {
            return reject("selection.confidence", confidence.to_string(), "a share in 0..1");
        }
        let sizes = config.problems;
        for (key, size) in [
            ("problems.generator_train", sizes.generator_train),
            ("problems.evaluator_train", sizes.evaluator_train),
            ("problems.easy_test", sizes.easy_test),
            ("problems.hard_test", sizes.hard_test),
        ] {
            if size == 0 {
                return reject(key, "0".into(), "at least 1");
            }
        }
        for (group, draws) in [
            ("evaluator_samples", config.evaluator_samples),
            ("easy_samples", config.easy_samples),
            ("hard_samples", config.hard_samples),
        ] {
            if let Some((key, found, expected)) = draws.wrong() {
                return reject(&format!("{group}.{key}"), found, expected);
            }
        }
        for (group, training) in [
            ("generator", &config.generator),
            ("evaluator.train", &config.evaluator.train),
            ("evaluator_scratch.train", &config.evaluator_scratch.train),
            ("rest_em.train", &config.rest_em.train),
        ] {
            training
                .validate()
                .map_err(|error| StudyError::Config(format!("config group {group}: {error}")))?;
        }
        let family = config.family()?;
        DecoderConfig { vocab_size: family.symbols().len(), ..config.model }
            .check()
            .map_err(|error| StudyError::Config(format!("config group model: {error}")))?;
        Ok(config)
    }

    /// The task family with its parameters.
    pub(super) fn family(&self) -> Result<Box<dyn TaskFamily>, StudyError> {
        let parameters = Value::Object(self.task.clone());
        Ok((tasks::find(&self.family)?.build)(&parameters)?)
    }

    /// The numbers of samples of the curves of a pool of `pool` samples, the pool's own included.
    pub(super) fn curve(&self, pool: u32) -> Vec<u32> {
        let mut n: Vec<u32> = self.selection.n.iter().copied().filter(|&n| n < pool).collect();
        n.extend([pool, self.headline_n().min(pool)]);
        n.sort_unstable();
        n.dedup();
        n
    }

    /// The number of samples that the lead figures use.
    pub(super) fn headline_n(&self) -> u32 {
        self.selection.headline_n.min(self.hard_samples.n)
    }

    /// Training of one evaluator.
    pub(super) fn evaluator_training(&self, kind: Evaluator, seed: u64) -> PrmConfig {
        let mut training =
            if kind.is_from_scratch() { &self.evaluator_scratch } else { &self.evaluator }.clone();
        training.train.seed = seed;
        match kind {
            Evaluator::PrmSticky => training.labels = LabelKind::Sticky,
            Evaluator::PrmShuffled => training.shuffle_labels = true,
            _ => {}
        }
        training
    }

    /// Training of an outcome evaluator, as that of the process evaluator.
    pub(super) fn outcome_training(&self, seed: u64) -> OrmConfig {
        let PrmConfig { aux_lm_weight, max_class_ratio, train, .. } =
            self.evaluator_training(Evaluator::Orm, seed);
        OrmConfig { aux_lm_weight, max_class_ratio, train, ..OrmConfig::default() }
    }

    /// Training on process and outcome labels together.
    pub(super) fn union_training(&self, seed: u64) -> OprmConfig {
        let PrmConfig { labels, aux_lm_weight, max_class_ratio, train, .. } =
            self.evaluator_training(Evaluator::Oprm, seed);
        OprmConfig { labels, aux_lm_weight, max_class_ratio, train, ..OprmConfig::default() }
    }

    /// What a run would do, in order.
    pub(super) fn plan(&self) -> Vec<PlannedStage> {
        let sizes = self.problems;
        let limit = self.limit.unwrap_or(usize::MAX);
        let (easy, hard) = (sizes.easy_test.min(limit), sizes.hard_test.min(limit));
        let mut plan = Vec::new();
        for seed in self.seed..self.seed + self.seeds {
            let mut stage = |name: &str, detail: String| {
                plan.push(PlannedStage { name: format!("{name}-seed{seed}"), detail });
            };
            stage(
                "problems",
                format!(
                    "{} + {} easy and as many of all levels to train, {easy} easy and {hard} hard to test",
                    sizes.generator_train, sizes.evaluator_train
                ),
            );
            let epochs = |train: &TrainConfig| train.num_train_epochs;
            let sft = |epochs: u32| format!("{} problems x {epochs} epochs", sizes.generator_train);
            stage("generator", sft(epochs(&self.generator)));
            let samples = sizes.evaluator_train * self.evaluator_samples.n as usize;
            stage("evaluator-samples", format!("{samples} completions"));
            stage(
                "rest-em",
                format!("correct ones of {samples} x {} epochs", epochs(&self.rest_em.train)),
            );
            if self.ceiling {
                stage("all-levels", sft(epochs(&self.generator)));
            }
            if self.converged_epochs > 0 {
                stage("converged", sft(self.converged_epochs));
            }
            for kind in &self.evaluators {
                let training = self.evaluator_training(*kind, seed);
                stage(
                    kind.name(),
                    format!("distinct ones of {samples} x {} epochs", epochs(&training.train)),
                );
            }
            stage("easy-samples", format!("{easy} problems x {} completions", self.easy_samples.n));
            stage(
                "hard-samples",
                format!("{hard} problems x {} completions a generator", self.hard_samples.n),
            );
            stage("selection", format!("n = {:?}", self.curve(self.hard_samples.n)));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        Config::read(&serde_json::to_value(&config).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_config_that_cannot_be_names_its_key() {
        let twice = refused(|config| config.evaluators = vec![Evaluator::Prm, Evaluator::Prm]);
        assert_eq!(twice, "config key evaluators: found prm twice, expected each name once");
        let none = refused(|config| config.problems.hard_test = 0);
        assert_eq!(none, "config key problems.hard_test: found 0, expected at least 1");
        assert!(refused(|config| config.selection.n = vec![0, 4]).contains("selection.n"));
        assert!(refused(|config| config.seeds = 0).contains("seeds"));
        assert_eq!(
            refused(|config| config.selection.confidence = 95.0),
            "config key selection.confidence: found 95, expected a share in 0..1"
        );
        assert_eq!(
            refused(|config| config.hard_samples.temperature = -3.0),
            "config key hard_samples.temperature: found -3, expected a number from 0 up"
        );
        assert_eq!(
            refused(|config| config.generator.learning_rate = -1.0),
            "config group generator: learning_rate is out of range, expected a positive number"
        );
        assert!(refused(|config| config.selection.draws = 0).contains("selection.draws"));
        assert!(refused(|config| config.model.num_attention_heads = 7).contains("7 heads"));
        assert!(refused(|config| config.seed = u64::MAX).contains("below 2^64"));
        assert!(refused(|config| config.family = "nope".to_owned()).contains("nope"));
        let unknown = refused(|config| {
            config.task.insert("nope".to_owned(), 1.into());
        });
        assert!(unknown.contains("nope"), "{unknown}");
    }

    #[test]
    fn a_curve_ends_at_the_pool_and_holds_the_headline() {
        let mut config = Config::default();
        config.selection.n = vec![1, 2, 64, 256];
        config.hard_samples.n = 100;
        assert_eq!(config.curve(100), [1, 2, 64, 100]);
        assert_eq!(config.curve(16), [1, 2, 16]);
    }

    #[test]
    fn ablations_change_one_thing_each() {
        let config = Config::default();
        let plain = config.evaluator_training(Evaluator::Prm, 3);
        let sticky = config.evaluator_training(Evaluator::PrmSticky, 3);
        assert_eq!(PrmConfig { labels: LabelKind::Local, ..sticky.clone() }, plain);
        assert_ne!(sticky, plain);
        let shuffled = config.evaluator_training(Evaluator::PrmShuffled, 3);
        assert_eq!(PrmConfig { shuffle_labels: false, ..shuffled }, plain);
        assert_eq!(config.outcome_training(3).train, plain.train);
        assert_eq!(config.union_training(3).train, plain.train);
    }
}
