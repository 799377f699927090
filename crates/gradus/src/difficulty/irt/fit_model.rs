//! Fit of a whole model, and comparison of models.
//!
//! M2 (Maydeu-Olivares and Joe 2005, 2006): residuals r of the shares right, of each
//! item and of each pair, weighted by their covariance Xi after what the estimated
//! parameters can absorb: N r' [Xi^-1 - Xi^-1 D (D' Xi^-1 D)^-1 D' Xi^-1] r.

use super::error::IrtError;
use super::fit::Fit;
use super::fit_item::ChiSquare;
use super::lanes::{LANES, exp};
use super::linear::Cholesky;
use super::observed_information::Layout;

/// The covariance of all margins has the fourth power of the items in entries.
const MOST_ITEMS: usize = 60;

/// Limited-information fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct M2 {
    /// The statistic with its degrees of freedom.
    pub test: ChiSquare,
    /// Root mean square error of approximation: sqrt(max(0, M2 - df) / (df (N - 1))).
    pub rmsea: f64,
}

impl Fit {
    /// M2, for complete answers to at most 60 binary items in one population.
    pub fn m2(&self) -> Result<M2, IrtError> {
        let core = &self.core;
        let (cells, grid) = (&core.cells, &core.grid);
        let items = cells.items();
        let refuse = |reason: String| IrtError::NotComputed { statistic: "M2", reason };
        if self.bank.model.graded {
            return Err(refuse("it is for binary items; see Q3".into()));
        }
        if items > MOST_ITEMS {
            return Err(refuse(format!("{items} items are more than {MOST_ITEMS}; see Q3")));
        }
        if self.populations.len() > 1 {
            return Err(refuse("there are several populations; fit one of them".into()));
        }
        let layout = Layout::new(self.bank.model, core, self);
        let margins = margins(items);
        let size = margins.len();
        let df = size.checked_sub(layout.size).filter(|&df| df > 0);
        let df = df.ok_or_else(|| {
            refuse(format!(
                "{size} margins leave no degree of freedom for {} parameters",
                layout.size
            ))
        })?;
        let mut observed = vec![0.0; size];
        let mut respondents = 0.0;
        for row in 0..cells.rows() {
            let mut right = vec![false; items];
            let mut answered = 0;
            cells.each(row, |item, category| {
                answered += 1;
                right[item] = category == 1;
            });
            if answered < items && cells.weights[row] > 0.0 {
                return Err(refuse("answers are missing; see Q3".into()));
            }
            respondents += cells.weights[row];
            for (share, &(one, two)) in observed.iter_mut().zip(&margins) {
                if right[one] && right[two] {
                    *share += cells.weights[row];
                }
            }
        }
        // P and its derivatives at each node; joint chances are sums over nodes.
        let nodes = grid.nodes();
        let weights: Vec<f64> = core.log_weights[0].iter().flat_map(exp).collect();
        let mut chances = vec![0.0; items * nodes];
        let mut model = vec![0.0; size];
        let mut by = vec![0.0; size * layout.size];
        let mut slopes: Vec<Vec<Vec<f64>>> = Vec::with_capacity(items);
        for item in 0..items {
            let parameters = core.items(self.bank.model).of(item);
            let width = parameters.len();
            let mut own = vec![Vec::with_capacity(nodes); width];
            let (mut log_p, mut derivatives) = ([[0.0; LANES]; 2], vec![[0.0; LANES]; 2 * width]);
            for (chunk, ability) in grid.chunks.iter().enumerate() {
                (self.bank.model.derivatives)(parameters, ability, &mut log_p, &mut derivatives);
                for lane in 0..LANES {
                    let p = log_p[1][lane].exp();
                    chances[item * nodes + chunk * LANES + lane] = p;
                    for (parameter, own) in own.iter_mut().enumerate() {
                        own.push(p * derivatives[width + parameter][lane]);
                    }
                }
            }
            slopes.push(own);
        }
        let chance = |item: usize| &chances[item * nodes..(item + 1) * nodes];
        // Weighted chance of both items of each margin at each node.
        let mut joint = vec![0.0; size * nodes];
        for (margin, &(one, two)) in margins.iter().enumerate() {
            let joint = &mut joint[margin * nodes..(margin + 1) * nodes];
            for (node, joint) in joint.iter_mut().enumerate() {
                *joint = chance(one)[node] * if one == two { 1.0 } else { chance(two)[node] };
                model[margin] += weights[node] * *joint;
            }
            let pairs: &[(usize, Option<usize>)] =
                if one == two { &[(one, None)] } else { &[(one, Some(two)), (two, Some(one))] };
            for &(item, other) in pairs {
                for (parameter, &index) in layout.items[item].iter().enumerate() {
                    let slope = &slopes[item][parameter];
                    by[margin * layout.size + index] += (0..nodes)
                        .map(|node| {
                            weights[node]
                                * slope[node]
                                * other.map_or(1.0, |other| chance(other)[node])
                        })
                        .sum::<f64>();
                }
            }
        }
        let mut covariance = vec![0.0; size * size];
        for row in 0..size {
            for column in 0..=row {
                let ((one, two), (three, four)) = (margins[row], margins[column]);
                let mut both = 0.0;
                // An item that stands in both margins counts once.
                let extra: Vec<usize> = if three == four { vec![three] } else { vec![three, four] }
                    .into_iter()
                    .filter(|&item| item != one && item != two)
                    .collect();
                let joint = &joint[row * nodes..(row + 1) * nodes];
                for node in 0..nodes {
                    let rest: f64 = extra.iter().map(|&item| chance(item)[node]).product();
                    both += weights[node] * joint[node] * rest;
                }
                let value = both - model[row] * model[column];
                covariance[row * size + column] = value;
                covariance[column * size + row] = value;
            }
        }
        let singular = || refuse("the covariance of the margins is singular".into());
        let factor = Cholesky::new(covariance, size).ok_or_else(singular)?;
        let residuals: Vec<f64> =
            observed.iter().zip(&model).map(|(share, model)| share / respondents - model).collect();
        let mut weighted = residuals.clone();
        factor.solve(&mut weighted);
        let dot = |left: &[f64], right: &[f64]| -> f64 {
            left.iter().zip(right).map(|(a, b)| a * b).sum()
        };
        let columns: Vec<Vec<f64>> = (0..layout.size)
            .map(|index| (0..size).map(|margin| by[margin * layout.size + index]).collect())
            .collect();
        let mut projected = vec![0.0; layout.size * layout.size];
        for (index, column) in columns.iter().enumerate() {
            let mut solved = column.clone();
            factor.solve(&mut solved);
            for (other, column) in columns.iter().enumerate() {
                projected[index * layout.size + other] = dot(&solved, column);
            }
        }
        let absorbed: Vec<f64> = columns.iter().map(|column| dot(column, &weighted)).collect();
        let mut solved = absorbed.clone();
        Cholesky::new(projected, layout.size).ok_or_else(singular)?.solve(&mut solved);
        let statistic = respondents * (dot(&residuals, &weighted) - dot(&absorbed, &solved));
        let test = ChiSquare::new(statistic, df).ok_or_else(singular)?;
        let excess = (statistic - df as f64).max(0.0);
        Ok(M2 { test, rmsea: (excess / (df as f64 * (respondents - 1.0))).sqrt() })
    }

    /// Likelihood-ratio test of this model within a `larger` one on the same responses;
    /// `None` where the larger has no more parameters. Not a chi-square where a parameter
    /// is at its bound, as c = 0 within 3PL.
    pub fn likelihood_ratio(&self, larger: &Self) -> Option<ChiSquare> {
        let df = larger.parameters.checked_sub(self.parameters)?;
        ChiSquare::new(2.0 * (larger.log_likelihood - self.log_likelihood), df)
    }
}

/// All items as (i, i), then all pairs.
fn margins(items: usize) -> Vec<(usize, usize)> {
    let singles = (0..items).map(|item| (item, item));
    singles.chain((0..items).flat_map(|one| (one + 1..items).map(move |two| (one, two)))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::{close, fitted};

    /// Values at R's 2PL estimates, computed with 2,001 nodes by another program.
    #[test]
    fn m2_of_the_lsat_data_is_known() {
        for (number, statistic, p, rmsea) in
            [(6, 4.738_38, 0.4486, 0.0), (7, 11.938_41, 0.035_64, 0.037_27)]
        {
            let Some(fit) = fitted(number, "2pl") else { return };
            let m2 = fit.m2().unwrap();
            assert_eq!(m2.test.df, 5);
            close(m2.test.statistic, statistic, 5e-5, "M2");
            close(m2.test.p, p, 5e-5, "p");
            close(m2.rmsea, rmsea, 5e-5, "RMSEA");
        }
    }

    /// From the log-likelihoods that R prints.
    #[test]
    fn one_slope_for_all_is_enough_for_lsat6_and_not_for_lsat7() {
        for (number, statistic, p) in [(6, 0.5684, 0.967), (7, 12.1916, 0.016)] {
            let (Some(one), Some(two)) = (fitted(number, "1pl"), fitted(number, "2pl")) else {
                return;
            };
            let test = one.likelihood_ratio(&two).unwrap();
            assert_eq!(test.df, 4);
            close(test.statistic, statistic, 2e-4, "LR");
            close(test.p, p, 5e-4, "p");
            assert!(two.likelihood_ratio(&one).is_none());
        }
    }
}
