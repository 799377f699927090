use std::path::{Path, PathBuf};

use gradus::report::{self, Column, Page, Table};
use gradus::run::{Monitor, Recipe, Resolved, Run, RunOptions};
use gradus_studies::{Study, StudyError};
use serde_json::{Value, json};

use super::env::runs_folder;
use crate::args::{self, Global};
use crate::config::{self, ConfigArgs};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};
use crate::{progress, recipes};

/// Run an experiment, from problems to the report
///
/// A run is one folder of plain files: `run.json` (versions, seeds, every value of the
/// config and where it came from), `results.json`, `report.html`, and the rows of each
/// stage. Stages are kept in `.stages` beside the runs and shared by all runs whose
/// config, inputs and sources agree, so a repeated or interrupted run costs only what is
/// missing. The same seed gives the same `results.json`, byte for byte.
///
/// A value comes from, first to last: a flag, --set, the recipe, the default.
///
/// Examples:
///   gradus run easy-to-hard
///   gradus run easy-to-hard --seed 7 --set hard_samples.n=16
///   gradus run easy-to-hard --limit 50 --out look --dry-run
///   gradus run my-recipe.toml --resume
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A built-in recipe (`gradus list recipes`) or a TOML file.
    #[arg(value_name = "NAME|RECIPE.toml")]
    recipe: String,
    #[command(flatten)]
    config: ConfigArgs,
    /// Go on with the run in --out, or with the newest unfinished one of this recipe and config.
    #[arg(long)]
    resume: bool,
    /// Show what would be done, how large it is, and every key of the config; write nothing.
    #[arg(long)]
    dry_run: bool,
    /// The run directory itself; by default a new folder in GRADUS_RUNS or `runs`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let recipe = recipes::recipe(&args.recipe)?;
    let study = recipes::study(&recipe.study, &recipe.origin)?;
    let resolved = study.resolve(&recipe, &args.config.overrides()?)?;
    if args.dry_run {
        return plan(study, &recipe, &resolved);
    }
    // What cannot be, or is not there, is found before a directory is made.
    study.plan(&resolved.value)?;
    study.check_inputs(&resolved.value)?;
    let monitor = progress::monitor(global.shown())?;
    let run = Run::open(RunOptions {
        recipe: recipe.name.clone(),
        title: recipe.title.clone(),
        analysis: recipe.analysis.clone(),
        seeds: seeds(&resolved.value),
        config: resolved.value.clone(),
        origins: resolved.origins,
        command: command(),
        out: args.out.clone(),
        runs: runs_folder(),
        resume: args.resume,
        threads: rayon::current_num_threads(),
        tool: gradus_studies::tool(),
        monitor: monitor.clone(),
    })?;
    let dir = from_here(run.dir());
    monitor.note(format!("{}: {} into {}", recipe.name, recipe.title, dir.display()));
    match work(study, &resolved.value, &run) {
        Ok((results, page)) => {
            run.finish()?;
            Ok(answer(&dir, &results, page))
        }
        Err(error) => {
            run.fail(&*error, monitor.cancelled())?;
            Err(ended(*error, &dir, &monitor))
        }
    }
}

/// The study with its `results.json` and its page.
fn work(study: &dyn Study, config: &Value, run: &Run) -> Result<(Value, Page), Box<StudyError>> {
    let results = study.run(config, run)?;
    run.write_results(&results).map_err(StudyError::from)?;
    let record = serde_json::to_value(run.record()).expect("a record is plain data");
    let page = study.page(&results, &record)?;
    run.write("report.html", &report::html(&page)).map_err(StudyError::from)?;
    Ok((results, page))
}

/// The seeds of a config: `seeds` of them from `seed` on.
fn seeds(config: &Value) -> Vec<u64> {
    let number = |key: &str, default| config[key].as_u64().unwrap_or(default);
    let first = number("seed", 0);
    (first..first + number("seeds", 1)).collect()
}

/// The command line, for the record and for whoever repeats the run, on another machine maybe.
fn command() -> Vec<String> {
    std::iter::once("gradus".to_owned()).chain(args::given().into_iter().skip(1)).collect()
}

fn plan(study: &dyn Study, recipe: &Recipe, resolved: &Resolved<Value>) -> Result<Output, Failure> {
    let stages = study.plan(&resolved.value)?;
    let table = Table {
        caption: format!("{}: {}", recipe.name, recipe.title),
        columns: vec![Column::text("stage"), Column::text("size")],
        rows: stages
            .iter()
            .map(|stage| vec![stage.name.clone().into(), stage.detail.clone().into()])
            .collect(),
        ..Table::default()
    };
    let config = config::table("Config".into(), &resolved.value, &resolved.origins);
    let json = json!({
        "recipe": recipe.name,
        "stages": stages,
        "config": resolved.value,
        "origins": resolved.origins,
    });
    Ok(Output {
        human: vec![Block::Table(table), Block::Table(config)],
        json: vec![json.to_string()],
        quiet: stages.iter().map(|stage| stage.name.clone()).collect(),
        notes: vec!["dry run: nothing was written".into()],
        exit: ExitCode::Done,
    })
}

/// A path as people type it: relative where it lies below the working directory.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

fn answer(dir: &Path, results: &Value, page: Page) -> Output {
    Output {
        human: vec![Block::Page(page)],
        json: vec![json_line(results)],
        quiet: vec![dir.display().to_string()],
        notes: vec![
            format!("report   {}", dir.join("report.html").display()),
            format!("results  {}", dir.join("results.json").display()),
        ],
        exit: ExitCode::Done,
    }
}

/// The failure of a run that had begun.
fn ended(error: StudyError, dir: &Path, monitor: &Monitor) -> Failure {
    if monitor.cancelled() {
        let message =
            format!("interrupted; finished stages and rows are kept in {}", dir.display());
        let interrupted = Failure::new(ExitCode::Interrupted, message);
        return Failure { passing: true, ..interrupted }.of_work_in(dir);
    }
    Failure::from(error).of_work_in(dir)
}
