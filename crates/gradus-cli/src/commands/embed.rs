use std::path::PathBuf;

use clap::ValueEnum;
use gradus::data::{self, FieldError, Fields, Row};
use gradus::lm::Pooling;
use gradus_client::Api;
use serde::Serialize;
use serde_json::json;

use super::sample::answer;
use crate::args::Global;
use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::output::Output;
use crate::progress;
use crate::row_file::{Done, RowFile};
use crate::subset::SubsetArgs;

/// Turn the texts of rows into vectors
///
/// ROWS is JSONL of problems (`id`, `question`), of completions (`problem`, `sample`,
/// `text`) or of texts (`id`, `text`). A row a text goes to --out: `problem`, `sample` and
/// `embedding`, a list of numbers.
///
/// Examples:
///   gradus embed problems.jsonl --model models/minilm --out vectors.jsonl
///   gradus embed rows.jsonl --model models/smol --pooling mean --out vectors.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The rows (plain, gzip or zstd); `-` is standard input.
    rows: PathBuf,
    /// The file of the vectors.
    #[arg(long, value_name = "ROWS")]
    out: PathBuf,
    /// How the vectors of a text's tokens become one.
    #[arg(long, value_enum, default_value_t)]
    pooling: Pool,
    /// The layer that is read, by the model's name for it; by default the last.
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Texts that are given to the model at once.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    #[command(flatten)]
    subset: SubsetArgs,
    /// Go on with the rows of --out.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    model: ModelArgs,
}

/// How the vectors of tokens become one.
#[derive(Clone, Copy, Debug, Default, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Pool {
    /// As the model's own files say, else the mean.
    #[default]
    Own,
    /// Their mean.
    Mean,
    /// The first.
    First,
    /// The last.
    Last,
}

impl From<Pool> for Pooling {
    fn from(pool: Pool) -> Self {
        match pool {
            Pool::Own => Self::Own,
            Pool::Mean => Self::Mean,
            Pool::First => Self::First,
            Pool::Last => Self::Last,
        }
    }
}

/// A text with its key.
#[derive(Clone, Debug, Serialize)]
struct Given {
    problem: String,
    sample: u32,
    text: String,
}

impl Row for Given {
    const NOUN: &str = "text";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let problem = if fields.peek("problem").is_some() { "problem" } else { "id" };
        let text = if fields.peek("text").is_some() { "text" } else { "question" };
        let row = Self {
            problem: fields.text(problem)?,
            sample: fields.optional_u32("sample")?.unwrap_or_default(),
            text: fields.string(text)?,
        };
        fields.ignore_rest();
        Ok(row)
    }
}

/// A row of the answer.
#[derive(Serialize)]
struct Vector<'a> {
    problem: &'a str,
    sample: u32,
    embedding: &'a [f32],
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let rows: Vec<Given> = data::read_all(&args.rows)?;
    let lines: Vec<String> = rows.iter().map(data::to_line).collect();
    let hash = data::hash_bytes(lines.join("\n").as_bytes());
    let rows = args.subset.of(rows);
    let monitor = progress::monitor(global.shown())?;
    let model = args.model.open(&[], Api::Completions, &monitor)?;
    let embedder = model.embed()?;
    let config = json!({
        "model": args.model.name(),
        "weights": args.model.weights(),
        "rows": hash,
        "layer": args.layer,
        "pooling": args.pooling,
        "limit": args.subset.limit(),
        "shard": args.subset.shard(),
    });
    let total = rows.len() as u64;
    let file = RowFile::open(&args.out, "embed", config, total, args.resume, monitor)?;
    let work = file.work();
    let mut part = work.part(file.name()?)?;
    let open = |row: &&Given| !part.done(&row.problem, row.sample);
    let left: Vec<&Given> = rows.iter().filter(open).collect();
    let mut done = total - left.len() as u64;
    for batch in left.chunks(args.batch as usize) {
        let texts: Vec<&str> = batch.iter().map(|row| row.text.as_str()).collect();
        let vectors = embedder
            .embed(&texts, args.layer.as_deref(), args.pooling.into())
            .map_err(|error| file.failed(error))?;
        for (row, embedding) in batch.iter().zip(&vectors) {
            let Given { problem, sample, .. } = row;
            part.append(problem, *sample, &Vector { problem, sample: *sample, embedding })?;
        }
        part.flush()?;
        done += batch.len() as u64;
        work.progress(done, total, "texts").map_err(|error| file.failed(error))?;
    }
    let rows = part.len() as u64;
    part.finish()?;
    let again = file.resume_line();
    let (record, _) = file.close(&Done { rows, ..Done::default() })?;
    Ok(answer(&args.out, &record, &again))
}
