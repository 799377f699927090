//! A file of rows that a command fills at length: nobody else writes it meanwhile, a record
//! beside it says how it came about, and a killed command goes on where it stopped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gradus::lm::RowError;
use gradus::run::{self, Lock, Monitor, Tool, Work, difference, resume_line};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args;
use crate::failure::Failure;

/// `ROWS.record.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// The subcommand.
    pub(crate) command: String,
    pub(crate) status: Status,
    /// What the rows depend on; the same again where the command goes on.
    pub(crate) config: Value,
    /// Rows that the file is to hold.
    pub(crate) expected: u64,
    /// Rows that it holds, as far as the command has ended.
    pub(crate) rows: u64,
    /// Rows that failed when they were last tried.
    pub(crate) failed: Vec<FailedRow>,
    /// Tokens of prompts and of completions, where the model counts them.
    pub(crate) prompt_tokens: u64,
    pub(crate) tokens: u64,
    /// Seconds at work.
    pub(crate) seconds: f64,
    pub(crate) tool: Tool,
    /// The command line.
    pub(crate) line: Vec<String>,
    pub(crate) started: String,
    pub(crate) resumed: Vec<String>,
    pub(crate) ended: Option<String>,
}

/// Where the command stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// At work, or killed.
    Running,
    /// All rows are there.
    Finished,
    /// Ended with rows that failed.
    FailedRows,
}

/// A row that failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FailedRow {
    pub(crate) problem: String,
    pub(crate) sample: u32,
    pub(crate) reason: String,
}

/// What was done in one go.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) rows: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) tokens: u64,
    pub(crate) failed: Vec<RowError>,
}

/// A file of rows, open for this process alone.
#[derive(Debug)]
pub(crate) struct RowFile {
    out: PathBuf,
    work: Work,
    record: Record,
    began: Instant,
    _lock: Lock,
}

impl RowFile {
    /// Opens `out` for the rows of a command. What is there already is gone on with where
    /// `resume` is set and the config is the same, and refused else.
    pub(crate) fn open(
        out: &Path,
        command: &str,
        config: Value,
        expected: u64,
        resume: bool,
        monitor: Monitor,
    ) -> Result<Self, Failure> {
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let work = Work::scratch(folder, command, monitor)?;
        let lock = Lock::file(out)?;
        let mut record = Record {
            format: 1,
            command: command.to_owned(),
            status: Status::Running,
            config,
            expected,
            rows: 0,
            failed: Vec::new(),
            prompt_tokens: 0,
            tokens: 0,
            seconds: 0.0,
            tool: gradus_studies::tool(),
            line: args::given(),
            started: run::now(),
            resumed: Vec::new(),
            ended: None,
        };
        let refuse = |state: &str, hint: &str| {
            Err(Failure::usage(format!("{} {state}", out.display())).hint(hint))
        };
        match read(out)? {
            Some(left) if !resume => {
                let state = match left.status {
                    Status::Finished => "holds finished rows",
                    Status::Running | Status::FailedRows => "holds unfinished rows",
                };
                return refuse(state, "add --resume to go on with them, or choose another --out");
            }
            Some(left) => {
                if left.command != command {
                    let state = format!("holds rows of gradus {}", left.command);
                    return refuse(&state, "choose another --out");
                }
                if let Some(difference) = difference(&left.config, &record.config) {
                    let state = format!("holds other rows: {difference}");
                    return refuse(&state, "choose another --out");
                }
                record.started = left.started;
                record.resumed = left.resumed;
                record.resumed.push(run::now());
                (record.prompt_tokens, record.tokens) = (left.prompt_tokens, left.tokens);
                record.seconds = left.seconds;
            }
            None if out.exists() || beside(out, ".part").exists() => {
                return refuse("is there already and has no record", "choose another --out");
            }
            None => {}
        }
        let file = Self { out: out.to_owned(), work, record, began: Instant::now(), _lock: lock };
        file.write()?;
        Ok(file)
    }

    /// Where the rows are worked on.
    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// The file's name in the folder of the work.
    pub(crate) fn name(&self) -> Result<&str, Failure> {
        self.out.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            Failure::usage(format!("--out {}: expected the name of a file", self.out.display()))
        })
    }

    /// A failure on the way, with the line that goes on from here.
    pub(crate) fn failed(&self, failure: impl Into<Failure>) -> Failure {
        failure.into().of_work_in(&self.out)
    }

    /// The line that tries failed rows again.
    pub(crate) fn resume_line(&self) -> String {
        resume_line(args::given(), &self.out)
    }

    /// Completes the record; the answer also says how long this go took, in seconds.
    pub(crate) fn close(mut self, done: &Done) -> Result<(Record, f64), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        let record = &mut self.record;
        record.rows = done.rows;
        record.prompt_tokens += done.prompt_tokens;
        record.tokens += done.tokens;
        record.seconds += seconds;
        record.failed = done.failed.iter().map(FailedRow::from).collect();
        record.status = if done.failed.is_empty() { Status::Finished } else { Status::FailedRows };
        record.ended = Some(run::now());
        self.write()?;
        Ok((self.record, seconds))
    }

    fn write(&self) -> Result<(), Failure> {
        write(&self.out, &self.record)
    }
}

impl From<&RowError> for FailedRow {
    fn from(error: &RowError) -> Self {
        Self {
            problem: error.key.problem.to_string(),
            sample: error.key.sample,
            reason: error.reason.clone(),
        }
    }
}

/// The record of a file of rows, where there is one.
pub(crate) fn read(rows: &Path) -> Result<Option<Record>, Failure> {
    let path = record_path(rows);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::rows(format!("cannot read {}: {error}", path.display())));
        }
    };
    let wrong = |error: serde_json::Error| {
        let message = format!("{}:{}: {error}", path.display(), error.line());
        Failure::rows(message).hint("a record is written by the command that made the rows")
    };
    serde_json::from_str(&text).map(Some).map_err(wrong)
}

/// Writes the record of a file of rows, whole or not at all.
pub(crate) fn write(rows: &Path, record: &Record) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(record).expect("records are plain data") + "\n";
    Ok(run::write_file(&record_path(rows), text.as_bytes())?)
}

/// The record's place: beside the rows.
pub(crate) fn record_path(rows: &Path) -> PathBuf {
    beside(rows, ".record.json")
}

fn beside(rows: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(rows);
    name.push(ending);
    name.into()
}
