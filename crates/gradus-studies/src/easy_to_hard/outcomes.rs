//! The last stage of a seed: from samples and scores to the outcome of every selection.

use std::collections::{BTreeMap, HashMap};

use gradus::data::{self, Problem, StepScores};
use gradus::run::{Stage, Stream};
use gradus::search::{self, Aggregation, Candidate, Pool, Selector, Settings, Ties, evaluate};
use gradus::stats::{Auc, AucWithin, roc_auc_clustered};
use gradus_train::{ScoredCompletion, evaluator_quality};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::Evaluator;
use super::results::BASE;
use super::{OVERLAP, OneSeed, SUMMARY};
use crate::StudyError;
use crate::sampling::{CheckedSample, SAMPLES, SCORES, read_json, write_json};

/// File of the selection stage.
pub(super) const OUTCOMES: &str = "outcomes.json";

/// What one generator did on one test set, and who judged it.
pub(super) struct Tested {
    pub(super) generator: &'static str,
    pub(super) set: &'static str,
    pub(super) greedy: Stage,
    pub(super) samples: Option<Stage>,
    pub(super) scores: Vec<(Evaluator, Stage)>,
}

/// A model with the summary of its training.
pub(super) type Trained<'a> = (&'a str, &'a Stage);

/// Everything that one seed found.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct SeedOutcomes {
    pub(super) seed: u64,
    /// Per set, the level of each problem; outcomes keep the same order.
    pub(super) levels: BTreeMap<String, Vec<u32>>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) evaluators: Vec<EvaluatorRow>,
    pub(super) training: Vec<Training>,
    pub(super) pools: Vec<PoolFacts>,
    pub(super) overlap: Vec<OverlapRow>,
}

/// One way to select, problem by problem.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Outcome {
    pub(super) set: String,
    pub(super) generator: String,
    /// Absent where nothing judges.
    pub(super) evaluator: Option<String>,
    pub(super) method: String,
    pub(super) aggregate: Option<String>,
    pub(super) n: u32,
    /// Expected correctness of the selected answer, one value a problem.
    pub(super) values: Vec<f64>,
}

/// How well an evaluator tells right from wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct EvaluatorRow {
    pub(super) seed: u64,
    pub(super) evaluator: String,
    pub(super) set: String,
    /// Each step's score against the checker's local verdict.
    pub(super) step_auc: Option<AucValue>,
    /// The same, over pairs of steps of the same problem only.
    pub(super) step_auc_within: Option<AucValue>,
    /// The product of the scores against the answer.
    pub(super) outcome_auc: Option<AucValue>,
    /// The same, over pairs of samples of the same problem only.
    pub(super) outcome_auc_within: Option<AucValue>,
    pub(super) by_kind: Vec<KindQuality>,
}

/// Step AUC by the rule that a step exercises.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct KindQuality {
    pub(super) kind: String,
    pub(super) steps: u64,
    pub(super) valid_share: f64,
    pub(super) auc: Option<AucValue>,
}

/// An area under the ROC curve.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct AucValue {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Pairs of a right and a wrong one that it was taken over.
    pub(super) pairs: u64,
}

impl From<Auc> for AucValue {
    fn from(auc: Auc) -> Self {
        let pairs = auc.positives * auc.negatives;
        Self { value: auc.value, low: auc.low, high: auc.high, pairs }
    }
}

impl From<AucWithin> for AucValue {
    fn from(auc: AucWithin) -> Self {
        Self { value: auc.value, low: auc.low, high: auc.high, pairs: auc.pairs }
    }
}

/// What a model was trained on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Training {
    pub(super) seed: u64,
    pub(super) model: String,
    /// The trainer's own summary.
    pub(super) summary: Value,
}

/// Facts about the samples of one generator on one set.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct PoolFacts {
    pub(super) seed: u64,
    pub(super) generator: String,
    pub(super) set: String,
    pub(super) samples: u64,
    /// Samples without an answer: malformed or cut off. They hold their slot and never win.
    pub(super) no_answer: u64,
    /// Problems none of whose samples has an answer; they count as wrong.
    pub(super) problems_without_answer: u64,
    /// Share of problems whose right answer occurs, but is not the most frequent.
    pub(super) wrong_mode_share: f64,
}

/// How many test problems of a level have the structure of a training problem.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct OverlapRow {
    pub(super) seed: u64,
    pub(super) test: String,
    pub(super) train: String,
    pub(super) level: u32,
    pub(super) problems: u64,
    pub(super) shared: u64,
}

/// The selection stage: every outcome of one seed.
pub(super) fn select(
    study: &OneSeed<'_>,
    problems: &Stage,
    tested: &[Tested],
    trained: &[Trained<'_>],
) -> Result<Stage, StudyError> {
    let mut upstream = vec![problems];
    upstream.extend(trained.iter().map(|(_, stage)| *stage));
    for row in tested {
        upstream.push(&row.greedy);
        upstream.extend(&row.samples);
        upstream.extend(row.scores.iter().map(|(_, stage)| stage));
    }
    let config = json!({"seed": study.seed, "selection": study.config.selection});
    study.run.stage(&study.stage_name("selection"), &upstream, &config, |work| {
        let mut found = SeedOutcomes {
            seed: study.seed,
            levels: BTreeMap::new(),
            outcomes: Vec::new(),
            evaluators: Vec::new(),
            training: Vec::new(),
            pools: Vec::new(),
            overlap: read_json(problems, OVERLAP)?,
        };
        for (model, stage) in trained {
            let summary = read_json(stage, SUMMARY)?;
            found.training.push(Training { seed: study.seed, model: (*model).to_owned(), summary });
        }
        for (done, row) in tested.iter().enumerate() {
            work.progress(done as u64, tested.len() as u64, "sets")?;
            let set = TestSet::read(study, problems, row)?;
            found.levels.entry(row.set.to_owned()).or_insert_with(|| set.levels());
            set.greedy(&mut found)?;
            set.samples(&mut found)?;
        }
        write_json(work, OUTCOMES, &found)
    })
}

/// One test set with what one generator did on it.
struct TestSet<'a> {
    study: &'a OneSeed<'a>,
    row: &'a Tested,
    problems: Vec<Problem>,
}

impl<'a> TestSet<'a> {
    fn read(study: &'a OneSeed<'a>, problems: &Stage, row: &'a Tested) -> Result<Self, StudyError> {
        let problems = study.read_set(problems, &format!("{}_test", row.set))?;
        Ok(Self { study, row, problems })
    }

    fn levels(&self) -> Vec<u32> {
        self.problems.iter().map(|problem| problem.level.unwrap_or_default()).collect()
    }

    fn outcome(&self, evaluator: Option<&str>, selection: &search::Selection) -> Outcome {
        // What has one score a sample has nothing to aggregate.
        let aggregate = match evaluator {
            Some(RANDOM | LOG_PROB) | None => None,
            Some(_) => selection.aggregate.map(str::to_owned),
        };
        Outcome {
            set: self.row.set.to_owned(),
            generator: self.row.generator.to_owned(),
            evaluator: evaluator.map(str::to_owned),
            method: selection.method.to_owned(),
            aggregate,
            n: selection.n as u32,
            values: selection.accuracy.clone(),
        }
    }

    fn greedy(&self, found: &mut SeedOutcomes) -> Result<(), StudyError> {
        let samples: Vec<CheckedSample> = data::read_all(self.row.greedy.path(SAMPLES))?;
        let correct: HashMap<&str, bool> =
            samples.iter().map(|sample| (sample.problem.as_str(), sample.correct)).collect();
        let values = self.problems.iter().map(|problem| f64::from(u8::from(correct[&*problem.id])));
        found.outcomes.push(Outcome {
            set: self.row.set.to_owned(),
            generator: self.row.generator.to_owned(),
            evaluator: None,
            method: "greedy".to_owned(),
            aggregate: None,
            n: 1,
            values: values.collect(),
        });
        Ok(())
    }

    fn samples(&self, found: &mut SeedOutcomes) -> Result<(), StudyError> {
        let Some(stage) = &self.row.samples else { return Ok(()) };
        let mut samples: HashMap<String, Vec<CheckedSample>> = HashMap::new();
        for sample in data::read::<CheckedSample>(stage.path(SAMPLES))? {
            let sample = sample?;
            samples.entry(sample.problem.clone()).or_default().push(sample);
        }
        let log_prob = aggregations(&["log-prob"])?;
        let pools = self
            .problems
            .iter()
            .map(|problem| {
                let candidates = samples[&problem.id].iter().map(|sample| Candidate {
                    sample: sample.sample,
                    answer: sample.answer.clone(),
                    correct: sample.correct,
                    sound: Some(sample.sound()),
                    scores: Vec::new(),
                    log_prob: Some(sample.log_prob),
                });
                let level = problem.level.map(search::Level::from);
                Ok(Pool::new(&problem.id, level, candidates, &log_prob)?)
            })
            .collect::<Result<Vec<Pool>, StudyError>>()?;
        found.pools.push(self.facts(&pools));

        let unjudged = self.settings(&["majority", "oracle", "sound-oracle"], &[])?;
        self.evaluate(&pools, &unjudged, None, found)?;
        if self.row.generator == BASE {
            let judged = self.settings(JUDGED, &["log-prob"])?;
            self.evaluate(&pools, &judged, Some(LOG_PROB), found)?;
            let judged = self.settings(JUDGED, &["prod"])?;
            let rescored = rescore(&pools, &judged.aggregates, |problem, sample| {
                let path = ["random-weights", self.row.set, problem, &sample.to_string()];
                vec![Stream::new(self.study.seed, &path).unit()]
            })?;
            self.evaluate(&rescored, &judged, Some(RANDOM), found)?;
        }
        for (kind, stage) in &self.row.scores {
            let mut scores: HashMap<String, HashMap<u32, Vec<f64>>> = HashMap::new();
            for row in data::read::<StepScores>(stage.path(SCORES))? {
                let row = row?;
                scores.entry(row.problem).or_default().insert(row.sample, row.scores);
            }
            let judged = self.settings(JUDGED, &["prod", "min", "mean", "last"])?;
            let rescored = rescore(&pools, &judged.aggregates, |problem, sample| {
                let of_problem = scores.get(problem);
                of_problem.and_then(|rows| rows.get(&sample)).cloned().unwrap_or_default()
            })?;
            self.evaluate(&rescored, &judged, Some(kind.name()), found)?;
            if self.row.generator == BASE {
                found.evaluators.push(self.quality(*kind, &samples, &scores)?);
            }
        }
        Ok(())
    }

    fn settings(&self, methods: &[&str], aggregates: &[&str]) -> Result<Settings, StudyError> {
        let config = self.study.config;
        let pool = match self.row.set {
            "easy" => config.easy_samples.n,
            _ => config.hard_samples.n,
        };
        Ok(Settings {
            methods: methods
                .iter()
                .map(|name| search::find(name))
                .collect::<Result<Vec<&'static Selector>, _>>()?,
            aggregates: aggregations(aggregates)?,
            n: config.curve(pool).into_iter().map(|n| n as usize).collect(),
            ties: Ties::First,
            resamples: config.selection.resamples,
            seed: self.study.seed,
        })
    }

    fn evaluate(
        &self,
        pools: &[Pool],
        settings: &Settings,
        evaluator: Option<&str>,
        found: &mut SeedOutcomes,
    ) -> Result<(), StudyError> {
        let evaluation = evaluate(pools, settings)?;
        let rows = evaluation.selections.iter();
        found.outcomes.extend(rows.map(|selection| self.outcome(evaluator, selection)));
        Ok(())
    }

    fn facts(&self, pools: &[Pool]) -> PoolFacts {
        let count = |holds: fn(&Pool) -> bool| pools.iter().filter(|pool| holds(pool)).count();
        PoolFacts {
            seed: self.study.seed,
            generator: self.row.generator.to_owned(),
            set: self.row.set.to_owned(),
            samples: pools.iter().map(|pool| pool.len() as u64).sum(),
            no_answer: pools.iter().map(|pool| pool.no_answer() as u64).sum(),
            problems_without_answer: count(|pool| pool.no_answer() == pool.len()) as u64,
            wrong_mode_share: count(Pool::is_wrong_mode) as f64 / pools.len() as f64,
        }
    }

    /// How well an evaluator tells right from wrong steps and samples that have an answer.
    fn quality(
        &self,
        kind: Evaluator,
        samples: &HashMap<String, Vec<CheckedSample>>,
        scores: &HashMap<String, HashMap<u32, Vec<f64>>>,
    ) -> Result<EvaluatorRow, StudyError> {
        let confidence = self.study.config.selection.confidence;
        let mut scored = Vec::new();
        // Per kind, the steps of each problem.
        let mut by_kind: BTreeMap<&str, Vec<Vec<(f64, bool)>>> = BTreeMap::new();
        for (at, problem) in self.problems.iter().enumerate() {
            let kinds = self.study.family.step_kinds(problem)?;
            for sample in &samples[&problem.id] {
                let judged = scores.get(&problem.id).and_then(|rows| rows.get(&sample.sample));
                let Some(judged) = judged else { continue };
                let labelled = judged.iter().copied().zip(sample.valid.iter().copied());
                for (step, kind) in labelled.zip(&kinds) {
                    let problems = by_kind.entry(kind).or_default();
                    problems.resize_with(problems.len().max(at + 1), Vec::new);
                    problems[at].push(step);
                }
                scored.push(ScoredCompletion {
                    problem: problem.id.clone(),
                    scores: judged.clone(),
                    labels: sample.valid.clone(),
                    // In logarithms: a product of many small scores has none left to compare.
                    outcome_score: judged.iter().map(|score| score.ln()).sum(),
                    correct: Some(sample.correct),
                });
            }
        }
        let quality = evaluator_quality(&scored, confidence);
        Ok(EvaluatorRow {
            seed: self.study.seed,
            evaluator: kind.name().to_owned(),
            set: self.row.set.to_owned(),
            step_auc: quality.step_auc.map(AucValue::from),
            step_auc_within: quality.step_auc_within.map(AucValue::from),
            outcome_auc: quality.outcome_auc.map(AucValue::from),
            outcome_auc_within: quality.outcome_auc_within.map(AucValue::from),
            by_kind: by_kind
                .into_iter()
                .map(|(kind, problems)| {
                    let steps = problems.iter().map(Vec::len).sum::<usize>();
                    let valid = problems.iter().flatten().filter(|step| step.1).count();
                    KindQuality {
                        kind: kind.to_owned(),
                        steps: steps as u64,
                        valid_share: valid as f64 / steps as f64,
                        auc: roc_auc_clustered(&problems, confidence).map(AucValue::from),
                    }
                })
                .collect(),
        })
    }
}

/// Name of the control whose weights are random.
pub(super) const RANDOM: &str = "random";
/// Name of the control whose weights are the generator's own probabilities.
pub(super) const LOG_PROB: &str = "log-prob";
/// The selectors that rank by a score.
const JUDGED: &[&str] = &["weighted", "best-of-n"];

fn aggregations(names: &[&str]) -> Result<Vec<&'static Aggregation>, StudyError> {
    Ok(names.iter().map(|name| search::aggregation(name)).collect::<Result<_, _>>()?)
}

fn rescore(
    pools: &[Pool],
    aggregates: &[&'static Aggregation],
    judge: impl Fn(&str, u32) -> Vec<f64>,
) -> Result<Vec<Pool>, StudyError> {
    let rescored =
        pools.iter().map(|pool| pool.rescored(aggregates, |sample| judge(pool.problem(), sample)));
    Ok(rescored.collect::<Result<_, _>>()?)
}
