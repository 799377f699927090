use std::path::{Path, PathBuf};

use gradus::report::{Cell, Column, Number, Table};
use gradus::run::Stream;
use gradus::stats::{Estimate, bootstrap_strata};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::finished::Finished;
use crate::outcomes::{self, PerProblem, Unpaired, Wanted};
use crate::output::{Block, Output, json_line};

/// Compare two finished runs, row by row of their `selection`: second minus first
///
/// Where both runs hold the outcomes of the same problems, differences are paired over
/// problems, with a 95 % percentile bootstrap (2,000 draws). Elsewhere the runs are taken as
/// independent samples, and the interval of a difference is put together from the two
/// intervals that the runs report (Zou and Donner 2008, "Construction of confidence limits
/// about effect measures", equation 6), which is wider as a rule.
///
/// A regression is a row of the largest n, over all levels, whose whole interval lies
/// below 0; compare then ends with exit code 1. With --fail-under X it does so where
/// such a row's difference is below X, whatever its interval.
///
/// Examples:
///   gradus compare runs/before runs/after
///   gradus compare runs/before runs/after --fail-under -0.02 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run directory that is compared against.
    first: PathBuf,
    /// Run directory that is compared.
    second: PathBuf,
    /// Exit with 1 where a difference is below this, in accuracy (0 to 1).
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    fail_under: Option<f64>,
}

/// The part of a run's selection row that is compared.
#[derive(Clone, Debug, Deserialize)]
struct Selected {
    set: String,
    method: String,
    aggregate: Option<String>,
    n: u64,
    level: Value,
    accuracy: f64,
    low: f64,
    high: f64,
    problems: u64,
}

impl Selected {
    fn is_same_row(&self, other: &Self) -> bool {
        (&self.set, &self.method, &self.aggregate, self.n, &self.level)
            == (&other.set, &other.method, &other.aggregate, other.n, &other.level)
    }
}

/// One compared row.
#[derive(Clone, Debug, Serialize)]
struct Compared {
    set: String,
    method: String,
    aggregate: Option<String>,
    n: u64,
    level: Value,
    first: f64,
    second: f64,
    difference: f64,
    low: f64,
    high: f64,
    problems_first: u64,
    problems_second: u64,
    paired: bool,
}

/// One of the two runs.
struct Side {
    selection: Vec<Selected>,
    /// Name of the evaluator that `selection` is about.
    evaluator: String,
    outcomes: Option<Vec<PerProblem>>,
}

impl Side {
    fn read(dir: &Path) -> Result<Self, Failure> {
        let run = Finished::read(dir)?;
        let selection = Vec::deserialize(&run.results["selection"]).map_err(|error| {
            let place = dir.join("results.json");
            Failure::rows(format!("{}: `selection`: {error}", place.display()))
        })?;
        let evaluator = run.results["headline"]["evaluator"].as_str().unwrap_or_default().into();
        Ok(Self { selection, evaluator, outcomes: outcomes::read(dir, &run.record) })
    }

    fn wanted<'a>(&'a self, row: &'a Selected) -> Wanted<'a> {
        Wanted {
            set: &row.set,
            evaluator: &self.evaluator,
            method: &row.method,
            aggregate: row.aggregate.as_deref(),
            n: row.n,
            level: &row.level,
        }
    }
}

/// Draws of the bootstrap over problems, and the coverage of its intervals.
const DRAWS: usize = 2000;
const CONFIDENCE: f64 = 0.95;

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let (first, second) = (Side::read(&args.first)?, Side::read(&args.second)?);
    let (mut rows, mut unpaired) = (Vec::new(), Vec::new());
    for of_first in &first.selection {
        let same = second.selection.iter().find(|row| row.is_same_row(of_first));
        let Some(of_second) = same else { continue };
        let apart = compared(of_first, of_second);
        rows.push(match paired([&first, &second], of_first) {
            Ok(Estimate { value, low, high, .. }) => {
                Compared { difference: value, low, high, paired: true, ..apart }
            }
            Err(why) => {
                unpaired.push(why);
                apart
            }
        });
    }
    if rows.is_empty() {
        let message = format!(
            "{} and {} share no row of set, method, aggregate, n and level",
            args.first.display(),
            args.second.display()
        );
        return Err(Failure::rows(message));
    }
    let unmatched = first.selection.len() + second.selection.len() - 2 * rows.len();
    let worse = regressions(&rows, args.fail_under);
    Ok(output(args, &rows, unmatched, &worse, &pairing(&unpaired, rows.len())))
}

/// Second minus first over the problems that both runs have.
fn paired([first, second]: [&Side; 2], row: &Selected) -> Result<Estimate, Unpaired> {
    let wanted = [first.wanted(row), second.wanted(row)];
    let outcomes = first.outcomes.as_ref().zip(second.outcomes.as_ref());
    let (of_first, of_second) = outcomes.ok_or(Unpaired::NoOutcomes)?;
    let differences = outcomes::differences(of_first, of_second, wanted)?;
    let mut stream = Stream::new(1, &["compare", &row.set]);
    bootstrap_strata(&differences, DRAWS, CONFIDENCE, &mut stream).ok_or(Unpaired::NoOutcomes)
}

/// How the differences were made, as the note under the table.
fn pairing(unpaired: &[Unpaired], rows: usize) -> String {
    if unpaired.is_empty() {
        return "Differences in points, paired over problems.".into();
    }
    let count = |wanted| unpaired.iter().filter(|&&why| why == wanted).count();
    let reasons = [
        (
            count(Unpaired::NoOutcomes),
            "per-problem outcomes are missing, as in a run kept without its `stages`",
        ),
        (count(Unpaired::OtherProblems), "the runs do not share their problems"),
    ];
    let reasons = reasons.iter().filter(|(rows, _)| *rows > 0);
    let reasons: Vec<String> = reasons
        .map(|(count, why)| match *count {
            count if count == rows => format!("not paired: {why}"),
            count => format!("{count} of {rows} rows not paired: {why}"),
        })
        .collect();
    format!("Differences in points; {}. Unpaired intervals are wide.", reasons.join("; "))
}

/// Second minus first of two independent estimates, by the method of variance estimates
/// recovery (Zou and Donner 2008, equation 6).
fn compared(first: &Selected, second: &Selected) -> Compared {
    let difference = second.accuracy - first.accuracy;
    let down = (second.accuracy - second.low).hypot(first.high - first.accuracy);
    let up = (second.high - second.accuracy).hypot(first.accuracy - first.low);
    Compared {
        set: first.set.clone(),
        method: first.method.clone(),
        aggregate: first.aggregate.clone(),
        n: first.n,
        level: first.level.clone(),
        first: first.accuracy,
        second: second.accuracy,
        difference,
        low: difference - down,
        high: difference + up,
        problems_first: first.problems,
        problems_second: second.problems,
        paired: false,
    }
}

/// Rows of their set's largest n, over all levels, that got worse.
fn regressions(rows: &[Compared], fail_under: Option<f64>) -> Vec<&Compared> {
    let largest = |set: &str| rows.iter().filter(|row| row.set == set).map(|row| row.n).max();
    rows.iter()
        .filter(|row| row.level == "all" && Some(row.n) == largest(&row.set))
        .filter(|row| fail_under.map_or(row.high < 0.0, |bound| row.difference < bound))
        .collect()
}

fn output(
    args: &Args,
    rows: &[Compared],
    unmatched: usize,
    worse: &[&Compared],
    pairing: &str,
) -> Output {
    let shown = rows.iter().filter(|row| row.level == "all");
    let table = Table {
        caption: format!("{} minus {}", args.second.display(), args.first.display()),
        columns: ["set", "method", "aggregate"]
            .map(Column::text)
            .into_iter()
            .chain(["n", "first", "second", "difference"].map(Column::number))
            .collect(),
        rows: shown
            .map(|row| {
                let aggregate = row.aggregate.as_ref();
                vec![
                    row.set.clone().into(),
                    row.method.clone().into(),
                    aggregate.map_or_else(|| Cell::absent("-"), |name| name.clone().into()),
                    Number::count(row.n).into(),
                    Number::percent(row.first).into(),
                    Number::percent(row.second).into(),
                    Number::points(row.difference).within(row.low, row.high).into(),
                ]
            })
            .collect(),
        notes: vec![pairing.into()],
    };
    let mut notes: Vec<String> =
        worse.iter().map(|row| format!("worse: {}", sentence(row))).collect();
    if unmatched > 0 {
        notes.push(format!("{unmatched} rows are in one of the runs only"));
    }
    Output {
        human: vec![Block::Table(table)],
        json: rows.iter().map(json_line).collect(),
        quiet: worse.iter().map(|row| sentence(row)).collect(),
        notes,
        exit: if worse.is_empty() { ExitCode::Done } else { ExitCode::ExpectationFailed },
    }
}

fn sentence(row: &Compared) -> String {
    let aggregate = row.aggregate.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!(
        "{} {}{aggregate} with n = {}: {:+.1} points [{:.1}, {:.1}]",
        row.set,
        row.method,
        row.n,
        row.difference * 100.0,
        row.low * 100.0,
        row.high * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(accuracy: f64, low: f64, high: f64) -> Selected {
        let row = serde_json::json!({
            "set": "hard", "method": "majority", "aggregate": null, "n": 16, "level": "all",
            "accuracy": accuracy, "low": low, "high": high, "problems": 100,
        });
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn the_interval_is_the_one_of_newcombes_worked_example() {
        // Newcombe 1998, "Interval estimation for the difference between independent
        // proportions", table II, method 10, contrast (a): 56/70 - 48/80 = 0.2000,
        // from Wilson intervals, gives 0.0524 to 0.3339.
        let (first, second) = (row(0.6, 0.490_455, 0.700_382), row(0.8, 0.691_834, 0.876_953));
        let compared = compared(&first, &second);
        assert!((compared.difference - 0.2).abs() < 1e-12);
        assert!((compared.low - 0.0524).abs() < 1e-4, "{compared:?}");
        assert!((compared.high - 0.3339).abs() < 1e-4, "{compared:?}");
    }

    #[test]
    fn the_note_says_why_rows_are_not_paired() {
        use Unpaired::{NoOutcomes, OtherProblems};
        assert_eq!(pairing(&[], 2), "Differences in points, paired over problems.");
        let note = pairing(&[NoOutcomes; 2], 2);
        assert!(note.contains("; not paired: per-problem outcomes are missing"), "{note}");
        assert!(!note.contains("do not share"));
        let note = pairing(&[NoOutcomes, OtherProblems], 4);
        assert!(note.contains("1 of 4 rows not paired: the runs do not share"), "{note}");
    }

    #[test]
    fn a_regression_needs_its_whole_interval_below_zero() {
        let worse = [compared(&row(0.8, 0.78, 0.82), &row(0.7, 0.68, 0.72))];
        let unclear = [compared(&row(0.8, 0.7, 0.9), &row(0.75, 0.65, 0.85))];
        assert_eq!(regressions(&worse, None).len(), 1);
        assert!(regressions(&unclear, None).is_empty());
        assert_eq!(regressions(&unclear, Some(-0.02)).len(), 1);
        assert!(regressions(&worse, Some(-0.2)).is_empty());
    }
}
