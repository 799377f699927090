//! Computerised adaptive testing: each next item is the one that says most about the
//! ability shown so far. Fewer answers, the same error; how much fewer has to be
//! measured beside random choice on the same items.

use super::bank::Bank;
use super::error::IrtError;
use super::fit::Population;
use super::model::AtAbility;
use super::score::{RunningPosterior, Scored};
use crate::run::Stream;

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

/// Asks items of `bank` until `stop`: `answer` gives the category of the answer to an item.
/// `stream` decides where the selection is random.
pub fn administer(
    bank: &Bank,
    population: Population,
    selection: Selection,
    stop: Stop,
    stream: &mut Stream,
    mut answer: impl FnMut(usize) -> usize,
) -> Result<Administered, IrtError> {
    if let Selection::Randomesque(0) | Selection::AStratified(0) = selection {
        return Err(IrtError::Setting {
            setting: "selection",
            found: "0".into(),
            expected: "at least 1 item or stratum".into(),
        });
    }
    let most = stop.most.min(bank.items.len());
    let strata = strata(bank, selection);
    let mut left = vec![true; bank.items.len()];
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

/// How a way of testing does over many respondents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Performance {
    /// Mean number of items.
    pub items: f64,
    /// Root mean squared difference from the ability of the full test.
    pub error: f64,
    /// Share of respondents who saw the item that was asked most often.
    pub exposure: f64,
    /// Mean share of common items of two tests (Chang and Zhang 2002); 1 where all are the same.
    pub overlap: f64,
}

/// Compares tests with the abilities of the full test, `full`, one a respondent.
pub fn performance(bank: &Bank, tests: &[Administered], full: &[f64]) -> Performance {
    let count = tests.len() as f64;
    let mut asked = vec![0.0; bank.items.len()];
    let (mut items, mut square) = (0.0, 0.0);
    for (test, full) in tests.iter().zip(full) {
        for &(item, _) in &test.answers {
            asked[item] += 1.0;
        }
        items += test.answers.len() as f64;
        square += test.ability().map_or(0.0, |scored| (scored.ability - full).powi(2));
    }
    let pairs: f64 = asked.iter().map(|asked| asked * (asked - 1.0)).sum();
    Performance {
        items: items / count,
        error: (square / count).sqrt(),
        exposure: asked.iter().copied().fold(0.0, f64::max) / count,
        overlap: pairs / ((count - 1.0) * items),
    }
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
            let tests: Vec<Administered> = (0..80)
                .map(|row| {
                    let mut stream = Stream::new(1, &["test", &row.to_string()]);
                    administer(&bank, STANDARD, selection, stop, &mut stream, |item| {
                        made.score(row, item).unwrap() as usize
                    })
                    .unwrap()
                })
                .collect();
            let full: Vec<f64> = bank
                .score_all(&made, Method::Eap, STANDARD, 1)
                .unwrap()
                .into_iter()
                .map(|scored| scored.unwrap().ability)
                .collect();
            performance(&bank, &tests, &full)
        };
        let stop = Stop { se: 0.0, least: 0, most: 12 };
        let random = run(Selection::Random, stop);
        for selection in
            [Selection::MaximumInformation, Selection::Randomesque(5), Selection::AStratified(3)]
        {
            let adaptive = run(selection, stop);
            assert!(adaptive.error < 0.95 * random.error, "{selection:?} {adaptive:?} {random:?}");
        }
        let greedy = run(Selection::MaximumInformation, stop);
        let spread = run(Selection::Randomesque(5), stop);
        assert!(spread.exposure < greedy.exposure && random.overlap < greedy.overlap);
        let stop = Stop { se: 0.4, least: 5, most: 80 };
        let (few, many) = (run(Selection::MaximumInformation, stop), run(Selection::Random, stop));
        assert!(few.items < 0.6 * many.items, "{few:?} {many:?}");
    }

    #[test]
    fn a_test_ends_at_its_bounds() {
        let bank = simulate::example_bank("graded", 12, 4);
        let mut stream = Stream::new(1, &["test"]);
        let stop = Stop { se: 10.0, least: 4, most: 99 };
        let test =
            administer(&bank, STANDARD, Selection::MaximumInformation, stop, &mut stream, |_| 3)
                .unwrap();
        assert_eq!((test.answers.len(), test.course.len()), (4, 4));
        let stop = Stop { se: 0.0, ..stop };
        let test =
            administer(&bank, STANDARD, Selection::Random, stop, &mut stream, |_| 0).unwrap();
        assert_eq!(test.answers.len(), 12);
        assert!(test.ability().unwrap().ability < 0.0);
        let wrong = administer(&bank, STANDARD, Selection::Random, stop, &mut stream, |_| 4);
        assert!(wrong.unwrap_err().to_string().contains("found category 4 of item"));
    }
}
