//! Fixed short forms: a few items from which the score on all of them is predicted.
//!
//! Choices: most information at quantiles of ability (as metabench does, Kipnis et al.
//! 2024), anchor points by k-means over item parameters (Polo et al. 2024,
//! tinyBenchmarks), random, and random within strata of difficulty. Predictions of the
//! latter paper: anchors (mean weighted by cluster sizes), p-IRT (answers where there
//! are some, the model's chances elsewhere), gp-IRT (a mixture of the two).
//! Every choice has to be measured on respondents it was not made on, beside random items.

use super::bank::Bank;
use super::error::IrtError;
use super::fit::Population;
use super::score::{Method, Scored};
use crate::run::Stream;

/// How the items of a short form are chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// The most informative item at each of as many quantiles of the population as there are items.
    Information,
    /// The item nearest to each of as many cluster centres of (discrimination, intercept).
    Anchors,
    /// Any items.
    Random,
    /// One item at random from each of as many bands of difficulty.
    Stratified,
}

impl Choice {
    /// All choices with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("information", Self::Information),
        ("anchor", Self::Anchors),
        ("random", Self::Random),
        ("stratified", Self::Stratified),
    ];
}

/// A short form.
#[derive(Clone, Debug, PartialEq)]
pub struct ShortForm {
    /// The items, ascending.
    pub items: Vec<usize>,
    /// Share of all items that each stands for; they sum to 1.
    pub weights: Vec<f64>,
}

/// Rounds of k-means; it nearly always ends before.
const ROUNDS: usize = 100;
/// In ability, for the slope of an expected score.
const STEP: f64 = 1e-4;

/// Chooses `count` items of a bank.
pub fn choose(
    bank: &Bank,
    population: Population,
    choice: Choice,
    count: usize,
    stream: &mut Stream,
) -> Result<ShortForm, IrtError> {
    let all = bank.items.len();
    if count == 0 || count > all {
        return Err(IrtError::Setting {
            setting: "count",
            found: count.to_string(),
            expected: format!("1 to {all}, the number of items"),
        });
    }
    let mut chosen: Vec<(usize, f64)> = match choice {
        Choice::Information => informative(bank, population, count),
        Choice::Anchors => anchors(bank, count, stream),
        Choice::Random => {
            let mut order: Vec<usize> = (0..all).collect();
            stream.shuffle(&mut order);
            order[..count].iter().map(|&item| (item, 1.0 / count as f64)).collect()
        }
        Choice::Stratified => {
            let mut order: Vec<usize> = (0..all).collect();
            let difficulty = |item: usize| bank.items[item].difficulty();
            order.sort_by(|&a, &b| difficulty(a).total_cmp(&difficulty(b)).then(a.cmp(&b)));
            (0..count)
                .map(|band| {
                    let (from, end) = (band * all / count, (band + 1) * all / count);
                    let item = order[from + stream.below((end - from) as u64) as usize];
                    (item, (end - from) as f64 / all as f64)
                })
                .collect()
        }
    };
    chosen.sort_by_key(|&(item, _)| item);
    let (items, weights) = chosen.into_iter().unzip();
    Ok(ShortForm { items, weights })
}

fn informative(bank: &Bank, population: Population, count: usize) -> Vec<(usize, f64)> {
    use statrs::distribution::{ContinuousCDF, Normal};
    let standard = Normal::standard();
    let mut left = vec![true; bank.items.len()];
    (0..count)
        .map(|place| {
            let quantile = (place as f64 + 0.5) / count as f64;
            let ability = population.mean + population.sd * standard.inverse_cdf(quantile);
            let mut best = (f64::NEG_INFINITY, 0);
            for item in (0..left.len()).filter(|&item| left[item]) {
                let information = bank.information(item, ability);
                if information > best.0 {
                    best = (information, item);
                }
            }
            left[best.1] = false;
            (best.1, 1.0 / count as f64)
        })
        .collect()
}

/// k-means with the seeding of Arthur and Vassilvitskii (2007).
fn anchors(bank: &Bank, count: usize, stream: &mut Stream) -> Vec<(usize, f64)> {
    let points: Vec<[f64; 2]> = bank
        .items
        .iter()
        .map(|item| {
            let intercepts = item.intercepts();
            let mean = intercepts.iter().sum::<f64>() / intercepts.len() as f64;
            [item.discrimination(), mean]
        })
        .collect();
    let square = |a: &[f64; 2], b: &[f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    let mut centres = vec![points[stream.below(points.len() as u64) as usize]];
    let mut nearest: Vec<f64> = points.iter().map(|point| square(point, &centres[0])).collect();
    while centres.len() < count {
        let mut left = stream.unit() * nearest.iter().sum::<f64>();
        let found = nearest.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        let centre = points[found.unwrap_or(points.len() - 1)];
        for (nearest, point) in nearest.iter_mut().zip(&points) {
            *nearest = nearest.min(square(point, &centre));
        }
        centres.push(centre);
    }
    let closest = |point: &[f64; 2], centres: &[[f64; 2]]| {
        let distances = centres.iter().map(|centre| square(point, centre)).enumerate();
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(index, _)| index)
    };
    let mut member = vec![0; points.len()];
    for _ in 0..ROUNDS {
        let new: Vec<usize> = points.iter().map(|point| closest(point, &centres)).collect();
        if new == member && centres.len() > 1 {
            break;
        }
        member = new;
        for (index, centre) in centres.iter_mut().enumerate() {
            let own = member.iter().zip(&points).filter(|&(&member, _)| member == index);
            let (n, sum) = own.fold((0.0, [0.0; 2]), |(n, sum), (_, point)| {
                (n + 1.0, [sum[0] + point[0], sum[1] + point[1]])
            });
            if n > 0.0 {
                *centre = [sum[0] / n, sum[1] / n];
            }
        }
    }
    let mut left = vec![true; points.len()];
    centres
        .iter()
        .enumerate()
        .map(|(index, centre)| {
            let size = member.iter().filter(|&&member| member == index).count();
            let open = (0..points.len()).filter(|&item| left[item]);
            let item = open
                .min_by(|&a, &b| square(&points[a], centre).total_cmp(&square(&points[b], centre)))
                .unwrap_or(0);
            left[item] = false;
            (item, size as f64 / points.len() as f64)
        })
        .collect()
}

/// Predictions of the mean score on all items of a bank, from 0 to 1 for binary items.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// Mean of the answers, each for its share of items.
    pub anchors: f64,
    /// Answers where there are some, expected scores at the ability elsewhere.
    pub p_irt: f64,
    /// Standard error of `p_irt`: of the ability, and of the answers not given.
    pub se: f64,
    /// The ability.
    pub ability: Scored,
}

impl Predicted {
    /// gp-IRT: `anchors` times lambda plus `p_irt` times the rest, where
    /// lambda = b^2 / (b^2 + v / (4 n)), b the mean absolute error of p-IRT and v the mean
    /// variance of answers within a respondent, both from respondents held out.
    pub fn gp_irt(&self, bias: f64, variance: f64, n: usize) -> f64 {
        let lambda = gp_irt_weight(bias, variance, n);
        lambda * self.anchors + (1.0 - lambda) * self.p_irt
    }
}

/// lambda of [`Predicted::gp_irt`]; 0 where p-IRT is never off.
pub fn gp_irt_weight(bias: f64, variance: f64, n: usize) -> f64 {
    let square = bias * bias;
    if square > 0.0 { square / (square + variance / (4.0 * n as f64)) } else { 0.0 }
}

impl ShortForm {
    /// Predicts the mean score on all items from the categories of the answers, one an item of the form.
    pub fn predict(
        &self,
        bank: &Bank,
        population: Population,
        categories: &[usize],
    ) -> Result<Predicted, IrtError> {
        let fits = |(&item, &category): (&usize, &usize)| category < bank.items[item].levels.len();
        if categories.len() != self.items.len() || !self.items.iter().zip(categories).all(fits) {
            return Err(IrtError::Setting {
                setting: "answers",
                found: format!("categories {categories:?}"),
                expected: format!("{} categories that the items have", self.items.len()),
            });
        }
        let answers: Vec<(usize, usize)> =
            self.items.iter().copied().zip(categories.iter().copied()).collect();
        let ability = bank.score(&answers, Method::Eap, population);
        let score =
            |&(item, category): &(usize, usize)| f64::from(bank.items[item].levels[category]);
        let anchors =
            answers.iter().zip(&self.weights).map(|(answer, weight)| weight * score(answer)).sum();
        let all = bank.items.len() as f64;
        let seen: f64 = answers.iter().map(score).sum();
        let (mut unseen, mut slope, mut variance) = (0.0, 0.0, 0.0);
        // The ability, and a step to either side for the slope.
        let mut around = [ability.ability; 8];
        around[1] += STEP;
        around[2] -= STEP;
        for item in (0..bank.items.len()).filter(|item| self.items.binary_search(item).is_err()) {
            let levels = &bank.items[item].levels;
            let chances = bank.chances(item, &around);
            let moment = |lane: usize, power: i32| -> f64 {
                let terms = levels.iter().zip(&chances);
                terms.map(|(&level, chance)| f64::from(level).powi(power) * chance[lane]).sum()
            };
            let mean = moment(0, 1);
            unseen += mean;
            variance += moment(0, 2) - mean * mean;
            slope += (moment(1, 1) - moment(2, 1)) / (2.0 * STEP);
        }
        let se = ability.se.unwrap_or(population.sd);
        Ok(Predicted {
            anchors,
            p_irt: (seen + unseen) / all,
            se: ((slope * se).powi(2) + variance).sqrt() / all,
            ability,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulate;
    use super::*;

    const STANDARD: Population = Population { mean: 0.0, sd: 1.0 };

    #[test]
    fn every_choice_has_its_number_of_items_and_weights_that_sum_to_one() {
        let bank = simulate::example_bank("2pl", 120, 4);
        for (name, choice) in Choice::ALL {
            for count in [1, 7, 120] {
                let form =
                    choose(&bank, STANDARD, choice, count, &mut Stream::new(1, &[name])).unwrap();
                assert!(form.items.len() == count && form.items.is_sorted(), "{name} {count}");
                let mut items = form.items.clone();
                items.dedup();
                assert_eq!(items.len(), count, "{name}");
                assert!((form.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{name}");
            }
        }
        assert!(choose(&bank, STANDARD, Choice::Random, 121, &mut Stream::new(1, &["x"])).is_err());
    }

    /// Drawn answers: p-IRT is nearer to the full score than the plain mean of as many
    /// random items, and its intervals hold what they say.
    #[test]
    fn the_full_score_is_predicted_with_an_honest_error() {
        let bank = simulate::example_bank("2pl", 200, 5);
        let count = 300;
        let made = simulate::responses(&bank, &simulate::normal_abilities(count, 0.0, 1.0, 6), 7);
        let form = choose(&bank, STANDARD, Choice::Information, 25, &mut Stream::new(1, &["form"]))
            .unwrap();
        let random =
            choose(&bank, STANDARD, Choice::Random, 25, &mut Stream::new(2, &["form"])).unwrap();
        let (mut error, mut plain, mut inside) = (0.0, 0.0, 0);
        for row in 0..count {
            let full = made.row(row).1.iter().map(|&score| f64::from(score)).sum::<f64>() / 200.0;
            let answers = |form: &ShortForm| -> Vec<usize> {
                form.items.iter().map(|&item| made.score(row, item).unwrap() as usize).collect()
            };
            let predicted = form.predict(&bank, STANDARD, &answers(&form)).unwrap();
            let other = random.predict(&bank, STANDARD, &answers(&random)).unwrap();
            error += (predicted.p_irt - full).abs();
            plain += (other.anchors - full).abs();
            inside += usize::from((predicted.p_irt - full).abs() < 1.96 * predicted.se);
        }
        assert!(error < 0.8 * plain, "{error} {plain}");
        assert!((270..=297).contains(&inside), "{inside} of 300 within 1.96 standard errors");
        assert!(form.predict(&bank, STANDARD, &[0; 24]).is_err());
    }

    /// Worked by hand from the paper's formula.
    #[test]
    fn the_mixture_leans_to_anchors_where_the_model_is_off() {
        let ability = Scored { ability: 0.0, se: Some(0.1), answers: 100 };
        let predicted = Predicted { anchors: 0.6, p_irt: 0.5, se: 0.1, ability };
        // b^2 = 0.0025, v / (4 n) = 0.2 / 400 = 0.0005: lambda = 5/6.
        assert!((predicted.gp_irt(0.05, 0.2, 100) - (0.6 * 5.0 + 0.5) / 6.0).abs() < 1e-12);
        assert_eq!(predicted.gp_irt(0.0, 0.2, 100), 0.5);
    }
}
