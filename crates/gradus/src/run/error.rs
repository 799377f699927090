use std::io;
use std::path::{Path, PathBuf};

use super::{Holder, RecipeError};
use crate::data::{DataError, explain};

/// What can go wrong with a run; each displays as one sentence fragment.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The recipe or an override is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Rows could not be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run directory that was asked for cannot be used as asked.
    #[error("{}: {reason}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why not, and what would work.
        reason: String,
    },
    /// Another process has the run directory open.
    #[error("{} is in use by {}; wait for it or choose another --out",
        dir.display(), holder.as_ref().map_or("another process".into(), ToString::to_string))]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who holds it, where that can be read.
        holder: Option<Holder>,
    },
    /// A row that an earlier process left is broken.
    #[error("{}:{line}: {reason}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The work was asked to stop; the run can be resumed.
    #[error("interrupted")]
    Interrupted,
    /// The file system said no.
    #[error("cannot {action} {}: {}", path.display(), explain(source))]
    Io {
        /// What was tried, as "write".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A promise between parts of the program was broken.
    #[error("{0} (a bug in the program, not in the input)")]
    Internal(String),
}

/// The kinds of [`RunError`], as far as a caller treats them differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// Bad usage or recipe.
    Usage,
    /// Bad rows.
    Rows,
    /// Stopped on request; the run can be resumed.
    Interrupted,
    /// Another process holds the run directory.
    Locked,
    /// The file system said no.
    Io,
    /// A bug.
    Internal,
}

impl RunError {
    /// Which kind it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Recipe(_) | Self::Directory { .. } => ErrorKind::Usage,
            Self::Locked { .. } => ErrorKind::Locked,
            Self::Row { .. } | Self::Data(DataError::Row(_) | DataError::CutShort(_)) => {
                ErrorKind::Rows
            }
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Io { .. } | Self::Data(DataError::Io { .. }) => ErrorKind::Io,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// For `map_err`: an [`RunError::Io`] that says what was tried on which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_sentence() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = RunError::io("write", Path::new("runs/a/run.json"))(full);
        assert_eq!(error.to_string(), "cannot write runs/a/run.json: the disk is full");
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[test]
    fn a_locked_directory_names_its_holder() {
        let holder = Some(Holder { pid: 42, host: "here".into() });
        let error = RunError::Locked { dir: "runs/a".into(), holder };
        assert_eq!(
            error.to_string(),
            "runs/a is in use by process 42 on here; wait for it or choose another --out"
        );
    }
}
