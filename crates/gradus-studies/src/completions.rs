//! Completions of problems by any model, as rows that survive a kill.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use gradus::data::{Completion, Metadata};
use gradus::lm::{Generate, Generated, Key, LmError, Prompt, Request, RowError, Sampling};
use gradus::run::{Event, Part, RunError, Work};

use crate::StudyError;

/// A problem as it is put to the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Id of the problem.
    pub problem: Arc<str>,
    /// What the model is shown.
    pub prompt: Prompt,
    /// Demonstrations in the prompt.
    pub demonstrations: usize,
}

/// How far sampling came.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// Rows that the file holds now.
    pub rows: u64,
    /// Rows of those that were sampled this time.
    pub new: u64,
    /// Tokens of the prompts of new rows, as far as the model counts them; a prompt counts
    /// for each of its samples.
    pub prompt_tokens: u64,
    /// Tokens sampled for new rows, as far as the model counts them.
    pub tokens: u64,
    /// Rows that failed this time.
    pub failed: Vec<RowError>,
}

/// Samples `n` completions of each problem into `file` of the work's folder, those that it
/// holds already left as they are.
///
/// Every row reaches the file as it finishes. At the end the file is sorted, also where
/// some rows failed; those are in the answer, and another call tries them again. Where the
/// model's call fails or the work is interrupted, the part file keeps what there is.
pub fn sample(
    work: &Work,
    file: &str,
    model: &dyn Generate,
    asked: &[Asked],
    n: u32,
    sampling: &Sampling,
) -> Result<Sampled, StudyError> {
    let mut part = work.part(file)?;
    let total = asked.len() as u64 * u64::from(n);
    let demonstrations: HashMap<&str, usize> =
        asked.iter().map(|asked| (&*asked.problem, asked.demonstrations)).collect();
    let mut requests = Vec::new();
    for asked in asked {
        for sample in (0..n).filter(|&sample| !part.done(&asked.problem, sample)) {
            requests.push(Request {
                key: Key { problem: asked.problem.clone(), sample, branch: 0 },
                prompt: asked.prompt.clone(),
                prefix: "".into(),
            });
        }
    }
    let before = total - requests.len() as u64;
    let mut sampled = Sampled::default();
    let mut ended: Option<RunError> = None;
    let name = model.name();
    let called = if requests.is_empty() {
        Ok(())
    } else {
        model.generate(&requests, sampling, &mut |key, row| {
            let appended = match row {
                Ok(generated) => {
                    sampled.new += 1;
                    sampled.tokens += generated.completion_tokens.unwrap_or_default() as u64;
                    sampled.prompt_tokens += generated.prompt_tokens.unwrap_or_default() as u64;
                    let shown = demonstrations.get(&*key.problem).copied().unwrap_or_default();
                    append(&mut part, &completion(&key, generated, shown, &name, sampling.seed))
                }
                Err(error) => {
                    sampled.failed.push(error);
                    Ok(())
                }
            };
            let done = before + sampled.new + sampled.failed.len() as u64;
            work.monitor().emit(&Event::Tokens { tokens: sampled.tokens });
            match appended.and_then(|()| work.progress(done, total, "samples")) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    ended = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
    };
    if let Some(error) = ended {
        return Err(error.into());
    }
    called?;
    sampled.rows = part.len() as u64;
    if sampled.rows + (sampled.failed.len() as u64) < total {
        let missing = total - sampled.rows - sampled.failed.len() as u64;
        let reason = format!("it ended before {missing} of {total} samples were answered");
        return Err(LmError::Failed { model: name, reason }.into());
    }
    part.finish()?;
    Ok(sampled)
}

/// To the system at once: a row may have cost money.
fn append(part: &mut Part, row: &Completion) -> Result<(), RunError> {
    part.append(&row.problem, row.sample, row)?;
    part.flush()
}

fn completion(
    key: &Key,
    generated: Generated,
    demonstrations: usize,
    model: &str,
    seed: u64,
) -> Completion {
    let mut metadata = Metadata::new();
    if demonstrations > 0 {
        metadata.insert("demonstrations".into(), demonstrations.into());
    }
    for (field, count) in
        [("prompt_tokens", generated.prompt_tokens), ("tokens", generated.completion_tokens)]
    {
        if let Some(count) = count {
            metadata.insert(field.into(), count.into());
        }
    }
    Completion {
        problem: key.problem.to_string(),
        sample: key.sample,
        log_prob: generated.log_prob(),
        text: generated.text,
        steps: Vec::new(),
        finish_reason: Some(generated.finish_reason),
        model: Some(model.to_owned()),
        seed: Some(seed),
        metadata,
    }
}
