use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::RunError;
use crate::data::{self, hash_bytes};

/// Writes a file whole or not at all: under a temporary name in the same folder, flushed
/// to the disk and renamed.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    replace(path, |file| file.write_all(bytes))
}

/// As [`write_file`], with a function that writes the contents.
pub(super) fn replace(
    path: &Path,
    contents: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), RunError> {
    let temporary = temporary(path);
    let mut file = File::create(&temporary).map_err(RunError::io("create", path))?;
    let written = contents(&mut file).and_then(|()| file.sync_all());
    drop(file);
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(RunError::io("write", path)(error));
    }
    rename(&temporary, path)
}

/// The hidden name beside `path` under which it is written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// Renames and makes the new name durable.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), RunError> {
    std::fs::rename(from, to).map_err(RunError::io("rename", from))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder's list of names durable, where the system can (elsewhere it does so itself).
pub fn sync_folder(folder: &Path) -> Result<(), RunError> {
    data::sync_folder(folder).map_err(RunError::io("flush", folder))
}

/// Makes a folder and all below it durable.
pub(super) fn sync_tree(folder: &Path) -> Result<(), RunError> {
    for entry in std::fs::read_dir(folder).map_err(RunError::io("read", folder))? {
        let entry = entry.map_err(RunError::io("read", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(RunError::io("read", &path))?.is_dir() {
            sync_tree(&path)?;
        } else {
            OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.sync_all())
                .map_err(RunError::io("flush", &path))?;
        }
    }
    sync_folder(folder)
}

/// Makes a folder with its parents; one that is there already will do.
pub(super) fn make_folder(folder: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(folder).map_err(RunError::io("create", folder))
}

/// Removes a file, a link or a folder; nothing there will do.
pub(super) fn remove(path: &Path) -> Result<(), RunError> {
    let Ok(facts) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let removed =
        if facts.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.map_err(RunError::io("remove", path))
}

/// Removes whatever in the folder or below has a name that begins with a dot:
/// temporary files of writes that were cut short among them.
pub(super) fn remove_hidden(folder: &Path) -> Result<(), RunError> {
    for entry in std::fs::read_dir(folder).map_err(RunError::io("read", folder))? {
        let entry = entry.map_err(RunError::io("read", folder))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            remove(&path)?;
        } else if entry.file_type().map_err(RunError::io("read", &path))?.is_dir() {
            remove_hidden(&path)?;
        }
    }
    Ok(())
}

/// JSON with sorted keys and no spaces: equal values give equal bytes.
pub(super) fn canonical_json(value: &impl Serialize) -> Result<String, RunError> {
    let value = serde_json::to_value(value)
        .map_err(|error| RunError::Internal(format!("a config does not serialise: {error}")))?;
    Ok(sorted(value).to_string())
}

// The order of a JSON map depends on a feature that any dependency can switch on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|one, two| one.0.cmp(&two.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// SHA-256 of the parts, each with its length, in hexadecimal.
pub(super) fn hash_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    hash_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        write_file(&path, b"old").unwrap();
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = replace(&path, |file| {
            file.write_all(b"ne")?;
            Err(full())
        })
        .unwrap_err();
        assert!(error.to_string().ends_with("results.json: the disk is full"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_keys() {
        let one: Value = serde_json::from_str(r#"{"b": [{"z": 1, "y": 2.0}], "a": null}"#).unwrap();
        assert_eq!(canonical_json(&one).unwrap(), r#"{"a":null,"b":[{"y":2.0,"z":1}]}"#);
        assert_eq!(canonical_json(&json!("x")).unwrap(), "\"x\"");
    }

    // The one-part digest is `printf '\3\0\0\0\0\0\0\0abc' | sha256sum` of GNU coreutils.
    #[test]
    fn hashes_separate_their_parts() {
        assert_eq!(
            hash_parts(["abc"]),
            "ce91dc5eec0139adf091900d225971d6ad246a845bad791b5693a9d0d55dd391"
        );
        assert_ne!(hash_parts(["ab", "c"]), hash_parts(["a", "bc"]));
    }
}
