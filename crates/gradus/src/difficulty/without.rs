//! Labels that owe nothing to the respondents who are profiled over them: a model's own
//! answers, and those of its family, make what it gets right look easy.

use super::irt::{IrtError, Settings, fit};
use super::label::{DifficultyRow, Label, LabelError, Labelling, label};
use super::ratings::Role;
use super::responses::Responses;

/// Why there are no labels without some respondents.
#[derive(Debug, thiserror::Error)]
pub enum WithoutError {
    /// The others' answers cannot be fitted.
    #[error(transparent)]
    Irt(#[from] IrtError),
    /// Their difficulties make no labels.
    #[error(transparent)]
    Label(#[from] LabelError),
}

/// Labels from the answers of some of the respondents.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelsWithout {
    /// The labels, with the hash of the respondents who are left; without standard errors.
    pub labels: Vec<Label>,
    /// Respondents left out who were not named: their relatives.
    pub relatives: usize,
}

/// Fits the items again without some `respondents` and all of their groups, and labels them
/// as before. `groups` has a number for each respondent, the same for relatives: see
/// [`super::responses::Design::relatives`].
pub fn labels_without(
    responses: &Responses,
    respondents: &[usize],
    groups: &[usize],
    settings: &Settings,
    labelling: &Labelling<'_>,
) -> Result<LabelsWithout, WithoutError> {
    let out = |row: usize| respondents.iter().any(|&one| groups[one] == groups[row]);
    let all = responses.respondents().len();
    let others: Vec<usize> = (0..all).filter(|&row| !out(row)).collect();
    let relatives = all - others.len() - respondents.len();
    let others = responses.select(&others);
    let settings = Settings { standard_errors: false, ..settings.clone() };
    let fit = fit(&others, &settings)?;
    let row = |item: &super::irt::CalibratedItem| DifficultyRow {
        name: item.name.clone(),
        role: Role::Problem,
        value: Some(rounded_difficulty(item.difficulty())),
        std: None,
        volatility: None,
        method: None,
    };
    let rows: Vec<DifficultyRow> = fit.bank.items.iter().map(row).collect();
    let respondents = others.respondents().to_vec();
    let labels = label(&rows, &Labelling { respondents, ..labelling.clone() })?;
    Ok(LabelsWithout { labels, relatives })
}

/// Estimates end within the tolerance of where they would end, and items with equal
/// answers not at the same bits: rounded far below that, they are equal.
pub fn rounded_difficulty(difficulty: f64) -> f64 {
    (difficulty * 1e6).round() / 1e6
}
