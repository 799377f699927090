//! Fits against answers of other programs.
//!
//! The LSAT data (Bock and Lieberman 1970) in R: mirt 1.45.1 with 121 nodes and tolerance
//! 1e-9, and ltm 1.2-0; their output is `lsat_mirt_r.txt` and `lsat6_ltm_r.txt`.
//! Answers of four models to GSM8K, with the models as items: an independent program with
//! 401 nodes. Made data of 1,000 x 100 with known parameters (numpy, PCG64, seed 20240601):
//! R mirt with 61 nodes, and a reference in numpy with 401 nodes.

use super::*;
use crate::data::test_data;
use crate::difficulty::responses::{Reading, Responses, recognise};

/// A file of responses in whatever form it has.
fn read(path: &std::path::Path) -> Responses {
    (recognise(path).unwrap().read)(path, &Reading::default()).unwrap()
}

pub(super) fn lsat(number: u8) -> Option<Responses> {
    let path = test_data::file(&format!("known-answers/lsat{number}_patterns.csv"))?;
    Some(read(&path))
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
    for (item, &intercept) in intercepts.iter().enumerate() {
        close(errors.intercept(item, 0).unwrap(), intercept, 2e-5, "se of d");
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

/// The mean of EAP abilities is 0 at the maximum, and their variance with the mean squared
/// error makes 1, the variance of the abilities: reliability is that variance.
#[test]
fn reliability_is_the_variance_of_the_estimates() {
    let Some(fit) = fitted(7, "2pl") else { return };
    let Some(responses) = lsat(7) else { return };
    let mut variance = 0.0;
    for (row, ability) in fit.abilities.iter().enumerate() {
        variance += responses.weight(row) * ability.ability.powi(2) / 1000.0;
    }
    close(fit.reliability(), variance, 1e-4, "reliability");
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

fn gsm8k() -> Option<Responses> {
    let path = test_data::file("gsm8k/example_model_solutions.jsonl")?;
    let problems = crate::data::gsm8k_solutions(path).unwrap();
    let models = problems[0].completions.iter().map(|made| made.model.clone().unwrap()).collect();
    let ids = problems.iter().map(|problem| problem.problem.id.clone()).collect();
    let rows: Vec<Vec<f32>> = problems
        .iter()
        .map(|problem| {
            let right = |made: &crate::data::Completion| made.metadata["is_correct"] == true;
            problem.completions.iter().map(|made| f32::from(u8::from(right(made)))).collect()
        })
        .collect();
    Some(Responses::from_rows(ids, models, rows.iter().map(Vec::as_slice)).unwrap())
}

#[test]
fn four_models_as_items_have_the_known_fit() {
    let Some(responses) = gsm8k() else { return };
    let fitted = |name: &str| {
        let mut settings = Settings::new(model(name).unwrap());
        settings.tolerance = 1e-7;
        fit(&responses, &settings).unwrap()
    };
    let (one, two) = (fitted("1pl"), fitted("2pl"));
    assert_eq!(two.bank.items[0].name, "6b_finetuning");
    check(&one, -2_867.383_96, &[2.2711; 4], &[0.9879, 0.3522, 0.4964, -0.1959]);
    check(
        &two,
        -2_864.820_97,
        &[2.1175, 2.7417, 2.0124, 2.2940],
        &[1.0131, 0.3316, 0.5180, -0.1959],
    );
    let test = one.likelihood_ratio(&two).unwrap();
    close(test.statistic, 5.126, 1e-3, "LR");
    close(test.p, 0.16, 5e-3, "p");
}

/// With the problems as items four respondents are all there is.
#[test]
fn four_respondents_are_fitted_with_errors_that_say_how_little_that_is() {
    let Some(responses) = gsm8k() else { return };
    let fit = fit(&responses.transposed(), &Settings::new(model("1pl").unwrap())).unwrap();
    let errors = fit.standard_errors.as_ref().unwrap();
    let least = (0..fit.bank.items.len())
        .filter_map(|item| errors.threshold(&fit, item, 0))
        .fold(f64::INFINITY, f64::min);
    assert!(least > 0.5, "{least}");
    let solved_by_none =
        fit.items.iter().filter(|(status, _)| matches!(status, ItemStatus::AllWrong { .. }));
    let solved_by_all =
        fit.items.iter().filter(|(status, _)| matches!(status, ItemStatus::AllRight { .. }));
    assert_eq!((solved_by_none.count(), solved_by_all.count()), (432, 156));
}

pub(super) fn made(name: &str) -> Responses {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/difficulty");
    read(&folder.join(name))
}

/// Without standard errors, which take most of the time of a small fit.
fn quick(name: &str) -> Settings {
    let mut settings = Settings::new(model(name).unwrap());
    settings.standard_errors = false;
    settings
}

fn rmse(found: impl Iterator<Item = f64>, known: &[f64]) -> f64 {
    let squares = found.zip(known).map(|(found, known)| (found - known).powi(2));
    (squares.sum::<f64>() / known.len() as f64).sqrt()
}

/// R stopped early there, hence the tolerances.
#[test]
fn a_common_slope_on_made_data_is_that_of_r() {
    let Some(path) = test_data::file("known-answers/a_1pl_rmirt_q61.csv") else { return };
    let known = std::fs::read_to_string(path).unwrap();
    let fit = fit(&made("made_1pl.csv.gz"), &quick("1pl")).unwrap();
    for (item, line) in known.lines().skip(1).enumerate() {
        let values: Vec<f64> = line.split(',').map(|value| value.parse().unwrap()).collect();
        close(fit.bank.items[item].discrimination(), values[0], 1e-3, "slope");
        close(fit.bank.items[item].difficulty(), values[1], 5e-3, "difficulty");
    }
}

/// Log-likelihood and errors of the numpy reference (`irt_reference_loglik.json`, size a).
#[test]
fn parameters_are_recovered_as_well_as_by_the_reference() {
    let known: Vec<(f64, f64)> =
        include_str!("../../../tests/fixtures/difficulty/made_2pl_parameters.csv")
            .lines()
            .skip(1)
            .map(|line| {
                let values: Vec<f64> =
                    line.split(',').map(|value| value.parse().unwrap()).collect();
                (values[0], values[1])
            })
            .collect();
    let (slopes, difficulties): (Vec<f64>, Vec<f64>) = known.into_iter().unzip();
    let fit = fit(&made("made_2pl.csv.gz"), &quick("2pl")).unwrap();
    close(fit.log_likelihood, -56_455.477, 2e-3, "log-likelihood");
    let items = || fit.bank.items.iter();
    close(rmse(items().map(CalibratedItem::difficulty), &difficulties), 0.0969, 5e-5, "difficulty");
    close(rmse(items().map(CalibratedItem::discrimination), &slopes), 0.1042, 5e-5, "slope");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let responses = made("made_2pl.csv.gz");
    let fitted = |threads: usize| {
        let mut settings = quick("2pl");
        settings.threads = threads;
        let fit = fit(&responses, &settings).unwrap();
        (fit.bank.items, fit.abilities, fit.log_likelihood.to_bits())
    };
    assert_eq!(fitted(1), fitted(3));
}

#[test]
fn items_that_are_given_keep_their_scale() {
    let responses = made("made_2pl.csv.gz");
    let all = fit(&responses, &quick("2pl")).unwrap();
    // The abler half alone, with the first 50 items given: the scale stays, the mean rises.
    let mut order: Vec<usize> = (0..1000).collect();
    order.sort_by(|&a, &b| all.abilities[b].ability.total_cmp(&all.abilities[a].ability));
    let able = responses.select(&order[..500]);
    let mut settings = quick("2pl");
    for item in &all.bank.items[..50] {
        settings.anchors.insert(item.name.clone(), item.clone());
    }
    let half = fit(&able, &settings).unwrap();
    assert_eq!(half.items[3].0, ItemStatus::Anchored);
    // The mean of the upper half of a standard normal distribution is 0.798.
    close(half.populations[0].mean, 0.798, 0.06, "mean");
    let off: f64 = half.bank.items[50..]
        .iter()
        .map(|item| {
            let known = all.bank.items.iter().find(|known| known.name == item.name).unwrap();
            (item.difficulty() - known.difficulty()).clamp(-1.0, 1.0)
        })
        .sum();
    close(off / 50.0, 0.0, 0.1, "mean difference of difficulties");
}

/// Few answers are stored one by one, many are packed: the same model either way.
#[test]
fn sparse_answers_are_on_the_scale_of_dense_ones() {
    let responses = made("made_2pl.csv.gz");
    let few: Vec<Vec<(u32, f32)>> = (0..1000)
        .map(|row| {
            let (items, scores) = responses.row(row);
            let cells = items.iter().copied().zip(scores.iter().copied());
            cells
                .filter(|&(item, _)| (u64::from(item) * 7 + row as u64 * 13).is_multiple_of(10))
                .collect()
        })
        .collect();
    let (names, items) = (responses.respondents().to_vec(), responses.items().to_vec());
    let few = Responses::from_sparse(names, items, few).unwrap();
    assert_eq!(few.len(), 10_000);
    let settings = quick("rasch");
    let (few, all) = (fit(&few, &settings).unwrap(), fit(&responses, &settings).unwrap());
    assert!(matches!(few.core.cells.storage, super::cells::Storage::Sparse(_)));
    let known: Vec<f64> = all.bank.items.iter().map(CalibratedItem::difficulty).collect();
    let off = rmse(few.bank.items.iter().map(CalibratedItem::difficulty), &known);
    // 100 answers an item: a standard error of about 0.25.
    assert!((0.15..0.35).contains(&off), "{off}");
}

/// The made 2PL answers with some items scored the wrong way round.
fn turned(wrong: impl Fn(usize) -> bool) -> Responses {
    let responses = made("made_2pl.csv.gz");
    let rows: Vec<Vec<f32>> = (0..1000)
        .map(|row| {
            let scores = responses.row(row).1.iter().enumerate();
            scores.map(|(item, &score)| if wrong(item) { 1.0 - score } else { score }).collect()
        })
        .collect();
    let (names, items) = (responses.respondents().to_vec(), responses.items().to_vec());
    Responses::from_rows(names, items, rows.iter().map(Vec::as_slice)).unwrap()
}

#[test]
fn a_miskeyed_item_is_flagged_and_a_turned_scale_is_turned_back() {
    let reflected = |fit: &Fit| -> Vec<usize> {
        (0..100).filter(|&item| fit.items[item].0 == ItemStatus::Reflected).collect()
    };
    let one = fit(&turned(|item| item == 7), &quick("2pl")).unwrap();
    assert_eq!(reflected(&one), [7]);
    // Most answers turned round: the few that are not look miskeyed, whatever the start.
    let most = fit(&turned(|item| item % 4 != 3), &quick("2pl")).unwrap();
    assert_eq!(reflected(&most), (3..100).step_by(4).collect::<Vec<_>>());
    let squares = most.mean_squares(1);
    assert!(squares.iter().all(|item| (0.9..1.1).contains(&item.infit)), "{squares:?}");
}

#[test]
fn what_cannot_be_estimated_is_an_error_with_a_sentence() {
    let table = |rows: &[&[f32]]| {
        let names =
            |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect();
        Responses::from_rows(
            names("m", rows.len()),
            names("q", rows[0].len()),
            rows.iter().copied(),
        )
        .unwrap()
    };
    let check = |rows: &[&[f32]], name: &str, expected: &str| {
        let error =
            fit(&table(rows), &Settings::new(model(name).unwrap())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let same: &[f32] = &[1.0, 1.0, 0.0];
    check(&[same, same, same], "2pl", "0 of 3 items vary, and at least 3 must");
    check(&[&[1.0, 0.5, 0.0], same, same], "2pl", "found score 0.5, expected 0 or 1 under 2pl");
    check(&[&[1.0, 0.0, 1.0], &[0.0, 1.0, 0.0]], "1pl", "at least 3 respondents, found 2");
    assert!(model("5pl").unwrap_err().to_string().contains("rasch, 1pl, 2pl"));
    let mut settings = quick("2pl");
    settings.most_cycles = 2;
    let error = fit(&made("made_2pl.csv.gz"), &settings).unwrap_err();
    assert!(
        matches!(&error, IrtError::NotConverged { last, .. } if last.standard_errors.is_none())
    );
}
