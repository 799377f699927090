use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus::data::{self, Row};
use gradus::run::{
    Lock, Override, Recipe, Resolved, Stream, Tool, Work, difference, resolve, write_events,
};
use gradus::tasks;
use gradus_model::{ByteTokenizer, DecoderConfig, LocalModel, SymbolTokenizer, Tokenizer};
use gradus_train::{
    Candidate, RestEmConfig, StepwiseRow, Summary, TrainError, oprm, orm, prm, rest_em, sft,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};
use crate::{config, progress};

/// Train a model on rows
///
/// A generator learns from {"prompt", "completion"} rows (sft), or from its own right
/// samples (rest-em: {"problem", "prompt", "completion", "correct"}). An evaluator learns
/// from labelled steps (prm), from outcomes (orm), or from both (oprm): rows are
/// {"problem", "sample", "prompt", "completion", "steps", "labels", "correct"}, or TRL's
/// stepwise supervision {"prompt", "completions", "labels"}.
///
/// --out then holds `model` (safetensors, config and tokenizer), `metrics.jsonl`,
/// `tensorboard`, `summary.json`, and `training.json`: every value of the config and where
/// it came from. It is a new or an empty folder. A training that was killed goes on bit for bit with --resume.
///
/// Examples:
///   gradus train sft --data solved.jsonl --tokenizer bytes --out sft --set learning_rate=1e-3
///   gradus train prm --data labelled.jsonl --model sft/model --out prm \
///       --set train.num_train_epochs=8
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What is trained, and on what.
    #[arg(value_enum)]
    trainer: Trainer,
    /// The rows (JSONL; plain, gzip or zstd).
    #[arg(long, value_name = "ROWS.jsonl")]
    data: PathBuf,
    /// A model's folder to start from; without it, random weights of the sizes in `model.*`.
    #[arg(long, value_name = "DIR", conflicts_with = "tokenizer")]
    model: Option<PathBuf>,
    /// Tokenizer of a new model: `bytes`, or a task family for one token per symbol.
    #[arg(long, value_name = "bytes|FAMILY", required_unless_present = "model")]
    tokenizer: Option<String>,
    /// Folder for the model and what belongs to it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Set a value of the config; may be given again. --dry-run shows all keys.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on with the training in --out, which has the same config and rows.
    #[arg(long)]
    resume: bool,
    /// Read the rows and show the config; write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The trainers.
#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Trainer {
    /// Generator, from demonstrations
    Sft,
    /// Process evaluator, from labelled steps
    Prm,
    /// Outcome evaluator, from right and wrong final answers
    Orm,
    /// Process and outcome evaluator, from both
    Oprm,
    /// Generator, from its own right samples
    RestEm,
}

/// Sizes of a new model, under the names of Hugging Face's `config.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
struct Sizes {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    rope_theta: f32,
}

impl Default for Sizes {
    fn default() -> Self {
        let sizes = DecoderConfig::default();
        Self {
            hidden_size: sizes.hidden_size,
            num_hidden_layers: sizes.num_hidden_layers,
            num_attention_heads: sizes.num_attention_heads,
            intermediate_size: sizes.intermediate_size,
            max_position_embeddings: sizes.max_position_embeddings,
            rope_theta: sizes.rope_theta,
        }
    }
}

/// All that `--set` may set: the trainer's config and the sizes of a new model.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Settings<C> {
    model: Sizes,
    #[serde(flatten)]
    trainer: C,
}

/// `training.json`: how the model came about.
#[derive(Debug, Serialize)]
struct Record<'a> {
    trainer: Trainer,
    tool: Tool,
    data: &'a Path,
    data_sha256: &'a str,
    model: Option<&'a Path>,
    model_sha256: Option<String>,
    tokenizer: Option<&'a str>,
    config: &'a Value,
    origins: &'a BTreeMap<String, String>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    match args.trainer {
        Trainer::Sft => train(args, global, false, sft::run),
        Trainer::Prm => train(args, global, true, prm::run),
        Trainer::Orm => train(args, global, true, orm::run),
        Trainer::Oprm => train(args, global, true, oprm::run),
        Trainer::RestEm => train(args, global, false, rest_em_on_outcomes),
    }
}

/// A trainer's `run`.
type Run<C, R> = fn(&mut LocalModel, &[R], &C, &Work) -> Result<Summary, TrainError>;

fn train<C, R>(
    args: &Args,
    global: &Global,
    evaluator: bool,
    run: Run<C, R>,
) -> Result<Output, Failure>
where
    C: Default + DeserializeOwned + Serialize,
    R: Row,
{
    let name = args.trainer.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
    let resolved: Resolved<Settings<C>> = settings(args, &name)?;
    let data_sha256 = data::hash_file(&args.data)?;
    let rows: Vec<R> = data::read_all(&args.data)?;
    let seed = ["/seed", "/train/seed"].iter().find_map(|at| resolved.value.pointer(at)?.as_u64());
    let mut model = model(args, &resolved.config.model, evaluator, seed.unwrap_or_default())?;
    if args.dry_run {
        return Ok(plan(&name, &rows, &model, &resolved.value, &resolved.origins));
    }

    let weights = args.model.as_deref().map(|dir| data::hash_file(dir.join(WEIGHTS)));
    let record = Record {
        trainer: args.trainer,
        tool: gradus_studies::tool(),
        data: &args.data,
        data_sha256: &data_sha256,
        model: args.model.as_deref(),
        model_sha256: weights.transpose()?,
        tokenizer: args.tokenizer.as_deref(),
        config: &resolved.value,
        origins: &resolved.origins,
    };
    let _lock = open(args, &record)?;
    let monitor = progress::monitor(global.shown())?;
    let work = Work::scratch(&args.out, &name, monitor)?;
    work.write(TRAINING, &pretty(&record))?;
    let summary = run(&mut model, &rows, &resolved.config.trainer, &work)
        .map_err(|error| Failure::from(error).of_work_in(&args.out))?;
    model
        .save(&args.out.join(MODEL))
        .map_err(|error| Failure::from(error).of_work_in(&args.out))?;
    write_events(&work.path("metrics.jsonl"), &work.path("tensorboard"))?;
    work.write(SUMMARY, &pretty(&summary))?;
    // Checkpoints on the way; the model is whole and in place by now.
    let _ = std::fs::remove_dir_all(work.path(".resume"));
    Ok(answer(&args.out, &summary))
}

const TRAINING: &str = "training.json";
const MODEL: &str = "model";
const WEIGHTS: &str = "model.safetensors";
const SUMMARY: &str = "summary.json";

/// The config, from the trainer's defaults and `--set`.
fn settings<C>(args: &Args, name: &str) -> Result<Resolved<Settings<C>>, Failure>
where
    C: Default + DeserializeOwned + Serialize,
{
    let overrides: Vec<Override> =
        args.set.iter().map(|text| Override::set(text)).collect::<Result<_, _>>()?;
    let sizes = overrides.iter().find(|given| given.path.starts_with("model."));
    if let (Some(size), Some(model)) = (sizes, &args.model) {
        let message = format!("--set {}: the sizes of {} are fixed", size.path, model.display());
        return Err(Failure::usage(message).hint("leave out --model to begin with a new one"));
    }
    // The command line has no recipe: an empty one stands for it.
    let recipe = Recipe::parse(name, name, "study = 'train'\ntitle = 'train'")?;
    Ok(resolve(&recipe, &overrides)?)
}

/// The model to train: read from a folder, or new.
fn model(args: &Args, sizes: &Sizes, evaluator: bool, seed: u64) -> Result<LocalModel, Failure> {
    let Some(dir) = &args.model else {
        let config = DecoderConfig {
            hidden_size: sizes.hidden_size,
            num_hidden_layers: sizes.num_hidden_layers,
            num_attention_heads: sizes.num_attention_heads,
            intermediate_size: sizes.intermediate_size,
            max_position_embeddings: sizes.max_position_embeddings,
            rope_theta: sizes.rope_theta,
            value_head: evaluator,
            ..DecoderConfig::default()
        };
        let tokenizer = tokenizer(args.tokenizer.as_deref().unwrap_or("bytes"))?;
        return LocalModel::new(config, tokenizer, &mut Stream::new(seed, &["train", "init"]))
            .map_err(|error| Failure::of(ExitCode::Usage, &error));
    };
    let model = LocalModel::load(dir)?;
    if evaluator && !model.decoder.config().value_head {
        return Ok(model.with_value_head()?);
    }
    Ok(model)
}

fn tokenizer(name: &str) -> Result<Tokenizer, Failure> {
    if name == "bytes" {
        return Ok(ByteTokenizer {}.into());
    }
    let family = (tasks::find(name)?.build)(&Value::Null)?;
    let symbols = SymbolTokenizer::new(family.symbols());
    Ok(symbols.map_err(|error| Failure::of(ExitCode::Bug, &error))?.into())
}

/// Takes the folder for this process alone. It is empty, or with --resume it holds this
/// very training, unfinished; any other is refused, and keeps what it holds.
fn open(args: &Args, record: &Record<'_>) -> Result<Lock, Failure> {
    let out = &args.out;
    let lock = Lock::folder(out, TRAINING)?;
    let refuse = |state: &str, hint: &str| {
        Err(Failure::usage(format!("{} holds {state}", out.display())).hint(hint))
    };
    if out.join(SUMMARY).exists() {
        return refuse("a finished training", "choose another --out");
    }
    let path = out.join(TRAINING);
    if !path.exists() {
        return Ok(lock);
    }
    if !args.resume {
        let hint = "add --resume to go on, or choose another --out";
        return refuse("an unfinished training", hint);
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let left: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::rows(format!("{}:{}: {error}", path.display(), error.line())))?;
    let here = serde_json::to_value(record).expect("records are plain data");
    if let Some(difference) = difference(&repeated(left), &repeated(here)) {
        return refuse(&format!("another training: {difference}"), "choose another --out");
    }
    Ok(lock)
}

/// The part of `training.json` that a training that goes on shares with the one it began
/// as: not the build, and files by what is in them.
fn repeated(mut record: Value) -> Value {
    if let Some(fields) = record.as_object_mut() {
        for name in ["tool", "data", "model", "origins"] {
            fields.remove(name);
        }
    }
    record
}

fn plan<R>(
    name: &str,
    rows: &[R],
    model: &LocalModel,
    config: &Value,
    origins: &BTreeMap<String, String>,
) -> Output {
    let weights: usize = model.decoder.parameters().iter().map(|parameter| parameter.len).sum();
    let caption = format!("{name} on {} rows, {weights} weights", rows.len());
    let table = config::table(caption, config, origins);
    let json = json!({"trainer": name, "rows": rows.len(), "weights": weights, "config": config});
    Output {
        human: vec![Block::Table(table)],
        json: vec![json.to_string()],
        quiet: Vec::new(),
        notes: vec!["dry run: nothing was written".into()],
        exit: ExitCode::Done,
    }
}

fn answer(out: &Path, summary: &Summary) -> Output {
    let mut notes: Vec<String> =
        summary.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    let model = out.join(MODEL).display().to_string();
    notes.push(format!("model  {model}"));
    let text = format!(
        "{} steps on {} sequences, {} tokens; final loss {:.4}",
        summary.steps, summary.examples, summary.num_tokens, summary.final_loss
    );
    Output {
        human: vec![Block::Text(text)],
        json: vec![json_line(summary)],
        quiet: vec![model],
        notes,
        exit: ExitCode::Done,
    }
}

/// Outcomes as rewards: one round of `ReST-EM` on what the rows say is right.
fn rest_em_on_outcomes(
    model: &mut LocalModel,
    rows: &[StepwiseRow],
    config: &RestEmConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    let candidate = |row: &StepwiseRow| {
        let missing = || TrainError::Row {
            row: format!("problem {:?} sample {}", row.problem, row.sample),
            reason: "it has no outcome under `correct`".into(),
        };
        Ok(Candidate {
            problem: row.problem.clone(),
            prompt: row.prompt.clone(),
            completion: row.completion.clone(),
            reward: f64::from(u8::from(row.correct.ok_or_else(missing)?)),
        })
    };
    let candidates: Vec<Candidate> =
        rows.iter().map(candidate).collect::<Result<_, TrainError>>()?;
    rest_em::run(model, &candidates, config, work)
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("records are plain data") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trainer_of_the_table_can_be_asked_for() {
        let values = Trainer::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        let table: Vec<&str> = gradus_train::ALL.iter().map(|trainer| trainer.name).collect();
        assert_eq!(names, table);
    }
}
