//! Ability of a respondent from answers to calibrated items.
//!
//! | method | estimate | standard error |
//! | --- | --- | --- |
//! | EAP | posterior mean (Bock and Mislevy 1982) | posterior standard deviation |
//! | MAP | posterior mode | 1 / sqrt(I + 1 / v), v the prior variance |
//! | ML | highest likelihood; infinite where all answers are extreme | 1 / sqrt(I) |
//! | WLE | Warm's weighted likelihood (1989): root of l' + J / (2 I) | 1 / sqrt(I) |
//!
//! I is the expected information at the estimate. R's mirt prints another standard
//! error for WLE; its estimates are the same.

use std::collections::HashMap;

use super::bank::Bank;
use super::error::IrtError;
use super::fit::Population;
use super::grid::Grid;
use super::lanes::{LANES, Lanes, add, exp, lanes, sum};
use super::model::AtAbility;
use super::workers;
use crate::difficulty::responses::Responses;

/// How ability is estimated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Method {
    /// Expected a posteriori.
    #[default]
    Eap,
    /// Maximum a posteriori.
    Map,
    /// Maximum likelihood.
    Ml,
    /// Weighted likelihood.
    Wle,
}

impl Method {
    /// All methods with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("eap", Self::Eap), ("map", Self::Map), ("ml", Self::Ml), ("wle", Self::Wle)];
}

/// An estimate of ability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The estimate; infinite where maximum likelihood has none.
    pub ability: f64,
    /// Its standard error; none where the estimate is infinite.
    pub se: Option<f64>,
    /// Number of answers it is made from.
    pub answers: usize,
}

/// Searched for modes; beyond it, an ability is infinite.
const FURTHEST: f64 = 16.0;
/// Spacing of the search.
const COARSE: f64 = 0.25;

impl Bank {
    /// Ability from answers: pairs of an item's number and its category.
    pub fn score(
        &self,
        answers: &[(usize, usize)],
        method: Method,
        population: Population,
    ) -> Scored {
        let mut sums = Sums::new(self, answers);
        let count = answers.len();
        let scored = |ability: f64, se: f64| Scored { ability, se: Some(se), answers: count };
        match method {
            Method::Eap => {
                let mut posterior = RunningPosterior::new(population, count);
                for &(item, category) in answers {
                    posterior.add(self, item, category);
                }
                let (ability, se) = posterior.moments();
                scored(ability, se)
            }
            Method::Map => {
                let precision = population.sd.powi(-2);
                let ability = sums.highest(Some(population));
                let information = sums.at(&[ability; 8]).information[0];
                scored(ability, (information + precision).sqrt().recip())
            }
            Method::Ml => {
                let ability = sums.highest(None);
                if ability.is_infinite() {
                    return Scored { ability, se: None, answers: count };
                }
                let information = sums.at(&[ability; 8]).information[0];
                scored(ability, information.sqrt().recip())
            }
            Method::Wle => {
                let ability = sums.weighted();
                let information = sums.at(&[ability; 8]).information[0];
                scored(ability, information.sqrt().recip())
            }
        }
    }

    /// Abilities of all respondents; items are matched by name. An item that the bank
    /// does not have is not used, a score that the item does not have is an error, and
    /// a respondent without any usable answer has none.
    pub fn score_all(
        &self,
        responses: &Responses,
        method: Method,
        population: Population,
        threads: usize,
    ) -> Result<Vec<Option<Scored>>, IrtError> {
        Ok(workers::each(
            threads,
            self.answers(responses)?,
            || (),
            |(), answers| (!answers.is_empty()).then(|| self.score(&answers, method, population)),
        ))
    }

    /// The answers of each respondent to items of the bank, matched by name: an item's
    /// number and its category. A score that the item does not have is an error.
    pub fn answers(&self, responses: &Responses) -> Result<Vec<Vec<(usize, usize)>>, IrtError> {
        let numbers: HashMap<&str, usize> = self
            .items
            .iter()
            .enumerate()
            .map(|(number, item)| (item.name.as_str(), number))
            .collect();
        let known: Vec<Option<usize>> =
            responses.items().iter().map(|name| numbers.get(name.as_str()).copied()).collect();
        let mut rows = Vec::with_capacity(responses.respondents().len());
        for respondent in 0..responses.respondents().len() {
            let (items, scores) = responses.row(respondent);
            let mut answers = Vec::with_capacity(items.len());
            for (&item, &score) in items.iter().zip(scores) {
                let Some(number) = known[item as usize] else { continue };
                let Some(category) = self.items[number].category(score) else {
                    return Err(IrtError::Setting {
                        setting: "responses",
                        found: format!(
                            "score {score} of respondent {:?} on item {:?}",
                            responses.respondents()[respondent],
                            self.items[number].name
                        ),
                        expected: format!("one of {:?}", self.items[number].levels),
                    });
                };
                answers.push((number, category));
            }
            rows.push(answers);
        }
        Ok(rows)
    }
}

/// A posterior of ability on a grid, answer by answer.
pub(super) struct RunningPosterior {
    grid: Grid,
    logs: Vec<Lanes>,
    log_p: Vec<Lanes>,
}

impl RunningPosterior {
    /// Before any answer; fine enough for `most` answers.
    pub(super) fn new(population: Population, most: usize) -> Self {
        let step = 0.2f64.min(1.0 / (1.0 + 0.5 * most as f64).sqrt());
        let (mean, sd) = (population.mean, population.sd);
        let grid = Grid::new(mean - 6.0 * sd, mean + 6.0 * sd, step * sd);
        let logs = grid.log_weights(mean, sd);
        Self { grid, logs, log_p: Vec::new() }
    }

    pub(super) fn add(&mut self, bank: &Bank, item: usize, category: usize) {
        let item = &bank.items[item];
        self.log_p.resize(item.levels.len(), [0.0; 8]);
        for (ability, log) in self.grid.chunks.iter().zip(&mut self.logs) {
            (bank.model.log_probabilities)(&item.parameters, ability, &mut self.log_p);
            add(log, &self.log_p[category]);
        }
    }

    /// Mean and standard deviation.
    pub(super) fn moments(&self) -> (f64, f64) {
        let highest = self.logs.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |log: &Lanes| exp(&log.map(|log| log - highest));
        let weights: Vec<Lanes> = self.logs.iter().map(weight).collect();
        let moment = |value: &dyn Fn(f64) -> f64| -> f64 {
            let at = self.grid.chunks.iter().zip(&weights);
            at.map(|(ability, weight)| sum(&lanes(|lane| weight[lane] * value(ability[lane]))))
                .sum()
        };
        let total = moment(&|_| 1.0);
        let mean = moment(&|ability| ability) / total;
        (mean, (moment(&|ability| (ability - mean).powi(2)) / total).sqrt())
    }
}

/// ln likelihood of some answers at eight abilities, with derivatives.
struct At {
    log_likelihood: Lanes,
    slope: Lanes,
    information: Lanes,
}

struct Sums<'a> {
    bank: &'a Bank,
    answers: &'a [(usize, usize)],
    item: AtAbility,
}

impl<'a> Sums<'a> {
    fn new(bank: &'a Bank, answers: &'a [(usize, usize)]) -> Self {
        Self { bank, answers, item: AtAbility::new() }
    }

    fn at(&mut self, abilities: &Lanes) -> At {
        let mut at = At { log_likelihood: [0.0; 8], slope: [0.0; 8], information: [0.0; 8] };
        for &(number, category) in self.answers {
            let item = &self.bank.items[number];
            self.item.evaluate(self.bank.model, &item.parameters, item.levels.len(), abilities);
            add(&mut at.log_likelihood, &self.item.log_p[category]);
            add(&mut at.slope, &self.item.slope[category]);
            add(&mut at.information, &self.item.information());
        }
        at
    }

    /// The mode of the likelihood, or of the posterior. Likelihoods of models with
    /// asymptotes can have several modes, so the highest point of a grid comes first.
    fn highest(&mut self, population: Option<Population>) -> f64 {
        let prior = |ability: f64| {
            population.map_or((0.0, 0.0), |at| {
                let off = (ability - at.mean) / at.sd;
                (-0.5 * off * off, -off / at.sd)
            })
        };
        let mut best = (f64::NEG_INFINITY, 0.0);
        let chunks = (2.0 * FURTHEST / COARSE) as usize / LANES;
        for chunk in 0..=chunks {
            let abilities = lanes(|lane| COARSE * (chunk * LANES + lane) as f64 - FURTHEST);
            let values = self.at(&abilities).log_likelihood;
            for lane in 0..LANES {
                let value = values[lane] + prior(abilities[lane]).0;
                if value > best.0 {
                    best = (value, abilities[lane]);
                }
            }
        }
        let slope =
            |sums: &mut Self, ability: f64| sums.at(&[ability; 8]).slope[0] + prior(ability).1;
        let (mut low, mut high) = (best.1 - COARSE, best.1 + COARSE);
        if slope(self, low) < 0.0 {
            return f64::NEG_INFINITY;
        }
        if slope(self, high) > 0.0 {
            return f64::INFINITY;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if slope(self, middle) > 0.0 { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// The root of l' + J / (2 I), J the sum of P' P'' / P over items and categories;
    /// where there are several, the one at which l + ln(I) / 2 is highest.
    fn weighted(&mut self) -> f64 {
        let mut best = (f64::NEG_INFINITY, 0.0);
        let mut left = self.weighted_slope(-FURTHEST);
        let steps = (2.0 * FURTHEST / COARSE) as usize;
        for step in 1..=steps {
            let ability = COARSE * step as f64 - FURTHEST;
            let right = self.weighted_slope(ability);
            if left > 0.0 && right <= 0.0 {
                let (mut low, mut high) = (ability - COARSE, ability);
                for _ in 0..50 {
                    let middle = 0.5 * (low + high);
                    if self.weighted_slope(middle) > 0.0 { low = middle } else { high = middle }
                }
                let root = 0.5 * (low + high);
                let at = self.at(&[root; 8]);
                let value = at.log_likelihood[0] + 0.5 * at.information[0].ln();
                if value > best.0 {
                    best = (value, root);
                }
            }
            left = right;
        }
        best.1
    }

    fn weighted_slope(&mut self, ability: f64) -> f64 {
        // P'' by a central difference of P'.
        const H: f64 = 1e-4;
        let abilities = lanes(|lane| ability + [0.0, H, -H][lane.min(2)]);
        let (mut slope, mut information, mut j) = (0.0, 0.0, 0.0);
        for &(number, category) in self.answers {
            let item = &self.bank.items[number];
            self.item.evaluate(self.bank.model, &item.parameters, item.levels.len(), &abilities);
            slope += self.item.slope[category][0];
            for (log_p, by) in self.item.log_p.iter().zip(&self.item.slope) {
                let first = |lane: usize| log_p[lane].exp() * by[lane];
                information += first(0) * by[0];
                j += by[0] * (first(1) - first(2)) / (2.0 * H);
            }
        }
        slope + j / (2.0 * information)
    }
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::{close, fitted, lsat};
    use super::*;

    /// mirt's `fscores` at its 2PL estimates (`lsat_mirt_r.txt`): pattern, EAP, MAP, ML,
    /// WLE, and the standard errors of the first three.
    #[test]
    fn scores_of_lsat_patterns_are_those_of_r() {
        type Known<'a> = (&'a str, [f64; 4], [f64; 3]);
        let six: [Known<'_>; 4] = [
            (
                "00001",
                [-1.474_813_9, -1.479_508_5, -4.357_294_1, -3.951_498_3],
                [0.802_275_6, 0.796_129_8, 1.652_709_7],
            ),
            (
                "01111",
                [0.053_601_7, 0.022_472_8, 0.072_010_9, -0.199_010_6],
                [0.835_400_3, 0.828_433_7, 1.490_418_7],
            ),
            (
                "11101",
                [0.149_819_0, 0.117_125_2, 0.393_761_6, 0.038_073_7],
                [0.838_932_5, 0.832_244_7, 1.576_275_1],
            ),
            (
                "10010",
                [-0.919_227_1, -0.932_978_0, -2.561_272_8, -2.485_760_5],
                [0.808_945_5, 0.801_891_0, 1.336_591_8],
            ),
        ];
        let seven: [Known<'_>; 2] = [
            (
                "01111",
                [0.141_149_6, 0.058_599_3, 0.127_040_4, -0.217_280_4],
                [0.741_019_3, 0.729_584_4, 1.095_113_2],
            ),
            (
                "10000",
                [-1.413_699_6, -1.389_326_4, -2.707_207_1, -2.306_372_8],
                [0.669_502_7, 0.643_880_7, 1.202_440_3],
            ),
        ];
        for (number, known) in [(6, &six[..]), (7, &seven[..])] {
            let Some(fit) = fitted(number, "2pl") else { return };
            for (pattern, abilities, errors) in known {
                let answers: Vec<(usize, usize)> =
                    pattern.bytes().map(|byte| usize::from(byte == b'1')).enumerate().collect();
                for (index, (name, method)) in Method::ALL.into_iter().enumerate() {
                    let scored = fit.bank.score(&answers, method, fit.populations[0]);
                    close(scored.ability, abilities[index], 5e-4, name);
                    if let Some(&error) = errors.get(index) {
                        close(scored.se.unwrap(), error, 5e-4, name);
                    }
                }
            }
        }
    }

    /// Spec values computed with 2,001 nodes; mirt agrees to 5e-6.
    #[test]
    fn warms_estimate_is_finite_where_maximum_likelihood_is_not() {
        let Some(fit) = fitted(6, "2pl") else { return };
        for (category, wle) in [(0, -5.703_899), (1, 1.649_731)] {
            let answers: Vec<(usize, usize)> = (0..5).map(|item| (item, category)).collect();
            let ml = fit.bank.score(&answers, Method::Ml, fit.populations[0]);
            assert!(ml.ability.is_infinite() && ml.se.is_none());
            assert_eq!(ml.ability > 0.0, category == 1);
            let found = fit.bank.score(&answers, Method::Wle, fit.populations[0]);
            close(found.ability, wle, 5e-5, "WLE");
        }
    }

    #[test]
    fn scoring_with_the_bank_is_what_the_fit_says() {
        let (Some(fit), Some(responses)) = (fitted(7, "2pl"), lsat(7)) else { return };
        let scored = fit.bank.score_all(&responses, Method::Eap, fit.populations[0], 2).unwrap();
        for (scored, ability) in scored.into_iter().zip(&fit.abilities) {
            close(scored.unwrap().ability, ability.ability, 1e-8, "EAP");
        }
    }
}
