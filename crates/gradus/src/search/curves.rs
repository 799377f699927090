use serde::{Serialize, Serializer};

use super::{Aggregation, Level, Needs, Pool, Samples, SearchError, Selector, Tally, Ties};
use crate::run::Stream;
use crate::stats::Resamples;

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The selectors.
    pub methods: Vec<&'static Selector>,
    /// The aggregations, for the selectors that need scores.
    pub aggregates: Vec<&'static Aggregation>,
    /// Numbers of samples to select from.
    pub n: Vec<usize>,
    /// What to do when several answers are the best.
    pub ties: Ties,
    /// Random subsets a problem, where there is no closed form.
    pub resamples: usize,
    /// Seed of the subsets; they are the same for every method, aggregate and n.
    pub seed: u64,
}

/// How often each way to select was right, problem by problem.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The level of each problem, in the order of the pools.
    pub levels: Vec<Option<Level>>,
    /// Methods, then aggregates, then n, in the order in which they were asked for.
    pub selections: Vec<Selection>,
}

/// One way to select.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Name of the selector.
    pub method: &'static str,
    /// Name of the aggregation; `None` where the selector needs no scores.
    pub aggregate: Option<&'static str>,
    /// Number of samples selected from.
    pub n: usize,
    /// Per problem, in the order of the pools: the chance that the selected answer is correct.
    pub accuracy: Vec<f64>,
}

/// One point of a selection curve; as JSON, the row of `gradus search --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Name of the selector.
    pub method: &'static str,
    /// Name of the aggregation; `None` where the selector needs no scores.
    pub aggregate: Option<&'static str>,
    /// Number of samples selected from.
    pub n: usize,
    /// The level; `None`, as JSON `"all"`, for all problems.
    #[serde(serialize_with = "level_or_all")]
    pub level: Option<Level>,
    /// Mean over the problems, 0 to 1.
    pub accuracy: f64,
    /// Number of problems.
    pub problems: usize,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn level_or_all<S: Serializer>(level: &Option<Level>, serializer: S) -> Result<S::Ok, S::Error> {
    match level {
        Some(level) => level.serialize(serializer),
        None => serializer.serialize_str("all"),
    }
}

impl Evaluation {
    /// The accuracies of one way to select, problem by problem; `None` if it was not asked for.
    pub fn accuracy(&self, method: &str, aggregate: Option<&str>, n: usize) -> Option<&[f64]> {
        let mut found = self.selections.iter();
        found
            .find(|row| row.method == method && row.aggregate == aggregate && row.n == n)
            .map(|row| row.accuracy.as_slice())
    }

    /// Means with percentile bootstrap intervals over problems (Wilson's where all
    /// problems agree, see [`Resamples::accuracy`]): first all problems, then each level, for one way to select after the other. All
    /// share the same `draws` resamples.
    pub fn curves(&self, draws: usize, confidence: f64, seed: u64) -> Vec<CurvePoint> {
        let mut levels: Vec<Option<&Level>> =
            self.levels.iter().flatten().map(Some).chain([None]).collect();
        levels.sort_unstable();
        levels.dedup();
        let cuts: Vec<(Option<&Level>, Vec<usize>, Resamples)> = levels
            .into_iter()
            .map(|level| {
                let members: Vec<usize> = (0..self.levels.len())
                    .filter(|&problem| level.is_none() || self.levels[problem].as_ref() == level)
                    .collect();
                let name = level.map_or_else(|| "all".to_owned(), ToString::to_string);
                let mut stream = Stream::new(seed, &["search", "problems", &name]);
                let resamples = Resamples::new(members.len(), draws, &mut stream);
                (level, members, resamples)
            })
            .collect();
        let mut curves = Vec::new();
        for row in &self.selections {
            for (level, members, resamples) in &cuts {
                let accuracy: Vec<f64> =
                    members.iter().map(|&problem| row.accuracy[problem]).collect();
                curves.extend(resamples.accuracy(&accuracy, confidence).map(|estimate| {
                    CurvePoint {
                        method: row.method,
                        aggregate: row.aggregate,
                        n: row.n,
                        level: level.cloned(),
                        accuracy: estimate.value,
                        problems: members.len(),
                        low: estimate.low,
                        high: estimate.high,
                    }
                }));
            }
        }
        curves
    }
}

/// How often each way to select is right when n samples of each pool are drawn
/// without replacement.
///
/// With n equal to the pool there is one draw, in the order of the samples. With
/// n = 1, and where the selector knows a closed form, the result is the exact
/// mean over all orders of all subsets; elsewhere it is the mean over random
/// subsets in random order, whose streams are named by problem and resample, so
/// that every method, aggregate, n and set of scores sees the same draws.
pub fn evaluate(pools: &[Pool], settings: &Settings) -> Result<Evaluation, SearchError> {
    let setting = |field, found: &str, expected| {
        Err(SearchError::Setting { field, found: found.to_owned(), expected })
    };
    if pools.is_empty() {
        return Err(SearchError::NoSamples);
    }
    if settings.resamples == 0 {
        return setting("resamples", "0", "at least 1");
    }
    if settings.n.contains(&0) {
        return setting("n", "0", "at least 1");
    }
    let scored = settings.methods.iter().any(|method| method.needs == Needs::Scores);
    if scored && settings.aggregates.is_empty() {
        return setting("aggregate", "empty", "a name for the methods that need scores");
    }

    let mut selections = Vec::new();
    let mut series = Vec::new();
    for &method in &settings.methods {
        let aggregates = match method.needs {
            Needs::Scores => settings.aggregates.iter().map(|&row| Some(row)).collect(),
            Needs::Nothing | Needs::Soundness => vec![None],
        };
        for aggregate in aggregates {
            series.push((method, aggregate));
            selections.extend(settings.n.iter().map(|&n| Selection {
                method: method.name,
                aggregate: aggregate.map(|row| row.name),
                n,
                accuracy: Vec::with_capacity(pools.len()),
            }));
        }
    }
    let mut tally = Tally::default();
    for pool in pools {
        let accuracy = of_problem(pool, &series, settings, &mut tally)?;
        for (selection, accuracy) in selections.iter_mut().zip(accuracy) {
            selection.accuracy.push(accuracy);
        }
    }
    let levels = pools.iter().map(|pool| pool.level().cloned()).collect();
    Ok(Evaluation { levels, selections })
}

/// Series by series, one accuracy per n.
fn of_problem(
    pool: &Pool,
    series: &[(&'static Selector, Option<&'static Aggregation>)],
    settings: &Settings,
    tally: &mut Tally,
) -> Result<Vec<f64>, SearchError> {
    let problem = || pool.problem().to_owned();
    let samples = pool.len();
    if let Some(&n) = settings.n.iter().find(|&&n| n > samples) {
        return Err(SearchError::TooFew { problem: problem(), samples, n });
    }
    let sound = pool.sound();
    let mut weights = Vec::with_capacity(series.len());
    for &(method, aggregate) in series {
        if method.needs == Needs::Soundness && sound.is_none() {
            return Err(SearchError::NoSoundness { problem: problem(), method: method.name });
        }
        weights.push(match aggregate {
            None => None,
            Some(aggregate) => {
                let scores = pool.scores(aggregate).ok_or_else(|| SearchError::NotReduced {
                    problem: problem(),
                    aggregate: aggregate.name,
                })?;
                let mut weights = Vec::new();
                aggregate.weights(scores, &mut weights);
                Some((scores, weights, aggregate.logarithmic))
            }
        });
    }
    let views: Vec<Samples<'_>> = weights
        .iter()
        .map(|scored| Samples {
            answers: pool.answers(),
            correct: pool.correct_answers(),
            sound: sound.as_deref().unwrap_or_default(),
            scores: scored.as_ref().map_or(&[], |(scores, ..)| scores),
            weights: scored.as_ref().map_or(&[], |(_, weights, _)| weights),
            logarithmic: scored.as_ref().is_some_and(|(.., logarithmic)| *logarithmic),
        })
        .collect();

    let in_order: Vec<u32> = (0..samples as u32).collect();
    let mut accuracy = Vec::with_capacity(series.len() * settings.n.len());
    // Where a mean over random subsets is needed: its place in `accuracy`, its series, its n.
    let mut resampled = Vec::new();
    for (index, (&(method, _), view)) in series.iter().zip(&views).enumerate() {
        for &n in &settings.n {
            accuracy.push(if n == samples {
                (method.select)(view, &in_order, settings.ties, tally)
            } else if let Some(expectation) = method.expectation {
                expectation(view, n)
            } else if n == 1 {
                let single = in_order.chunks(1);
                let sum: f64 =
                    single.map(|slot| (method.select)(view, slot, settings.ties, tally)).sum();
                sum / samples as f64
            } else {
                resampled.push((accuracy.len(), index, n));
                0.0
            });
        }
    }
    let Some(most) = resampled.iter().map(|&(_, _, n)| n).max() else { return Ok(accuracy) };
    let mut drawn = in_order.clone();
    for resample in 0..settings.resamples {
        let path = ["search", "subsets", pool.problem(), &resample.to_string()];
        let mut stream = Stream::new(settings.seed, &path);
        drawn.copy_from_slice(&in_order);
        for next in 0..most {
            drawn.swap(next, next + stream.below((samples - next) as u64) as usize);
        }
        for &(place, index, n) in &resampled {
            let select = series[index].0.select;
            accuracy[place] += select(&views[index], &drawn[..n], settings.ties, tally);
        }
    }
    for &(place, ..) in &resampled {
        accuracy[place] /= settings.resamples as f64;
    }
    Ok(accuracy)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::super::{ALL, Candidate, aggregation, find};
    use super::*;
    use crate::data::{self, test_data};
    use crate::verify;

    fn pool(answers: &[Option<u8>], scores: &[f64]) -> Pool {
        let candidates =
            answers.iter().zip(scores).enumerate().map(|(slot, (answer, &score))| Candidate {
                sample: slot as u32,
                answer: answer.map(|answer| answer.to_string()),
                correct: *answer == Some(0),
                sound: Some(*answer == Some(0) && slot % 2 == 0),
                scores: vec![score],
                log_prob: None,
            });
        Pool::new("p", Some(Level::Number(4)), candidates, &[aggregation("mean").unwrap()]).unwrap()
    }

    fn settings(n: &[usize], ties: Ties, resamples: usize) -> Settings {
        Settings {
            methods: ALL.iter().collect(),
            aggregates: vec![aggregation("mean").unwrap()],
            n: n.to_vec(),
            ties,
            resamples,
            seed: 1,
        }
    }

    fn of_method(found: &Evaluation, method: &str, n: usize) -> f64 {
        let aggregate = (find(method).unwrap().needs == Needs::Scores).then_some("mean");
        found.accuracy(method, aggregate, n).unwrap()[0]
    }

    /// The mean of `select` over all orders of all n-subsets, one by one.
    fn by_enumeration(pool: &Pool, method: &Selector, n: usize, ties: Ties) -> f64 {
        fn extend(drawn: &mut Vec<u32>, left: usize, slots: u32, visit: &mut dyn FnMut(&[u32])) {
            if left == 0 {
                return visit(drawn);
            }
            for slot in 0..slots {
                if !drawn.contains(&slot) {
                    drawn.push(slot);
                    extend(drawn, left - 1, slots, visit);
                    drawn.pop();
                }
            }
        }
        let mean = aggregation("mean").unwrap();
        let mut weights = Vec::new();
        mean.weights(pool.scores(mean).unwrap(), &mut weights);
        let sound = pool.sound().unwrap();
        let samples = Samples {
            answers: pool.answers(),
            correct: pool.correct_answers(),
            sound: &sound,
            scores: pool.scores(mean).unwrap(),
            weights: &weights,
            logarithmic: false,
        };
        let (mut sum, mut count) = (0.0, 0.0);
        let mut tally = Tally::default();
        extend(&mut Vec::new(), n, pool.len() as u32, &mut |drawn| {
            sum += (method.select)(&samples, drawn, ties, &mut tally);
            count += 1.0;
        });
        sum / count
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn closed_forms_are_the_mean_over_all_subsets(
            slots in prop::collection::vec((prop::option::of(0u8..3), 0u8..4), 1..7),
            random: bool,
        ) {
            let answers: Vec<Option<u8>> = slots.iter().map(|slot| slot.0).collect();
            let scores: Vec<f64> = slots.iter().map(|slot| f64::from(slot.1) / 4.0).collect();
            let pool = pool(&answers, &scores);
            let ties = if random { Ties::Random } else { Ties::First };
            let all: Vec<usize> = (1..=slots.len()).collect();
            let found = evaluate(std::slice::from_ref(&pool), &settings(&all, ties, 1)).unwrap();
            for method in ALL {
                for &n in &all {
                    let exact = n == 1 || n < slots.len() && method.expectation.is_some();
                    if exact && slots.len() > 1 {
                        let expected = by_enumeration(&pool, method, n, ties);
                        let found = of_method(&found, method.name, n);
                        prop_assert!((found - expected).abs() < 1e-12, "{} {n}", method.name);
                    }
                }
            }
        }
    }

    #[test]
    fn random_subsets_come_near_the_mean_over_all_of_them() {
        let answers = [Some(0), Some(1), Some(0), None, Some(2), Some(1), Some(0)];
        let pool = pool(&answers, &[0.9, 0.6, 0.2, 0.9, 0.7, 0.5, 0.4]);
        let pools = [pool];
        for ties in [Ties::First, Ties::Random] {
            let found = evaluate(&pools, &settings(&[2, 4], ties, 20_000)).unwrap();
            for method in ["majority", "weighted"] {
                for n in [2, 4] {
                    let expected = by_enumeration(&pools[0], find(method).unwrap(), n, ties);
                    let found = of_method(&found, method, n);
                    // Of 20,000 draws a share has a standard error below 0.0036.
                    assert!((found - expected).abs() < 0.012, "{method} {n}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn the_whole_pool_is_one_draw_in_the_order_of_the_samples() {
        let pools = [pool(&[Some(1), Some(0), Some(0), Some(1)], &[0.5, 0.5, 0.4, 0.4])];
        let first = evaluate(&pools, &settings(&[4], Ties::First, 1)).unwrap();
        let random = evaluate(&pools, &settings(&[4], Ties::Random, 1)).unwrap();
        for method in ["majority", "weighted", "best-of-n"] {
            assert_eq!(of_method(&first, method, 4), 0.0, "{method}");
            assert_eq!(of_method(&random, method, 4), 0.5, "{method}");
        }
        assert_eq!(of_method(&first, "oracle", 4), 1.0);
    }

    #[test]
    fn a_result_does_not_depend_on_what_else_is_asked() {
        let answers: Vec<Option<u8>> = (0..40u8).map(|slot| Some(slot % 7)).collect();
        let scores: Vec<f64> = (0..40).map(|slot| f64::from(slot).sin().abs()).collect();
        let pools = [pool(&answers, &scores)];
        let all = evaluate(&pools, &settings(&[1, 4, 16, 32, 40], Ties::First, 50)).unwrap();
        let one = Settings {
            methods: vec![find("weighted").unwrap()],
            ..settings(&[4], Ties::First, 50)
        };
        let one = evaluate(&pools, &one).unwrap();
        assert_eq!(of_method(&one, "weighted", 4), of_method(&all, "weighted", 4));
    }

    #[test]
    fn equal_weights_and_the_same_draws_make_a_weighted_vote_a_majority() {
        let answers: Vec<Option<u8>> = (0..30u8).map(|slot| Some(slot % 11 % 5)).collect();
        let pools = [pool(&answers, &[0.3; 30])];
        let found = evaluate(&pools, &settings(&[2, 8, 29], Ties::First, 40)).unwrap();
        for n in [2, 8, 29] {
            assert_eq!(of_method(&found, "weighted", n), of_method(&found, "majority", n));
        }
    }

    #[test]
    fn lucky_answers_do_not_satisfy_the_sound_oracle() {
        let pools = [pool(&[Some(1), Some(0), Some(1)], &[0.1; 3])];
        let found = evaluate(&pools, &settings(&[1, 2, 3], Ties::First, 1)).unwrap();
        assert!((of_method(&found, "oracle", 2) - 2.0 / 3.0).abs() < 1e-15);
        for n in [1, 2, 3] {
            assert_eq!(of_method(&found, "sound-oracle", n), 0.0);
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_a_sentence() {
        let pools = [pool(&[Some(1), Some(0)], &[0.5, 0.5])];
        let message = |settings: &Settings| evaluate(&pools, settings).unwrap_err().to_string();
        let good = settings(&[2], Ties::First, 1);
        assert_eq!(
            message(&Settings { n: vec![1, 4], ..good.clone() }),
            "problem \"p\" has 2 samples, expected at least n = 4"
        );
        let prod = vec![aggregation("prod").unwrap()];
        assert_eq!(
            message(&Settings { aggregates: prod, ..good.clone() }),
            "the samples of problem \"p\" were not reduced by prod"
        );
        assert_eq!(
            message(&Settings { n: vec![0], ..good.clone() }),
            "n is 0, expected at least 1"
        );
        assert_eq!(evaluate(&[], &good).unwrap_err(), SearchError::NoSamples);
    }

    #[test]
    fn a_point_of_a_curve_is_the_row_that_the_command_line_prints() {
        let pools = [pool(&[Some(0), Some(1)], &[0.5, 0.4])];
        let found = evaluate(&pools, &settings(&[2], Ties::First, 1)).unwrap();
        let mut curves = found.curves(100, 0.95, 1);
        // Wilson's bound for 1 of 1 is 1 / (1 + z^2) = 1 / 4.8415.
        for row in &mut curves {
            assert!((row.low - 0.206_549).abs() < 1e-6 || row.accuracy < 1.0, "{row:?}");
            row.low = 0.25;
        }
        let rows: Vec<String> = curves.iter().map(data::to_line).collect();
        assert_eq!(
            rows[..3],
            [
                r#"{"method":"majority","aggregate":null,"n":2,"level":"all","accuracy":1.0,"problems":1,"low":0.25,"high":1.0}"#,
                r#"{"method":"majority","aggregate":null,"n":2,"level":4,"accuracy":1.0,"problems":1,"low":0.25,"high":1.0}"#,
                r#"{"method":"weighted","aggregate":"mean","n":2,"level":"all","accuracy":1.0,"problems":1,"low":0.25,"high":1.0}"#,
            ]
        );
    }

    /// The pools of the published GSM8K solutions to problems of more than three steps.
    fn gsm8k_hard(reversed: bool) -> Option<Vec<Pool>> {
        let path = test_data::file("gsm8k/example_model_solutions.jsonl")?;
        let a_line = [*verify::extraction("a-line").unwrap()];
        let mut pools = Vec::new();
        for row in data::gsm8k_solutions(path).unwrap() {
            if row.problem.level.unwrap() <= 3 {
                continue;
            }
            let candidates = row.completions.iter().map(|completion| Candidate {
                sample: if reversed { 3 - completion.sample } else { completion.sample },
                answer: verify::extract(&completion.text, &a_line).map(Cow::into_owned),
                correct: completion.metadata["is_correct"].as_bool().unwrap(),
                ..Candidate::default()
            });
            pools.push(Pool::new(&row.problem.id, None, candidates, &[]).unwrap());
        }
        Some(pools)
    }

    #[test]
    fn majorities_of_the_published_gsm8k_solutions_are_those_counted_before() {
        // Counted independently in Python: of the hard part 26.8% in file order,
        // 40.2% in the reverse order.
        let majority = Settings {
            methods: vec![find("majority").unwrap(), find("oracle").unwrap()],
            aggregates: Vec::new(),
            ..settings(&[4], Ties::First, 1)
        };
        for (reversed, expected) in [(false, 0.268), (true, 0.402)] {
            let Some(pools) = gsm8k_hard(reversed) else { return };
            let found = evaluate(&pools, &majority).unwrap().curves(10, 0.95, 1);
            assert!((found[0].accuracy - expected).abs() < 0.0005, "{:?}", found[0]);
        }
    }
}
