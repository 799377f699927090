/// Why samples cannot be selected from; each displays as one sentence fragment.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SearchError {
    /// A table has no row of this name.
    #[error("no {what} is called {name:?}: known are {known}")]
    Unknown {
        /// "method" or "aggregate".
        what: &'static str,
        /// What was asked for.
        name: String,
        /// The names of the table.
        known: String,
    },
    /// The settings ask for nothing that can be computed.
    #[error("{field} is {found}, expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Two problems of a file have the same id.
    #[error("problem {problem:?} is there twice, expected one gold and level for each id")]
    DuplicateProblem {
        /// The id.
        problem: String,
    },
    /// There is no sample at all.
    #[error("found no samples, expected at least one problem with one")]
    NoSamples,
    /// A pool is smaller than what is to be drawn from it.
    #[error("problem {problem:?} has {samples} samples, expected at least n = {n}")]
    TooFew {
        /// Id of the problem.
        problem: String,
        /// Samples in its pool.
        samples: usize,
        /// Samples to be drawn.
        n: usize,
    },
    /// A sample lacks what an aggregation reduces.
    #[error("problem {problem:?} sample {sample} has no {needs}, which {aggregate} needs")]
    NoScore {
        /// Id of the problem.
        problem: String,
        /// Index of the sample.
        sample: u32,
        /// The aggregation.
        aggregate: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// The pool was not built with this aggregation.
    #[error("the samples of problem {problem:?} were not reduced by {aggregate}")]
    NotReduced {
        /// Id of the problem.
        problem: String,
        /// The aggregation.
        aggregate: &'static str,
    },
    /// A method needs to know whether steps are valid.
    #[error("problem {problem:?} has samples without `sound`, which {method} needs")]
    NoSoundness {
        /// Id of the problem.
        problem: String,
        /// The method.
        method: &'static str,
    },
    /// Nothing says whether an answer is correct.
    #[error(
        "problem {problem:?} has neither `correct` nor a gold answer, \
         in its rows or in a file of problems"
    )]
    NoGold {
        /// Id of the problem.
        problem: String,
    },
    /// The gold answer cannot be read.
    #[error("problem {problem:?} has the gold {gold:?}, which mode {mode} cannot read ({reason})")]
    BadGold {
        /// Id of the problem.
        problem: String,
        /// The gold answer.
        gold: String,
        /// Name of the mode.
        mode: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Whether an answer is the gold was not decided within the mode's budget.
    #[error(
        "problem {problem:?}: mode {mode} could not decide whether {answer:?} is the gold \
        {gold:?} ({reason}); give such rows their `correct`"
    )]
    Undecided {
        /// Id of the problem.
        problem: String,
        /// The gold answer.
        gold: String,
        /// The answer of a sample.
        answer: String,
        /// Name of the mode.
        mode: &'static str,
        /// Where the budget was spent.
        reason: String,
    },
    /// Samples of one problem contradict each other.
    #[error("problem {problem:?} sample {sample}: found {found}, expected {expected} as before")]
    Contradiction {
        /// Id of the problem.
        problem: String,
        /// Index of the sample.
        sample: u32,
        /// What it says.
        found: String,
        /// What an earlier sample said.
        expected: String,
    },
    /// Two samples of a problem have the same index.
    #[error("problem {problem:?} has sample {sample} twice")]
    DuplicateSample {
        /// Id of the problem.
        problem: String,
        /// Index of the sample.
        sample: u32,
    },
}
