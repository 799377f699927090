//! Logs of inspect, as JSON or as `.eval` archives: `eval.{task, model}` and, per sample, `id`,
//! `epoch` and `scores`.
//!
//! A respondent is `eval.model`, an item is `<task>/<id>`. Values `C`, `P`, `I` are
//! 1, 0.5 and 0; `N` (no answer) is wrong or missing by choice; NaN is unscored
//! and so missing, and kept in mind ([`Responses::not_numbers`]). Several epochs of a sample
//! are several scores.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::eval_archive::entries;
use super::python_json::{Quoted, is_no_number};
use super::{Builder, Duplicates, Form, Reading, Responses, ResponsesError};
use crate::data::{DataError, RowError, open};

pub(super) const FORM: Form =
    Form { name: "inspect", summary: "a folder of inspect logs, .json or .eval", read };

#[derive(Deserialize)]
struct Log {
    eval: Eval,
    #[serde(default)]
    samples: Option<Vec<Sample>>,
}

#[derive(Deserialize)]
struct Eval {
    task: String,
    model: String,
}

#[derive(Deserialize)]
struct Sample {
    id: Value,
    #[serde(default)]
    epoch: Option<u32>,
    #[serde(default)]
    scores: Option<serde_json::Map<String, Value>>,
}

/// A folder of logs (`*.json`), or one of them.
fn read(path: &Path, reading: &Reading) -> Result<Responses, ResponsesError> {
    let mut logs = Vec::new();
    if path.is_dir() {
        let io = |source| DataError::Io { action: "read", path: path.to_owned(), source };
        for entry in std::fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?.path();
            if entry
                .extension()
                .is_some_and(|extension| ["json", "eval"].iter().any(|known| extension == *known))
            {
                logs.push(entry);
            }
        }
    } else {
        logs.push(path.to_owned());
    }
    logs.sort();
    let mut builder = Builder::default();
    for log in &logs {
        read_log(log, reading, &mut builder)?;
    }
    if logs.is_empty() {
        return Err(ResponsesError::Nothing {
            path: path.to_owned(),
            what: "log".into(),
            expected: "files <date>_<task>_<id>.eval or .json".into(),
        });
    }
    builder.finish(path, reading.duplicates)
}

fn read_log(path: &Path, reading: &Reading, builder: &mut Builder) -> Result<(), ResponsesError> {
    let scorer = reading.metric.as_deref();
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|source| DataError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let log = if bytes.starts_with(b"PK") { unpacked(path, &bytes)? } else { parse(path, &bytes)? };
    for sample in log.samples.unwrap_or_default() {
        let item = format!("{}/{}", log.eval.task, sample.id.to_string().trim_matches('"'));
        let scores = sample.scores.unwrap_or_default();
        let chosen = match scorer {
            Some(scorer) => scores.get_key_value(scorer),
            None => scores.iter().next(),
        };
        let names = || scores.keys().cloned().collect::<Vec<_>>().join(", ");
        if scorer.is_none() && scores.len() > 1 {
            return Err(nothing(
                path,
                "single scorer",
                &format!("one of {}, chosen with --metric", names()),
            ));
        }
        let Some((name, score)) = chosen else {
            match scorer {
                Some(scorer) if !scores.is_empty() => {
                    return Err(nothing(
                        path,
                        &format!("scorer {scorer:?}"),
                        &format!("one of {}", names()),
                    ));
                }
                // A sample that ended in an error has no score.
                _ => {
                    builder.counts.unscored += 1;
                    continue;
                }
            }
        };
        let value = score.get("value").unwrap_or(score);
        let wrong = |found: String| RowError {
            file: path.to_owned(),
            line: 1,
            field: Some(format!("samples[{}].scores.{name}", sample.id)),
            found,
            expected: "C, P, I, N or a number".to_owned(),
        };
        let respondent = match sample.epoch {
            Some(epoch) if reading.duplicates == Duplicates::Separate => {
                format!("{}#{epoch}", log.eval.model)
            }
            _ => log.eval.model.clone(),
        };
        let score = match value {
            value if is_no_number(value) => {
                builder.push_no_number(&respondent, &item);
                continue;
            }
            Value::Null => {
                builder.counts.unscored += 1;
                continue;
            }
            Value::String(text) => match text.as_str() {
                "C" => 1.0,
                "P" => 0.5,
                "I" => 0.0,
                "N" => match builder.no_answer(reading) {
                    Some(score) => score,
                    None => continue,
                },
                other => return Err(wrong(format!("{other:?}")).into()),
            },
            other => match super::long::number(other) {
                Some(score) => score,
                None if other.is_array() => return Err(wrong("a list".to_owned()).into()),
                None => return Err(wrong("an object".to_owned()).into()),
            },
        };
        builder.push(&respondent, &item, score);
    }
    Ok(())
}

/// One part of a log, as Python writes it.
fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ResponsesError> {
    let mut plain = Vec::new();
    Quoted::new(bytes).read_to_end(&mut plain).map_err(|source| DataError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&plain).map_err(|error| {
        let file = path.to_owned();
        let (line, found) = (error.line() as u64, error.to_string());
        RowError { file, line, field: None, found, expected: "a log of inspect".into() }.into()
    })
}

/// A log as an archive: its header, and each sample as a file.
fn unpacked(path: &Path, bytes: &[u8]) -> Result<Log, ResponsesError> {
    let entries = entries(bytes).map_err(|found| RowError {
        file: path.to_owned(),
        line: 1,
        field: None,
        found,
        expected: "a whole .eval archive".into(),
    })?;
    let header = entries.iter().find(|(name, _)| name == "header.json");
    let Some((_, header)) = header else {
        return Err(nothing(path, "header.json", "a log that was finished"));
    };
    let mut log: Log = parse(path, header)?;
    let mut samples = Vec::new();
    for (name, bytes) in &entries {
        if name.starts_with("samples/") {
            samples.push(parse(path, bytes)?);
        }
    }
    log.samples = Some(samples);
    Ok(log)
}

fn nothing(path: &Path, what: &str, expected: &str) -> ResponsesError {
    let path: PathBuf = path.to_owned();
    ResponsesError::Nothing { path, what: what.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(scorer: &str, no_answer_is_missing: bool) -> Reading {
        Reading { metric: Some(scorer.into()), no_answer_is_missing, ..Reading::default() }
    }

    fn log(scores: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("2026-11-23_t_1.json");
        let text = format!(
            "{{\"version\": 2, \"eval\": {{\"task\": \"t\", \"model\": \"m\"}}, \"samples\": [{scores}]}}"
        );
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn letters_numbers_and_no_answer_are_scores() {
        let (folder, _) =
            log("{\"id\": 1, \"epoch\": 1, \"scores\": {\"match\": {\"value\": \"C\"}}}, \
             {\"id\": \"q\", \"epoch\": 1, \"scores\": {\"match\": {\"value\": \"N\"}}}, \
             {\"id\": 3, \"epoch\": 1, \"scores\": {\"match\": {\"value\": 0.25}}}, \
             {\"id\": 4, \"epoch\": 1, \"error\": {}}");
        let wrong = read(folder.path(), &Reading::default()).unwrap();
        assert_eq!(wrong.items(), ["t/1", "t/q", "t/3"]);
        assert_eq!(wrong.row(0).1, [1.0, 0.0, 0.25]);
        let missing = read(folder.path(), &chosen("match", true)).unwrap();
        assert_eq!(missing.items(), ["t/1", "t/3"]);
    }

    /// Made by Python's zipfile: header.json and two samples, scored C and NaN.
    #[test]
    fn an_archive_is_read_as_its_json_is() {
        let folder = tempfile::tempdir().unwrap();
        let archive = include_bytes!("../../../tests/fixtures/difficulty/inspect.eval");
        std::fs::write(folder.path().join("log.eval"), archive).unwrap();
        let responses = read(folder.path(), &Reading::default()).unwrap();
        assert_eq!(
            (responses.respondents(), responses.items()),
            (&["m".into()][..], &["t/1".into(), "t/2".into()][..])
        );
        assert_eq!((responses.row(0).1, responses.not_numbers()), (&[1.0][..], &[(0, 1)][..]));
    }

    #[test]
    fn what_python_wrote_as_nan_is_missing_and_named_and_a_group_of_scores_an_error() {
        let (_folder, path) = log("{\"id\": 1, \"scores\": {\"m\": {\"value\": NaN}}}, \
             {\"id\": 2, \"input\": \"NaN \\\" NaN\", \"scores\": {\"m\": {\"value\": 1.0}}}, \
             {\"id\": 3, \"scores\": {\"m\": {\"value\": -Infinity}}}, \
             {\"id\": 4, \"scores\": null}");
        let responses = read(&path, &Reading::default()).unwrap();
        assert_eq!(responses.items(), ["t/1", "t/2", "t/3"]);
        assert_eq!(responses.not_numbers(), [(0, 0), (0, 2)]);
        assert_eq!((responses.len(), responses.counts().unscored), (1, 1));
        let (_folder, path) = log("{\"id\": 1, \"scores\": {\"m\": {\"value\": {\"a\": 1}}}}");
        let error = read(&path, &Reading::default()).unwrap_err().to_string();
        assert!(
            error
                .ends_with("samples[1].scores.m: found an object, expected C, P, I, N or a number")
        );
    }

    #[test]
    fn two_scorers_need_a_choice() {
        let (_folder, path) =
            log("{\"id\": 1, \"scores\": {\"a\": {\"value\": 1}, \"b\": {\"value\": 0}}}");
        let error = read(&path, &Reading::default()).unwrap_err().to_string();
        assert!(error.ends_with("expected one of a, b, chosen with --metric"), "{error}");
        assert_eq!(read(&path, &chosen("b", false)).unwrap().score(0, 0), Some(0.0));
    }
}
