//! The report of graded samples, as `gradus verify samples --json` writes them: accuracy,
//! what selection among samples adds, by level, and every verdict.

use std::collections::BTreeMap;
use std::path::Path;

use gradus::data::{self, FieldError, Fields, Problem, Row, Verdict};
use gradus::report::{
    Axis, Block, Column, Curves, Fact, Format, Number, Page, Panel, Point, Repeat, Role, Section,
    Series, Table,
};
use gradus::search::{self, CurvePoint, Pool, Pools, SearchRow, Settings, Ties};
use gradus::verify;

use crate::commands::powers_of_two;
use crate::failure::Failure;

/// The verdict of a graded row.
struct Graded(Verdict);

impl Row for Graded {
    const NOUN: &str = "graded completion";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        if fields.peek("verdict").is_none() {
            let expected = "one, as `gradus verify samples --json` writes it";
            return Err(FieldError::new("verdict", "nothing", expected));
        }
        let verdict = fields.verdict("verdict")?;
        fields.ignore_rest();
        Ok(Self(verdict))
    }
}

/// Draws of the bootstrap over problems, its coverage and its seed, as `gradus search` has them.
const DRAWS: usize = 2000;
const CONFIDENCE: f64 = 0.95;
const SEED: u64 = 1;

/// The page, and its points as JSON has them; `problems` know the levels.
pub(crate) fn page(
    rows: &Path,
    problems: Option<&Path>,
) -> Result<(Page, Vec<CurvePoint>), Failure> {
    let verdicts = verdicts(rows)?;
    let pools = pools(rows, problems)?;
    let settings = Settings {
        methods: vec![search::find("majority")?, search::find("oracle")?],
        aggregates: Vec::new(),
        n: powers_of_two(&pools),
        ties: Ties::Random,
        resamples: 200,
        seed: SEED,
    };
    let points = search::evaluate(&pools, &settings)?.curves(DRAWS, CONFIDENCE, SEED);
    let n = settings.n.last().copied().unwrap_or(1);
    let mut repeat = vec![format!("gradus report {}", rows.display())];
    if let Some(problems) = problems {
        repeat[0].push_str(&format!(" --problems {}", problems.display()));
    }
    let mut facts = vec![(rows.display().to_string(), data::hash_file(rows)?)];
    if let Some(problems) = problems {
        facts.push((problems.display().to_string(), data::hash_file(problems)?));
    }
    let page = Page {
        title: rows.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        question: "How often is an answer right, and how much does asking more often add?".into(),
        lead: lead(&points, n),
        sections: vec![selection(&points, n), graded(&verdicts, &pools)],
        repeat: Repeat { commands: repeat, facts, config: None },
    };
    Ok((page, points))
}

fn verdicts(rows: &Path) -> Result<BTreeMap<&'static str, u64>, Failure> {
    let mut counts: BTreeMap<&'static str, u64> =
        Verdict::ALL.iter().map(|verdict| (verdict.name(), 0)).collect();
    for row in data::read::<Graded>(rows)? {
        let Graded(verdict) = row?;
        *counts.entry(verdict.name()).or_default() += 1;
    }
    Ok(counts)
}

fn pools(file: &Path, problems: Option<&Path>) -> Result<Vec<Pool>, Failure> {
    let exact = verify::mode("exact").ok_or_else(|| Failure::usage("no mode exact"))?;
    let mut pools = Pools::new(&[], verify::MARKED, exact);
    if let Some(problems) = problems {
        pools = pools.with_problems(data::read_all::<Problem>(problems)?)?;
    }
    let mut rows = data::read::<SearchRow>(file)?;
    while let Some(row) = rows.next().transpose()? {
        // What could not be graded is no wrong answer; the verdicts count it.
        if row.samples.iter().any(|sample| sample.correct.is_none()) {
            continue;
        }
        let place = format!("{}:{}", rows.file().display(), rows.line());
        pools.push(row).map_err(|error| {
            let mut failure = Failure::from(error);
            failure.message = format!("{place}: {}", failure.message);
            failure
        })?;
    }
    Ok(pools.finish()?)
}

fn number(point: &CurvePoint) -> Number {
    Number::percent(point.accuracy).within(point.low, point.high).of(point.problems as u64)
}

fn find<'a>(points: &'a [CurvePoint], method: &str, n: usize) -> Option<&'a CurvePoint> {
    points.iter().find(|point| point.method == method && point.n == n && point.level.is_none())
}

fn lead(points: &[CurvePoint], n: usize) -> Vec<Fact> {
    let how = "mean over problems, 95% bootstrap over problems";
    let fact = |label: String, method: &str, n: usize| {
        let point = find(points, method, n)?;
        Some(Fact { label, value: number(point).into(), detail: how.to_owned() })
    };
    let mut lead = vec![fact("One sample is right".to_owned(), "majority", 1)];
    if n > 1 {
        lead.push(fact(format!("The majority of {n} is right"), "majority", n));
        lead.push(fact(format!("Any of {n} is right"), "oracle", n));
    }
    lead.into_iter().flatten().collect()
}

fn selection(points: &[CurvePoint], n: usize) -> Section {
    let mut ticks: Vec<usize> = points.iter().map(|point| point.n).collect();
    ticks.sort_unstable();
    ticks.dedup();
    let ticks: Vec<f64> = ticks.into_iter().map(|n| n as f64).collect();
    let series = [("majority", Role::Main), ("oracle", Role::Bound)].map(|(method, role)| {
        let of = points.iter().filter(|point| point.method == method && point.level.is_none());
        let point = |point: &CurvePoint| {
            Point::new(point.n as f64, point.accuracy)
                .within(point.low, point.high)
                .of(point.problems as u64)
        };
        Series { label: method.to_owned(), role, points: of.map(point).collect() }
    });
    let curves = Curves {
        title: "Accuracy over the number of samples".to_owned(),
        description: "The majority of the samples beside the best that any selection could do."
            .to_owned(),
        x: Axis::log2("samples", &ticks),
        y: Axis::new("accuracy", Format::Percent),
        panels: vec![Panel {
            heading: "all problems".to_owned(),
            series: series.to_vec(),
            references: Vec::new(),
        }],
    };
    let mut blocks = vec![Block::Curves(curves)];
    let at = |method: &'static str, n: usize| {
        points.iter().filter(move |point| point.method == method && point.n == n)
    };
    let rows: Vec<_> = at("majority", 1)
        .filter_map(|one| {
            let level = one.level.as_ref()?;
            let many = at("majority", n).find(|point| point.level == one.level)?;
            let any = at("oracle", n).find(|point| point.level == one.level)?;
            let cells = [one, many, any].map(|point| number(point).into());
            Some([vec![level.to_string().into()], cells.to_vec()].concat())
        })
        .collect();
    if !rows.is_empty() {
        blocks.push(Block::Table(Table {
            caption: "By level".to_owned(),
            columns: vec![
                Column::text("level"),
                Column::number("one sample"),
                Column::number(format!("majority of {n}")),
                Column::number(format!("any of {n}")),
            ],
            rows,
            notes: Vec::new(),
        }));
    }
    Section { heading: "What more samples add".to_owned(), blocks }
}

fn graded(verdicts: &BTreeMap<&'static str, u64>, pools: &[Pool]) -> Section {
    let samples: usize = pools.iter().map(Pool::len).sum();
    let rows = Verdict::ALL.iter().map(|verdict| {
        let count = verdicts.get(verdict.name()).copied().unwrap_or_default();
        vec![verdict.name().into(), Number::count(count).into()]
    });
    let table = Table {
        caption: format!("Verdicts of {samples} samples of {} problems", pools.len()),
        columns: vec![Column::text("verdict"), Column::number("samples")],
        rows: rows.collect(),
        notes: vec!["What could not be graded has no part in the accuracies.".to_owned()],
    };
    Section { heading: "How the samples were graded".to_owned(), blocks: vec![Block::Table(table)] }
}
