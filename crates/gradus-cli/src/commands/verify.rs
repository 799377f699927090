use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gradus::data::{
    self, FieldError, Fields, Grade, Metadata, Problem, Row, RowError, Rows, Verdict,
};
use gradus::report::{Column, Number, Table};
use gradus::verify::{self, Extraction, Mode};
use rayon::prelude::*;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Format, Output, RowWriter, json_line};

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
    #[arg(long, default_value = "hendrycks", value_name = "NAME")]
    mode: String,
    /// How the answer is read, in the order in which it is tried; by default as the mode does.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    extract: Vec<String>,
    /// The same for the gold, which is the whole text where nothing is found.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    extract_gold: Vec<String>,
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
            let tally = grade(rows, &args.rows, prepare, &grader, names, global.format())?;
            Ok(tally.output(&args.grading, "Rows that differ from what they expect"))
        }
        Command::Samples(args) => {
            let grader = Grader::new(&args.grading)?;
            let golds = golds(&args.problems)?;
            let rows = data::read::<SampleRow>(&args.rows)?;
            let names = Names { answer: "answer", correct: Some("correct") };
            let reread = !args.grading.extract.is_empty();
            let prepare = |row: SampleRow| row.with_gold(&golds, &args.problems, reread);
            let tally = grade(rows, &args.rows, prepare, &grader, names, global.format())?;
            Ok(tally.output(&args.grading, "Rows whose verdict changed"))
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
        })
    }

    fn grade(&self, row: &GradeRow) -> Grade {
        let Some(gold) = &row.gold else {
            let reason = "gold-missing".to_owned();
            return Grade { verdict: Verdict::BadGold, answer: None, reason };
        };
        let gold = verify::extract_gold(gold, &self.extract_gold);
        match &row.given {
            Given::Text(text) => verify::grade(&gold, text, &self.extract, self.mode),
            Given::Answer(answer) => verify::grade_answer(&gold, answer.as_deref(), self.mode),
        }
    }
}

fn unknown<'a>(flag: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    Failure::usage(format!("{flag} {name}: no such name, expected {}", known.join(" or ")))
}

/// A row to grade.
struct GradeRow {
    /// All of its columns, in the order of the file.
    columns: Vec<(String, Value)>,
    gold: Option<String>,
    given: Given,
    expected: Option<Expected>,
}

enum Given {
    Text(String),
    /// Read already; `None` where there is none.
    Answer(Option<String>),
}

#[derive(Clone, Copy)]
enum Expected {
    Correct(bool),
    Verdict(Verdict),
}

impl Expected {
    fn is(self, verdict: Verdict) -> bool {
        match self {
            Self::Correct(correct) => correct == (verdict == Verdict::Correct),
            Self::Verdict(expected) => expected == verdict,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Correct(true) => "correct",
            Self::Correct(false) => "not correct",
            Self::Verdict(verdict) => verdict.name(),
        }
    }
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
        let expected = fields.take("expected").map(|value| expected(&value)).transpose()?;
        Ok(Self(GradeRow { columns, gold, given, expected }))
    }
}

fn expected(value: &Value) -> Result<Expected, FieldError> {
    let number = value.as_f64();
    let correct = value.as_bool().or(match number {
        Some(0.0) => Some(false),
        Some(1.0) => Some(true),
        _ => None,
    });
    let named = || value.as_str().and_then(Verdict::from_name).map(Expected::Verdict);
    correct.map(Expected::Correct).or_else(named).ok_or_else(|| {
        let names = Verdict::ALL.map(Verdict::name).join(", ");
        let expected = format!("0, 1, true, false or one of {names}");
        FieldError::new("expected", value.to_string(), expected)
    })
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
        let before = verdict.or(correct).and_then(|value| expected(&value).ok());
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

/// What the columns of a grade are called.
#[derive(Clone, Copy)]
struct Names {
    answer: &'static str,
    correct: Option<&'static str>,
}

/// A row with its grade behind its own columns.
struct Graded<'a> {
    columns: Vec<(String, Value)>,
    grade: &'a Grade,
    names: Names,
}

impl<'a> Graded<'a> {
    fn new(mut columns: Vec<(String, Value)>, grade: &'a Grade, names: Names) -> Self {
        let own = |name: &str| {
            name == names.answer
                || names.correct == Some(name)
                || matches!(name, "verdict" | "reason")
        };
        for at in 0..columns.len() {
            if own(&columns[at].0) {
                let taken = |name: &str| columns.iter().any(|(column, _)| column == name);
                columns[at].0 = before(&columns[at].0, taken);
            }
            let (name, value) = &mut columns[at];
            if let ("metadata", Value::Object(metadata)) = (name.as_str(), value) {
                let old: Vec<String> = metadata.keys().filter(|name| own(name)).cloned().collect();
                for name in old {
                    let renamed = before(&name, |name| metadata.contains_key(name));
                    let value = metadata.remove(&name).unwrap_or(Value::Null);
                    metadata.insert(renamed, value);
                }
            }
        }
        Self { columns, grade, names }
    }
}

/// `verdict_before`, or with a number where there is one from an earlier time.
fn before(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let first = format!("{name}_before");
    let numbered = (2..).map(|number| format!("{name}_before_{number}"));
    std::iter::once(first).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

impl Serialize for Graded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        for (name, value) in &self.columns {
            row.serialize_entry(name, value)?;
        }
        row.serialize_entry(self.names.answer, &self.grade.answer)?;
        if let Some(name) = self.names.correct {
            // Unscored is not wrong.
            let correct = match self.grade.verdict {
                Verdict::Correct => Some(true),
                Verdict::Incorrect | Verdict::NoAnswer => Some(false),
                Verdict::BadGold | Verdict::Undecided => None,
            };
            row.serialize_entry(name, &correct)?;
        }
        row.serialize_entry("verdict", &self.grade.verdict)?;
        row.serialize_entry("reason", &self.grade.reason)?;
        row.end()
    }
}

/// Rows of a chunk: enough to keep all threads at work, few enough to be held.
const CHUNK_ROWS: usize = 4096;
const CHUNK_BYTES: usize = 1 << 22;

/// Grades all rows, chunk by chunk on all threads, the next being read meanwhile; writes
/// them in their order where the format is JSON.
fn grade<R: Row + Send>(
    mut rows: Rows<R>,
    file: &Path,
    prepare: impl Fn(R) -> Result<GradeRow, FieldError> + Sync,
    grader: &Grader,
    names: Names,
    format: Format,
) -> Result<Tally, Failure> {
    let json = format == Format::Json;
    let mut writer = RowWriter::new();
    let mut tally = Tally::default();
    let (mut chunk, mut ended) = read_chunk(&mut rows);
    loop {
        let graded = || -> Vec<_> {
            let one = |(line, row)| {
                let row = prepare(row).map_err(|error| at_line(file, line, error))?;
                let grade = grader.grade(&row);
                let differs = row.expected.is_some_and(|expected| !expected.is(grade.verdict));
                let shown = differs.then(|| difference(line, &row, &grade));
                let scored =
                    Scored { verdict: grade.verdict, expected: row.expected.is_some(), shown };
                let line = json.then(|| json_line(&Graded::new(row.columns, &grade, names)));
                Ok::<_, RowError>((scored, line))
            };
            chunk.into_par_iter().map(one).collect()
        };
        let (next, graded) = rayon::join(
            || if ended.is_some() { (Vec::new(), None) } else { read_chunk(&mut rows) },
            graded,
        );
        for row in graded {
            let (scored, line) = row.map_err(data::DataError::from)?;
            tally.add(scored);
            if let Some(line) = line
                && !writer.write(&line)?
            {
                return Ok(tally);
            }
        }
        match ended.take() {
            Some(Ok(())) => break,
            Some(Err(error)) => {
                writer.flush()?;
                return Err(error.into());
            }
            None => (chunk, ended) = next,
        }
    }
    writer.flush()?;
    if tally.rows() == 0 {
        let file = file.display();
        return Err(Failure::rows(format!("{file}: found no row, expected at least one")));
    }
    Ok(tally)
}

type Chunk<R> = Vec<(u64, R)>;

/// The next rows with their lines, and how the file ended where it did.
fn read_chunk<R: Row>(rows: &mut Rows<R>) -> (Chunk<R>, Option<Result<(), data::DataError>>) {
    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
    let mut bytes = 0;
    while chunk.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        match rows.next() {
            Some(Ok(row)) => {
                bytes += rows.bytes();
                chunk.push((rows.line(), row));
            }
            Some(Err(error)) => return (chunk, Some(Err(error))),
            None => return (chunk, Some(Ok(()))),
        }
    }
    (chunk, None)
}

fn at_line(file: &Path, line: u64, FieldError { field, found, expected }: FieldError) -> RowError {
    RowError { file: file.to_owned(), line, field: Some(field), found, expected }
}

/// What is kept of a graded row.
struct Scored {
    verdict: Verdict,
    expected: bool,
    /// How it differs from what was expected.
    shown: Option<String>,
}

/// What came of all rows.
#[derive(Default)]
struct Tally {
    counts: [u64; Verdict::ALL.len()],
    expected: u64,
    differing: u64,
    first: Vec<String>,
}

/// Rows that differ are shown up to here.
const SHOWN: usize = 10;

impl Tally {
    fn add(&mut self, row: Scored) {
        self.counts[row.verdict as usize] += 1;
        self.expected += u64::from(row.expected);
        if let Some(shown) = row.shown {
            self.differing += 1;
            if self.first.len() < SHOWN {
                self.first.push(shown);
            }
        }
    }

    fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn output(&self, args: &Grading, heading: &str) -> Output {
        let rows = self.rows();
        let share = |count: u64| count as f64 / rows as f64;
        let named = || Verdict::ALL.into_iter().zip(self.counts);
        let table = Table {
            columns: vec![Column::text("verdict"), Column::number("rows"), Column::number("share")],
            rows: named()
                .map(|(verdict, count)| {
                    let share = Number::percent(share(count));
                    vec![verdict.name().into(), Number::count(count).into(), share.into()]
                })
                .collect(),
            ..Table::default()
        };
        let mut human = vec![Block::Table(table)];
        if self.expected > 0 {
            let mut text = format!("\n{heading}: {} of {}.\n", self.differing, self.expected);
            for row in &self.first {
                text.push_str(row);
            }
            if self.differing > self.first.len() as u64 {
                text.push_str(&format!(
                    "... and {} more\n",
                    self.differing - self.first.len() as u64
                ));
            }
            human.push(Block::Text(text));
        }
        let correct = share(self.counts[Verdict::Correct as usize]);
        let failed = args.fail_under.is_some_and(|least| correct < least);
        Output {
            human,
            json: Vec::new(),
            quiet: named().map(|(verdict, count)| format!("{}\t{count}", verdict.name())).collect(),
            notes: Vec::new(),
            exit: if failed { ExitCode::ExpectationFailed } else { ExitCode::Done },
        }
    }
}

/// A row that differs, as people read it.
fn difference(line: u64, row: &GradeRow, grade: &Grade) -> String {
    let expected = row.expected.map_or("", Expected::name);
    let answer = grade.answer.as_deref().map_or("nothing".into(), short);
    let gold = short(row.gold.as_deref().unwrap_or_default());
    format!(
        "line {line}: {} ({}), expected {expected}\n  gold    {gold}\n  answer  {answer}\n",
        grade.verdict.name(),
        grade.reason,
    )
}

/// One line of at most 80 characters.
fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push_str("...");
    }
    line
}
