//! Marginal maximum likelihood by EM (Bock and Aitkin 1981), accelerated.
//!
//! Mean and standard deviation of each population are free in every cycle and are
//! then taken into the item parameters (parameter expansion, Liu, Rubin and Wu 1998),
//! so that the reference population stays at 0 and 1. Pairs of cycles are extrapolated
//! by SQUAREM (Varadhan and Roland 2008, scheme S3); an extrapolation that lowers the
//! likelihood is dropped.
//!
//! Criterion: where cycles shrink by a factor, the distance left is the last change
//! over 1 minus that factor; estimation ends when this estimate, and the change itself,
//! are below the tolerance for every parameter, and every window was wide enough.

use super::cells::Cells;
use super::grid::Grid;
use super::lanes::{Lanes, add, lanes, sum};
use super::maximise::{common_slope, maximise, score};
use super::model::{ItemModel, Slopes};
use super::posterior::{Items, Posterior, Windows, by_item, first_windows, posterior};
use super::prior::Priors;

/// What stays as it is during estimation.
pub(super) struct Em<'a> {
    pub(super) model: &'a ItemModel,
    pub(super) cells: &'a Cells,
    pub(super) starts: &'a [usize],
    /// Is the item estimated; else its parameters are given.
    pub(super) free: &'a [bool],
    /// Is the population estimated; the first one is the reference where no item is given.
    pub(super) anchored: bool,
    pub(super) priors: &'a Priors,
    pub(super) tolerance: f64,
    pub(super) most_cycles: usize,
    pub(super) threads: usize,
}

/// What is estimated.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) parameters: Vec<f64>,
    /// Mean and standard deviation of each population.
    pub(super) populations: Vec<(f64, f64)>,
}

impl State {
    /// All numbers in a row, standard deviations as logarithms.
    fn numbers(&self) -> Vec<f64> {
        let populations = self.populations.iter().flat_map(|&(mean, sd)| [mean, sd.ln()]);
        self.parameters.iter().copied().chain(populations).collect()
    }

    fn with_numbers(&self, numbers: &[f64]) -> Self {
        let (parameters, populations) = numbers.split_at(self.parameters.len());
        let populations =
            populations.chunks_exact(2).map(|pair| (pair[0], pair[1].exp())).collect();
        Self { parameters: parameters.to_vec(), populations }
    }

    pub(super) fn log_weights(&self, grid: &Grid) -> Vec<Vec<Lanes>> {
        self.populations.iter().map(|&(mean, sd)| grid.log_weights(mean, sd)).collect()
    }
}

/// How estimation ended.
pub(super) struct Ended {
    pub(super) state: State,
    pub(super) windows: Windows,
    pub(super) cycles: usize,
    pub(super) change: f64,
    pub(super) converged: bool,
}

struct Cycle {
    /// ln likelihood and prior at the state the cycle began with.
    objective: f64,
    next: State,
    windows: Windows,
    narrow: bool,
}

impl Em<'_> {
    fn items<'a>(&'a self, state: &'a State) -> Items<'a> {
        Items { model: self.model, starts: self.starts, parameters: &state.parameters }
    }

    /// Estimates on one grid, from `state`; `done` cycles were made before.
    pub(super) fn run(&self, state: State, grid: &Grid, done: usize) -> Ended {
        let items = self.items(&state);
        let mut windows = first_windows(self.cells, items, grid, &state.populations, self.threads);
        let mut at = state;
        let mut cycles = done;
        let mut change = f64::INFINITY;
        while cycles < self.most_cycles {
            let one = self.cycle(&at, grid, windows, newton_steps(cycles));
            let two = self.cycle(&one.next, grid, one.windows, newton_steps(cycles + 1));
            cycles += 2;
            let [start, middle, end] = [at.numbers(), one.next.numbers(), two.next.numbers()];
            let first: Vec<f64> = middle.iter().zip(&start).map(|(to, from)| to - from).collect();
            let second: Vec<f64> = end.iter().zip(&middle).map(|(to, from)| to - from).collect();
            let turn = norm(second.iter().zip(&first).map(|(second, first)| second - first));
            let length = (norm(first.iter().copied()) / turn).max(1.0);
            let last = second.iter().fold(0.0, |most: f64, step| most.max(step.abs()));
            change = last * if length.is_finite() { length } else { 1.0 };
            if change < self.tolerance && !two.narrow {
                let (state, windows) = (two.next, two.windows);
                return Ended { state, windows, cycles, change, converged: true };
            }
            (at, windows) = (two.next, two.windows);
            if length > 1.0 && length.is_finite() && cycles > done + 2 {
                let jump: Vec<f64> = (0..start.len())
                    .map(|index| {
                        let turn = second[index] - first[index];
                        start[index] + 2.0 * length * first[index] + length * length * turn
                    })
                    .collect();
                let three = self.cycle(
                    &at.with_numbers(&jump),
                    grid,
                    windows.clone(),
                    newton_steps(cycles),
                );
                cycles += 1;
                // The likelihood at the end of the pair is not known; that in its middle is.
                if three.objective >= two.objective {
                    (at, windows) = (three.next, three.windows);
                }
            }
        }
        Ended { state: at, windows, cycles, change, converged: false }
    }

    fn cycle(&self, state: &State, grid: &Grid, windows: Windows, steps: usize) -> Cycle {
        let cells = self.cells;
        let chunks = grid.chunks.len();
        let weights = state.log_weights(grid);
        let posterior = posterior(
            cells,
            0..cells.rows(),
            self.items(state),
            grid,
            &weights,
            windows,
            self.threads,
        );
        let mut objective = 0.0;
        for (&log_likelihood, &weight) in posterior.log_likelihoods.iter().zip(&cells.weights) {
            objective += weight * log_likelihood;
        }
        let mut next = state.clone();
        if self.model.slopes == Slopes::Free {
            let items = by_item(cells, &posterior, chunks, self.threads, |item, counts| {
                let parameters = self.items(state).of(item);
                self.free[item]
                    .then(|| maximise(self.model, parameters, counts, grid, self.priors, steps))
            });
            for (item, parameters) in items.into_iter().enumerate() {
                if let Some(parameters) = parameters {
                    next.parameters[self.starts[item]..self.starts[item + 1]]
                        .copy_from_slice(&parameters);
                }
            }
        } else {
            self.common(state, &posterior, grid, &mut next);
        }
        objective += self.log_prior(state);
        self.standardise(&posterior, grid, &mut next);
        let (windows, narrow) = posterior.next_windows(chunks);
        Cycle { objective, next, windows, narrow }
    }

    /// ln of the priors of all free items, up to a constant.
    pub(super) fn log_prior(&self, state: &State) -> f64 {
        let mut total = 0.0;
        for (item, &categories) in self.cells.categories.iter().enumerate() {
            if self.free[item] {
                let parameters = self.items(state).of(item);
                let width = parameters.len();
                let mut score = super::maximise::Score {
                    value: 0.0,
                    gradient: vec![0.0; width],
                    information: vec![0.0; width * width],
                };
                self.priors.add(self.model, categories, parameters, &mut score);
                total += score.value;
            }
        }
        total
    }

    fn common(&self, state: &State, posterior: &Posterior, grid: &Grid, next: &mut State) {
        let chunks = grid.chunks.len();
        let scores = by_item(self.cells, posterior, chunks, self.threads, |item, counts| {
            let parameters = self.items(state).of(item);
            self.free[item].then(|| score(self.model, parameters, counts, grid, self.priors))
        });
        let free: Vec<usize> = (0..scores.len()).filter(|&item| self.free[item]).collect();
        let Some(&some) = free.first() else { return };
        let scores: Vec<_> = scores.into_iter().flatten().collect();
        let slope = state.parameters[self.starts[some]];
        let intercepts: Vec<f64> =
            free.iter().map(|&item| state.parameters[self.starts[item] + 1]).collect();
        let (mut new_slope, mut new) = common_slope(slope, &intercepts, &scores);
        if self.anchored {
            // The given items have the common slope already.
            new_slope = slope;
            new = intercepts
                .iter()
                .zip(&scores)
                .map(|(at, score)| at + (score.gradient[1] / score.information[3]).clamp(-1.0, 1.0))
                .collect();
        }
        for (&item, intercept) in free.iter().zip(new) {
            next.parameters[self.starts[item]] = new_slope;
            next.parameters[self.starts[item] + 1] = intercept;
        }
    }

    /// Mean and standard deviation of each population, and the reference back to 0 and 1.
    fn standardise(&self, posterior: &Posterior, grid: &Grid, next: &mut State) {
        let chunks = grid.chunks.len();
        let mut mass = vec![vec![[0.0; 8]; chunks]; next.populations.len()];
        for row in 0..self.cells.rows() {
            let weight = self.cells.weights[row];
            let (first, weights) = posterior.row(row);
            let mass = &mut mass[self.cells.populations[row] as usize][first..];
            for (mass, weights) in mass.iter_mut().zip(weights) {
                add(mass, &weights.map(|value| value * weight));
            }
        }
        for (population, mass) in next.populations.iter_mut().zip(&mass) {
            let total: f64 = mass.iter().map(sum).sum();
            if total == 0.0 {
                continue;
            }
            let moment = |power: i32, centre: f64| -> f64 {
                let at =
                    |chunk: usize, lane: usize| (grid.chunks[chunk][lane] - centre).powi(power);
                let terms = mass
                    .iter()
                    .enumerate()
                    .map(|(chunk, mass)| sum(&lanes(|lane| mass[lane] * at(chunk, lane))));
                terms.sum::<f64>() / total
            };
            let mean = moment(1, 0.0);
            *population = (mean, moment(2, mean).sqrt());
        }
        if self.anchored {
            return;
        }
        let (mean, sd) = next.populations[0];
        if !self.priors.is_free_of_scale() {
            next.populations[0] = (0.0, 1.0);
            return;
        }
        for population in &mut next.populations {
            *population = ((population.0 - mean) / sd, population.1 / sd);
        }
        next.populations[0] = (0.0, 1.0);
        for item in 0..self.cells.items() {
            let parameters = &mut next.parameters[self.starts[item]..self.starts[item + 1]];
            let slope = parameters[0];
            parameters[1..self.cells.categories[item]]
                .iter_mut()
                .for_each(|intercept| *intercept += slope * mean);
            parameters[0] = slope * sd;
        }
    }
}

/// Early cycles are far from the end of each item's own maximisation, later ones begin near it.
fn newton_steps(cycle: usize) -> usize {
    if cycle < 3 { 3 } else { 1 }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}
