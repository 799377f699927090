//! Fits against a program in numpy that shares nothing with this one: its script and its
//! answers are `tests/fixtures/difficulty/reference.py` and `reference.json`. It has the
//! likelihoods of the papers on 241 nodes, complex-step derivatives, BFGS and Newton; for
//! Mantel-Haenszel and adjusted p it asks statsmodels, and beside its own graded fits stand
//! those of girth 0.8.

use serde_json::Value;

use super::dif::{compare, likelihood_ratio, mantel_haenszel};
use super::known_answers::{close, made};
use super::*;
use crate::difficulty::responses::Responses;
use crate::stats::benjamini_hochberg;

fn reference() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/difficulty/reference.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn exact(name: &str) -> Settings {
    let mut settings = Settings::new(model(name).unwrap());
    settings.tolerance = 1e-7;
    settings
}

fn check(fit: &Fit, known: &Value, tolerance: f64) {
    close(fit.log_likelihood, number(&known["log_likelihood"]), 1e-4, "log-likelihood");
    let errors = fit.standard_errors.as_ref().unwrap();
    assert_eq!(errors.form, InformationForm::Full);
    for (number_of, item) in fit.bank.items.iter().enumerate() {
        let (at, se) = (&known["parameters"][number_of], &known["errors"][number_of]);
        for (index, &parameter) in item.parameters.iter().enumerate() {
            let what = format!("{} {index}", item.name);
            close(parameter, number(&at[index]), tolerance, &what);
            let found = if index == 0 {
                errors.discrimination(number_of)
            } else if index < item.levels.len() {
                errors.intercept(number_of, index - 1)
            } else {
                continue;
            };
            close(found.unwrap(), number(&se[index]), 5e-5, &format!("error of {what}"));
        }
    }
}

#[test]
fn graded_and_partial_credit_fits_are_those_of_the_reference() {
    let known = reference();
    for (name, file, key) in [
        ("graded", "made_graded.csv.gz", "graded"),
        ("partial-credit", "made_partial_credit.csv.gz", "partial_credit"),
    ] {
        let fit = fit(&made(file), &exact(name)).unwrap();
        check(&fit, &known[key], 1e-5);
        // girth integrates over 41 nodes and stops earlier: within 0.003.
        for (item, slope) in
            known[key]["girth"]["discrimination"].as_array().unwrap().iter().enumerate()
        {
            close(fit.bank.items[item].discrimination(), number(slope), 0.003, "girth's slope");
        }
    }
}

/// Estimates and errors are those of the posterior mode under the priors of both asymptotes
/// and of ln a.
#[test]
fn a_four_parameter_fit_is_that_of_the_reference() {
    let known = &reference()["4pl"];
    let mut settings = exact("4pl");
    settings.priors.log_slope = Some((0.0, 0.5));
    let fit = fit(&made("made_4pl.csv.gz"), &settings).unwrap();
    check(&fit, known, 1e-4);
    let errors = fit.standard_errors.as_ref().unwrap();
    for item in 0..8 {
        for (which, p) in [fit.bank.guessing(item), fit.bank.upper(item)].into_iter().enumerate() {
            let expected = number(&known["errors"][item][2 + which]) * p * (1.0 - p);
            close(
                errors.asymptote(&fit, item, which).unwrap(),
                expected,
                5e-5,
                "error of an asymptote",
            );
        }
    }
}

fn groups() -> (Responses, Vec<bool>) {
    (made("made_groups.csv.gz"), (0..900).map(|row| row >= 500).collect())
}

#[test]
fn two_groups_have_the_means_and_differences_of_the_reference() {
    let known = &reference()["groups"];
    let (responses, focal) = groups();
    let mut settings = exact("2pl");
    settings.populations = focal.iter().map(|&focal| u32::from(focal)).collect();
    let both = fit(&responses, &settings).unwrap();
    check(&both, known, 1e-5);
    let errors = both.standard_errors.as_ref().unwrap().populations[1];
    for (found, name) in [
        (both.populations[1].mean, "mean"),
        (both.populations[1].sd, "sd"),
        (errors.0, "se_mean"),
        (errors.1, "se_sd"),
    ] {
        close(found, number(&known[name]), 5e-5, name);
    }
    for (item, name) in [(3, "split_q3"), (5, "split_q5")] {
        let known = &known[name];
        let found = likelihood_ratio(&responses, &focal, item, &exact("2pl")).unwrap().unwrap();
        assert_eq!(found.test.df, 2);
        close(found.test.statistic, number(&known["statistic"]), 1e-4, "LR");
        for (found, known) in [
            (found.difficulty, &known["difficulty"]),
            (found.discrimination, &known["discrimination"]),
            (
                (found.score, found.absolute_score),
                &Value::from(vec![known["score_difference"].clone(), known["absolute"].clone()]),
            ),
        ] {
            close(found.0, number(&known[0]), 5e-5, name);
            close(found.1, number(&known[1]), 5e-5, name);
        }
    }
}

#[test]
fn mantel_haenszel_is_that_of_statsmodels() {
    let known = reference();
    let (responses, focal) = groups();
    let found = mantel_haenszel(&responses, &focal).unwrap();
    for (found, known) in found.iter().zip(known["mantel_haenszel"].as_array().unwrap()) {
        let found = found.unwrap();
        close(found.odds_ratio, number(&known["odds_ratio"]), 1e-8, "odds ratio");
        close(found.test.statistic, number(&known["statistic"]), 1e-7, "chi-square");
        close(found.test.p, number(&known["p"]), 1e-8, "p");
        close(found.se / 2.35, number(&known["se_log_odds"]), 1e-8, "error of the log odds");
    }
    let of = |name: &str| -> Vec<Option<f64>> {
        known["benjamini_hochberg"][name].as_array().unwrap().iter().map(Value::as_f64).collect()
    };
    for (found, known) in benjamini_hochberg(&of("p")).into_iter().zip(of("adjusted")) {
        close(found.unwrap(), known.unwrap(), 1e-9, "adjusted p");
    }
    let all = compare(&responses, &focal, &exact("2pl"), &|_, _| ()).unwrap();
    assert_eq!((all.asked, all.failed), (8, 0));
    let flagged: Vec<usize> =
        (0..8).filter(|&item| all.likelihood_ratio[item].unwrap().1 <= 0.05).collect();
    assert_eq!(flagged, [3]);
}
