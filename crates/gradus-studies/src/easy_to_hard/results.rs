//! From the outcomes of every seed to `results.json`.

use std::collections::BTreeMap;

use gradus::run::{Stage, Stream};
use gradus::stats::{Estimate, Resamples};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::Config;
use super::outcomes::{
    EvaluatorRow, OUTCOMES, Outcome, OverlapRow, PoolFacts, SeedOutcomes, Training,
};
use crate::StudyError;
use crate::sampling::read_json;

/// The generator that every comparison starts from.
pub(super) const BASE: &str = "sft";

/// What `results.json` holds. Rows carry no time, path or host: equal runs give equal bytes.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Results {
    /// Version of this layout.
    pub(super) format: u32,
    pub(super) study: String,
    pub(super) seeds: Vec<u64>,
    /// The evaluator, number of samples and aggregate that the lead figures use.
    pub(super) headline: Headline,
    /// Selection with the headline evaluator, rows as `gradus search --json` with `set`.
    pub(super) selection: Vec<SelectionRow>,
    /// The same methods minus majority, paired over problems.
    pub(super) differences: Vec<DifferenceRow>,
    /// Every other evaluator, weight and generator, each beside the base generator's majority.
    pub(super) controls: Vec<ControlRow>,
    /// What the same labels gave when the generator learned from them, minus what they
    /// gave when the evaluator did. The first records do not have it.
    #[serde(default)]
    pub(super) same_labels: Vec<SameLabelsRow>,
    pub(super) evaluators: Vec<EvaluatorRow>,
    pub(super) gap_recovered: Vec<GapRow>,
    pub(super) training: Vec<Training>,
    /// Samples and answers of each generator: what went unscored, and wrong modes.
    pub(super) pools: Vec<PoolFacts>,
    /// Test problems with the structure of a training problem, no-op slots ignored.
    pub(super) overlap: Vec<OverlapRow>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Headline {
    pub(super) evaluator: String,
    pub(super) aggregate: String,
    pub(super) n: u32,
    /// Coverage of every interval; the first records do not say it.
    #[serde(default = "first_confidence")]
    pub(super) confidence: f64,
}

fn first_confidence() -> f64 {
    0.95
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SelectionRow {
    pub(super) set: String,
    pub(super) method: String,
    pub(super) aggregate: Option<String>,
    pub(super) n: u32,
    /// A number, or `"all"`.
    pub(super) level: Value,
    pub(super) accuracy: f64,
    pub(super) problems: u64,
    pub(super) low: f64,
    pub(super) high: f64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct DifferenceRow {
    pub(super) set: String,
    pub(super) method: String,
    pub(super) aggregate: Option<String>,
    pub(super) against: String,
    pub(super) n: u32,
    pub(super) difference: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) problems: u64,
    /// The difference seed by seed.
    pub(super) by_seed: Vec<f64>,
}

/// One row of the controls: who generated, who judged, how it was selected.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ControlRow {
    pub(super) set: String,
    pub(super) generator: String,
    /// Absent where nothing judges, as in majority or greedy.
    pub(super) evaluator: Option<String>,
    pub(super) method: String,
    pub(super) aggregate: Option<String>,
    pub(super) n: u32,
    pub(super) accuracy: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) problems: u64,
    /// Against the base generator's majority with the same n (greedy: against its greedy answer).
    pub(super) difference: Option<Difference>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Difference {
    pub(super) against: String,
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) by_seed: Vec<f64>,
}

/// One use of the evaluator's training samples against another, paired over problems.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SameLabelsRow {
    pub(super) set: String,
    pub(super) method: String,
    pub(super) against: String,
    pub(super) difference: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) problems: u64,
    /// The difference seed by seed.
    pub(super) by_seed: Vec<f64>,
}

/// (easy - base) / (full - base) on the hard set.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct GapRow {
    pub(super) name: String,
    pub(super) base: String,
    pub(super) easy: String,
    pub(super) full: String,
    /// Absent where the interval of the denominator covers 0.
    pub(super) value: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// full - base, in accuracy.
    pub(super) denominator: f64,
    pub(super) denominator_low: f64,
    pub(super) denominator_high: f64,
    pub(super) problems: u64,
}

/// Key of an outcome: set, generator, evaluator, method, aggregate, n.
type Key<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, Option<&'a str>, u32);

fn key(outcome: &Outcome) -> Key<'_> {
    (
        &outcome.set,
        &outcome.generator,
        outcome.evaluator.as_deref(),
        &outcome.method,
        outcome.aggregate.as_deref(),
        outcome.n,
    )
}

/// Pools the seeds. Problems are resampled within each seed; the spread between
/// seeds stands beside the interval, not inside it.
pub(super) fn reduce(config: &Config, selections: &[Stage]) -> Result<Value, StudyError> {
    let seeds: Vec<SeedOutcomes> = selections
        .iter()
        .map(|stage| read_json(stage, OUTCOMES))
        .collect::<Result<_, StudyError>>()?;
    Ok(serde_json::to_value(pool(config, &seeds))?)
}

fn pool(config: &Config, seeds: &[SeedOutcomes]) -> Results {
    let pooled = Pooled::new(config, seeds);
    let headline = Headline {
        evaluator: config.evaluators[0].name().to_owned(),
        aggregate: "prod".to_owned(),
        n: config.headline_n(),
        confidence: config.selection.confidence,
    };
    Results {
        format: 1,
        study: "easy-to-hard".to_owned(),
        seeds: seeds.iter().map(|seed| seed.seed).collect(),
        selection: pooled.selection(&headline),
        differences: pooled.differences(&headline),
        controls: pooled.controls(&headline),
        same_labels: pooled.same_labels(&headline),
        evaluators: seeds.iter().flat_map(|seed| seed.evaluators.clone()).collect(),
        gap_recovered: pooled.gaps(&headline),
        training: seeds.iter().flat_map(|seed| seed.training.clone()).collect(),
        pools: seeds.iter().flat_map(|seed| seed.pools.clone()).collect(),
        overlap: seeds.iter().flat_map(|seed| seed.overlap.clone()).collect(),
        headline,
    }
}

struct Pooled<'a> {
    config: &'a Config,
    seeds: &'a [SeedOutcomes],
    index: Vec<BTreeMap<Key<'a>, &'a Outcome>>,
    /// One a set, so that every row of a set has the same draws of problems.
    resamples: BTreeMap<&'a str, Resamples>,
}

impl<'a> Pooled<'a> {
    fn new(config: &'a Config, seeds: &'a [SeedOutcomes]) -> Self {
        let index = seeds
            .iter()
            .map(|seed| seed.outcomes.iter().map(|outcome| (key(outcome), outcome)).collect())
            .collect();
        let sets = seeds[0].levels.keys().map(String::as_str);
        let resamples = sets
            .map(|set| {
                let strata: Vec<usize> = seeds.iter().map(|seed| seed.levels[set].len()).collect();
                (set, resamples(config, &strata, set))
            })
            .collect();
        Self { config, seeds, index, resamples }
    }

    /// Values of one key, problem by problem, seed after seed.
    fn values(&self, key: &Key<'_>) -> Option<Vec<f64>> {
        let seeds = self.index.iter().map(|seed| Some(seed.get(key)?.values.as_slice()));
        Some(seeds.collect::<Option<Vec<&[f64]>>>()?.concat())
    }

    fn accuracy(&self, set: &str, values: &[f64]) -> Option<Estimate> {
        self.resamples[set].accuracy(values, self.config.selection.confidence)
    }

    fn selection(&self, headline: &Headline) -> Vec<SelectionRow> {
        let mut rows = Vec::new();
        let mut by_level: BTreeMap<(&str, u32), Resamples> = BTreeMap::new();
        for outcome in &self.seeds[0].outcomes {
            let (set, generator, evaluator, method, aggregate, n) = key(outcome);
            let shown = evaluator.is_none_or(|name| name == headline.evaluator);
            if generator != BASE || !shown || method == "greedy" || method == "sound-oracle" {
                continue;
            }
            let Some(values) = self.values(&key(outcome)) else { continue };
            let mut row = |level: Value, estimate: Option<Estimate>| {
                if let Some(estimate) = estimate {
                    rows.push(SelectionRow {
                        set: set.to_owned(),
                        method: method.to_owned(),
                        aggregate: aggregate.map(str::to_owned),
                        n,
                        level,
                        accuracy: estimate.value,
                        problems: estimate.n,
                        low: estimate.low,
                        high: estimate.high,
                    });
                }
            };
            row("all".into(), self.accuracy(set, &values));
            let levels = self.levels(set);
            let mut distinct = levels.concat();
            distinct.sort_unstable();
            distinct.dedup();
            for level in distinct {
                let pairs = values.iter().zip(levels.iter().copied().flatten());
                let chosen: Vec<f64> =
                    pairs.filter(|(_, of)| **of == level).map(|(value, _)| *value).collect();
                let resamples = by_level.entry((set, level)).or_insert_with(|| {
                    let count = |seed: &&[u32]| seed.iter().filter(|of| **of == level).count();
                    let strata: Vec<usize> = levels.iter().map(count).collect();
                    resamples(self.config, &strata, &format!("{set} level {level}"))
                });
                row(level.into(), resamples.accuracy(&chosen, self.config.selection.confidence));
            }
        }
        rows
    }

    fn levels(&self, set: &str) -> Vec<&'a [u32]> {
        self.seeds.iter().map(|seed| seed.levels[set].as_slice()).collect()
    }

    /// One method minus another, paired over problems, with the value of each seed.
    fn difference(&self, of: &Key<'_>, against: &Key<'_>) -> Option<(Estimate, Vec<f64>)> {
        let (of_values, against_values) = (self.values(of)?, self.values(against)?);
        let differences: Vec<f64> =
            of_values.iter().zip(&against_values).map(|(of, against)| of - against).collect();
        let mut rest = differences.as_slice();
        let mut by_seed = Vec::new();
        for levels in self.levels(of.0) {
            let (own, others) = rest.split_at(levels.len());
            rest = others;
            by_seed.push(own.iter().sum::<f64>() / own.len() as f64);
        }
        let mean = self.resamples[of.0].mean(&differences, self.config.selection.confidence)?;
        Some((mean, by_seed))
    }

    fn differences(&self, headline: &Headline) -> Vec<DifferenceRow> {
        let mut rows = Vec::new();
        for outcome in &self.seeds[0].outcomes {
            let of = key(outcome);
            let (set, generator, evaluator, method, aggregate, n) = of;
            if generator != BASE || evaluator != Some(headline.evaluator.as_str()) {
                continue;
            }
            let against = (set, BASE, None, "majority", None, n);
            if let Some((estimate, by_seed)) = self.difference(&of, &against) {
                rows.push(DifferenceRow {
                    set: set.to_owned(),
                    method: method.to_owned(),
                    aggregate: aggregate.map(str::to_owned),
                    against: "majority".to_owned(),
                    n,
                    difference: estimate.value,
                    low: estimate.low,
                    high: estimate.high,
                    problems: estimate.n,
                    by_seed,
                });
            }
        }
        rows
    }

    fn controls(&self, headline: &Headline) -> Vec<ControlRow> {
        let mut rows = Vec::new();
        for outcome in &self.seeds[0].outcomes {
            let of = key(outcome);
            let (set, generator, evaluator, method, aggregate, n) = of;
            let own = evaluator == Some(headline.evaluator.as_str());
            if generator == BASE && own {
                continue;
            }
            let Some(values) = self.values(&of) else { continue };
            let Some(estimate) = self.accuracy(set, &values) else { continue };
            let base = if method == "greedy" { "greedy" } else { "majority" };
            let against = (set, BASE, None, base, None, n);
            let difference = (of != against).then(|| self.difference(&of, &against)).flatten().map(
                |(estimate, by_seed)| Difference {
                    against: format!("{BASE} {base}"),
                    value: estimate.value,
                    low: estimate.low,
                    high: estimate.high,
                    by_seed,
                },
            );
            rows.push(ControlRow {
                set: set.to_owned(),
                generator: generator.to_owned(),
                evaluator: evaluator.map(str::to_owned),
                method: method.to_owned(),
                aggregate: aggregate.map(str::to_owned),
                n,
                accuracy: estimate.value,
                low: estimate.low,
                high: estimate.high,
                problems: estimate.n,
                difference,
            });
        }
        rows
    }

    fn same_labels(&self, headline: &Headline) -> Vec<SameLabelsRow> {
        let (n, evaluator) = (headline.n, Some(headline.evaluator.as_str()));
        let weighted = ("hard", BASE, evaluator, "weighted", Some("prod"), n);
        let trained = ("hard", "rest-em", None, "majority", None, n);
        let both = ("hard", "rest-em", evaluator, "weighted", Some("prod"), n);
        let rows = [trained, both].into_iter().filter_map(|of| {
            let (estimate, by_seed) = self.difference(&of, &weighted)?;
            Some(SameLabelsRow {
                set: "hard".to_owned(),
                method: label(&of),
                against: label(&weighted),
                difference: estimate.value,
                low: estimate.low,
                high: estimate.high,
                problems: estimate.n,
                by_seed,
            })
        });
        rows.collect()
    }

    fn gaps(&self, headline: &Headline) -> Vec<GapRow> {
        let n = headline.n;
        let evaluator = Some(headline.evaluator.as_str());
        let weighted = |evaluator| ("hard", BASE, evaluator, "weighted", Some("prod"), n);
        let majority = |generator| ("hard", generator, None, "majority", None, n);
        let greedy = |generator| ("hard", generator, None, "greedy", None, 1);
        [
            (
                "easy-trained evaluator, against a generator trained on all levels",
                majority(BASE),
                weighted(evaluator),
                majority("all-levels"),
            ),
            (
                "easy-trained evaluator, against an evaluator trained on all levels",
                majority(BASE),
                weighted(evaluator),
                weighted(Some("prm-all-levels")),
            ),
            (
                "generator after one ReST-EM round on easy problems, majority",
                majority(BASE),
                majority("rest-em"),
                majority("all-levels"),
            ),
            (
                "generator after one ReST-EM round on easy problems, greedy",
                greedy(BASE),
                greedy("rest-em"),
                greedy("all-levels"),
            ),
        ]
        .into_iter()
        .filter_map(|(name, base, easy, full)| self.gap(name, &base, &easy, &full))
        .collect()
    }

    fn gap(&self, name: &str, base: &Key<'_>, easy: &Key<'_>, full: &Key<'_>) -> Option<GapRow> {
        let gap = self.resamples[base.0].gap_recovered(
            &self.values(base)?,
            &self.values(easy)?,
            &self.values(full)?,
            self.config.selection.confidence,
        )?;
        Some(GapRow {
            name: name.to_owned(),
            base: label(base),
            easy: label(easy),
            full: label(full),
            value: gap.value.map(|ratio| ratio.value),
            low: gap.value.map(|ratio| ratio.low),
            high: gap.value.map(|ratio| ratio.high),
            denominator: gap.denominator.value,
            denominator_low: gap.denominator.low,
            denominator_high: gap.denominator.high,
            problems: gap.denominator.n,
        })
    }
}

fn label((_, generator, evaluator, method, aggregate, n): &Key<'_>) -> String {
    let judged = evaluator.map(|name| format!(" by {name}")).unwrap_or_default();
    let aggregate = aggregate.map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{generator}: {method}{judged}{aggregate}, n = {n}")
}

fn resamples(config: &Config, strata: &[usize], name: &str) -> Resamples {
    let mut stream = Stream::new(config.seed, &["results", name]);
    Resamples::stratified(strata, config.selection.draws, &mut stream)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn outcome(
        generator: &str,
        evaluator: Option<&str>,
        method: &str,
        n: u32,
        values: &[f64],
    ) -> Outcome {
        Outcome {
            set: "hard".to_owned(),
            generator: generator.to_owned(),
            evaluator: evaluator.map(str::to_owned),
            method: method.to_owned(),
            aggregate: evaluator.map(|_| "prod".to_owned()),
            n,
            values: values.to_vec(),
        }
    }

    fn seed(seed: u64, majority: &[f64], weighted: &[f64]) -> SeedOutcomes {
        let levels = (0..majority.len()).map(|problem| 4 + problem as u32 % 2).collect();
        let ones = vec![1.0; majority.len()];
        SeedOutcomes {
            seed,
            levels: BTreeMap::from([("hard".to_owned(), levels)]),
            outcomes: vec![
                outcome(BASE, None, "greedy", 1, majority),
                outcome(BASE, None, "majority", 64, majority),
                outcome(BASE, Some("prm"), "weighted", 64, weighted),
                outcome(BASE, Some("random"), "weighted", 64, majority),
                outcome("all-levels", None, "majority", 64, &ones),
                outcome("rest-em", None, "majority", 64, &ones),
            ],
            evaluators: Vec::new(),
            training: Vec::new(),
            pools: Vec::new(),
            overlap: Vec::new(),
        }
    }

    /// Two seeds of unequal size: majority 2 of 6 right, weighted 4 of 6.
    pub(in crate::easy_to_hard) fn two_seeds() -> Results {
        let seeds = [
            seed(7, &[0.0, 0.0, 1.0, 0.0], &[1.0, 0.0, 1.0, 1.0]),
            seed(8, &[1.0, 0.0], &[1.0, 0.0]),
        ];
        pool(&Config::default(), &seeds)
    }

    #[test]
    fn seeds_are_pooled_over_their_problems_and_shown_one_by_one() {
        let results = two_seeds();
        assert_eq!(results.seeds, [7, 8]);
        let row = &results.differences[0];
        assert_eq!(
            (row.method.as_str(), row.against.as_str(), row.n),
            ("weighted", "majority", 64)
        );
        assert!((row.difference - 2.0 / 6.0).abs() < 1e-12);
        assert_eq!(row.by_seed, [0.5, 0.0]);
        assert_eq!(row.problems, 6);
        // Draws stay within the seeds: at best all four of the first and none of the second.
        assert!(0.0 <= row.low && row.low <= row.difference);
        assert!(row.difference <= row.high && row.high <= 4.0 / 6.0 + 1e-12);
    }

    #[test]
    fn selection_rows_have_levels_and_only_the_headline_evaluator() {
        let results = two_seeds();
        let of = |method: &str, level: Value| {
            let rows = results.selection.iter();
            rows.filter(|row| row.method == method && row.level == level).collect::<Vec<_>>()
        };
        assert_eq!(of("majority", "all".into()).len(), 1);
        assert_eq!(of("weighted", "all".into()).len(), 1);
        // Level 4: problems 0 and 2 of the first seed, 0 of the second.
        let level = &of("majority", 4.into())[0];
        assert_eq!(level.problems, 3);
        assert!((level.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert!(results.controls.iter().any(|row| row.evaluator.as_deref() == Some("random")));
    }

    #[test]
    fn the_generator_side_is_paired_with_the_evaluator_side() {
        let results = two_seeds();
        let row = &results.same_labels[0];
        assert_eq!(row.method, "rest-em: majority, n = 64");
        assert_eq!(row.against, "sft: weighted by prm (prod), n = 64");
        assert!((row.difference - 2.0 / 6.0).abs() < 1e-12);
        assert_eq!((row.by_seed.as_slice(), row.problems), ([0.25, 0.5].as_slice(), 6));
    }

    #[test]
    fn the_gap_recovered_is_that_of_the_pooled_means() {
        // (4/6 - 2/6) / (6/6 - 2/6) = 1/2.
        let gap = &two_seeds().gap_recovered[0];
        assert!((gap.value.unwrap() - 0.5).abs() < 1e-12);
        assert!((gap.denominator - 4.0 / 6.0).abs() < 1e-12);
    }
}
