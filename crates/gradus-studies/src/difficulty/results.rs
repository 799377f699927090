use gradus::difficulty::{FewRespondents, Label};
use gradus::report::ItemResponse;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::profiles::Profiles;

/// What `results.json` holds.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Results {
    /// Version of this layout.
    pub(super) format: u32,
    pub(super) study: String,
    pub(super) seeds: Vec<u64>,
    /// From logits to ratings.
    pub(super) normalisation: String,
    /// Share of the variance of the difficulties that is not their own error.
    pub(super) reliability: Option<f64>,
    /// From easy to hard.
    pub(super) classes: Vec<ClassRow>,
    /// `None` where the respondents are too few for the model.
    pub(super) fit: Option<ItemResponse>,
    /// Then what their answers say without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) few: Option<FewRespondents>,
    pub(super) profiles: Profiles,
}

/// A class of problems.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ClassRow {
    pub(super) class: String,
    pub(super) problems: u64,
    /// Difficulty of the easiest and of the hardest, in logits; `None` without problems.
    pub(super) range: Option<(f64, f64)>,
}

/// The classes that the labels were cut into.
pub(super) fn classes(config: &Config, labels: &[Label]) -> Vec<ClassRow> {
    let row = |class: String| {
        let own = labels.iter().filter(|label| label.class.as_deref() == Some(class.as_str()));
        let mut values: Vec<f64> = own.map(|label| label.unnorm_rating).collect();
        values.sort_by(f64::total_cmp);
        let range = values.first().copied().zip(values.last().copied());
        ClassRow { class, problems: values.len() as u64, range }
    };
    config.class_names().into_iter().map(row).collect()
}
