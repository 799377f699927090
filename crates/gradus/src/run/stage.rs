use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::lock::Lock;
use super::{Monitor, RunError, Work, files};

/// The finished result of a stage: files under a key.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Name.
    pub name: String,
    /// SHA-256 over what the result depends on: name, upstream keys, config, sources.
    pub key: String,
    /// The folder with the result.
    pub dir: PathBuf,
}

impl Stage {
    /// The path of one of the result's files.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.dir.join(file)
    }
}

/// The folder in which runs share the results of stages, one folder a key.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) dir: PathBuf,
    pub(super) sources: String,
}

const TIME_BETWEEN_TRIES: Duration = Duration::from_millis(100);

impl Store {
    /// The stage's result with the seconds its work took, `None` when it was there already.
    ///
    /// The work fills `<key>.part`, which a later attempt finds as a kill left it; the whole is
    /// flushed and renamed at the end. A lock keeps a second process waiting until then.
    pub(super) fn obtain<E: From<RunError>>(
        &self,
        name: &str,
        upstream: &[&Stage],
        config: &impl Serialize,
        monitor: &Monitor,
        body: impl FnOnce(&Work) -> Result<(), E>,
    ) -> Result<(Stage, Option<f64>), E> {
        let canonical = files::canonical_json(config)?;
        let mut parts = vec![name];
        parts.extend(upstream.iter().map(|stage| stage.key.as_str()));
        parts.extend([canonical.as_str(), self.sources.as_str()]);
        let key = files::hash_parts(parts);
        let stage = Stage { name: name.into(), dir: self.dir.join(&key), key };
        if stage.dir.is_dir() {
            self.remove_lock(&stage);
            return Ok((stage, None));
        }
        let lock = self.wait(&stage, monitor)?;
        if stage.dir.is_dir() {
            self.remove_lock(&stage);
            return Ok((stage, None));
        }
        monitor.emit(&super::Event::StageStarted { stage: name.into(), cached: false });
        let started = Instant::now();
        let part = self.dir.join(format!("{}.part", stage.key));
        let work = Work::scratch(&part, name, monitor.clone())?;
        body(&work)?;
        files::remove_hidden(&part)?;
        let description = json!({
            "name": name,
            "upstream": upstream.iter().map(|stage| (&stage.name, &stage.key)).collect::<Vec<_>>(),
            "config": config,
            "sources": self.sources,
        });
        let mut text = files::canonical_json(&description)?;
        text.push('\n');
        files::write_file(&part.join("stage.json"), text.as_bytes())?;
        files::sync_tree(&part)?;
        files::rename(&part, &stage.dir)?;
        self.remove_lock(&stage);
        drop(lock);
        Ok((stage, Some(started.elapsed().as_secs_f64())))
    }

    fn lock_path(&self, stage: &Stage) -> PathBuf {
        self.dir.join(format!("{}.lock", stage.key))
    }

    /// Once the result is there its lock has no purpose: whoever waits for it looks for the
    /// result first. A kill between the two leaves the file to whoever comes next.
    fn remove_lock(&self, stage: &Stage) {
        let _ = std::fs::remove_file(self.lock_path(stage));
    }

    fn wait(&self, stage: &Stage, monitor: &Monitor) -> Result<Lock, RunError> {
        let path = self.lock_path(stage);
        let mut told = false;
        loop {
            if let Some(lock) = Lock::try_take(&path)? {
                return Ok(lock);
            }
            if !told {
                let holder =
                    Lock::holder(&path).map_or("another process".into(), |who| who.to_string());
                monitor
                    .note(format!("stage {}: waiting for {holder}, which works on it", stage.name));
                told = true;
            }
            monitor.check()?;
            std::thread::sleep(TIME_BETWEEN_TRIES);
        }
    }
}
