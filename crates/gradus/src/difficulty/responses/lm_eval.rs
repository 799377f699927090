//! Sample logs of lm-evaluation-harness: a folder (or one file) of
//! `samples_<task>_<date>.jsonl`, each in a folder named after its model.
//!
//! A respondent is the model's folder, with `__` read as `/`; an item is
//! `<task>/<doc_id>`. Two models whose item of that name has another `doc_hash`
//! did not answer the same question, which is an error. A metric that Python wrote as NaN
//! or infinite is a missing score, and kept in mind ([`Responses::not_numbers`]).

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::long::number;
use super::python_json::{Quoted, is_no_number};
use super::{Builder, Form, Reading, Responses, ResponsesError};
use crate::data::{self, DataError, FieldError, Fields, Metadata, Row, RowError};

pub(super) const FORM: Form =
    Form { name: "lm-eval", summary: "a folder of lm-evaluation-harness sample logs", read };

/// Fields of a sample that are no metrics.
const NO_METRIC: [&str; 11] = [
    "doc_id",
    "doc",
    "target",
    "arguments",
    "resps",
    "filtered_resps",
    "filter",
    "metrics",
    "doc_hash",
    "prompt_hash",
    "target_hash",
];

struct Sample(Metadata);

impl Row for Sample {
    const NOUN: &str = "sample of lm-eval";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let names: Vec<String> = fields.names().map(str::to_owned).collect();
        let mut sample = Metadata::new();
        for name in names {
            // A prompt can be long and is not needed.
            if let Some(value) = fields.take(&name)
                && !["doc", "arguments", "resps"].contains(&name.as_str())
            {
                sample.insert(name, value);
            }
        }
        Ok(Self(sample))
    }
}

/// A folder of sample logs, or one of them.
fn read(path: &Path, settings: &Reading) -> Result<Responses, ResponsesError> {
    let mut logs = Vec::new();
    if path.is_dir() {
        find_logs(path, &mut logs)?;
    } else {
        logs.push(path.to_owned());
    }
    logs.sort();
    if logs.is_empty() {
        return Err(ResponsesError::Nothing {
            path: path.to_owned(),
            what: "log".into(),
            expected: "files samples_<task>_<date>.jsonl in it or its folders \
                       (run lm_eval with --log_samples)"
                .into(),
        });
    }
    let mut builder = Builder::default();
    let mut hashes = HashMap::new();
    for log in &logs {
        read_log(log, settings, &mut builder, &mut hashes)?;
    }
    builder.finish(path, settings.duplicates)
}

/// Is there a log in a folder or below.
pub(super) fn has_logs(folder: &Path) -> Result<bool, ResponsesError> {
    let mut logs = Vec::new();
    find_logs(folder, &mut logs)?;
    Ok(!logs.is_empty())
}

fn find_logs(folder: &Path, logs: &mut Vec<PathBuf>) -> Result<(), ResponsesError> {
    let io = |source| DataError::Io { action: "read", path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            find_logs(&path, logs)?;
        } else if name.starts_with("samples_") && name.contains(".jsonl") {
            logs.push(path);
        }
    }
    Ok(())
}

/// The task in `samples_<task>_<date>.jsonl`; a date begins with its year and a `-`.
fn task(name: &str) -> &str {
    let name = name.strip_prefix("samples_").unwrap_or(name);
    let name = name.split(".jsonl").next().unwrap_or(name);
    match name.rsplit_once('_') {
        Some((task, date)) if date.len() > 10 && date.as_bytes()[4] == b'-' => task,
        _ => name,
    }
}

fn read_log(
    log: &Path,
    settings: &Reading,
    builder: &mut Builder,
    hashes: &mut HashMap<String, String>,
) -> Result<(), ResponsesError> {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    let task = task(&name);
    let folder = log.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let model = if folder.is_empty() { "model".to_owned() } else { folder.replace("__", "/") };
    let lines = Quoted::new(data::open(log)?);
    let mut samples = data::read_lines::<Sample>(log, Box::new(lines));
    let mut filters = BTreeSet::new();
    let mut kept = 0;
    while let Some(sample) = samples.next() {
        let Sample(sample) = sample?;
        let error = |field: &str, found: String, expected: String| RowError {
            file: log.to_owned(),
            line: samples.line(),
            field: Some(field.to_owned()),
            found,
            expected,
        };
        let filter = sample.get("filter").and_then(|filter| filter.as_str()).unwrap_or("none");
        filters.insert(filter.to_owned());
        match &settings.filter {
            Some(wanted) if wanted != filter => continue,
            None if filters.len() > 1 => {
                let expected = "one of them, chosen with --filter".to_owned();
                let found = filters.iter().cloned().collect::<Vec<_>>().join(", ");
                return Err(error("filter", found, expected).into());
            }
            _ => {}
        }
        let Some(id) = sample.get("doc_id").filter(|id| id.is_u64() || id.is_string()) else {
            let expected = "a number or a string".to_owned();
            return Err(error("doc_id", "nothing".into(), expected).into());
        };
        let item = format!("{task}/{}", id.to_string().trim_matches('"'));
        if let Some(hash) = sample.get("doc_hash").and_then(|hash| hash.as_str()) {
            let known = hashes.entry(item.clone()).or_insert_with(|| hash.to_owned());
            if known != hash {
                let expected = format!("{known}, as in an earlier log: {item} is another question");
                return Err(error("doc_hash", hash.to_owned(), expected).into());
            }
        }
        let metrics = metrics(&sample);
        let metric = match &settings.metric {
            Some(metric) if metrics.contains(metric) => metric,
            None if metrics.len() == 1 => &metrics[0],
            wanted => {
                let wanted = wanted
                    .as_deref()
                    .map_or("one of them, chosen with --metric".to_owned(), |metric| {
                        format!("{metric:?}")
                    });
                let found =
                    if metrics.is_empty() { "no metric".to_owned() } else { metrics.join(", ") };
                return Err(error("metrics", found, wanted).into());
            }
        };
        kept += 1;
        if is_invalid(&sample) && builder.no_answer(settings).is_none() {
            continue;
        }
        match sample.get(metric) {
            None | Some(serde_json::Value::Null) => builder.counts.unscored += 1,
            Some(value) if is_no_number(value) => builder.push_no_number(&model, &item),
            Some(value) => match number(value) {
                Some(score) => builder.push(&model, &item, score),
                None => {
                    return Err(error(metric, value.to_string(), "a number".into()).into());
                }
            },
        }
    }
    match &settings.filter {
        Some(filter) if kept == 0 => Err(ResponsesError::Nothing {
            path: log.to_owned(),
            what: format!("sample with the filter {filter:?}"),
            expected: format!("one of {}", filters.into_iter().collect::<Vec<_>>().join(", ")),
        }),
        _ => Ok(()),
    }
}

/// Names of the metrics of a sample; logs of older versions do not list them.
fn metrics(sample: &Metadata) -> Vec<String> {
    if let Some(names) = sample.get("metrics").and_then(|names| names.as_array()) {
        return names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    }
    let is_metric = |(name, value): &(&String, &serde_json::Value)| {
        !NO_METRIC.contains(&name.as_str()) && (number(value).is_some() || is_no_number(value))
    };
    sample.iter().filter(is_metric).map(|(name, _)| name.clone()).collect()
}

/// lm-eval writes what a filter could not extract as `[invalid]`.
fn is_invalid(sample: &Metadata) -> bool {
    sample.get("filtered_resps").is_some_and(|answers| match answers {
        serde_json::Value::Array(answers) => {
            !answers.is_empty() && answers.iter().all(|answer| answer == "[invalid]")
        }
        other => other == "[invalid]",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::test_data;

    /// Means counted with another program (Python's json) over the same files.
    #[test]
    fn real_logs_of_one_model_are_read_whole() {
        for (name, rows) in [
            ("samples_metabench_truthfulqa_secondary.jsonl", 136),
            ("samples_metabench_winogrande_secondary.jsonl", 106),
        ] {
            let Some(path) = test_data::file(&format!("lm-eval-logs/{name}")) else { return };
            let responses = read(&path, &Reading::default()).unwrap();
            assert_eq!((responses.respondents().len(), responses.len()), (1, rows));
            let settings = Reading { metric: Some("exact_match".into()), ..Reading::default() };
            let error = read(&path, &settings).unwrap_err().to_string();
            assert!(error.ends_with(":1: metrics: found acc, expected \"exact_match\""), "{error}");
        }
    }

    fn folder(logs: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in logs {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    const A: &str = "{\"doc_id\": 3, \"doc_hash\": \"h\", \"filter\": \"strict\", \
        \"metrics\": [\"exact_match\"], \"filtered_resps\": [\"[invalid]\"], \"exact_match\": 0.0}\n\
        {\"doc_id\": 3, \"doc_hash\": \"h\", \"filter\": \"flexible\", \
        \"metrics\": [\"exact_match\"], \"filtered_resps\": [\"7\"], \"exact_match\": 1.0}\n";

    #[test]
    fn the_filter_is_chosen_by_name() {
        let logs = folder(&[("org__m/samples_gsm8k_2026-01-02T03-04-05.6.jsonl", A)]);
        let chosen = |filter: &str, missing| {
            let settings = Reading {
                filter: Some(filter.into()),
                no_answer_is_missing: missing,
                ..Reading::default()
            };
            read(logs.path(), &settings)
        };
        let strict = chosen("strict", false).unwrap();
        assert_eq!(
            (strict.respondents(), strict.items()),
            (&["org/m".into()][..], &["gsm8k/3".into()][..])
        );
        assert_eq!(strict.score(0, 0), Some(0.0));
        assert_eq!(chosen("flexible", false).unwrap().score(0, 0), Some(1.0));
        assert!(matches!(chosen("strict", true), Err(ResponsesError::Empty { .. })));
        let error = chosen("none", false).unwrap_err().to_string();
        assert!(error.ends_with(
            "found no sample with the filter \"none\", expected one of flexible, strict"
        ));
        let error = read(logs.path(), &Reading::default()).unwrap_err().to_string();
        assert!(error.ends_with(
            ":2: filter: found flexible, strict, expected one of them, chosen with --filter"
        ));
    }

    #[test]
    fn an_item_that_is_another_question_elsewhere_is_an_error() {
        let row =
            |hash: &str| format!("{{\"doc_id\": 0, \"doc_hash\": \"{hash}\", \"acc\": 1.0}}\n");
        let logs = folder(&[("a/samples_t.jsonl", &row("h")), ("b/samples_t.jsonl", &row("g"))]);
        let error = read(logs.path(), &Reading::default()).unwrap_err().to_string();
        assert!(error.contains("t/0 is another question"), "{error}");
    }

    #[test]
    fn a_metric_that_python_wrote_as_nan_is_missing_and_named() {
        let logs = folder(&[(
            "m/samples_t.jsonl",
            "{\"doc_id\": 0, \"acc\": NaN, \"resps\": [[-Infinity, \"NaN\"]]}\n\
             {\"doc_id\": 1, \"acc\": 1.0, \"resps\": [[NaN]]}\n",
        )]);
        let responses = read(logs.path(), &Reading::default()).unwrap();
        assert_eq!(responses.items(), ["t/0", "t/1"]);
        assert_eq!((responses.score(0, 0), responses.score(0, 1)), (None, Some(1.0)));
        assert_eq!(responses.not_numbers(), [(0, 0)]);
        let only = folder(&[("m/samples_t.jsonl", "{\"doc_id\": 0, \"acc\": NaN}\n")]);
        assert!(matches!(
            read(only.path(), &Reading::default()),
            Err(ResponsesError::Empty { .. })
        ));
    }

    #[test]
    fn an_empty_folder_says_what_to_run() {
        let error = read(folder(&[]).path(), &Reading::default()).unwrap_err().to_string();
        assert!(error.contains("--log_samples"), "{error}");
    }
}
