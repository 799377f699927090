use std::path::PathBuf;

use gradus::data;
use gradus::difficulty::irt::adaptive::{
    Administered, Performance, Selection, Stop, Yardstick, next_items, performance, replay,
};
use gradus::difficulty::irt::simulate::{normal_abilities, responses};
use gradus::difficulty::irt::{self, Bank, Method, Population, read_items};
use gradus::difficulty::responses::Responses;
use gradus::report::{Cell, Column, Number, Table};
use gradus::run::Stream;
use gradus::stats::{Estimate, Resamples};
use serde::Serialize;

use super::place::population;
use super::responses::{Reader, missing_note, threads};
use super::rows::DRAWS;
use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};
use crate::progress::Counter;

/// Measure adaptive tests from calibrated items, or say which items to ask next
///
/// ITEMS is the items.csv of a fit. An adaptive test asks next what says most about the
/// ability shown so far. Each of --select is tried on every respondent:
///   information  the most informative item
///   randomesque  one of the --among most informative, at random
///   a-stratified the item nearest in difficulty, flat items first (for --most alone)
///   random       any item: what the others are measured against
/// The respondents are drawn from --population, or are those of --answers, whose answers
/// take the place of asking; what one left out is not asked. Shown are the items used, the
/// difference from the ability of the full test and, where it is known, from the truth,
/// with 95 % bootstrap intervals over respondents, and how evenly items are used.
///
/// With --next N no test is measured: for each respondent of --answers, its ability so far
/// and the N items to ask now. Ask them, add the answers, and run it again.
///
/// Examples:
///   gradus difficulty adapt fit/items.csv --se 0.3
///   gradus difficulty adapt fit/items.csv --model 3pl --most 30 --se 0 --respondents 500
///   gradus difficulty adapt fit/items.csv --answers held-out.csv --se 0.25 --out tests.jsonl
///   gradus difficulty adapt fit/items.csv --answers so-far.csv --next 10 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The calibrated items.
    items: PathBuf,
    /// The model they were calibrated with.
    #[arg(long, default_value = "2pl", value_name = "NAME")]
    model: String,
    /// Answers of respondents, in any form that `fit` reads; else they are drawn.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Only say what to ask next: so many items for each respondent.
    #[arg(long, requires = "answers", value_name = "N")]
    next: Option<usize>,
    /// Ways to choose the next item.
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 1,
        default_value = "information,randomesque,random",
        value_name = "WAYS"
    )]
    select: Vec<String>,
    /// Items that randomesque draws among.
    #[arg(long, default_value_t = 5, value_name = "N")]
    among: usize,
    /// Strata of a-stratified.
    #[arg(long, default_value_t = 4, value_name = "N")]
    strata: usize,
    /// Standard error at which a test ends; 0 for tests of --most items.
    #[arg(long, default_value_t = 0.3, value_name = "LOGITS")]
    se: f64,
    /// Least number of items.
    #[arg(long, default_value_t = 5, value_name = "N")]
    least: usize,
    /// Most items; all by default.
    #[arg(long, value_name = "N")]
    most: Option<usize>,
    /// Respondents to draw.
    #[arg(long, default_value_t = 300, value_name = "N")]
    respondents: usize,
    /// Mean and standard deviation of the population.
    #[arg(
        long,
        value_name = "MEAN,SD",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true,
        default_value = "0,1"
    )]
    population: Vec<f64>,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File for the tests, a row a respondent and way (JSONL).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    reader: Reader,
}

/// What to ask a respondent next.
#[derive(Serialize)]
struct Suggestion<'a> {
    respondent: &'a str,
    ability: f64,
    se: Option<f64>,
    n: usize,
    next: Vec<Asked<'a>>,
}

#[derive(Serialize)]
struct Asked<'a> {
    item: &'a str,
    information: f64,
}

/// How a way of testing does.
#[derive(Serialize)]
struct Line<'a> {
    select: &'a str,
    model: &'static str,
    bank: usize,
    respondents: usize,
    stop_se: f64,
    least: usize,
    most: usize,
    seed: u64,
    #[serde(flatten)]
    performance: Performance,
    /// Items less than by random choice, over the same respondents.
    fewer_than_random: Option<Estimate>,
}

/// One test.
#[derive(Serialize)]
struct TestRow<'a> {
    respondent: &'a str,
    select: &'a str,
    ability: f64,
    se: Option<f64>,
    full_ability: f64,
    items: Vec<&'a str>,
    scores: Vec<f32>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let bank = read_items(&args.items, irt::model(&args.model)?)?;
    if bank.items.is_empty() {
        let file = args.items.display();
        return Err(Failure::rows(format!("{file}: found no item with parameters")));
    }
    let population = population(&args.population)?;
    let answers = args.answers.as_deref().map(|path| args.reader.read(path)).transpose()?;
    match (&answers, args.next) {
        (Some(answers), Some(count)) => ask(&bank, population, answers, count),
        (answers, _) => measure(args, global, &bank, population, answers.as_ref()),
    }
}

fn ask(
    bank: &Bank,
    population: Population,
    answers: &Responses,
    count: usize,
) -> Result<Output, Failure> {
    let rows = bank.answers(answers)?;
    let lines: Vec<Suggestion<'_>> = rows
        .iter()
        .zip(answers.respondents())
        .map(|(given, respondent)| {
            let (at, next) = next_items(bank, population, given, count);
            let asked = |item: usize| Asked {
                item: &bank.items[item].name,
                information: bank.information(item, at.ability),
            };
            let next = next.into_iter().map(asked).collect();
            Suggestion { respondent, ability: at.ability, se: at.se, n: at.answers, next }
        })
        .collect();
    let row = |line: &Suggestion<'_>| {
        let names: Vec<&str> = line.next.iter().map(|asked| asked.item).collect();
        vec![
            line.respondent.into(),
            Number::decimal(line.ability, 2).into(),
            line.se.map_or_else(|| Cell::absent("-"), |se| Number::decimal(se, 2).into()),
            Number::count(line.n as u64).into(),
            names.join(", ").into(),
        ]
    };
    let table = Table {
        caption: "What to ask next".into(),
        columns: vec![
            Column::text("respondent"),
            Column::number("ability"),
            Column::number("standard error"),
            Column::number("answers"),
            Column::text("items, the most informative first"),
        ],
        rows: lines.iter().map(row).collect(),
        notes: Vec::new(),
    };
    let names = |line: &Suggestion<'_>| {
        let names: Vec<&str> = line.next.iter().map(|asked| asked.item).collect();
        format!("{}\t{}", line.respondent, names.join("\t"))
    };
    Ok(Output {
        human: vec![Block::Table(table)],
        json: lines.iter().map(json_line).collect(),
        quiet: lines.iter().map(names).collect(),
        notes: missing_note(answers).into_iter().collect(),
        exit: ExitCode::Done,
    })
}

fn measure(
    args: &Args,
    global: &Global,
    bank: &Bank,
    population: Population,
    answers: Option<&Responses>,
) -> Result<Output, Failure> {
    let ways = ways(args)?;
    let stop = stop(args, bank)?;
    let drawn;
    let (given, truth) = if let Some(given) = answers {
        (given, None)
    } else {
        if args.respondents < 2 {
            let found = args.respondents;
            return Err(Failure::usage(format!("--respondents {found}: expected at least 2")));
        }
        let Population { mean, sd } = population;
        let truth = normal_abilities(args.respondents, mean, sd, args.seed);
        drawn = responses(bank, &truth, args.seed);
        (&drawn, Some(truth))
    };
    let threads = threads(global);
    let full = bank.score_all(given, Method::Eap, population, threads)?;
    let tested: Vec<usize> = (0..full.len()).filter(|&row| full[row].is_some()).collect();
    if tested.is_empty() {
        let message = "none of the respondents answered an item of the bank";
        return Err(Failure::rows(message).hint("items join by name"));
    }
    let full: Vec<f64> = full.iter().flatten().map(|scored| scored.ability).collect();
    let mut stream = Stream::new(args.seed, &["adaptive", "draws"]);
    let resamples = Resamples::new(tested.len(), DRAWS, &mut stream);
    let by = Yardstick { full: &full, truth: truth.as_deref(), se: stop.se, resamples: &resamples };
    let counter = Counter::new(global.shown(), "respondents");
    let mut all: Vec<(&str, Vec<Administered>)> = Vec::new();
    for (name, selection) in ways {
        let total = given.respondents().len();
        let tests =
            replay(bank, given, population, (selection, stop), (args.seed, threads), &|done| {
                counter.see(name, done, total);
            })?;
        all.push((name, tests.into_iter().flatten().collect()));
    }
    let used = |tests: &[Administered]| -> Vec<f64> {
        tests.iter().map(|test| test.answers.len() as f64).collect()
    };
    let random = all.iter().find(|(name, _)| *name == "random").map(|(_, tests)| used(tests));
    let line = |(name, tests): &(&'static str, Vec<Administered>)| {
        let fewer = random.as_ref().filter(|_| *name != "random");
        Some(Line {
            select: name,
            model: bank.model.name,
            bank: bank.items.len(),
            respondents: tests.len(),
            stop_se: stop.se,
            least: stop.least,
            most: stop.most,
            seed: args.seed,
            performance: performance(bank, tests, &by)?,
            fewer_than_random: fewer
                .and_then(|random| resamples.paired(random, &used(tests), super::rows::CONFIDENCE)),
        })
    };
    let lines: Vec<Line<'_>> = all.iter().filter_map(line).collect();
    let mut notes: Vec<String> = missing_note(given).into_iter().collect();
    let left = given.respondents().len() - tested.len();
    if left > 0 {
        notes.push(format!("{left} respondents answered no item of the bank and had no test"));
    }
    if let Some(file) = &args.out {
        let rows = all.iter().flat_map(|(name, tests)| {
            let rows = tests.iter().zip(&tested).zip(&full);
            rows.map(|((test, &row), &full)| test_row(bank, given, name, (test, row, full)))
        });
        data::write_all(file, rows.collect::<Vec<_>>())?;
        notes.push(format!("the tests are in {}", file.display()));
    }
    Ok(Output {
        human: vec![Block::Table(table(&lines, truth.is_some()))],
        json: lines.iter().map(json_line).collect(),
        quiet: lines
            .iter()
            .map(|line| {
                format!(
                    "{}\t{}\t{}",
                    line.select, line.performance.items.value, line.performance.rmse.value
                )
            })
            .collect(),
        notes,
        exit: ExitCode::Done,
    })
}

fn ways(args: &Args) -> Result<Vec<(&'static str, Selection)>, Failure> {
    let known = [
        ("information", Selection::MaximumInformation),
        ("randomesque", Selection::Randomesque(args.among)),
        ("a-stratified", Selection::AStratified(args.strata)),
        ("random", Selection::Random),
    ];
    let one = |name: &String| {
        known.into_iter().find(|(way, _)| way == name).ok_or_else(|| {
            super::responses::unknown(
                "--select",
                name,
                "information, randomesque, a-stratified or random",
            )
        })
    };
    args.select.iter().map(one).collect()
}

fn stop(args: &Args, bank: &Bank) -> Result<Stop, Failure> {
    if !(args.se >= 0.0 && args.se.is_finite()) {
        return Err(Failure::usage(format!("--se {}: expected a number from 0 up", args.se)));
    }
    let most = args.most.unwrap_or(bank.items.len()).min(bank.items.len());
    if most == 0 {
        return Err(Failure::usage("--most 0: expected at least 1"));
    }
    if args.se == 0.0 && args.most.is_none() {
        let message = "--se 0: without a standard error a test ends at --most items alone";
        return Err(Failure::usage(message).hint("give --most"));
    }
    Ok(Stop { se: args.se, least: args.least.min(most), most })
}

fn test_row<'a>(
    bank: &'a Bank,
    given: &'a Responses,
    select: &'a str,
    (test, row, full): (&Administered, usize, f64),
) -> TestRow<'a> {
    let end = test.ability();
    TestRow {
        respondent: &given.respondents()[row],
        select,
        ability: end.map_or(0.0, |at| at.ability),
        se: end.and_then(|at| at.se),
        full_ability: full,
        items: test.answers.iter().map(|&(item, _)| bank.items[item].name.as_str()).collect(),
        scores: test
            .answers
            .iter()
            .map(|&(item, category)| bank.items[item].levels[category])
            .collect(),
    }
}

fn table(lines: &[Line<'_>], truth: bool) -> Table {
    let decimal = |estimate: Estimate, decimals: u8| -> Cell {
        Number::decimal(estimate.value, decimals).within(estimate.low, estimate.high).into()
    };
    let mut columns = vec![Column::text("chosen by"), Column::number("items")];
    columns.push(Column::number("off the full test, rms"));
    if truth {
        columns.push(Column::number("off the truth, rms"));
    }
    columns.extend(["SE reached", "highest use of an item", "overlap"].map(Column::number));
    let row = |line: &Line<'_>| {
        let found = &line.performance;
        let mut row = vec![line.select.into(), decimal(found.items, 1), decimal(found.rmse, 3)];
        if truth {
            row.push(
                found.rmse_of_truth.map_or_else(|| Cell::absent("-"), |rmse| decimal(rmse, 3)),
            );
        }
        row.extend(
            [found.reached.value, found.exposure, found.overlap]
                .map(|share| Number::percent(share).into()),
        );
        row
    };
    let mut notes: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let Estimate { value, low, high, .. } = line.fewer_than_random?;
            let name = line.select;
            Some(format!(
                "{name}: {value:.1} [{low:.1}, {high:.1}] items fewer than by random choice."
            ))
        })
        .collect();
    notes.push(
        "Errors in logits of ability. Overlap: share of items that two tests have in common."
            .into(),
    );
    let caption = lines.first().map_or_else(String::new, |line| {
        format!("Adaptive tests of {} respondents from {} items", line.respondents, line.bank)
    });
    Table { caption, columns, rows: lines.iter().map(row).collect(), notes }
}
