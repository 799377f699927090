//! Verdicts of gradus's own runs: a run's folder, a folder of runs, or rows as `gradus verify
//! samples --json` and the sampling stages write them.
//!
//! An item is a problem. A respondent is the row's `model`; of a run, whose rows have none,
//! the stage that trained the model, with the temperature it was sampled at; of other rows the
//! name of their file. A score is 1 or 0. `no_answer` (in rows without a verdict, `answer`
//! null and not correct) is wrong or missing by choice; `bad_gold`, `undecided` and `correct`
//! null are missing, and all are counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Builder, Duplicates, Form, Reading, Responses, ResponsesError};
use crate::data::{self, DataError, FieldError, Fields, Row, RowError, Verdict};

pub(super) const FORM: Form = Form {
    name: "gradus",
    summary: "a gradus run, or rows of problem with verdict or correct",
    read,
};

const SAMPLES: &str = "samples.jsonl";

/// What a row says of a problem; other columns stay, as one may name the respondent.
struct Scored {
    problem: String,
    sample: Option<u32>,
    model: Option<String>,
    /// None where `correct` is null.
    verdict: Option<Verdict>,
    rest: Vec<(String, Value)>,
}

impl Row for Scored {
    const NOUN: &str = "row with a verdict";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let has = |fields: &Fields, name: &str| fields.names().any(|known| known == name);
        let verdict = if fields.peek("verdict").is_some() {
            Some(fields.verdict("verdict")?)
        } else if has(fields, "correct") {
            let unanswered = has(fields, "answer") && fields.peek("answer").is_none();
            fields.optional_flag("correct")?.map(|correct| match (correct, unanswered) {
                (true, _) => Verdict::Correct,
                (false, true) => Verdict::NoAnswer,
                (false, false) => Verdict::Incorrect,
            })
        } else {
            let names = fields.names().collect::<Vec<_>>().join(", ");
            let expected =
                "a column verdict or correct (grade the rows with `gradus verify samples --json`)";
            return Err(FieldError::new("verdict", format!("the columns {names}"), expected));
        };
        Ok(Self {
            problem: fields.text("problem")?,
            sample: fields.optional_u32("sample")?,
            model: fields.optional_text("model")?,
            verdict,
            rest: fields.columns(),
        })
    }
}

impl Scored {
    /// The text or number in a column.
    fn named(&self, column: &str) -> Option<String> {
        match column {
            "model" => self.model.clone(),
            "sample" => self.sample.map(|sample| sample.to_string()),
            _ => match &self.rest.iter().find(|(name, _)| name == column)?.1 {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}

/// A file of rows, and what its rows do not say.
struct Source {
    file: PathBuf,
    respondent: String,
    /// Which problems these are, and how their set is called: ids of two sets may be the same.
    problems: Option<(String, String)>,
}

/// What a stage's folder says of it.
#[derive(Deserialize)]
struct StageFile {
    name: String,
    upstream: Vec<(String, String)>,
    config: Value,
}

fn read(path: &Path, reading: &Reading) -> Result<Responses, ResponsesError> {
    let sources = sources(path, reading)?;
    let prefixes = prefixes(&sources);
    let mut builder = Builder::default();
    for source in &sources {
        let prefix = source.problems.as_ref().and_then(|(key, _)| prefixes.get(key));
        read_rows(source, prefix.map_or("", String::as_str), reading, &mut builder)?;
    }
    builder.finish(path, reading.duplicates)
}

/// Is a folder that of a run, or of runs.
pub(super) fn has_runs(folder: &Path) -> Result<bool, ResponsesError> {
    Ok(!runs(folder)?.is_empty())
}

/// The folder itself where it is a run, else the runs in it.
fn runs(folder: &Path) -> Result<Vec<PathBuf>, ResponsesError> {
    let is_run = |folder: &Path| folder.join("run.json").is_file();
    if is_run(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    Ok(entries(folder)?.into_iter().filter(|entry| is_run(entry)).collect())
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Io { action: "read", path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(io)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry.map_err(io)?.path())).collect::<Result<_, DataError>>()?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn sources(path: &Path, reading: &Reading) -> Result<Vec<Source>, ResponsesError> {
    let rows = |file: PathBuf| {
        let name = file_name(&file);
        let respondent = name.split('.').next().unwrap_or(&name).to_owned();
        Source { file, respondent, problems: None }
    };
    if !path.is_dir() {
        return Ok(vec![rows(path.to_owned())]);
    }
    let runs = runs(path)?;
    if runs.is_empty() {
        let is_rows = |file: &PathBuf| {
            let name = file_name(file);
            let endings = [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"];
            endings.iter().any(|ending| name.ends_with(ending))
        };
        let files: Vec<PathBuf> = entries(path)?.into_iter().filter(is_rows).collect();
        if files.is_empty() {
            let expected = "a run's run.json, or files of rows, as .jsonl or .parquet".to_owned();
            return Err(ResponsesError::Nothing {
                path: path.to_owned(),
                what: "run".into(),
                expected,
            });
        }
        return Ok(files.into_iter().map(rows).collect());
    }
    let mut found = Vec::new();
    let mut stages = Vec::new();
    for run in &runs {
        let folder = run.join("stages");
        for stage in if folder.is_dir() { entries(&folder)? } else { Vec::new() } {
            if !stage.join(SAMPLES).is_file() {
                continue;
            }
            let name = file_name(&stage);
            let wanted = reading.filter.as_ref().is_none_or(|word| name.contains(word));
            stages.push(name);
            if wanted {
                let of_run = (runs.len() > 1).then(|| file_name(run));
                found.push(of_stage(&stage, of_run)?);
            }
        }
    }
    if found.is_empty() {
        let expected = match &reading.filter {
            Some(word) if !stages.is_empty() => {
                format!("one with {word:?} in its name among {}", stages.join(", "))
            }
            _ => "a run that has sampled (stages/NAME/samples.jsonl)".to_owned(),
        };
        let what = "sampling stage".to_owned();
        return Err(ResponsesError::Nothing { path: path.to_owned(), what, expected });
    }
    Ok(found)
}

/// A sampling stage: its respondent is the stage that its model came from.
fn of_stage(folder: &Path, run: Option<String>) -> Result<Source, ResponsesError> {
    let file = folder.join("stage.json");
    let mut text = String::new();
    data::open(&file)?.read_to_string(&mut text).map_err(|source| DataError::Io {
        action: "read",
        path: file.clone(),
        source,
    })?;
    let stage: StageFile = serde_json::from_str(&text).map_err(|error| RowError {
        file: file.clone(),
        line: error.line() as u64,
        field: None,
        found: error.to_string(),
        expected: "a stage of a run".into(),
    })?;
    let is_problems = |(name, _): &&(String, String)| name.starts_with("problems");
    let model = stage.upstream.iter().find(|upstream| !is_problems(upstream));
    let mut respondent = model.map_or(&stage.name, |(name, _)| name).clone();
    if let Some(temperature) = stage.config["draws"]["temperature"].as_f64() {
        respondent = format!("{respondent} at {}", temperature as f32);
    }
    if let Some(run) = run {
        respondent = format!("{run}/{respondent}");
    }
    let problems = stage.upstream.iter().find(is_problems);
    let problems = problems.map(|(name, key)| (key.clone(), name.clone()));
    Ok(Source { file: folder.join(SAMPLES), respondent, problems })
}

/// What stands before the ids of each set of problems; nothing where there is one set.
fn prefixes(sources: &[Source]) -> BTreeMap<String, String> {
    let sets: BTreeMap<&String, &String> = sources
        .iter()
        .filter_map(|source| source.problems.as_ref())
        .map(|(key, name)| (key, name))
        .collect();
    if sets.len() < 2 {
        return BTreeMap::new();
    }
    let alone = |name: &String| sets.values().filter(|other| **other == name).count() == 1;
    let prefix = |(key, name): (&&String, &&String)| {
        let short: String = key.chars().take(8).collect();
        let set = if alone(name) { (*name).clone() } else { format!("{name}-{short}") };
        ((*key).clone(), set + "/")
    };
    sets.iter().map(prefix).collect()
}

fn read_rows(
    source: &Source,
    prefix: &str,
    reading: &Reading,
    builder: &mut Builder,
) -> Result<(), ResponsesError> {
    let mut rows = data::read_table::<Scored>(&source.file)?;
    while let Some(row) = rows.next() {
        let row = row?;
        let mut respondent = match reading.respondent.as_deref() {
            None => row.model.unwrap_or_else(|| source.respondent.clone()),
            Some(column) => row.named(column).ok_or_else(|| {
                let expected = "the name of the respondent (--respondent)";
                rows.error(FieldError::new(column, "nothing", expected))
            })?,
        };
        if let (Duplicates::Separate, Some(sample)) = (reading.duplicates, row.sample) {
            respondent = format!("{respondent}#{sample}");
        }
        let item = format!("{prefix}{}", row.problem);
        let score = match row.verdict {
            Some(Verdict::Correct) => Some(1.0),
            Some(Verdict::Incorrect) => Some(0.0),
            Some(Verdict::NoAnswer) => builder.no_answer(reading),
            Some(Verdict::BadGold) => {
                builder.counts.bad_gold += 1;
                None
            }
            Some(Verdict::Undecided) => {
                builder.counts.undecided += 1;
                None
            }
            None => {
                builder.counts.unscored += 1;
                None
            }
        };
        if let Some(score) = score {
            builder.push(&respondent, &item, score);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    const ROWS: &str = "{\"problem\": \"p\", \"sample\": 0, \"model\": \"m\", \"verdict\": \"correct\", \"correct\": true}\n\
        {\"problem\": \"p\", \"sample\": 1, \"model\": \"m\", \"verdict\": \"incorrect\", \"correct\": false}\n\
        {\"problem\": \"q\", \"sample\": 0, \"model\": \"m\", \"verdict\": \"no_answer\", \"correct\": false}\n\
        {\"problem\": \"q\", \"sample\": 1, \"model\": \"m\", \"verdict\": \"bad_gold\", \"correct\": null}\n\
        {\"problem\": \"r\", \"sample\": 0, \"model\": \"m\", \"verdict\": \"undecided\", \"correct\": null}\n\
        {\"problem\": \"r\", \"sample\": 1, \"model\": \"m\", \"correct\": null, \"arm\": \"a\"}\n";

    #[test]
    fn each_verdict_is_a_score_or_counted_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "graded.jsonl", ROWS);
        let mut reading = Reading { duplicates: Duplicates::Mean, ..Reading::default() };
        let found = read(&path, &reading).unwrap();
        assert_eq!(
            (found.respondents(), found.items()),
            (&["m".into()][..], &["p".into(), "q".into()][..])
        );
        assert_eq!(found.row(0).1, [0.5, 0.0]);
        let counts = found.counts();
        assert_eq!(
            (counts.no_answer, counts.bad_gold, counts.undecided, counts.unscored),
            (1, 1, 1, 1)
        );
        reading.no_answer_is_missing = true;
        reading.duplicates = Duplicates::Separate;
        let found = read(&path, &reading).unwrap();
        assert_eq!(
            (found.respondents(), found.items().len()),
            (&["m#0".into(), "m#1".into()][..], 1)
        );
        reading.respondent = Some("arm".into());
        let error = read(&path, &reading).unwrap_err().to_string();
        assert!(error.ends_with("graded.jsonl:1: arm: found nothing, expected the name of the respondent (--respondent)"), "{error}");
    }

    fn run(folder: &Path, name: &str, key: &str, rows: &str) {
        write(folder, &format!("{name}/run.json"), "{}");
        let stage = format!(
            "{{\"name\": \"s\", \"upstream\": [[\"generator-seed1\", \"g\"], [\"problems-seed1\", \"{key}\"]], \
             \"config\": {{\"draws\": {{\"temperature\": 0.0}}}}, \"sources\": \"\"}}"
        );
        write(folder, &format!("{name}/stages/02-hard-samples-seed1/stage.json"), &stage);
        write(folder, &format!("{name}/stages/02-hard-samples-seed1/samples.jsonl"), rows);
    }

    #[test]
    fn a_runs_respondents_are_its_models_and_equal_ids_of_two_sets_stay_apart() {
        let rows = "{\"problem\": \"p\", \"sample\": 0, \"answer\": null, \"correct\": false}\n\
                    {\"problem\": \"q\", \"sample\": 0, \"answer\": \"1\", \"correct\": true}\n";
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "one", "k", rows);
        let found = read(&folder.path().join("one"), &Reading::default()).unwrap();
        assert_eq!(
            (found.respondents(), found.items()),
            (&["generator-seed1 at 0".into()][..], &["p".into(), "q".into()][..])
        );
        assert_eq!(found.counts().no_answer, 1);
        run(folder.path(), "two", "k", rows);
        let found = read(folder.path(), &Reading::default()).unwrap();
        assert_eq!(
            (found.respondents()[1].as_str(), found.items().len()),
            ("two/generator-seed1 at 0", 2)
        );
        run(folder.path(), "two", "other", rows);
        let found = read(folder.path(), &Reading::default()).unwrap();
        assert_eq!(found.items()[2], "problems-seed1-other/p");
        let reading = Reading { filter: Some("easy".into()), ..Reading::default() };
        let error = read(folder.path(), &reading).unwrap_err().to_string();
        assert!(error.contains("with \"easy\" in its name among 02-hard-samples-seed1"), "{error}");
    }

    #[test]
    fn rows_without_a_verdict_say_how_to_get_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "r.jsonl", "{\"problem\": \"p\", \"text\": \"1\"}\n");
        let error = read(&path, &Reading::default()).unwrap_err().to_string();
        assert!(
            error.contains("r.jsonl:1: verdict: found the columns problem, text, expected"),
            "{error}"
        );
    }
}
