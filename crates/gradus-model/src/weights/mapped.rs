use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use gradus::run::RunError;
use memmap2::Mmap;

use crate::ModelError;

/// A file in memory without a copy: pages are read when they are touched.
#[derive(Debug)]
pub(super) struct Mapped {
    path: PathBuf,
    map: Mmap,
}

impl Mapped {
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let failed = |error| ModelError::Run(RunError::io("read", path)(error));
        let file = File::open(path).map_err(failed)?;
        // A device or a pipe has no length, and reading it would wait for ever.
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("not a regular file")));
        }
        #[expect(unsafe_code, reason = "a checkpoint of many gigabytes is mapped, not copied")]
        // SAFETY: the map is private and only read. What cannot be ruled out is that another
        // program rewrites the file meanwhile: every bound is checked against the length of the
        // map, and every byte is valid for the types that are read, so that changed bytes give
        // other numbers; a file cut short ends the program with SIGBUS, as in every reader that
        // maps its weights.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self { path: path.to_owned(), map })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// An error about this file.
    pub(super) fn malformed(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Malformed { path: self.path.clone(), reason: reason.into() }
    }

    /// An error about something in this file that is right and not supported.
    pub(super) fn unsupported(&self, what: impl Into<String>) -> ModelError {
        ModelError::Unsupported { path: self.path.clone(), what: what.into() }
    }
}
