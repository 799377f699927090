//! The outcome evaluator ("ORM") of Sun et al., "Easy-to-Hard Generalization"
//! (NeurIPS 2024), section 3.3 and appendix C.2, after Cobbe et al., "Training
//! Verifiers to Solve Math Word Problems" (2021): a probability that the final
//! answer is right.
//!
//! The loss is that of the process evaluator with the outcome as the label of
//! every supervised token. Departures: the label is put at step ends by default
//! (the paper: every token; `supervision = "every_token"`), and the auxiliary
//! next-token loss is ours. It stops before the first wrong step where rows have
//! step labels, so rows without them keep the evaluator free of step supervision.

use gradus::run::{Stream, Work};
use gradus_model::{Example, LocalModel};
use serde::{Deserialize, Serialize};

use crate::labels::{balance, shuffle_outcomes, shuffle_steps};
use crate::prm::check;
use crate::targets::{Supervision, lm_targets_while_right, outcome_targets, read, refuse};
use crate::training_set::TrainingSet;
use crate::{StepwiseRow, Summary, TrainConfig, TrainError, training};

/// Config of [`run`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrmConfig {
    /// Where the outcome label is put.
    pub supervision: Supervision,
    /// Weight of the auxiliary next-token loss; 0 leaves it out.
    pub aux_lm_weight: f64,
    /// Most rows of one class per row of the other within a problem; without it, rows are left
    /// as they are. The paper has 3.
    pub max_class_ratio: Option<f64>,
    /// The control: outcomes are permuted among rows and step labels among steps,
    /// before anything is derived from them, so that nothing of the true ones is left.
    pub shuffle_labels: bool,
    /// What every trainer shares.
    pub train: TrainConfig,
}

impl Default for OrmConfig {
    fn default() -> Self {
        Self {
            supervision: Supervision::StepEnds,
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

/// Trains `model`, which has an evaluator head, on the outcomes of `rows`.
pub fn run(
    model: &mut LocalModel,
    rows: &[StepwiseRow],
    config: &OrmConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    config.train.validate()?;
    check(model, config.aux_lm_weight)?;
    let stream = |name| Stream::new(config.train.seed, &[work.name(), name]);
    let mut rows = rows.to_vec();
    if let Some(max_ratio) = config.max_class_ratio {
        rows = balance(rows, max_ratio, |row| row.correct == Some(true), &mut stream("balance"))?;
    }
    if config.shuffle_labels {
        shuffle_steps(&mut rows, &mut stream("shuffle_labels"));
        shuffle_outcomes(&mut rows, &mut stream("shuffle_outcomes"));
    }
    let mut set = TrainingSet::new(config.aux_lm_weight);
    for row in &rows {
        let example = outcome_example(model, row, config.supervision, config.aux_lm_weight)?;
        set.push(model, &config.train, || row.name(), example)?;
    }
    training::run(model, &set, &config.train, work)
}

/// A completion with its outcome as the only label.
pub(crate) fn outcome_example(
    model: &LocalModel,
    row: &StepwiseRow,
    supervision: Supervision,
    aux_lm_weight: f64,
) -> Result<Example, TrainError> {
    let Some(correct) = row.correct else {
        return Err(refuse(row, "it has no outcome label".into()));
    };
    let read = read(model, row)?;
    let values = outcome_targets(&read, correct, supervision);
    let lm = if aux_lm_weight > 0.0 { lm_targets_while_right(row, &read) } else { Vec::new() };
    Ok(Example { tokens: read.tokens, lm, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::{bytes, labelled_rows, scores, train};

    fn config(supervision: Supervision) -> OrmConfig {
        let train = TrainConfig { num_train_epochs: 80, batch_size: 9, ..TrainConfig::default() };
        OrmConfig { supervision, train, ..OrmConfig::default() }
    }

    #[test]
    fn a_tiny_model_learns_to_judge_outcomes() {
        let rows = labelled_rows();
        let mut model = bytes();
        train(|work| run(&mut model, &rows, &config(Supervision::LastToken), work)).unwrap();
        for (row, scores) in rows.iter().zip(scores(&model, &rows)) {
            assert_eq!(row.correct, Some(scores[1] > 0.5), "{row:?}");
        }
    }

    #[test]
    fn every_supervision_counts_its_tokens() {
        let rows = labelled_rows();
        let share = |supervision| {
            let mut config = config(supervision);
            config.train.num_train_epochs = 1;
            train(|work| run(&mut bytes(), &rows, &config, work)).unwrap().supervised_share
        };
        assert_eq!(share(Supervision::StepEnds), 2.0 / 6.0);
        assert_eq!(share(Supervision::EveryToken), 4.0 / 6.0);
        assert_eq!(share(Supervision::LastToken), 1.0 / 6.0);
    }

    #[test]
    fn balance_drops_rows_of_the_common_outcome() {
        let mut config = config(Supervision::LastToken);
        config.train.num_train_epochs = 1;
        config.max_class_ratio = Some(1.0);
        let summary = train(|work| run(&mut bytes(), &labelled_rows(), &config, work)).unwrap();
        assert_eq!((summary.examples, summary.positive_share), (18, Some(0.5)));
    }

    #[test]
    fn a_row_without_an_outcome_is_named() {
        let mut rows = labelled_rows();
        rows[1].correct = None;
        let config = config(Supervision::StepEnds);
        let error = train(|work| run(&mut bytes(), &rows, &config, work)).unwrap_err();
        assert_eq!(error.to_string(), "problem \"a\" sample 1: it has no outcome label");
    }
}
