//! The process evaluator ("PRM") of Sun et al., "Easy-to-Hard Generalization"
//! (NeurIPS 2024), section 3.3, after Lightman et al., "Let's Verify Step by
//! Step" (ICLR 2024): a probability at the end of each step that the step is right.
//!
//! The loss of a batch is the mean binary cross-entropy over its labelled steps,
//! plus `aux_lm_weight` times the mean next-token cross-entropy over the tokens
//! of its completions up to the first wrong step.
//!
//! Departures: one sequence holds all steps of a completion; the step's label is
//! put at its last token only; the auxiliary loss is ours, because a tiny model
//! does not learn to verify without it; labels are local by default.

use gradus::run::{Stream, Work};
use gradus_model::{Example, LocalModel};
use serde::{Deserialize, Serialize};

use crate::labels::{balance, shuffle_steps};
use crate::targets::{lm_targets_while_right, read, refuse, step_targets};
use crate::training_set::TrainingSet;
use crate::{LabelKind, StepwiseRow, Summary, TrainConfig, TrainError, training};

/// Config of [`run`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrmConfig {
    /// What a step's label says.
    pub labels: LabelKind,
    /// Weight of the auxiliary next-token loss; 0 leaves it out.
    pub aux_lm_weight: f64,
    /// Most rows of one class per row of the other within a problem; without it, rows are left
    /// as they are. A row counts as right where all of its steps are.
    pub max_class_ratio: Option<f64>,
    /// The control: labels are permuted among all steps of all rows, before
    /// anything is derived from them, so that nothing of the true ones is left.
    pub shuffle_labels: bool,
    /// What every trainer shares.
    pub train: TrainConfig,
}

impl Default for PrmConfig {
    fn default() -> Self {
        Self {
            labels: LabelKind::Local,
            aux_lm_weight: 0.5,
            max_class_ratio: None,
            shuffle_labels: false,
            train: TrainConfig {
                learning_rate: 2e-3,
                num_train_epochs: 4,
                ..TrainConfig::default()
            },
        }
    }
}

/// Trains `model`, which has an evaluator head, on the step labels of `rows`.
pub fn run(
    model: &mut LocalModel,
    rows: &[StepwiseRow],
    config: &PrmConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    config.train.validate()?;
    check(model, config.aux_lm_weight)?;
    let stream = |name| Stream::new(config.train.seed, &[work.name(), name]);
    let mut rows = rows.to_vec();
    if let Some(max_ratio) = config.max_class_ratio {
        rows = balance(rows, max_ratio, StepwiseRow::sound, &mut stream("balance"))?;
    }
    if config.shuffle_labels {
        shuffle_steps(&mut rows, &mut stream("shuffle_labels"));
    }
    let mut set = TrainingSet::new(config.aux_lm_weight);
    for row in &rows {
        let example = step_example(model, row, config.labels, config.aux_lm_weight)?;
        set.push(model, &config.train, || row.name(), example)?;
    }
    training::run(model, &set, &config.train, work)
}

/// A completion with a label per step.
pub(crate) fn step_example(
    model: &LocalModel,
    row: &StepwiseRow,
    labels: LabelKind,
    aux_lm_weight: f64,
) -> Result<Example, TrainError> {
    if row.labels.is_empty() {
        return Err(refuse(row, "it has no step labels".into()));
    }
    let read = read(model, row)?;
    let values = step_targets(&read, &labels.apply(&row.labels));
    let lm = if aux_lm_weight > 0.0 { lm_targets_while_right(row, &read) } else { Vec::new() };
    Ok(Example { tokens: read.tokens, lm, values })
}

/// What every evaluator needs.
pub(crate) fn check(model: &LocalModel, aux_lm_weight: f64) -> Result<(), TrainError> {
    if !(0.0..f64::INFINITY).contains(&aux_lm_weight) {
        return Err(TrainError::Config { field: "aux_lm_weight", expected: "0 or more" });
    }
    if !model.decoder.config().value_head {
        let reason = "it has no evaluator head; make one with value_head = true".into();
        return Err(TrainError::Model { model: model.name.clone(), reason });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::{bytes, labelled_rows, scores, train, weights};

    fn config() -> PrmConfig {
        let train = TrainConfig { num_train_epochs: 80, batch_size: 9, ..TrainConfig::default() };
        PrmConfig { train, ..PrmConfig::default() }
    }

    #[test]
    fn a_tiny_model_learns_to_judge_steps() {
        let rows = labelled_rows();
        let mut model = bytes();
        let summary = train(|work| run(&mut model, &rows, &config(), work)).unwrap();
        assert!(summary.final_value_loss.unwrap() < 0.1, "{summary:?}");
        // Per row: 2 tokens of prompt, 3 of completion, the end of sequence; 2 labels.
        assert_eq!(summary.supervised_share, 2.0 / 6.0);
        assert_eq!(summary.positive_share, Some(1.0 / 3.0));
        for (row, scores) in rows.iter().zip(scores(&model, &rows)) {
            let right: Vec<bool> = scores.iter().map(|&score| score > 0.5).collect();
            assert_eq!(right, row.labels, "{row:?}");
        }
    }

    #[test]
    fn shuffled_labels_teach_nothing_and_keep_their_share() {
        let rows = labelled_rows();
        let mut config = PrmConfig { shuffle_labels: true, aux_lm_weight: 0.0, ..config() };
        config.train.num_train_epochs = 5;
        let summary = train(|work| run(&mut bytes(), &rows, &config, work)).unwrap();
        assert_eq!(summary.positive_share, Some(1.0 / 3.0));
        assert_eq!(summary.auxiliary_share, Some(0.0));
        assert!(summary.final_value_loss.unwrap() > 0.55, "{summary:?}");
    }

    #[test]
    fn the_thread_count_does_not_change_a_bit_with_an_auxiliary_loss_either() {
        let trained = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut config = config();
            (config.train.num_train_epochs, config.train.micro_batch_size) = (2, 2);
            let mut model = bytes();
            pool.install(|| train(|work| run(&mut model, &labelled_rows(), &config, work)))
                .unwrap();
            weights(&model)
        };
        assert_eq!(trained(1), trained(2));
    }

    #[test]
    fn labels_of_one_class_are_trained_on_with_a_warning() {
        let mut rows = labelled_rows();
        rows.retain(StepwiseRow::sound);
        let mut config = config();
        config.train.num_train_epochs = 1;
        let summary = train(|work| run(&mut bytes(), &rows, &config, work)).unwrap();
        let expected = "all 6 labels say right: the evaluator can only learn a constant";
        assert_eq!(summary.warnings, [expected]);
        config.max_class_ratio = Some(3.0);
        let error = train(|work| run(&mut bytes(), &rows, &config, work)).unwrap_err();
        assert_eq!(error.to_string(), "the 0 rows hold no supervised token");
    }

    #[test]
    fn a_row_without_labels_and_a_model_without_head_are_errors() {
        let mut rows = labelled_rows();
        rows[4].labels.clear();
        let error = train(|work| run(&mut bytes(), &rows, &config(), work)).unwrap_err();
        assert_eq!(error.to_string(), "problem \"a\" sample 4: it has no step labels");
        let headless = gradus_model::DecoderConfig { value_head: false, ..Default::default() };
        let mut init = Stream::new(1, &["init"]);
        let tokenizer = gradus_model::ByteTokenizer {}.into();
        let mut model = LocalModel::new(headless, tokenizer, &mut init).unwrap();
        let error = train(|work| run(&mut model, &rows, &config(), work)).unwrap_err();
        assert!(error.to_string().contains("no evaluator head"), "{error}");
    }
}
