//! Generalised partial credit model (Muraki 1992): P(y = k) is proportional to
//! exp of the sum over v <= k of `a theta + d_v`, the empty sum being 0. Steps are
//! `b_v = -d_v / a` and need no order. A category that nobody got does not exist.

use super::lanes::{Lanes, exp, lanes};
use super::model::{ItemModel, Slopes};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "partial-credit",
    summary: "generalised partial credit: slope and steps for each item",
    graded: true,
    slopes: Slopes::Free,
    asymptotes: &[],
    start,
    log_probabilities,
    derivatives,
};

/// Logits between neighbouring categories.
fn start(shares: &[f64]) -> Vec<f64> {
    let mut parameters = vec![1.0];
    for pair in shares.windows(2) {
        parameters.push((pair[1].max(1e-6) / pair[0].max(1e-6)).ln());
    }
    parameters
}

fn log_probabilities(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes]) {
    log_p[0] = [0.0; 8];
    let mut highest = log_p[0];
    for category in 1..log_p.len() {
        log_p[category] = lanes(|lane| {
            log_p[category - 1][lane] + parameters[0] * ability[lane] + parameters[category]
        });
        highest = lanes(|lane| highest[lane].max(log_p[category][lane]));
    }
    let mut total = [0.0; 8];
    for exponent in log_p.iter() {
        let term = exp(&lanes(|lane| exponent[lane] - highest[lane]));
        total = lanes(|lane| total[lane] + term[lane]);
    }
    let log_total = lanes(|lane| highest[lane] + total[lane].ln());
    for exponent in log_p {
        *exponent = lanes(|lane| exponent[lane] - log_total[lane]);
    }
}

fn derivatives(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes], by: &mut [Lanes]) {
    log_probabilities(parameters, ability, log_p);
    let (categories, width) = (log_p.len(), parameters.len());
    let mut mean = [0.0; 8];
    let mut reached = [0.0; 8];
    // From the top, so that P(y >= v) is a running sum.
    for step in (1..categories).rev() {
        let p = exp(&log_p[step]);
        reached = lanes(|lane| reached[lane] + p[lane]);
        mean = lanes(|lane| mean[lane] + reached[lane]);
        for category in 0..categories {
            let in_sum = f64::from(u8::from(step <= category));
            by[category * width + step] = lanes(|lane| in_sum - reached[lane]);
        }
    }
    for category in 0..categories {
        by[category * width] = lanes(|lane| ability[lane] * (category as f64 - mean[lane]));
    }
}
