//! Responses from known parameters, for power and recovery studies.

use super::bank::{Bank, CalibratedItem};
use super::error::IrtError;
use super::model::{ItemModel, Role};
use crate::difficulty::responses::Responses;
use crate::run::Stream;

/// Normal abilities of respondents, each from its own stream.
pub fn normal_abilities(count: usize, mean: f64, sd: f64, seed: u64) -> Vec<f64> {
    let draw = |respondent: usize| {
        mean + sd * Stream::new(seed, &["simulate", "ability", &respondent.to_string()]).normal()
    };
    (0..count).map(draw).collect()
}

/// Complete answers of respondents with the given abilities; each respondent has its own
/// stream, so that more respondents or another order change nothing for the others.
pub fn responses(bank: &Bank, abilities: &[f64], seed: u64) -> Responses {
    let names = |prefix: &str, count: usize| -> Vec<String> {
        (1..=count).map(|number| format!("{prefix}-{number}")).collect()
    };
    let rows = abilities.iter().enumerate().map(|(respondent, &ability)| {
        let mut stream = Stream::new(seed, &["simulate", "answers", &respondent.to_string()]);
        let draw = |item: usize| {
            let mut left = stream.unit();
            let chances = bank.probabilities(item, ability);
            let category = chances.iter().position(|chance| {
                left -= chance;
                left < 0.0
            });
            let levels = &bank.items[item].levels;
            (item as u32, levels[category.unwrap_or(levels.len() - 1)])
        };
        (0..bank.items.len()).map(draw).collect()
    });
    let items = bank.items.iter().map(|item| item.name.clone()).collect();
    Responses::from_sparse(names("respondent", abilities.len()), items, rows)
        .expect("every row has each item once, in order")
}

/// What items are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemDistribution {
    /// Standard deviation of ln discrimination, whose mean is 0.
    pub log_slope_sd: f64,
    /// Standard deviation of difficulty, whose mean is 0; values are kept within 3.
    pub difficulty_sd: f64,
    /// Lower asymptote, where the model has one.
    pub guessing: f64,
    /// Upper asymptote, where the model has one.
    pub upper: f64,
}

impl Default for ItemDistribution {
    fn default() -> Self {
        Self { log_slope_sd: 0.3, difficulty_sd: 1.0, guessing: 0.2, upper: 0.95 }
    }
}

/// Items with drawn parameters; `categories` of each, 2 for a binary model.
pub fn items(
    model: &'static ItemModel,
    count: usize,
    categories: usize,
    from: ItemDistribution,
    seed: u64,
) -> Result<Bank, IrtError> {
    if categories < 2 || (categories > 2 && !model.graded) {
        return Err(IrtError::Setting {
            setting: "categories",
            found: categories.to_string(),
            expected: if model.graded {
                "2 or more".into()
            } else {
                format!("2 under {}", model.name)
            },
        });
    }
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let items = (1..=count)
        .map(|number| {
            let mut stream = Stream::new(seed, &["simulate", "item", &number.to_string()]);
            let difficulty = (from.difficulty_sd * stream.normal()).clamp(-3.0, 3.0);
            let slope = match model.slopes {
                super::Slopes::Free => (from.log_slope_sd * stream.normal()).exp(),
                _ => 1.0,
            };
            let mut parameters = vec![slope];
            for step in 1..categories {
                // Thresholds half a unit apart around the difficulty.
                let off = 0.5 * (step as f64 - categories as f64 / 2.0);
                parameters.push(-slope * (difficulty + off));
            }
            parameters.extend(model.asymptotes.iter().map(|role| match role {
                Role::Lower => logit(from.guessing),
                _ => logit(from.upper),
            }));
            let levels = (0..categories).map(|level| level as f32).collect();
            CalibratedItem { name: format!("item-{number}"), levels, parameters }
        })
        .collect();
    Ok(Bank { model, items })
}

#[cfg(test)]
pub(crate) fn example_bank(name: &str, count: usize, seed: u64) -> Bank {
    let model = super::model(name).unwrap();
    let categories = if model.graded { 4 } else { 2 };
    items(model, count, categories, ItemDistribution::default(), seed).unwrap()
}

#[cfg(test)]
mod tests {
    use super::super::{ALL, Settings, fit};
    use super::*;

    /// What is drawn from a model is found again by it: every model, nearly unbiased.
    #[test]
    fn every_model_finds_what_was_drawn_from_it() {
        for model in ALL {
            let bank = example_bank(model.name, 12, 7);
            let abilities = normal_abilities(1200, 0.0, 1.0, 11);
            let made = responses(&bank, &abilities, 13);
            let mut settings = Settings::new(model);
            if model.name == "4pl" {
                // On a short test slopes run off as well.
                settings.priors.log_slope = Some((0.0, 0.5));
            }
            let fit = fit(&made, &settings).unwrap();
            // Parameters of models with asymptotes trade off against each other; curves do not.
            for item in 0..12 {
                for ability in [-1.5, -0.5, 0.5, 1.5] {
                    let found = fit.bank.expected_score(item, ability);
                    let known = bank.expected_score(item, ability);
                    let steps = (bank.items[item].levels.len() - 1) as f64;
                    let off = (found - known).abs() / steps;
                    let bound = if model.asymptotes.is_empty() { 0.08 } else { 0.12 };
                    assert!(
                        off < bound,
                        "{} item {item} at {ability}: {found} {known}",
                        model.name
                    );
                }
            }
            let error: f64 = fit
                .abilities
                .iter()
                .zip(&abilities)
                .map(|(found, known)| (found.ability - known).powi(2))
                .sum::<f64>();
            let expected: f64 = fit.abilities.iter().map(|ability| ability.se.powi(2)).sum();
            assert!(
                (0.85..1.15).contains(&(error / expected)),
                "{}: {}",
                model.name,
                error / expected
            );
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_answers() {
        let bank = example_bank("graded", 5, 1);
        assert_eq!(responses(&bank, &[0.0, 1.0], 2), responses(&bank, &[0.0, 1.0], 2));
        assert!(
            items(super::super::model("2pl").unwrap(), 1, 3, ItemDistribution::default(), 1)
                .is_err()
        );
    }
}
