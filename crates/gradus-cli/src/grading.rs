//! Rows graded as a stream: read, graded on all threads, written in their order.

use std::path::Path;

use gradus::data::{self, FieldError, Grade, Row, RowError, Rows, Verdict};
use gradus::report::{Column, Number, Table};
use rayon::prelude::*;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Format, Output, RowWriter, json_line};

/// A row to grade.
pub(crate) struct GradeRow {
    /// All of its columns, in the order of the file.
    pub(crate) columns: Vec<(String, Value)>,
    pub(crate) gold: Option<String>,
    pub(crate) given: Given,
    pub(crate) expected: Option<Expected>,
}

pub(crate) enum Given {
    Text(String),
    /// Read already; `None` where there is none.
    Answer(Option<String>),
}

#[derive(Clone, Copy)]
pub(crate) enum Expected {
    Correct(bool),
    Verdict(Verdict),
}

impl Expected {
    /// 0, 1, true, false or a verdict's name.
    pub(crate) fn read(value: &Value) -> Result<Self, FieldError> {
        let number = value.as_f64();
        let correct = value.as_bool().or(match number {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        });
        let named = || value.as_str().and_then(Verdict::from_name).map(Self::Verdict);
        correct.map(Self::Correct).or_else(named).ok_or_else(|| {
            let names = Verdict::ALL.map(Verdict::name).join(", ");
            let expected = format!("0, 1, true, false or one of {names}");
            FieldError::new("expected", value.to_string(), expected)
        })
    }

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

/// What the columns of a grade are called.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    pub(crate) answer: &'static str,
    pub(crate) correct: Option<&'static str>,
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
pub(crate) fn grade<R: Row + Send>(
    mut rows: Rows<R>,
    prepare: impl Fn(R) -> Result<GradeRow, FieldError> + Sync,
    grader: impl Fn(&GradeRow) -> Grade + Sync,
    names: Names,
    format: Format,
) -> Result<Tally, Failure> {
    let file = rows.file().to_owned();
    let json = format == Format::Json;
    let mut writer = RowWriter::new();
    let mut tally = Tally::default();
    let (mut chunk, mut ended) = read_chunk(&mut rows);
    loop {
        let graded = || -> Vec<_> {
            let one = |(line, row)| {
                let row = prepare(row).map_err(|error| at_line(&file, line, error))?;
                let grade = grader(&row);
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
pub(crate) struct Tally {
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

    /// The heading is of the rows that differ from what was expected; `fail_under` is the
    /// least share of correct rows.
    pub(crate) fn output(&self, heading: &str, fail_under: Option<f64>) -> Output {
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
        let failed = fail_under.is_some_and(|least| correct < least);
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
