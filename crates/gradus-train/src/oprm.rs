//! The outcome and process evaluator ("OPRM") of Sun et al., "Easy-to-Hard
//! Generalization" (NeurIPS 2024), section 3.3: one evaluator trained on the
//! union of the process evaluator's data and the outcome evaluator's.
//!
//! A row with step labels gives a sequence with these, a row with an outcome one
//! with that; a row with both gives both. Where the two put labels at the same
//! token they pull it towards their mean, as in the paper;
//! `outcome_supervision = "last_token"` keeps them apart.
//! Departures are those of the two evaluators; the paper does not say in which
//! proportion and order it mixes, here it is one of each, in random order.

use gradus::run::{Stream, Work};
use gradus_model::LocalModel;
use serde::{Deserialize, Serialize};

use crate::labels::{balance, shuffle_outcomes, shuffle_steps};
use crate::orm::outcome_example;
use crate::prm::{check, step_example};
use crate::targets::{Supervision, refuse};
use crate::training_set::TrainingSet;
use crate::{LabelKind, StepwiseRow, Summary, TrainConfig, TrainError, training};

/// Config of [`run`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OprmConfig {
    /// What a step's label says.
    pub labels: LabelKind,
    /// Where the outcome label is put.
    pub outcome_supervision: Supervision,
    /// Weight of the auxiliary next-token loss; 0 leaves it out.
    pub aux_lm_weight: f64,
    /// Most rows of one class per row of the other within a problem; without it, rows are left
    /// as they are. The outcome is the class where there is one, else whether all steps are right.
    pub max_class_ratio: Option<f64>,
    /// The control: outcomes are permuted among rows and step labels among steps,
    /// before anything is derived from them, so that nothing of the true ones is left.
    pub shuffle_labels: bool,
    /// What every trainer shares.
    pub train: TrainConfig,
}

impl Default for OprmConfig {
    fn default() -> Self {
        Self {
            labels: LabelKind::Local,
            outcome_supervision: Supervision::StepEnds,
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

/// Trains `model`, which has an evaluator head, on all labels of `rows`.
pub fn run(
    model: &mut LocalModel,
    rows: &[StepwiseRow],
    config: &OprmConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    config.train.validate()?;
    check(model, config.aux_lm_weight)?;
    let stream = |name| Stream::new(config.train.seed, &[work.name(), name]);
    let mut rows = rows.to_vec();
    if let Some(max_ratio) = config.max_class_ratio {
        let positive = |row: &StepwiseRow| row.correct.unwrap_or_else(|| row.sound());
        rows = balance(rows, max_ratio, positive, &mut stream("balance"))?;
    }
    if config.shuffle_labels {
        shuffle_steps(&mut rows, &mut stream("shuffle_labels"));
        shuffle_outcomes(&mut rows, &mut stream("shuffle_outcomes"));
    }
    let mut set = TrainingSet::new(config.aux_lm_weight);
    for row in &rows {
        if row.labels.is_empty() && row.correct.is_none() {
            return Err(refuse(row, "it has neither step labels nor an outcome".into()));
        }
        if !row.labels.is_empty() {
            let example = step_example(model, row, config.labels, config.aux_lm_weight)?;
            set.push(model, &config.train, || row.name(), example)?;
        }
        if row.correct.is_some() {
            let supervision = config.outcome_supervision;
            let example = outcome_example(model, row, supervision, config.aux_lm_weight)?;
            set.push(model, &config.train, || row.name(), example)?;
        }
    }
    training::run(model, &set, &config.train, work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::{bytes, labelled_rows, train};

    #[test]
    fn a_row_gives_a_sequence_for_each_kind_of_label_that_it_has() {
        let mut rows = labelled_rows();
        rows[0].correct = None;
        rows[1].labels.clear();
        let mut config =
            OprmConfig { outcome_supervision: Supervision::LastToken, ..OprmConfig::default() };
        config.train.num_train_epochs = 1;
        let summary = train(|work| run(&mut bytes(), &rows, &config, work)).unwrap();
        assert_eq!(summary.examples, 2 * rows.len() - 2);
        let labels = 2 * (rows.len() - 1) + rows.len() - 1;
        assert_eq!(summary.supervised_share, labels as f64 / (summary.num_tokens as f64));
    }

    #[test]
    fn a_row_without_any_label_is_named() {
        let mut rows = labelled_rows();
        (rows[2].correct, rows[2].labels) = (None, Vec::new());
        let config = OprmConfig::default();
        let error = train(|work| run(&mut bytes(), &rows, &config, work)).unwrap_err();
        let expected = "problem \"a\" sample 2: it has neither step labels nor an outcome";
        assert_eq!(error.to_string(), expected);
    }
}
