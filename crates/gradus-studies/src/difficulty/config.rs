use std::path::Path;

use gradus::difficulty::irt::{self, Method, Settings};
use gradus::difficulty::responses::{self, Duplicates, Reading, Responses, ResponsesError};
use gradus::difficulty::{Cut, Labelling, NORMALISATIONS};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{PlannedStage, StudyError};

/// Config of the study, as recipes give it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Seed of the bootstrap.
    pub(super) seed: u64,
    /// Path of the responses: a file, or a folder of logs.
    pub(super) responses: String,
    /// Form of the responses; `auto` goes by name and first line.
    pub(super) from: String,
    /// Metric (lm-eval) or scorer (inspect); none where the logs have only one.
    pub(super) metric: Option<String>,
    /// Filter (lm-eval), none where the logs have only one; a word in names of stages (gradus).
    pub(super) filter: Option<String>,
    /// What several scores of a respondent on an item come to: error, first, mean or separate.
    pub(super) duplicates: String,
    /// What an answer that could not be read counts as: wrong or missing.
    pub(super) no_answer: String,
    /// Column that names the respondents of rows with verdicts; none for `model`.
    pub(super) respondent: Option<String>,
    /// The item response model.
    pub(super) model: String,
    /// How abilities are estimated.
    pub(super) ability: String,
    /// Distance of every parameter from where it would end at which estimation ends.
    pub(super) tolerance: f64,
    /// Cycles after which estimation gives up.
    pub(super) cycles: usize,
    /// From logits to ratings in 0..1.
    pub(super) normalisation: String,
    /// Shares of the problems at which they are cut into classes, rising.
    pub(super) cut: Vec<f64>,
    /// Most respondents that are profiled; 0 for none.
    pub(super) profiles: usize,
    /// Share of the problems in each neighbourhood of a profile.
    pub(super) span: f64,
    /// Bootstrap draws of an interval.
    pub(super) draws: usize,
    /// Coverage of the intervals.
    pub(super) confidence: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            responses: String::new(),
            from: "auto".to_owned(),
            metric: None,
            filter: None,
            duplicates: "error".to_owned(),
            no_answer: "wrong".to_owned(),
            respondent: None,
            model: "2pl".to_owned(),
            ability: "eap".to_owned(),
            tolerance: 1e-4,
            cycles: 2000,
            normalisation: "min-max".to_owned(),
            cut: vec![1.0 / 3.0, 2.0 / 3.0],
            profiles: 4,
            span: 0.5,
            draws: 1000,
            confidence: 0.95,
        }
    }
}

/// What is wrong with a key.
fn wrong(key: &str, found: impl std::fmt::Display, expected: &str) -> StudyError {
    StudyError::Config(format!("config key {key}: found {found}, expected {expected}"))
}

impl Config {
    /// The checked config of a resolved recipe.
    pub(super) fn read(value: &Value) -> Result<Self, StudyError> {
        let config: Self = serde_json::from_value(value.clone())
            .map_err(|error| StudyError::Config(error.to_string()))?;
        if config.responses.is_empty() {
            let expected = "the path of a file of responses or of a folder of logs; give it with \
                            --set responses=PATH";
            return Err(wrong("responses", "nothing", expected));
        }
        if config.from != "auto" {
            let form = responses::form(&config.from);
            form.map_err(|error| StudyError::Config(format!("config key from: {error}, or auto")))?;
        }
        config.reading()?;
        config.settings()?;
        config.method()?;
        config.labelling(Vec::new())?;
        let rising = config.cut.windows(2).all(|pair| pair[0] < pair[1]);
        if config.cut.is_empty() || !rising || !config.cut.iter().all(|at| (1e-9..1.0).contains(at))
        {
            let found = format!("{:?}", config.cut);
            return Err(wrong("cut", found, "one or more rising shares between 0 and 1"));
        }
        if !(config.span > 0.0 && config.span <= 1.0) {
            return Err(wrong("span", config.span, "a share above 0 and up to 1"));
        }
        if !(config.confidence > 0.0 && config.confidence < 1.0) {
            return Err(wrong("confidence", config.confidence, "a share in 0..1"));
        }
        if config.draws == 0 {
            return Err(wrong("draws", 0, "at least 1"));
        }
        if !(config.tolerance > 0.0 && config.tolerance.is_finite()) {
            return Err(wrong("tolerance", config.tolerance, "a number above 0"));
        }
        Ok(config)
    }

    fn reading(&self) -> Result<Reading, StudyError> {
        let rule = Duplicates::NAMES.into_iter().find(|(name, _)| *name == self.duplicates);
        let Some((_, duplicates)) = rule else {
            return Err(wrong("duplicates", &self.duplicates, "error, first, mean or separate"));
        };
        let no_answer_is_missing = match self.no_answer.as_str() {
            "wrong" => false,
            "missing" => true,
            other => return Err(wrong("no_answer", other, "wrong or missing")),
        };
        let (metric, filter) = (self.metric.clone(), self.filter.clone());
        let respondent = self.respondent.clone();
        Ok(Reading { duplicates, metric, filter, no_answer_is_missing, respondent })
    }

    /// What decides how responses are read, beside the files.
    pub(super) fn reading_settings(&self) -> Value {
        json!({"from": self.from, "metric": self.metric, "filter": self.filter,
            "duplicates": self.duplicates, "no_answer": self.no_answer,
            "respondent": self.respondent})
    }

    /// All responses.
    pub(super) fn read_responses(&self) -> Result<Responses, StudyError> {
        let path = Path::new(&self.responses);
        let reading = self.reading()?;
        let read = || -> Result<Responses, ResponsesError> {
            let form = match self.from.as_str() {
                "auto" => responses::recognise(path)?,
                name => responses::form(name)?,
            };
            (form.read)(path, &reading)
        };
        Ok(read()?)
    }

    /// How the model is fitted.
    pub(super) fn settings(&self) -> Result<Settings, StudyError> {
        let model = irt::model(&self.model);
        let model =
            model.map_err(|error| StudyError::Config(format!("config key model: {error}")))?;
        let mut settings = Settings::new(model);
        settings.tolerance = self.tolerance;
        settings.most_cycles = self.cycles;
        settings.threads = rayon::current_num_threads();
        Ok(settings)
    }

    pub(super) fn method(&self) -> Result<Method, StudyError> {
        let method = Method::ALL.into_iter().find(|(name, _)| *name == self.ability);
        let method = method.ok_or_else(|| wrong("ability", &self.ability, "eap, map, ml or wle"));
        Ok(method?.1)
    }

    /// How labels are made of difficulties that rest on the answers of `respondents`.
    pub(super) fn labelling(
        &self,
        respondents: Vec<String>,
    ) -> Result<Labelling<'static>, StudyError> {
        let normalisation = NORMALISATIONS.iter().find(|row| row.name == self.normalisation);
        let Some(normalisation) = normalisation else {
            let names: Vec<&str> = NORMALISATIONS.iter().map(|row| row.name).collect();
            return Err(wrong("normalisation", &self.normalisation, &names.join(", ")));
        };
        let cut = Some(Cut::Quantiles(self.cut.clone()));
        Ok(Labelling { normalisation, cut, method: self.model.clone(), respondents })
    }

    /// What the classes are called, from easy to hard.
    pub(super) fn class_names(&self) -> Vec<String> {
        Cut::Quantiles(self.cut.clone()).class_names()
    }

    /// What a run would do, in order.
    pub(super) fn plan(&self) -> Vec<PlannedStage> {
        let stage = |name: &str, detail: String| PlannedStage { name: name.to_owned(), detail };
        vec![
            stage("fit", format!("{} on {}", self.model, self.responses)),
            stage("labels", format!("{}, in {} classes", self.normalisation, self.cut.len() + 1)),
            stage("profiles", format!("up to {} respondents, one more fit each", self.profiles)),
        ]
    }
}
