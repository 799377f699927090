//! Rasch model: `P = s(theta - b_j)`, the variance of the abilities free.
//!
//! It is fitted as `1pl` and put on its own scale at the end: the slope becomes
//! the standard deviation of the abilities. With the variance fixed at 1 as well
//! it would be another, worse model.

use super::model::{ItemModel, Slopes, binary_start};
use super::two_pl::{derivatives, log_probabilities};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "rasch",
    summary: "slope 1, variance of the abilities free",
    graded: false,
    slopes: Slopes::One,
    asymptotes: &[],
    start: binary_start,
    log_probabilities,
    derivatives,
};
