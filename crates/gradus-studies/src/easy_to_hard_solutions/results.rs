//! Selection among the authors' solutions, beside what knowing the author alone gives.

use std::collections::{BTreeMap, HashMap, HashSet};

use gradus::data::{Completion, Problem, StepScores};
use gradus::run::Stream;
use gradus::search::{
    self, Candidate, CurvePoint, Evaluation, Level, Pool, Settings, Ties, evaluate,
};
use gradus::stats::{Resamples, roc_auc_clustered, roc_auc_within};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::Config;
use crate::StudyError;

/// What `results.json` holds.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Results {
    /// Version of this layout.
    pub(super) format: u32,
    pub(super) study: String,
    pub(super) seeds: Vec<u64>,
    pub(super) easy_steps: u32,
    pub(super) problems: Vec<SetFacts>,
    /// Selection with the evaluator, rows as `gradus search --json` with `set`.
    pub(super) selection: Vec<Value>,
    /// Paired over problems, at n = the number of authors.
    pub(super) differences: Vec<DifferenceRow>,
    /// What needs no evaluator: ties, authors, votes weighted by the author.
    pub(super) controls: Vec<ControlRow>,
    pub(super) authors: Vec<AuthorRow>,
    pub(super) evaluator: Vec<AucRow>,
    /// The trainer's own summary.
    pub(super) training: Value,
    /// The evaluator beats votes weighted by the author on hard problems: the
    /// whole interval of the difference is above 0.
    pub(super) beats_authorship: bool,
}

/// A set of problems.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct SetFacts {
    pub(super) set: String,
    pub(super) problems: u64,
    pub(super) solutions: u64,
    pub(super) no_answer: u64,
    pub(super) wrong_mode_share: f64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct DifferenceRow {
    pub(super) set: String,
    pub(super) method: String,
    pub(super) aggregate: Option<String>,
    pub(super) against: String,
    pub(super) n: usize,
    pub(super) difference: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) problems: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ControlRow {
    pub(super) set: String,
    pub(super) name: String,
    pub(super) accuracy: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) problems: u64,
}

/// One author: right answers on the easy problems, on the hard ones, and in all.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct AuthorRow {
    pub(super) author: String,
    pub(super) easy_accuracy: f64,
    pub(super) hard_accuracy: f64,
    pub(super) right: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct AucRow {
    pub(super) set: String,
    /// `all` pairs, or only pairs `within` a problem, or only pairs of the same `author`.
    pub(super) pairs: String,
    pub(super) auc: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// The evaluator's aggregate: an outcome evaluator's last score is its verdict on the whole.
const AGGREGATE: &str = "last";

struct Sets<'a> {
    config: &'a Config,
    completions: HashMap<&'a str, Vec<&'a Completion>>,
    scores: HashMap<(&'a str, u32), &'a [f64]>,
    /// Share of right answers of each author on all easy problems, which hard ones are voted with.
    easy_authors: BTreeMap<&'a str, f64>,
    /// The same without the problems held out, which those are voted with.
    training_authors: BTreeMap<&'a str, f64>,
}

/// Everything that the report says.
pub(super) fn results(
    config: &Config,
    problems: &[Problem],
    completions: &[Completion],
    scores: &[StepScores],
    train: &HashSet<String>,
    held_out: &HashSet<String>,
) -> Result<Results, StudyError> {
    let mut by_problem: HashMap<&str, Vec<&Completion>> = HashMap::new();
    for row in completions {
        by_problem.entry(&row.problem).or_default().push(row);
    }
    let rate = |author: &str, holds: &dyn Fn(&Completion) -> bool| {
        let own = completions.iter().filter(|row| author_of(row) == author && holds(row));
        let (right, all) = own
            .fold((0u64, 0u64), |(right, all), row| (right + u64::from(is_correct(row)), all + 1));
        (right, if all == 0 { 0.0 } else { right as f64 / all as f64 })
    };
    let names: Vec<&str> = {
        let mut seen = HashSet::new();
        completions.iter().map(author_of).filter(|author| seen.insert(*author)).collect()
    };
    let rates = |holds: &dyn Fn(&Completion) -> bool| {
        names.iter().map(|&author| (author, rate(author, holds).1)).collect::<BTreeMap<_, _>>()
    };
    let training = |row: &Completion| train.contains(&row.problem);
    let sets = Sets {
        config,
        scores: scores
            .iter()
            .map(|row| ((row.problem.as_str(), row.sample), row.scores.as_slice()))
            .collect(),
        easy_authors: rates(&|row| training(row) || held_out.contains(&row.problem)),
        training_authors: rates(&training),
        completions: by_problem,
    };
    let easy: Vec<&Problem> =
        problems.iter().filter(|problem| held_out.contains(&problem.id)).collect();
    let is_hard = |problem: &Problem| problem.level.is_some_and(|steps| steps > config.easy_steps);
    let hard: Vec<&Problem> = problems.iter().filter(|problem| is_hard(problem)).collect();
    let hard_ids: HashSet<&str> = hard.iter().map(|problem| problem.id.as_str()).collect();

    let mut results = Results {
        format: 1,
        study: "easy-to-hard-solutions".to_owned(),
        seeds: vec![config.seed],
        easy_steps: config.easy_steps,
        problems: Vec::new(),
        selection: Vec::new(),
        differences: Vec::new(),
        controls: Vec::new(),
        authors: names
            .iter()
            .map(|&author| AuthorRow {
                author: author.to_owned(),
                easy_accuracy: sets.easy_authors[author],
                hard_accuracy: rate(author, &|row| hard_ids.contains(row.problem.as_str())).1,
                right: rate(author, &|_| true).0,
            })
            .collect(),
        evaluator: Vec::new(),
        training: Value::Null,
        beats_authorship: false,
    };
    for (set, problems) in [("easy", &easy), ("hard", &hard)] {
        if !problems.is_empty() {
            sets.fill(set, problems, &mut results)?;
        }
    }
    results.beats_authorship = results.differences.iter().any(|row| {
        row.set == "hard"
            && row.method == "weighted"
            && row.against == AUTHOR_WEIGHTED
            && row.low > 0.0
    });
    Ok(results)
}

/// Name of the yardstick.
pub(super) const AUTHOR_WEIGHTED: &str = "votes weighted by the author's easy accuracy";
/// Name of the baseline.
pub(super) const MAJORITY: &str = "majority, expectation over random ties";
/// Name of the strongest author's row.
pub(super) const BEST_AUTHOR: &str = "best author, chosen on easy problems";

fn author_of(row: &Completion) -> &str {
    row.model.as_deref().unwrap_or_default()
}

fn is_correct(row: &Completion) -> bool {
    row.metadata["correct"] == true
}

impl Sets<'_> {
    /// Pools whose samples have the given scores; `reversed` turns the order of the authors round.
    fn pools(
        &self,
        problems: &[&Problem],
        reversed: bool,
        score: &dyn Fn(&Completion) -> Vec<f64>,
    ) -> Result<Vec<Pool>, StudyError> {
        let last = search::aggregation(AGGREGATE)?;
        let pools = problems.iter().map(|problem| {
            let rows = self.completions[problem.id.as_str()].iter().map(|row| Candidate {
                sample: if reversed { u32::MAX - row.sample } else { row.sample },
                answer: row.metadata["answer"].as_str().map(str::to_owned),
                correct: is_correct(row),
                sound: None,
                scores: score(row),
                log_prob: None,
            });
            Pool::new(&problem.id, problem.level.map(Level::from), rows, &[last])
        });
        Ok(pools.collect::<Result<_, _>>()?)
    }

    fn evaluate(
        &self,
        pools: &[Pool],
        methods: &[&str],
        n: Vec<usize>,
        ties: Ties,
    ) -> Result<Evaluation, StudyError> {
        let settings = Settings {
            methods: methods.iter().map(|name| search::find(name)).collect::<Result<_, _>>()?,
            aggregates: vec![search::aggregation(AGGREGATE)?],
            n,
            ties,
            resamples: 100,
            seed: self.config.seed,
        };
        Ok(evaluate(pools, &settings)?)
    }

    fn fill(
        &self,
        set: &str,
        problems: &[&Problem],
        results: &mut Results,
    ) -> Result<(), StudyError> {
        let Config { draws, confidence, seed, .. } = *self.config;
        let judged = |row: &Completion| {
            let scores = self.scores.get(&(row.problem.as_str(), row.sample));
            scores.map_or_else(Vec::new, |scores| scores.to_vec())
        };
        let pools = self.pools(problems, false, &judged)?;
        let pool = pools.iter().map(Pool::len).min().unwrap_or(0);
        let mut n: Vec<usize> = [1, 2, pool].into_iter().filter(|&n| n <= pool).collect();
        n.dedup();
        let methods = ["majority", "weighted", "best-of-n", "oracle"];
        let evaluation = self.evaluate(&pools, &methods, n, Ties::Random)?;
        for curve in evaluation.curves(draws, confidence, seed) {
            results.selection.push(with_set(set, &curve)?);
        }

        let vote = |method: &str, aggregate| evaluation.accuracy(method, aggregate, pool);
        let mut vectors: Vec<(String, Vec<f64>)> = Vec::new();
        let majority = vote("majority", None).unwrap_or_default();
        vectors.push((MAJORITY.to_owned(), majority.to_vec()));
        for (name, reversed) in [("file order", false), ("reversed file order", true)] {
            let pools = self.pools(problems, reversed, &judged)?;
            let first = self.evaluate(&pools, &["majority"], vec![pool], Ties::First)?;
            let values = first.accuracy("majority", None, pool).unwrap_or_default().to_vec();
            vectors.push((format!("majority, ties to the first in {name}"), values));
        }
        let authors = if set == "hard" { &self.easy_authors } else { &self.training_authors };
        let author = |row: &Completion| vec![authors[author_of(row)]];
        let weighted = self.evaluate(
            &self.pools(problems, false, &author)?,
            &["weighted"],
            vec![pool],
            Ties::Random,
        )?;
        let values = weighted.accuracy("weighted", Some(AGGREGATE), pool).unwrap_or_default();
        vectors.push((AUTHOR_WEIGHTED.to_owned(), values.to_vec()));
        let best = authors.iter().max_by(|one, two| one.1.total_cmp(two.1));
        let best = best.map_or("", |(author, _)| *author);
        let right = |problem: &&Problem| {
            let own = &self.completions[problem.id.as_str()];
            f64::from(u8::from(own.iter().any(|row| author_of(row) == best && is_correct(row))))
        };
        vectors.push((BEST_AUTHOR.to_owned(), problems.iter().map(right).collect()));

        let mut stream = Stream::new(seed, &["results", set]);
        let resamples = Resamples::new(problems.len(), draws, &mut stream);
        for (name, values) in &vectors {
            if let Some(estimate) = resamples.mean(values, confidence) {
                results.controls.push(ControlRow {
                    set: set.to_owned(),
                    name: name.clone(),
                    accuracy: estimate.value,
                    low: estimate.low,
                    high: estimate.high,
                    problems: estimate.n,
                });
            }
        }
        for method in ["weighted", "best-of-n"] {
            let own = vote(method, Some(AGGREGATE)).unwrap_or_default();
            for against in [MAJORITY, AUTHOR_WEIGHTED, BEST_AUTHOR] {
                let other = vectors.iter().find(|(name, _)| name == against);
                let Some((_, other)) = other else { continue };
                if let Some(estimate) = resamples.paired(own, other, confidence) {
                    results.differences.push(DifferenceRow {
                        set: set.to_owned(),
                        method: method.to_owned(),
                        aggregate: Some(AGGREGATE.to_owned()),
                        against: against.to_owned(),
                        n: pool,
                        difference: estimate.value,
                        low: estimate.low,
                        high: estimate.high,
                        problems: estimate.n,
                    });
                }
            }
        }
        results.problems.push(SetFacts {
            set: set.to_owned(),
            problems: pools.len() as u64,
            solutions: pools.iter().map(|pool| pool.len() as u64).sum(),
            no_answer: pools.iter().map(|pool| pool.no_answer() as u64).sum(),
            wrong_mode_share: pools.iter().filter(|pool| pool.is_wrong_mode()).count() as f64
                / pools.len() as f64,
        });
        self.quality(set, problems, results);
        Ok(())
    }

    /// How well the evaluator tells right from wrong: in all, within a problem, and within an author.
    fn quality(&self, set: &str, problems: &[&Problem], results: &mut Results) {
        let mut by_problem = Vec::new();
        let mut by_author: BTreeMap<&str, Vec<(f64, bool)>> = BTreeMap::new();
        for problem in problems {
            let mut own = Vec::new();
            for row in &self.completions[problem.id.as_str()] {
                let score = self.scores.get(&(row.problem.as_str(), row.sample));
                let Some(&score) = score.and_then(|scores| scores.last()) else { continue };
                own.push((score, is_correct(row)));
                by_author.entry(author_of(row)).or_default().push((score, is_correct(row)));
            }
            by_problem.push(own);
        }
        let confidence = self.config.confidence;
        let all = roc_auc_clustered(&by_problem, confidence);
        let all = all.map(|auc| (auc.value, auc.low, auc.high));
        let within = |groups: &[Vec<(f64, bool)>]| {
            let auc = roc_auc_within(groups, confidence);
            auc.map(|auc| (auc.value, auc.low, auc.high))
        };
        let by_author: Vec<Vec<(f64, bool)>> = by_author.into_values().collect();
        for (pairs, auc) in [
            ("all", all),
            ("within a problem", within(&by_problem)),
            ("within an author", within(&by_author)),
        ] {
            results.evaluator.push(AucRow {
                set: set.to_owned(),
                pairs: pairs.to_owned(),
                auc: auc.map(|auc| auc.0),
                low: auc.map(|auc| auc.1),
                high: auc.map(|auc| auc.2),
            });
        }
    }
}

fn with_set(set: &str, curve: &CurvePoint) -> Result<Value, StudyError> {
    let mut row = serde_json::to_value(curve)?;
    row["set"] = set.into();
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One problem of so many gold steps, with what `one` and `two` answered.
    fn problem(id: &str, steps: u32, one: &str, two: &str) -> (Problem, Vec<Completion>) {
        let completion = |sample, author: &str, answer: &str| Completion {
            problem: id.to_owned(),
            sample,
            text: format!("A: {answer}"),
            steps: Vec::new(),
            log_prob: None,
            finish_reason: None,
            model: Some(author.to_owned()),
            seed: None,
            metadata: [
                ("answer".to_owned(), answer.into()),
                ("correct".to_owned(), (answer == "7").into()),
            ]
            .into_iter()
            .collect(),
        };
        let problem = Problem { id: id.to_owned(), level: Some(steps), ..Problem::default() };
        (problem, vec![completion(0, "one", one), completion(1, "two", two)])
    }

    #[test]
    fn hard_problems_are_voted_with_all_easy_ones_and_held_out_ones_without_themselves() {
        let rows = [
            problem("easy-1", 2, "7", "0"),
            problem("easy-2", 3, "0", "7"),
            problem("easy-3", 3, "7", "0"),
            problem("easy-4", 3, "0", "7"),
            problem("easy-5", 3, "0", "7"),
            problem("hard", 4, "0", "7"),
        ];
        let problems: Vec<Problem> = rows.iter().map(|row| row.0.clone()).collect();
        let completions: Vec<Completion> = rows.into_iter().flat_map(|row| row.1).collect();
        let scores: Vec<StepScores> = completions
            .iter()
            .map(|row| StepScores {
                problem: row.problem.clone(),
                sample: row.sample,
                scores: vec![0.5],
                evaluator: None,
                metadata: gradus::data::Metadata::new(),
            })
            .collect();
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<HashSet<String>>();
        let (train, held_out) = (ids(&["easy-1", "easy-2", "easy-3"]), ids(&["easy-4", "easy-5"]));
        let found =
            results(&Config::default(), &problems, &completions, &scores, &train, &held_out)
                .unwrap();
        let of = |set: &str| {
            let mut rows = found.controls.iter();
            rows.find(|row| row.set == set && row.name == AUTHOR_WEIGHTED).unwrap().accuracy
        };
        // `one` has 2 of 3 in training and `two` 3 of 5 in all.
        assert_eq!((of("easy"), of("hard")), (0.0, 1.0));
        assert_eq!(found.authors[1].easy_accuracy, 0.6);
    }
}
