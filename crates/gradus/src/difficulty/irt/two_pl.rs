//! Two-parameter logistic model (Birnbaum 1968): P = s(a theta + d), difficulty b = -d / a.

use super::lanes::{Lanes, exp, lanes, softplus};
use super::model::{ItemModel, Slopes, binary_start};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "2pl",
    summary: "slope and difficulty for each item",
    graded: false,
    slopes: Slopes::Free,
    asymptotes: &[],
    start: binary_start,
    log_probabilities,
    derivatives,
};

pub(super) fn log_probabilities(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes]) {
    let z = lanes(|lane| parameters[0] * ability[lane] + parameters[1]);
    let fail = softplus(&z);
    log_p[0] = lanes(|lane| -fail[lane]);
    log_p[1] = lanes(|lane| z[lane] - fail[lane]);
}

pub(super) fn derivatives(
    parameters: &[f64],
    ability: &Lanes,
    log_p: &mut [Lanes],
    by: &mut [Lanes],
) {
    log_probabilities(parameters, ability, log_p);
    let (wrong, right) = (exp(&log_p[0]), exp(&log_p[1]));
    by[1] = lanes(|lane| -right[lane]);
    by[0] = lanes(|lane| ability[lane] * by[1][lane]);
    by[3] = wrong;
    by[2] = lanes(|lane| ability[lane] * wrong[lane]);
}
