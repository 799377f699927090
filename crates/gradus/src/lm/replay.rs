use std::collections::HashMap;
use std::path::Path;

use super::rows::{each, generated};
use super::{Capabilities, Generate, Generated, LmError, Request, Sampling, Sink};
use crate::data::{self, Completion, DataError, FieldError, FinishReason, RowError};

/// A model that answers from a file of completions, by problem and sample.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    name: String,
    completions: HashMap<String, HashMap<u32, (String, FinishReason)>>,
}

impl Replay {
    /// Reads rows of `problem`, `sample`, `text` and optionally `finish_reason` (`stop`).
    /// A row that is there twice is an error.
    pub fn read(file: &Path) -> Result<Self, DataError> {
        let name = format!("fake/replay:{}", file.display());
        let mut replay = Self { name, completions: HashMap::new() };
        let mut rows = data::read::<Completion>(file)?;
        while let Some(row) = rows.next().transpose()? {
            let samples = replay.completions.entry(row.problem).or_default();
            let reason = row.finish_reason.unwrap_or(FinishReason::Stop);
            if samples.insert(row.sample, (row.text, reason)).is_some() {
                let FieldError { field, found, expected } = FieldError::new(
                    "sample",
                    format!("{} of the same problem again", row.sample),
                    "each sample once",
                );
                return Err(DataError::Row(RowError {
                    file: rows.file().to_owned(),
                    line: rows.line(),
                    field: Some(field),
                    found,
                    expected,
                }));
            }
        }
        Ok(replay)
    }

    fn answer(&self, request: &Request) -> Result<Generated, String> {
        let samples = self.completions.get(&*request.key.problem);
        let (text, reason) = samples
            .and_then(|samples| samples.get(&request.key.sample))
            .ok_or("the replayed file has no such row")?;
        if !text.starts_with(&*request.prefix) {
            return Err("the replayed text does not begin with the prefix".to_owned());
        }
        Ok(generated(text.clone(), *reason))
    }
}

impl Generate for Replay {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: false, prefix: true }
    }

    fn generate(
        &self,
        requests: &[Request],
        _sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        each(requests, |request| &request.key, |request| self.answer(request), sink);
        Ok(())
    }
}
