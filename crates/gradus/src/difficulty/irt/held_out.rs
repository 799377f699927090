//! How far the score predicted from a short form is from the score on all items: measured
//! on respondents who took no part in the calibration, nor in the choice of the items,
//! beside forms chosen at random.
//!
//! Relatives (copies, fine-tunes of one base model) are held out together, and the
//! intervals are a bootstrap over these groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bank::Bank;
use super::error::IrtError;
use super::fit::{Fit, Population, Settings, fit};
use super::short_form::{Choice, Predicted, ShortForm, choose, gp_irt_weight};
use super::workers;
use crate::difficulty::responses::Responses;
use crate::run::Stream;
use crate::stats::{Estimate, Resamples};

/// Forms whose mean error is that of a choice at random.
const BASELINE_FORMS: usize = 20;
/// Draws of the bootstrap over held-out groups.
const DRAWS: usize = 2000;
const CONFIDENCE: f64 = 0.95;
/// Fewer held-out groups have no interval worth the name.
const FEWEST_GROUPS: usize = 2;

/// What is shortened, and how that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// How items are chosen.
    pub choice: Choice,
    /// Numbers of items, a form each.
    pub counts: &'a [usize],
    /// Share of the groups that are held out, above 0 and below 1.
    pub share: f64,
    /// The group of each respondent, any number: relatives have the same.
    pub groups: &'a [usize],
    /// Seed of what is drawn: who is held out, forms, resamples.
    pub seed: u64,
}

/// How the score on all items is predicted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Mean of the answers, each for its share of items ([`Predicted::anchors`]).
    Mean,
    /// Answers, and expected scores elsewhere ([`Predicted::p_irt`]).
    PIrt,
    /// The mixture of both ([`Predicted::gp_irt`]); what it needs to know of the errors is
    /// taken from the other held-out groups, never from the respondent who is predicted. It
    /// takes the mean for unbiased, which that of the most informative items is not.
    GpIrt,
}

impl Estimator {
    /// All, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Mean, Self::PIrt, Self::GpIrt];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::PIrt => "p-irt",
            Self::GpIrt => "gp-irt",
        }
    }
}

/// Mean absolute error of one kind of form and one way to predict, over held-out respondents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictionError {
    /// `chosen`, or the baselines `random` and `stratified`.
    pub form: &'static str,
    /// Number of forms that the error is the mean of.
    pub forms: usize,
    /// How the score was predicted.
    pub estimator: Estimator,
    /// In units of the mean score, with its 95 % interval; `n` counts groups.
    pub error: Estimate,
    /// Error of the random forms minus this one, over the same respondents.
    pub less_than_random: Estimate,
}

/// One short form with its measured errors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Number of items.
    pub count: usize,
    /// Items as numbers of the responses, ascending, each with its share of all items.
    pub items: Vec<(usize, f64)>,
    /// Weight of the mean in gp-IRT from all held-out respondents.
    pub gp_irt_weight: f64,
    /// Share of held-out respondents within 1.96 standard errors of p-IRT.
    pub coverage: f64,
    /// The form and the baselines, by every estimator.
    pub errors: Vec<PredictionError>,
}

/// Short forms of a set of responses.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortened {
    /// Respondents that the items were calibrated with.
    pub calibration: usize,
    /// Respondents the error was measured on.
    pub held_out: usize,
    /// Groups these fall into.
    pub groups: usize,
    /// Members of held-out groups who did not answer every item, or have a score that nobody
    /// of the calibration got: of no use on either side.
    pub left_out: usize,
    /// Items with the same score throughout the calibration; predicted as that score.
    pub constant: usize,
    /// Items without an answer in the calibration; not part of the score.
    pub unknown: usize,
    /// One form a count of the plan.
    pub forms: Vec<Measured>,
}

/// Calibrates on some of the respondents, chooses short forms, and measures their errors on the
/// rest. Held out are groups with a member who answered every item that anyone answered.
pub fn shorten(
    responses: &Responses,
    settings: &Settings,
    plan: &Plan<'_>,
) -> Result<Shortened, IrtError> {
    check(responses, plan)?;
    let split = Split::new(responses, plan)?;
    let mut settings = settings.clone();
    settings.standard_errors = false;
    settings.populations.clear();
    let fit = fit(&responses.select(&split.calibration), &settings)?;
    let constant = constant_scores(responses, &split.calibration, &fit);
    let rest = Rest {
        sum: constant.iter().flatten().sum(),
        count: constant.iter().flatten().count(),
        bank: fit.bank.items.len(),
    };
    let rows = held_out_rows(responses, &split, &fit, &constant)?;
    let groups = rows.last().map_or(0, |row| row.group + 1);
    if groups < FEWEST_GROUPS {
        return Err(too_few(groups));
    }
    let items: Vec<usize> = (0..fit.items.len()).filter(|&at| fit.items[at].1.is_some()).collect();
    let mut stream = Stream::new(plan.seed, &["short form", "resamples"]);
    let measuring = Measuring {
        bank: &fit.bank,
        population: fit.populations[0],
        rows: &rows,
        rest,
        resamples: Resamples::new(groups, DRAWS, &mut stream),
        groups,
        threads: settings.threads,
    };
    let forms = plan
        .counts
        .iter()
        .map(|&count| measuring.form(plan, count, &items))
        .collect::<Result<_, _>>()?;
    Ok(Shortened {
        calibration: split.calibration.len(),
        held_out: rows.len(),
        groups,
        left_out: split.relatives - rows.len(),
        constant: rest.count,
        unknown: fit.items.len() - items.len() - rest.count,
        forms,
    })
}

fn check(responses: &Responses, plan: &Plan<'_>) -> Result<(), IrtError> {
    let respondents = responses.respondents().len();
    let setting = |setting, found: String, expected: String| {
        Err(IrtError::Setting { setting, found, expected })
    };
    if !(plan.share > 0.0 && plan.share < 1.0) {
        let expected = "a share above 0 and below 1".into();
        return setting("holdout", plan.share.to_string(), expected);
    }
    if plan.groups.len() != respondents {
        let expected = format!("{respondents}, one a respondent");
        return setting("groups", format!("{} values", plan.groups.len()), expected);
    }
    if (0..respondents).any(|respondent| responses.weight(respondent) != 1.0) {
        let expected = "one row a respondent, as some are held out".into();
        return setting("responses", "patterns with counts".into(), expected);
    }
    Ok(())
}

fn too_few(groups: usize) -> IrtError {
    IrtError::NotComputed {
        statistic: "the error on held-out respondents",
        reason: format!(
            "{groups} groups of respondents who answered every item can be held out, expected at \
             least {FEWEST_GROUPS}; hold out a larger share, or drop items that few answered"
        ),
    }
}

/// Who calibrates and who is held out.
struct Split {
    calibration: Vec<usize>,
    /// Held-out respondents with answers to everything, by group.
    held_out: Vec<Vec<usize>>,
    /// Members of the held-out groups.
    relatives: usize,
}

impl Split {
    fn new(responses: &Responses, plan: &Plan<'_>) -> Result<Self, IrtError> {
        let respondents = responses.respondents().len();
        let mut answered = vec![false; responses.items().len()];
        for respondent in 0..respondents {
            for &item in responses.row(respondent).0 {
                answered[item as usize] = true;
            }
        }
        let every = answered.iter().filter(|&&answered| answered).count();
        let mut complete: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (respondent, &group) in plan.groups.iter().enumerate() {
            if responses.row(respondent).0.len() == every {
                complete.entry(group).or_default().push(respondent);
            }
        }
        let count = (plan.share * complete.len() as f64).round() as usize;
        if count < FEWEST_GROUPS {
            return Err(too_few(count));
        }
        let mut order: Vec<usize> = complete.keys().copied().collect();
        Stream::new(plan.seed, &["short form", "held out"]).shuffle(&mut order);
        order.truncate(count);
        order.sort_unstable();
        let is_held = |respondent: &usize| order.binary_search(&plan.groups[*respondent]).is_ok();
        let calibration: Vec<usize> =
            (0..respondents).filter(|respondent| !is_held(respondent)).collect();
        let relatives = respondents - calibration.len();
        let held_out = order.iter().filter_map(|group| complete.remove(group)).collect();
        Ok(Self { calibration, held_out, relatives })
    }
}

/// The one score of each item that does not vary in the calibration.
fn constant_scores(responses: &Responses, calibration: &[usize], fit: &Fit) -> Vec<Option<f64>> {
    let mut scores = vec![None; fit.items.len()];
    for &respondent in calibration {
        let (items, values) = responses.row(respondent);
        for (&item, &value) in items.iter().zip(values) {
            if fit.items[item as usize].1.is_none() {
                scores[item as usize] = Some(f64::from(value));
            }
        }
    }
    scores
}

/// A held-out respondent.
struct HeldOut {
    group: usize,
    /// Category on each item of the bank.
    categories: Vec<usize>,
    /// Sum of the scores on the bank and on the items that were constant.
    sum: f64,
    /// Mean score on the bank, and the variance of the scores around it.
    mean: f64,
    variance: f64,
}

fn held_out_rows(
    responses: &Responses,
    split: &Split,
    fit: &Fit,
    constant: &[Option<f64>],
) -> Result<Vec<HeldOut>, IrtError> {
    let model = fit.bank.model;
    let mut rows: Vec<HeldOut> = Vec::new();
    let mut group = 0;
    for members in &split.held_out {
        let before = rows.len();
        for &respondent in members {
            let mut categories = Vec::with_capacity(fit.bank.items.len());
            let (mut bank, mut square, mut other) = (0.0, 0.0, 0.0);
            let (items, scores) = responses.row(respondent);
            for (&item, &score) in items.iter().zip(scores) {
                let item = item as usize;
                let value = f64::from(score);
                let Some(number) = fit.items[item].1 else {
                    other += constant[item].map_or(0.0, |_| value);
                    continue;
                };
                bank += value;
                square += value * value;
                match fit.bank.items[number].category(score) {
                    Some(category) => categories.push(category),
                    None if model.graded => {}
                    None => {
                        return Err(IrtError::NotBinary {
                            item: responses.items()[item].clone(),
                            respondent: responses.respondents()[respondent].clone(),
                            score,
                            model: model.name,
                        });
                    }
                }
            }
            let count = fit.bank.items.len();
            if categories.len() < count {
                continue;
            }
            let mean = bank / count as f64;
            let variance = square / count as f64 - mean * mean;
            rows.push(HeldOut { group, categories, sum: bank + other, mean, variance });
        }
        group += usize::from(rows.len() > before);
    }
    Ok(rows)
}

/// The items that are predicted without a model, and the size of the bank.
#[derive(Clone, Copy)]
struct Rest {
    sum: f64,
    count: usize,
    bank: usize,
}

impl Rest {
    /// Mean score on all items from that on the bank.
    fn overall(self, bank: f64) -> f64 {
        (bank * self.bank as f64 + self.sum) / (self.bank + self.count) as f64
    }
}

struct Measuring<'a> {
    bank: &'a Bank,
    population: Population,
    rows: &'a [HeldOut],
    rest: Rest,
    resamples: Resamples,
    groups: usize,
    threads: usize,
}

/// Absolute errors of one form: for each estimator, one a held-out respondent.
type Errors = [Vec<f64>; 3];

impl Measuring<'_> {
    fn form(&self, plan: &Plan<'_>, count: usize, items: &[usize]) -> Result<Measured, IrtError> {
        let drawn = |choice: Choice, purpose: &str, form: usize| {
            let path = ["short form", purpose, &count.to_string(), &form.to_string()];
            choose(self.bank, self.population, choice, count, &mut Stream::new(plan.seed, &path))
        };
        let chosen = drawn(plan.choice, "chosen", 0)?;
        let predicted = self.predictions(&chosen)?;
        let (bias, variance) = self.leaving_out(&predicted, None);
        let inside = self.rows.iter().zip(&predicted).filter(|(row, predicted)| {
            let items = (self.rest.bank + self.rest.count) as f64;
            let se = predicted.se * self.rest.bank as f64 / items;
            (self.rest.overall(predicted.p_irt) - row.sum / items).abs() < 1.96 * se
        });
        let coverage = inside.count() as f64 / self.rows.len() as f64;
        let baseline = |choice: Choice, name: &str| -> Result<Errors, IrtError> {
            let mut sums: Errors = std::array::from_fn(|_| vec![0.0; self.rows.len()]);
            for form in 0..BASELINE_FORMS {
                let errors = self.errors(count, &self.predictions(&drawn(choice, name, form)?)?);
                for (sums, errors) in sums.iter_mut().zip(&errors) {
                    for (sum, error) in sums.iter_mut().zip(errors) {
                        *sum += error / BASELINE_FORMS as f64;
                    }
                }
            }
            Ok(sums)
        };
        let random = baseline(Choice::Random, "random")?;
        let kinds = [
            ("chosen", 1, self.errors(count, &predicted)),
            ("random", BASELINE_FORMS, random.clone()),
            ("stratified", BASELINE_FORMS, baseline(Choice::Stratified, "stratified")?),
        ];
        let mut errors = Vec::new();
        for (form, forms, of_form) in kinds {
            for ((estimator, own), random) in Estimator::ALL.into_iter().zip(&of_form).zip(&random)
            {
                let less: Vec<f64> = random.iter().zip(own).map(|(r, own)| r - own).collect();
                errors.push(PredictionError {
                    form,
                    forms,
                    estimator,
                    error: self.mean(own)?,
                    less_than_random: self.mean(&less)?,
                });
            }
        }
        let shares = chosen.items.iter().zip(&chosen.weights);
        Ok(Measured {
            count,
            items: shares.map(|(&item, &share)| (items[item], share)).collect(),
            gp_irt_weight: gp_irt_weight(bias, variance, count),
            coverage,
            errors,
        })
    }

    fn predictions(&self, form: &ShortForm) -> Result<Vec<Predicted>, IrtError> {
        let one = |(): &mut (), row: &HeldOut| {
            let answers: Vec<usize> = form.items.iter().map(|&item| row.categories[item]).collect();
            form.predict(self.bank, self.population, &answers)
        };
        workers::each(self.threads, self.rows.iter().collect(), || (), one).into_iter().collect()
    }

    /// Mean absolute error of p-IRT on the bank and mean variance of the scores of a
    /// respondent, without one group.
    fn leaving_out(&self, predicted: &[Predicted], group: Option<usize>) -> (f64, f64) {
        let others = self.rows.iter().zip(predicted).filter(|(row, _)| Some(row.group) != group);
        let (mut count, mut bias, mut variance) = (0.0, 0.0, 0.0);
        for (row, predicted) in others {
            count += 1.0;
            bias += (predicted.p_irt - row.mean).abs();
            variance += row.variance;
        }
        (bias / count, variance / count)
    }

    fn errors(&self, count: usize, predicted: &[Predicted]) -> Errors {
        let items = (self.rest.bank + self.rest.count) as f64;
        let others: Vec<(f64, f64)> =
            (0..self.groups).map(|group| self.leaving_out(predicted, Some(group))).collect();
        let error = |bank: f64, row: &HeldOut| (self.rest.overall(bank) - row.sum / items).abs();
        Estimator::ALL.map(|estimator| {
            let rows = self.rows.iter().zip(predicted);
            rows.map(|(row, predicted)| match estimator {
                Estimator::Mean => error(predicted.anchors, row),
                Estimator::PIrt => error(predicted.p_irt, row),
                Estimator::GpIrt => {
                    let (bias, variance) = others[row.group];
                    error(predicted.gp_irt(bias, variance, count), row)
                }
            })
            .collect()
        })
    }

    /// The mean over respondents, with the interval over groups.
    fn mean(&self, values: &[f64]) -> Result<Estimate, IrtError> {
        let mut groups = vec![(0.0, 0.0); self.groups];
        for (row, value) in self.rows.iter().zip(values) {
            groups[row.group].0 += value;
            groups[row.group].1 += 1.0;
        }
        let of = |counts: &[u8]| {
            let (mut sum, mut count) = (0.0, 0.0);
            for (&times, (value, members)) in counts.iter().zip(&groups) {
                sum += f64::from(times) * value;
                count += f64::from(times) * members;
            }
            (count > 0.0).then(|| sum / count)
        };
        self.resamples.statistic(CONFIDENCE, of).ok_or_else(|| too_few(self.groups))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{model, simulate};
    use super::*;

    fn plan<'a>(counts: &'a [usize], groups: &'a [usize], choice: Choice) -> Plan<'a> {
        Plan { choice, counts, share: 0.25, groups, seed: 3 }
    }

    fn made(respondents: usize, items: usize) -> Responses {
        let bank = simulate::example_bank("2pl", items, 5);
        simulate::responses(&bank, &simulate::normal_abilities(respondents, 0.0, 1.0, 6), 7)
    }

    fn error<'a>(measured: &'a Measured, form: &str, by: Estimator) -> &'a PredictionError {
        let mut errors = measured.errors.iter();
        errors.find(|error| error.form == form && error.estimator == by).unwrap()
    }

    /// Sampling theory, not this program: the mean of n of N items drawn without replacement has
    /// the standard error sqrt(v / n (N - n) / (N - 1)), and a normal error has the mean
    /// absolute value sqrt(2 / pi) of it.
    #[test]
    fn random_items_err_as_the_theory_of_samples_says_and_informative_ones_err_less() {
        let responses = made(600, 120);
        let groups: Vec<usize> = (0..600).collect();
        let settings = Settings::new(model("2pl").unwrap());
        let found =
            shorten(&responses, &settings, &plan(&[12, 40], &groups, Choice::Information)).unwrap();
        assert_eq!((found.calibration, found.held_out, found.groups), (450, 150, 150));
        assert_eq!((found.left_out, found.constant, found.unknown), (0, 0, 0));
        let variance = {
            let shares = (0..600).map(|row| {
                let sum: f32 = responses.row(row).1.iter().sum();
                f64::from(sum) / 120.0
            });
            shares.map(|p| (p * (1.0 - p)).sqrt()).sum::<f64>() / 600.0
        };
        for measured in &found.forms {
            let n = measured.count as f64;
            let theory = variance
                * ((120.0 - n) / 119.0 / n).sqrt()
                * (2.0f64 / std::f64::consts::PI).sqrt();
            let random = error(measured, "random", Estimator::Mean);
            assert!((random.error.value / theory - 1.0).abs() < 0.06, "{random:?} {theory}");
            assert_eq!(random.less_than_random.value, 0.0);
            let chosen = error(measured, "chosen", Estimator::PIrt);
            assert!(chosen.error.value < 0.8 * random.error.value, "{chosen:?} {random:?}");
            let against = error(measured, "random", Estimator::PIrt).error.value;
            let less = chosen.less_than_random;
            assert!((less.value - (against - chosen.error.value)).abs() < 1e-12);
            assert!(less.low < less.value && less.value < less.high);
            assert!(measured.coverage > 0.85, "{}", measured.coverage);
            assert_eq!(measured.items.len(), measured.count);
            // A mixture is never worse than the worse of its parts.
            let mixed = error(measured, "random", Estimator::GpIrt).error.value;
            assert!(mixed < against.max(random.error.value), "{mixed} {against} {random:?}");
        }
        assert!(
            error(&found.forms[1], "chosen", Estimator::PIrt).error.value
                < error(&found.forms[0], "chosen", Estimator::PIrt).error.value
        );
    }

    #[test]
    fn all_items_of_the_test_leave_no_error_whatever_the_number_of_threads() {
        let responses = made(200, 20);
        let groups: Vec<usize> = (0..200).collect();
        let settings = Settings::new(model("rasch").unwrap());
        let found = shorten(&responses, &settings, &plan(&[20], &groups, Choice::Random)).unwrap();
        for error in &found.forms[0].errors {
            assert!(error.error.value < 1e-12, "{error:?}");
        }
        let mut threads = settings.clone();
        threads.threads = 3;
        let again = plan(&[20], &groups, Choice::Random);
        assert_eq!(shorten(&responses, &threads, &again).unwrap(), found);
    }

    /// Constant items belong to the score; who has gaps calibrates, and relatives stay together.
    #[test]
    fn constant_items_gaps_and_relatives_are_counted() {
        let drawn = made(200, 20);
        let mut rows: Vec<Vec<f32>> =
            (0..200).map(|row| [drawn.row(row).1, &[1.0, f32::NAN]].concat()).collect();
        for row in rows.iter_mut().step_by(10) {
            row[3] = f32::NAN;
        }
        let names = |prefix: &str, count: usize| -> Vec<String> {
            (0..count).map(|number| format!("{prefix}{number}")).collect()
        };
        let responses =
            Responses::from_rows(names("m", 200), names("q", 22), rows.iter().map(Vec::as_slice))
                .unwrap();
        let groups: Vec<usize> = (0..200).map(|row| row / 5).collect();
        let settings = Settings::new(model("rasch").unwrap());
        let found = shorten(&responses, &settings, &plan(&[8], &groups, Choice::Anchors)).unwrap();
        // 40 groups of 5, of which every second has one member with a gap.
        assert_eq!((found.groups, found.calibration), (10, 150));
        assert_eq!(found.held_out + found.left_out, 50);
        assert!(found.left_out > 0 && found.left_out <= 10, "{}", found.left_out);
        assert_eq!((found.constant, found.unknown), (1, 1));
        assert!(found.forms[0].items.iter().all(|&(item, _)| item < 20));
        assert_eq!(found.forms[0].errors[0].error.n, 10);
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        let responses = made(40, 10);
        let groups: Vec<usize> = (0..40).collect();
        let settings = Settings::new(model("rasch").unwrap());
        let said = |plan: &Plan<'_>| shorten(&responses, &settings, plan).unwrap_err().to_string();
        let wrong = Plan { share: 1.0, ..plan(&[5], &groups, Choice::Random) };
        assert_eq!(said(&wrong), "holdout: found 1, expected a share above 0 and below 1");
        let wrong = Plan { share: 0.01, ..plan(&[5], &groups, Choice::Random) };
        assert!(said(&wrong).contains("0 groups of respondents"), "{}", said(&wrong));
        let wrong = plan(&[11], &groups, Choice::Random);
        assert_eq!(said(&wrong), "count: found 11, expected 1 to 10, the number of items");
        assert!(said(&plan(&[5], &groups[1..], Choice::Random)).starts_with("groups: found 39"));
    }
}
