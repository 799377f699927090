//! Person fit: is a respondent's pattern likely at the ability it shows.
//!
//! `l_z` (Drasgow, Levine and Williams 1985): (l - E l) / sd(l), with l the ln
//! likelihood at the estimate. At an estimated ability its spread is below 1.
//! Very low values: a contaminated, guessing or otherwise unusual respondent.

use super::fit::Fit;
use super::lanes::{LANES, add, exp, lanes};

/// No answer.
const MISSING: u8 = u8::MAX;

impl Fit {
    /// `l_z` of each respondent at the posterior mean; `None` without answers.
    pub fn person_fit(&self) -> Vec<Option<f64>> {
        let core = &self.core;
        let model = self.bank.model;
        let items = core.items(model);
        let rows = core.cells.rows();
        let mut abilities = vec![0.0; rows];
        for (&row, ability) in core.place.iter().zip(&self.abilities) {
            abilities[row as usize] = ability.ability;
        }
        let mut found = Vec::with_capacity(rows);
        // Eight rows at a time, as a curve is computed for eight abilities.
        let mut categories = vec![[MISSING; LANES]; core.cells.items()];
        let mut log_p = Vec::new();
        for first in (0..rows).step_by(LANES) {
            let together = LANES.min(rows - first);
            categories.fill([MISSING; LANES]);
            for row in first..first + together {
                core.cells.each(row, |item, category| {
                    categories[item][row - first] = category as u8;
                });
            }
            let ability = lanes(|lane| abilities[first + lane.min(together - 1)]);
            let [mut log_likelihood, mut mean, mut variance] = [[0.0; LANES]; 3];
            for (item, categories) in categories.iter().enumerate() {
                if *categories == [MISSING; LANES] {
                    continue;
                }
                log_p.resize(core.cells.categories[item], [0.0; LANES]);
                (model.log_probabilities)(items.of(item), &ability, &mut log_p);
                let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
                for log_p in &log_p {
                    let chance = exp(log_p);
                    add(&mut first, &lanes(|lane| chance[lane] * log_p[lane]));
                    add(&mut second, &lanes(|lane| chance[lane] * log_p[lane] * log_p[lane]));
                }
                for (lane, &category) in categories.iter().enumerate() {
                    if category != MISSING {
                        log_likelihood[lane] += log_p[usize::from(category)][lane];
                        mean[lane] += first[lane];
                        variance[lane] += second[lane] - first[lane] * first[lane];
                    }
                }
            }
            found.extend((0..together).map(|lane| {
                let off = log_likelihood[lane] - mean[lane];
                (variance[lane] > 0.0).then(|| off / variance[lane].sqrt())
            }));
        }
        core.place.iter().map(|&row| found[row as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::{close, fitted, lsat};

    /// Values at R's 2PL estimates, computed with 2,001 nodes by another program.
    #[test]
    fn person_fit_of_lsat6_is_known() {
        let (Some(fit), Some(responses)) = (fitted(6, "2pl"), lsat(6)) else { return };
        let found = fit.person_fit();
        for (pattern, expected) in [
            ([0.0, 0.0, 0.0, 0.0, 0.0], -1.205_95),
            ([0.0, 1.0, 1.0, 1.0, 1.0], -1.498_84),
            ([1.0, 1.0, 1.0, 0.0, 1.0], -0.256_34),
            ([1.0, 1.0, 1.0, 1.0, 1.0], 0.849_76),
        ] {
            let at = (0..30).find(|&row| responses.row(row).1 == pattern).unwrap();
            close(found[at].unwrap(), expected, 5e-5, "l_z");
        }
    }
}
