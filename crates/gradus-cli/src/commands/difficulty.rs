//! `gradus difficulty`: one file a subcommand.

mod fit;
mod place;
mod simulate;

use std::path::Path;

use clap::Subcommand;
use gradus::data::{DataError, hash_file};
use gradus::difficulty::irt::IrtError;
use gradus::difficulty::responses::{self, Duplicates, Reading, Responses, ResponsesError};

use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, data_exit};
use crate::output::Output;

/// Difficulty of items and ability of respondents, from who got what right
///
/// Examples:
///   gradus difficulty fit logs/ --model 2pl --out fit
///   gradus difficulty place answers.csv --items fit/items.csv
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fit(fit::Args),
    Place(place::Args),
    Simulate(simulate::Args),
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    match &args.command {
        Command::Fit(args) => fit::run(args, global),
        Command::Place(args) => place::run(args, global),
        Command::Simulate(args) => simulate::run(args),
    }
}

/// How responses are read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reading responses")]
struct From {
    /// Form of the responses: long, wide, patterns, py-irt, lm-eval or inspect; by default by
    /// name and first line.
    #[arg(long, value_name = "FORM")]
    from: Option<String>,
    /// What several scores of a respondent on an item come to: error, first or mean.
    #[arg(long, default_value = "error", value_name = "RULE")]
    duplicates: String,
    /// Metric (lm-eval) or scorer (inspect).
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Filter (lm-eval), as strict-match.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// What an answer that could not be read counts as: wrong or missing.
    #[arg(long, default_value = "wrong", value_name = "RULE")]
    no_answer: String,
}

impl From {
    fn read(&self, path: &Path) -> Result<Responses, Failure> {
        let duplicates = Duplicates::NAMES.into_iter().find(|(name, _)| *name == self.duplicates);
        let Some((_, duplicates)) = duplicates else {
            return Err(unknown("--duplicates", &self.duplicates, "error, first or mean"));
        };
        let no_answer_is_missing = match self.no_answer.as_str() {
            "wrong" => false,
            "missing" => true,
            other => return Err(unknown("--no-answer", other, "wrong or missing")),
        };
        let form = match &self.from {
            Some(name) => responses::form(name)?,
            None => responses::recognise(path)?,
        };
        let reading = Reading {
            duplicates,
            metric: self.metric.clone(),
            filter: self.filter.clone(),
            no_answer_is_missing,
        };
        Ok((form.read)(path, &reading)?)
    }
}

/// The files that were read, with their hashes; of a folder all files in it.
fn input(path: &Path) -> Result<Vec<(String, String)>, Failure> {
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

fn unknown(flag: &str, name: &str, expected: &str) -> Failure {
    Failure::usage(format!("{flag} {name}: no such name, expected {expected}"))
}

fn threads(global: &Global) -> usize {
    global.threads.map_or_else(rayon::current_num_threads, std::num::NonZeroUsize::get)
}

impl std::convert::From<ResponsesError> for Failure {
    fn from(error: ResponsesError) -> Self {
        let exit = match &error {
            ResponsesError::Data(error) => data_exit(error),
            ResponsesError::UnknownForm { .. } => ExitCode::Usage,
            _ => ExitCode::Rows,
        };
        Self::of(exit, &error)
    }
}

impl std::convert::From<IrtError> for Failure {
    fn from(error: IrtError) -> Self {
        let exit = match &error {
            IrtError::UnknownModel { .. } | IrtError::Setting { .. } => ExitCode::Usage,
            _ => ExitCode::Rows,
        };
        Self::of(exit, &error)
    }
}
