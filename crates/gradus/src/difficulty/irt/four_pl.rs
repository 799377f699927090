//! Four-parameter logistic model (Barton and Lord 1981): P = c + (u - c) s(a theta + d),
//! with c and u estimated as logits under a prior. On short tests that is not enough:
//! an item can then explain itself by a step, and slopes need a prior too.

use super::lanes::{Lanes, exp, lanes, logistic, softplus};
use super::model::{ItemModel, Role, Slopes, binary_start};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "4pl",
    summary: "slope, difficulty, lower and upper asymptote for each item",
    graded: false,
    slopes: Slopes::Free,
    asymptotes: &[Role::Lower, Role::Upper],
    start,
    log_probabilities,
    derivatives,
};

fn start(shares: &[f64]) -> Vec<f64> {
    let mut parameters = binary_start(shares);
    parameters.extend([-2.0, 2.0]);
    parameters
}

/// P and Q = 1 - P are sums of positive terms, so that neither loses digits near 0.
fn log_probabilities(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes]) {
    let [lower, slip] = [parameters[2], -parameters[3]].map(sigmoid);
    let z = lanes(|lane| parameters[0] * ability[lane] + parameters[1]);
    let success = logistic(&z);
    let failure = exp(&softplus(&z).map(|value| -value));
    let range = 1.0 - lower - slip;
    log_p[0] = lanes(|lane| (slip + range * failure[lane]).ln());
    log_p[1] = lanes(|lane| (lower + range * success[lane]).ln());
}

fn derivatives(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes], by: &mut [Lanes]) {
    let [lower, slip] = [parameters[2], -parameters[3]].map(sigmoid);
    let z = lanes(|lane| parameters[0] * ability[lane] + parameters[1]);
    let success = logistic(&z);
    let failure = exp(&softplus(&z).map(|value| -value));
    let range = 1.0 - lower - slip;
    for category in 0..2 {
        let p = if category == 0 {
            lanes(|lane| slip + range * failure[lane])
        } else {
            lanes(|lane| lower + range * success[lane])
        };
        log_p[category] = lanes(|lane| p[lane].ln());
        let sign = if category == 0 { -1.0 } else { 1.0 };
        let by = &mut by[4 * category..4 * category + 4];
        by[1] = lanes(|lane| sign * range * success[lane] * failure[lane] / p[lane]);
        by[0] = lanes(|lane| ability[lane] * by[1][lane]);
        by[2] = lanes(|lane| sign * lower * (1.0 - lower) * failure[lane] / p[lane]);
        by[3] = lanes(|lane| sign * slip * (1.0 - slip) * success[lane] / p[lane]);
    }
}

pub(super) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
