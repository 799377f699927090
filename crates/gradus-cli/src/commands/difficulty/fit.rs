use std::path::{Path, PathBuf};

use gradus::data::DataError;
use gradus::difficulty::FewRespondents;
use gradus::difficulty::irt::{
    self, AsymptotePrior, FamilyStudy, Fit, GroupStudy, Groups, Method, Record, Settings,
    read_items,
};
use gradus::difficulty::responses::{Responses, design};
use gradus::report::{self, ItemResponse, Page, Repeat};
use gradus::run::repeat_line;

use super::respondents::About;
use super::responses::{Reader, input, threads, unknown};
use crate::args::{self, Global};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Format, Output, json_line};
use crate::progress::Counter;

/// Fit an item response model: difficulties and abilities with standard errors
///
/// RESPONSES is a file or a folder: rows of respondent, item and score (CSV, JSONL or
/// Parquet), a matrix with a column an item, a table of patterns with counts, py-irt's JSONL,
/// a folder of lm-eval or inspect logs, or a gradus run. A cell that is not there is missing.
///
/// Models: rasch (slope 1, variance of abilities free), 1pl (one slope), 2pl, 3pl and 4pl
/// (asymptotes under a prior), graded and partial-credit for scores beyond 0 and 1. The
/// difficulty b and the ability are in logits: P = s(a (ability - b)).
///
/// Writes items.csv, respondents.csv, fit.json and report.html into --out. What does not
/// converge, or cannot be identified, is an error and writes nothing. Where that is because
/// the respondents are too few, the files say what the answers show without a model: mean
/// scores with intervals and how the items split; the exit code is then 1.
///
/// With --group each group has its own mean and spread of abilities, the largest (or
/// --reference) being 0 and 1, and every item is tested for being the same in each group as
/// in the reference, by Mantel-Haenszel and by the likelihood ratio: dif.csv has sizes and p
/// with and without adjustment for the number of items (Benjamini and Hochberg).
///
/// With --family the model is fitted again to --draws samples of whole families, and to one
/// respondent of each: items.csv has the errors that follow, fit.json how many independent
/// respondents all are worth. Fine-tunes of one base model are no independent witnesses.
///
/// Examples:
///   gradus difficulty fit responses.csv --model 2pl --out fit
///   gradus difficulty fit logs/ --model rasch --metric acc --out fit --json
///   gradus difficulty fit long.csv --model 2pl --group prompt --family base_model --out fit
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The responses; gzip and zstd are read as they are.
    responses: PathBuf,
    /// The model.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Folder for what is found.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    reader: Reader,
    /// How abilities are estimated: eap, map, ml or wle.
    #[arg(long, default_value = "eap", value_name = "NAME")]
    ability: String,
    /// Items with given parameters (as items.csv): abilities are then on their scale.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Prior of ln discrimination: mean and standard deviation.
    #[arg(long, value_name = "MEAN,SD", value_delimiter = ',', num_args = 1)]
    prior_log_slope: Vec<f64>,
    /// Prior of difficulty: mean and standard deviation.
    #[arg(
        long,
        value_name = "MEAN,SD",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true
    )]
    prior_difficulty: Vec<f64>,
    /// Prior of the logit of the lower asymptote, and of 1 minus the upper: mean and standard
    /// deviation; -1.1,2 by default.
    #[arg(
        long,
        value_name = "MEAN,SD",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true
    )]
    prior_asymptote: Vec<f64>,
    /// Distance of every parameter from where it would end at which estimation ends.
    #[arg(long, default_value_t = 1e-4)]
    tolerance: f64,
    /// Cycles after which estimation gives up.
    #[arg(long, default_value_t = 2000, value_name = "N")]
    cycles: usize,
    /// Leave standard errors out.
    #[arg(long)]
    no_errors: bool,
    /// Column with the group of each respondent; or a table with the columns `respondent` and
    /// `group`.
    #[arg(long, value_name = "COLUMN|FILE", help_heading = "Respondents")]
    group: Option<String>,
    /// The group that the others are compared with.
    #[arg(long, requires = "group", value_name = "NAME", help_heading = "Respondents")]
    reference: Option<String>,
    #[command(flatten)]
    about: About,
    /// Samples of families.
    #[arg(long, default_value_t = 200, value_name = "N", help_heading = "Respondents")]
    draws: usize,
    /// Seed of these samples.
    #[arg(long, default_value_t = 1, help_heading = "Respondents")]
    seed: u64,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let mut settings = settings(args, global)?;
    let method = Method::ALL.into_iter().find(|(name, _)| *name == args.ability);
    let Some((_, method)) = method else {
        return Err(unknown("--ability", &args.ability, "eap, map, ml or wle"));
    };
    let responses = args.reader.read(&args.responses)?;
    let families = args.about.families(&args.responses, &responses)?;
    let groups = match &args.group {
        Some(name) => {
            let values = args.about.values("group", name, &args.responses, &responses)?;
            Some(Groups::new(&responses, &values, args.reference.as_deref())?)
        }
        None => None,
    };
    settings.populations = groups.as_ref().map(|groups| groups.of.clone()).unwrap_or_default();
    let design = design(&responses);
    let fit = match irt::fit(&responses, &settings) {
        Ok(fit) => fit,
        Err(error) => {
            let input = input(&args.responses)?;
            let few = FewRespondents::instead(&error, settings.model.name, &responses, input);
            return few.ok_or(error.into()).and_then(|few| unfitted(args, &responses, &few));
        }
    };
    let mut record =
        Record::new(&fit, &responses, &design, &settings, method, input(&args.responses)?)?;
    if let Some(groups) = groups {
        let counter = Counter::new(global.shown(), "items");
        record.add_groups(GroupStudy::new(
            &responses,
            groups,
            &settings,
            &|group, done, total| {
                counter.see(&format!("differences of {group}"), done, total);
            },
        )?);
    }
    if let Some(families) = families {
        record.add_families(drawn_again(args, global, &responses, families, (&fit, &settings))?);
    }
    let (mut notes, mut human) = (Vec::new(), Vec::new());
    if args.out.is_some() || global.format() == Format::Human {
        let page = page(args, &ItemResponse::new(&record, settings.threads));
        if let Some(folder) = &args.out {
            record.write(folder)?;
            write_page(folder, &page)?;
            let folder = folder.display();
            notes.push(format!("items, respondents, summary and report are in {folder}"));
        }
        human.push(Block::Page(page));
    }
    Ok(Output {
        human,
        json: vec![json_line(&record.summary)],
        quiet: args.out.iter().map(|folder| folder.display().to_string()).collect(),
        notes,
        exit: ExitCode::Done,
    })
}

fn drawn_again(
    args: &Args,
    global: &Global,
    responses: &Responses,
    families: Vec<String>,
    fitted: (&Fit, &Settings),
) -> Result<FamilyStudy, Failure> {
    if args.draws < 2 {
        let found = args.draws;
        return Err(Failure::usage(format!("--draws {found}: expected at least 2")));
    }
    let counter = Counter::new(global.shown(), "fits");
    let done = |done| counter.see("families drawn again", done, args.draws);
    Ok(FamilyStudy::new(responses, families, fitted, args.draws, args.seed, &done)?)
}

/// What so few respondents say without a model: done, but not what was asked for.
fn unfitted(args: &Args, responses: &Responses, few: &FewRespondents) -> Result<Output, Failure> {
    let page = Page {
        title: format!("Answers of {}", args.responses.display()),
        question: "How able is each respondent on these items?".to_owned(),
        lead: few.lead(),
        sections: few.sections(),
        repeat: repeat(&few.version, &few.input),
    };
    let mut notes = vec![format!("not fitted: {}", few.reason)];
    if let Some(folder) = &args.out {
        few.write(responses, folder)?;
        write_page(folder, &page)?;
        let folder = folder.display();
        notes.push(format!("what the answers say without a model is in {folder}"));
    }
    Ok(Output {
        human: vec![Block::Page(page)],
        json: vec![json_line(few)],
        quiet: args.out.iter().map(|folder| folder.display().to_string()).collect(),
        notes,
        exit: ExitCode::ExpectationFailed,
    })
}

fn write_page(folder: &Path, page: &Page) -> Result<(), DataError> {
    let path = folder.join("report.html");
    std::fs::write(&path, report::html(page)).map_err(|source| DataError::Io {
        action: "write",
        path,
        source,
    })
}

fn settings(args: &Args, global: &Global) -> Result<Settings, Failure> {
    let mut settings = Settings::new(irt::model(&args.model)?);
    let pair = |flag: &str, values: &[f64]| match values {
        [] => Ok(None),
        [mean, sd] if mean.is_finite() && *sd > 0.0 => Ok(Some((*mean, *sd))),
        _ => Err(Failure::usage(format!(
            "{flag}: found {values:?}, expected a mean and a standard deviation above 0, as 0,0.5"
        ))),
    };
    settings.priors.log_slope = pair("--prior-log-slope", &args.prior_log_slope)?;
    settings.priors.difficulty = pair("--prior-difficulty", &args.prior_difficulty)?;
    if let Some((mean, sd)) = pair("--prior-asymptote", &args.prior_asymptote)? {
        let prior = Some(AsymptotePrior::Logit { mean, sd });
        (settings.priors.lower, settings.priors.upper) = (prior, prior);
    }
    if !(args.tolerance > 0.0 && args.tolerance.is_finite()) {
        let found = args.tolerance;
        return Err(Failure::usage(format!(
            "--tolerance: found {found}, expected a number above 0"
        )));
    }
    settings.tolerance = args.tolerance;
    settings.most_cycles = args.cycles;
    settings.threads = threads(global);
    settings.standard_errors = !args.no_errors;
    if let Some(path) = &args.anchors {
        let items = read_items(path, settings.model)?.items;
        settings.anchors = items.into_iter().map(|item| (item.name.clone(), item)).collect();
    }
    Ok(settings)
}

/// The report, with how to get it again.
fn page(args: &Args, found: &ItemResponse) -> Page {
    let summary = &found.summary;
    Page {
        title: format!("Items and respondents of {}", args.responses.display()),
        question: "Which items are hard, which look broken, and how able is each respondent?"
            .to_owned(),
        lead: found.lead(),
        sections: found.sections(),
        repeat: repeat(&summary.version, &summary.input),
    }
}

fn repeat(version: &str, input: &[(String, String)]) -> Repeat {
    const MOST_FILES: usize = 12;
    let mut facts = vec![("gradus".to_owned(), version.to_owned())];
    for (path, hash) in input.iter().take(MOST_FILES) {
        facts.push((format!("sha256 of {path}"), hash.clone()));
    }
    if input.len() > MOST_FILES {
        let files = input.len();
        facts.push(("input".to_owned(), format!("{files} files; fit.json has all hashes")));
    }
    let words = std::iter::once("gradus".to_owned()).chain(args::given().into_iter().skip(1));
    Repeat { commands: vec![repeat_line(words)], facts, config: None }
}
