//! Procedural task families: problems without end, each with an exact checker
//! of the answer and of every step.
//!
//! A family is one file with a [`Family`] row in [`ALL`].

use std::ops::RangeInclusive;

use crate::data::{Problem, Span};
use crate::run::Stream;

mod sets;
mod signed_running_totals;

pub use sets::{Overlap, SetSpec, overlap, sample_sets};
pub use signed_running_totals::{ActiveOperations, SignedRunningTotals};

/// Every task family.
pub const ALL: &[Family] = &[signed_running_totals::FAMILY];

/// A row of the table of families.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Builds the family from its parameters: a JSON object, `null` for the defaults.
    pub build: fn(&serde_json::Value) -> Result<Box<dyn TaskFamily>, TaskError>,
}

/// The family called `name`.
pub fn find(name: &str) -> Result<&'static Family, TaskError> {
    ALL.iter().find(|family| family.name == name).ok_or_else(|| TaskError::UnknownFamily {
        name: name.to_owned(),
        known: ALL.iter().map(|family| family.name).collect::<Vec<_>>().join(", "),
    })
}

/// Problems of graded difficulty whose every step can be checked.
pub trait TaskFamily: Send + Sync {
    /// Name, as in [`ALL`].
    fn name(&self) -> &'static str;
    /// One line for listings.
    fn summary(&self) -> &'static str;
    /// The levels, small is easy.
    fn levels(&self) -> RangeInclusive<u32>;
    /// The levels that count as easy.
    fn easy_levels(&self) -> RangeInclusive<u32>;
    /// Every symbol that questions and solutions are made of; padding and
    /// end-of-sequence are the tokenizer's business.
    fn symbols(&self) -> Vec<String>;
    /// Length in symbols of the longest well-formed solution, the end-of-sequence token included.
    fn max_solution_tokens(&self) -> usize;
    /// Draws one problem of `level`; its id is left empty.
    fn sample(&self, level: u32, stream: &mut Stream) -> Result<Problem, TaskError>;
    /// The reference solution.
    fn solution(&self, problem: &Problem) -> Result<String, TaskError>;
    /// What each step of the solution exercises, the answer block last; for tables by rule.
    fn step_kinds(&self, problem: &Problem) -> Result<Vec<&'static str>, TaskError>;
    /// Judges any text as a solution; `complete` says that its author ended it
    /// (an end-of-sequence token), rather than a token limit.
    fn check(&self, problem: &Problem, text: &str, complete: bool) -> Result<StepCheck, TaskError>;
    /// The problem without what does not change its solution, to find near duplicates.
    fn structure(&self, problem: &Problem) -> Result<String, TaskError>;
}

/// What an exact checker found in one completion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepCheck {
    /// Byte spans of the steps, each with the newline that ends it; the last
    /// one of a well-formed completion is its answer block. Never empty.
    pub steps: Vec<Span>,
    /// Per step: does it follow from the step before it *as written* (the "local" label).
    pub valid: Vec<bool>,
    /// The answer, where the completion is well-formed and complete.
    pub answer: Option<String>,
    /// The answer is the true one.
    pub correct: bool,
}

impl StepCheck {
    /// Per step: are it and all before it valid (the "sticky" label).
    pub fn prefix_correct(&self) -> Vec<bool> {
        self.valid
            .iter()
            .scan(true, |so_far, &valid| {
                *so_far &= valid;
                Some(*so_far)
            })
            .collect()
    }

    /// The answer is right and no step on the way to it is wrong.
    pub fn sound(&self) -> bool {
        self.correct && self.valid.iter().all(|&valid| valid)
    }
}

/// A family cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No family has this name.
    #[error("no task family is called {name:?}: known are {known}")]
    UnknownFamily {
        /// What was asked for.
        name: String,
        /// The names of [`ALL`].
        known: String,
    },
    /// The parameters make no family.
    #[error("parameters of {family}: {reason}")]
    Parameters {
        /// Name of the family.
        family: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// The family has no such level.
    #[error("{family} has levels {first} to {last}, not {level}")]
    UnknownLevel {
        /// Name of the family.
        family: &'static str,
        /// What was asked for.
        level: u32,
        /// The easiest level.
        first: u32,
        /// The hardest level.
        last: u32,
    },
    /// A problem is not one of this family with these parameters.
    #[error("problem {id:?} is not one of {family}: {reason}")]
    ForeignProblem {
        /// Name of the family.
        family: &'static str,
        /// The problem's id.
        id: String,
        /// What was found.
        reason: String,
    },
    /// A set names no level.
    #[error("set {set:?} names no level")]
    NoLevels {
        /// Name of the set.
        set: String,
    },
    /// A level has too few distinct problems.
    #[error(
        "set {set:?} needs another problem of level {level} after {found} of {count}, \
         but {draws} draws gave only questions that some set has already"
    )]
    Exhausted {
        /// Name of the set.
        set: String,
        /// The level.
        level: u32,
        /// Problems that the set has so far.
        found: usize,
        /// Problems that the set needs.
        count: usize,
        /// Draws without a new question.
        draws: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_builds_by_default_and_solves_its_own_problems() {
        for row in ALL {
            let family = (row.build)(&serde_json::Value::Null).unwrap();
            assert_eq!((family.name(), family.summary()), (row.name, row.summary));
            for level in family.levels() {
                let mut stream = Stream::new(1, &["every family"]);
                let problem = family.sample(level, &mut stream).unwrap();
                let solution = family.solution(&problem).unwrap();
                let check = family.check(&problem, &solution, true).unwrap();
                assert!(check.sound(), "{}: {solution}", row.name);
                assert_eq!(check.answer, problem.answer);
                assert_eq!(family.step_kinds(&problem).unwrap().len(), check.steps.len());
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = find("running-sums").unwrap_err().to_string();
        let expected = "no task family is called \"running-sums\": known are signed-running-totals";
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(find("signed-running-totals").unwrap().name, "signed-running-totals");
    }

    #[test]
    fn prefix_correct_labels_stay_wrong_after_the_first_error() {
        let check = StepCheck {
            steps: vec![Span { start: 0, end: 1 }; 3],
            valid: vec![true, false, true],
            answer: Some("1".into()),
            correct: true,
        };
        assert_eq!(check.prefix_correct(), [true, false, false]);
        assert!(!check.sound());
    }
}
