//! Standard errors from the observed information of the marginal likelihood, by
//! Louis's identity (1982): the expected complete-data information minus the
//! posterior covariance of the complete-data score, summed over respondents.
//!
//! With many parameters only the block of each item is inverted (and, where all share
//! one slope, the slope with the blocks). What the items then have in common is that the
//! sample's mean and standard deviation of ability stand for the population's; their
//! variances, v / n and v / (2 n), are added. On 100 items this is within 5% of the whole.

use super::cells::Cells;
use super::fit::{Core, Fit, Settings};
use super::grid::Grid;
use super::lanes::{LANES, Lanes, lanes, sum};
use super::linear::Cholesky;
use super::lost_information::lost_information;
use super::maximise::{Score, score};
use super::model::{ItemModel, Slopes};
use super::posterior::{Counts, Posterior, answers, by_item, unit_items, units};
use super::workers;

/// Multiplications that a full matrix may cost, about a second's.
const FULL_WORK: f64 = 3e9;

/// What standard errors were computed from.
#[derive(Clone, Debug, PartialEq)]
pub enum InformationForm {
    /// The information of all parameters together.
    Full,
    /// One block an item.
    ByItem,
    /// It is not positive definite: these answers do not identify all parameters.
    NotPositive,
}

/// Covariances of the estimates of each item.
#[derive(Clone, Debug)]
pub struct StandardErrors {
    /// What they were computed from.
    pub form: InformationForm,
    /// For each item of the bank, covariances of its parameters (slope, intercepts, logits
    /// of asymptotes), row by row; empty where there are none.
    pub(super) covariances: Vec<Vec<f64>>,
    /// For each population, standard errors of its mean and standard deviation; 0 where given.
    pub populations: Vec<(f64, f64)>,
}

impl StandardErrors {
    /// Of the parameters of an item as they stand; `None` where there are none.
    fn parameter(&self, item: usize, index: usize) -> Option<f64> {
        let covariances = &self.covariances[item];
        let width = covariances.len().isqrt();
        let variance = covariances.get(index * width + index)?;
        (*variance > 0.0).then(|| variance.sqrt())
    }

    /// Of the discrimination; `None` where it is given.
    pub fn discrimination(&self, item: usize) -> Option<f64> {
        self.parameter(item, 0)
    }

    /// Of the intercept of a step, from 0.
    pub fn intercept(&self, item: usize, step: usize) -> Option<f64> {
        self.parameter(item, 1 + step)
    }

    /// Of the threshold of a step, from 0, by the delta method.
    pub fn threshold(&self, fit: &Fit, item: usize, step: usize) -> Option<f64> {
        let covariances = &self.covariances[item];
        let width = covariances.len().isqrt();
        let at = 1 + step;
        let own = covariances.get(at * width + at)?;
        let parameters = &fit.bank.items[item].parameters;
        let (a, b) = (parameters[0], -parameters[at] / parameters[0]);
        let variance = own + b * b * covariances[0] + 2.0 * b * covariances[at];
        (variance > 0.0).then(|| variance.sqrt() / a.abs())
    }

    /// Of an asymptote, from 0 in the order of the model's, on the scale of probabilities.
    pub fn asymptote(&self, fit: &Fit, item: usize, which: usize) -> Option<f64> {
        let at = fit.bank.items[item].levels.len() + which;
        let p = super::four_pl::sigmoid(*fit.bank.items[item].parameters.get(at)?);
        Some(self.parameter(item, at)? * p * (1.0 - p))
    }

    /// Slopes change their sign.
    pub(super) fn reflect(&mut self) {
        for covariances in &mut self.covariances {
            let width = covariances.len().isqrt();
            for index in 1..width {
                covariances[index] *= -1.0;
                covariances[index * width] *= -1.0;
            }
        }
    }

    /// The common slope becomes the standard deviation of the reference population.
    pub(super) fn unit_slopes(&mut self, sd: f64) {
        if let Some(slope) = self.covariances.first().and_then(|covariances| covariances.first()) {
            self.populations[0].1 = slope.sqrt();
        }
        for population in self.populations.iter_mut().skip(1) {
            *population = (population.0 * sd, population.1 * sd);
        }
        for covariances in &mut self.covariances {
            let width = covariances.len().isqrt();
            for index in 0..width {
                covariances[index] = 0.0;
                covariances[index * width] = 0.0;
            }
        }
    }
}

/// Derivatives of ln P by an item's parameters: by category, parameter, chunk.
pub(super) struct ItemScores {
    pub(super) width: usize,
    /// Parameters 1 to this one are intercepts.
    steps: usize,
    chunks: usize,
    values: Vec<Lanes>,
}

impl ItemScores {
    pub(super) fn new(
        model: &ItemModel,
        parameters: &[f64],
        categories: usize,
        grid: &Grid,
    ) -> Self {
        let (width, chunks) = (parameters.len(), grid.chunks.len());
        let mut values = vec![[0.0; LANES]; categories * width * chunks];
        let mut log_p = vec![[0.0; LANES]; categories];
        let mut by = vec![[0.0; LANES]; categories * width];
        for (chunk, ability) in grid.chunks.iter().enumerate() {
            (model.derivatives)(parameters, ability, &mut log_p, &mut by);
            for (index, by) in by.iter().enumerate() {
                values[index * chunks + chunk] = *by;
            }
        }
        Self { width, steps: categories - 1, chunks, values }
    }

    pub(super) fn of(&self, category: usize, parameter: usize) -> &[Lanes] {
        let from = (category * self.width + parameter) * self.chunks;
        &self.values[from..from + self.chunks]
    }
}

/// Expected negative second derivatives of an item's complete-data log-likelihood, with
/// those of the priors: exact for models without asymptotes, else by central differences.
fn complete(
    model: &ItemModel,
    parameters: &[f64],
    counts: &Counts<'_>,
    grid: &Grid,
    settings: &Settings,
) -> Vec<f64> {
    if model.is_concave() {
        return score(model, parameters, counts, grid, &settings.priors).information;
    }
    let width = parameters.len();
    let gradient = |moved: &[f64]| -> Score { score(model, moved, counts, grid, &settings.priors) };
    let mut information = vec![0.0; width * width];
    for column in 0..width {
        let distance = 1e-5 * parameters[column].abs().max(1.0);
        let mut moved = parameters.to_vec();
        moved[column] = parameters[column] + distance;
        let above = gradient(&moved).gradient;
        moved[column] = parameters[column] - distance;
        let below = gradient(&moved).gradient;
        for row in 0..width {
            let second = (below[row] - above[row]) / (2.0 * distance);
            information[row * width + column] += 0.5 * second;
            information[column * width + row] += 0.5 * second;
        }
    }
    information
}

pub(super) fn standard_errors(fit: &Fit, model: &ItemModel, settings: &Settings) -> StandardErrors {
    let core = &fit.core;
    let posterior = core.posterior(model, settings.threads);
    let layout = Layout::new(model, core, fit);
    let chunks: usize = posterior.windows.iter().map(|&(first, end)| (end - first) as usize).sum();
    let size = layout.size as f64;
    if (chunks * LANES) as f64 * size.powi(2) / 2.0 + 8.0 * size.powi(3) <= FULL_WORK {
        full(fit, model, settings, &posterior, &layout)
    } else {
        by_items(fit, model, settings, &posterior)
    }
}

/// Where each parameter stands among all free ones.
pub(super) struct Layout {
    pub(super) size: usize,
    /// Of each item's parameters; empty for given items.
    pub(super) items: Vec<Vec<usize>>,
    /// Of mean and standard deviation of each population.
    pub(super) populations: Vec<Option<usize>>,
}

impl Layout {
    pub(super) fn new(model: &ItemModel, core: &Core, fit: &Fit) -> Self {
        let anchored = core.free.contains(&false);
        let common = model.slopes != Slopes::Free;
        let mut size = usize::from(common && !anchored);
        let mut items = Vec::with_capacity(core.free.len());
        for (item, &free) in core.free.iter().enumerate() {
            let width = core.starts[item + 1] - core.starts[item];
            if !free {
                items.push(Vec::new());
            } else if common && !anchored {
                items.push([0].into_iter().chain(size..size + width - 1).collect());
                size += width - 1;
            } else {
                items.push((size..size + width).collect());
                size += width;
            }
        }
        let populations = (0..fit.populations.len())
            .map(|population| {
                (population > 0 || anchored).then(|| {
                    size += 2;
                    size - 2
                })
            })
            .collect();
        Self { size, items, populations }
    }
}

fn full(
    fit: &Fit,
    model: &ItemModel,
    settings: &Settings,
    posterior: &Posterior,
    layout: &Layout,
) -> StandardErrors {
    let core = &fit.core;
    let (cells, grid, size) = (&core.cells, &core.grid, layout.size);
    let mut information = vec![0.0; size * size];
    let complete =
        by_item(cells, posterior, grid.chunks.len(), settings.threads, |item, counts| {
            complete(model, core.items(model).of(item), counts, grid, settings)
        });
    for (indices, complete) in layout.items.iter().zip(&complete) {
        for (row, &at_row) in indices.iter().enumerate() {
            for (column, &at_column) in indices.iter().enumerate() {
                information[at_row * size + at_column] += complete[row * indices.len() + column];
            }
        }
    }
    let lost = lost_information(fit, model, settings.threads, posterior, layout);
    information.iter_mut().zip(lost).for_each(|(information, lost)| *information -= lost);
    // The sums fill the upper triangle only.
    for row in 0..size {
        for column in 0..row {
            information[row * size + column] = information[column * size + row];
        }
    }
    let Some(factor) = Cholesky::new(information, size) else {
        return StandardErrors {
            form: InformationForm::NotPositive,
            covariances: vec![Vec::new(); cells.items()],
            populations: vec![(0.0, 0.0); fit.populations.len()],
        };
    };
    let inverse = factor.inverse();
    let block = |indices: &Vec<usize>| {
        let of = |row: usize| indices.iter().map(move |&column| (row, column));
        let cells = indices.iter().flat_map(|&row| of(row));
        cells.map(|(row, column)| inverse[row * size + column]).collect()
    };
    let error = |index: usize| inverse[index * size + index].max(0.0).sqrt();
    StandardErrors {
        form: InformationForm::Full,
        covariances: layout.items.iter().map(block).collect(),
        populations: layout
            .populations
            .iter()
            .map(|at| at.map_or((0.0, 0.0), |at| (error(at), error(at + 1))))
            .collect(),
    }
}

fn by_items(
    fit: &Fit,
    model: &ItemModel,
    settings: &Settings,
    posterior: &Posterior,
) -> StandardErrors {
    let core = &fit.core;
    let (cells, grid): (&Cells, &Grid) = (&core.cells, &core.grid);
    let chunks = grid.chunks.len();
    let complete = by_item(cells, posterior, chunks, settings.threads, |item, counts| {
        let parameters = core.items(model).of(item);
        let width = parameters.len();
        let mut information = complete(model, parameters, counts, grid, settings);
        let scores = ItemScores::new(model, parameters, counts.categories, grid);
        for category in 0..counts.categories {
            for row in 0..width {
                for column in 0..width {
                    let (left, right) = (scores.of(category, row), scores.of(category, column));
                    let counts = counts.of(category).iter().zip(left).zip(right);
                    let product = counts.map(|((count, left), right)| {
                        sum(&lanes(|lane| count[lane] * left[lane] * right[lane]))
                    });
                    information[row * width + column] -= product.sum::<f64>();
                }
            }
        }
        information
    });
    // The squares of the posterior means of the scores, item by item.
    let means = workers::each(
        settings.threads,
        units(cells),
        || (),
        |(), unit| {
            let items = unit_items(cells, &unit);
            let scores: Vec<ItemScores> = items
                .clone()
                .map(|item| {
                    ItemScores::new(model, core.items(model).of(item), cells.categories[item], grid)
                })
                .collect();
            let mut squares: Vec<Vec<f64>> =
                scores.iter().map(|scores| vec![0.0; scores.width * scores.width]).collect();
            let mut mean = Vec::new();
            answers(cells, &unit, |row, item, category| {
                let (scores, squares) =
                    (&scores[item - items.start], &mut squares[item - items.start]);
                let (first, weights) = posterior.row(row);
                mean.clear();
                mean.push(0.0);
                // By the slope: ability times the sum of those by the intercepts.
                let mut by_slope = [0.0; LANES];
                for parameter in 1..scores.width {
                    let mut total = [0.0; LANES];
                    let values = &scores.of(category, parameter)[first..];
                    for ((weight, value), ability) in
                        weights.iter().zip(values).zip(&grid.chunks[first..])
                    {
                        for lane in 0..LANES {
                            let product = weight[lane] * value[lane];
                            total[lane] += product;
                            if parameter <= scores.steps {
                                by_slope[lane] += product * ability[lane];
                            }
                        }
                    }
                    mean.push(sum(&total));
                }
                mean[0] = sum(&by_slope);
                for (row_index, row_mean) in mean.iter().enumerate() {
                    for (column, column_mean) in mean.iter().enumerate() {
                        squares[row_index * scores.width + column] +=
                            cells.weights[row] * row_mean * column_mean;
                    }
                }
            });
            squares
        },
    );
    let blocks = complete.into_iter().zip(means.into_iter().flatten());
    let blocks = blocks.map(|(mut information, squares)| {
        information.iter_mut().zip(squares).for_each(|(at, square)| *at += square);
        information
    });
    let mut covariances: Vec<Vec<f64>> = if model.slopes == Slopes::Free
        || core.free.contains(&false)
    {
        blocks
            .map(|information| {
                let width = information.len().isqrt();
                Cholesky::new(information, width).map(|factor| factor.inverse()).unwrap_or_default()
            })
            .collect()
    } else {
        with_common_slope(&blocks.collect::<Vec<_>>())
    };
    for (item, covariances) in covariances.iter_mut().enumerate() {
        if !core.free[item] {
            covariances.clear();
        } else if !core.free.contains(&false) && settings.priors.is_free_of_scale() {
            let slope = core.parameters[core.starts[item]];
            let width = covariances.len().isqrt();
            for index in 0..width.min(cells.categories[item]) {
                let share = if index == 0 { 0.5 } else { 1.0 };
                covariances[index * width + index] += share * slope * slope / fit.respondents;
            }
        }
    }
    StandardErrors {
        form: InformationForm::ByItem,
        covariances,
        populations: vec![(0.0, 0.0); fit.populations.len()],
    }
}

/// Covariances of slope and intercept of each item from their information, the slope being
/// one for all: the inverse of an arrow.
fn with_common_slope(blocks: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let slope: f64 = blocks.iter().map(|block| block[0] - block[1] * block[1] / block[3]).sum();
    let variance = 1.0 / slope;
    let own = |block: &Vec<f64>| {
        let turn = -block[1] / block[3];
        vec![variance, turn * variance, turn * variance, 1.0 / block[3] + turn * turn * variance]
    };
    blocks.iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::made;
    use super::super::{Fit, fit, model};
    use super::*;

    /// On 100 items, block by block is nearly the whole.
    #[test]
    fn errors_by_item_are_nearly_those_of_the_whole_information() {
        for (name, file) in [("2pl", "made_2pl.csv.gz"), ("1pl", "made_1pl.csv.gz")] {
            let model = model(name).unwrap();
            let settings = Settings::new(model);
            let some: Vec<usize> = (0..400).collect();
            let fit: Fit = fit(&made(file).select(&some), &settings).unwrap();
            let whole = fit.standard_errors.as_ref().unwrap();
            assert_eq!(whole.form, InformationForm::Full);
            let parts = by_items(&fit, model, &settings, &fit.core.posterior(model, 1));
            for item in 0..100 {
                let slopes =
                    parts.discrimination(item).unwrap() / whole.discrimination(item).unwrap();
                let intercepts =
                    parts.intercept(item, 0).unwrap() / whole.intercept(item, 0).unwrap();
                assert!((0.95..1.05).contains(&slopes), "{name} {item} {slopes}");
                assert!((0.95..1.05).contains(&intercepts), "{name} {item} {intercepts}");
            }
        }
    }
}
