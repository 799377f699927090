//! The LSAT data (Bock and Lieberman 1970) against R: mirt 1.45.1 with 121 nodes and
//! tolerance 1e-9, and ltm 1.2-0, whose output is `lsat_mirt_r.txt` and `lsat6_ltm_r.txt`.

use super::*;
use crate::data::test_data;
use crate::difficulty::responses::{Responses, patterns};

pub(super) fn lsat(number: u8) -> Option<Responses> {
    let path = test_data::file(&format!("known-answers/lsat{number}_patterns.csv"))?;
    Some(patterns(path).unwrap())
}

pub(super) fn fitted(number: u8, name: &str) -> Option<Fit> {
    let mut settings = Settings::new(model(name).unwrap());
    settings.tolerance = 1e-7;
    Some(fit(&lsat(number)?, &settings).unwrap())
}

pub(super) fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: found {found}, expected {expected}");
}

fn check(fit: &Fit, log_likelihood: f64, slopes: &[f64], difficulties: &[f64]) {
    close(fit.log_likelihood, log_likelihood, 1e-4, "log-likelihood");
    for (item, (a, b)) in slopes.iter().zip(difficulties).enumerate() {
        let found = &fit.bank.items[item];
        close(found.discrimination(), *a, 5e-4, "slope");
        close(found.difficulty(), *b, 5e-4, "difficulty");
    }
}

fn check_errors(fit: &Fit, slopes: &[f64], intercepts: &[f64]) {
    let errors = fit.standard_errors.as_ref().unwrap();
    assert_eq!(errors.form, InformationForm::Full);
    for item in 0..intercepts.len() {
        close(errors.intercept(item, 0).unwrap(), intercepts[item], 2e-5, "se of d");
        match slopes.get(item) {
            None => assert_eq!(errors.discrimination(item), None),
            Some(&slope) => close(errors.discrimination(item).unwrap(), slope, 2e-5, "se of a"),
        }
    }
}

#[test]
fn rasch_with_free_variance_is_that_of_r() {
    let Some(six) = fitted(6, "rasch") else { return };
    check(
        &six,
        -2_466.937_600,
        &[1.0; 5],
        &[-2.730_02, -0.998_61, -0.239_85, -1.306_45, -2.099_41],
    );
    close(six.populations[0].sd.powi(2), 0.570_237_31, 1e-4, "variance");
    check_errors(&six, &[], &[0.130_441, 0.079_177, 0.071_775, 0.084_638, 0.105_445]);
    let sd = six.populations[0].sd;
    let error = six.standard_errors.as_ref().unwrap().populations[0].1;
    close(2.0 * sd * error, 0.104_864, 2e-5, "se of the variance");
    let Some(seven) = fitted(7, "rasch") else { return };
    check(
        &seven,
        -2_664.900_891,
        &[1.0; 5],
        &[-1.868_26, -0.791_00, -1.460_98, -0.521_50, -1.992_97],
    );
    close(seven.populations[0].sd.powi(2), 1.022_65, 1e-4, "variance");
    assert_eq!((six.parameters, seven.respondents), (6, 1000.0));
    close(six.aic(), 4945.8752, 1e-3, "aic");
}

#[test]
fn one_pl_is_that_of_r() {
    let Some(six) = fitted(6, "1pl") else { return };
    check(
        &six,
        -2_466.937_600,
        &[0.755_135; 5],
        &[-3.615_27, -1.322_42, -0.317_63, -1.730_09, -2.780_17],
    );
    check_errors(&six, &[0.069_433; 5], &[0.130_441, 0.079_177, 0.071_775, 0.084_638, 0.105_445]);
    // ltm has standard errors of the difficulties.
    let errors = six.standard_errors.as_ref().unwrap();
    for (item, expected) in
        [0.326_641_4, 0.142_182_3, 0.097_677_1, 0.169_136_0, 0.251_048_3].iter().enumerate()
    {
        close(errors.threshold(&six, item, 0).unwrap(), *expected, 5e-5, "se of b");
    }
    let Some(seven) = fitted(7, "1pl") else { return };
    check(
        &seven,
        -2_664.900_891,
        &[1.011_268; 5],
        &[-1.847_45, -0.782_19, -1.444_70, -0.515_70, -1.970_77],
    );
    check_errors(&seven, &[0.064_943; 5], &[0.100_429, 0.081_157, 0.091_310, 0.078_725, 0.103_705]);
}

#[test]
fn two_pl_is_that_of_r() {
    let Some(six) = fitted(6, "2pl") else { return };
    check(
        &six,
        -2_466.653_378,
        &[0.825_660, 0.722_744, 0.890_875, 0.688_368, 0.656_856],
        &[-3.358_811, -1.370_058, -0.279_666, -1.866_381, -3.125_907],
    );
    check_errors(
        &six,
        &[0.258_115, 0.186_680, 0.232_764, 0.185_143, 0.209_909],
        &[0.205_744, 0.090_019, 0.076_273, 0.099_038, 0.135_359],
    );
    let errors = six.standard_errors.as_ref().unwrap();
    for (item, expected) in
        [0.866_472_4, 0.307_490_7, 0.099_622_8, 0.434_317_4, 0.871_222_1].iter().enumerate()
    {
        close(errors.threshold(&six, item, 0).unwrap(), *expected, 5e-4, "se of b");
    }
    let Some(seven) = fitted(7, "2pl") else { return };
    check(
        &seven,
        -2_658.805_114,
        &[0.987_546, 1.080_837, 1.707_478, 0.764_990, 0.735_673],
        &[-1.879_260, -0.747_541, -1.057_236, -0.635_302, -2.520_764],
    );
    check_errors(
        &seven,
        &[0.177_195, 0.168_764, 0.321_077, 0.134_120, 0.151_134],
        &[0.131_450, 0.091_247, 0.204_825, 0.074_913, 0.114_409],
    );
}

/// The default tolerance must do, not only that of the tests above.
#[test]
fn the_default_tolerance_reaches_three_digits() {
    for (number, log_likelihood, slopes) in [
        (6, -2_466.653_378, [0.825_660, 0.722_744, 0.890_875, 0.688_368, 0.656_856]),
        (7, -2_658.805_114, [0.987_546, 1.080_837, 1.707_478, 0.764_990, 0.735_673]),
    ] {
        let Some(responses) = lsat(number) else { return };
        let fit = fit(&responses, &Settings::new(model("2pl").unwrap())).unwrap();
        close(fit.log_likelihood, log_likelihood, 1e-4, "log-likelihood");
        for (item, slope) in slopes.into_iter().enumerate() {
            close(fit.bank.items[item].discrimination(), slope, 5e-4, "slope");
        }
    }
}

#[test]
fn three_pl_under_mirts_prior_is_that_of_r() {
    let Some(six) = fitted(6, "3pl") else { return };
    check(
        &six,
        -2_466.793_596,
        &[0.856_28, 0.870_75, 1.143_93, 0.781_32, 0.716_28],
        &[-2.885_84, -0.679_55, 0.155_41, -1.186_74, -2.422_76],
    );
    for (item, expected) in [0.240_88, 0.224_85, 0.164_85, 0.224_71, 0.240_48].iter().enumerate() {
        close(six.bank.guessing(item), *expected, 5e-4, "guessing");
    }
    let Some(seven) = fitted(7, "3pl") else { return };
    check(
        &seven,
        -2_658.674_867,
        &[1.073_63, 1.826_80, 1.950_79, 0.794_27, 0.816_87],
        &[-1.541_34, -0.067_86, -0.819_11, -0.377_24, -1.958_50],
    );
    for (item, expected) in [0.157_92, 0.287_24, 0.153_91, 0.093_94, 0.197_39].iter().enumerate() {
        close(seven.bank.guessing(item), *expected, 5e-4, "guessing");
    }
}

/// Posterior means of R's mirt at its 2PL estimates.
#[test]
fn posterior_means_are_those_of_r() {
    let Some(fit) = fitted(6, "2pl") else { return };
    let last = fit.abilities.len() - 1;
    close(fit.abilities[0].ability, -1.896_770_1, 2e-4, "EAP of 00000");
    close(fit.abilities[0].se, 0.801_276_9, 2e-4, "SE of 00000");
    close(fit.abilities[last].ability, 0.645_620_9, 2e-4, "EAP of 11111");
    close(fit.abilities[last].se, 0.859_006_6, 2e-4, "SE of 11111");
}
