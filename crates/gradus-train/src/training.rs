//! The loop that every trainer shares.
//!
//! One step: a batch is cut into micro-batches of fixed rows, whose gradients
//! are computed in parallel, each into a buffer of its own, and added up in the
//! order of the micro-batches; so nothing depends on the number of threads.

use gradus::data::hash_bytes;
use gradus::run::{RunError, Work};
use gradus_model::{Example, Gradients, LocalModel, Losses, gradients};
use rayon::prelude::*;

use crate::adamw::{AdamW, Moments, clip_factor, norm};
use crate::progress::{FINAL_STEPS, Progress, StepLosses};
use crate::schedule::Schedule;
use crate::training_set::TrainingSet;
use crate::{Summary, TrainConfig, TrainError, batches, checkpoint};

/// Trains `model` on `set`, from the newest checkpoint in `work` if there is one.
///
/// One training per `work`: its name is part of the random streams, and its
/// checkpoints and `metrics.jsonl` are the training's.
pub(crate) fn run(
    model: &mut LocalModel,
    set: &TrainingSet,
    config: &TrainConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    let supervised = set.supervised()?;
    let evaluator = supervised.values > 0;
    let mut warnings = Vec::new();
    if evaluator && (supervised.positives == 0 || supervised.positives == supervised.values) {
        warnings.push(format!(
            "all {} labels say {}: the evaluator can only learn a constant",
            supervised.values,
            if supervised.positives == 0 { "wrong" } else { "right" }
        ));
    }
    for warning in &warnings {
        work.monitor().note(format!("{}: {warning}", work.name()));
    }

    let lengths: Vec<usize> = set.examples.iter().map(|example| example.tokens.len()).collect();
    let per_epoch = batches::steps_per_epoch(lengths.len(), config);
    let total = per_epoch * u64::from(config.num_train_epochs);
    let schedule = Schedule::new(config, total);
    let checkpoints = work.resume()?;
    let fingerprint = fingerprint(model, set, config)?;
    let mut moments = Moments::zeros(model.decoder.len());
    let mut progress = match checkpoint::load(&checkpoints, model, &mut moments, &fingerprint)? {
        Some(progress) => {
            work.monitor().note(format!("{}: resumed at step {}", work.name(), progress.step));
            progress
        }
        None => Progress::new(fingerprint, config.logging_steps),
    };
    let mut metrics = work.metrics()?;
    metrics.truncate_after(progress.step)?;

    let most_parts = config.batch_size.div_ceil(config.micro_batch_size);
    let mut buffers = vec![Gradients::new(&model.decoder); most_parts];
    let mut epoch_batches = (u64::MAX, Vec::new());
    while progress.step < total {
        let (epoch, in_epoch) = (progress.step / per_epoch, progress.step % per_epoch);
        if epoch_batches.0 != epoch {
            epoch_batches = (epoch, batches::of_epoch(&lengths, config, work.name(), epoch));
        }
        let rows = &epoch_batches.1[in_epoch as usize];
        let batch = weighted(rows.iter().map(|&row| &set.examples[row]), set.lm_weight);
        let losses = accumulate(model, &batch, config.micro_batch_size, &mut buffers)?;
        let losses = StepLosses::new(&losses);

        let step = progress.step + 1;
        let learning_rate = schedule.learning_rate(step);
        let grad_norm = norm(buffers[0].values());
        if !losses.total.is_finite() || !grad_norm.is_finite() {
            return Err(TrainError::Diverged { step, loss: losses.total, grad_norm });
        }
        let adamw = AdamW::at(config, step, learning_rate);
        let clip = clip_factor(grad_norm, config.max_grad_norm);
        update(model, &mut moments, buffers[0].values(), &adamw, clip)?;
        progress.record(losses, rows.iter().map(|&row| lengths[row] as u64).sum());

        if step % config.logging_steps == 0 || step == total {
            let since = (step - 1) % config.logging_steps + 1;
            let mean = progress.mean_of_last(since as usize);
            let mut values = vec![("loss", mean.total)];
            if evaluator {
                values.extend(mean.value.map(|loss| ("value_loss", loss)));
                values.extend(mean.lm.map(|loss| ("lm_loss", loss)));
            }
            values.extend([
                ("grad_norm", grad_norm),
                ("learning_rate", learning_rate),
                ("num_tokens", progress.num_tokens as f64),
                ("epoch", step as f64 / per_epoch as f64),
            ]);
            metrics.log(step, &values)?;
        }
        let stopped = work.progress(step, total, "steps");
        if step < total && (stopped.is_err() || step % config.save_steps == 0) {
            checkpoint::save(&checkpoints, model, &moments, &progress)?;
            stopped?;
        }
    }

    let last = progress.mean_of_last(FINAL_STEPS);
    let share = |part: u64| part as f64 / supervised.tokens as f64;
    Ok(Summary {
        examples: set.examples.len(),
        rows_too_long: set.rows_too_long,
        steps: total,
        num_tokens: progress.num_tokens,
        supervised_share: share(if evaluator { supervised.values } else { supervised.lm }),
        auxiliary_share: evaluator.then(|| share(supervised.lm)),
        positive_share: evaluator.then(|| supervised.positives as f64 / supervised.values as f64),
        final_loss: last.total,
        final_value_loss: last.value,
        final_lm_loss: if evaluator { last.lm } else { None },
        warnings,
    })
}

/// The batch with its weights divided by the number of targets in it, so that the
/// weighted sums of its losses are the means, the next-token one times `lm_weight`.
fn weighted<'a>(
    examples: impl Iterator<Item = &'a Example> + Clone,
    lm_weight: f64,
) -> Vec<Example> {
    let targets = examples.clone().map(|example| example.lm.len()).sum::<usize>();
    let lm = (lm_weight / targets.max(1) as f64) as f32;
    let targets = examples.clone().map(|example| example.values.len()).sum::<usize>();
    let value = (1.0 / targets.max(1) as f64) as f32;
    let mut batch: Vec<Example> = examples.cloned().collect();
    for example in &mut batch {
        example.lm.iter_mut().for_each(|target| target.weight *= lm);
        example.values.iter_mut().for_each(|target| target.weight *= value);
    }
    batch
}

/// Leaves the gradient of the whole batch in the first buffer.
fn accumulate(
    model: &LocalModel,
    batch: &[Example],
    micro_batch_size: usize,
    buffers: &mut [Gradients],
) -> Result<Losses, TrainError> {
    let parts: Vec<Result<Losses, TrainError>> = batch
        .par_chunks(micro_batch_size)
        .zip(buffers.par_iter_mut())
        .map(|(part, buffer)| {
            buffer.clear();
            let part: Vec<&Example> = part.iter().collect();
            gradients(&model.decoder, &part, buffer)
                .map_err(|error| TrainError::model(model, error))
        })
        .collect();
    let mut losses = Losses::default();
    let (sum, others) = buffers.split_first_mut().expect("a batch has at least one part");
    for (index, part) in parts.into_iter().enumerate() {
        losses.add(&part?);
        if index > 0 {
            sum.add(&others[index - 1]);
        }
    }
    Ok(losses)
}

fn update(
    model: &LocalModel,
    moments: &mut Moments,
    gradient: &[f32],
    adamw: &AdamW,
    clip: f32,
) -> Result<(), TrainError> {
    for parameter in model.decoder.parameters() {
        let place = parameter.offset..parameter.offset + parameter.len;
        let gradient = &gradient[place.clone()];
        let moments = (&mut moments.first[place.clone()], &mut moments.second[place]);
        parameter
            .update(|weights| adamw.update(weights, gradient, moments, clip, parameter.decay))
            .map_err(|error| TrainError::model(model, error))?;
    }
    Ok(())
}

/// SHA-256 over all that the result depends on: a checkpoint with another one is of another training.
fn fingerprint(
    model: &LocalModel,
    set: &TrainingSet,
    config: &TrainConfig,
) -> Result<String, TrainError> {
    let mut bytes = serde_json::to_vec(config)
        .map_err(|error| RunError::Internal(format!("a config is plain data: {error}")))?;
    bytes.extend(set.lm_weight.to_le_bytes());
    for parameter in model.decoder.parameters() {
        let weights = parameter.to_vec().map_err(|error| TrainError::model(model, error))?;
        bytes.extend(weights.iter().flat_map(|weight| weight.to_le_bytes()));
    }
    let mut hashes = hash_bytes(&bytes);
    for example in &set.examples {
        bytes.clear();
        bytes.extend(example.tokens.iter().flat_map(|token| token.to_le_bytes()));
        for target in &example.lm {
            bytes.extend((target.position as u64).to_le_bytes());
        }
        for target in &example.values {
            bytes.extend((target.position as u64).to_le_bytes());
            bytes.extend(target.label.to_le_bytes());
        }
        hashes.push_str(&hash_bytes(&bytes));
    }
    Ok(hash_bytes(hashes.as_bytes()))
}
