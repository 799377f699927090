use std::path::{Path, PathBuf};

use super::{Metrics, Monitor, Part, RunError, files};

/// A stage at work: the folder that it fills, and whom it tells.
///
/// After a kill the next attempt is given the same folder as it was left. Names that begin
/// with a dot are no part of the result and go when the stage is done.
#[derive(Debug)]
pub struct Work {
    dir: PathBuf,
    name: String,
    monitor: Monitor,
}

impl Work {
    /// Work outside a run, in a folder of its own.
    pub fn scratch(
        dir: impl Into<PathBuf>,
        name: &str,
        monitor: Monitor,
    ) -> Result<Self, RunError> {
        let dir = dir.into();
        files::make_folder(&dir)?;
        Ok(Self { dir, name: name.into(), monitor })
    }

    /// The folder. What it holds when the work is done is the stage's result.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a file in the folder.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.dir.join(file)
    }

    /// Name of the stage; streams and progress use it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whom to tell, and whom to ask whether to go on.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// `done` of `total` units are done; [`RunError::Interrupted`] once asked to stop.
    pub fn progress(&self, done: u64, total: u64, unit: &'static str) -> Result<(), RunError> {
        self.monitor.progress(&self.name, done, total, unit);
        self.monitor.check()
    }

    /// Writes a file of the folder, whole or not at all.
    pub fn write(&self, file: &str, text: &str) -> Result<(), RunError> {
        files::write_file(&self.path(file), text.as_bytes())
    }

    /// A file of rows that survives a kill.
    pub fn part(&self, file: &str) -> Result<Part, RunError> {
        Part::open(&self.path(file), &self.monitor)
    }

    /// The stage's `metrics.jsonl`.
    pub fn metrics(&self) -> Result<Metrics, RunError> {
        Metrics::open(&self.path("metrics.jsonl"), &self.monitor)
    }

    /// A hidden folder for what only a resumed attempt needs, as checkpoints on the way.
    pub fn resume(&self) -> Result<PathBuf, RunError> {
        let folder = self.path(".resume");
        files::make_folder(&folder)?;
        Ok(folder)
    }
}
