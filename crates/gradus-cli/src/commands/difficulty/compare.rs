use std::path::PathBuf;

use gradus::difficulty::{Agreement, Label, agreement};
use gradus::report::{Cell, Column, Number, Table};
use gradus::stats::Estimate;

use super::rows::{CONFIDENCE, DRAWS, read};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Compare labels of the same problems by different methods
///
/// Spearman's rank correlation and Kendall's tau-b of `unnorm_rating` over the problems that
/// two files share, and the share of problems in the same class where both are cut, each
/// with a 95 % percentile bootstrap over the problems (2,000 draws). Every pair of files is
/// compared. Labels from the same respondents share the noise of their answers, so that
/// they agree more than labels from new respondents would.
///
/// Examples:
///   gradus difficulty compare glicko2.jsonl rasch.jsonl
///   gradus difficulty compare a.jsonl b.jsonl c.jsonl --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Two or more files of labels.
    #[arg(required = true, num_args = 2..)]
    labels: Vec<PathBuf>,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let mut sets: Vec<Vec<Label>> = Vec::new();
    for file in &args.labels {
        let mut labels: Vec<Label> = read(file)?;
        if labels.is_empty() {
            return Err(Failure::rows(format!("{}: found no labels", file.display())));
        }
        // Two files of one method are told apart by their names.
        labels[0].method = format!("{} ({})", labels[0].method, file.display());
        sets.push(labels);
    }
    let mut found = Vec::new();
    for (at, second) in sets.iter().enumerate() {
        for first in &sets[..at] {
            found.push(agreement(first, second, DRAWS, CONFIDENCE, args.seed));
        }
    }
    Ok(output(&found))
}

fn output(found: &[Agreement]) -> Output {
    let cell = |estimate: Option<Estimate>| match estimate {
        None => Cell::absent("not defined"),
        Some(Estimate { value, low, high, .. }) => {
            Number::decimal(value, 3).within(low, high).into()
        }
    };
    let share = |estimate: Option<Estimate>| match estimate {
        None => Cell::absent("not cut"),
        Some(Estimate { value, low, high, .. }) => Number::percent(value).within(low, high).into(),
    };
    let row = |pair: &Agreement| {
        vec![
            pair.first.clone().into(),
            pair.second.clone().into(),
            Number::count(pair.problems).into(),
            cell(pair.spearman),
            cell(pair.kendall_tau_b),
            share(pair.same_class),
        ]
    };
    let alone = |pair: &Agreement| {
        let only = pair.only_first + pair.only_second;
        (only > 0).then(|| {
            format!(
                "{} and {}: {only} problems are in one of the two only and not compared.",
                pair.first, pair.second
            )
        })
    };
    let shared = |pair: &Agreement| {
        pair.same_respondents
            .then(|| format!("{} and {} rest on the same respondents.", pair.first, pair.second))
    };
    let table = Table {
        caption: "Agreement of labels".into(),
        columns: vec![
            Column::text("first"),
            Column::text("second"),
            Column::number("problems"),
            Column::number("Spearman"),
            Column::number("Kendall tau-b"),
            Column::number("same class"),
        ],
        rows: found.iter().map(row).collect(),
        notes: found.iter().flat_map(|pair| [alone(pair), shared(pair)]).flatten().collect(),
    };
    Output {
        human: vec![Block::Table(table)],
        json: found.iter().map(json_line).collect(),
        quiet: found
            .iter()
            .map(|pair| {
                let value = pair.spearman.map_or("-".to_owned(), |of| of.value.to_string());
                format!("{}\t{}\t{value}", pair.first, pair.second)
            })
            .collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}
