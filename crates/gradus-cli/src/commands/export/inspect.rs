//! A log of `inspect_ai`, from graded completions: one JSON file that `inspect view`,
//! `inspect log list` and `inspect log convert` read (tried with `inspect_ai` 0.3).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::Path;

use gradus::data::{self, FieldError, Fields, FinishReason, Metadata, Problem, Row, Verdict};
use gradus::run;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Args, Written};
use crate::failure::Failure;
use crate::prompting;

/// A completion with its verdict, as `gradus verify samples --json` writes it.
struct Graded {
    problem: String,
    sample: u32,
    text: String,
    verdict: Verdict,
    answer: Option<String>,
    reason: Option<String>,
    model: Option<String>,
    finish_reason: Option<FinishReason>,
    metadata: Metadata,
}

impl Row for Graded {
    const NOUN: &str = "graded completion";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        if fields.peek("verdict").is_none() {
            let expected = "one, as `gradus verify samples --json` writes it";
            return Err(FieldError::new("verdict", "nothing", expected));
        }
        Ok(Self {
            problem: fields.text("problem")?,
            sample: fields.u32("sample")?,
            text: fields.string("text")?,
            verdict: fields.verdict("verdict")?,
            answer: fields.optional_text("answer")?,
            reason: fields.optional_string("reason")?,
            model: fields.optional_string("model")?,
            finish_reason: fields.finish_reason("finish_reason")?,
            metadata: fields.rest()?,
        })
    }
}

/// What the head of a log says of all its samples.
#[derive(Default)]
struct Totals {
    samples: usize,
    /// Right and graded samples of each problem, in the order of the problems' ids.
    by_problem: BTreeMap<String, (u32, u32)>,
    epochs: u32,
    models: Vec<String>,
    prompt_tokens: u64,
    tokens: u64,
}

/// Name of the scorer in the log.
const SCORER: &str = "gradus";

/// Writes the log into the folder of `--out`, under the name that inspect's own have.
pub(super) fn write(args: &Args) -> Result<(Written, Vec<String>), Failure> {
    let Some(file) = &args.problems else {
        let message = "export inspect needs --problems, the questions and golds";
        return Err(Failure::usage(message));
    };
    if args.source == Path::new("-") {
        return Err(Failure::usage("export inspect reads its rows twice: expected a file, not -"));
    }
    let problems: HashMap<String, Problem> = prompting::problems(file)?
        .into_iter()
        .map(|problem| (problem.id.clone(), problem))
        .collect();
    let totals = totals(&args.source, &problems)?;
    let (created, task) = (run::now(), task(args));
    let id = data::hash_bytes(format!("{created} {}", args.source.display()).as_bytes());
    let head = head(&totals, &task, &id[..22], &created, file);

    std::fs::create_dir_all(&args.out).map_err(|error| {
        Failure::usage(format!("cannot create {}: {error}", args.out.display()))
    })?;
    let stamp = created.split('.').next().unwrap_or(&created).replace(':', "-");
    let path = args.out.join(format!("{stamp}+00-00_{task}_{}.json", &id[..22]));
    let failed =
        |error: std::io::Error| Failure::usage(format!("cannot write {}: {error}", path.display()));
    let part = path.with_extension("json.part");
    let out = std::fs::File::create(&part).map_err(failed)?;
    let mut out = BufWriter::new(out);
    let text = serde_json::to_string(&head).expect("heads are plain data");
    // The samples go into the object's last field, one by one.
    let body = text.strip_suffix('}').unwrap_or(&text);
    out.write_all(body.as_bytes())
        .and_then(|()| out.write_all(b",\"samples\":["))
        .map_err(failed)?;
    let model = model(&totals);
    for (at, row) in data::read::<Graded>(&args.source)?.enumerate() {
        let row = row?;
        let sample = sample(&row, &problems[&row.problem], &model);
        let text = serde_json::to_string(&sample).expect("samples are plain data");
        let comma: &[u8] = if at > 0 { b",\n" } else { b"\n" };
        out.write_all(comma).and_then(|()| out.write_all(text.as_bytes())).map_err(failed)?;
    }
    out.write_all(b"\n]}\n").and_then(|()| out.flush()).map_err(failed)?;
    out.get_ref().sync_all().and_then(|()| std::fs::rename(&part, &path)).map_err(failed)?;
    let mut notes = Vec::new();
    let graded: u32 = totals.by_problem.values().map(|(_, graded)| graded).sum();
    let unscored = totals.samples - graded as usize;
    if unscored > 0 {
        notes.push(format!("{unscored} samples without a score: their gold could not be read"));
    }
    if totals.models.len() > 1 {
        notes.push(format!(
            "{} models in one log: {}",
            totals.models.len(),
            totals.models.join(", ")
        ));
    }
    let written = Written {
        file: path,
        subjects: totals.models.len().max(1),
        items: totals.by_problem.len(),
    };
    Ok((written, notes))
}

/// Reads the rows once: every problem known, every sample there once.
fn totals(source: &Path, problems: &HashMap<String, Problem>) -> Result<Totals, Failure> {
    let mut totals = Totals::default();
    let mut seen: HashSet<(String, u32)> = HashSet::new();
    let mut rows = data::read::<Graded>(source)?;
    while let Some(row) = rows.next().transpose()? {
        let place = format!("{}:{}", rows.file().display(), rows.line());
        if !problems.contains_key(&row.problem) {
            let found = format!("{place}: problem: found {:?}", row.problem);
            return Err(Failure::rows(format!("{found}, expected one of --problems")));
        }
        if !seen.insert((row.problem.clone(), row.sample)) {
            let found = format!("{place}: sample: found {} of {:?} again", row.sample, row.problem);
            return Err(Failure::rows(format!("{found}, expected each once")));
        }
        totals.samples += 1;
        totals.epochs = totals.epochs.max(row.sample.saturating_add(1));
        let (right, graded) = totals.by_problem.entry(row.problem.clone()).or_default();
        *right += u32::from(row.verdict == Verdict::Correct);
        *graded += u32::from(value(row.verdict).is_some());
        let tokens =
            |name: &str| row.metadata.get(name).and_then(Value::as_u64).unwrap_or_default();
        totals.prompt_tokens += tokens("prompt_tokens");
        totals.tokens += tokens("tokens");
        let model = row.model.unwrap_or_default();
        if !model.is_empty() && !totals.models.contains(&model) {
            totals.models.push(model);
        }
    }
    if totals.samples == 0 {
        return Err(Failure::rows(format!("{}: found no row", source.display())));
    }
    Ok(totals)
}

/// A letter of inspect's; none where a sample is not scored, so that it counts as neither.
fn value(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Correct => Some("C"),
        Verdict::Incorrect => Some("I"),
        Verdict::NoAnswer => Some("N"),
        Verdict::BadGold | Verdict::Undecided => None,
    }
}

/// `mockllm/` so that `inspect score` can build the provider; the true name is metadata.
fn model(totals: &Totals) -> String {
    format!("mockllm/{}", totals.models.first().map_or("unknown", String::as_str))
}

/// `--task`, else the name of the rows; what inspect's file names do not hold becomes `-`.
fn task(args: &Args) -> String {
    let stem = || args.source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = args.task.clone().unwrap_or_else(stem);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    name.chars().map(plain).collect()
}

fn head(totals: &Totals, task: &str, id: &str, created: &str, problems: &Path) -> Value {
    let tool = gradus_studies::tool();
    let model = model(totals);
    let time = created.replace('Z', "+00:00");
    let means: Vec<f64> = totals
        .by_problem
        .values()
        .filter(|(_, graded)| *graded > 0)
        .map(|&(right, graded)| f64::from(right) / f64::from(graded))
        .collect();
    let graded: u32 = totals.by_problem.values().map(|(_, graded)| graded).sum();
    let n = means.len() as f64;
    let accuracy = if means.is_empty() { 0.0 } else { means.iter().sum::<f64>() / n };
    let squares: f64 = means.iter().map(|mean| (mean - accuracy).powi(2)).sum();
    let stderr = if means.len() > 1 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
    let metric = |name: &str, value: f64| json!({"name": name, "value": value, "params": {}});
    json!({
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": id, "run_id": id, "task_id": id, "created": time,
            "task": task, "task_version": 0,
            "dataset": {
                "name": problems.file_stem().unwrap_or_default().to_string_lossy(),
                "location": problems.display().to_string(),
                "samples": totals.by_problem.len(),
                "sample_ids": totals.by_problem.keys().collect::<Vec<_>>(),
                "shuffled": false,
            },
            "model": model,
            "model_args": {},
            "config": {"epochs": totals.epochs, "epochs_reducer": ["mean"]},
            "revision": tool.commit.as_ref().map(|commit| json!({
                "type": "git", "origin": env!("CARGO_PKG_REPOSITORY"), "commit": commit, "dirty": tool.dirty,
            })),
            "packages": {"gradus": tool.version},
            "metadata": {"models": totals.models},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": totals.samples,
            "completed_samples": totals.samples,
            "scores": [{
                "name": SCORER, "scorer": SCORER, "reducer": "mean", "params": {},
                "scored_samples": graded,
                "unscored_samples": totals.samples - graded as usize,
                "metrics": {
                    "accuracy": metric("accuracy", accuracy),
                    "stderr": metric("stderr", stderr),
                },
            }],
        },
        "stats": {
            "started_at": time, "completed_at": time,
            "model_usage": {
                (model.as_str()): {
                    "input_tokens": totals.prompt_tokens,
                    "output_tokens": totals.tokens,
                    "total_tokens": totals.prompt_tokens + totals.tokens,
                },
            },
        },
    })
}

/// One sample of the log.
#[derive(Serialize)]
struct Sample<'a> {
    id: &'a str,
    epoch: u32,
    input: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    choices: &'a [String],
    target: &'a str,
    messages: [Value; 2],
    output: Value,
    scores: Value,
    metadata: Value,
}

fn sample<'a>(row: &'a Graded, problem: &'a Problem, model: &str) -> Sample<'a> {
    let said =
        json!({"role": "assistant", "content": row.text, "source": "generate", "model": model});
    let stop = match row.finish_reason {
        Some(FinishReason::Length) => "max_tokens",
        Some(FinishReason::Stop) => "stop",
        None => "unknown",
    };
    let scores = value(row.verdict).map_or_else(
        || json!({}),
        |value| {
            let explanation = row.reason.as_deref();
            json!({SCORER: {"value": value, "answer": row.answer, "explanation": explanation}})
        },
    );
    Sample {
        id: &row.problem,
        epoch: row.sample + 1,
        input: &problem.question,
        choices: &problem.choices,
        target: problem.answer.as_deref().unwrap_or_default(),
        messages: [json!({"role": "user", "content": problem.question}), said.clone()],
        output: json!({
            "model": model,
            "choices": [{"message": said, "stop_reason": stop}],
            "completion": row.text,
        }),
        scores,
        metadata: json!({
            "verdict": row.verdict.name(), "reason": row.reason, "model": row.model,
            "level": problem.level, "subject": problem.subject, "row": row.metadata,
        }),
    }
}
