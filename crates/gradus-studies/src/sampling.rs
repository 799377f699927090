//! Stage bodies that reach models: sampling completions and judging them.
//! Rows are appended as they finish, so a killed stage goes on where it stopped.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use gradus::data::{FieldError, Fields, FinishReason, Problem, Row, Span, StepScores};
use gradus::lm::{Generate, Judged, Key, Prompt, Request, Reward, Sampling};
use gradus::run::{Part, RunError, Stage, Work};
use gradus::tasks::TaskFamily;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::StudyError;

/// File of a sampling stage.
pub(crate) const SAMPLES: &str = "samples.jsonl";
/// File of a judging stage.
pub(crate) const SCORES: &str = "scores.jsonl";

/// How many samples of each problem, and how.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draws {
    /// Samples per problem.
    pub(crate) n: u32,
    /// Sampling temperature; 0 is greedy.
    pub(crate) temperature: f64,
    /// Keep the k likeliest tokens; 0 keeps all.
    pub(crate) top_k: usize,
}

impl Draws {
    /// The first value that cannot be: its key, what was found, what was expected.
    pub(crate) fn wrong(&self) -> Option<(&'static str, String, &'static str)> {
        let warm = self.temperature.is_finite() && self.temperature >= 0.0;
        if self.n == 0 {
            return Some(("n", "0".to_owned(), "at least 1"));
        }
        (!warm).then(|| ("temperature", self.temperature.to_string(), "a number from 0 up"))
    }
}

/// One completion of a procedural task with the exact checker's findings.
///
/// `gradus search` reads it as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CheckedSample {
    pub(crate) problem: String,
    pub(crate) sample: u32,
    pub(crate) level: Option<u32>,
    pub(crate) text: String,
    pub(crate) answer: Option<String>,
    pub(crate) correct: bool,
    /// Byte spans of the steps; the answer block is the last.
    pub(crate) steps: Vec<Span>,
    /// Whether each step follows from the one before it, as written.
    pub(crate) valid: Vec<bool>,
    pub(crate) log_prob: f64,
    pub(crate) finish_reason: Option<FinishReason>,
}

impl CheckedSample {
    /// Every step is valid, so the answer is right and not by luck.
    pub(crate) fn sound(&self) -> bool {
        self.correct && self.valid.iter().all(|&valid| valid)
    }
}

impl Row for CheckedSample {
    const NOUN: &'static str = "sample";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let text = fields.string("text")?;
        Ok(Self {
            problem: fields.string("problem")?,
            sample: fields.u32("sample")?,
            level: fields.optional_u32("level")?,
            answer: fields.optional_string("answer")?,
            correct: fields.bool("correct")?,
            steps: fields.spans("steps", &text)?,
            valid: fields.bools("valid")?,
            log_prob: fields.f64("log_prob")?,
            finish_reason: fields.finish_reason("finish_reason")?,
            text,
        })
    }
}

/// What a procedural problem's model is shown.
pub(crate) fn prompt(problem: &Problem) -> String {
    format!("{}\n", problem.question)
}

/// Samples every problem, checks each completion and writes [`SAMPLES`].
pub(crate) fn sample_and_check(
    work: &Work,
    model: &dyn Generate,
    family: &dyn TaskFamily,
    problems: &[Problem],
    draws: Draws,
    seed: u64,
) -> Result<(), StudyError> {
    let mut part = work.part(SAMPLES)?;
    let by_id: HashMap<&str, &Problem> =
        problems.iter().map(|problem| (problem.id.as_str(), problem)).collect();
    let total = problems.len() as u64 * u64::from(draws.n);
    let mut requests = Vec::new();
    for problem in problems {
        let text: Arc<str> = prompt(problem).into();
        let id: Arc<str> = problem.id.as_str().into();
        for sample in 0..draws.n {
            if !part.done(&problem.id, sample) {
                requests.push(Request {
                    key: Key { problem: id.clone(), sample, branch: 0 },
                    prompt: Prompt::Text(text.clone()),
                    prefix: "".into(),
                });
            }
        }
    }
    let sampling = Sampling {
        temperature: draws.temperature as f32,
        top_k: draws.top_k,
        // One more than the longest right solution, so that running on is seen as such.
        max_tokens: family.max_solution_tokens() + 1,
        seed,
        stream: work.name().to_owned(),
        ..Sampling::default()
    };
    let mut progress = Progress::new(work, "samples", total, requests.len() as u64);
    model.generate(&requests, &sampling, &mut |key, row| {
        let append = |part: &mut Part| -> Result<(), StudyError> {
            let generated = row?;
            let problem = by_id[&*key.problem];
            let complete = generated.finish_reason == FinishReason::Stop;
            let check = family.check(problem, &generated.text, complete)?;
            let log_prob = generated.log_prob().unwrap_or(f64::NEG_INFINITY);
            let row = CheckedSample {
                problem: problem.id.clone(),
                sample: key.sample,
                level: problem.level,
                answer: check.answer,
                correct: check.correct,
                steps: check.steps,
                valid: check.valid,
                log_prob,
                finish_reason: Some(generated.finish_reason),
                text: generated.text,
            };
            Ok(part.append(&row.problem, row.sample, &row)?)
        };
        let appended = append(&mut part);
        progress.step(appended)
    })?;
    progress.end()?;
    part.finish()?;
    Ok(())
}

/// One completion to judge and the text of its problem.
pub(crate) struct ToJudge {
    pub(crate) problem: String,
    pub(crate) sample: u32,
    pub(crate) prompt: Arc<str>,
    pub(crate) text: String,
    pub(crate) steps: Vec<Span>,
}

/// Scores completions and writes [`SCORES`]. Equal completions of one problem are judged once.
pub(crate) fn judge(
    work: &Work,
    evaluator: &dyn Reward,
    name: &str,
    rows: Vec<ToJudge>,
) -> Result<(), StudyError> {
    let mut part = work.part(SCORES)?;
    let total = rows.len() as u64;
    let mut twins: HashMap<(String, u32), Vec<u32>> = HashMap::new();
    let mut first_of: HashMap<(Arc<str>, String), u32> = HashMap::new();
    let mut judged = Vec::new();
    for row in rows {
        if part.done(&row.problem, row.sample) {
            continue;
        }
        let key = (row.prompt.clone(), row.text.clone());
        if let Some(&first) = first_of.get(&key) {
            twins.entry((row.problem, first)).or_default().push(row.sample);
            continue;
        }
        first_of.insert(key, row.sample);
        judged.push(Judged {
            key: Key { problem: row.problem.into(), sample: row.sample, branch: 0 },
            problem: row.prompt,
            completion: row.text,
            steps: row.steps,
        });
    }
    drop(first_of);
    let mut progress = Progress::new(work, "completions", total, judged.len() as u64);
    evaluator.reward(&judged, &mut |key, row| {
        let append = |part: &mut Part| -> Result<(), StudyError> {
            let mut row = StepScores {
                problem: key.problem.to_string(),
                sample: key.sample,
                scores: row?,
                evaluator: Some(name.to_owned()),
                metadata: gradus::data::Metadata::new(),
            };
            let others = twins.get(&(row.problem.clone(), key.sample)).cloned().unwrap_or_default();
            part.append(&row.problem, row.sample, &row)?;
            for sample in others {
                row.sample = sample;
                part.append(&row.problem, sample, &row)?;
            }
            Ok(())
        };
        let appended = append(&mut part);
        progress.step(appended)
    })?;
    progress.end()?;
    part.finish()?;
    Ok(())
}

/// Counts rows, stops the model when the run is cancelled or a row fails, and keeps the reason.
struct Progress<'a> {
    work: &'a Work,
    unit: &'static str,
    done: u64,
    total: u64,
    failed: Option<StudyError>,
}

impl<'a> Progress<'a> {
    fn new(work: &'a Work, unit: &'static str, total: u64, left: u64) -> Self {
        Self { work, unit, done: total.saturating_sub(left), total, failed: None }
    }

    fn step(&mut self, appended: Result<(), StudyError>) -> ControlFlow<()> {
        self.done += 1;
        if self.done.is_multiple_of(64) {
            self.work.monitor().progress(self.work.name(), self.done, self.total, self.unit);
        }
        let checked = appended.and_then(|()| Ok(self.work.monitor().check()?));
        match checked {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn end(self) -> Result<(), StudyError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.work.monitor().check()?),
        }
    }
}

/// Writes a small JSON file of a stage.
pub(crate) fn write_json(
    work: &Work,
    file: &str,
    value: &impl Serialize,
) -> Result<(), StudyError> {
    Ok(work.write(file, &(serde_json::to_string_pretty(value)? + "\n"))?)
}

/// Reads a small JSON file of a stage.
pub(crate) fn read_json<T: DeserializeOwned>(stage: &Stage, file: &str) -> Result<T, StudyError> {
    let path = stage.path(file);
    let text = std::fs::read_to_string(&path).map_err(RunError::io("read", &path))?;
    Ok(serde_json::from_str(&text)?)
}
