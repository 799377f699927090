//! What an item response model is to everything else: categories with a chance at
//! each ability, and the derivatives of its logarithm.

use super::lanes::{Lanes, lanes};

/// What a parameter of an item is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Discrimination: the factor of ability, a.
    Slope,
    /// What is added to a times ability, d; one for each step between categories.
    Intercept,
    /// The chance to succeed at the lowest ability, as a logit.
    Lower,
    /// The chance to succeed at the highest ability, as a logit.
    Upper,
}

/// What is done with the slopes of all items.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slopes {
    /// Each item has its own.
    Free,
    /// One for all items.
    Common,
    /// All are 1, and the variance of the abilities is free.
    One,
}

/// An item response model: one file and one row of [`ALL`](super::ALL).
///
/// Parameters of an item stand as slope, intercepts in the order of the steps,
/// then lower and upper asymptote where the model has them; ability enters only
/// through slope times ability plus intercept.
#[derive(Clone, Copy, Debug)]
pub struct ItemModel {
    /// Name, as `--model` takes it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// May an item have more than two categories.
    pub graded: bool,
    /// What is done with the slopes.
    pub slopes: Slopes,
    /// Asymptotes that are estimated, after slope and intercepts.
    pub(super) asymptotes: &'static [Role],
    /// Where estimation starts, from the share of answers in each category.
    pub(super) start: fn(shares: &[f64]) -> Vec<f64>,
    /// ln P of each category, at eight abilities.
    pub(super) log_probabilities: fn(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes]),
    /// As above, with the derivatives by each parameter: all of category 0 first.
    pub(super) derivatives:
        fn(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes], by: &mut [Lanes]),
}

impl ItemModel {
    /// Number of parameters of an item with so many categories.
    pub(super) fn parameters(&self, categories: usize) -> usize {
        categories + self.asymptotes.len()
    }

    /// What parameter number `index` is.
    pub(super) fn role(&self, categories: usize, index: usize) -> Role {
        if index == 0 {
            Role::Slope
        } else if index < categories {
            Role::Intercept
        } else {
            self.asymptotes[index - categories]
        }
    }

    /// Is the log-likelihood of an item concave in its parameters at fixed abilities,
    /// so that a Newton step needs no check.
    pub(super) fn is_concave(&self) -> bool {
        !self.graded && self.asymptotes.is_empty()
    }
}

/// Chances and their derivatives by ability, of one item at eight abilities.
pub(super) struct AtAbility {
    /// ln P of each category.
    pub(super) log_p: Vec<Lanes>,
    /// d ln P / d ability of each category.
    pub(super) slope: Vec<Lanes>,
    by: Vec<Lanes>,
}

impl AtAbility {
    pub(super) fn new() -> Self {
        Self { log_p: Vec::new(), slope: Vec::new(), by: Vec::new() }
    }

    /// Ability enters through slope times ability plus intercept only, so the derivative
    /// by ability is the slope times the sum of the derivatives by the intercepts.
    pub(super) fn evaluate(
        &mut self,
        model: &ItemModel,
        parameters: &[f64],
        categories: usize,
        ability: &Lanes,
    ) {
        let width = parameters.len();
        self.log_p.resize(categories, [0.0; 8]);
        self.slope.resize(categories, [0.0; 8]);
        self.by.resize(categories * width, [0.0; 8]);
        (model.derivatives)(parameters, ability, &mut self.log_p, &mut self.by);
        for (slope, by) in self.slope.iter_mut().zip(self.by.chunks_exact(width)) {
            *slope = lanes(|lane| {
                parameters[0] * by[1..categories].iter().map(|by| by[lane]).sum::<f64>()
            });
        }
    }

    /// Fisher information of the item about ability, in each lane.
    pub(super) fn information(&self) -> Lanes {
        lanes(|lane| {
            self.log_p
                .iter()
                .zip(&self.slope)
                .map(|(log_p, slope)| log_p[lane].exp() * slope[lane] * slope[lane])
                .sum()
        })
    }
}

/// logit of the share of answers in the upper category, widened as ability is averaged over.
pub(super) fn binary_start(shares: &[f64]) -> Vec<f64> {
    let upper = shares[1].clamp(1e-6, 1.0 - 1e-6);
    vec![1.0, 1.17 * (upper / (1.0 - upper)).ln()]
}
