use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus::data::{self, FieldError, Fields, Problem, Row};
use gradus::lm::{Continuation, Detail, Key, Prompt};
use gradus::prompt::letter;
use gradus::report::{Column, Number, Table};
use gradus::stats;
use gradus_client::Api;
use gradus_studies::Model;
use gradus_studies::log_probs::{self, ToScore};
use serde::Serialize;
use serde_json::json;

use super::sample::answer;
use crate::args::Global;
use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::output::{Block, Output, json_line};
use crate::progress;
use crate::prompting::PromptArgs;
use crate::row_file::{Done, RowFile};
use crate::subset::SubsetArgs;

/// Log-probs of given texts: the choices of problems, or continuations of prompts
///
/// ROWS is JSONL of problems (`id`, `question`, and `choices`, else the `answer` is scored)
/// or of continuations (`problem`, `prompt`, `text`, optionally `sample`). A row a text goes
/// to --out, with `log_prob` (natural logarithm, summed over its tokens) and `tokens`; of
/// choices the sample is the index of the choice, and people get the accuracy of the
/// likeliest one, also of the likeliest by byte.
///
/// Examples:
///   gradus logprob problems.jsonl --model models/smol --out scores.jsonl
///   gradus logprob problems.jsonl --model models/smol --choices letters --out scores.jsonl
///   gradus logprob texts.jsonl --model models/smol --keep log-probs,moments --out scores.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Problems or continuations (plain, gzip or zstd); `-` is standard input.
    rows: PathBuf,
    /// The file of the scores.
    #[arg(long, value_name = "ROWS")]
    out: PathBuf,
    /// What of a choice is scored.
    #[arg(long, value_enum, default_value_t)]
    choices: Choices,
    /// What is kept of each token.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAMES")]
    keep: Vec<Kept>,
    #[command(flatten)]
    subset: SubsetArgs,
    /// Go on with the rows of --out, and try again those that failed.
    #[arg(long)]
    resume: bool,
    /// Seed of the order of demonstrations.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    prompt: PromptArgs,
}

#[derive(Clone, Copy, Debug, Default, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Choices {
    /// Its text.
    #[default]
    Texts,
    /// Its letter.
    Letters,
}

/// What is kept of each token of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Kept {
    /// Its log-prob.
    LogProbs,
    /// Its rank in the distribution that it was predicted by, 0 for the likeliest.
    Ranks,
    /// The entropy of that distribution, and the variance of its log-probs.
    Moments,
}

/// A row to score.
#[derive(Clone, Debug, Serialize)]
enum Asked {
    Problem(Problem),
    Continuation { problem: String, sample: Option<u32>, prompt: String, text: String },
}

impl Row for Asked {
    const NOUN: &str = "problem or continuation";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        if fields.peek("question").is_some() {
            return Problem::from_fields(fields).map(Self::Problem);
        }
        let row = Self::Continuation {
            problem: fields.text("problem")?,
            sample: fields.optional_u32("sample")?,
            prompt: fields.optional_string("prompt")?.unwrap_or_default(),
            text: fields.string("text")?,
        };
        fields.ignore_rest();
        Ok(row)
    }
}

/// The prompt shows the question as demonstrations would, and leaves the form of the answer open.
const STRATEGY: &str = "few-shot";

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let rows: Vec<Asked> = data::read_all(&args.rows)?;
    if rows.is_empty() {
        let message =
            format!("{}: found no row, expected problems or continuations", args.rows.display());
        return Err(Failure::rows(message));
    }
    let lines: Vec<String> = rows.iter().map(data::to_line).collect();
    let hash = data::hash_bytes(lines.join("\n").as_bytes());
    let monitor = progress::monitor(global.shown())?;
    let model = args.model.open(&[], Api::Completions, &monitor)?;
    let scorer = model.log_prob()?;
    let texts = texts(args, &model, args.subset.of(rows))?;
    let keeps = |one: Kept| args.keep.contains(&one);
    let kept: Vec<Kept> =
        Kept::value_variants().iter().copied().filter(|&one| keeps(one)).collect();
    let config = json!({
        "model": args.model.name(),
        "weights": args.model.weights(),
        "rows": hash,
        "choices": args.choices,
        "limit": args.subset.limit(),
        "shard": args.subset.shard(),
        "prompt": args.prompt.record(&model, STRATEGY)?,
        "seed": args.seed,
        "keep": kept,
    });
    let detail = Detail { ranks: keeps(Kept::Ranks), moments: keeps(Kept::Moments) };
    let expected = texts.len() as u64;
    let file = RowFile::open(&args.out, "logprob", config, expected, args.resume, monitor)?;
    let named = (scorer, args.model.name());
    let scored =
        log_probs::score(file.work(), file.name()?, named, &texts, detail, keeps(Kept::LogProbs))
            .map_err(|error| file.failed(error))?;
    let again = file.resume_line();
    let done =
        Done { rows: scored.rows, tokens: scored.tokens, failed: scored.failed, ..Done::default() };
    let (record, _) = file.close(&done)?;
    let mut output = answer(&args.out, &record, &again);
    if let Some(picked) = picked(&args.out)? {
        output.human.push(Block::Table(table(&picked)));
        output.json.push(json_line(&picked));
    }
    Ok(output)
}

/// The texts to score, in the order of the file.
fn texts(args: &Args, model: &Model, rows: Vec<Asked>) -> Result<Vec<ToScore>, Failure> {
    let problems: Vec<Problem> = rows
        .iter()
        .filter_map(|row| match row {
            Asked::Problem(problem) => Some(problem.clone()),
            Asked::Continuation { .. } => None,
        })
        .collect();
    let asked = args.prompt.asked(&problems, model, STRATEGY, 0, args.seed)?;
    let prompts: HashMap<&str, &Prompt> =
        asked.iter().map(|asked| (&*asked.problem, &asked.prompt)).collect();
    // One text goes on after the space behind `Answer:`, a chat begins a turn.
    let lead = if args.prompt.chat(model) { "" } else { " " };
    let mut texts = Vec::new();
    let mut counts: HashMap<String, u32> = HashMap::new();
    for row in rows {
        match row {
            Asked::Continuation { problem, sample, prompt, text } => {
                let next = counts.entry(problem.clone()).or_default();
                let sample = sample.unwrap_or(*next);
                *next = sample.saturating_add(1);
                let prompt = Prompt::Text(prompt.into());
                texts.push(to_score(&problem, sample, prompt, text, None));
            }
            Asked::Problem(problem) => {
                let prompt = prompts[problem.id.as_str()];
                for (sample, text, correct) in options(&problem, args.choices)? {
                    let text = format!("{lead}{text}");
                    texts.push(to_score(&problem.id, sample, prompt.clone(), text, correct));
                }
            }
        }
    }
    Ok(texts)
}

fn to_score(
    problem: &str,
    sample: u32,
    prompt: Prompt,
    text: String,
    correct: Option<bool>,
) -> ToScore {
    let key = Key { problem: problem.into(), sample, branch: 0 };
    ToScore { continuation: Continuation { key, prompt, text }, correct }
}

/// What is scored of a problem: its choices, or its answer.
fn options(
    problem: &Problem,
    choices: Choices,
) -> Result<Vec<(u32, String, Option<bool>)>, Failure> {
    if problem.choices.is_empty() {
        let answer = problem.answer.clone().ok_or_else(|| {
            let expected = "expected a list, or an answer to score";
            Failure::rows(format!("problem {:?}: choices: found nothing, {expected}", problem.id))
        })?;
        return Ok(vec![(0, answer, None)]);
    }
    let gold = problem.answer.as_deref().map(str::trim);
    let option = |(at, text): (usize, &String)| {
        let correct = gold.map(|gold| gold == letter(at) || gold == text.trim());
        let shown = match choices {
            Choices::Texts => text.clone(),
            Choices::Letters => letter(at),
        };
        (at as u32, shown, correct)
    };
    Ok(problem.choices.iter().enumerate().map(option).collect())
}

/// A row of the file of scores, as far as accuracy needs it.
struct ScoredRow {
    problem: String,
    text: String,
    log_prob: f64,
    correct: Option<bool>,
}

impl Row for ScoredRow {
    const NOUN: &str = "score";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let row = Self {
            problem: fields.text("problem")?,
            text: fields.string("text")?,
            log_prob: fields.f64("log_prob")?,
            correct: fields.optional_bool("correct")?,
        };
        fields.ignore_rest();
        Ok(row)
    }
}

/// How often the likeliest choice is the right one.
#[derive(Serialize)]
struct Picked {
    problems: u64,
    accuracy: Accuracy,
    accuracy_by_byte: Accuracy,
}

#[derive(Serialize)]
struct Accuracy {
    value: f64,
    low: f64,
    high: f64,
}

/// The accuracies over problems of which a choice is known to be right; none where there is
/// no such problem.
fn picked(file: &Path) -> Result<Option<Picked>, Failure> {
    let mut problems: BTreeMap<String, Vec<ScoredRow>> = BTreeMap::new();
    for row in data::read::<ScoredRow>(file)? {
        let row = row?;
        problems.entry(row.problem.clone()).or_default().push(row);
    }
    problems.retain(|_, rows| rows.iter().any(|row| row.correct == Some(true)));
    let trials = problems.len() as u64;
    let accuracy = |score: fn(&ScoredRow) -> f64| {
        let right = problems.values().filter(|rows| {
            // The first of equals, as lm-eval picks.
            let best =
                rows.iter().reduce(|best, row| if score(row) > score(best) { row } else { best });
            best.is_some_and(|row| row.correct == Some(true))
        });
        let right = right.count() as u64;
        let interval = stats::wilson(right, trials, 0.95)?;
        let value = right as f64 / trials as f64;
        Some(Accuracy { value, low: interval.low, high: interval.high })
    };
    let by_byte = |row: &ScoredRow| row.log_prob / row.text.trim_start().len().max(1) as f64;
    let (whole, by_byte) = (accuracy(|row| row.log_prob), accuracy(by_byte));
    Ok(whole.zip(by_byte).map(|(accuracy, accuracy_by_byte)| Picked {
        problems: trials,
        accuracy,
        accuracy_by_byte,
    }))
}

fn table(picked: &Picked) -> Table {
    let row = |name: &str, accuracy: &Accuracy| {
        let number = Number::percent(accuracy.value).within(accuracy.low, accuracy.high);
        vec![name.into(), number.of(picked.problems).into()]
    };
    Table {
        caption: "The likeliest choice is the right one".to_owned(),
        columns: vec![Column::text("by"), Column::number("accuracy")],
        rows: vec![
            row("log-prob", &picked.accuracy),
            row("log-prob by byte", &picked.accuracy_by_byte),
        ],
        notes: Vec::new(),
    }
}
