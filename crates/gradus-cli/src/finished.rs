//! Finished runs, read back from their directories.

use std::path::Path;

use gradus::run::resume_line;
use serde_json::Value;

use crate::args;
use crate::failure::Failure;

/// A finished run: its `run.json` and its `results.json`.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) record: Value,
    pub(crate) results: Value,
}

impl Finished {
    /// Reads a run directory.
    pub(crate) fn read(dir: &Path) -> Result<Self, Failure> {
        if !dir.join("run.json").is_file() {
            let message = format!("{} is no run directory: it has no run.json", dir.display());
            return Err(Failure::usage(message));
        }
        let record = json(&dir.join("run.json"))?;
        if !dir.join("results.json").is_file() {
            let status = record["status"].as_str().unwrap_or("unfinished");
            let message = format!("{} has no results.json: the run is {status}", dir.display());
            let command = record["command"].as_array().into_iter().flatten().skip(1);
            let command = command.filter_map(Value::as_str).map(str::to_owned);
            let hint = resume_line(args::given().into_iter().take(1).chain(command), dir);
            return Err(Failure::usage(message).hint(format!("to finish it: {hint}")));
        }
        Ok(Self { record, results: json(&dir.join("results.json"))? })
    }

    /// Name of the study whose results these are.
    pub(crate) fn study(&self) -> &str {
        self.results["study"].as_str().unwrap_or_default()
    }
}

fn json(path: &Path) -> Result<Value, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::rows(format!("cannot read {shown}: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::rows(format!("{shown}:{}: {error}", error.line())))
}
