//! The cache of `huggingface_hub`: `models--org--name` with `refs`, `snapshots`, `blobs`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gradus::run::RunError;
use serde::Deserialize;

use super::{Hub, HubError, ModelId};

/// A snapshot of a model in the cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedModel {
    /// Name, and the revision under which it was fetched.
    pub id: ModelId,
    /// The commit.
    pub commit: String,
    /// The folder with its files.
    pub folder: PathBuf,
    /// Files without which it cannot be used and that are not there.
    pub missing: Vec<String>,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Hub {
    /// A model in the cache; none where there is nothing of that revision.
    pub fn cached(&self, id: &ModelId) -> Result<Option<CachedModel>, HubError> {
        let repository = self.cache.join(id.folder());
        let named = repository.join("refs").join(id.revision());
        let commit = match fs::read_to_string(&named) {
            Ok(text) => text.trim().to_owned(),
            // A commit has no ref.
            Err(error) if is_absent(&error) => id.revision().to_owned(),
            Err(error) => return Err(RunError::io("read", &named)(error).into()),
        };
        let is_commit = commit.len() <= 64 && commit.chars().all(|c| c.is_ascii_alphanumeric());
        let folder = repository.join("snapshots").join(&commit);
        if !is_commit || !folder.is_dir() {
            return Ok(None);
        }
        let missing = missing(&folder)?;
        let bytes = bytes(&folder)?;
        Ok(Some(CachedModel { id: id.clone(), commit, folder, missing, bytes }))
    }

    /// All models of the cache by name: every ref, and every snapshot without a ref.
    pub fn list(&self) -> Result<Vec<CachedModel>, HubError> {
        let mut models = Vec::new();
        for name in names(&self.cache)? {
            let Some(id) = ModelId::of_folder(&name) else { continue };
            let repository = self.cache.join(&name);
            let mut revisions = Vec::new();
            refs(&repository.join("refs"), "", &mut revisions)?;
            let mut commits = names(&repository.join("snapshots"))?;
            for revision in revisions {
                // Not every name of a file can be a name of a revision.
                let Ok(id) = format!("{}@{revision}", id.name()).parse() else { continue };
                let id =
                    if revision == "main" { ModelId::of_folder(&name).unwrap_or(id) } else { id };
                if let Some(model) = self.cached(&id)? {
                    commits.retain(|commit| *commit != model.commit);
                    models.push(model);
                }
            }
            for commit in commits {
                models.extend(self.cached(&id.at(&commit))?);
            }
        }
        Ok(models)
    }
}

/// Names in a folder in alphabetical order; none where there is no folder.
fn names(dir: &Path) -> Result<Vec<String>, RunError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(RunError::io("read", dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RunError::io("read", dir))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// A ref may have slashes: `refs/pr/1`.
fn refs(dir: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), RunError> {
    for name in names(dir)? {
        let path = dir.join(&name);
        let full = format!("{prefix}{name}");
        // Symbolic links could go in a circle; no tool writes one here.
        let kind = fs::symlink_metadata(&path).map_err(RunError::io("read", &path))?;
        if kind.is_dir() {
            refs(&path, &format!("{full}/"), found)?;
        } else {
            found.push(full);
        }
    }
    Ok(())
}

/// What a model cannot do without and a folder lacks.
fn missing(folder: &Path) -> Result<Vec<String>, RunError> {
    let there = |name: &str| folder.join(name).exists();
    let names = names(folder)?;
    // A GGUF file is whole in itself; an adapter has its own two files.
    if names.iter().any(|name| has_extension(name, "gguf")) {
        return Ok(Vec::new());
    }
    if there("adapter_config.json") {
        let weights = "adapter_model.safetensors";
        return Ok(if there(weights) { Vec::new() } else { vec![weights.to_owned()] });
    }
    let mut missing: Vec<String> =
        ["config.json"].iter().filter(|name| !there(name)).map(|&name| name.to_owned()).collect();
    if there("model.safetensors") {
        return Ok(missing);
    }
    let index = folder.join("model.safetensors.index.json");
    if !index.exists() {
        missing.push("model.safetensors".to_owned());
        return Ok(missing);
    }
    let bytes = fs::read(&index).map_err(RunError::io("read", &index))?;
    // What is wrong with the index is told by whoever reads the weights.
    let shards: Shards = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut shards: Vec<String> =
        shards.weight_map.into_values().filter(|name| !there(name)).collect();
    shards.sort_unstable();
    shards.dedup();
    missing.extend(shards);
    Ok(missing)
}

#[derive(Default, Deserialize)]
struct Shards {
    weight_map: BTreeMap<String, String>,
}

/// Bytes of the files of a snapshot, which are links into `blobs`.
fn bytes(folder: &Path) -> Result<u64, RunError> {
    let mut bytes = 0;
    for name in names(folder)? {
        let path = folder.join(name);
        let link = fs::symlink_metadata(&path).map_err(RunError::io("read", &path))?;
        if link.is_dir() {
            bytes += self::bytes(&path)?;
        } else {
            // A link to a blob that is gone counts nothing.
            bytes += fs::metadata(&path).map_or(0, |file| file.len());
        }
    }
    Ok(bytes)
}

pub(super) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

#[cfg(test)]
mod tests {
    use gradus::run::Monitor;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// A cache as `huggingface_hub` leaves it, with plain files for links.
    fn cache(files: &[(&str, &str)]) -> (tempfile::TempDir, Hub) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let hub = Hub {
            cache: dir.path().to_owned(),
            offline: true,
            endpoint: "http://localhost:1".to_owned(),
            token: Some("secret".to_owned()),
        };
        (dir, hub)
    }

    fn snapshot(file: &str) -> String {
        format!("models--org--tiny/snapshots/{COMMIT}/{file}")
    }

    #[test]
    fn a_model_in_the_cache_is_found_by_branch_and_by_commit() {
        let (_dir, hub) = cache(&[
            ("models--org--tiny/refs/main", COMMIT),
            ("models--org--tiny/refs/refs/pr/1", COMMIT),
            (&snapshot("config.json"), "{}"),
            (&snapshot("model.safetensors"), "weights"),
            ("datasets--org--rows/refs/main", COMMIT),
        ]);
        let folder = hub.cache.join(snapshot("")).components().collect::<PathBuf>();
        for name in
            ["org/tiny".to_owned(), format!("org/tiny@{COMMIT}"), "org/tiny@refs/pr/1".into()]
        {
            assert_eq!(
                hub.resolve(&name.parse().unwrap(), &Monitor::silent()).unwrap(),
                folder,
                "{name}"
            );
        }
        let listed: Vec<String> = hub.list().unwrap().iter().map(|m| m.id.to_string()).collect();
        assert_eq!(listed, ["org/tiny", "org/tiny@refs/pr/1"]);
        assert_eq!(hub.list().unwrap()[0].bytes, 9);
        assert!(!format!("{hub:?}").contains("secret"));
    }

    #[test]
    fn a_snapshot_without_a_ref_is_listed_by_its_commit() {
        let (_dir, hub) = cache(&[(&snapshot("config.json"), "{}")]);
        let listed = hub.list().unwrap();
        assert_eq!(listed[0].id.to_string(), format!("org/tiny@{COMMIT}"));
        assert_eq!(listed[0].missing, ["model.safetensors"]);
    }

    #[test]
    fn offline_the_sentence_says_what_to_run() {
        let (_dir, hub) = cache(&[]);
        let error = hub
            .resolve(&"org/tiny@v1".parse().unwrap(), &Monitor::silent())
            .unwrap_err()
            .to_string();
        let expected = format!("model org/tiny@v1 is not in {}: ", hub.cache.display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.ends_with("run `hf download org/tiny --revision v1`"), "{error}");
    }

    #[test]
    fn what_a_snapshot_lacks_is_named() {
        let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
        let (_dir, hub) = cache(&[
            ("models--org--tiny/refs/main", COMMIT),
            (&snapshot("model.safetensors.index.json"), index),
            (&snapshot("model-1.safetensors"), ""),
        ]);
        let error =
            hub.resolve(&"org/tiny".parse().unwrap(), &Monitor::silent()).unwrap_err().to_string();
        assert!(error.contains(" (lacking config.json, model-2.safetensors): "), "{error}");
    }

    #[test]
    fn a_ref_that_leads_out_of_the_cache_leads_nowhere() {
        let (_dir, hub) = cache(&[("models--org--tiny/refs/main", "../../../etc")]);
        assert!(hub.cached(&"org/tiny".parse().unwrap()).unwrap().is_none());
    }
}
