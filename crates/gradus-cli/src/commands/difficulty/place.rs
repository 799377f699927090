use std::path::PathBuf;

use gradus::difficulty::irt::{self, Method, Population, read_items};
use gradus::report::{Cell, Column, Table};
use serde::Serialize;

use super::responses::{Reader, missing_note, threads, unknown};
use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Place respondents on the scale of items that are calibrated, from a few of their answers
///
/// ITEMS is the items.csv of a fit. The mean score over all its items is predicted from
/// the ability (the expected scores at it, p-IRT), which a few answers already allow.
///
/// Examples:
///   gradus difficulty place answers.csv --items fit/items.csv --model 2pl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Answers of the new respondents, in any form that `fit` reads.
    responses: PathBuf,
    /// The calibrated items.
    #[arg(long, value_name = "FILE")]
    items: PathBuf,
    /// The model they were calibrated with.
    #[arg(long, default_value = "2pl", value_name = "NAME")]
    model: String,
    #[command(flatten)]
    reader: Reader,
    /// How abilities are estimated: eap, map, ml or wle.
    #[arg(long, default_value = "eap", value_name = "NAME")]
    ability: String,
    /// Mean and standard deviation of the population, for eap and map.
    #[arg(
        long,
        value_name = "MEAN,SD",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true,
        default_value = "0,1"
    )]
    population: Vec<f64>,
}

#[derive(Serialize)]
struct Placed {
    respondent: String,
    ability: Option<f64>,
    se: Option<f64>,
    method: &'static str,
    n: usize,
    unknown_items: usize,
    predicted_score: Option<f64>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let model = irt::model(&args.model)?;
    let method = Method::ALL.into_iter().find(|(name, _)| *name == args.ability);
    let Some((name, method)) = method else {
        return Err(unknown("--ability", &args.ability, "eap, map, ml or wle"));
    };
    let population = population(&args.population)?;
    let bank = read_items(&args.items, model)?;
    let responses = args.reader.read(&args.responses)?;
    let known: std::collections::HashSet<&str> =
        bank.items.iter().map(|item| item.name.as_str()).collect();
    if !responses.items().iter().any(|item| known.contains(item.as_str())) {
        return Err(Failure::rows(format!(
            "{}: none of its {} items is in {}, expected at least one",
            args.responses.display(),
            responses.items().len(),
            args.items.display()
        )));
    }
    let scored = bank.score_all(&responses, method, population, threads(global))?;
    let placed: Vec<Placed> = scored
        .into_iter()
        .enumerate()
        .map(|(respondent, scored)| {
            let ability = scored.map(|scored| scored.ability).filter(|ability| ability.is_finite());
            let n = scored.map_or(0, |scored| scored.answers);
            Placed {
                respondent: responses.respondents()[respondent].clone(),
                ability,
                se: scored.and_then(|scored| scored.se),
                method: name,
                n,
                unknown_items: responses.row(respondent).0.len() - n,
                predicted_score: ability.map(|ability| {
                    let items = 0..bank.items.len();
                    let expected =
                        items.map(|item| bank.expected_score(item, ability)).sum::<f64>();
                    expected / bank.items.len() as f64
                }),
            }
        })
        .collect();
    let mut output = output(&placed);
    output.notes.extend(missing_note(&responses));
    Ok(output)
}

/// The population that --population names.
pub(super) fn population(found: &[f64]) -> Result<Population, Failure> {
    match *found {
        [mean, sd] if mean.is_finite() && sd.is_finite() && sd > 0.0 => Ok(Population { mean, sd }),
        _ => {
            let expected = "a mean and a standard deviation above 0, as 0,1";
            Err(Failure::usage(format!("--population: found {found:?}, expected {expected}")))
        }
    }
}

fn output(placed: &[Placed]) -> Output {
    let number = |value: Option<f64>| -> Cell {
        value.map_or_else(|| Cell::absent("-"), |value| format!("{value:.3}").into())
    };
    let table = Table {
        caption: "Placed".into(),
        columns: ["respondent", "ability", "standard error", "answers", "predicted mean score"]
            .map(Column::text)
            .into(),
        rows: placed
            .iter()
            .map(|row| {
                vec![
                    row.respondent.as_str().into(),
                    number(row.ability),
                    number(row.se),
                    row.n.to_string().into(),
                    number(row.predicted_score),
                ]
            })
            .collect(),
        notes: Vec::new(),
    };
    let unknown: usize = placed.iter().map(|row| row.unknown_items).sum();
    Output {
        human: vec![Block::Table(table)],
        json: placed.iter().map(json_line).collect(),
        quiet: placed.iter().filter_map(|row| row.ability).map(|at| at.to_string()).collect(),
        notes: (unknown > 0)
            .then(|| {
                format!("{unknown} answers were to items that are not in the file, and not used")
            })
            .into_iter()
            .collect(),
        exit: ExitCode::Done,
    }
}
