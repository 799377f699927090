//! The M step of one item: Newton steps on the expected log-likelihood of its
//! parameters (Fisher scoring, which is Newton for models without asymptotes).

use super::grid::Grid;
use super::lanes::{LANES, Lanes, exp, lanes, logistic, sum};
use super::linear::Cholesky;
use super::model::{ItemModel, Role};
use super::posterior::Counts;
use super::prior::Priors;

/// Largest change of a parameter in a Newton step: slopes, then all others.
const SLOPE_STEP: f64 = 0.7;
const STEP: f64 = 1.0;
/// Slopes beyond this are beyond what answers can tell; estimates stop there and are flagged.
pub(super) const STEEPEST: f64 = 25.0;

/// An expected log-likelihood with its derivatives by the parameters of an item.
#[derive(Clone, Debug)]
pub(super) struct Score {
    /// The value itself; 0 where it was not asked for.
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    /// Expected negative second derivatives, row by row.
    pub(super) information: Vec<f64>,
}

/// The score of an item's expected counts, priors included.
pub(super) fn score(
    model: &ItemModel,
    parameters: &[f64],
    counts: &Counts<'_>,
    grid: &Grid,
    priors: &Priors,
) -> Score {
    let mut score = if model.is_concave() {
        two_parameters(parameters, counts, grid)
    } else {
        any(model, parameters, counts, grid)
    };
    priors.add(model, counts.categories, parameters, &mut score);
    score
}

/// Nodes without any weight add nothing.
fn is_empty(answers: &Lanes) -> bool {
    answers.iter().all(|&count| count < 1e-9)
}

/// Slope and intercept of a binary item, without the value.
fn two_parameters(parameters: &[f64], counts: &Counts<'_>, grid: &Grid) -> Score {
    let (wrong, right) = (counts.of(0), counts.of(1));
    let [mut by_slope, mut by_intercept, mut slope_slope, mut slope_intercept, mut intercepts] =
        [[0.0; LANES]; 5];
    for ((wrong, right), ability) in wrong.iter().zip(right).zip(&grid.chunks) {
        let answers = lanes(|lane| wrong[lane] + right[lane]);
        if is_empty(&answers) {
            continue;
        }
        let p = logistic(&lanes(|lane| parameters[0] * ability[lane] + parameters[1]));
        for lane in 0..LANES {
            let residual = right[lane] - answers[lane] * p[lane];
            let weight = answers[lane] * p[lane] * (1.0 - p[lane]);
            let weighted = weight * ability[lane];
            by_intercept[lane] += residual;
            by_slope[lane] += residual * ability[lane];
            intercepts[lane] += weight;
            slope_intercept[lane] += weighted;
            slope_slope[lane] += weighted * ability[lane];
        }
    }
    let mixed = sum(&slope_intercept);
    Score {
        value: 0.0,
        gradient: vec![sum(&by_slope), sum(&by_intercept)],
        information: vec![sum(&slope_slope), mixed, mixed, sum(&intercepts)],
    }
}

fn any(model: &ItemModel, parameters: &[f64], counts: &Counts<'_>, grid: &Grid) -> Score {
    let (width, categories) = (parameters.len(), counts.categories);
    let mut log_p = vec![[0.0; LANES]; categories];
    let mut by = vec![[0.0; LANES]; categories * width];
    let mut gradient = vec![[0.0; LANES]; width];
    let mut information = vec![[0.0; LANES]; width * width];
    let mut value = [0.0; LANES];
    for (chunk, ability) in grid.chunks.iter().enumerate() {
        let answers = counts.answers(chunk);
        if is_empty(&answers) {
            continue;
        }
        (model.derivatives)(parameters, ability, &mut log_p, &mut by);
        for category in 0..categories {
            let count = &counts.of(category)[chunk];
            let expected = exp(&log_p[category]);
            let by = &by[category * width..(category + 1) * width];
            for lane in 0..LANES {
                // 0 times ln 0 is 0.
                if count[lane] > 0.0 {
                    value[lane] += count[lane] * log_p[category][lane];
                }
            }
            for row in 0..width {
                for lane in 0..LANES {
                    gradient[row][lane] += count[lane] * by[row][lane];
                }
                for column in 0..=row {
                    for lane in 0..LANES {
                        information[row * width + column][lane] +=
                            answers[lane] * expected[lane] * by[row][lane] * by[column][lane];
                    }
                }
            }
        }
    }
    let mut score = Score {
        value: sum(&value),
        gradient: gradient.iter().map(sum).collect(),
        information: information.iter().map(sum).collect(),
    };
    for row in 0..width {
        for column in 0..row {
            score.information[column * width + row] = score.information[row * width + column];
        }
    }
    score
}

/// The Newton step of a score, each parameter within its bound; `None` where there is no direction.
fn direction(model: &ItemModel, categories: usize, score: &Score) -> Option<Vec<f64>> {
    let width = score.gradient.len();
    let mut information = score.information.clone();
    for index in 0..width {
        // Keeps a parameter where nothing is known about it.
        information[index * width + index] += 1e-9 + 1e-9 * information[index * width + index];
    }
    let mut step = score.gradient.clone();
    Cholesky::new(information, width)?.solve(&mut step);
    for (index, step) in step.iter_mut().enumerate() {
        let bound = if model.role(categories, index) == Role::Slope { SLOPE_STEP } else { STEP };
        *step = step.clamp(-bound, bound);
    }
    step.iter().all(|step| step.is_finite()).then_some(step)
}

/// New parameters of an item after at most `steps` Newton steps.
pub(super) fn maximise(
    model: &ItemModel,
    parameters: &[f64],
    counts: &Counts<'_>,
    grid: &Grid,
    priors: &Priors,
    steps: usize,
) -> Vec<f64> {
    let mut at = parameters.to_vec();
    let mut current = score(model, &at, counts, grid, priors);
    for number in 1..=steps {
        let Some(step) = direction(model, counts.categories, &current) else { break };
        let mut share = 1.0;
        loop {
            let mut next: Vec<f64> =
                at.iter().zip(&step).map(|(at, step)| at + share * step).collect();
            next[0] = next[0].clamp(-STEEPEST, STEEPEST);
            if model.is_concave() {
                at = next;
                if number < steps {
                    current = score(model, &at, counts, grid, priors);
                }
                break;
            }
            let tried = score(model, &next, counts, grid, priors);
            if tried.value >= current.value - 1e-12 * current.value.abs() {
                at = next;
                current = tried;
                break;
            }
            share *= 0.5;
            if share < 1e-4 {
                return at;
            }
        }
        if step.iter().all(|step| step.abs() < 1e-10) {
            break;
        }
    }
    at
}

/// New slope, common to all items, and new intercepts, from the scores of all items:
/// one Newton step of all parameters together, by the Schur complement of the intercepts.
pub(super) fn common_slope(slope: f64, intercepts: &[f64], scores: &[Score]) -> (f64, Vec<f64>) {
    let (mut gradient, mut information) = (0.0, 1e-9);
    for score in scores {
        let [slope_slope, mixed, _, own] = score.information[..] else { continue };
        gradient += score.gradient[0] - mixed / own * score.gradient[1];
        information += slope_slope - mixed * mixed / own;
    }
    let change = (gradient / information).clamp(-SLOPE_STEP, SLOPE_STEP);
    let change = (slope + change).clamp(-STEEPEST, STEEPEST) - slope;
    let moved = |(&intercept, score): (&f64, &Score)| {
        let (mixed, own) = (score.information[1], score.information[3]);
        intercept + ((score.gradient[1] - mixed * change) / own).clamp(-STEP, STEP)
    };
    (slope + change, intercepts.iter().zip(scores).map(moved).collect())
}
