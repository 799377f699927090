//! One round of ReST-EM: Singh et al., "Beyond Human Data: Scaling Self-Training
//! for Problem-Solving with Language Models" (TMLR 2024), algorithm 1.
//!
//! The E-step samples completions (not here) and keeps those whose reward exceeds
//! `reward_threshold`, at most `max_solutions_per_problem` a problem (the paper's
//! section 4 and Sun et al. 2024, appendix C.3, both have 10); the M-step
//! fine-tunes on them as on demonstrations.
//!
//! Departures: identical completions of a problem count once, and training starts
//! from whatever weights it is given (Singh et al. start from the base model each
//! round, which the caller may do too).

use std::collections::{BTreeMap, HashSet};

use gradus::run::Work;
use gradus_model::LocalModel;
use serde::{Deserialize, Serialize};

use crate::{PromptCompletion, Summary, TrainConfig, TrainError, sft};

/// A sampled completion with its reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Id of the problem.
    pub problem: String,
    /// The prompt.
    pub prompt: String,
    /// The completion, without an end-of-sequence token.
    pub completion: String,
    /// 1 or 0 from a verdict, or an evaluator's score where there is no gold answer.
    pub reward: f64,
}

/// Config of [`run`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RestEmConfig {
    /// Completions whose reward is greater are kept.
    pub reward_threshold: f64,
    /// At most so many are kept of a problem, those with the greatest reward
    /// first, then in the order of sampling.
    pub max_solutions_per_problem: usize,
    /// The fine-tuning.
    pub train: TrainConfig,
}

impl Default for RestEmConfig {
    fn default() -> Self {
        Self {
            reward_threshold: 0.5,
            max_solutions_per_problem: 10,
            train: TrainConfig {
                learning_rate: 2e-3,
                num_train_epochs: 4,
                ..TrainConfig::default()
            },
        }
    }
}

/// The E-step's choice, problems in the order of their first candidate.
pub fn select(candidates: &[Candidate], config: &RestEmConfig) -> Vec<PromptCompletion> {
    let mut order = Vec::new();
    let mut kept: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for candidate in candidates {
        let passes = candidate.reward > config.reward_threshold;
        if passes && seen.insert((&candidate.problem, &candidate.completion)) {
            let of_problem = kept.entry(&candidate.problem).or_insert_with(|| {
                order.push(&candidate.problem);
                Vec::new()
            });
            of_problem.push(candidate);
        }
    }
    let mut rows = Vec::new();
    for problem in order {
        let mut best = kept.remove(problem.as_str()).unwrap_or_default();
        best.sort_by(|one, two| two.reward.total_cmp(&one.reward));
        rows.extend(best.iter().take(config.max_solutions_per_problem).map(|candidate| {
            PromptCompletion {
                prompt: candidate.prompt.clone(),
                completion: candidate.completion.clone(),
            }
        }));
    }
    rows
}

/// Selects among `candidates` and fine-tunes `model` on what is kept.
pub fn run(
    model: &mut LocalModel,
    candidates: &[Candidate],
    config: &RestEmConfig,
    work: &Work,
) -> Result<Summary, TrainError> {
    let rows = select(candidates, config);
    if rows.is_empty() {
        let reason = format!("hold none with a reward above {}", config.reward_threshold);
        return Err(TrainError::Rows { rows: candidates.len(), reason });
    }
    work.monitor().note(format!(
        "{}: kept {} of {} completions",
        work.name(),
        rows.len(),
        candidates.len()
    ));
    sft::run(model, &rows, &config.train, work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(problem: &str, completion: &str, reward: f64) -> Candidate {
        Candidate {
            problem: problem.into(),
            prompt: format!("{problem}?"),
            completion: completion.into(),
            reward,
        }
    }

    fn selected(candidates: &[Candidate], cap: usize) -> Vec<String> {
        let config = RestEmConfig { max_solutions_per_problem: cap, ..RestEmConfig::default() };
        select(candidates, &config)
            .into_iter()
            .map(|row| format!("{}{}", row.prompt, row.completion))
            .collect()
    }

    #[test]
    fn right_completions_are_kept_once_and_up_to_the_cap() {
        let candidates = [
            candidate("b", "1", 1.0),
            candidate("a", "x", 0.0),
            candidate("b", "1", 1.0),
            candidate("a", "y", 1.0),
            candidate("b", "2", 1.0),
            candidate("b", "3", 1.0),
        ];
        assert_eq!(selected(&candidates, 2), ["b?1", "b?2", "a?y"]);
        assert_eq!(selected(&candidates, 10), ["b?1", "b?2", "b?3", "a?y"]);
    }

    #[test]
    fn with_scores_the_best_of_a_problem_is_kept() {
        let candidates = [
            candidate("a", "x", 0.6),
            candidate("a", "y", 0.9),
            candidate("b", "z", 0.5),
            candidate("b", "u", f64::NAN),
        ];
        assert_eq!(selected(&candidates, 1), ["a?y"]);
    }

    #[test]
    fn nothing_to_keep_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let work = Work::scratch(dir.path(), "rest_em", gradus::run::Monitor::silent()).unwrap();
        let mut model = crate::test_model::bytes();
        let config = RestEmConfig::default();
        let error = run(&mut model, &[candidate("a", "x", 0.0)], &config, &work).unwrap_err();
        assert_eq!(error.to_string(), "the 1 rows hold none with a reward above 0.5");
    }
}
