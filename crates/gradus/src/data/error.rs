use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with one field of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldError {
    /// Name of the field, with an index where it is inside a list: `steps[2]`.
    pub field: String,
    /// What stood there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

impl FieldError {
    /// `found` and `expected` complete "found ..., expected ...".
    pub fn new(
        field: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), found: found.into(), expected: expected.into() }
    }
}

/// A row that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RowError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// The field; none where the line as a whole is wrong.
    pub field: Option<String>,
    /// What stood there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for RowError {}

/// Why rows could not be read or written; each displays as one sentence fragment.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A row is wrong.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The last line stops in the middle and has no newline, as when its writer
    /// was killed: whoever owns the file may cut that line off and go on.
    #[error("{0}; this last line is cut short, all lines before it are whole")]
    CutShort(RowError),
    /// The file system said no.
    #[error("cannot {action} {}: {}", path.display(), explain(source))]
    Io {
        /// What was tried, as "read".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataError {
    /// For `map_err`: what was tried on which path.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// What the system said, in words of the file system rather than of its error codes.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        io::ErrorKind::NotFound => "no such file or directory".into(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "there is a file where a directory is needed".into()
        }
        io::ErrorKind::IsADirectory => "it is a directory".into(),
        io::ErrorKind::UnexpectedEof => "the compressed data stops in the middle".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_error_names_file_line_field_found_and_expected() {
        let error = RowError {
            file: "rows.jsonl".into(),
            line: 3,
            field: Some("level".into()),
            found: "\"two\"".into(),
            expected: "a whole number".into(),
        };
        assert_eq!(
            DataError::from(error).to_string(),
            "rows.jsonl:3: level: found \"two\", expected a whole number"
        );
    }

    #[test]
    fn a_full_disk_is_a_sentence() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = DataError::io("write", Path::new("out.jsonl"))(full);
        assert_eq!(error.to_string(), "cannot write out.jsonl: the disk is full");
    }
}
