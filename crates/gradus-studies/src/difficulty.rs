//! From response logs to labelled problems and profiles: the way of *Easy2Hard-Bench*
//! (Ding et al. 2024, [arXiv 2409.18433](https://arxiv.org/abs/2409.18433)), with errors.
//!
//! Responses are fitted by an item response model, the difficulties become standardised
//! labels and classes, and respondents are profiled over them. The paper profiles models
//! on labels that others made; here a respondent's own answers, and those of its copies
//! and near-copies, are taken out and the items fitted again before it is profiled.

mod config;
mod page;
mod profiles;
mod results;

use std::path::{Path, PathBuf};

use gradus::data::{self, DataError};
use gradus::difficulty::irt::{self, Record};
use gradus::difficulty::responses::{Responses, design};
use gradus::difficulty::{
    DifficultyRow, FewRespondents, Label, label, reliability, rounded_difficulty,
};
use gradus::report::{ItemResponse, Page};
use gradus::run::{Override, Recipe, RecipeError, Resolved, Run, Stage};
use serde_json::{Value, json};

use self::config::Config;
use self::profiles::Profiles;
use self::results::Results;
use crate::sampling::{read_json, write_json};
use crate::{PlannedStage, Study, StudyError};

/// The study.
pub(crate) struct Difficulty;

const ITEMS: &str = "items.csv";
const RESPONDENTS: &str = "respondents.csv";
const FIT: &str = "fit.json";
const SHOWN: &str = "shown.json";
const FEW: &str = "few.json";
const LABELS: &str = "labels.jsonl";
const PROFILES: &str = "profiles.json";

impl Study for Difficulty {
    fn name(&self) -> &'static str {
        "difficulty"
    }

    fn summary(&self) -> &'static str {
        "response logs become item difficulties with errors, labels, classes and profiles"
    }

    fn resolve(
        &self,
        recipe: &Recipe,
        overrides: &[Override],
    ) -> Result<Resolved<Value>, RecipeError> {
        crate::resolve::<Config>(recipe, overrides)
    }

    fn plan(&self, config: &Value) -> Result<Vec<PlannedStage>, StudyError> {
        Ok(Config::read(config)?.plan())
    }

    fn check_inputs(&self, config: &Value) -> Result<(), StudyError> {
        Config::read(config)?.read_responses().map(drop)
    }

    fn run(&self, config: &Value, run: &Run) -> Result<Value, StudyError> {
        let config = Config::read(config)?;

        // Responses: a file, or a folder of logs, each hashed.
        let path = Path::new(&config.responses);
        let files = files(path)?;
        let inputs = files.iter().map(|file| run.input(file)).collect::<Result<Vec<_>, _>>()?;
        let responses = config.read_responses()?;

        // Items with standard errors, then labels and classes, then profiles.
        let fit = fit(&config, run, &inputs, &responses)?;
        let few = few(&fit)?;
        let labels = labels(&config, run, &fit, &responses, few.as_ref())?;
        let profiles = profile(&config, run, &fit, &responses, few.as_ref())?;
        for (stage, file) in [(&fit, ITEMS), (&fit, RESPONDENTS), (&fit, FIT), (&labels, LABELS)] {
            run.link(stage, file, file)?;
        }

        let rows: Vec<Label> = data::read_all(labels.path(LABELS))?;
        let results = Results {
            format: 1,
            study: self.name().to_owned(),
            seeds: vec![config.seed],
            normalisation: config.normalisation.clone(),
            reliability: reliability(&rows),
            classes: results::classes(&config, &rows),
            fit: if few.is_some() { None } else { Some(read_json(&fit, SHOWN)?) },
            few,
            profiles: read_json(&profiles, PROFILES)?,
        };
        Ok(serde_json::to_value(results)?)
    }

    fn page(&self, results: &Value, record: &Value) -> Result<Page, StudyError> {
        page::page(results, record)
    }
}

/// The file itself, or all files of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        let io = |source| DataError::Io { action: "read", path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

fn fit(
    config: &Config,
    run: &Run,
    inputs: &[Stage],
    responses: &Responses,
) -> Result<Stage, StudyError> {
    let inputs: Vec<&Stage> = inputs.iter().collect();
    // Names of files and folders can be names of respondents.
    let settings = json!({"path": config.responses, "reading": config.reading_settings(),
        "model": config.model, "ability": config.ability,
        "tolerance": config.tolerance, "cycles": config.cycles});
    run.stage("fit", &inputs, &settings, |work| {
        let settings = config.settings()?;
        let fit = match irt::fit(responses, &settings) {
            Ok(fit) => fit,
            Err(error) => {
                let few = FewRespondents::instead(&error, &config.model, responses, Vec::new());
                let few = few.ok_or(error)?;
                few.write(responses, work.dir())?;
                return write_json(work, FEW, &few);
            }
        };
        let design = design(responses);
        let method = config.method()?;
        let record = Record::new(&fit, responses, &design, &settings, method, Vec::new())?;
        record.write(work.dir())?;
        write_json(work, SHOWN, &ItemResponse::new(&record, settings.threads))
    })
}

/// What the answers say without a model, where there is no fit.
fn few(fit: &Stage) -> Result<Option<FewRespondents>, StudyError> {
    if fit.path(FEW).is_file() { read_json(fit, FEW).map(Some) } else { Ok(None) }
}

fn labels(
    config: &Config,
    run: &Run,
    fit: &Stage,
    responses: &Responses,
    few: Option<&FewRespondents>,
) -> Result<Stage, StudyError> {
    let settings = json!({"normalisation": config.normalisation, "cut": config.cut});
    run.stage("labels", &[fit], &settings, |work| {
        if few.is_some() {
            return Ok(data::write_all(work.path(LABELS), Vec::<Label>::new())?);
        }
        let items = data::read_table(fit.path(ITEMS))?;
        let mut items: Vec<DifficultyRow> = items.collect::<Result<_, _>>()?;
        for item in &mut items {
            item.value = item.value.map(rounded_difficulty);
        }
        let labelling = config.labelling(responses.respondents().to_vec())?;
        let rows = label(&items, &labelling)?;
        Ok::<(), StudyError>(data::write_all(work.path(LABELS), &rows)?)
    })
}

fn profile(
    config: &Config,
    run: &Run,
    fit: &Stage,
    responses: &Responses,
    few: Option<&FewRespondents>,
) -> Result<Stage, StudyError> {
    let settings = json!({"seed": config.seed, "profiles": config.profiles, "cut": config.cut,
        "normalisation": config.normalisation, "span": config.span, "draws": config.draws,
        "confidence": config.confidence});
    run.stage("profiles", &[fit], &settings, |work| {
        if few.is_some() {
            let notes = vec!["no item has a difficulty: the respondents are too few".to_owned()];
            let none = Profiles { notes, ..Profiles::default() };
            return write_json(work, PROFILES, &none);
        }
        let found = Profiles::of(config, responses, |done, total| {
            work.progress(done, total, "respondents")
        })?;
        write_json(work, PROFILES, &found)
    })
}
