use super::fit::Fit;

/// Why there are no estimates; each displays as one sentence fragment.
#[derive(Debug, thiserror::Error)]
pub enum IrtError {
    /// No model has this name.
    #[error("unknown model {name:?}, expected one of {known}")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A score that the model has no category for.
    #[error(
        "item {item:?}, respondent {respondent:?}: found score {score}, expected 0 or 1 under \
         {model}; use graded or partial-credit for other scores"
    )]
    NotBinary {
        /// The item.
        item: String,
        /// The respondent.
        respondent: String,
        /// The score.
        score: f32,
        /// The model.
        model: &'static str,
    },
    /// An item with too many different scores.
    #[error("item {item:?}: found {found} different scores, expected at most {most}; round them")]
    TooManyCategories {
        /// The item.
        item: String,
        /// How many.
        found: usize,
        /// How many can be modelled.
        most: usize,
    },
    /// The answers do not determine the parameters.
    #[error("the {model} model is not identified by these answers: {reason}")]
    NotIdentified {
        /// The model.
        model: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// There are too few respondents for the model, whatever they answered.
    #[error("the {model} model needs at least {needed} respondents, found {found}; {instead}")]
    TooFewRespondents {
        /// The model.
        model: &'static str,
        /// How many there are.
        found: f64,
        /// How many there must be.
        needed: usize,
        /// What to do.
        instead: &'static str,
    },
    /// Estimation ended before it converged.
    #[error(
        "not converged after {cycles} cycles: parameters still move by {change:.1e}, expected less \
         than {tolerance:.0e}; add a prior or answers, or allow more cycles"
    )]
    NotConverged {
        /// Cycles that were made.
        cycles: usize,
        /// Estimated distance of the parameters from where they would end.
        change: f64,
        /// What it should be.
        tolerance: f64,
        /// Where estimation stood; these are no estimates.
        last: Box<Fit>,
    },
    /// A setting that does not fit the answers.
    #[error("{setting}: found {found}, expected {expected}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What was given.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A statistic that needs something these answers do not have.
    #[error("{statistic} is not computed: {reason}")]
    NotComputed {
        /// Name of the statistic.
        statistic: &'static str,
        /// Why, and what to use instead.
        reason: String,
    },
}
