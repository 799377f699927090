//! Models small enough for tests.

use std::ops::ControlFlow;

use gradus::data::Span;
use gradus::lm::{Judged, Key, Reward, RowError};
use gradus::run::{Monitor, Stream, Work};
use gradus_model::{ByteTokenizer, DecoderConfig, LocalModel};

use crate::{StepwiseRow, TrainError};

/// Two layers of width 16 on bytes, with an evaluator head.
pub(crate) fn bytes() -> LocalModel {
    let config = DecoderConfig {
        hidden_size: 16,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 32,
        max_position_embeddings: 64,
        ..DecoderConfig::default()
    };
    LocalModel::new(config, ByteTokenizer {}.into(), &mut Stream::new(1, &["init"]))
        .expect("the sizes make a decoder")
}

/// All weights, in the order of a flat gradient.
pub(crate) fn weights(model: &LocalModel) -> Vec<f32> {
    model
        .decoder
        .parameters()
        .iter()
        .flat_map(|parameter| parameter.to_vec().expect("weights are f32"))
        .collect()
}

/// Two-step completions in which a step is right where its letter is the prompt's,
/// and the answer is right where the last one is.
pub(crate) fn labelled_rows() -> Vec<StepwiseRow> {
    let letters = ["a", "b", "c"];
    let all = (0..27).map(|index| [index / 9, index / 3 % 3, index % 3].map(|at| letters[at]));
    let row = |(sample, [prompt, first, last]): (usize, [&str; 3])| StepwiseRow {
        problem: prompt.into(),
        sample: sample as u32,
        prompt: format!("{prompt}\n"),
        completion: format!("{first}\n{last}"),
        steps: vec![Span { start: 0, end: 2 }, Span { start: 2, end: 3 }],
        labels: vec![first == prompt, last == prompt],
        correct: Some(last == prompt),
    };
    all.enumerate().map(row).collect()
}

/// The scores that `model` gives the steps of `rows`.
pub(crate) fn scores(model: &LocalModel, rows: &[StepwiseRow]) -> Vec<Vec<f64>> {
    let judged: Vec<Judged> = rows
        .iter()
        .map(|row| Judged {
            key: Key { problem: row.problem.as_str().into(), sample: row.sample, branch: 0 },
            problem: row.prompt.as_str().into(),
            completion: row.completion.clone(),
            steps: row.steps.clone(),
        })
        .collect();
    let mut scores = vec![Vec::new(); rows.len()];
    let mut sink = |key: Key, row: Result<Vec<f64>, RowError>| {
        let at = rows.iter().position(|row| row.sample == key.sample).expect("a row has this key");
        scores[at] = row.expect("the row can be judged");
        ControlFlow::Continue(())
    };
    model.reward(&judged, &mut sink).expect("the model has an evaluator head");
    scores
}

/// Trains in a folder that goes afterwards.
pub(crate) fn train<T>(run: impl FnOnce(&Work) -> Result<T, TrainError>) -> Result<T, TrainError> {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    run(&Work::scratch(dir.path(), "test", Monitor::silent())?)
}
