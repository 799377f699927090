use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which model is meant, as recipes and the command line write it.
///
/// | text | model |
/// | --- | --- |
/// | a path that exists | a folder, or a GGUF file; wins over every other reading |
/// | `hf/org/name`, `hf/org/name@revision` | of the Hugging Face hub |
/// | `gguf/FILE` | a GGUF file |
/// | `openai/name` | of an OpenAI-compatible server |
/// | `fake/echo`, `fake/replay:FILE`, `fake/oracle:0.9,0.5` | a script |
///
/// `+FOLDER` behind a local model is an adapter for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelName {
    /// Where the model is.
    pub source: ModelSource,
    /// Folder of an adapter to put on it.
    pub adapter: Option<PathBuf>,
}

/// Where a model is.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelSource {
    /// The Hugging Face hub, its cache on this machine first.
    Hub {
        /// `org/name`.
        repository: String,
        /// Branch, tag or commit, where it is not the main branch.
        revision: Option<String>,
    },
    /// A folder on this machine.
    Folder(PathBuf),
    /// A GGUF file on this machine.
    Gguf(PathBuf),
    /// A server, which knows the model by this name.
    Server(String),
    /// A script that answers without a model.
    Fake(Fake),
}

/// A script that answers without a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Fake {
    /// Says what it was shown: [`super::Echo`].
    Echo,
    /// Answers from a file of completions: [`super::Replay`].
    Replay(PathBuf),
    /// Right with this chance, by level: [`super::Oracle`].
    Oracle(Vec<f64>),
}

/// A name that says no model.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("model {name:?}: {reason}")]
pub struct ModelNameError {
    /// The name.
    pub name: String,
    /// What is wrong with it and what was expected.
    pub reason: String,
}

const FORMS: &str = "expected a folder, hf/org/name[@revision], gguf/FILE, openai/name, fake/echo, \
                     fake/replay:FILE or fake/oracle:ACCURACY";

impl FromStr for ModelName {
    type Err = ModelNameError;

    fn from_str(name: &str) -> Result<Self, ModelNameError> {
        Self::parse(name, Path::exists)
    }
}

impl ModelName {
    /// As `from_str`, with another way to know which paths exist.
    fn parse(name: &str, exists: impl Fn(&Path) -> bool) -> Result<Self, ModelNameError> {
        let wrong = |reason: String| ModelNameError { name: name.to_owned(), reason };
        if name.is_empty() {
            return Err(wrong(FORMS.to_owned()));
        }
        if exists(Path::new(name)) {
            return Ok(Self { source: local(name), adapter: None });
        }
        // The server's own names may hold a plus sign, and take no adapter of ours.
        let (base, adapter) = match name.rsplit_once('+') {
            Some((base, adapter)) if !name.starts_with("openai/") => (base, Some(adapter)),
            _ => (name, None),
        };
        let source =
            if exists(Path::new(base)) { local(base) } else { source(base).map_err(&wrong)? };
        let Some(adapter) = adapter else { return Ok(Self { source, adapter: None }) };
        if matches!(source, ModelSource::Fake(_)) {
            return Err(wrong("a script takes no adapter".to_owned()));
        }
        if adapter.is_empty() {
            return Err(wrong(
                "found nothing after +, expected the folder of an adapter".to_owned(),
            ));
        }
        Ok(Self { source, adapter: Some(adapter.into()) })
    }
}

fn local(path: &str) -> ModelSource {
    let file = Path::new(path);
    let gguf = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
    if gguf { ModelSource::Gguf(path.into()) } else { ModelSource::Folder(path.into()) }
}

/// What a name says that is no path; the error is the reason.
fn source(name: &str) -> Result<ModelSource, String> {
    let Some((kind, rest)) = name.split_once('/') else {
        return Err(format!("no such folder; {FORMS}"));
    };
    let needs = |what: &str| Err(format!("found nothing after {kind}/, expected {what}"));
    match kind {
        "hf" => hub(rest),
        "gguf" if rest.is_empty() => needs("a GGUF file"),
        "gguf" => Ok(ModelSource::Gguf(rest.into())),
        "openai" if rest.is_empty() => needs("the server's name of a model"),
        "openai" => Ok(ModelSource::Server(rest.to_owned())),
        "fake" => fake(rest).map(ModelSource::Fake),
        // A path, which is not there.
        "" | "." | ".." => Err(format!("no such folder; {FORMS}")),
        _ => Err(nearest(kind, rest)),
    }
}

fn hub(rest: &str) -> Result<ModelSource, String> {
    let (repository, revision) = match rest.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (rest, None),
    };
    let part = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !text.is_empty() && text.chars().all(plain) && !text.starts_with('.')
    };
    let whole = repository.split_once('/').is_some_and(|(org, name)| part(org) && part(name));
    let revision_is_whole = revision.is_none_or(|revision| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        !revision.is_empty() && revision.chars().all(plain) && !revision.contains("..")
    });
    if !whole || !revision_is_whole {
        return Err(format!("found {rest:?} after hf/, expected org/name or org/name@revision"));
    }
    let (repository, revision) = (repository.to_owned(), revision.map(str::to_owned));
    Ok(ModelSource::Hub { repository, revision })
}

fn fake(rest: &str) -> Result<Fake, String> {
    let (script, argument) = rest.split_once(':').unwrap_or((rest, ""));
    match (script, argument) {
        ("echo", "") => Ok(Fake::Echo),
        ("replay", "") => {
            Err("found no file, expected fake/replay:FILE with rows of completions".to_owned())
        }
        ("replay", file) => Ok(Fake::Replay(file.into())),
        ("oracle", "") => Ok(Fake::Oracle(vec![1.0])),
        ("oracle", numbers) => {
            let accuracy = |text: &str| {
                let number = text.trim().parse::<f64>().ok();
                number.filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| {
                    format!("found accuracy {text:?}, expected a number from 0 to 1")
                })
            };
            numbers.split(',').map(accuracy).collect::<Result<_, _>>().map(Fake::Oracle)
        }
        _ => Err(format!(
            "found the script {script:?}, expected fake/echo, fake/replay:FILE or fake/oracle:ACCURACY"
        )),
    }
}

/// The reason, with the form that was most likely meant.
fn nearest(kind: &str, rest: &str) -> String {
    let meant = ["hf", "gguf", "openai", "fake"]
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(known, kind), known))
        .min()
        .filter(|&(edits, known)| edits <= known.len() / 2);
    let form = match meant {
        Some((_, known)) => format!("{known}/{rest}"),
        // One slash: a repository of the hub without its prefix.
        None if !rest.contains('/') && !rest.is_empty() => format!("hf/{kind}/{rest}"),
        None => return format!("no such folder; {FORMS}"),
    };
    format!("no such folder; did you mean {form}?")
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            ModelSource::Hub { repository, revision: None } => write!(f, "hf/{repository}"),
            ModelSource::Hub { repository, revision: Some(revision) } => {
                write!(f, "hf/{repository}@{revision}")
            }
            ModelSource::Folder(path) => write!(f, "{}", path.display()),
            ModelSource::Gguf(path) => write!(f, "gguf/{}", path.display()),
            ModelSource::Server(name) => write!(f, "openai/{name}"),
            ModelSource::Fake(Fake::Echo) => f.write_str("fake/echo"),
            ModelSource::Fake(Fake::Replay(file)) => write!(f, "fake/replay:{}", file.display()),
            ModelSource::Fake(Fake::Oracle(accuracy)) => {
                let accuracy: Vec<String> = accuracy.iter().map(f64::to_string).collect();
                write!(f, "fake/oracle:{}", accuracy.join(","))
            }
        }?;
        match &self.adapter {
            Some(adapter) => write!(f, "+{}", adapter.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<ModelName, ModelNameError> {
        let there = ["models/a", "hf/org", "a+b", "m.gguf", "models/a+b"];
        ModelName::parse(name, |path| there.iter().any(|there| Path::new(there) == path))
    }

    fn source(name: &str) -> ModelSource {
        parse(name).unwrap().source
    }

    fn reason(name: &str) -> String {
        parse(name).unwrap_err().reason
    }

    #[test]
    fn every_form_is_read_and_written_as_it_was() {
        let hub = |revision: Option<&str>| ModelSource::Hub {
            repository: "org/name".into(),
            revision: revision.map(str::to_owned),
        };
        assert_eq!(source("hf/org/name"), hub(None));
        assert_eq!(source("hf/org/name@refs/pr/1"), hub(Some("refs/pr/1")));
        assert_eq!(source("gguf/dir/m.gguf"), ModelSource::Gguf("dir/m.gguf".into()));
        assert_eq!(source("gguf//abs/m.gguf"), ModelSource::Gguf("/abs/m.gguf".into()));
        assert_eq!(source("openai/org/name+x"), ModelSource::Server("org/name+x".into()));
        assert_eq!(
            source("fake/replay:a:b.jsonl"),
            ModelSource::Fake(Fake::Replay("a:b.jsonl".into()))
        );
        assert_eq!(source("fake/oracle:0.9,0.5"), ModelSource::Fake(Fake::Oracle(vec![0.9, 0.5])));
        for name in [
            "hf/org/name",
            "hf/org/name@v1",
            "hf/org/name+adapters/x",
            "gguf/a.gguf",
            "openai/a/b",
            "fake/echo",
            "fake/replay:x.jsonl",
            "fake/oracle:0.9,0.5",
            "models/a",
            "models/a+c",
        ] {
            assert_eq!(parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_path_that_exists_wins() {
        assert_eq!(source("hf/org"), ModelSource::Folder("hf/org".into()));
        assert_eq!(source("m.gguf"), ModelSource::Gguf("m.gguf".into()));
        let plus = parse("a+b").unwrap();
        assert_eq!((plus.source, plus.adapter), (ModelSource::Folder("a+b".into()), None));
        let adapted = parse("models/a+c").unwrap();
        assert_eq!(adapted.source, ModelSource::Folder("models/a".into()));
        assert_eq!(adapted.adapter.as_deref(), Some(Path::new("c")));
    }

    #[test]
    fn a_wrong_name_says_what_was_meant() {
        assert!(reason("opnai/m").ends_with("did you mean openai/m?"), "{}", reason("opnai/m"));
        assert!(reason("meta/llama").ends_with("did you mean hf/meta/llama?"));
        assert!(reason("./models/b").starts_with("no such folder"));
        assert!(reason("").starts_with("expected a folder"));
        assert!(reason("llama").starts_with("no such folder; expected a folder, hf/org/name"));
        for name in ["hf/", "hf/name", "hf/a/b/c", "hf/a/b@", "hf/../b", "hf/a/b@../x", "hf/a b/c"]
        {
            assert!(reason(name).contains("expected org/name"), "{name}: {}", reason(name));
        }
        assert!(reason("fake/oracle:1.5").contains("a number from 0 to 1"));
        assert!(reason("fake/oracle:NaN").contains("a number from 0 to 1"));
        assert!(reason("fake/replay").contains("fake/replay:FILE"));
        assert!(reason("fake/echoes").contains("the script \"echoes\""));
        assert!(
            reason("fake/echo+a").contains("no adapter") && reason("models/a+").contains("after +")
        );
    }
}
