//! Checkpoints from which a killed training goes on, bit for bit.
//!
//! `checkpoint-<step>/` holds the model as its own folder does, the moments of
//! the optimiser as `optimizer.safetensors` (under PyTorch's names, `exp_avg`
//! and `exp_avg_sq`) and `trainer_state.json`. It is written under another name,
//! flushed and renamed; then older ones go. Random streams need no state: they
//! are named by epoch.

use std::fs;
use std::path::{Path, PathBuf};

use gradus::run::{RunError, sync_folder, write_file};
use gradus_model::{LocalModel, Parameter};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::TrainError;
use crate::adamw::Moments;
use crate::progress::Progress;

const PREFIX: &str = "checkpoint-";
const MOMENTS: &str = "optimizer.safetensors";
const STATE: &str = "trainer_state.json";

/// Writes the checkpoint of `progress.step` into `dir` and removes the others.
pub(crate) fn save(
    dir: &Path,
    model: &LocalModel,
    moments: &Moments,
    progress: &Progress,
) -> Result<(), TrainError> {
    let unfinished = dir.join("unfinished");
    remove(&unfinished)?;
    model.save(&unfinished).map_err(|error| TrainError::model(model, error))?;
    let moments = moments_to_bytes(model.decoder.parameters(), moments)
        .map_err(|error| TrainError::checkpoint(&unfinished, error))?;
    write_file(&unfinished.join(MOMENTS), &moments)?;
    let state = serde_json::to_vec(progress).map_err(|e| TrainError::checkpoint(&unfinished, e))?;
    write_file(&unfinished.join(STATE), &state)?;
    let finished = dir.join(format!("{PREFIX}{}", progress.step));
    remove(&finished)?;
    fs::rename(&unfinished, &finished).map_err(RunError::io("rename", &unfinished))?;
    sync_folder(dir)?;
    for (_, path) in list(dir)?.into_iter().filter(|(step, _)| *step != progress.step) {
        remove(&path)?;
    }
    Ok(())
}

/// Puts the newest checkpoint of `dir` into model and moments. None where there
/// is no checkpoint; one of another training is an error.
pub(crate) fn load(
    dir: &Path,
    model: &LocalModel,
    moments: &mut Moments,
    fingerprint: &str,
) -> Result<Option<Progress>, TrainError> {
    let Some((_, path)) = list(dir)?.pop() else { return Ok(None) };
    let state = path.join(STATE);
    let text = fs::read(&state).map_err(RunError::io("read", &state))?;
    let progress: Progress =
        serde_json::from_slice(&text).map_err(|error| TrainError::checkpoint(&state, error))?;
    if progress.fingerprint != fingerprint {
        let reason = "it is of another training (config, rows or first weights differ); \
                      remove it or train into another directory";
        return Err(TrainError::checkpoint(&path, reason));
    }
    let saved = LocalModel::load(&path).map_err(|error| TrainError::checkpoint(&path, error))?;
    let file = path.join(MOMENTS);
    let bytes = fs::read(&file).map_err(RunError::io("read", &file))?;
    let tensors =
        SafeTensors::deserialize(&bytes).map_err(|error| TrainError::checkpoint(&file, error))?;
    if saved.decoder.config() != model.decoder.config() {
        return Err(TrainError::checkpoint(&path, "it is of a model of another shape"));
    }
    for (parameter, saved) in model.decoder.parameters().iter().zip(saved.decoder.parameters()) {
        let weights = saved.to_vec().map_err(|error| TrainError::model(model, error))?;
        parameter
            .update(|place| place.copy_from_slice(&weights))
            .map_err(|error| TrainError::model(model, error))?;
        let place = parameter.offset..parameter.offset + parameter.len;
        let halves = [("exp_avg", &mut moments.first), ("exp_avg_sq", &mut moments.second)];
        for (moment, all) in halves {
            let name = format!("{moment}.{}", parameter.name);
            let view =
                tensors.tensor(&name).map_err(|error| TrainError::checkpoint(&file, error))?;
            let (numbers, _) = view.data().as_chunks::<4>();
            if view.dtype() != Dtype::F32 || numbers.len() != parameter.len {
                let reason = format!(
                    "tensor {name} has {} numbers, expected {}",
                    numbers.len(),
                    parameter.len
                );
                return Err(TrainError::checkpoint(&file, reason));
            }
            for (value, &bytes) in all[place.clone()].iter_mut().zip(numbers) {
                *value = f32::from_le_bytes(bytes);
            }
        }
    }
    Ok(Some(progress))
}

fn moments_to_bytes(
    parameters: &[Parameter],
    moments: &Moments,
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let mut tensors = Vec::with_capacity(2 * parameters.len());
    for parameter in parameters {
        let place = parameter.offset..parameter.offset + parameter.len;
        for (moment, values) in [("exp_avg", &moments.first), ("exp_avg_sq", &moments.second)] {
            let bytes: Vec<u8> =
                values[place.clone()].iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((format!("{moment}.{}", parameter.name), parameter.var.dims(), bytes));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

/// The checkpoints of `dir` by step, the newest last.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(RunError::io("list", dir))? {
        let entry = entry.map_err(RunError::io("list", dir))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        found.extend(step.map(|step| (step, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

fn remove(dir: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RunError::io("remove", dir)(error).into())
        }
        _ => Ok(()),
    }
}
