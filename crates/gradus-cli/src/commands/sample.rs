use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use gradus::lm::{Key, Prompt, Request, Sampling};
use gradus::prompt::NEXT_QUESTION;
use gradus::report::{Column, Table};
use gradus_studies::Model;
use gradus_studies::completions::{self, Asked};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::output::{Block, Output, json_line};
use crate::progress;
use crate::prompting::{self, PromptArgs};
use crate::row_file::{Done, FailedRow, Record, RowFile};
use crate::subset::SubsetArgs;

/// Sample completions of problems from any model
///
/// PROBLEMS is JSONL with `id` and `question` (`gradus import` makes it of public sets).
/// The completions go to --out, a row a sample, sorted by problem and sample; beside it
/// lies `ROWS.record.json`, which says how they came about. Each row is on the disk as it
/// finishes: after a kill, --resume goes on where it stopped. A row depends on its problem,
/// its index and the seed alone, so that --limit and --shard change no row.
///
/// Rows that fail are named, the others are kept, and the exit code is 4; --resume tries
/// them again.
///
/// Examples:
///   gradus sample problems.jsonl --model models/smol --n 8 --prompt chain-of-thought --out rows.jsonl
///   gradus sample problems.jsonl --model gguf/model.gguf --limit 20 --out rows.jsonl --dry-run
///   gradus sample problems.jsonl --model openai/NAME --base-url http://localhost:8000/v1 --out rows.jsonl
///   gradus sample problems.jsonl --model fake/oracle:0.9,0.5 --n 4 --out rows.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The problems (plain, gzip or zstd); `-` is standard input.
    problems: PathBuf,
    /// The file of the completions.
    #[arg(long, value_name = "ROWS")]
    out: PathBuf,
    /// Samples of each problem.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    #[command(flatten)]
    subset: SubsetArgs,
    /// Go on with the rows of --out, and try again those that failed.
    #[arg(long)]
    resume: bool,
    /// Say what would be sampled, with estimates of tokens, time and cost; write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// How to sample.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sampling")]
struct SamplingArgs {
    /// 0 takes the likeliest token; 1 leaves the model's distribution as it is.
    #[arg(long, default_value_t = 1.0, value_name = "T", value_parser = temperature)]
    temperature: f32,
    /// Keep the K likeliest tokens; 0 keeps all.
    #[arg(long, default_value_t = 0, value_name = "K")]
    top_k: usize,
    /// Keep the smallest set of tokens with this much probability.
    #[arg(long, default_value_t = 1.0, value_name = "P", value_parser = share)]
    top_p: f32,
    /// Keep tokens at least this share as probable as the likeliest.
    #[arg(long, default_value_t = 0.0, value_name = "P", value_parser = share)]
    min_p: f32,
    /// Makes tokens that were there less likely; 1 changes nothing.
    #[arg(long, default_value_t = 1.0, value_name = "X", value_parser = penalty)]
    repetition_penalty: f32,
    /// Most tokens of a completion.
    #[arg(long, default_value_t = 512, value_name = "N")]
    max_tokens: usize,
    /// End at this text, which is cut off; may be given again. By default, of a prompt that
    /// is one text, at its next question.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Seed of the samples and of the order of demonstrations.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

fn number(text: &str, fits: fn(f32) -> bool, expected: &str) -> Result<f32, String> {
    let number = text.parse::<f32>().ok().filter(|&number| number.is_finite() && fits(number));
    number.ok_or_else(|| format!("expected {expected}"))
}

fn temperature(text: &str) -> Result<f32, String> {
    number(text, |number| number >= 0.0, "a number from 0 up")
}

fn share(text: &str) -> Result<f32, String> {
    number(text, |number| (0.0..=1.0).contains(&number), "a number from 0 to 1")
}

fn penalty(text: &str) -> Result<f32, String> {
    number(text, |number| number > 0.0, "a number above 0")
}

impl SamplingArgs {
    fn sampling(&self, chat: bool) -> Sampling {
        let stop = if self.stop.is_empty() && !chat {
            vec![NEXT_QUESTION.to_owned()]
        } else {
            self.stop.clone()
        };
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            max_tokens: self.max_tokens,
            stop,
            seed: self.seed,
            ..Sampling::default()
        }
    }
}

/// As a record states it; numbers as they were typed, not as `f32` widens them.
fn record(sampling: &Sampling) -> Value {
    let typed = |number: f32| number.to_string().parse::<f64>().unwrap_or_default();
    json!({
        "temperature": typed(sampling.temperature),
        "top_k": sampling.top_k,
        "top_p": typed(sampling.top_p),
        "min_p": typed(sampling.min_p),
        "repetition_penalty": typed(sampling.repetition_penalty),
        "max_tokens": sampling.max_tokens,
        "stop": sampling.stop,
        "seed": sampling.seed,
    })
}

/// What is asked where --prompt says nothing.
const STRATEGY: &str = "zero-shot";

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let problems = prompting::problems(&args.problems)?;
    let monitor = progress::monitor(global.shown())?;
    let model = args.model.open(&problems, args.prompt.api(), &monitor)?;
    let hash = prompting::hash(&problems);
    let problems = args.subset.of(problems);
    let sampling = args.sampling.sampling(args.prompt.chat(&model));
    let asked =
        args.prompt.asked(&problems, &model, STRATEGY, sampling.max_tokens, sampling.seed)?;
    let generate = model.generate()?;
    if args.dry_run {
        return plan(args, &model, &asked, &sampling);
    }
    let config = json!({
        "model": args.model.name(),
        "weights": args.model.weights(),
        "problems": hash,
        "n": args.n,
        "limit": args.subset.limit(),
        "shard": args.subset.shard(),
        "prompt": args.prompt.record(&model, STRATEGY)?,
        "sampling": record(&sampling),
    });
    let expected = asked.len() as u64 * u64::from(args.n);
    let file = RowFile::open(&args.out, "sample", config, expected, args.resume, monitor)?;
    let sampled =
        completions::sample(file.work(), file.name()?, generate, &asked, args.n, &sampling)
            .map_err(|error| file.failed(error))?;
    let done = Done {
        rows: sampled.rows,
        prompt_tokens: sampled.prompt_tokens,
        tokens: sampled.tokens,
        failed: sampled.failed,
    };
    let again = file.resume_line();
    let (record, seconds) = file.close(&done)?;
    let mut output = answer(&args.out, &record, &again);
    if seconds > 0.0 && sampled.new > 0 {
        output.notes.insert(
            0,
            format!(
                "{} rows in {seconds:.1} s: {:.1} rows/s, {:.0} tokens/s",
                sampled.new,
                sampled.new as f64 / seconds,
                sampled.tokens as f64 / seconds
            ),
        );
    }
    if let Some(usage) = model.usage() {
        let dollars = usage.dollars.map_or(String::new(), |dollars| format!(", ${dollars:.4}"));
        output.notes.push(format!(
            "{} requests, {} failed, {} answers from the cache; {} prompt and {} completion tokens{dollars}",
            usage.requests, usage.failed, usage.cached, usage.prompt_tokens, usage.completion_tokens
        ));
    }
    Ok(output)
}

/// The summary of a command that filled a file of rows.
#[derive(Serialize)]
struct Summary<'a> {
    file: String,
    rows: u64,
    expected: u64,
    failed: &'a [FailedRow],
    prompt_tokens: u64,
    tokens: u64,
}

/// Failed rows that are named one by one.
const NAMED: usize = 10;

/// What any command that filled a file of rows says in the end.
pub(super) fn answer(out: &std::path::Path, record: &Record, again: &str) -> Output {
    let file = out.display().to_string();
    let mut notes: Vec<String> = record
        .failed
        .iter()
        .take(NAMED)
        .map(|row| {
            format!("failed  problem {:?} sample {}: {}", row.problem, row.sample, row.reason)
        })
        .collect();
    if record.failed.len() > NAMED {
        notes.push(format!("and {} more, in {file}.record.json", record.failed.len() - NAMED));
    }
    let exit = if record.failed.is_empty() {
        ExitCode::Done
    } else {
        notes.push(format!("to try them again: {again}"));
        ExitCode::FailedRows
    };
    let text = format!("{file}: {} of {} rows", record.rows, record.expected);
    let summary = Summary {
        file: file.clone(),
        rows: record.rows,
        expected: record.expected,
        failed: &record.failed,
        prompt_tokens: record.prompt_tokens,
        tokens: record.tokens,
    };
    Output {
        human: vec![Block::Text(text)],
        json: vec![json_line(&summary)],
        quiet: vec![file],
        notes,
        exit,
    }
}

/// What sampling would take at most.
#[derive(Serialize)]
struct Plan<'a> {
    problems: usize,
    samples: u64,
    prompt_tokens: u64,
    /// The model counted the tokens itself; else four bytes count as one.
    counted: bool,
    max_tokens: u64,
    max_seconds: Option<f64>,
    max_dollars: Option<f64>,
    first_prompt: Option<&'a str>,
}

fn plan(
    args: &Args,
    model: &Model,
    asked: &[Asked],
    sampling: &Sampling,
) -> Result<Output, Failure> {
    let n = u64::from(args.n);
    let counts: Vec<(usize, bool)> =
        asked.iter().map(|asked| prompting::tokens(model, &asked.prompt)).collect();
    let prompt_tokens = n * counts.iter().map(|&(tokens, _)| tokens as u64).sum::<u64>();
    let counted = counts.iter().all(|&(_, counted)| counted);
    let samples = asked.len() as u64 * n;
    let max_tokens = samples * sampling.max_tokens as u64;
    let per_token = if model.is_local() { trial(model, asked, sampling)? } else { None };
    let first = asked.first().map(|asked| shown(&asked.prompt)).unwrap_or_default();
    let plan = Plan {
        problems: asked.len(),
        samples,
        prompt_tokens,
        counted,
        max_tokens,
        max_dollars: args.model.dollars(prompt_tokens, max_tokens),
        max_seconds: per_token.map(|seconds| seconds * max_tokens as f64),
        first_prompt: Some(&first),
    };
    let about = if counted { "" } else { "about " };
    let mut rows = vec![
        vec!["problems".into(), plan.problems.to_string().into()],
        vec!["samples".into(), samples.to_string().into()],
        vec!["prompt tokens".into(), format!("{about}{prompt_tokens}").into()],
        vec!["sampled tokens".into(), format!("at most {max_tokens}").into()],
    ];
    if let Some(seconds) = plan.max_seconds {
        rows.push(vec!["time".into(), format!("at most about {seconds:.0} s").into()]);
    }
    if let Some(dollars) = plan.max_dollars {
        rows.push(vec!["cost".into(), format!("at most about ${dollars:.2}").into()]);
    }
    let table = Table {
        caption: format!("{} on {}", args.model.name(), args.problems.display()),
        columns: vec![Column::text("what"), Column::text("how much")],
        rows,
        ..Table::default()
    };
    Ok(Output {
        human: vec![Block::Table(table), Block::Text(format!("\nThe first prompt:\n{first}\n"))],
        json: vec![json_line(&plan)],
        quiet: vec![samples.to_string()],
        notes: vec!["dry run: nothing was written".into()],
        exit: ExitCode::Done,
    })
}

/// A prompt as text.
fn shown(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.to_string(),
        Prompt::Chat(messages) => messages
            .iter()
            .map(|message| format!("[{}]\n{}", message.role, message.content))
            .collect::<Vec<_>>()
            .join("\n"),
        Prompt::Tokens(tokens) => format!("{tokens:?}"),
    }
}

/// Seconds a sampled token, measured on a few short completions of the first problems.
fn trial(model: &Model, asked: &[Asked], sampling: &Sampling) -> Result<Option<f64>, Failure> {
    const ROWS: usize = 8;
    const TOKENS: usize = 32;
    let request = |asked: &Asked| Request {
        key: Key { problem: asked.problem.clone(), sample: 0, branch: 0 },
        prompt: asked.prompt.clone(),
        prefix: "".into(),
    };
    let requests: Vec<Request> = asked.iter().take(ROWS).map(request).collect();
    let short = Sampling { max_tokens: sampling.max_tokens.min(TOKENS), ..sampling.clone() };
    let mut tokens = 0;
    let began = Instant::now();
    model.generate()?.generate(&requests, &short, &mut |_, row| {
        tokens += row.ok().and_then(|row| row.completion_tokens).unwrap_or_default();
        ControlFlow::Continue(())
    })?;
    Ok((tokens > 0).then(|| began.elapsed().as_secs_f64() / tokens as f64))
}
