//! Person fit: is a respondent's pattern likely at the ability it shows.
//!
//! `l_z` (Drasgow, Levine and Williams 1985): (l - E l) / sd(l), with l the ln
//! likelihood at the estimate. At an estimated ability its spread is below 1.
//! Very low values: a contaminated, guessing or otherwise unusual respondent.

use super::fit::Fit;

impl Fit {
    /// `l_z` of each respondent at the posterior mean; `None` without answers.
    pub fn person_fit(&self) -> Vec<Option<f64>> {
        let core = &self.core;
        let model = self.bank.model;
        let items = core.items(model);
        let mut known: Vec<Option<Option<f64>>> = vec![None; core.cells.rows()];
        (0..core.place.len())
            .map(|respondent| {
                let row = core.place[respondent] as usize;
                *known[row].get_or_insert_with(|| {
                    let ability = [self.abilities[respondent].ability; 8];
                    let (mut log_likelihood, mut mean, mut variance) = (0.0, 0.0, 0.0);
                    let mut log_p = Vec::new();
                    core.cells.each(row, |item, category| {
                        log_p.resize(core.cells.categories[item], [0.0; 8]);
                        (model.log_probabilities)(items.of(item), &ability, &mut log_p);
                        let moment = |power: i32| -> f64 {
                            log_p.iter().map(|log_p| log_p[0].exp() * log_p[0].powi(power)).sum()
                        };
                        log_likelihood += log_p[category][0];
                        mean += moment(1);
                        variance += moment(2) - moment(1).powi(2);
                    });
                    (variance > 0.0).then(|| (log_likelihood - mean) / variance.sqrt())
                })
            })
            .collect()
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
