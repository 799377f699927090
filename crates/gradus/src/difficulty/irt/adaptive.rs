//! Computerised adaptive testing: each next item is the one that says most about the
//! ability shown so far. Fewer answers, the same error; how much fewer has to be
//! measured beside random choice on the same items.

use serde::Serialize;

use super::bank::Bank;
use super::error::IrtError;
use super::fit::Population;
use super::model::AtAbility;
use super::score::{Method, RunningPosterior, Scored};
use super::workers;
use crate::difficulty::responses::Responses;
use crate::run::Stream;
use crate::stats::{Estimate, Resamples};

/// How the next item is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Selection {
    /// Most information at the present ability; the first of equals.
    MaximumInformation,
    /// One of so many most informative items, at random (Kingsbury and Zara 1989): keeps the
    /// best items from being asked of everyone.
    Randomesque(usize),
    /// Items in so many strata of rising discrimination (Chang and Ying 1999): low ones first,
    /// and of a stratum the item whose difficulty is nearest.
    AStratified(usize),
    /// Any item: what the others are measured against.
    Random,
}

/// When a test ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// At this standard error or less, once `least` items are answered; 0 never.
    pub se: f64,
    /// Least number of items.
    pub least: usize,
    /// Most items; the bank's number at the highest.
    pub most: usize,
}

/// One adaptive test.
#[derive(Clone, Debug, PartialEq)]
pub struct Administered {
    /// Items in the order in which they were asked, with the category of the answer.
    pub answers: Vec<(usize, usize)>,
    /// Expected a posteriori ability after each answer.
    pub course: Vec<Scored>,
}

impl Administered {
    /// The ability at the end; none where nothing was asked.
    pub fn ability(&self) -> Option<Scored> {
        self.course.last().copied()
    }
}

/// Asks items of `bank` until `stop`, of those only that are `open` (one truth an item):
/// `answer` gives the category of the answer to an item. `stream` decides where the
/// selection is random.
pub fn administer(
    bank: &Bank,
    population: Population,
    (selection, stop): (Selection, Stop),
    open: &[bool],
    stream: &mut Stream,
    mut answer: impl FnMut(usize) -> usize,
) -> Result<Administered, IrtError> {
    if open.len() != bank.items.len() {
        return Err(IrtError::Setting {
            setting: "open",
            found: format!("{} values", open.len()),
            expected: format!("{}, one an item", bank.items.len()),
        });
    }
    if let Selection::Randomesque(0) | Selection::AStratified(0) = selection {
        return Err(IrtError::Setting {
            setting: "selection",
            found: "0".into(),
            expected: "at least 1 item or stratum".into(),
        });
    }
    let mut left = open.to_vec();
    let most = stop.most.min(left.iter().filter(|left| **left).count());
    let strata = strata(bank, selection);
    let mut test = Administered { answers: Vec::new(), course: Vec::new() };
    let mut posterior = RunningPosterior::new(population, most);
    let mut ability = population.mean;
    while test.answers.len() < most {
        let Some(item) = next(bank, selection, &strata, most, &test, ability, &left, stream) else {
            break;
        };
        left[item] = false;
        let category = answer(item);
        if category >= bank.items[item].levels.len() {
            return Err(IrtError::Setting {
                setting: "answer",
                found: format!("category {category} of item {:?}", bank.items[item].name),
                expected: format!("below {}", bank.items[item].levels.len()),
            });
        }
        test.answers.push((item, category));
        posterior.add(bank, item, category);
        let (mean, se) = posterior.moments();
        ability = mean;
        test.course.push(Scored { ability, se: Some(se), answers: test.answers.len() });
        if se <= stop.se && test.answers.len() >= stop.least {
            break;
        }
    }
    Ok(test)
}

/// The stratum of each item by its discrimination; all 0 unless strata are asked for.
fn strata(bank: &Bank, selection: Selection) -> Vec<usize> {
    let count = bank.items.len();
    let mut strata = vec![0; count];
    if let Selection::AStratified(number) = selection {
        let mut order: Vec<usize> = (0..count).collect();
        let slope = |item: usize| bank.items[item].discrimination();
        order.sort_by(|&left, &right| slope(left).total_cmp(&slope(right)).then(left.cmp(&right)));
        for (place, item) in order.into_iter().enumerate() {
            strata[item] = place * number / count;
        }
    }
    strata
}

#[expect(clippy::too_many_arguments, reason = "the state of a test is passed as it is")]
fn next(
    bank: &Bank,
    selection: Selection,
    strata: &[usize],
    most: usize,
    test: &Administered,
    ability: f64,
    left: &[bool],
    stream: &mut Stream,
) -> Option<usize> {
    let open: Vec<usize> = (0..left.len()).filter(|&item| left[item]).collect();
    match selection {
        Selection::Random => {
            (!open.is_empty()).then(|| open[stream.below(open.len() as u64) as usize])
        }
        Selection::MaximumInformation => best(bank, &open, ability, 1).first().copied(),
        Selection::Randomesque(count) => {
            let best = best(bank, &open, ability, count);
            (!best.is_empty()).then(|| best[stream.below(best.len() as u64) as usize])
        }
        Selection::AStratified(number) => {
            let stratum = test.answers.len() * number / most;
            let off = |item: usize| (bank.items[item].difficulty() - ability).abs();
            // A stratum that is used up is followed by the nearest one.
            open.into_iter().min_by(|&a, &b| {
                let distance = |item: usize| strata[item].abs_diff(stratum);
                distance(a).cmp(&distance(b)).then(off(a).total_cmp(&off(b))).then(a.cmp(&b))
            })
        }
    }
}

/// The `count` most informative items at an ability.
fn best(bank: &Bank, open: &[usize], ability: f64, count: usize) -> Vec<usize> {
    let mut at = AtAbility::new();
    let mut informed: Vec<(f64, usize)> = open
        .iter()
        .map(|&number| {
            let item = &bank.items[number];
            at.evaluate(bank.model, &item.parameters, item.levels.len(), &[ability; 8]);
            (at.information()[0], number)
        })
        .collect();
    informed.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    informed.into_iter().take(count).map(|(_, item)| item).collect()
}

/// The items that say most about a respondent after some answers (an item's number and its
/// category): those not yet answered, the most informative first, and the ability so far.
pub fn next_items(
    bank: &Bank,
    population: Population,
    answers: &[(usize, usize)],
    count: usize,
) -> (Scored, Vec<usize>) {
    let ability = bank.score(answers, Method::Eap, population);
    let mut left = vec![true; bank.items.len()];
    for &(item, _) in answers {
        left[item] = false;
    }
    let open: Vec<usize> = (0..left.len()).filter(|&item| left[item]).collect();
    (ability, best(bank, &open, ability.ability, count))
}

/// Tests every respondent on the answers that it gave: where it left an item out, the item is
/// not asked. Items are matched by name; who answered none of the bank has no test.
/// `done` is called with the number of respondents after each, from any thread.
pub fn replay(
    bank: &Bank,
    responses: &Responses,
    population: Population,
    (selection, stop): (Selection, Stop),
    (seed, threads): (u64, usize),
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Option<Administered>>, IrtError> {
    let rows = bank.answers(responses)?;
    let counted = std::sync::atomic::AtomicUsize::new(0);
    let tests = workers::each(
        threads,
        rows.into_iter().enumerate().collect(),
        || (),
        |(), row| {
            let (respondent, answers) = row;
            let mut open = vec![false; bank.items.len()];
            let mut categories = vec![0; bank.items.len()];
            for &(item, category) in &answers {
                open[item] = true;
                categories[item] = category;
            }
            let mut stream = Stream::new(seed, &["adaptive", &respondent.to_string()]);
            let test =
                administer(bank, population, (selection, stop), &open, &mut stream, |item| {
                    categories[item]
                });
            done(counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            test.map(|test| (!test.answers.is_empty()).then_some(test))
        },
    );
    tests.into_iter().collect()
}

/// How a way of testing does over many respondents; intervals over respondents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Performance {
    /// Mean number of items.
    pub items: Estimate,
    /// Mean absolute difference from the ability of the full test, in logits.
    pub error: Estimate,
    /// Root mean squared difference from the ability of the full test.
    pub rmse: Estimate,
    /// Mean difference from it.
    pub bias: Estimate,
    /// Root mean squared difference from the true ability, where that is known.
    pub rmse_of_truth: Option<Estimate>,
    /// Share of tests that ended by their standard error.
    pub reached: Estimate,
    /// Share of respondents who saw the item that was asked most often.
    pub exposure: f64,
    /// Mean share of common items of two tests (Chang and Zhang 2002); 1 where all are the same.
    pub overlap: f64,
}

/// What tests are compared with.
#[derive(Clone, Debug)]
pub struct Yardstick<'a> {
    /// Abilities by the full test, one a test.
    pub full: &'a [f64],
    /// True abilities, where they are known.
    pub truth: Option<&'a [f64]>,
    /// The standard error that ends a test; 0 for none.
    pub se: f64,
    /// The same draws of respondents for every way of testing.
    pub resamples: &'a Resamples,
}

/// Compares tests with a yardstick; `None` without a test.
pub fn performance(bank: &Bank, tests: &[Administered], by: &Yardstick<'_>) -> Option<Performance> {
    const CONFIDENCE: f64 = 0.95;
    let mut asked = vec![0.0; bank.items.len()];
    for &(item, _) in tests.iter().flat_map(|test| &test.answers) {
        asked[item] += 1.0;
    }
    let items: Vec<f64> = tests.iter().map(|test| test.answers.len() as f64).collect();
    let total: f64 = items.iter().sum();
    let off = |known: &[f64]| -> Vec<f64> {
        let pairs = tests.iter().zip(known);
        pairs.map(|(test, known)| test.ability().map_or(0.0, |at| at.ability - known)).collect()
    };
    let rmse = |off: &[f64]| {
        let squares: Vec<f64> = off.iter().map(|off| off * off).collect();
        // The root is monotone: it goes through the interval.
        let Estimate { value, low, high, n } = by.resamples.mean(&squares, CONFIDENCE)?;
        Some(Estimate { value: value.sqrt(), low: low.max(0.0).sqrt(), high: high.sqrt(), n })
    };
    let mean = |values: &[f64]| by.resamples.mean(values, CONFIDENCE);
    let from_full = off(by.full);
    let reached = |test: &Administered| {
        let se = test.ability().and_then(|at| at.se);
        f64::from(u8::from(by.se > 0.0 && se.is_some_and(|se| se <= by.se)))
    };
    let pairs: f64 = asked.iter().map(|asked| asked * (asked - 1.0)).sum();
    let others = (tests.len() as f64 - 1.0).max(1.0);
    Some(Performance {
        items: mean(&items)?,
        error: mean(&from_full.iter().map(|off| off.abs()).collect::<Vec<_>>())?,
        rmse: rmse(&from_full)?,
        bias: mean(&from_full)?,
        rmse_of_truth: by.truth.and_then(|truth| rmse(&off(truth))),
        reached: by
            .resamples
            .accuracy(&tests.iter().map(reached).collect::<Vec<_>>(), CONFIDENCE)?,
        exposure: asked.iter().copied().fold(0.0, f64::max) / tests.len() as f64,
        overlap: pairs / (others * total),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Method, simulate};
    use super::*;

    const STANDARD: Population = Population { mean: 0.0, sd: 1.0 };

    /// On answers drawn from a known bank: with the same number of items, adaptive choice
    /// is nearer to the full test than random choice.
    #[test]
    fn adaptive_choice_beats_random_choice_on_the_same_number_of_items() {
        let bank = simulate::example_bank("2pl", 80, 4);
        let abilities = simulate::normal_abilities(80, 0.0, 1.0, 8);
        let made = simulate::responses(&bank, &abilities, 9);
        let run = |selection: Selection, stop: Stop| {
            let tests = replay(&bank, &made, STANDARD, (selection, stop), (1, 2), &|_| ()).unwrap();
            let tests: Vec<Administered> = tests.into_iter().map(Option::unwrap).collect();
            let full: Vec<f64> = bank
                .score_all(&made, Method::Eap, STANDARD, 1)
                .unwrap()
                .into_iter()
                .map(|scored| scored.unwrap().ability)
                .collect();
            let resamples = Resamples::new(80, 200, &mut Stream::new(1, &["draws"]));
            let (truth, se) = (Some(&abilities[..]), stop.se);
            let by = Yardstick { full: &full, truth, se, resamples: &resamples };
            performance(&bank, &tests, &by).unwrap()
        };
        let stop = Stop { se: 0.0, least: 0, most: 12 };
        let random = run(Selection::Random, stop);
        for selection in
            [Selection::MaximumInformation, Selection::Randomesque(5), Selection::AStratified(3)]
        {
            let adaptive = run(selection, stop);
            assert!(
                adaptive.rmse.value < 0.95 * random.rmse.value,
                "{selection:?} {adaptive:?} {random:?}"
            );
        }
        let greedy = run(Selection::MaximumInformation, stop);
        let spread = run(Selection::Randomesque(5), stop);
        assert!(spread.exposure < greedy.exposure && random.overlap < greedy.overlap);
        let stop = Stop { se: 0.4, least: 5, most: 80 };
        let (few, many) = (run(Selection::MaximumInformation, stop), run(Selection::Random, stop));
        assert!(few.items.value < 0.6 * many.items.value, "{few:?} {many:?}");
        assert_eq!((few.reached.value, random.reached.value), (1.0, 0.0));
        let truth = many.rmse_of_truth.unwrap();
        assert!(truth.low < truth.value && truth.value < 0.5 && truth.value < truth.high);
    }

    #[test]
    fn a_test_ends_at_its_bounds() {
        let bank = simulate::example_bank("graded", 12, 4);
        let mut stream = Stream::new(1, &["test"]);
        let stop = Stop { se: 10.0, least: 4, most: 99 };
        let way = |selection: Selection, stop: Stop| (selection, stop);
        let most = way(Selection::MaximumInformation, stop);
        let test = administer(&bank, STANDARD, most, &[true; 12], &mut stream, |_| 3).unwrap();
        assert_eq!((test.answers.len(), test.course.len()), (4, 4));
        let stop = Stop { se: 0.0, ..stop };
        let random = way(Selection::Random, stop);
        let mut open = [true; 12];
        let test = administer(&bank, STANDARD, random, &open, &mut stream, |_| 0).unwrap();
        assert_eq!(test.answers.len(), 12);
        assert!(test.ability().unwrap().ability < 0.0);
        let wrong = administer(&bank, STANDARD, random, &open, &mut stream, |_| 4);
        assert!(wrong.unwrap_err().to_string().contains("found category 4 of item"));
        open[..9].fill(false);
        let test = administer(&bank, STANDARD, most, &open, &mut stream, |_| 1).unwrap();
        assert!(test.answers.len() == 3 && test.answers.iter().all(|&(item, _)| item >= 9));
        let (ability, next) = next_items(&bank, STANDARD, &test.answers, 20);
        assert_eq!((ability.answers, next.len()), (3, 9));
        let information = |item: usize| bank.information(item, ability.ability);
        assert!(next.windows(2).all(|pair| information(pair[0]) >= information(pair[1])));
    }
}
