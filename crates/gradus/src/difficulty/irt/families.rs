//! Respondents that are relatives: fine-tunes and merges of a few base models. Errors
//! that count every one of them as new are too small; these functions say how much.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::IrtError;
use super::fit::{Fit, Settings, fit_near};
use super::fit_item::expected;
use super::workers;
use crate::difficulty::responses::Responses;
use crate::run::Stream;
use crate::stats::quantile;

/// Beyond this many respondents all pairs are too many.
const MOST_RESPONDENTS: usize = 3000;
/// Up to so many scores, fits run beside each other: a copy of the scores each.
const BESIDE: usize = 1_000_000;

/// An estimate over fits to families drawn again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Its standard deviation: the standard error.
    pub se: f64,
    /// Percentiles 2.5 and 97.5.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Fits in which it was estimated.
    pub fits: usize,
}

/// Estimates when whole families are drawn again.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyBootstrap {
    /// Of each item of the responses: its discrimination, where at least two fits have one.
    pub discrimination: Vec<Option<Spread>>,
    /// Of each item of the responses: its difficulty.
    pub difficulty: Vec<Option<Spread>>,
    /// Of each respondent: standard deviation of its ability over the fits that it was drawn
    /// for, the error that the items bring in; its own answers are the same in all of them.
    pub abilities: Vec<Option<f64>>,
    /// Fits that converged.
    pub fits: usize,
    /// Fits that did not, left out.
    pub failed: usize,
}

/// Refits the model on families drawn with replacement, `draws` times, beginning at `fit`.
/// `done` is called with the number of draws after each, from any thread.
pub fn bootstrap(
    responses: &Responses,
    families: &[String],
    (fit, settings): (&Fit, &Settings),
    draws: usize,
    seed: u64,
    done: &(dyn Fn(usize) + Sync),
) -> Result<FamilyBootstrap, IrtError> {
    let groups: Vec<Vec<usize>> = members(responses, families)?.into_values().collect();
    let mut own = settings.clone();
    own.standard_errors = false;
    own.populations.clear();
    // Small fits run beside each other, large ones take all threads in turn.
    let beside = if responses.len() < BESIDE { settings.threads } else { 1 };
    own.threads = settings.threads.div_ceil(beside);
    let counted = AtomicUsize::new(0);
    let one = |draw: usize| {
        let mut stream = Stream::new(seed, &["families", "bootstrap", &draw.to_string()]);
        let drawn: Vec<usize> = (0..groups.len())
            .flat_map(|_| groups[stream.below(groups.len() as u64) as usize].iter().copied())
            .collect();
        let mut own = own.clone();
        if !settings.populations.is_empty() {
            own.populations = drawn.iter().map(|&row| settings.populations[row]).collect();
        }
        let near = (&fit.bank.items[..], &fit.populations[..]);
        let found = fit_near(&responses.select(&drawn), &own, Some(near)).ok().map(|found| {
            let item = |&(_, number): &(_, Option<usize>)| {
                let item = &found.bank.items[number?];
                Some((item.discrimination() as f32, item.difficulty() as f32))
            };
            let items: Vec<_> = found.items.iter().map(item).collect();
            let mut abilities = vec![None; responses.respondents().len()];
            for (&row, ability) in drawn.iter().zip(&found.abilities) {
                abilities[row] = Some(ability.ability as f32);
            }
            (items, abilities)
        });
        done(counted.fetch_add(1, Ordering::Relaxed) + 1);
        found
    };
    let all = workers::each(beside, (0..draws).collect(), || (), |(), draw| one(draw));
    let found: Vec<_> = all.into_iter().flatten().collect();
    let items = 0..responses.items().len();
    let of = |value: &dyn Fn(usize, usize) -> Option<f32>, item: usize| {
        spread((0..found.len()).filter_map(|fit| value(fit, item)).map(f64::from).collect())
    };
    let respondents = 0..responses.respondents().len();
    Ok(FamilyBootstrap {
        discrimination: items
            .clone()
            .map(|item| of(&|fit, item| Some(found[fit].0[item]?.0), item))
            .collect(),
        difficulty: items.map(|item| of(&|fit, item| Some(found[fit].0[item]?.1), item)).collect(),
        abilities: respondents
            .map(|row| Some(of(&|fit, row| found[fit].1[row], row)?.se))
            .collect(),
        fits: found.len(),
        failed: draws - found.len(),
    })
}

fn spread(mut values: Vec<f64>) -> Option<Spread> {
    if values.len() < 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let at = |share| quantile(&values, share);
    let (low, high) = (at(0.025)?, at(0.975)?);
    Some(Spread { se: (square / (n - 1.0)).sqrt(), low, high, fits: values.len() })
}

/// One respondent of each family, the one with the most answers (the first of equals): a
/// fit of these says how much the answers of relatives matter.
pub fn one_of_each(responses: &Responses, families: &[String]) -> Result<Vec<usize>, IrtError> {
    let answers =
        |&respondent: &usize| (responses.row(respondent).0.len(), std::cmp::Reverse(respondent));
    let members = members(responses, families)?;
    let mut chosen: Vec<usize> = members
        .into_values()
        .filter_map(|members| members.into_iter().max_by_key(answers))
        .collect();
    chosen.sort_unstable();
    Ok(chosen)
}

pub(super) fn members<'a>(
    responses: &Responses,
    families: &'a [String],
) -> Result<BTreeMap<&'a str, Vec<usize>>, IrtError> {
    let count = responses.respondents().len();
    if families.len() != count {
        return Err(IrtError::Setting {
            setting: "families",
            found: format!("{} values", families.len()),
            expected: format!("{count}, one a respondent"),
        });
    }
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (respondent, family) in families.iter().enumerate() {
        members.entry(family).or_default().push(respondent);
    }
    Ok(members)
}

impl Fit {
    /// How many independent respondents these are worth: n^2 / sum of r^2, r the
    /// correlations of two respondents' residuals over common items. It equals (sum of
    /// eigenvalues)^2 / sum of their squares of the correlation matrix. Sampling noise of
    /// the correlations, 1 / items each, is taken off.
    pub fn effective_respondents(&self) -> Result<f64, IrtError> {
        let core = &self.core;
        let used: Vec<usize> = (0..core.place.len())
            .filter(|&respondent| core.cells.weights[core.place[respondent] as usize] > 0.0)
            .collect();
        let refuse =
            |reason: String| IrtError::NotComputed { statistic: "effective respondents", reason };
        if used.len() > MOST_RESPONDENTS {
            return Err(refuse(format!(
                "{} respondents are more than {MOST_RESPONDENTS}",
                used.len()
            )));
        }
        if core.cells.weights.iter().any(|&weight| weight > 1.0) {
            return Err(refuse("equal respondents were counted together".into()));
        }
        let items = self.bank.items.len();
        let mut residuals = vec![f64::NAN; used.len() * items];
        for (line, &respondent) in residuals.chunks_exact_mut(items).zip(&used) {
            let ability = [self.abilities[respondent].ability; 8];
            core.cells.each(core.place[respondent] as usize, |item, category| {
                let levels = &self.bank.items[item].levels;
                let parameters = core.items(self.bank.model).of(item);
                let (mean, variance) = expected(self.bank.model, parameters, levels, &ability);
                line[item] =
                    (f64::from(levels[category]) - mean[0]) / variance[0].max(1e-12).sqrt();
            });
        }
        let mut squares = used.len() as f64;
        for one in 0..used.len() {
            for two in 0..one {
                let left = &residuals[one * items..(one + 1) * items];
                let right = &residuals[two * items..(two + 1) * items];
                let (mut n, mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0, 0.0);
                for (a, b) in left.iter().zip(right).filter(|(a, b)| !a.is_nan() && !b.is_nan()) {
                    n += 1.0;
                    xx += a * a;
                    yy += b * b;
                    xy += a * b;
                }
                // What independent respondents have, each ability having taken one answer.
                if n > 2.0 && xx > 0.0 && yy > 0.0 {
                    squares += 2.0 * (xy * xy / (xx * yy) - 1.0 / (n - 1.0));
                }
            }
        }
        let n = used.len() as f64;
        Ok((n * n / squares).clamp(1.0, n))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fit, model, simulate};
    use super::*;

    /// 40 families of five near-copies: worth about 40 respondents, and so are the errors.
    #[test]
    fn relatives_are_worth_little_more_than_one_of_them() {
        let bank = simulate::example_bank("1pl", 60, 3);
        let bases = simulate::responses(&bank, &simulate::normal_abilities(40, 0.0, 1.0, 1), 2);
        let mut stream = Stream::new(9, &["relatives"]);
        let mut rows = Vec::new();
        let mut families = Vec::new();
        for base in 0..40 {
            for _ in 0..5 {
                let scores = bases.row(base).1.iter();
                let row: Vec<f32> = scores
                    .map(|&score| if stream.below(20) == 0 { 1.0 - score } else { score })
                    .collect();
                rows.push(row);
                families.push(format!("base-{base}"));
            }
        }
        let names = (0..200).map(|row| row.to_string()).collect();
        let items = bases.items().to_vec();
        let responses = Responses::from_rows(names, items, rows.iter().map(Vec::as_slice)).unwrap();
        let settings = Settings::new(model("1pl").unwrap());
        let all = fit(&responses, &settings).unwrap();
        let effective = all.effective_respondents().unwrap();
        assert!((30.0..70.0).contains(&effective), "{effective}");
        let chosen = one_of_each(&responses, &families).unwrap();
        assert_eq!((chosen.len(), chosen[1]), (40, 5));
        let drawn = bootstrap(&responses, &families, (&all, &settings), 30, 7, &|_| ()).unwrap();
        let errors = all.standard_errors.as_ref().unwrap();
        let naive: f64 = (0..60).filter_map(|item| errors.threshold(&all, item, 0)).sum();
        let honest: f64 = drawn.difficulty.iter().flatten().map(|spread| spread.se).sum();
        assert!(drawn.fits == 30 && honest > 1.5 * naive, "{honest} {naive}");
        assert!(drawn.abilities.iter().flatten().all(|&se| se > 0.0 && se < 1.0));
        let mut two = settings.clone();
        two.threads = 3;
        assert_eq!(bootstrap(&responses, &families, (&all, &two), 30, 7, &|_| ()).unwrap(), drawn);
        let short = bootstrap(&responses, &families[1..], (&all, &settings), 2, 7, &|_| ());
        assert!(short.is_err());
    }
}
