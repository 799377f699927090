use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gradus::data::{self, FieldError, Fields, Grade, Metadata, Problem, Row, Verdict};
use gradus::verify::math::{self, MathOptions};
use gradus::verify::{self, Extraction, Mode};
use serde_json::Value;

use crate::args::Global;
use crate::failure::Failure;
use crate::grading::{Expected, Given, GradeRow, Names, grade};
use crate::output::Output;

/// Grade answers against golds: read the answer out of a text, compare it, say why
///
/// A verdict is correct, incorrect, no_answer (nothing was read), bad_gold (the mode cannot
/// read the gold) or undecided (the budget of the comparison was spent), with a reason that
/// a program can read. `gradus list verify` lists the ways to read and the modes.
///
/// Examples:
///   gradus verify pairs answers.jsonl
///   gradus verify pairs - --mode gsm8k --json < answers.jsonl
///   gradus verify samples completions.jsonl --problems problems.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pairs(Pairs),
    Samples(Samples),
}

/// Grade rows that hold both: {"gold", "pred"}, each an answer or a whole text
///
/// With --json a row comes out for each that goes in, in the same order: its own columns,
/// then `extracted` (the answer that was read), `verdict` and `reason`. A column of the row
/// that has one of these names is kept as NAME_before. People get the counts, and where
/// rows say what is `expected` (0, 1, true, false or a verdict) the first that differ.
///
/// A `pred` of null is no answer. The file is read as a stream, in constant memory.
///
/// Examples:
///   gradus verify pairs answers.jsonl
///   gradus verify pairs answers.jsonl.gz --mode choice --fail-under 0.8
///   gradus verify pairs - --extract boxed,last-line --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Pairs {
    /// The rows (plain, gzip or zstd); `-` is standard input.
    rows: PathBuf,
    #[command(flatten)]
    grading: Grading,
}

/// Grade completions by the id of their problem: {"problem", "text"}
///
/// The gold is the `answer` of the problem with that `id`. A row that states its `answer`, as
/// rows of a run do, is graded by that; with --extract its `text` is read again. With --json a row comes out for each that goes in, in the
/// same order: its own columns, then `answer`, `correct`, `verdict` and `reason`, as
/// `gradus search` reads them. Rows that were graded before keep their old values as
/// answer_before, verdict_before and so on, also inside `metadata`; people are shown the
/// first whose verdict changed.
///
/// Examples:
///   gradus verify samples completions.jsonl --problems problems.jsonl --mode gsm8k
///   gradus verify samples completions.jsonl --problems problems.jsonl --json > graded.jsonl
///   gradus search graded.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Samples {
    /// The completions (plain, gzip or zstd); `-` is standard input.
    rows: PathBuf,
    /// Problems with their golds (`answer`), by `id`.
    #[arg(long, value_name = "FILE")]
    problems: PathBuf,
    #[command(flatten)]
    grading: Grading,
}

#[derive(Debug, clap::Args)]
struct Grading {
    /// How answers are compared with the gold.
    #[arg(long, default_value = "math", value_name = "NAME")]
    mode: String,
    /// How the answer is read, in the order in which it is tried; by default as the mode does.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    extract: Vec<String>,
    /// The same for the gold, which is the whole text where nothing is found.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    extract_gold: Vec<String>,
    /// How near a decimal has to come to an exact gold: within 10^-DIGITS of it (mode math; 6).
    #[arg(long, value_name = "DIGITS", value_parser = clap::value_parser!(u32).range(1..=300))]
    relative_digits: Option<u32>,
    /// Where either side is a decimal, compare both rounded to so many places (mode math).
    #[arg(long, value_name = "PLACES", value_parser = clap::value_parser!(u32).range(0..=300))]
    round_to: Option<u32>,
    /// Whether variables have to have the names of the gold (mode math; true).
    #[arg(long, value_name = "BOOL")]
    strict_names: Option<bool>,
    /// Whether a relation meets the set of its solutions both ways (mode math; true).
    #[arg(long, value_name = "BOOL")]
    relations_as_sets: Option<bool>,
    /// Units of work before a comparison is undecided (mode math).
    #[arg(long, value_name = "UNITS")]
    budget: Option<u64>,
    /// End with code 1 where a smaller share of all rows is correct.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    fail_under: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    match &args.command {
        Command::Pairs(args) => {
            let grader = Grader::new(&args.grading)?;
            let rows = data::read::<PairRow>(&args.rows)?;
            let names = Names { answer: "extracted", correct: None };
            let prepare = |PairRow(row): PairRow| Ok(row);
            let tally = grade(rows, prepare, |row| grader.grade(row), names, global.format())?;
            Ok(tally.output("Rows that differ from what they expect", args.grading.fail_under))
        }
        Command::Samples(args) => {
            let grader = Grader::new(&args.grading)?;
            let golds = golds(&args.problems)?;
            let rows = data::read::<SampleRow>(&args.rows)?;
            let names = Names { answer: "answer", correct: Some("correct") };
            let reread = !args.grading.extract.is_empty();
            let prepare = |row: SampleRow| row.with_gold(&golds, &args.problems, reread);
            let tally = grade(rows, prepare, |row| grader.grade(row), names, global.format())?;
            Ok(tally.output("Rows whose verdict changed", args.grading.fail_under))
        }
    }
}

fn golds(file: &Path) -> Result<Golds, Failure> {
    let mut golds = Golds::new();
    let mut problems = data::read::<Problem>(file)?;
    while let Some(problem) = problems.next() {
        let problem = problem?;
        if golds.contains_key(&problem.id) {
            let place = format!("{}:{}", file.display(), problems.line());
            let id = problem.id;
            let message = format!("{place}: id: found {id:?} again, expected each id once");
            return Err(Failure::rows(message));
        }
        golds.insert(problem.id, problem.answer);
    }
    Ok(golds)
}

/// What to read and how to compare.
struct Grader {
    mode: &'static Mode,
    extract: Vec<Extraction>,
    extract_gold: Vec<Extraction>,
    /// Of the mode math.
    math: Option<MathOptions>,
}

impl Grader {
    fn new(args: &Grading) -> Result<Self, Failure> {
        let modes = || verify::MODES.iter().map(|row| row.name);
        let mode =
            verify::mode(&args.mode).ok_or_else(|| unknown("--mode", &args.mode, modes()))?;
        let extractions = |flag: &str, names: &[String]| {
            if names.is_empty() {
                return Ok(mode.extractions.to_vec());
            }
            let known = || verify::EXTRACTIONS.iter().map(|row| row.name);
            let find = |name: &String| {
                verify::extraction(name).copied().ok_or_else(|| unknown(flag, name, known()))
            };
            names.iter().map(find).collect()
        };
        Ok(Self {
            mode,
            extract: extractions("--extract", &args.extract)?,
            extract_gold: extractions("--extract-gold", &args.extract_gold)?,
            math: math_options(args)?,
        })
    }

    fn grade(&self, row: &GradeRow) -> Grade {
        let Some(gold) = &row.gold else {
            let reason = "gold-missing".to_owned();
            return Grade { verdict: Verdict::BadGold, answer: None, reason };
        };
        let gold = verify::extract_gold(gold, &self.extract_gold);
        let answer = match &row.given {
            Given::Text(text) => verify::extract(text, &self.extract),
            Given::Answer(answer) => answer.as_deref().map(Cow::Borrowed),
        };
        let compared = answer.as_deref().unwrap_or_default();
        let comparison = match &self.math {
            Some(options) => math::compare(&gold, compared, options),
            None => (self.mode.compare)(&gold, compared),
        };
        verify::grade_compared(answer.as_deref(), comparison)
    }
}

/// The options of the mode math; none in another mode, which has none.
fn math_options(args: &Grading) -> Result<Option<MathOptions>, Failure> {
    let Grading { relative_digits, round_to, strict_names, relations_as_sets, budget, .. } = args;
    if args.mode == "math" {
        let default = MathOptions::default();
        return Ok(Some(MathOptions {
            relative_digits: relative_digits.unwrap_or(default.relative_digits),
            round_to: round_to.or(default.round_to),
            strict_names: strict_names.unwrap_or(default.strict_names),
            relation_as_set: relations_as_sets.unwrap_or(default.relation_as_set),
            budget: budget.unwrap_or(default.budget),
        }));
    }
    let given = [
        ("--relative-digits", relative_digits.is_some()),
        ("--round-to", round_to.is_some()),
        ("--strict-names", strict_names.is_some()),
        ("--relations-as-sets", relations_as_sets.is_some()),
        ("--budget", budget.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            let mode = &args.mode;
            Err(Failure::usage(format!("{flag} is an option of --mode math, not of {mode}")))
        }
        None => Ok(None),
    }
}

fn unknown<'a>(flag: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    Failure::usage(format!("{flag} {name}: no such name, expected {}", known.join(" or ")))
}

/// The columns as they are, with copies of those of these names to be read.
fn columns(fields: &mut Fields, names: &[&str]) -> (Vec<(String, Value)>, Fields) {
    let columns = fields.columns();
    let read = columns.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned();
    let read = read.collect();
    (columns, read)
}

/// A gold with an answer or a text.
pub(super) struct PairRow(GradeRow);

impl Row for PairRow {
    const NOUN: &str = "pair of gold and pred";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let (columns, mut fields) = columns(fields, &["gold", "pred", "expected"]);
        let gold = Some(fields.text("gold")?);
        if !fields.names().any(|name| name == "pred") {
            return Err(FieldError::new("pred", "nothing", "a string, a number or null"));
        }
        let given = match fields.optional_text("pred")? {
            Some(text) => Given::Text(text),
            None => Given::Answer(None),
        };
        let expected = fields.take("expected").map(|value| Expected::read(&value)).transpose()?;
        Ok(Self(GradeRow { columns, gold, given, expected }))
    }
}

/// A completion, perhaps graded before.
struct SampleRow {
    columns: Vec<(String, Value)>,
    problem: String,
    text: Option<String>,
    /// The row says what the answer is, or that there is none.
    stated: bool,
    answer: Option<String>,
    before: Option<Expected>,
}

impl Row for SampleRow {
    const NOUN: &str = "completion";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let names = ["problem", "text", "answer", "verdict", "correct", "metadata"];
        let (columns, mut fields) = columns(fields, &names);
        let problem = fields.text("problem")?;
        let text = fields.optional_string("text")?;
        let stated = fields.names().any(|name| name == "answer");
        let answer = fields.optional_text("answer")?;
        if text.is_none() && !stated {
            let found = "neither `text` nor `answer`";
            return Err(FieldError::new("text", found, "one of them"));
        }
        let mut inside = match fields.take("metadata") {
            Some(Value::Object(metadata)) => Fields::from(metadata),
            _ => Fields::from(Metadata::new()),
        };
        let verdict = fields.take("verdict").or_else(|| inside.take("verdict"));
        let correct = fields.take("correct").or_else(|| inside.take("correct"));
        // Another program's column of that name may hold anything.
        let before = verdict.or(correct).and_then(|value| Expected::read(&value).ok());
        Ok(Self { columns, problem, text, stated, answer, before })
    }
}

impl SampleRow {
    /// The row with the gold of its problem, to be graded by its text where that is to be
    /// read again, or where it is all that there is.
    fn with_gold(
        self,
        golds: &Golds,
        problems: &Path,
        reread: bool,
    ) -> Result<GradeRow, FieldError> {
        let Some(gold) = golds.get(&self.problem) else {
            let expected = format!("the id of a problem in {}", problems.display());
            return Err(FieldError::new("problem", format!("{:?}", self.problem), expected));
        };
        let given = match self.text {
            Some(text) if reread || !self.stated => Given::Text(text),
            _ => Given::Answer(self.answer),
        };
        let (columns, gold) = (self.columns, gold.clone());
        Ok(GradeRow { columns, gold, given, expected: self.before })
    }
}

/// Golds by the id of their problem; none where it has no answer.
type Golds = HashMap<String, Option<String>>;
