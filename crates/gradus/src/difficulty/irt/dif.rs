//! Differential item functioning: is an item harder for one group than for another
//! of the same ability. Groups are families of models, models from before and after
//! an item was published, or formats of a prompt.

use super::error::IrtError;
use super::fit::{Settings, fit};
use super::fit_item::ChiSquare;
use crate::difficulty::responses::Responses;

/// Mantel and Haenszel's comparison of one item, in the form of Holland and Thayer (1988).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MantelHaenszel {
    /// Common odds ratio of the reference over the focal group: above 1, the item is
    /// easier for the reference.
    pub odds_ratio: f64,
    /// -2.35 ln odds ratio, in the units of the Educational Testing Service: negative is
    /// against the focal group.
    pub delta: f64,
    /// Chi-square with continuity correction, one degree of freedom.
    pub test: ChiSquare,
    /// ETS class: A negligible, B moderate, C large. By size and significance at 0.05;
    /// correct for many items yourself.
    pub class: char,
}

/// Compares a `focal` group with the rest, item by item, over strata of the share right.
/// `None` where a group did not answer the item, or no stratum has both groups and both scores.
pub fn mantel_haenszel(
    responses: &Responses,
    focal: &[bool],
) -> Result<Vec<Option<MantelHaenszel>>, IrtError> {
    one_a_respondent(responses, focal)?;
    let items = responses.items().len();
    // Per item and stratum: reference right and wrong, focal right and wrong.
    let mut tables = vec![[0.0; 4]; items * (items + 1)];
    for (respondent, &focal) in focal.iter().enumerate() {
        let (answered, scores) = responses.row(respondent);
        if answered.is_empty() {
            continue;
        }
        if let Some(&score) = scores.iter().find(|&&score| score != 0.0 && score != 1.0) {
            return Err(IrtError::Setting {
                setting: "responses",
                found: format!("score {score} of {:?}", responses.respondents()[respondent]),
                expected: "0 or 1 for Mantel-Haenszel".into(),
            });
        }
        let share = f64::from(scores.iter().sum::<f32>()) / answered.len() as f64;
        let stratum = (share * items as f64).round() as usize;
        for (&item, &score) in answered.iter().zip(scores) {
            let cell = 2 * usize::from(focal) + usize::from(score == 0.0);
            tables[item as usize * (items + 1) + stratum][cell] += responses.weight(respondent);
        }
    }
    Ok(tables.chunks(items + 1).map(over_strata).collect())
}

fn over_strata(strata: &[[f64; 4]]) -> Option<MantelHaenszel> {
    let (mut above, mut below, mut observed, mut expected, mut variance) =
        (0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut upper, mut mixed, mut lower) = (0.0, 0.0, 0.0);
    for &[a, b, c, d] in strata {
        let total = a + b + c + d;
        if total < 2.0 {
            continue;
        }
        above += a * d / total;
        below += b * c / total;
        observed += a;
        expected += (a + b) * (a + c) / total;
        variance += (a + b) * (c + d) * (a + c) * (b + d) / (total * total * (total - 1.0));
        // Robins, Breslow and Greenland's variance of the ln odds ratio (1986).
        let (p, q, r, s) = ((a + d) / total, (b + c) / total, a * d / total, b * c / total);
        upper += p * r;
        mixed += p * s + q * r;
        lower += q * s;
    }
    if above <= 0.0 || below <= 0.0 || variance <= 0.0 {
        return None;
    }
    let odds_ratio = above / below;
    let delta = -2.35 * odds_ratio.ln();
    let statistic = ((observed - expected).abs() - 0.5).max(0.0).powi(2) / variance;
    let test = ChiSquare::new(statistic, 1)?;
    let log_variance = upper / (2.0 * above * above)
        + mixed / (2.0 * above * below)
        + lower / (2.0 * below * below);
    let se = 2.35 * log_variance.sqrt();
    // C asks for a size significantly above 1, one-sided at 0.05.
    let class = if test.p >= 0.05 || delta.abs() < 1.0 {
        'A'
    } else if delta.abs() >= 1.5 && delta.abs() - 1.645 * se > 1.0 {
        'C'
    } else {
        'B'
    };
    Some(MantelHaenszel { odds_ratio, delta, test, class })
}

/// Likelihood-ratio test of one item (Thissen, Steinberg and Wainer 1988): its parameters
/// may differ between the groups, all other items link them, and each group has its own
/// distribution of ability.
pub fn likelihood_ratio(
    responses: &Responses,
    focal: &[bool],
    item: usize,
    settings: &Settings,
) -> Result<Option<ChiSquare>, IrtError> {
    one_a_respondent(responses, focal)?;
    if item >= responses.items().len() {
        return Err(IrtError::Setting {
            setting: "item",
            found: item.to_string(),
            expected: format!("below {}, the number of items", responses.items().len()),
        });
    }
    let mut settings = settings.clone();
    settings.populations = focal.iter().map(|&focal| u32::from(focal)).collect();
    settings.standard_errors = false;
    let same = fit(responses, &settings)?;
    let apart = fit(&responses.split(item, focal), &settings)?;
    Ok(same.likelihood_ratio(&apart))
}

fn one_a_respondent(responses: &Responses, focal: &[bool]) -> Result<(), IrtError> {
    let count = responses.respondents().len();
    if focal.len() == count {
        return Ok(());
    }
    Err(IrtError::Setting {
        setting: "focal",
        found: format!("{} values", focal.len()),
        expected: format!("{count}, one a respondent"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::close;
    use super::super::{model, simulate};
    use super::*;

    /// Worked by hand from the formulas: two strata of 2x2 tables.
    #[test]
    fn a_common_odds_ratio_is_that_of_the_formula() {
        let found = over_strata(&[[10.0, 5.0, 4.0, 8.0], [20.0, 4.0, 12.0, 6.0]]).unwrap();
        // (80/27 + 120/42) / (20/27 + 48/42)
        close(
            found.odds_ratio,
            (80.0 / 27.0 + 120.0 / 42.0) / (20.0 / 27.0 + 48.0 / 42.0),
            1e-12,
            "odds",
        );
        close(found.delta, -2.35 * found.odds_ratio.ln(), 1e-12, "delta");
        // Too few answers for a size to be significant.
        assert_eq!(found.class, 'A');
    }

    #[test]
    fn an_item_that_is_harder_for_one_group_is_found_by_both_tests() {
        let bank = simulate::example_bank("2pl", 15, 2);
        let mut harder = bank.clone();
        harder.items[6].parameters[1] -= 1.0;
        let n = 700;
        let reference = simulate::responses(&bank, &simulate::normal_abilities(n, 0.0, 1.0, 3), 4);
        let other = simulate::responses(&harder, &simulate::normal_abilities(n, -0.5, 1.2, 5), 6);
        let rows: Vec<Vec<f32>> = [&reference, &other]
            .iter()
            .flat_map(|made| (0..n).map(|row| made.row(row).1.to_vec()))
            .collect();
        let names = (0..2 * n).map(|row| row.to_string()).collect();
        let items = bank.items.iter().map(|item| item.name.clone()).collect();
        let responses = Responses::from_rows(names, items, rows.iter().map(Vec::as_slice)).unwrap();
        let focal: Vec<bool> = (0..2 * n).map(|row| row >= n).collect();
        let tests = mantel_haenszel(&responses, &focal).unwrap();
        assert_eq!(tests[6].unwrap().class, 'C', "{:?}", tests[6]);
        assert!(tests[6].unwrap().delta < 0.0);
        let settings = Settings::new(model("2pl").unwrap());
        let flagged = likelihood_ratio(&responses, &focal, 6, &settings).unwrap().unwrap();
        assert!(flagged.df == 2 && flagged.p < 1e-6, "{flagged:?}");
        let clean = likelihood_ratio(&responses, &focal, 3, &settings).unwrap().unwrap();
        assert!(clean.p > 0.001, "{clean:?}");
        // The groups' distributions are found as well.
        let mut settings = settings;
        settings.populations = focal.iter().map(|&focal| u32::from(focal)).collect();
        let fit = fit(&responses, &settings).unwrap();
        assert!((fit.populations[1].mean + 0.5).abs() < 0.15, "{:?}", fit.populations);
        assert!((fit.populations[1].sd - 1.2).abs() < 0.15, "{:?}", fit.populations);
        assert!(likelihood_ratio(&responses, &focal[1..], 0, &settings).is_err());
    }
}
