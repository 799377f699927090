//! The index of a folder whose weights are in several files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use gradus::run::RunError;
use serde::Deserialize;

use super::WeightFiles;
use crate::ModelError;

/// The file of weights that are in one file.
pub(super) const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// A model of a hundred thousand tensors has an index of some 10 MB.
const LONGEST: u64 = 100_000_000;

/// Which tensor is in which file.
pub(super) struct Shards {
    path: PathBuf,
    weight_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Shards {
    /// The index of `dir`; none where there is one file, or where there is neither.
    pub(super) fn of(dir: &Path) -> Result<Option<Self>, ModelError> {
        let path = dir.join(INDEX);
        if dir.join(SINGLE).exists() || !path.exists() {
            return Ok(None);
        }
        let failed = |error| ModelError::Run(RunError::io("read", &path)(error));
        let malformed = |reason| ModelError::Malformed { path: path.clone(), reason };
        let size = fs::metadata(&path).map_err(failed)?.len();
        if size > LONGEST {
            return Err(malformed(format!("{size} bytes, at most {LONGEST} are read")));
        }
        let bytes = fs::read(&path).map_err(failed)?;
        let Index { weight_map } =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        for shard in weight_map.values() {
            let mut parts = Path::new(shard).components();
            // Not even a folder below: no program writes that.
            if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
                let reason = format!("shard {shard:?} is not the name of a file beside it");
                return Err(malformed(reason));
            }
        }
        Ok(Some(Self { path, weight_map }))
    }

    /// The names of the files.
    pub(super) fn files(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.weight_map.values().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every tensor is in the shard that the index says, and no other is there.
    pub(super) fn check(&self, opened: &WeightFiles) -> Result<(), ModelError> {
        let malformed = |reason| Err(ModelError::Malformed { path: self.path.clone(), reason });
        for (name, shard) in &self.weight_map {
            let file = opened.tensors.get(name).map(|tensor| opened.files[tensor.file].path());
            if file.and_then(Path::file_name) != Some(shard.as_ref()) {
                return malformed(format!("tensor {name} is not in {shard}"));
            }
        }
        match opened.names().find(|&name| !self.weight_map.contains_key(name)) {
            Some(name) => malformed(format!("tensor {name} of a shard is not listed")),
            None => Ok(()),
        }
    }
}
