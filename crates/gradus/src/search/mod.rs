//! Selection among samples: which answer to take when a model was asked n times.
//!
//! The protocol is that of easy-to-hard (Sun et al. 2024, arXiv 2403.09472,
//! section 4): candidates are grouped by the exact string of their answer, a
//! sample without an answer holds its slot and never wins, and a problem
//! without any answer counts as wrong. Departures: subsets of a pool are
//! averaged in closed form where there is one, accuracies are not rounded on
//! the way, and intervals hold the noise of the problems, not of the subsets.
//!
//! A selector is one file with a row in [`ALL`].

mod aggregate;
mod best_of_n;
mod curves;
mod error;
mod level;
mod majority;
mod oracle;
mod pool;
mod row;
mod sound_oracle;
mod vote;
mod weighted;

pub use aggregate::{AGGREGATIONS, Aggregation, aggregation};
pub use curves::{CurvePoint, Evaluation, Selection, Settings, evaluate};
pub use error::SearchError;
pub use level::Level;
pub use pool::{Candidate, Pool, Pools};
pub use row::{SampleRow, SearchRow};
pub use vote::Tally;

/// Every selector.
pub const ALL: &[Selector] = &[
    majority::SELECTOR,
    weighted::SELECTOR,
    best_of_n::SELECTOR,
    oracle::SELECTOR,
    sound_oracle::SELECTOR,
];

/// A way to choose one answer among the samples of a problem.
#[derive(Clone, Copy, Debug)]
pub struct Selector {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// What it needs to know of each sample beside its answer.
    pub needs: Needs,
    /// The chance, over ties, that the answer selected among the drawn slots
    /// (indices into the samples, in the order in which they were drawn) is correct.
    pub select: fn(&Samples<'_>, drawn: &[u32], Ties, &mut Tally) -> f64,
    /// The mean of `select` over all orders of all `n`-subsets of the samples,
    /// where there is a closed form.
    pub expectation: Option<fn(&Samples<'_>, n: usize) -> f64>,
}

/// What a selector needs to know of each sample beside its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A score, by some aggregation of the step scores.
    Scores,
    /// Whether every step is valid.
    Soundness,
}

/// What to do when several answers are the best.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ties {
    /// Take the one that was seen first.
    #[default]
    First,
    /// Take any of them with the same chance; accuracies hold the expectation.
    Random,
}

/// The samples of one problem as a selector sees them, slot by slot.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// The answer of each slot as an index into `correct`; `None` where there is none.
    pub answers: &'a [Option<u32>],
    /// Per distinct answer: is it correct.
    pub correct: &'a [bool],
    /// Per slot: is every step valid; empty unless the selector needs it.
    pub sound: &'a [bool],
    /// Per slot: the score to rank by; empty unless the selector needs it.
    pub scores: &'a [f64],
    /// Per slot: the score as a weight in a vote. Only ratios within a problem
    /// have a meaning; empty unless the selector needs it.
    pub weights: &'a [f64],
    /// The scores are natural logarithms of the weights, up to a constant.
    pub logarithmic: bool,
}

impl Samples<'_> {
    /// Is the answer of this slot correct; no answer is not.
    pub fn is_correct(&self, slot: u32) -> bool {
        self.answers[slot as usize].is_some_and(|answer| self.correct[answer as usize])
    }
}

/// The selector called `name`.
pub fn find(name: &str) -> Result<&'static Selector, SearchError> {
    ALL.iter().find(|selector| selector.name == name).ok_or_else(|| SearchError::Unknown {
        what: "method",
        name: name.to_owned(),
        known: ALL.iter().map(|selector| selector.name).collect::<Vec<_>>().join(", "),
    })
}
