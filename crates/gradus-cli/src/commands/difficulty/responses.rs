//! Responses as every subcommand reads them.

use std::path::Path;

use gradus::data::{DataError, hash_file};
use gradus::difficulty::responses::{self, Duplicates, Reading, Responses};

use crate::args::Global;
use crate::failure::Failure;

/// How responses are read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reading responses")]
pub(crate) struct Reader {
    /// Form of the responses: long, wide, patterns, py-irt, lm-eval, inspect or gradus; by
    /// default by name and first line.
    #[arg(long = "from", value_name = "FORM")]
    form: Option<String>,
    /// What several scores of a respondent on an item come to: error, first, mean, or separate,
    /// which makes a respondent of each sample.
    #[arg(long, default_value = "error", value_name = "RULE")]
    duplicates: String,
    /// Metric (lm-eval) or scorer (inspect).
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Filter (lm-eval), as strict-match; of a gradus run, a word in the names of the stages.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// What an answer that could not be read counts as: wrong or missing.
    #[arg(long, default_value = "wrong", value_name = "RULE")]
    no_answer: String,
    /// Column that names the respondents of rows with verdicts; `model` by default, else the
    /// name of the file or of the stage that made the model.
    #[arg(long, value_name = "COLUMN")]
    respondent: Option<String>,
}

impl Reader {
    pub(crate) fn read(&self, path: &Path) -> Result<Responses, Failure> {
        let duplicates = Duplicates::NAMES.into_iter().find(|(name, _)| *name == self.duplicates);
        let Some((_, duplicates)) = duplicates else {
            return Err(unknown(
                "--duplicates",
                &self.duplicates,
                "error, first, mean or separate",
            ));
        };
        let no_answer_is_missing = match self.no_answer.as_str() {
            "wrong" => false,
            "missing" => true,
            other => return Err(unknown("--no-answer", other, "wrong or missing")),
        };
        let form = match &self.form {
            Some(name) => responses::form(name)?,
            None => responses::recognise(path)?,
        };
        let reading = Reading {
            duplicates,
            metric: self.metric.clone(),
            filter: self.filter.clone(),
            no_answer_is_missing,
            respondent: self.respondent.clone(),
        };
        Ok((form.read)(path, &reading)?)
    }
}

/// A note where a log has scores that are no numbers.
pub(crate) fn missing_note(responses: &Responses) -> Option<String> {
    let count = responses.not_numbers().len();
    (count > 0)
        .then(|| format!("{count} scores are NaN or infinite in the logs and count as missing"))
}

/// The files that were read, with their hashes; of a folder all files in it.
pub(super) fn input(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Vec::new());
    }
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), hash_file(path)?)]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let io = |source| DataError::Io { action: "read", path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files.iter().map(|file| Ok((file.display().to_string(), hash_file(file)?))).collect()
}

pub(super) fn unknown(flag: &str, name: &str, expected: &str) -> Failure {
    Failure::usage(format!("{flag} {name}: no such name, expected {expected}"))
}

pub(super) fn threads(global: &Global) -> usize {
    global.threads.map_or_else(rayon::current_num_threads, std::num::NonZeroUsize::get)
}
