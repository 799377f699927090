//! Items with their parameters: what respondents are scored with.

use super::four_pl::sigmoid;
use super::lanes::{Lanes, exp};
use super::model::{AtAbility, ItemModel, Role};

/// An item with its parameters, in the form slope times ability plus intercept.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibratedItem {
    /// The item's name.
    pub name: String,
    /// Scores that have a category, ascending: 0 and 1 for a binary item.
    pub levels: Vec<f32>,
    /// Slope, one intercept a step, then logits of the asymptotes of the model.
    pub(super) parameters: Vec<f64>,
}

impl CalibratedItem {
    /// Discrimination a, in logits per unit of ability.
    pub fn discrimination(&self) -> f64 {
        self.parameters[0]
    }

    /// Difficulty b = -d / a of a binary item; of a graded item the mean of its thresholds.
    pub fn difficulty(&self) -> f64 {
        let thresholds = self.thresholds();
        thresholds.iter().sum::<f64>() / thresholds.len() as f64
    }

    /// -d / a of each step, in units of ability.
    pub fn thresholds(&self) -> Vec<f64> {
        self.intercepts().iter().map(|intercept| -intercept / self.parameters[0]).collect()
    }

    /// d of each step.
    pub fn intercepts(&self) -> &[f64] {
        &self.parameters[1..self.levels.len()]
    }

    pub(super) fn category(&self, score: f32) -> Option<usize> {
        self.levels.iter().position(|&level| level == score)
    }
}

/// A set of items under one model, with the scale of abilities.
#[derive(Clone, Debug)]
pub struct Bank {
    /// The model.
    pub model: &'static ItemModel,
    /// The items.
    pub items: Vec<CalibratedItem>,
}

impl Bank {
    /// Chance of each category of an item at an ability.
    pub fn probabilities(&self, item: usize, ability: f64) -> Vec<f64> {
        let item = &self.items[item];
        let mut log_p = vec![[0.0; 8]; item.levels.len()];
        (self.model.log_probabilities)(&item.parameters, &[ability; 8], &mut log_p);
        log_p.iter().map(|log_p| log_p[0].exp()).collect()
    }

    /// Expected score of an item at an ability.
    pub fn expected_score(&self, item: usize, ability: f64) -> f64 {
        let levels = &self.items[item].levels;
        let chances = self.probabilities(item, ability);
        levels.iter().zip(chances).map(|(&level, chance)| f64::from(level) * chance).sum()
    }

    /// Fisher information of an item about an ability.
    pub fn information(&self, item: usize, ability: f64) -> f64 {
        let item = &self.items[item];
        let mut at = AtAbility::new();
        at.evaluate(self.model, &item.parameters, item.levels.len(), &[ability; 8]);
        at.information()[0]
    }

    /// The lower asymptote of an item: 0 where the model has none.
    pub fn guessing(&self, item: usize) -> f64 {
        self.asymptote(item, Role::Lower).unwrap_or(0.0)
    }

    /// The upper asymptote of an item: 1 where the model has none.
    pub fn upper(&self, item: usize) -> f64 {
        self.asymptote(item, Role::Upper).unwrap_or(1.0)
    }

    fn asymptote(&self, item: usize, role: Role) -> Option<f64> {
        let at = self.model.asymptotes.iter().position(|asymptote| *asymptote == role)?;
        let item = &self.items[item];
        Some(sigmoid(item.parameters[item.levels.len() + at]))
    }

    /// P of each category at eight abilities.
    pub(super) fn chances(&self, item: usize, abilities: &Lanes) -> Vec<Lanes> {
        let item = &self.items[item];
        let mut log_p = vec![[0.0; 8]; item.levels.len()];
        (self.model.log_probabilities)(&item.parameters, abilities, &mut log_p);
        log_p.iter().map(exp).collect()
    }
}
