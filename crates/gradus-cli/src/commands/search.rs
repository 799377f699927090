use std::path::PathBuf;

use clap::ValueEnum;
use gradus::data::{self, Problem};
use gradus::report::{Cell, Column, Number, Table};
use gradus::search::{self, Aggregation, CurvePoint, Pool, Pools, SearchRow, Selector, Settings};
use gradus::verify::{self, Extraction, Mode};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Select among samples: how accuracy grows with their number
///
/// ROWS is JSONL, one sample a row: {"problem", "sample", "answer" or "text", and as far as
/// known "correct", "gold", "level", "scores"}; or one problem a row as search-and-learn
/// writes it: {"problem", "completions", "scores"}. Rows without `correct` are graded
/// against `gold`, in the row or by the problem's id in --problems.
///
/// A point of a curve is the mean, over problems, of the chance that the selected answer is
/// right when n of a problem's samples are drawn: exact where n is the whole pool, where
/// n = 1 and where there is a closed form, else the mean over --resamples random subsets.
/// A sample without an answer holds its slot and never wins. The interval is a 95 %
/// percentile bootstrap over problems (2,000 draws): it holds the noise of having these
/// problems and not others.
///
/// Examples:
///   gradus search rows.jsonl
///   gradus search rows.jsonl --methods majority,weighted --aggregate prod,min --n 1,4,16
///   gradus search samples.jsonl.gz --problems problems.jsonl --mode gsm8k --json
///   gradus list search
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The samples (plain, gzip or zstd); `-` is standard input.
    rows: PathBuf,
    /// Problems: rows with `id`, `question`, and as far as known `answer` (the gold) and `level`.
    #[arg(long, value_name = "FILE")]
    problems: Option<PathBuf>,
    /// Ways to select; by default majority and oracle, and where there are scores weighted
    /// and best-of-n.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    methods: Vec<String>,
    /// Ways to make one score of a sample's step scores.
    #[arg(long, value_delimiter = ',', default_value = "prod,min", value_name = "NAMES")]
    aggregate: Vec<String>,
    /// Numbers of samples; by default powers of two up to the smallest pool.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    n: Vec<usize>,
    /// Who wins when several answers are the best.
    #[arg(long, value_enum, default_value_t)]
    ties: Ties,
    /// Random subsets a problem, where there is no closed form.
    #[arg(long, default_value_t = 200, value_name = "N")]
    resamples: usize,
    /// Seed of the subsets and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How answers are compared with the gold (`gradus list verify`).
    #[arg(long, default_value = "exact", value_name = "NAME")]
    mode: String,
    /// Ways to read an answer where a row has only its text; by default all that need a marker.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    extract: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Ties {
    /// The answer seen first.
    #[default]
    First,
    /// Each with the same chance: accuracies are expectations.
    Random,
}

/// Draws of the bootstrap over problems.
const DRAWS: usize = 2000;
const CONFIDENCE: f64 = 0.95;

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let aggregates: Vec<&'static Aggregation> =
        args.aggregate.iter().map(|name| search::aggregation(name)).collect::<Result<_, _>>()?;
    let mut methods: Vec<&'static Selector> =
        args.methods.iter().map(|name| search::find(name)).collect::<Result<_, _>>()?;

    let mut rows = data::read::<SearchRow>(&args.rows)?;
    let first = rows.next().transpose()?;
    if methods.is_empty() {
        let scored =
            first.iter().flat_map(|row| &row.samples).any(|sample| !sample.scores.is_empty());
        let names: &[&str] = if scored {
            &["majority", "weighted", "best-of-n", "oracle"]
        } else {
            &["majority", "oracle"]
        };
        methods = names.iter().map(|name| search::find(name)).collect::<Result<_, _>>()?;
    }
    let scored = methods.iter().any(|method| method.needs == search::Needs::Scores);
    let reduced = if scored { aggregates.as_slice() } else { &[] };
    let mut pools = Pools::new(reduced, &extractions(args)?, mode(args)?);
    if let Some(file) = &args.problems {
        let problems = data::read_all::<Problem>(file)?;
        pools = pools.with_problems(problems).map_err(|error| {
            let mut failure = Failure::from(error);
            failure.message = format!("{}: {}", file.display(), failure.message);
            failure
        })?;
    }
    let mut notes = Vec::new();
    let mut next = first;
    while let Some(row) = next {
        let line = rows.line();
        let chosen = !args.methods.is_empty();
        if !chosen
            && !scored
            && notes.is_empty()
            && row.samples.iter().any(|row| !row.scores.is_empty())
        {
            notes.push(format!(
                "line {line} has scores, the first row has none: no method uses them; name --methods"
            ));
        }
        pools.push(row).map_err(|error| {
            let mut failure = Failure::from(error);
            failure.message = format!("{}:{line}: {}", args.rows.display(), failure.message);
            failure
        })?;
        next = rows.next().transpose()?;
    }
    if pools.unread() > 0 {
        notes.push(format!(
            "{} texts have no marker of an answer and count as without one; --extract names others \
             (`gradus list verify`)",
            pools.unread()
        ));
    }
    let pools = pools.finish()?;
    let n = if args.n.is_empty() { powers_of_two(&pools) } else { args.n.clone() };
    let settings = Settings {
        methods,
        aggregates,
        n,
        ties: match args.ties {
            Ties::First => search::Ties::First,
            Ties::Random => search::Ties::Random,
        },
        resamples: args.resamples,
        seed: args.seed,
    };
    let evaluation = search::evaluate(&pools, &settings)?;
    Ok(Output { notes, ..output(&evaluation.curves(DRAWS, CONFIDENCE, args.seed), &pools) })
}

fn extractions(args: &Args) -> Result<Vec<Extraction>, Failure> {
    if args.extract.is_empty() {
        return Ok(verify::MARKED.to_vec());
    }
    let find = |name: &String| {
        let unknown = || unknown("--extract", name, verify::EXTRACTIONS.iter().map(|row| row.name));
        verify::extraction(name).copied().ok_or_else(unknown)
    };
    args.extract.iter().map(find).collect()
}

fn mode(args: &Args) -> Result<&'static Mode, Failure> {
    let unknown = || unknown("--mode", &args.mode, verify::MODES.iter().map(|row| row.name));
    verify::mode(&args.mode).ok_or_else(unknown)
}

fn unknown<'a>(flag: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    Failure::usage(format!("{flag} {name}: no such name, expected {}", known.join(" or ")))
}

/// 1, 2, 4 ... up to the smallest pool, its own size included.
pub(crate) fn powers_of_two(pools: &[Pool]) -> Vec<usize> {
    let smallest = pools.iter().map(Pool::len).min().unwrap_or(1);
    let mut n: Vec<usize> =
        std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|&n| n < smallest).collect();
    n.push(smallest);
    n
}

fn output(curves: &[CurvePoint], pools: &[Pool]) -> Output {
    let mut levels: Vec<_> = curves.iter().map(|row| &row.level).collect();
    levels.sort_unstable();
    levels.dedup();
    let mut human: Vec<Block> = Vec::new();
    for level in levels {
        human.push(Block::Table(Table {
            caption: level.as_ref().map_or("All levels".into(), |level| format!("Level {level}")),
            columns: vec![
                Column::text("method"),
                Column::text("aggregate"),
                Column::number("n"),
                Column::number("accuracy"),
            ],
            rows: curves.iter().filter(|row| row.level == *level).map(cells).collect(),
            notes: Vec::new(),
        }));
        human.push(Block::Text("\n".into()));
    }
    human.push(Block::Text(census(pools)));
    let all = curves.iter().filter(|row| row.level.is_none());
    Output {
        human,
        json: curves.iter().map(json_line).collect(),
        quiet: all
            .map(|row| {
                let aggregate = row.aggregate.unwrap_or("-");
                format!("{}\t{aggregate}\t{}\t{}", row.method, row.n, row.accuracy)
            })
            .collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}

fn cells(row: &CurvePoint) -> Vec<Cell> {
    let accuracy = Number::percent(row.accuracy).within(row.low, row.high);
    vec![
        row.method.into(),
        row.aggregate.map_or_else(|| Cell::absent("-"), Cell::from),
        Number::count(row.n as u64).into(),
        accuracy.of(row.problems as u64).into(),
    ]
}

/// What must be known to read the accuracies right.
fn census(pools: &[Pool]) -> String {
    let samples: usize = pools.iter().map(Pool::len).sum();
    let unanswered: usize = pools.iter().map(Pool::no_answer).sum();
    let wrong_mode = pools.iter().filter(|pool| pool.is_wrong_mode()).count();
    format!(
        "{} problems, {samples} samples, {unanswered} of them without an answer.\n\
         In {wrong_mode} problems a wrong answer is more frequent than the right one that is there.",
        pools.len()
    )
}
