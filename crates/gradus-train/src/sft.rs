//! Supervised fine-tuning on demonstrations: the generator of Sun et al.,
//! "Easy-to-Hard Generalization: Scalable Alignment Beyond Human Supervision"
//! (NeurIPS 2024), section 3.
//!
//! The loss is the mean next-token cross-entropy over the completion's tokens of
//! the batch, the end-of-sequence token included; the prompt has none.
//!
//! Departures: full sequences instead of one example per step, and every weight
//! is trained (the paper freezes embeddings and norms of its 7B models).

use gradus::run::Work;
use gradus_model::{Example, LocalModel, judgement};

use crate::targets::lm_targets;
use crate::training_set::TrainingSet;
use crate::{PromptCompletion, Summary, TrainConfig, TrainError, training};

/// Trains `model` on `rows`.
pub fn run(
    model: &mut LocalModel,
    rows: &[PromptCompletion],
    config: &TrainConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    config.validate()?;
    let mut set = TrainingSet::new(1.0);
    for (index, row) in rows.iter().enumerate() {
        let name = || format!("row {}", index + 1);
        let read = judgement(&model.tokenizer, &row.prompt, &row.completion, &[])
            .map_err(|error| TrainError::Row { row: name(), reason: error.to_string() })?;
        let lm = lm_targets(&read, read.tokens.len());
        set.push(model, config, name, Example { tokens: read.tokens, lm, values: Vec::new() })?;
    }
    training::run(model, &set, config, work)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use gradus::run::{Event, Monitor, RunError};

    use super::*;
    use crate::test_model::{bytes, weights};

    fn rows() -> Vec<PromptCompletion> {
        (0..40)
            .map(|index| PromptCompletion {
                prompt: format!("{}+1\n", index % 8),
                completion: format!("{}{}", index % 8 + 1, ".".repeat(index % 5)),
            })
            .collect()
    }

    fn config() -> TrainConfig {
        TrainConfig {
            num_train_epochs: 2,
            batch_size: 4,
            micro_batch_size: 2,
            logging_steps: 3,
            save_steps: 1000,
            ..TrainConfig::default()
        }
    }

    fn work(dir: &Path, monitor: Monitor) -> Work {
        Work::scratch(dir, "sft", monitor).unwrap()
    }

    /// Asks to stop once `step` steps are done.
    fn stop_after(step: u64) -> Monitor {
        let cancel = Arc::new(AtomicBool::new(false));
        let ask = Arc::clone(&cancel);
        let watch = move |event: &Event| {
            if matches!(event, Event::Progress { done, .. } if *done == step) {
                ask.store(true, Ordering::Relaxed);
            }
        };
        Monitor::new(watch, cancel)
    }

    #[test]
    fn a_tiny_model_learns_its_demonstrations() {
        let dir = tempfile::tempdir().unwrap();
        let mut model = bytes();
        let config = TrainConfig { num_train_epochs: 20, batch_size: 8, ..config() };
        let summary =
            run(&mut model, &rows(), &config, &work(dir.path(), Monitor::silent())).unwrap();
        let metrics = fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
        let first: serde_json::Value =
            serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
        assert!(first["loss"].as_f64().unwrap() > 4.0, "{first}");
        assert!(summary.final_loss < 1.5, "{summary:?}");
        assert_eq!((summary.steps, summary.examples), (100, 40));
        // Per row: 4 tokens of prompt, 1 to 5 of completion, the end of sequence.
        assert_eq!(summary.num_tokens, 20 * 40 * 8);
        assert_eq!(summary.supervised_share, 0.5);
        assert_eq!(summary.positive_share, None);
    }

    #[test]
    fn training_killed_at_step_7_and_resumed_leaves_the_bytes_of_one_never_stopped() {
        let whole = tempfile::tempdir().unwrap();
        let mut straight = bytes();
        let summary =
            run(&mut straight, &rows(), &config(), &work(whole.path(), Monitor::silent())).unwrap();
        assert_eq!(summary.steps, 20);

        let parts = tempfile::tempdir().unwrap();
        let stopped = run(&mut bytes(), &rows(), &config(), &work(parts.path(), stop_after(7)));
        assert!(matches!(stopped, Err(TrainError::Run(RunError::Interrupted))), "{stopped:?}");
        // What a kill leaves behind: rows of later steps and half a checkpoint.
        let log = parts.path().join("metrics.jsonl");
        let text = fs::read_to_string(&log).unwrap() + "{\"step\":9,\"loss\":1.0}\n";
        fs::write(&log, text).unwrap();
        fs::create_dir_all(parts.path().join(".resume/unfinished")).unwrap();

        let mut resumed = bytes();
        let again =
            run(&mut resumed, &rows(), &config(), &work(parts.path(), Monitor::silent())).unwrap();
        assert_eq!(summary, again);
        assert_eq!(weights(&straight), weights(&resumed));
        let read = |dir: &Path| fs::read(dir.join("metrics.jsonl")).unwrap();
        assert_eq!(read(whole.path()), read(parts.path()));
    }

    #[test]
    fn a_kill_between_checkpoints_costs_the_steps_since_the_last_one_and_changes_nothing() {
        let config = TrainConfig { save_steps: 6, ..config() };
        let train = |dir: &Path, monitor| {
            let mut model = bytes();
            run(&mut model, &rows(), &config, &work(dir, monitor)).unwrap();
            (weights(&model), fs::read(dir.join("metrics.jsonl")).unwrap())
        };
        let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let watch = |event: &Event| {
            assert!(!matches!(event, Event::Progress { done: 10, .. }), "killed at step 10");
        };
        let monitor = Monitor::new(watch, Arc::default());
        let kill = std::panic::AssertUnwindSafe(|| train(killed.path(), monitor));
        assert!(std::panic::catch_unwind(kill).is_err());
        assert!(killed.path().join(".resume/checkpoint-6").is_dir());
        let straight = train(whole.path(), Monitor::silent());
        assert_eq!(train(killed.path(), Monitor::silent()), straight);
    }

    #[test]
    fn a_damaged_checkpoint_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig { save_steps: 6, ..config() };
        run(&mut bytes(), &rows(), &config, &work(dir.path(), Monitor::silent())).unwrap();
        let checkpoint = dir.path().join(".resume/checkpoint-18");
        for file in ["optimizer.safetensors", "model.safetensors", "trainer_state.json"] {
            let whole = fs::read(checkpoint.join(file)).unwrap();
            fs::write(checkpoint.join(file), &whole[..whole.len() / 2]).unwrap();
            let error = run(&mut bytes(), &rows(), &config, &work(dir.path(), Monitor::silent()));
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with("checkpoint ") && error.contains(file), "{error}");
            fs::write(checkpoint.join(file), &whole).unwrap();
        }
    }

    #[test]
    fn checkpoints_are_saved_on_the_way_and_only_the_newest_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig { save_steps: 6, ..config() };
        run(&mut bytes(), &rows(), &config, &work(dir.path(), Monitor::silent())).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path().join(".resume"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, ["checkpoint-18"]);
        LocalModel::load(&dir.path().join(".resume/checkpoint-18")).unwrap();
    }

    #[test]
    fn a_checkpoint_of_another_training_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let stopped = run(&mut bytes(), &rows(), &config(), &work(dir.path(), stop_after(7)));
        assert!(stopped.is_err());
        let other = TrainConfig { seed: 1, ..config() };
        let error = run(&mut bytes(), &rows(), &other, &work(dir.path(), Monitor::silent()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("checkpoint-7: it is of another training"), "{error}");
        assert!(dir.path().join(".resume/checkpoint-7").is_dir());
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let trained = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let mut model = bytes();
            let config = TrainConfig { group_by_length: true, ..config() };
            pool.install(|| {
                run(&mut model, &rows(), &config, &work(dir.path(), Monitor::silent()))
            })
            .unwrap();
            weights(&model)
        };
        assert_eq!(trained(1), trained(2));
    }

    #[test]
    fn a_row_that_is_too_long_is_named_or_left_out_and_counted() {
        let mut rows = rows();
        rows[2].completion = "x".repeat(100);
        let dir = tempfile::tempdir().unwrap();
        let run = |max_length| {
            let config = TrainConfig { max_length, num_train_epochs: 1, ..config() };
            super::run(&mut bytes(), &rows, &config, &work(dir.path(), Monitor::silent()))
        };
        let error = run(None).unwrap_err().to_string();
        assert!(error.starts_with("row 3: 105 tokens exceed the model's context of 64"), "{error}");
        let summary = run(Some(64)).unwrap();
        assert_eq!((summary.examples, summary.rows_too_long), (39, 1));
        let error = run(Some(3)).unwrap_err().to_string();
        let expected = "the 40 rows hold no supervised token; 40 of them exceed max_length";
        assert_eq!(error, expected);
    }
}
