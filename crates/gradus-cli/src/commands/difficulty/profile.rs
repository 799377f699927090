use std::path::PathBuf;

use clap::ValueEnum;
use gradus::data::{DataError, hash_file};
use gradus::difficulty::{
    Curve, CurvePoint, Joined, Label, LabelsWithout, Outcome, Profile, ProfileSettings, ResultRow,
    TransferCell, TransferGrid, TransferRow, join, paired_difference, reliability, transfer_grid,
};
use gradus::report::{self, Cell, Column, Number, Table};
use gradus::stats::Estimate;
use serde::Serialize;

use super::profile_page::{self, Over, percent, summary};
use super::refit::{Again, Refit};
use super::rows::{CONFIDENCE, DRAWS, read};
use crate::args::Global;
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
/// monotone fit crosses --fall-off.
///
/// Labels to which the model itself contributed flatter its curve. With --responses, what the
/// labels were fitted from, each model is profiled over labels fitted again without its
/// answers and those of its family (--family, else copies and near-copies). Without them the
/// answer says that it cannot be told; --contributors names those who made the labels, and
/// models among them are pointed out.
///
/// With --paired A,B the difference A - B is a curve over the problems that both tried. With
/// --grid RESULTS has `trained_on`, and optionally `tested_on` (else the class of the label)
/// and `seed`; the answer is a grid of accuracies, and with --baseline NAME the differences
/// from models trained on NAME.
///
/// Examples:
///   gradus difficulty profile results.jsonl --labels labels.jsonl
///   gradus difficulty profile results.csv --labels labels.jsonl --responses logs.csv --html profiles.html
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
    #[arg(long, value_name = "FILE", conflicts_with = "responses")]
    contributors: Option<PathBuf>,
    /// File for the profiles as a page.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["grid", "paired"])]
    html: Option<PathBuf>,
    #[command(flatten)]
    refit: Refit,
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
    fn over(self) -> Over {
        match self {
            Self::Rating => Over { label: "rating", decimals: 1 },
            Self::Quantile => Over { label: "share of easier problems", decimals: 1 },
            Self::Unnorm => Over { label: "difficulty", decimals: 1 },
        }
    }

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
    /// The model is among the respondents of the labels; null where they are not known.
    in_labels: Option<bool>,
    /// How the labels were made again without the model; null where they are as given.
    refit: Option<Without>,
    /// The share of the variance of the labels that is not their error.
    reliability: Option<f64>,
    unscored: u64,
    unlabelled: u64,
}

/// Labels made again.
#[derive(Clone, Copy, Serialize)]
struct Without {
    /// Respondents whose answers made them.
    respondents: u64,
    /// Respondents left out beside the model: its family, or those who answer as it does.
    relatives: usize,
    /// Scored rows of the model without a label now.
    unlabelled: u64,
}

/// A comparison as a line of JSON.
#[derive(Serialize)]
struct Paired<'a> {
    first: &'a str,
    second: &'a str,
    difference: Estimate,
    curve: Curve,
    /// How the labels were made again without both; null where they are as given.
    refit: Option<Without>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    if !(args.span > 0.0 && args.span <= 1.0) {
        return Err(Failure::usage(format!("--span {}: expected above 0, up to 1", args.span)));
    }
    let labels: Vec<Label> = read(&args.labels)?;
    if args.grid {
        let rows: Vec<TransferRow> = read(&args.results)?;
        let baseline = args.baseline.as_deref();
        return grid(&transfer_grid(rows, &labels, baseline, DRAWS, CONFIDENCE, args.seed));
    }
    let again = args.refit.again(&labels, global)?;
    let rows: Vec<ResultRow> = read(&args.results)?;
    let joined = join(rows.iter().cloned(), &labels, args.axis.place());
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
    let results = Results { rows, labels, joined, again, axis: args.axis };
    match &args.paired[..] {
        [first, second] => paired(first, second, &results, &settings),
        [] => profiles(args, results, &settings),
        other => {
            let found = other.join(",");
            Err(Failure::usage(format!("--paired {found}: expected two models, as A,B")))
        }
    }
}

/// Results with the labels they are joined to.
struct Results {
    rows: Vec<ResultRow>,
    labels: Vec<Label>,
    joined: Joined,
    again: Option<Again<'static>>,
    axis: Axis,
}

impl Results {
    /// Some models' results over labels made again without them; `None` where they are no
    /// respondents.
    fn without(&self, models: &[&str]) -> Result<Option<(Joined, Without)>, Failure> {
        let Some(again) = &self.again else { return Ok(None) };
        let Some(LabelsWithout { labels, relatives }) = again.without(models)? else {
            return Ok(None);
        };
        let own = self.rows.iter().filter(|row| models.contains(&row.model.as_str()));
        let joined = join(own.cloned(), &labels, self.axis.place());
        let has =
            |joined: &Joined, model: &str| joined.models.iter().any(|(name, _)| name == model);
        if let Some(missing) =
            models.iter().find(|model| has(&self.joined, model) && !has(&joined, model))
        {
            return Err(Failure::rows(format!(
                "{missing}: no problem that it tried has a difficulty without its answers"
            )));
        }
        let respondents = labels.first().map_or(0, |label| label.respondents);
        let unlabelled = joined.unlabelled;
        Ok(Some((joined, Without { respondents, relatives, unlabelled })))
    }
}

fn profiles(
    args: &Args,
    mut results: Results,
    settings: &ProfileSettings,
) -> Result<Output, Failure> {
    let contributors =
        match &args.contributors {
            None => None,
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                Failure::rows(format!("cannot read {}: {error}", file.display()))
            })?),
        };
    let mut refits: Vec<Option<Without>> = Vec::new();
    for number in 0..results.joined.models.len() {
        let model = results.joined.models[number].0.clone();
        let found = results.without(&[&model])?;
        refits.push(found.as_ref().map(|(_, without)| *without));
        if let Some((joined, _)) = found {
            results.joined.models[number].1 =
                joined.models.into_iter().next().map(|(_, outcomes)| outcomes).unwrap_or_default();
        }
    }
    let joined = &results.joined;
    let mut found: Vec<(Profile, Option<Without>)> = Vec::new();
    for ((model, outcomes), refit) in joined.models.iter().zip(&refits) {
        let all: Vec<&Outcome> = outcomes.iter().collect();
        let mut add = |domain: Option<&str>, outcomes: &[&Outcome]| {
            let profile = Profile::of(model, domain, outcomes, settings);
            found.extend(profile.map(|profile| (profile, *refit)));
        };
        add(None, &all);
        if args.by_domain {
            let mut domains: Vec<&str> =
                outcomes.iter().filter_map(|outcome| outcome.domain.as_deref()).collect();
            domains.sort_unstable();
            domains.dedup();
            for domain in domains {
                let inside = |outcome: &&Outcome| outcome.domain.as_deref() == Some(domain);
                let inside: Vec<&Outcome> = outcomes.iter().filter(inside).collect();
                add(Some(domain), &inside);
            }
        }
    }
    let in_labels = |model: &str, refit: Option<Without>| match (&results.again, &contributors) {
        (Some(_), _) => Some(refit.is_some()),
        (None, Some(names)) => Some(names.lines().any(|name| name.trim() == model)),
        (None, None) => None,
    };
    let reliability = reliability(&results.labels);
    let line = |(profile, refit): &(Profile, Option<Without>)| {
        json_line(&Line {
            profile,
            in_labels: in_labels(&profile.model, *refit),
            refit: *refit,
            reliability,
            unscored: joined.unscored,
            unlabelled: joined.unlabelled,
        })
    };
    let mut facts = facts(joined, reliability);
    facts.extend(made_by(&results, &refits, contributors.as_deref()));
    let json = found.iter().map(line).collect();
    let found: Vec<Profile> = found.into_iter().map(|(profile, _)| profile).collect();
    let mut notes = Vec::new();
    if let Some(file) = &args.html {
        let hash = |path: &PathBuf| -> Result<Vec<(String, String)>, Failure> {
            if !path.is_file() {
                return Ok(Vec::new());
            }
            Ok(vec![(format!("sha256 of {}", path.display()), hash_file(path)?)])
        };
        let mut inputs = hash(&args.results)?;
        inputs.extend(hash(&args.labels)?);
        let page = profile_page::page(&found, args.axis.over(), &facts, inputs);
        let io = |source| DataError::Io { action: "write", path: file.clone(), source };
        std::fs::write(file, report::html(&page)).map_err(io)?;
        notes.push(format!("the page is {}", file.display()));
    }
    let mut human = vec![Block::Table(summary(&found))];
    for profile in &found {
        human.push(Block::Text("\n".into()));
        human.push(Block::Table(curve_table(profile)));
    }
    human.push(Block::Text(format!("\n{}\n", facts.join("\n"))));
    Ok(Output {
        human,
        json,
        quiet: found
            .iter()
            .map(|profile| {
                let fall_off = profile.fall_off.difficulty;
                let fall_off = fall_off.map_or("-".to_owned(), |place| place.to_string());
                let domain = profile.domain.as_deref().unwrap_or("-");
                format!("{}\t{domain}\t{}\t{fall_off}", profile.model, profile.accuracy.value)
            })
            .collect(),
        notes,
        exit: ExitCode::Done,
    })
}

fn facts(joined: &Joined, reliability: Option<f64>) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(reliability) = reliability {
        facts.push(format!(
            "Reliability of the labels {reliability:.2}: errors of labels flatten every curve."
        ));
    }
    if joined.unscored > 0 {
        facts.push(format!("{} rows have no score and are not counted.", joined.unscored));
    }
    if joined.unlabelled > 0 {
        facts.push(format!(
            "{} rows are of problems without a label and are not counted: {} ...",
            joined.unlabelled,
            joined.unlabelled_examples.join(", ")
        ));
    }
    facts
}

/// Who made the labels, and what that does to the curves.
fn made_by(
    results: &Results,
    refits: &[Option<Without>],
    contributors: Option<&str>,
) -> Vec<String> {
    let models = results.joined.models.iter().map(|(model, _)| model.as_str());
    if results.again.is_some() {
        let own = models.zip(refits).filter_map(|(model, refit)| Some((model, (*refit)?)));
        let fact = |(model, without): (&str, Without)| {
            let mut fact = format!(
                "{model}: over labels from the other {} respondents, without its own answers",
                without.respondents
            );
            if without.relatives > 0 {
                fact += &format!(" and those of {} relatives", without.relatives);
            }
            if without.unlabelled > 0 {
                fact += &format!("; {} of its rows have no label then", without.unlabelled);
            }
            fact + "."
        };
        return own.map(fact).collect();
    }
    let Some(names) = contributors else {
        return vec![
            "Whether these models helped to make the labels, which would flatter their curves, cannot be \
             told: give --responses, or --contributors."
                .to_owned(),
        ];
    };
    let leaking: Vec<&str> =
        models.filter(|model| names.lines().any(|name| name.trim() == *model)).collect();
    if leaking.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "These models helped to make the labels, which flatters their curves: {}. Give --responses to fit \
         the labels again without them.",
        leaking.join(", ")
    )]
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
    results: &Results,
    settings: &ProfileSettings,
) -> Result<Output, Failure> {
    let found = results.without(&[first, second])?;
    let (joined, refit) = match &found {
        Some((joined, refit)) => (joined, Some(*refit)),
        None => (&results.joined, None),
    };
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
        json: vec![json_line(&Paired { first, second, difference, curve, refit })],
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
