//! Respondents that are relatives: fine-tunes and merges of a few base models. Errors
//! that count every one of them as new are too small; these functions say how much.

use std::collections::BTreeMap;

use super::error::IrtError;
use super::fit::{Fit, Settings, fit};
use super::fit_item::expected;
use crate::difficulty::responses::Responses;
use crate::run::Stream;

/// Beyond this many respondents all pairs are too many.
const MOST_RESPONDENTS: usize = 3000;

/// Standard errors of difficulties when whole families are drawn again.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyBootstrap {
    /// For each item of the responses: standard deviation of its difficulty over the fits in
    /// which it had one; `None` where there were fewer than two.
    pub difficulty: Vec<Option<f64>>,
    /// Fits that converged.
    pub fits: usize,
    /// Fits that did not, left out.
    pub failed: usize,
}

/// Refits the model on families drawn with replacement, `draws` times.
pub fn bootstrap(
    responses: &Responses,
    families: &[String],
    settings: &Settings,
    draws: usize,
    seed: u64,
) -> Result<FamilyBootstrap, IrtError> {
    let groups: Vec<Vec<usize>> = members(responses, families)?.into_values().collect();
    let mut settings = settings.clone();
    settings.standard_errors = false;
    let items = responses.items().len();
    let mut sums = vec![(0usize, 0.0, 0.0); items];
    let (mut fits, mut failed) = (0, 0);
    for draw in 0..draws {
        let mut stream = Stream::new(seed, &["families", "bootstrap", &draw.to_string()]);
        let drawn: Vec<usize> = (0..groups.len())
            .flat_map(|_| groups[stream.below(groups.len() as u64) as usize].clone())
            .collect();
        let Ok(fit) = fit(&responses.select(&drawn), &settings) else {
            failed += 1;
            continue;
        };
        fits += 1;
        for ((count, sum, square), (_, number)) in sums.iter_mut().zip(&fit.items) {
            if let Some(number) = *number {
                let difficulty = fit.bank.items[number].difficulty();
                *count += 1;
                *sum += difficulty;
                *square += difficulty * difficulty;
            }
        }
    }
    let deviation = |(count, sum, square): (usize, f64, f64)| {
        let n = count as f64;
        (count > 1).then(|| ((square - sum * sum / n).max(0.0) / (n - 1.0)).sqrt())
    };
    Ok(FamilyBootstrap { difficulty: sums.into_iter().map(deviation).collect(), fits, failed })
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

fn members<'a>(
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
                if n > 1.0 && xx > 0.0 && yy > 0.0 {
                    squares += 2.0 * (xy * xy / (xx * yy) - 1.0 / n);
                }
            }
        }
        let n = used.len() as f64;
        Ok((n * n / squares).clamp(1.0, n))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{model, simulate};
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
        let drawn = bootstrap(&responses, &families, &settings, 30, 7).unwrap();
        let errors = all.standard_errors.as_ref().unwrap();
        let naive: f64 = (0..60).filter_map(|item| errors.threshold(&all, item, 0)).sum();
        let honest: f64 = drawn.difficulty.iter().flatten().sum();
        assert!(drawn.fits == 30 && honest > 1.5 * naive, "{honest} {naive}");
        assert!(bootstrap(&responses, &families[1..], &settings, 2, 7).is_err());
    }
}
