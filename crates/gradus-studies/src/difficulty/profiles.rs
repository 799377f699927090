//! Respondents over the difficulty of items that were fitted without them.

use std::collections::HashMap;

use gradus::difficulty::responses::{Responses, design};
use gradus::difficulty::{
    FallOff, Label, LabelsWithout, Outcome, Profile, ProfileSettings, ResultRow, join,
    labels_without,
};
use gradus::run::{RunError, Stream};
use gradus::stats::{Estimate, bootstrap_mean};
use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::StudyError;

/// Fewer answers make no profile.
const LEAST: usize = 20;

/// Profiles, and why others are missing.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Profiles {
    /// From the highest mean score.
    pub(super) respondents: Vec<RespondentProfile>,
    /// How many respondents could have been profiled.
    pub(super) candidates: usize,
    /// What could not be profiled, and why.
    pub(super) notes: Vec<String>,
}

/// A respondent's accuracy over difficulty.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RespondentProfile {
    pub(super) respondent: String,
    /// Respondents left out with it, as their answers are nearly the same.
    pub(super) relatives: usize,
    /// Its answers to items that have no difficulty without it.
    pub(super) unlabelled: u64,
    pub(super) accuracy: Estimate,
    /// By class, from easy to hard.
    pub(super) classes: Vec<ClassAccuracy>,
    /// Local regression: difficulty in logits, accuracy, and its band.
    pub(super) curve: Vec<(f64, f64, f64, f64)>,
    /// Where the monotone fit falls below one half.
    pub(super) fall_off: FallOff,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ClassAccuracy {
    pub(super) class: String,
    /// `None` where the respondent answered none of them.
    pub(super) accuracy: Option<Estimate>,
}

impl Profiles {
    /// Profiles of a few respondents, spread evenly by mean score.
    pub(super) fn of(
        config: &Config,
        responses: &Responses,
        progress: impl Fn(u64, u64) -> Result<(), RunError>,
    ) -> Result<Self, StudyError> {
        let mut found = Self::default();
        let rows = responses.respondents().len();
        if (0..rows).any(|row| responses.weight(row) != 1.0) {
            found.notes.push(
                "the responses are patterns with counts: there is no single respondent to profile"
                    .to_owned(),
            );
            return Ok(found);
        }
        let shares = Shares::new(responses);
        let mut candidates: Vec<(f64, usize)> = (0..rows)
            .filter(|&row| responses.row(row).0.len() >= LEAST)
            .map(|row| (shares.mean(responses, row), row))
            .collect();
        candidates.sort_by(|one, other| other.0.total_cmp(&one.0));
        found.candidates = candidates.len();
        if candidates.is_empty() {
            found.notes.push(format!("no respondent has answered {LEAST} items"));
        }
        let chosen = evenly(&candidates, config.profiles);
        let relatives = design(responses).relatives(rows);
        let settings = config.settings()?;
        let labelling = config.labelling(Vec::new())?;
        for (done, &(_, respondent)) in chosen.iter().enumerate() {
            progress(done as u64, chosen.len() as u64)?;
            let name = &responses.respondents()[respondent];
            let without =
                labels_without(responses, &[respondent], &relatives, &settings, &labelling);
            match without {
                Ok(LabelsWithout { labels, relatives }) => {
                    let profile =
                        profile(config, responses, &shares, &labels, (respondent, relatives));
                    match profile {
                        Some(profile) => found.respondents.push(profile),
                        None => found.notes.push(format!("{name}: none of its items has a label")),
                    }
                }
                Err(error) => {
                    found.notes.push(format!("{name}: without its answers, {error}"));
                }
            }
        }
        Ok(found)
    }
}

/// At most so many of a list, its ends among them.
fn evenly<T: Copy>(list: &[T], most: usize) -> Vec<T> {
    let count = most.min(list.len());
    let last = list.len().saturating_sub(1);
    (0..count).map(|place| list[(place * last).div_ceil(count.max(2) - 1)]).collect()
}

/// Scores as shares of the range of their item.
struct Shares {
    range: Vec<(f32, f32)>,
}

impl Shares {
    fn new(responses: &Responses) -> Self {
        let mut range = vec![(f32::INFINITY, f32::NEG_INFINITY); responses.items().len()];
        for row in 0..responses.respondents().len() {
            let (items, scores) = responses.row(row);
            for (&item, &score) in items.iter().zip(scores) {
                let (low, high) = range[item as usize];
                range[item as usize] = (low.min(score), high.max(score));
            }
        }
        Self { range }
    }

    /// `None` for an item on which all scores are the same.
    fn of(&self, item: u32, score: f32) -> Option<f64> {
        let (low, high) = self.range[item as usize];
        (low < high).then(|| f64::from((score - low) / (high - low)))
    }

    fn mean(&self, responses: &Responses, row: usize) -> f64 {
        let (items, scores) = responses.row(row);
        let (mut sum, mut count) = (0.0, 0.0);
        for share in items.iter().zip(scores).filter_map(|(&item, &score)| self.of(item, score)) {
            sum += share;
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

fn profile(
    config: &Config,
    responses: &Responses,
    shares: &Shares,
    labels: &[Label],
    (respondent, relatives): (usize, usize),
) -> Option<RespondentProfile> {
    let name = &responses.respondents()[respondent];
    let (items, scores) = responses.row(respondent);
    let rows = items.iter().zip(scores).map(|(&item, &score)| ResultRow {
        model: name.clone(),
        problem: responses.items()[item as usize].clone(),
        domain: None,
        score: shares.of(item, score),
    });
    let joined = join(rows, labels, |label| label.unnorm_rating);
    let (_, outcomes) = joined.models.first()?;
    let outcomes: Vec<&Outcome> = outcomes.iter().collect();
    let settings = ProfileSettings {
        span: config.span,
        draws: config.draws,
        confidence: config.confidence,
        seed: config.seed,
        ..ProfileSettings::default()
    };
    let found = Profile::of(name, None, &outcomes, &settings)?;
    let classes: HashMap<&str, Option<&str>> =
        labels.iter().map(|row| (row.problem.as_str(), row.class.as_deref())).collect();
    let class = |class: String| {
        let own = outcomes
            .iter()
            .filter(|outcome| classes.get(outcome.problem.as_str()) == Some(&Some(class.as_str())));
        let scores: Vec<f64> = own.map(|outcome| outcome.score).collect();
        let mut stream = Stream::new(config.seed, &["difficulty", "class", &class]);
        let accuracy = bootstrap_mean(&scores, config.draws, config.confidence, &mut stream);
        ClassAccuracy { class, accuracy }
    };
    Some(RespondentProfile {
        respondent: name.clone(),
        relatives,
        unlabelled: joined.unlabelled + joined.unscored,
        accuracy: found.accuracy,
        classes: config.class_names().into_iter().map(class).collect(),
        curve: found
            .smooth
            .points
            .iter()
            .map(|point| (point.difficulty, point.value, point.low, point.high))
            .collect(),
        fall_off: found.fall_off,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_among_those_that_are_chosen() {
        assert_eq!(evenly(&[1, 2, 3, 4, 5], 3), [1, 3, 5]);
        assert_eq!(evenly(&[1, 2], 4), [1, 2]);
        assert_eq!(evenly(&[1, 2, 3], 1), [1]);
        assert!(evenly(&[0u8; 0], 4).is_empty() && evenly(&[1], 0).is_empty());
    }

    /// Item 0 is right for everyone but the first respondent: without it, it has no difficulty.
    #[test]
    fn what_a_respondent_answered_does_not_decide_its_labels() {
        let rows: Vec<Vec<f32>> = (0..40u32)
            .map(|row| {
                (0..30u32)
                    .map(|item| {
                        let right =
                            if item == 0 { row > 0 } else { (row * 7 + item * 11) % 31 > item };
                        f32::from(u8::from(right))
                    })
                    .collect()
            })
            .collect();
        let names = |what: &str, count: usize| (0..count).map(|n| format!("{what}{n}")).collect();
        let responses =
            Responses::from_rows(names("m", 40), names("q", 30), rows.iter().map(Vec::as_slice));
        let responses = responses.unwrap();
        let config = Config {
            responses: "rows.csv".to_owned(),
            model: "rasch".to_owned(),
            draws: 50,
            ..Config::default()
        };
        let groups = design(&responses).relatives(40);
        let (settings, labelling) =
            (config.settings().unwrap(), config.labelling(Vec::new()).unwrap());
        let LabelsWithout { labels, relatives } =
            labels_without(&responses, &[0], &groups, &settings, &labelling).unwrap();
        assert_eq!((labels.len(), relatives, labels[0].respondents), (29, 0, 39));
        let shares = Shares::new(&responses);
        let found = profile(&config, &responses, &shares, &labels, (0, 0)).unwrap();
        assert_eq!((found.unlabelled, found.accuracy.n), (1, 29));
        let sizes: Vec<u64> =
            found.classes.iter().filter_map(|row| Some(row.accuracy?.n)).collect();
        assert_eq!(sizes.iter().sum::<u64>(), 29, "{sizes:?}");
    }
}
