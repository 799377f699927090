use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunError, files};

/// The build that runs, as facts the program was built with.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tool {
    /// Version of the program.
    pub version: String,
    /// Commit that it was built from, where known.
    pub commit: Option<String>,
    /// Whether the sources differed from that commit.
    pub dirty: bool,
    /// Hash of the workspace's sources; part of every stage's key.
    pub sources: String,
}

/// How a run ended, or that it has not.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// At work, or killed.
    Running,
    /// All is there.
    Finished,
    /// Ended by an error.
    Failed,
    /// Stopped on request.
    Interrupted,
}

/// An input file, by what was in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Input {
    /// Path as given.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A stage of the run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StageRecord {
    /// Name.
    pub name: String,
    /// Key in the store.
    pub key: String,
    /// Whether the result was in the store already, by the work of another run.
    pub cached: bool,
    /// Wall time of the work, also of an earlier attempt at this run; 0 for a result
    /// found in the store. What an attempt spent on a stage that it did not end is not in it.
    pub seconds: f64,
}

/// The machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HostFacts {
    /// Name of the machine.
    pub name: String,
    /// Operating system.
    pub os: String,
    /// Instruction set.
    pub arch: String,
    /// Processors that the process may use.
    pub cpus: usize,
    /// Threads that the run uses.
    pub threads: usize,
}

/// `run.json`: how a run came about. Times and host facts stand here and nowhere else.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// Version of this file's form: 1.
    pub format: u32,
    /// Name of the recipe.
    pub recipe: String,
    /// Its title.
    pub title: String,
    /// Its prose: what is asked and why.
    pub analysis: String,
    /// How the run stands.
    pub status: Status,
    /// The error that ended it, where one did.
    pub error: Option<String>,
    /// The build.
    pub tool: Tool,
    /// The command line, program first.
    pub command: Vec<String>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The resolved config.
    pub config: Value,
    /// Where each value of the config came from.
    pub origins: BTreeMap<String, String>,
    /// The input files.
    pub inputs: Vec<Input>,
    /// The stages so far, in order.
    pub stages: Vec<StageRecord>,
    /// Stages that earlier attempts ended and this one has not met yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<StageRecord>,
    /// The machine.
    pub host: HostFacts,
    /// When the run was first started, RFC 3339 in UTC.
    pub started: String,
    /// When it was resumed, in order.
    pub resumed: Vec<String>,
    /// When it ended.
    pub ended: Option<String>,
}

impl Record {
    /// Name of the file in a run directory.
    pub const FILE: &str = "run.json";

    /// Reads the record of a run directory; `None` where there is none.
    pub fn read(dir: &Path) -> Result<Option<Self>, RunError> {
        let path = dir.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunError::io("read", &path)(error)),
        };
        let record = serde_json::from_str(&text).map_err(|error| RunError::Row {
            file: path,
            line: error.line() as u64,
            reason: format!("not the record of a run: {error}"),
        })?;
        Ok(Some(record))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), RunError> {
        let mut text = serde_json::to_string_pretty(self).expect("a record is plain data");
        text.push('\n');
        files::write_file(&dir.join(Self::FILE), text.as_bytes())
    }
}
