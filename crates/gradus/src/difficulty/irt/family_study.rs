//! All that a fit says about families of respondents: errors with families drawn again,
//! the fit of one respondent of each, and how many independent respondents all are worth.

use serde::{Deserialize, Serialize};

use super::error::IrtError;
use super::families::{FamilyBootstrap, bootstrap, members, one_of_each};
use super::fit::{Fit, Settings, fit_near};
use crate::difficulty::responses::Responses;
use crate::stats::{quantile, spearman};

/// The fit of one respondent of each family beside that of all.
#[derive(Clone, Debug, PartialEq)]
pub struct OneOfEach {
    /// Its respondents.
    pub respondents: usize,
    /// Difficulty of each item of the responses in it.
    pub difficulty: Vec<Option<f64>>,
}

/// What families do to a fit.
#[derive(Clone, Debug)]
pub struct FamilyStudy {
    /// The family of each respondent.
    pub families: Vec<String>,
    /// Seed of the draws.
    pub seed: u64,
    /// Families drawn with replacement.
    pub bootstrap: FamilyBootstrap,
    /// One respondent of each family, or why there is no such fit.
    pub one_of_each: Result<OneOfEach, String>,
    /// How many independent respondents all are worth, or why that is not known.
    pub effective: Result<f64, String>,
}

/// What families do to a fit, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilySummary {
    /// How many families there are.
    pub families: usize,
    /// Name of the largest.
    pub largest: String,
    /// Its respondents.
    pub largest_size: usize,
    /// Fits to families drawn again, those that did not converge left out.
    pub fits: usize,
    /// Fits that did not converge.
    pub failed: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// How many independent respondents all are worth, from the correlations of their residuals.
    pub effective_respondents: Option<f64>,
    /// Median over items: standard error of the difficulty with families drawn again, over
    /// that which takes every respondent as independent.
    pub error_ratio: Option<f64>,
    /// Items that have a difficulty in the fit of one respondent of each family.
    pub one_of_each_items: Option<usize>,
    /// Spearman's correlation of those difficulties with those of all respondents.
    pub one_of_each_spearman: Option<f64>,
    /// Root mean squared difference from them once both have the same mean, in logits.
    pub one_of_each_rms: Option<f64>,
    /// What is missing above, and why.
    pub missing: Vec<String>,
}

impl FamilyStudy {
    /// Draws families again `draws` times with `seed`; see [`bootstrap`].
    pub fn new(
        responses: &Responses,
        families: Vec<String>,
        (fit, settings): (&Fit, &Settings),
        draws: usize,
        seed: u64,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, IrtError> {
        let count = members(responses, &families)?.len();
        if count < 3 {
            return Err(IrtError::Setting {
                setting: "families",
                found: count.to_string(),
                expected: "at least 3 to draw from".to_owned(),
            });
        }
        let bootstrap = bootstrap(responses, &families, (fit, settings), draws, seed, done)?;
        let one_of_each = of_each(responses, &families, (fit, settings));
        Ok(Self {
            families,
            seed,
            bootstrap,
            one_of_each: one_of_each.map_err(|error| error.to_string()),
            effective: fit.effective_respondents().map_err(|error| error.to_string()),
        })
    }

    pub(super) fn summary(&self, fit: &Fit) -> FamilySummary {
        let mut sizes: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        for family in &self.families {
            *sizes.entry(family).or_default() += 1;
        }
        let largest = sizes.iter().rev().max_by_key(|(_, size)| **size);
        let (largest, largest_size) =
            largest.map_or((String::new(), 0), |(name, size)| ((*name).to_owned(), *size));
        let mut ratios: Vec<f64> = Vec::new();
        let (mut all, mut some) = (Vec::new(), Vec::new());
        let each = self.one_of_each.as_ref().ok();
        for (item, &(_, number)) in fit.items.iter().enumerate() {
            let Some(number) = number else { continue };
            let own =
                fit.standard_errors.as_ref().and_then(|errors| errors.threshold(fit, number, 0));
            let own = own.filter(|_| fit.bank.items[number].levels.len() == 2);
            if let (Some(own), Some(drawn)) = (own, self.bootstrap.difficulty[item]) {
                ratios.push(drawn.se / own);
            }
            if let Some(other) = each.and_then(|each| each.difficulty[item]) {
                all.push(fit.bank.items[number].difficulty());
                some.push(other);
            }
        }
        ratios.sort_by(f64::total_cmp);
        let mut missing: Vec<String> =
            [self.one_of_each.as_ref().err(), self.effective.as_ref().err()]
                .into_iter()
                .flatten()
                .cloned()
                .collect();
        if ratios.is_empty() {
            missing.push("there are no standard errors to compare with".to_owned());
        }
        FamilySummary {
            families: sizes.len(),
            largest,
            largest_size,
            fits: self.bootstrap.fits,
            failed: self.bootstrap.failed,
            seed: self.seed,
            effective_respondents: self.effective.as_ref().ok().copied(),
            error_ratio: quantile(&ratios, 0.5),
            one_of_each_items: each.map(|_| some.len()),
            one_of_each_spearman: spearman(&all, &some),
            one_of_each_rms: root_mean_square(&all, &some),
            missing,
        }
    }
}

/// Of differences, less their mean.
fn root_mean_square(one: &[f64], other: &[f64]) -> Option<f64> {
    let n = one.len() as f64;
    let differences: Vec<f64> = one.iter().zip(other).map(|(a, b)| a - b).collect();
    let mean = differences.iter().sum::<f64>() / n;
    let square = differences.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (n > 0.0).then(|| (square / n).sqrt())
}

fn of_each(
    responses: &Responses,
    families: &[String],
    (fit, settings): (&Fit, &Settings),
) -> Result<OneOfEach, IrtError> {
    let chosen = one_of_each(responses, families)?;
    let mut own = settings.clone();
    own.standard_errors = false;
    if !own.populations.is_empty() {
        own.populations = chosen.iter().map(|&row| settings.populations[row]).collect();
    }
    let near = (&fit.bank.items[..], &fit.populations[..]);
    let found = fit_near(&responses.select(&chosen), &own, Some(near))?;
    let difficulty =
        |&(_, number): &(_, Option<usize>)| Some(found.bank.items[number?].difficulty());
    Ok(OneOfEach {
        respondents: chosen.len(),
        difficulty: found.items.iter().map(difficulty).collect(),
    })
}
