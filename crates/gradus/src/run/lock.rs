use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{RunError, files};

/// Who holds a lock.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {} on {}", self.pid, self.host)
    }
}

/// An exclusive lock on a file, which the system releases when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Name of the lock of a folder.
const LOCK: &str = ".lock";

impl Lock {
    /// Takes a folder for this process alone, and makes it where there is none.
    ///
    /// `record` is the file that every folder of the kind holds: one that holds anything
    /// and not that file is somebody else's, and is refused before anything is written in
    /// it ([`RunError::Directory`]). [`RunError::Locked`] while another process has it.
    pub fn folder(dir: &Path, record: &str) -> Result<Self, RunError> {
        if !dir.join(record).exists() && !is_empty(dir, record)? {
            let reason = format!("holds files and no {record}; choose another --out");
            return Err(RunError::Directory { dir: dir.to_owned(), reason });
        }
        files::make_folder(dir)?;
        let path = dir.join(LOCK);
        Self::try_take(&path)?
            .ok_or_else(|| RunError::Locked { holder: Self::holder(&path), dir: dir.to_owned() })
    }

    /// Takes a file that is written at length for this process alone, by a hidden lock
    /// beside it. [`RunError::Locked`] while another process has it.
    pub fn file(path: &Path) -> Result<Self, RunError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = path.with_file_name(format!(".{name}{LOCK}"));
        Self::try_take(&lock)?
            .ok_or_else(|| RunError::Locked { holder: Self::holder(&lock), dir: path.to_owned() })
    }

    /// The lock, or `None` while another holds it.
    pub(super) fn try_take(path: &Path) -> Result<Option<Self>, RunError> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(RunError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(RunError::io("lock", path)(source)),
        }
        let me = Holder { pid: std::process::id(), host: host_name() };
        let text = serde_json::to_string(&me).expect("two plain fields serialise");
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(RunError::io("write", path))?;
        Ok(Some(Self { _file: file }))
    }

    /// Who wrote the lock file last; `None` where it cannot be read.
    pub(super) fn holder(path: &Path) -> Option<Holder> {
        serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
    }
}

/// Whether a folder is missing, or holds nothing but what is left by a process that was
/// killed before it had written `record`.
fn is_empty(dir: &Path, record: &str) -> Result<bool, RunError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(RunError::io("read", dir)(error)),
    };
    let unfinished = files::temporary(Path::new(record));
    for entry in entries {
        let name = entry.map_err(RunError::io("read", dir))?.file_name();
        if name != LOCK && name != *unfinished {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The machine's name where the system keeps it in a file, else `localhost`.
pub(super) fn host_name() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let held = Lock::try_take(&path).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_take(&path).unwrap().is_none());
        assert_eq!(Lock::holder(&path).unwrap().pid, std::process::id());
        drop(held);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_folder_of_something_else_is_refused_as_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("photos");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join(".me.jpg"), "").unwrap();
        let error = Lock::folder(&dir, "run.json").unwrap_err();
        assert_eq!(error.kind(), super::super::ErrorKind::Usage);
        assert!(error.to_string().contains("holds files and no run.json"), "{error}");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_of_a_process_that_was_killed_early_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/b");
        drop(Lock::folder(&dir, "run.json").unwrap());
        std::fs::write(dir.join(".run.json.tmp"), "{").unwrap();
        assert!(Lock::folder(&dir, "run.json").is_ok());
    }
}
