use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Monitor, RunError, appended};

/// `metrics.jsonl`: one row a logged step, as `{"step":10,"loss":0.5}`.
///
/// Names are TRL's (`loss`, `grad_norm`, `learning_rate`, `entropy`, `num_tokens` ...; those of
/// evaluation begin with `eval_`). A row holds no time, so that equal work leaves equal bytes.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
    starts: Vec<(u64, u64)>,
    end: u64,
}

impl Metrics {
    pub(super) fn open(path: &Path, monitor: &Monitor) -> Result<Self, RunError> {
        let mut starts = Vec::new();
        let mut end = 0;
        let file = appended::open(path, monitor, |offset, line| {
            let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let step = row["step"].as_u64().ok_or("the field `step` is no step number")?;
            starts.push((step, offset));
            end = offset + line.len() as u64 + 1;
            Ok(())
        })?;
        Ok(Self { path: path.to_owned(), file, starts, end })
    }

    /// Appends a row; steps must not go back. A value that is no number is written as `null`.
    pub fn log(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), RunError> {
        if let Some(&(last, _)) = self.starts.last().filter(|&&(last, _)| step < last) {
            return Err(RunError::Internal(format!("metrics of step {step} after step {last}")));
        }
        let mut line = format!("{{\"step\":{step}");
        for (name, value) in values {
            let _ = write!(line, ",{}:{}", Value::from(*name), Value::from(*value));
        }
        line.push_str("}\n");
        self.file.write_all(line.as_bytes()).map_err(RunError::io("write", &self.path))?;
        self.starts.push((step, self.end));
        self.end += line.len() as u64;
        Ok(())
    }

    /// Removes the rows of later steps: work that resumes from a checkpoint logs them again.
    pub fn truncate_after(&mut self, step: u64) -> Result<(), RunError> {
        let kept = self.starts.partition_point(|&(at, _)| at <= step);
        if let Some(&(_, offset)) = self.starts.get(kept) {
            self.file
                .set_len(offset)
                .and_then(|()| self.file.seek(SeekFrom::Start(offset)))
                .map_err(RunError::io("write", &self.path))?;
            self.starts.truncate(kept);
            self.end = offset;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resuming_from_a_checkpoint_leaves_the_bytes_of_work_never_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&path, &Monitor::silent()).unwrap();
        metrics.log(10, &[("loss", 0.5), ("learning_rate", 1e-3)]).unwrap();
        metrics.log(10, &[("eval_loss", f64::NAN)]).unwrap();
        metrics.log(20, &[("loss", 0.25)]).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            whole,
            "{\"step\":10,\"loss\":0.5,\"learning_rate\":0.001}\n\
             {\"step\":10,\"eval_loss\":null}\n{\"step\":20,\"loss\":0.25}\n"
        );
        metrics.log(30, &[("loss", 9.0)]).unwrap();
        drop(metrics);
        let mut metrics = Metrics::open(&path, &Monitor::silent()).unwrap();
        metrics.truncate_after(10).unwrap();
        metrics.log(20, &[("loss", 0.25)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        metrics.truncate_after(0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn steps_do_not_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&path, &Monitor::silent()).unwrap();
        metrics.log(2, &[]).unwrap();
        assert!(metrics.log(1, &[]).is_err());
    }
}
