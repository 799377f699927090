//! Prior distributions of item parameters, for posterior modes instead of maximum likelihood.

use super::maximise::Score;
use super::model::{ItemModel, Role};

/// A prior of an asymptote: of the lower one, or of 1 minus the upper one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AsymptotePrior {
    /// Its logit is normal, as mirt's `norm` prior of `g`.
    Logit {
        /// Mean, in logits.
        mean: f64,
        /// Standard deviation, in logits.
        sd: f64,
    },
    /// It is Beta distributed, as BILOG's; the mode is that of the density on the scale of probabilities.
    Beta {
        /// First shape.
        alpha: f64,
        /// Second shape.
        beta: f64,
    },
}

/// Priors of all items; `None` is maximum likelihood.
///
/// By default only asymptotes have one, as without it they diverge on short tests:
/// logit c is normal with mean -1.1 and standard deviation 2, and so is logit (1 - u).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Priors {
    /// Mean and standard deviation of ln a; keeps slopes positive.
    pub log_slope: Option<(f64, f64)>,
    /// Mean and standard deviation of b, and of each threshold of a graded item.
    pub difficulty: Option<(f64, f64)>,
    /// Of c.
    pub lower: Option<AsymptotePrior>,
    /// Of 1 - u.
    pub upper: Option<AsymptotePrior>,
}

const ASYMPTOTE: AsymptotePrior = AsymptotePrior::Logit { mean: -1.1, sd: 2.0 };

impl Default for Priors {
    fn default() -> Self {
        Self { log_slope: None, difficulty: None, lower: Some(ASYMPTOTE), upper: Some(ASYMPTOTE) }
    }
}

impl Priors {
    /// Does a change of the unit and origin of ability leave the priors as they are, so
    /// that abilities may be standardised after each cycle.
    pub(super) fn is_free_of_scale(&self) -> bool {
        self.log_slope.is_none() && self.difficulty.is_none()
    }

    /// Adds ln prior with its derivatives to those of an item's likelihood; the second
    /// derivatives are those at the current parameters where they are positive.
    pub(super) fn add(
        &self,
        model: &ItemModel,
        categories: usize,
        parameters: &[f64],
        score: &mut Score,
    ) {
        let width = parameters.len();
        if let Some((mean, sd)) = self.log_slope {
            let off = parameters[0].max(1e-9).ln() - mean;
            score.value -= 0.5 * (off / sd).powi(2);
            score.gradient[0] -= off / (sd * sd * parameters[0]);
            score.information[0] += (1.0 - off).max(0.1) / (sd * parameters[0]).powi(2);
        }
        if let Some((mean, sd)) = self.difficulty {
            let slope = parameters[0];
            for (step, intercept) in parameters.iter().enumerate().take(categories).skip(1) {
                let b = -intercept / slope;
                let off = (b - mean) / (sd * sd);
                let (by_slope, by_intercept) = (-b / slope, -1.0 / slope);
                score.value -= 0.5 * off * (b - mean);
                score.gradient[0] -= off * by_slope;
                score.gradient[step] -= off * by_intercept;
                score.information[0] += (by_slope / sd).powi(2);
                score.information[step * width + step] += (by_intercept / sd).powi(2);
                let mixed = by_slope * by_intercept / (sd * sd);
                score.information[step] += mixed;
                score.information[step * width] += mixed;
            }
        }
        for (index, &parameter) in parameters.iter().enumerate().skip(categories) {
            // Both priors speak of a small chance: c, or 1 - u, whose logit is -logit u.
            let (prior, sign) = match model.role(categories, index) {
                Role::Lower => (self.lower, 1.0),
                _ => (self.upper, -1.0),
            };
            let logit = sign * parameter;
            let (value, gradient, information) = match prior {
                None => continue,
                Some(AsymptotePrior::Logit { mean, sd }) => {
                    let off = logit - mean;
                    (-0.5 * (off / sd).powi(2), -off / (sd * sd), 1.0 / (sd * sd))
                }
                Some(AsymptotePrior::Beta { alpha, beta }) => {
                    let p = super::four_pl::sigmoid(logit);
                    let value = (alpha - 1.0) * p.ln() + (beta - 1.0) * (-p).ln_1p();
                    let gradient = (alpha - 1.0) * (1.0 - p) - (beta - 1.0) * p;
                    (value, gradient, (alpha + beta - 2.0) * p * (1.0 - p))
                }
            };
            score.value += value;
            score.gradient[index] += sign * gradient;
            score.information[index * width + index] += information;
        }
    }
}
