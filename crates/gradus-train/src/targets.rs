//! What is supervised in a sequence, for all trainers.
//!
//! A sequence is the prompt, the completion and an end-of-sequence token, which
//! follows also where the completion was cut off: the unfinished text in front
//! of it is then what an evaluator has to recognise. Where each step is judged
//! is the model's to say ([`gradus_model::judgement`]), so that training and
//! scoring cannot disagree.

use gradus_model::{Judgement, LmTarget, LocalModel, ValueTarget, judgement};
use serde::{Deserialize, Serialize};

use crate::{StepwiseRow, TrainError};

/// Where an outcome label is put.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// At the end of every step.
    #[default]
    StepEnds,
    /// At every token of the completion, as the paper's outcome evaluator.
    EveryToken,
    /// At the end-of-sequence token.
    LastToken,
}

/// The tokens of a labelled completion and where its steps are judged. Two
/// steps that would be judged at the same token are an error.
pub(crate) fn read(model: &LocalModel, row: &StepwiseRow) -> Result<Judgement, TrainError> {
    let read = judgement(&model.tokenizer, &row.prompt, &row.completion, &row.steps)
        .map_err(|error| refuse(row, error.to_string()))?;
    let out_of_order = read.positions.windows(2).position(|pair| pair[0] >= pair[1]);
    if let Some(step) = out_of_order {
        let reason = format!("steps {} and {} end in the same token", step + 1, step + 2);
        return Err(refuse(row, reason));
    }
    if read.positions.first().is_some_and(|&first| first < read.completion) {
        return Err(refuse(row, "step 1 holds no token, so its label would be lost".into()));
    }
    if !row.labels.is_empty() && row.labels.len() != row.steps.len() {
        let reason = format!("{} labels for {} steps", row.labels.len(), row.steps.len());
        return Err(refuse(row, reason));
    }
    Ok(read)
}

pub(crate) fn refuse(row: &StepwiseRow, reason: String) -> TrainError {
    TrainError::Row { row: row.name(), reason }
}

/// Next-token targets: the completion's tokens before position `until`.
pub(crate) fn lm_targets(read: &Judgement, until: usize) -> Vec<LmTarget> {
    // Nothing precedes, and so nothing predicts, the very first token.
    (read.completion.max(1)..until)
        .map(|at| LmTarget { position: at - 1, token: read.tokens[at], weight: 1.0 })
        .collect()
}

/// The auxiliary next-token targets of an evaluator: the completion up to its
/// first wrong step, which is left out. Where steps have no labels, all of a
/// right completion and nothing of a wrong one.
pub(crate) fn lm_targets_while_right(row: &StepwiseRow, read: &Judgement) -> Vec<LmTarget> {
    let first_wrong = if row.labels.is_empty() && row.correct != Some(true) {
        Some(0)
    } else {
        row.labels.iter().position(|&valid| !valid)
    };
    let until = match first_wrong {
        None => read.tokens.len(),
        Some(0) => read.completion,
        Some(step) => read.positions[step - 1] + 1,
    };
    lm_targets(read, until)
}

/// One label per step, at the token where the step is judged.
pub(crate) fn step_targets(read: &Judgement, labels: &[bool]) -> Vec<ValueTarget> {
    read.positions.iter().zip(labels).map(|(&position, &label)| target(position, label)).collect()
}

/// The outcome label, wherever `supervision` wants it.
pub(crate) fn outcome_targets(
    read: &Judgement,
    correct: bool,
    supervision: Supervision,
) -> Vec<ValueTarget> {
    let end = read.tokens.len();
    match supervision {
        Supervision::StepEnds => {
            read.positions.iter().map(|&position| target(position, correct)).collect()
        }
        Supervision::EveryToken => {
            (read.completion..end).map(|position| target(position, correct)).collect()
        }
        Supervision::LastToken => vec![target(end - 1, correct)],
    }
}

fn target(position: usize, label: bool) -> ValueTarget {
    ValueTarget { position, label: f32::from(u8::from(label)), weight: 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model;

    // Prompt "q\n" is tokens 0 and 1, "a\n" 2 and 3, "b\n" 4 and 5, "c" 6, the end 7.
    fn row(labels: &[bool], correct: Option<bool>) -> StepwiseRow {
        let spans = [(0, 2), (2, 4), (4, 5)];
        StepwiseRow {
            problem: "p".into(),
            prompt: "q\n".into(),
            completion: "a\nb\nc".into(),
            steps: spans.map(|(start, end)| gradus::data::Span { start, end }).to_vec(),
            labels: labels.to_vec(),
            correct,
            ..StepwiseRow::default()
        }
    }

    fn predicted(row: &StepwiseRow) -> Vec<usize> {
        let read = read(&test_model::bytes(), row).unwrap();
        lm_targets_while_right(row, &read).iter().map(|target| target.position + 1).collect()
    }

    #[test]
    fn the_auxiliary_loss_stops_before_the_first_wrong_step() {
        assert_eq!(predicted(&row(&[true; 3], None)), [2, 3, 4, 5, 6, 7]);
        assert_eq!(predicted(&row(&[true, true, false], Some(true))), [2, 3, 4, 5]);
        assert_eq!(predicted(&row(&[true, false, true], None)), [2, 3]);
        assert_eq!(predicted(&row(&[false, true, true], None)), [0; 0]);
    }

    #[test]
    fn without_step_labels_the_outcome_decides_over_the_auxiliary_loss() {
        assert_eq!(predicted(&row(&[], Some(true))), [2, 3, 4, 5, 6, 7]);
        assert_eq!(predicted(&row(&[], Some(false))), [0; 0]);
    }

    #[test]
    fn a_step_is_supervised_at_its_newline_and_the_last_at_the_end_of_sequence() {
        let row = row(&[true, false, true], Some(false));
        let read = read(&test_model::bytes(), &row).unwrap();
        let at = |targets: Vec<ValueTarget>| -> Vec<(usize, f32)> {
            targets.iter().map(|target| (target.position, target.label)).collect()
        };
        assert_eq!(at(step_targets(&read, &row.labels)), [(3, 1.0), (5, 0.0), (7, 1.0)]);
        let outcome = |supervision| at(outcome_targets(&read, false, supervision));
        assert_eq!(outcome(Supervision::StepEnds), [(3, 0.0), (5, 0.0), (7, 0.0)]);
        assert_eq!(outcome(Supervision::EveryToken).len(), 6);
        assert_eq!(outcome(Supervision::LastToken), [(7, 0.0)]);
    }

    #[test]
    fn a_label_that_lands_on_no_token_names_the_row() {
        let mut row = row(&[true; 3], None);
        row.steps[1] = gradus::data::Span { start: 2, end: 2 };
        assert_eq!(
            read(&test_model::bytes(), &row).unwrap_err().to_string(),
            "problem \"p\" sample 0: steps 1 and 2 end in the same token"
        );
    }
}
