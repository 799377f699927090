//! Three-parameter logistic model (Birnbaum 1968): P = c + (1 - c) s(a theta + d),
//! with c estimated as a logit under a prior: without one it diverges on short tests.

use super::four_pl::sigmoid;
use super::lanes::{Lanes, exp, lanes, logistic, softplus};
use super::model::{ItemModel, Role, Slopes, binary_start};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "3pl",
    summary: "slope, difficulty and lower asymptote for each item",
    graded: false,
    slopes: Slopes::Free,
    asymptotes: &[Role::Lower],
    start,
    log_probabilities,
    derivatives,
};

fn start(shares: &[f64]) -> Vec<f64> {
    let mut parameters = binary_start(shares);
    parameters.push(-2.0);
    parameters
}

fn log_probabilities(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes]) {
    let lower = sigmoid(parameters[2]);
    let z = lanes(|lane| parameters[0] * ability[lane] + parameters[1]);
    let (success, fail) = (logistic(&z), softplus(&z));
    let log_range = (-lower).ln_1p();
    log_p[0] = lanes(|lane| log_range - fail[lane]);
    log_p[1] = lanes(|lane| (lower + (1.0 - lower) * success[lane]).ln());
}

fn derivatives(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes], by: &mut [Lanes]) {
    log_probabilities(parameters, ability, log_p);
    let lower = sigmoid(parameters[2]);
    let z = lanes(|lane| parameters[0] * ability[lane] + parameters[1]);
    let success = logistic(&z);
    let failure = exp(&softplus(&z).map(|value| -value));
    by[1] = lanes(|lane| -success[lane]);
    by[0] = lanes(|lane| ability[lane] * by[1][lane]);
    by[2] = [-lower; 8];
    let p = lanes(|lane| lower + (1.0 - lower) * success[lane]);
    by[4] = lanes(|lane| (1.0 - lower) * success[lane] * failure[lane] / p[lane]);
    by[3] = lanes(|lane| ability[lane] * by[4][lane]);
    by[5] = lanes(|lane| lower * (1.0 - lower) * failure[lane] / p[lane]);
}
