use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RunError;

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
pub(super) struct Lock {
    _file: File,
}

impl Lock {
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
}
