use std::path::PathBuf;

use clap::ValueEnum;
use gradus::difficulty::{
    Curve, CurvePoint, FallOff, Joined, Label, Outcome, Profile, ProfileSettings, TransferCell,
    TransferGrid, TransferRow, join, paired_difference, reliability, transfer_grid,
};
use gradus::report::{Cell, Column, Number, Table};
use gradus::stats::Estimate;
use serde::Serialize;

use super::rows::{CONFIDENCE, DRAWS, read};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Accuracy of models as a curve over difficulty
///
/// RESULTS is CSV or JSONL: `model`, `problem`, and one of `score` (0 to 1), `correct` and
/// `verdict`; optionally `domain`. LABELS is what `gradus difficulty label` wrote. Several
/// rows of a model and problem are averaged.
///
/// The curve is local linear regression with tricube weights over the nearest --span of the
/// problems; beside it stands the non-increasing fit of least squares. Both have 95 %
/// pointwise bands from a bootstrap over problems (2,000 draws), which hold neither the
/// error of the labels nor that of training another model. The fall-off point is where the
/// monotone fit crosses --fall-off. Labels to which the model itself contributed flatter
/// its curve: name their respondents with --respondents, and such models are pointed out.
///
/// With --paired A,B the difference A - B is a curve over the problems that both tried. With
/// --grid RESULTS has `trained_on`, and optionally `tested_on` (else the class of the label)
/// and `seed`; the answer is a grid of accuracies, and with --baseline NAME the differences
/// from models trained on NAME.
///
/// Examples:
///   gradus difficulty profile results.jsonl --labels labels.jsonl
///   gradus difficulty profile results.csv --labels labels.jsonl --by-domain --axis quantile
///   gradus difficulty profile results.csv --labels labels.jsonl --paired small,large --json
///   gradus difficulty profile transfer.csv --labels labels.jsonl --grid --baseline random
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The results; `-` is standard input.
    results: PathBuf,
    /// The labels.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// What the curve runs over.
    #[arg(long, value_enum, default_value_t)]
    axis: Axis,
    /// A profile of each domain as well.
    #[arg(long)]
    by_domain: bool,
    /// Two models to compare over the problems that both tried.
    #[arg(long, value_delimiter = ',', value_name = "A,B", conflicts_with = "grid")]
    paired: Vec<String>,
    /// A grid by class of training and of test problems.
    #[arg(long)]
    grid: bool,
    /// Trained on this, as equally many problems of random difficulty.
    #[arg(long, requires = "grid", value_name = "NAME")]
    baseline: Option<String>,
    /// Names of those whose answers made the labels, one a line.
    #[arg(long, value_name = "FILE")]
    respondents: Option<PathBuf>,
    /// Share of the problems in each neighbourhood, above 0 and up to 1.
    #[arg(long, default_value_t = 0.5)]
    span: f64,
    /// Points of each curve.
    #[arg(long, default_value_t = 21, value_name = "N")]
    points: usize,
    /// Bins of about equal numbers of problems.
    #[arg(long, default_value_t = 10, value_name = "N")]
    bins: usize,
    /// The accuracy below which a model has fallen off.
    #[arg(long, default_value_t = 0.5, value_name = "ACCURACY")]
    fall_off: f64,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Axis {
    /// The rating, 0 to 1.
    #[default]
    Rating,
    /// The share of problems that are easier.
    Quantile,
    /// The difficulty on the scale of its method.
    Unnorm,
}

impl Axis {
    fn place(self) -> fn(&Label) -> f64 {
        match self {
            Self::Rating => |label| label.rating,
            Self::Quantile => |label| label.rating_quantile,
            Self::Unnorm => |label| label.unnorm_rating,
        }
    }
}

/// A profile as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    profile: &'a Profile,
    /// The model is among the respondents of the labels; null where they are not named.
    in_labels: Option<bool>,
    /// The share of the variance of the labels that is not their error.
    reliability: Option<f64>,
    unscored: u64,
    unlabelled: u64,
}

/// A comparison as a line of JSON.
#[derive(Serialize)]
struct Paired<'a> {
    first: &'a str,
    second: &'a str,
    difference: Estimate,
    curve: Curve,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    if !(args.span > 0.0 && args.span <= 1.0) {
        return Err(Failure::usage(format!("--span {}: expected above 0, up to 1", args.span)));
    }
    let labels: Vec<Label> = read(&args.labels)?;
    if args.grid {
        let rows: Vec<TransferRow> = read(&args.results)?;
        let baseline = args.baseline.as_deref();
        return grid(&transfer_grid(rows, &labels, baseline, DRAWS, CONFIDENCE, args.seed));
    }
    let joined = join(read(&args.results)?, &labels, args.axis.place());
    if joined.models.is_empty() {
        let file = args.results.display();
        return Err(Failure::rows(format!(
            "{file}: found no scored result of a labelled problem ({} without a score, {} \
             without a label)",
            joined.unscored, joined.unlabelled
        ))
        .hint("results and labels join by `problem`"));
    }
    let settings = ProfileSettings {
        span: args.span,
        points: args.points,
        bins: args.bins,
        fall_off: args.fall_off,
        draws: DRAWS,
        confidence: CONFIDENCE,
        seed: args.seed,
    };
    match &args.paired[..] {
        [first, second] => paired(first, second, &joined, &settings),
        [] => profiles(args, &labels, &joined, &settings),
        other => {
            let found = other.join(",");
            Err(Failure::usage(format!("--paired {found}: expected two models, as A,B")))
        }
    }
}

fn profiles(
    args: &Args,
    labels: &[Label],
    joined: &Joined,
    settings: &ProfileSettings,
) -> Result<Output, Failure> {
    let respondents =
        match &args.respondents {
            None => None,
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                Failure::rows(format!("cannot read {}: {error}", file.display()))
            })?),
        };
    let mut found = Vec::new();
    for (model, outcomes) in &joined.models {
        let all: Vec<&Outcome> = outcomes.iter().collect();
        found.extend(Profile::of(model, None, &all, settings));
        if args.by_domain {
            let mut domains: Vec<&str> =
                outcomes.iter().filter_map(|outcome| outcome.domain.as_deref()).collect();
            domains.sort_unstable();
            domains.dedup();
            for domain in domains {
                let inside = |outcome: &&Outcome| outcome.domain.as_deref() == Some(domain);
                let inside: Vec<&Outcome> = outcomes.iter().filter(inside).collect();
                found.extend(Profile::of(model, Some(domain), &inside, settings));
            }
        }
    }
    let in_labels = |model: &str| {
        respondents.as_ref().map(|names| names.lines().any(|name| name.trim() == model))
    };
    let reliability = reliability(labels);
    let line = |profile| Line {
        profile,
        in_labels: in_labels(&profile.model),
        reliability,
        unscored: joined.unscored,
        unlabelled: joined.unlabelled,
    };
    let leaking: Vec<&str> = joined
        .models
        .iter()
        .map(|(model, _)| model.as_str())
        .filter(|model| in_labels(model) == Some(true))
        .collect();
    let mut human = vec![Block::Table(summary(&found))];
    for profile in &found {
        human.push(Block::Text("\n".into()));
        human.push(Block::Table(curve_table(profile)));
    }
    human.push(Block::Text(format!("\n{}", facts(joined, reliability, &leaking))));
    Ok(Output {
        human,
        json: found.iter().map(|profile| json_line(&line(profile))).collect(),
        quiet: found
            .iter()
            .map(|profile| {
                let fall_off = profile.fall_off.difficulty;
                let fall_off = fall_off.map_or("-".to_owned(), |place| place.to_string());
                let domain = profile.domain.as_deref().unwrap_or("-");
                format!("{}\t{domain}\t{}\t{fall_off}", profile.model, profile.accuracy.value)
            })
            .collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}

fn facts(joined: &Joined, reliability: Option<f64>, leaking: &[&str]) -> String {
    let mut text = String::new();
    if let Some(reliability) = reliability {
        text += &format!(
            "Reliability of the labels {reliability:.2}: errors of labels flatten every curve.\n"
        );
    }
    if joined.unscored > 0 {
        text += &format!("{} rows have no score and are not counted.\n", joined.unscored);
    }
    if joined.unlabelled > 0 {
        text += &format!(
            "{} rows are of problems without a label and are not counted: {} ...\n",
            joined.unlabelled,
            joined.unlabelled_examples.join(", ")
        );
    }
    if !leaking.is_empty() {
        text += &format!(
            "These models helped to make the labels, which flatters their curves: {}. \
             Make the labels again without them.\n",
            leaking.join(", ")
        );
    }
    text
}

fn percent(Estimate { value, low, high, n }: Estimate) -> Number {
    Number::percent(value).within(low, high).of(n)
}

fn summary(found: &[Profile]) -> Table {
    let fall_off = |of: &FallOff| match of.difficulty {
        None => Cell::absent("not crossed"),
        Some(place) => match (of.low, of.high) {
            (Some(low), Some(high)) => Number::decimal(place, 3).within(low, high).into(),
            _ => Number::decimal(place, 3).into(),
        },
    };
    let row = |profile: &Profile| {
        vec![
            profile.model.clone().into(),
            profile.domain.clone().unwrap_or_else(|| "all".into()).into(),
            percent(profile.accuracy).into(),
            fall_off(&profile.fall_off),
        ]
    };
    let level = found.first().map_or(0.5, |profile| profile.fall_off.level);
    Table {
        caption: "Profiles".into(),
        columns: vec![
            Column::text("model"),
            Column::text("domain"),
            Column::number("accuracy"),
            Column::number(format!("falls below {level} at")),
        ],
        rows: found.iter().map(row).collect(),
        notes: Vec::new(),
    }
}

fn band(point: &CurvePoint) -> Number {
    Number::percent(point.value).within(point.low, point.high)
}

fn curve_table(profile: &Profile) -> Table {
    let domain = profile.domain.as_ref().map_or(String::new(), |domain| format!(", {domain}"));
    let curves = profile.smooth.points.iter().zip(&profile.monotone.points);
    Table {
        caption: format!("{}{domain}: accuracy over difficulty", profile.model),
        columns: vec![
            Column::number("difficulty"),
            Column::number("local regression"),
            Column::number("monotone"),
        ],
        rows: curves
            .map(|(smooth, monotone)| {
                vec![
                    Number::decimal(smooth.difficulty, 3).into(),
                    band(smooth).into(),
                    band(monotone).into(),
                ]
            })
            .collect(),
        notes: Vec::new(),
    }
}

fn paired(
    first: &str,
    second: &str,
    joined: &Joined,
    settings: &ProfileSettings,
) -> Result<Output, Failure> {
    let outcomes = |name: &str| {
        let found = joined.models.iter().find(|(model, _)| model == name);
        let known: Vec<&str> = joined.models.iter().map(|(model, _)| model.as_str()).collect();
        let nobody = || {
            Failure::usage(format!("--paired {name}: no such model, found {}", known.join(", ")))
        };
        found.map(|(_, outcomes)| outcomes).ok_or_else(nobody)
    };
    let pair = paired_difference(outcomes(first)?, outcomes(second)?, settings);
    let Some((difference, curve)) = pair else {
        return Err(Failure::rows(format!("{first} and {second} tried no problem in common")));
    };
    let points = |of: &CurvePoint| Number::points(of.value).within(of.low, of.high);
    let Estimate { value, low, high, n } = difference;
    let table = Table {
        caption: format!("{first} less {second}, paired over {n} problems"),
        columns: vec![Column::number("difficulty"), Column::number("difference")],
        rows: curve
            .points
            .iter()
            .map(|point| vec![Number::decimal(point.difficulty, 3).into(), points(point).into()])
            .chain([vec!["all".into(), Number::points(value).within(low, high).into()]])
            .collect(),
        notes: Vec::new(),
    };
    Ok(Output {
        human: vec![Block::Table(table)],
        quiet: vec![format!("{value}\t{low}\t{high}")],
        json: vec![json_line(&Paired { first, second, difference, curve })],
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}

fn grid(grid: &TransferGrid) -> Result<Output, Failure> {
    if grid.cells.is_empty() {
        return Err(Failure::rows(format!(
            "no row has a score and a class of test problems ({} without a score, {} without a \
             class)",
            grid.unscored, grid.unplaced
        ))
        .hint("rows need `tested_on`, or labels that were made with --cut"));
    }
    let row = |cell: &TransferCell| {
        let over = |Estimate { value, low, high, .. }: Estimate| {
            Cell::from(Number::points(value).within(low, high))
        };
        vec![
            cell.trained_on.clone().into(),
            cell.tested_on.clone().into(),
            percent(cell.accuracy).into(),
            Number::count(cell.seeds).into(),
            cell.over_baseline.map_or_else(|| Cell::absent("-"), over),
        ]
    };
    let table = Table {
        caption: "Trained on one class, tested on another".into(),
        columns: vec![
            Column::text("trained on"),
            Column::text("tested on"),
            Column::number("accuracy"),
            Column::number("seeds"),
            Column::number("over baseline"),
        ],
        rows: grid.cells.iter().map(row).collect(),
        notes: vec![format!(
            "{} rows without a score and {} without a class are not counted.",
            grid.unscored, grid.unplaced
        )],
    };
    Ok(Output {
        human: vec![Block::Table(table)],
        json: grid.cells.iter().map(json_line).collect(),
        quiet: grid
            .cells
            .iter()
            .map(|cell| format!("{}\t{}\t{}", cell.trained_on, cell.tested_on, cell.accuracy.value))
            .collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}
