//! Labels made again without the models that are profiled over them.

use std::path::PathBuf;

use gradus::difficulty::irt::{self, Settings};
use gradus::difficulty::responses::{Responses, design};
use gradus::difficulty::{
    Label, Labelling, LabelsWithout, NORMALISATIONS, WithoutError, labels_without,
};

use super::respondents::{About, numbered};
use super::responses::{Reader, threads};
use crate::args::Global;
use crate::failure::Failure;

/// The responses that the labels were made from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Labels without the profiled model")]
pub(super) struct Refit {
    /// The responses that the labels were fitted from: each model among them is profiled over
    /// labels fitted again without its answers and those of its family.
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// The item response model; by default the method that the labels name.
    #[arg(long, requires = "responses", value_name = "NAME")]
    model: Option<String>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    reader: Reader,
}

/// What is needed to fit again.
pub(super) struct Again<'a> {
    responses: Responses,
    groups: Vec<usize>,
    settings: Settings,
    labelling: Labelling<'a>,
}

impl Refit {
    /// `None` where no responses are given.
    pub(super) fn again(
        &self,
        labels: &[Label],
        global: &Global,
    ) -> Result<Option<Again<'static>>, Failure> {
        let (Some(path), Some(first)) = (&self.responses, labels.first()) else {
            return Ok(None);
        };
        let name = self.model.as_ref().unwrap_or(&first.method);
        let model = irt::model(name).map_err(|error| {
            let failure = Failure::from(error);
            if self.model.is_some() {
                failure
            } else {
                failure.hint("the labels name no item response model; say which with --model")
            }
        })?;
        let normalisation = NORMALISATIONS.iter().find(|row| row.name == first.normalisation);
        let Some(normalisation) = normalisation else {
            let found = &first.normalisation;
            return Err(Failure::rows(format!(
                "the labels were normalised by {found:?}, which is not known here"
            ))
            .hint("make them with `gradus difficulty label`"));
        };
        let mut settings = Settings::new(model);
        settings.threads = threads(global);
        let responses = self.reader.read(path)?;
        let groups = match self.about.families(path, &responses)? {
            Some(families) => numbered(&families),
            None => design(&responses).relatives(responses.respondents().len()),
        };
        let method = first.method.clone();
        let labelling = Labelling { normalisation, cut: None, method, respondents: Vec::new() };
        Ok(Some(Again { responses, groups, settings, labelling }))
    }
}

impl Again<'_> {
    /// Labels without some models; `None` where none of them is a respondent.
    pub(super) fn without(&self, models: &[&str]) -> Result<Option<LabelsWithout>, Failure> {
        let names = self.responses.respondents().iter().enumerate();
        let own = names.filter(|(_, name)| models.contains(&name.as_str()));
        let own: Vec<usize> = own.map(|(respondent, _)| respondent).collect();
        if own.is_empty() {
            return Ok(None);
        }
        let found =
            labels_without(&self.responses, &own, &self.groups, &self.settings, &self.labelling);
        found.map(Some).map_err(|error| {
            let failure = match error {
                WithoutError::Irt(error) => Failure::from(error),
                WithoutError::Label(error) => Failure::from(error),
            };
            let message = format!("without the answers of {}, {}", models.join(" and "), failure.message);
            Failure { message, ..failure }.hint(
                "labels from too few others cannot be made; leave --responses out to use the labels as they are",
            )
        })
    }
}
