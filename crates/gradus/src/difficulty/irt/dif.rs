//! Differential item functioning: is an item harder for one group than for another
//! of the same ability. Groups are families of models, models from before and after
//! an item was published, or formats of a prompt.
//!
//! Two tests stand side by side: Mantel and Haenszel's, which matches by the score, and
//! the likelihood ratio, which matches by the ability of the model. Each has a size in
//! units of its own, and its p adjusted for the number of items tested (Benjamini and
//! Hochberg 1995). All other items link the groups: where most of them differ in the
//! same direction, no test of this kind can tell.

use super::bank::{Bank, CalibratedItem};
use super::error::IrtError;
use super::fit::{Fit, Population, Settings, fit, fit_near};
use super::fit_item::ChiSquare;
use super::grid::Grid;
use super::lanes::{exp, lanes, sum};
use super::workers;
use crate::difficulty::responses::Responses;
use crate::stats::benjamini_hochberg;

/// Respondents for each score above which every score is a stratum of its own.
const THIN: usize = 5;
/// Else strata of about equal numbers of respondents: so many respondents in each ...
const THICK: usize = 10;
/// ... and no more strata than this.
const MOST_STRATA: usize = 20;
/// Items times scores whose likelihood-ratio tests take a minute or two.
const MOST_WORK: usize = 1_000_000_000;
/// Beyond that, only items that Mantel-Haenszel points out are tested.
const POINTED_OUT: f64 = 0.05;

/// Mantel and Haenszel's comparison of one item, in the form of Holland and Thayer (1988).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MantelHaenszel {
    /// Common odds ratio of the reference over the focal group: above 1, the item is
    /// easier for the reference.
    pub odds_ratio: f64,
    /// -2.35 ln odds ratio, in the units of the Educational Testing Service: negative is
    /// against the focal group.
    pub delta: f64,
    /// Its standard error, by Robins, Breslow and Greenland (1986).
    pub se: f64,
    /// Chi-square with continuity correction, one degree of freedom.
    pub test: ChiSquare,
    /// ETS class: A negligible, B moderate, C large. By size and significance at 0.05 of
    /// this item alone.
    pub class: char,
}

/// Compares a `focal` group with the rest, item by item, over strata of the share right:
/// one for each score where there are five times as many respondents as scores, else up
/// to 20 of about equal size. `None` where a group did not answer the item, or no stratum
/// has both groups and both scores.
pub fn mantel_haenszel(
    responses: &Responses,
    focal: &[bool],
) -> Result<Vec<Option<MantelHaenszel>>, IrtError> {
    one_a_respondent(responses, focal)?;
    let items = responses.items().len();
    let (strata, count) = strata(responses)?;
    // Per item and stratum: reference right and wrong, focal right and wrong.
    let mut tables = vec![[0.0; 4]; items * count];
    for (respondent, (&focal, stratum)) in focal.iter().zip(strata).enumerate() {
        let (answered, scores) = responses.row(respondent);
        for (&item, &score) in answered.iter().zip(scores) {
            let cell = 2 * usize::from(focal) + usize::from(score == 0.0);
            tables[item as usize * count + stratum][cell] += responses.weight(respondent);
        }
    }
    Ok(tables.chunks(count).map(over_strata).collect())
}

/// The stratum of each respondent, and their number.
fn strata(responses: &Responses) -> Result<(Vec<usize>, usize), IrtError> {
    let items = responses.items().len();
    let mut shares = Vec::with_capacity(responses.respondents().len());
    for respondent in 0..responses.respondents().len() {
        let (answered, scores) = responses.row(respondent);
        if let Some(&score) = scores.iter().find(|&&score| score != 0.0 && score != 1.0) {
            return Err(IrtError::Setting {
                setting: "responses",
                found: format!("score {score} of {:?}", responses.respondents()[respondent]),
                expected: "0 or 1 for Mantel-Haenszel".into(),
            });
        }
        let right: f64 = scores.iter().map(|&score| f64::from(score)).sum();
        shares.push(right / answered.len().max(1) as f64);
    }
    let total = responses.total_weight();
    if total >= (THIN * (items + 1)) as f64 {
        let score = |share: f64| (share * items as f64).round() as usize;
        return Ok((shares.into_iter().map(score).collect(), items + 1));
    }
    let count = (total as usize / THICK).clamp(2, MOST_STRATA);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|&one, &other| shares[one].total_cmp(&shares[other]));
    let mut strata = vec![0; shares.len()];
    let (mut before, mut stratum) = (0.0, 0);
    for (place, &respondent) in order.iter().enumerate() {
        // Equal shares are never parted.
        if place == 0 || shares[respondent] > shares[order[place - 1]] {
            stratum = ((before * count as f64 / total) as usize).min(count - 1);
        }
        strata[respondent] = stratum;
        before += responses.weight(respondent);
    }
    Ok((strata, count))
}

fn over_strata(strata: &[[f64; 4]]) -> Option<MantelHaenszel> {
    let (mut above, mut below, mut observed, mut expected, mut variance) =
        (0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut upper, mut mixed, mut lower) = (0.0, 0.0, 0.0);
    for &[a, b, c, d] in strata {
        let total = a + b + c + d;
        if total < 2.0 {
            continue;
        }
        above += a * d / total;
        below += b * c / total;
        observed += a;
        expected += (a + b) * (a + c) / total;
        variance += (a + b) * (c + d) * (a + c) * (b + d) / (total * total * (total - 1.0));
        // Robins, Breslow and Greenland's variance of the ln odds ratio (1986).
        let (p, q, r, s) = ((a + d) / total, (b + c) / total, a * d / total, b * c / total);
        upper += p * r;
        mixed += p * s + q * r;
        lower += q * s;
    }
    if above <= 0.0 || below <= 0.0 || variance <= 0.0 {
        return None;
    }
    let odds_ratio = above / below;
    let delta = -2.35 * odds_ratio.ln();
    let statistic = ((observed - expected).abs() - 0.5).max(0.0).powi(2) / variance;
    let test = ChiSquare::new(statistic, 1)?;
    let log_variance = upper / (2.0 * above * above)
        + mixed / (2.0 * above * below)
        + lower / (2.0 * below * below);
    let se = 2.35 * log_variance.sqrt();
    // C asks for a size significantly above 1, one-sided at 0.05.
    let class = if test.p >= 0.05 || delta.abs() < 1.0 {
        'A'
    } else if delta.abs() >= 1.5 && delta.abs() - 1.645 * se > 1.0 {
        'C'
    } else {
        'B'
    };
    Some(MantelHaenszel { odds_ratio, delta, se, test, class })
}

/// What an item is for each of two groups, all else being the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Likelihood-ratio test that it is the same (Thissen, Steinberg and Wainer 1988).
    pub test: ChiSquare,
    /// Discrimination for the reference and for the focal group.
    pub discrimination: (f64, f64),
    /// Difficulty for either, in logits of the reference group's scale.
    pub difficulty: (f64, f64),
    /// Expected score of the focal group by its own curve less that by the reference's,
    /// over the focal group's abilities: negative is against the focal group.
    pub score: f64,
    /// The same of absolute differences: above `|score|` where the curves cross.
    pub absolute_score: f64,
}

/// Likelihood-ratio tests of a focal group against the rest: the parameters of one item
/// may differ, all others link the groups, and each has its own distribution of ability.
#[derive(Debug)]
struct Linked<'a> {
    responses: &'a Responses,
    focal: &'a [bool],
    settings: Settings,
    /// All items the same for both.
    same: Fit,
}

impl<'a> Linked<'a> {
    fn new(
        responses: &'a Responses,
        focal: &'a [bool],
        settings: &Settings,
    ) -> Result<Self, IrtError> {
        one_a_respondent(responses, focal)?;
        let mut settings = settings.clone();
        settings.populations = focal.iter().map(|&focal| u32::from(focal)).collect();
        settings.standard_errors = false;
        let same = fit(responses, &settings)?;
        settings.threads = 1;
        Ok(Self { responses, focal, settings, same })
    }

    /// `None` where the item does not vary in one of the groups.
    fn difference(&self, item: usize) -> Result<Option<Difference>, IrtError> {
        let Some(&(_, Some(number))) = self.same.items.get(item) else { return Ok(None) };
        let split = self.responses.split(item, self.focal);
        let mut near = self.same.bank.items.clone();
        let own = CalibratedItem {
            name: split.items().last().cloned().unwrap_or_default(),
            ..near[number].clone()
        };
        near.push(own);
        let apart = fit_near(&split, &self.settings, Some((&near, &self.same.populations)))?;
        let (Some(&(_, Some(one))), Some(&(_, Some(other)))) =
            (apart.items.get(item), apart.items.last())
        else {
            return Ok(None);
        };
        if apart.bank.items[one].levels != apart.bank.items[other].levels {
            return Ok(None);
        }
        let Some(test) = self.same.likelihood_ratio(&apart) else { return Ok(None) };
        let (score, absolute_score) =
            score_difference(&apart.bank, one, other, apart.populations[1]);
        let (one, other) = (&apart.bank.items[one], &apart.bank.items[other]);
        Ok(Some(Difference {
            test,
            discrimination: (one.discrimination(), other.discrimination()),
            difficulty: (one.difficulty(), other.difficulty()),
            score,
            absolute_score,
        }))
    }
}

/// Mean difference of two items' expected scores over a population, and mean absolute one.
fn score_difference(bank: &Bank, one: usize, other: usize, population: Population) -> (f64, f64) {
    let Population { mean, sd } = population;
    let grid = Grid::new(mean - 6.0 * sd, mean + 6.0 * sd, 0.1 * sd);
    let (mut signed, mut absolute) = (0.0, 0.0);
    for (ability, log_weight) in grid.chunks.iter().zip(grid.log_weights(mean, sd)) {
        let weight = exp(&log_weight);
        let expected = |item: usize| {
            let (levels, chances) = (&bank.items[item].levels, bank.chances(item, ability));
            lanes(|lane| {
                levels.iter().zip(&chances).map(|(&level, p)| f64::from(level) * p[lane]).sum()
            })
        };
        let (from, to) = (expected(one), expected(other));
        signed += sum(&lanes(|lane| weight[lane] * (to[lane] - from[lane])));
        absolute += sum(&lanes(|lane| weight[lane] * (to[lane] - from[lane]).abs()));
    }
    (signed, absolute)
}

/// Likelihood-ratio test of one item, numbered from 0: see [`Difference`]. `None` where it
/// does not vary in one of the groups.
pub fn likelihood_ratio(
    responses: &Responses,
    focal: &[bool],
    item: usize,
    settings: &Settings,
) -> Result<Option<Difference>, IrtError> {
    if item >= responses.items().len() {
        return Err(IrtError::Setting {
            setting: "item",
            found: item.to_string(),
            expected: format!("below {}, the number of items", responses.items().len()),
        });
    }
    Linked::new(responses, focal, settings)?.difference(item)
}

/// All items between a reference and a focal group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Of each item: Mantel-Haenszel, with its adjusted p.
    pub mantel_haenszel: Vec<Option<(MantelHaenszel, f64)>>,
    /// Of each item: the likelihood ratio, with its adjusted p.
    pub likelihood_ratio: Vec<Option<(Difference, f64)>>,
    /// Items that the likelihood ratio was asked about: all, unless they are too many.
    pub asked: usize,
    /// Of these, how many fits with the item apart did not converge.
    pub failed: usize,
}

/// Tests all items; `done` is called with the number of items after each, from any thread.
/// Where items times scores are above a thousand million, the likelihood ratio is asked
/// about those items only that Mantel-Haenszel has at p < 0.05, and its p is adjusted for
/// all items all the same.
pub fn compare(
    responses: &Responses,
    focal: &[bool],
    settings: &Settings,
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<Comparison, IrtError> {
    let items = responses.items().len();
    let tables =
        if settings.model.graded { vec![None; items] } else { mantel_haenszel(responses, focal)? };
    let linked = Linked::new(responses, focal, settings)?;
    let p = |item: usize| tables[item].map_or(1.0, |found| found.test.p);
    let mut asked: Vec<usize> = (0..items).collect();
    if items * responses.len() > MOST_WORK {
        asked.retain(|&item| p(item) < POINTED_OUT);
        asked.sort_by(|&one, &other| p(one).total_cmp(&p(other)));
        asked.truncate(MOST_WORK / responses.len().max(1));
    }
    let total = asked.len();
    let counted = std::sync::atomic::AtomicUsize::new(0);
    let found = workers::each(
        settings.threads,
        asked,
        || (),
        |(), item| {
            let found = linked.difference(item);
            done(counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, total);
            (item, found)
        },
    );
    let mut differences = vec![None; items];
    // An item that was not asked about counts as one without any sign of a difference.
    let mut tests: Vec<Option<f64>> = vec![(total < items).then_some(1.0); items];
    let mut failed = 0;
    for (item, found) in found {
        match found {
            Ok(found) => {
                tests[item] = found.map(|found| found.test.p);
                differences[item] = found;
            }
            Err(_) => failed += 1,
        }
    }
    let own: Vec<Option<f64>> =
        tables.iter().map(|table| table.map(|table| table.test.p)).collect();
    Ok(Comparison {
        mantel_haenszel: with_adjusted(tables, &own),
        likelihood_ratio: with_adjusted(differences, &tests),
        asked: total,
        failed,
    })
}

fn with_adjusted<T>(found: Vec<Option<T>>, tests: &[Option<f64>]) -> Vec<Option<(T, f64)>> {
    found.into_iter().zip(benjamini_hochberg(tests)).map(|(found, p)| Some((found?, p?))).collect()
}

fn one_a_respondent(responses: &Responses, focal: &[bool]) -> Result<(), IrtError> {
    let count = responses.respondents().len();
    if focal.len() == count {
        return Ok(());
    }
    Err(IrtError::Setting {
        setting: "focal",
        found: format!("{} values", focal.len()),
        expected: format!("{count}, one a respondent"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::close;
    use super::super::{model, simulate};
    use super::*;

    /// Worked by hand from the formulas: two strata of 2x2 tables.
    #[test]
    fn a_common_odds_ratio_is_that_of_the_formula() {
        let found = over_strata(&[[10.0, 5.0, 4.0, 8.0], [20.0, 4.0, 12.0, 6.0]]).unwrap();
        // (80/27 + 120/42) / (20/27 + 48/42)
        close(
            found.odds_ratio,
            (80.0 / 27.0 + 120.0 / 42.0) / (20.0 / 27.0 + 48.0 / 42.0),
            1e-12,
            "odds",
        );
        close(found.delta, -2.35 * found.odds_ratio.ln(), 1e-12, "delta");
        // Too few answers for a size to be significant.
        assert_eq!(found.class, 'A');
    }

    #[test]
    fn an_item_that_is_harder_for_one_group_is_found_by_both_tests() {
        let bank = simulate::example_bank("2pl", 15, 2);
        let mut harder = bank.clone();
        harder.items[6].parameters[1] -= 1.0;
        let n = 700;
        let reference = simulate::responses(&bank, &simulate::normal_abilities(n, 0.0, 1.0, 3), 4);
        let other = simulate::responses(&harder, &simulate::normal_abilities(n, -0.5, 1.2, 5), 6);
        let rows: Vec<Vec<f32>> = [&reference, &other]
            .iter()
            .flat_map(|made| (0..n).map(|row| made.row(row).1.to_vec()))
            .collect();
        let names = (0..2 * n).map(|row| row.to_string()).collect();
        let items = bank.items.iter().map(|item| item.name.clone()).collect();
        let responses = Responses::from_rows(names, items, rows.iter().map(Vec::as_slice)).unwrap();
        let focal: Vec<bool> = (0..2 * n).map(|row| row >= n).collect();
        let tests = mantel_haenszel(&responses, &focal).unwrap();
        assert_eq!(tests[6].unwrap().class, 'C', "{:?}", tests[6]);
        assert!(tests[6].unwrap().delta < 0.0);
        let settings = Settings::new(model("2pl").unwrap());
        let flagged = likelihood_ratio(&responses, &focal, 6, &settings).unwrap().unwrap();
        assert!(flagged.test.df == 2 && flagged.test.p < 1e-6, "{flagged:?}");
        let clean = likelihood_ratio(&responses, &focal, 3, &settings).unwrap().unwrap();
        assert!(clean.test.p > 0.001, "{clean:?}");
        // The groups' distributions are found as well.
        let mut settings = settings;
        settings.populations = focal.iter().map(|&focal| u32::from(focal)).collect();
        let fit = fit(&responses, &settings).unwrap();
        assert!((fit.populations[1].mean + 0.5).abs() < 0.15, "{:?}", fit.populations);
        assert!((fit.populations[1].sd - 1.2).abs() < 0.15, "{:?}", fit.populations);
        assert!(likelihood_ratio(&responses, &focal[1..], 0, &settings).is_err());
    }
}
