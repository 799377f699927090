//! Graded response model (Samejima 1969): `P(y >= k) = s(a theta + d_k)`, with `d_k`
//! decreasing; the chance of a category is the difference of two neighbours.
//! Thresholds are `b_k = -d_k / a`. A category that nobody got does not exist.

use super::lanes::{Lanes, lanes, logistic};
use super::model::{ItemModel, Slopes};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "graded",
    summary: "graded response: slope and ordered thresholds for each item",
    graded: true,
    slopes: Slopes::Free,
    asymptotes: &[],
    start,
    log_probabilities,
    derivatives,
};

/// Logits of the share at or above each category.
fn start(shares: &[f64]) -> Vec<f64> {
    let mut parameters = vec![1.0];
    for category in 1..shares.len() {
        let above: f64 = shares[category..].iter().sum();
        let above = above.clamp(1e-6, 1.0 - 1e-6);
        parameters.push(1.17 * (above / (1.0 - above)).ln());
    }
    parameters
}

/// P(y >= k) and P(y < k), the first from 1 and the last beyond the highest category.
fn reached(parameters: &[f64], categories: usize, step: usize, ability: &Lanes) -> (Lanes, Lanes) {
    if step == 0 {
        return ([1.0; 8], [0.0; 8]);
    }
    if step == categories {
        return ([0.0; 8], [1.0; 8]);
    }
    let z = lanes(|lane| parameters[0] * ability[lane] + parameters[step]);
    (logistic(&z), logistic(&z.map(|z| -z)))
}

/// P(y >= k) - P(y >= k + 1), taken from the side on which both are small.
fn between(at: &(Lanes, Lanes), next: &(Lanes, Lanes)) -> Lanes {
    lanes(
        |lane| {
            if at.0[lane] < 0.5 { at.0[lane] - next.0[lane] } else { next.1[lane] - at.1[lane] }
        },
    )
}

fn log_probabilities(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes]) {
    let categories = log_p.len();
    let mut at = reached(parameters, categories, 0, ability);
    for (category, log_p) in log_p.iter_mut().enumerate() {
        let next = reached(parameters, categories, category + 1, ability);
        // Steps out of order give a chance below 0 here, NaN, and so a step that is refused.
        *log_p = between(&at, &next).map(f64::ln);
        at = next;
    }
}

fn derivatives(parameters: &[f64], ability: &Lanes, log_p: &mut [Lanes], by: &mut [Lanes]) {
    let categories = log_p.len();
    let width = parameters.len();
    by.fill([0.0; 8]);
    let mut at = reached(parameters, categories, 0, ability);
    for category in 0..categories {
        let next = reached(parameters, categories, category + 1, ability);
        let p = between(&at, &next);
        log_p[category] = p.map(f64::ln);
        let by = &mut by[category * width..(category + 1) * width];
        let from = lanes(|lane| at.0[lane] * at.1[lane] / p[lane]);
        let to = lanes(|lane| next.0[lane] * next.1[lane] / p[lane]);
        by[0] = lanes(|lane| ability[lane] * (from[lane] - to[lane]));
        if category > 0 {
            by[category] = from;
        }
        if category + 1 < categories {
            by[category + 1] = to.map(|value| -value);
        }
        at = next;
    }
}
