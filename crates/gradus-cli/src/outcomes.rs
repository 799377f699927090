//! Per-problem outcomes of a finished run, where its stages still hold them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gradus::data::hash_file;
use serde::Deserialize;
use serde_json::Value;

/// One seed's outcomes, as the selection stage of `easy-to-hard` leaves them.
#[derive(Debug, Deserialize)]
pub(crate) struct PerProblem {
    seed: u64,
    /// Per set, the level of each problem; the values of an outcome keep the same order.
    levels: BTreeMap<String, Vec<u64>>,
    outcomes: Vec<Outcome>,
    /// Per set, the hash of its test problems.
    #[serde(skip)]
    problems: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    set: String,
    generator: String,
    evaluator: Option<String>,
    method: String,
    aggregate: Option<String>,
    n: u64,
    values: Vec<f64>,
}

/// A row of `selection` in `results.json`, by what names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) set: &'a str,
    pub(crate) evaluator: &'a str,
    pub(crate) method: &'a str,
    pub(crate) aggregate: Option<&'a str>,
    pub(crate) n: u64,
    pub(crate) level: &'a Value,
}

/// The generator that the rows of `selection` are about.
const BASE: &str = "sft";

/// Reads every seed's outcomes; `None` where a run has none, as one copied without its stages.
pub(crate) fn read(dir: &Path, record: &Value) -> Option<Vec<PerProblem>> {
    let mut seeds = Vec::new();
    for stage in stages(dir, record, "selection-seed") {
        let text = std::fs::read_to_string(stage.join("outcomes.json")).ok()?;
        let mut outcomes: PerProblem = serde_json::from_str(&text).ok()?;
        let drawn = stages(dir, record, &format!("problems-seed{}", outcomes.seed)).pop()?;
        for set in outcomes.levels.keys() {
            let hash = hash_file(drawn.join(format!("{set}_test.jsonl"))).ok()?;
            outcomes.problems.insert(set.clone(), hash);
        }
        seeds.push(outcomes);
    }
    (!seeds.is_empty()).then_some(seeds)
}

/// Folders of the stages whose name begins so, in the order in which they ran.
fn stages(dir: &Path, record: &Value, prefix: &str) -> Vec<PathBuf> {
    let stages = record["stages"].as_array().into_iter().flatten();
    let named = stages.zip(1..).filter_map(|(stage, number)| {
        let name = stage["name"].as_str()?;
        let folder = || dir.join("stages").join(format!("{number:02}-{name}"));
        name.starts_with(prefix).then(folder)
    });
    named.collect()
}

/// Why a row of two runs is not paired over problems.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unpaired {
    /// A run does not hold the row's outcome of each problem.
    NoOutcomes,
    /// The runs have other problems, or another number of seeds.
    OtherProblems,
}

/// Second minus first of a row, problem by problem within each seed.
pub(crate) fn differences(
    first: &[PerProblem],
    second: &[PerProblem],
    wanted: [Wanted<'_>; 2],
) -> Result<Vec<Vec<f64>>, Unpaired> {
    let set = wanted[0].set;
    if first.len() != second.len() {
        return Err(Unpaired::OtherProblems);
    }
    let seeds = first.iter().zip(second);
    seeds
        .map(|(first, second)| {
            let problems = |side: &PerProblem| side.problems.get(set).cloned();
            let problems = problems(first).zip(problems(second)).ok_or(Unpaired::NoOutcomes)?;
            if problems.0 != problems.1 {
                return Err(Unpaired::OtherProblems);
            }
            let (first, second) = (first.values(wanted[0]), second.values(wanted[1]));
            let (first, second) = first.zip(second).ok_or(Unpaired::NoOutcomes)?;
            if first.len() != second.len() {
                return Err(Unpaired::NoOutcomes);
            }
            Ok(first.iter().zip(&second).map(|(one, two)| two - one).collect())
        })
        .collect()
}

impl PerProblem {
    fn values(&self, wanted: Wanted<'_>) -> Option<Vec<f64>> {
        let levels = self.levels.get(wanted.set)?;
        let outcome = self.outcomes.iter().find(|outcome| {
            outcome.set == wanted.set
                && outcome.generator == BASE
                && outcome.evaluator.as_deref().is_none_or(|name| name == wanted.evaluator)
                && outcome.method == wanted.method
                && outcome.aggregate.as_deref() == wanted.aggregate
                && outcome.n == wanted.n
        })?;
        let of_level = |level: &u64| wanted.level == "all" || *wanted.level == *level;
        let values = outcome.values.iter().zip(levels);
        Some(values.filter(|(_, level)| of_level(level)).map(|(value, _)| *value).collect())
    }
}
