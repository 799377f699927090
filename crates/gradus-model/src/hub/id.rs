use std::fmt;
use std::str::FromStr;

use super::HubError;

/// The name of a model on the hub: `org/name`, or `org/name@revision`.
///
/// A revision is a branch, a tag or a commit; without one it is the branch `main`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ModelId {
    name: String,
    revision: Option<String>,
}

impl ModelId {
    /// `org/name`; a few old models have no `org`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The command of Hugging Face's own tool that fetches this model.
    pub fn download_command(&self) -> String {
        let revision = self.revision.as_ref().map(|revision| format!(" --revision {revision}"));
        format!("hf download {}{}", self.name, revision.unwrap_or_default())
    }

    /// The name of its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}", self.name.replace('/', "--"))
    }

    /// From the name of a folder in the cache.
    pub(super) fn of_folder(folder: &str) -> Option<Self> {
        folder.strip_prefix("models--")?.replacen("--", "/", 1).parse().ok()
    }

    /// The same model at another revision.
    pub(super) fn at(&self, revision: &str) -> Self {
        Self { name: self.name.clone(), revision: Some(revision.to_owned()) }
    }
}

impl FromStr for ModelId {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let wrong =
            |reason: &str| HubError::Name { given: text.to_owned(), reason: reason.to_owned() };
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 {
            return Err(wrong("expected org/name or org/name@revision"));
        }
        for part in parts {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let edges = |c: char| matches!(c, '-' | '.');
            if part.is_empty() || part.len() > 96 || !part.chars().all(plain) {
                return Err(wrong(
                    "organisation and name have 1 to 96 letters, digits, dashes, underscores and dots",
                ));
            }
            if part.starts_with(edges)
                || part.ends_with(edges)
                || part.contains("--")
                || part.contains("..")
            {
                return Err(wrong("dashes and dots stand alone and between other characters"));
            }
        }
        // A part of a path in the cache and of an address.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
        let sound = |revision: &str| {
            revision.chars().all(plain)
                && revision.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        };
        if revision.is_some_and(|revision| !sound(revision)) {
            return Err(wrong("the revision after @ is not a branch, tag or commit"));
        }
        Ok(Self { name: name.to_owned(), revision: revision.map(str::to_owned) })
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_revisions_are_read_and_written() {
        let id: ModelId = "org/name.v2_x@refs/pr/1".parse().unwrap();
        assert_eq!((id.name(), id.revision()), ("org/name.v2_x", "refs/pr/1"));
        assert_eq!(id.to_string(), "org/name.v2_x@refs/pr/1");
        assert_eq!(id.folder(), "models--org--name.v2_x");
        assert_eq!(id.download_command(), "hf download org/name.v2_x --revision refs/pr/1");
        let id: ModelId = "gpt2".parse().unwrap();
        assert_eq!((id.revision(), id.folder().as_str()), ("main", "models--gpt2"));
        assert_eq!(ModelId::of_folder("models--org--name").unwrap().name(), "org/name");
    }

    #[test]
    fn what_would_leave_the_cache_is_no_name() {
        for text in [
            "",
            "a/b/c",
            "../x",
            "a/..",
            "a/b@..",
            "a/b@x/../y",
            "a/b@",
            "a//b",
            "/a",
            "a b/c",
            "a--b/c",
        ] {
            let error = text.parse::<ModelId>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no name of a model: ")), "{error}");
        }
    }
}
