//! One-parameter logistic model: `P = s(a theta + d_j)` with one slope a for all
//! items and abilities of variance 1. The same model as `rasch`, on another scale.

use super::model::{ItemModel, Slopes, binary_start};
use super::two_pl::{derivatives, log_probabilities};

pub(super) const MODEL: ItemModel = ItemModel {
    name: "1pl",
    summary: "one slope for all items, abilities of variance 1",
    graded: false,
    slopes: Slopes::Common,
    asymptotes: &[],
    start: binary_start,
    log_probabilities,
    derivatives,
};
