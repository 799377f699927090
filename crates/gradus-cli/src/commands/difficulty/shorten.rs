use std::path::PathBuf;

use gradus::data;
use gradus::difficulty::irt::held_out::{Measured, Plan, Shortened, shorten};
use gradus::difficulty::irt::short_form::Choice;
use gradus::difficulty::irt::{self, Settings};
use gradus::difficulty::responses::{Responses, design};
use gradus::report::{Column, Number, Table};
use serde::Serialize;

use super::respondents::{About, numbered};
use super::responses::{Reader, missing_note, threads, unknown};
use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Choose a few items that stand for all, and measure how far the predicted score is off
///
/// Some of the respondents are held out. The others calibrate the items, from which a fixed
/// short form of each --items is chosen:
///   information  the most informative item at each of N quantiles of ability
///   anchor       the item nearest to each of N cluster centres, weighted by cluster size
///   random       any items
///   stratified   one at random from each of N bands of difficulty
/// From their answers to the form alone the mean score of the held-out respondents on all
/// items is predicted: by the `mean` of the answers (weighted), by `p-irt` (the model's
/// expected scores where there is no answer), and by `gp-irt`, a mixture of the two. The
/// mean of the most informative items is biased, and so is its mixture: use their p-irt.
///
/// The error is the mean absolute difference from the score they really have, in units of
/// the score, with a 95 % bootstrap interval over held-out respondents. Beside it stand 20
/// random and 20 stratified forms of as many items. Copies and near-copies of each other,
/// and with --family all of a family, are held out together and drawn together.
///
/// Respondents who left something out calibrate, but cannot be held out.
///
/// Examples:
///   gradus difficulty shorten responses.csv --items 25,50,100 --out forms
///   gradus difficulty shorten logs/ --metric acc --items 100 --by anchor --holdout 0.3
///   gradus difficulty shorten long.csv --items 50 --family base_model --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The responses, in any form that `fit` reads.
    responses: PathBuf,
    /// Numbers of items, one short form each.
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1, required = true)]
    items: Vec<usize>,
    /// How items are chosen: information, anchor, random or stratified.
    #[arg(long, default_value = "information", value_name = "CHOICE")]
    by: String,
    /// The model the items are calibrated with.
    #[arg(long, default_value = "2pl", value_name = "NAME")]
    model: String,
    /// Share of the respondents (of the families, with --family) held out.
    #[arg(long, default_value_t = 0.25, value_name = "SHARE")]
    holdout: f64,
    /// Seed of who is held out and of what is chosen at random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the forms, `form-N.jsonl`: `item` and `weight`, its share of all items.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    reader: Reader,
    #[command(flatten)]
    about: About,
}

/// One item of a form.
#[derive(Serialize)]
struct Chosen<'a> {
    item: &'a str,
    weight: f64,
}

/// One form with what was measured.
#[derive(Serialize)]
struct Line<'a> {
    items: usize,
    by: &'a str,
    model: &'static str,
    seed: u64,
    calibration: usize,
    held_out: usize,
    groups: usize,
    left_out: usize,
    constant: usize,
    unknown: usize,
    gp_irt_weight: f64,
    coverage: f64,
    form: Vec<Chosen<'a>>,
    errors: &'a [irt::held_out::PredictionError],
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let choice = Choice::ALL.into_iter().find(|(name, _)| *name == args.by);
    let Some((_, choice)) = choice else {
        return Err(unknown("--by", &args.by, "information, anchor, random or stratified"));
    };
    let mut settings = Settings::new(irt::model(&args.model)?);
    settings.threads = threads(global);
    let responses = args.reader.read(&args.responses)?;
    let groups = groups(args, &responses)?;
    let plan =
        Plan { choice, counts: &args.items, share: args.holdout, groups: &groups, seed: args.seed };
    let found = shorten(&responses, &settings, &plan)?;
    let lines: Vec<Line<'_>> = found
        .forms
        .iter()
        .map(|form| line(args, settings.model.name, &responses, &found, form))
        .collect();
    let mut notes: Vec<String> = missing_note(&responses).into_iter().collect();
    let mut files = Vec::new();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::usage(format!("cannot create {}: {error}", folder.display()))
        })?;
        for line in &lines {
            let file = folder.join(format!("form-{}.jsonl", line.items));
            data::write_all(&file, &line.form)?;
            files.push(file.display().to_string());
        }
        notes.push(format!("the forms are in {}", folder.display()));
    }
    let mut human = vec![Block::Text(facts(args, &found))];
    for form in &found.forms {
        human.push(Block::Table(table(args, form)));
        human.push(Block::Text("\n".into()));
    }
    let names = lines.iter().flat_map(|line| line.form.iter().map(|chosen| chosen.item.to_owned()));
    Ok(Output {
        human,
        json: lines.iter().map(json_line).collect(),
        quiet: if files.is_empty() { names.collect() } else { files },
        notes,
        exit: ExitCode::Done,
    })
}

/// The family of each respondent, or its copies and near-copies, as a number.
fn groups(args: &Args, responses: &Responses) -> Result<Vec<usize>, Failure> {
    let families = args.about.families(&args.responses, responses)?;
    Ok(families.map_or_else(
        || design(responses).relatives(responses.respondents().len()),
        |families| numbered(&families),
    ))
}

fn line<'a>(
    args: &'a Args,
    model: &'static str,
    responses: &'a Responses,
    found: &Shortened,
    form: &'a Measured,
) -> Line<'a> {
    let chosen = |&(item, weight): &(usize, f64)| Chosen { item: &responses.items()[item], weight };
    Line {
        items: form.count,
        by: &args.by,
        model,
        seed: args.seed,
        calibration: found.calibration,
        held_out: found.held_out,
        groups: found.groups,
        left_out: found.left_out,
        constant: found.constant,
        unknown: found.unknown,
        gp_irt_weight: form.gp_irt_weight,
        coverage: form.coverage,
        form: form.items.iter().map(chosen).collect(),
        errors: &form.errors,
    }
}

fn facts(args: &Args, found: &Shortened) -> String {
    let mut text = format!(
        "{} respondents calibrated the items under {}; {} in {} groups were held out.\n",
        found.calibration, args.model, found.held_out, found.groups
    );
    if found.left_out > 0 {
        text += &format!(
            "{} of the held-out groups are of no use: they left items out, or have a score that nobody \
             of the calibration has.\n",
            found.left_out
        );
    }
    if found.constant > 0 {
        text += &format!(
            "{} items had the same score throughout the calibration and are predicted as that.\n",
            found.constant
        );
    }
    if found.unknown > 0 {
        text +=
            &format!("{} items without an answer there are no part of the score.\n", found.unknown);
    }
    text + "\n"
}

fn table(args: &Args, form: &Measured) -> Table {
    let decimal = |estimate: gradus::stats::Estimate| {
        Number::decimal(estimate.value, 4).within(estimate.low, estimate.high)
    };
    let rows = form.errors.iter().map(|error| {
        let form = match error.form {
            "chosen" => args.by.clone(),
            other => format!("{other}, mean of {}", error.forms),
        };
        vec![
            form.into(),
            error.estimator.name().into(),
            decimal(error.error).into(),
            decimal(error.less_than_random).into(),
        ]
    });
    let coverage = 100.0 * form.coverage;
    Table {
        caption: format!("{} items", form.count),
        columns: vec![
            Column::text("chosen by"),
            Column::text("predicted by"),
            Column::number("mean absolute error"),
            Column::number("less than random"),
        ],
        rows: rows.collect(),
        notes: vec![format!(
            "p-irt was within 1.96 of its standard errors for {coverage:.0} % of the held-out respondents; \
             gp-irt gives the mean the weight {:.2}.",
            form.gp_irt_weight
        )],
    }
}
