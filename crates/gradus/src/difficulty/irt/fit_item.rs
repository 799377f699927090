//! Item fit: does an item behave as its curve says.
//!
//! Infit and outfit (Wright and Masters 1982) compare squared residuals with their
//! variance, here averaged over each respondent's posterior, so that both are 1 in
//! expectation under the model without an estimate of ability put in its place.
//! S-X2 (Orlando and Thissen 2000) compares the share right at each total score with
//! what the model expects there, by the recursion of Lord and Wingersky (1984).

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::error::IrtError;
use super::fit::Fit;
use super::lanes::{Lanes, add, exp, lanes, sum};
use super::model::ItemModel;
use super::posterior::by_item;

/// Mean squares of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanSquares {
    /// Weighted by information: sensitive near the item's difficulty.
    pub infit: f64,
    /// Not weighted: sensitive to surprises far from it.
    pub outfit: f64,
}

/// A comparison of observed with expected counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// The statistic.
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: usize,
    /// Chance of at least this value under the model.
    pub p: f64,
}

impl ChiSquare {
    /// `None` without a degree of freedom.
    pub(super) fn new(statistic: f64, df: usize) -> Option<Self> {
        let p = ChiSquared::new(df as f64).ok()?.sf(statistic.max(0.0));
        Some(Self { statistic, df, p })
    }
}

/// More items make the recursion of S-X2 slow, and its cells empty.
const MOST_ITEMS: usize = 200;

impl Fit {
    /// Infit and outfit of each item of the bank; scores are those of the responses.
    pub fn mean_squares(&self, threads: usize) -> Vec<MeanSquares> {
        let core = &self.core;
        let model = self.bank.model;
        let items = core.items(model);
        let (cells, grid) = (&core.cells, &core.grid);
        let posterior = core.posterior(model, threads);
        by_item(cells, &posterior, grid.chunks.len(), threads, |item, counts| {
            let levels = &self.bank.items[item].levels;
            let (mut squares, mut variances, mut standardised, mut total) = (0.0, 0.0, 0.0, 0.0);
            for (chunk, ability) in grid.chunks.iter().enumerate() {
                let answers = counts.answers(chunk);
                if answers.iter().all(|&count| count < 1e-9) {
                    continue;
                }
                let (mean, variance) = expected(model, items.of(item), levels, ability);
                for (category, &level) in levels.iter().enumerate() {
                    let count = &counts.of(category)[chunk];
                    for lane in 0..8 {
                        let square = count[lane] * (f64::from(level) - mean[lane]).powi(2);
                        squares += square;
                        standardised += square / variance[lane].max(1e-300);
                    }
                }
                variances += sum(&lanes(|lane| answers[lane] * variance[lane]));
                total += sum(&answers);
            }
            MeanSquares { infit: squares / variances, outfit: standardised / total }
        })
    }

    /// S-X2 of each item, for complete answers to binary items in one population. Score
    /// groups whose expected count of right or wrong answers is below `least` are joined
    /// with their neighbour; `None` where no degree of freedom is left.
    pub fn s_x2(&self, least: f64) -> Result<Vec<Option<ChiSquare>>, IrtError> {
        let core = &self.core;
        let (cells, grid) = (&core.cells, &core.grid);
        let items = cells.items();
        let refuse = |reason: String| IrtError::NotComputed { statistic: "S-X2", reason };
        if self.bank.model.graded {
            return Err(refuse("it is for binary items; see infit and outfit".into()));
        }
        if items > MOST_ITEMS {
            return Err(refuse(format!(
                "{items} items are more than {MOST_ITEMS}; see infit and outfit"
            )));
        }
        if self.populations.len() > 1 {
            return Err(refuse("there are several populations; fit one of them".into()));
        }
        let mut right = vec![vec![0.0; items]; items + 1];
        let mut groups = vec![0.0; items + 1];
        for row in 0..cells.rows() {
            let (mut answered, mut correct) = (0, Vec::new());
            cells.each(row, |item, category| {
                answered += 1;
                if category == 1 {
                    correct.push(item);
                }
            });
            if answered < items {
                if cells.weights[row] > 0.0 {
                    return Err(refuse("answers are missing; see infit and outfit".into()));
                }
                continue;
            }
            groups[correct.len()] += cells.weights[row];
            for &item in &correct {
                right[correct.len()][item] += cells.weights[row];
            }
        }
        // Chances of each total score, over all items, and over all but one and that one right.
        let mut of_all = vec![0.0; items + 1];
        let mut with = vec![vec![0.0; items]; items + 1];
        for (ability, weight) in grid.chunks.iter().zip(&core.log_weights[0]) {
            let weight = exp(weight);
            let chances: Vec<Lanes> =
                (0..items).map(|item| self.bank.chances(item, ability).swap_remove(1)).collect();
            let all = total_scores(chances.iter());
            for (score, chance) in all.iter().enumerate() {
                of_all[score] += sum(&lanes(|lane| weight[lane] * chance[lane]));
            }
            for (item, own) in chances.iter().enumerate() {
                let others = chances.iter().enumerate().filter(|&(other, _)| other != item);
                let others = total_scores(others.map(|(_, chance)| chance));
                for (score, chance) in others.iter().enumerate() {
                    with[score + 1][item] +=
                        sum(&lanes(|lane| weight[lane] * own[lane] * chance[lane]));
                }
            }
        }
        let parameters = |item: usize| {
            if core.free[item] { core.starts[item + 1] - core.starts[item] } else { 0 }
        };
        Ok((0..items)
            .map(|item| {
                let cells = (1..items).map(|score| {
                    let expected = groups[score] * with[score][item] / of_all[score];
                    [
                        right[score][item],
                        groups[score] - right[score][item],
                        expected,
                        groups[score] - expected,
                    ]
                });
                let joined = join(cells.collect(), least);
                let terms = joined.iter().filter(|cell| cell[2] + cell[3] > 0.0);
                let statistic = terms
                    .map(|cell| (cell[0] - cell[2]).powi(2) * (1.0 / cell[2] + 1.0 / cell[3]))
                    .sum();
                ChiSquare::new(statistic, joined.len().saturating_sub(parameters(item)))
            })
            .collect())
    }
}

/// Mean and variance of an item's score at eight abilities.
pub(super) fn expected(
    model: &ItemModel,
    parameters: &[f64],
    levels: &[f32],
    ability: &Lanes,
) -> (Lanes, Lanes) {
    let mut log_p = vec![[0.0; 8]; levels.len()];
    (model.log_probabilities)(parameters, ability, &mut log_p);
    let (mut mean, mut variance) = ([0.0; 8], [0.0; 8]);
    let chances: Vec<Lanes> = log_p.iter().map(exp).collect();
    for (&level, chance) in levels.iter().zip(&chances) {
        add(&mut mean, &chance.map(|chance| chance * f64::from(level)));
    }
    for (&level, chance) in levels.iter().zip(&chances) {
        add(&mut variance, &lanes(|lane| chance[lane] * (f64::from(level) - mean[lane]).powi(2)));
    }
    (mean, variance)
}

/// Chance of each number of right answers (Lord and Wingersky).
fn total_scores<'a>(chances: impl Iterator<Item = &'a Lanes>) -> Vec<Lanes> {
    let mut scores = vec![[1.0; 8]];
    for chance in chances {
        scores.push([0.0; 8]);
        for score in (0..scores.len()).rev() {
            let below = if score > 0 { scores[score - 1] } else { [0.0; 8] };
            let own = scores[score];
            scores[score] =
                lanes(|lane| own[lane] * (1.0 - chance[lane]) + below[lane] * chance[lane]);
        }
    }
    scores
}

/// Joins neighbours until each cell expects at least `least`: right, wrong, expected right, expected wrong.
fn join(cells: Vec<[f64; 4]>, least: f64) -> Vec<[f64; 4]> {
    let mut joined: Vec<[f64; 4]> = Vec::new();
    let mut open = [0.0; 4];
    let enough = |cell: &[f64; 4]| cell[2] >= least && cell[3] >= least;
    for cell in cells {
        open.iter_mut().zip(cell).for_each(|(sum, value)| *sum += value);
        if enough(&open) {
            joined.push(open);
            open = [0.0; 4];
        }
    }
    if open[2] + open[3] > 0.0
        && let Some(last) = joined.last_mut()
    {
        last.iter_mut().zip(open).for_each(|(sum, value)| *sum += value);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::{close, fitted};

    /// Values at R's 2PL estimates, computed with 2,001 nodes by another program.
    #[test]
    fn s_x2_of_the_lsat_data_is_known() {
        for (number, known) in [
            (6, [0.450_38, 1.691_04, 0.987_00, 0.175_31, 0.111_05]),
            (7, [4.750_54, 14.453_45, 1.272_66, 5.236_48, 0.940_94]),
        ] {
            let Some(fit) = fitted(number, "2pl") else { return };
            for (found, expected) in fit.s_x2(0.0).unwrap().into_iter().zip(known) {
                let found = found.unwrap();
                assert_eq!(found.df, 2);
                close(found.statistic, expected, 5e-5, "S-X2");
            }
        }
    }

    #[test]
    fn mean_squares_of_data_that_fit_are_near_one() {
        let Some(fit) = fitted(6, "rasch") else { return };
        for squares in fit.mean_squares(1) {
            assert!((0.95..1.05).contains(&squares.infit), "{squares:?}");
            assert!((0.9..1.1).contains(&squares.outfit), "{squares:?}");
        }
    }
}
