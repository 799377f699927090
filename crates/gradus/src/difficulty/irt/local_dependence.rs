//! Local dependence: pairs of items that go together beyond ability.
//!
//! Q3 (Yen 1984) is the correlation of the residuals of two items over the
//! respondents who answered both; about -1 / (J - 1) is expected. High values are
//! duplicated or linked questions.

use super::error::IrtError;
use super::fit::Fit;
use super::fit_item::expected;
use super::workers;

/// The largest number of items for which all pairs are compared.
const MOST_ITEMS: usize = 3000;
/// Fewer common respondents say nothing.
const LEAST_COMMON: usize = 10;

/// Residual correlations of pairs of items.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalDependence {
    /// Mean over all pairs.
    pub mean: f64,
    /// The pairs furthest above the mean, as numbers of the bank's items with Q3.
    pub highest: Vec<(usize, usize, f64)>,
}

impl Fit {
    /// Q3 of all pairs; keeps the `most` highest.
    pub fn local_dependence(
        &self,
        most: usize,
        threads: usize,
    ) -> Result<LocalDependence, IrtError> {
        let core = &self.core;
        let count = self.bank.items.len();
        let respondents = core.place.len();
        if count > MOST_ITEMS {
            let reason = format!("{count} items are more than {MOST_ITEMS}; choose fewer items");
            return Err(IrtError::NotComputed { statistic: "Q3", reason });
        }
        let model = self.bank.model;
        // Residuals item by item, NaN where there is no answer.
        let mut residuals = vec![f64::NAN; count * respondents];
        let mut weights = Vec::with_capacity(respondents);
        let mut used = vec![false; core.cells.rows()];
        for (respondent, &row) in core.place.iter().enumerate() {
            // Equal rows stand once, with their weight.
            let row = row as usize;
            weights.push(if used[row] { 0.0 } else { core.cells.weights[row] });
            if std::mem::replace(&mut used[row], true) {
                continue;
            }
            let ability = [self.abilities[respondent].ability; 8];
            core.cells.each(row, |item, category| {
                let levels = &self.bank.items[item].levels;
                let parameters = core.items(model).of(item);
                let mean = expected(model, parameters, levels, &ability).0[0];
                residuals[item * respondents + respondent] = f64::from(levels[category]) - mean;
            });
        }
        let of = |item: usize| &residuals[item * respondents..(item + 1) * respondents];
        let units: Vec<usize> = (0..count).collect();
        let rows = workers::each(
            threads,
            units,
            || (),
            |(), one| {
                let (mut sum, mut pairs, mut kept) = (0.0, 0usize, Vec::new());
                for two in one + 1..count {
                    if let Some(q3) = correlation(of(one), of(two), &weights) {
                        sum += q3;
                        pairs += 1;
                        kept.push((one, two, q3));
                    }
                }
                kept.sort_by(|left, right| right.2.total_cmp(&left.2));
                kept.truncate(most);
                (sum, pairs, kept)
            },
        );
        let pairs: usize = rows.iter().map(|row| row.1).sum();
        let mean = rows.iter().map(|row| row.0).sum::<f64>() / pairs.max(1) as f64;
        let mut highest: Vec<_> = rows.into_iter().flat_map(|row| row.2).collect();
        highest.sort_by(|left, right| right.2.total_cmp(&left.2));
        highest.truncate(most);
        Ok(LocalDependence { mean, highest })
    }
}

fn correlation(left: &[f64], right: &[f64], weights: &[f64]) -> Option<f64> {
    let (mut n, mut common, mut x, mut y, mut xx, mut yy, mut xy) =
        (0.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for ((&a, &b), &weight) in left.iter().zip(right).zip(weights) {
        if a.is_nan() || b.is_nan() || weight == 0.0 {
            continue;
        }
        common += 1;
        n += weight;
        x += weight * a;
        y += weight * b;
        xx += weight * a * a;
        yy += weight * b * b;
        xy += weight * a * b;
    }
    if common < LEAST_COMMON {
        return None;
    }
    let scale = ((xx - x * x / n) * (yy - y * y / n)).sqrt();
    (scale > 0.0).then(|| (xy - x * y / n) / scale)
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, fit, model, simulate};
    use crate::difficulty::responses::Responses;

    #[test]
    fn a_question_that_was_asked_twice_is_found() {
        let bank = simulate::example_bank("2pl", 20, 3);
        let made = simulate::responses(&bank, &simulate::normal_abilities(800, 0.0, 1.0, 5), 5);
        let rows: Vec<Vec<f32>> = (0..800)
            .map(|row| {
                let mut scores = made.row(row).1.to_vec();
                scores.push(scores[4]);
                scores
            })
            .collect();
        let mut items = made.items().to_vec();
        items.push("again".into());
        let rows = rows.iter().map(Vec::as_slice);
        let responses = Responses::from_rows(made.respondents().to_vec(), items, rows).unwrap();
        let mut settings = Settings::new(model("2pl").unwrap());
        settings.standard_errors = false;
        let found = fit(&responses, &settings).unwrap().local_dependence(3, 1).unwrap();
        let (one, two, q3) = found.highest[0];
        assert_eq!((one, two), (4, 20));
        assert!(q3 > 0.4 && found.highest[1].2 < 0.2, "{found:?}");
    }
}
