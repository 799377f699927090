use serde::Serialize;

/// Does the answer match? Unscored is not wrong: five values, all five shown.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The answer matches the gold.
    Correct,
    /// The answer was read and does not match.
    Incorrect,
    /// No answer was found in the completion.
    NoAnswer,
    /// The gold itself could not be read.
    BadGold,
    /// The work budget was spent before a decision.
    Undecided,
}

/// A verdict with what was read and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Grade {
    /// The verdict.
    pub verdict: Verdict,
    /// The answer that was extracted, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Machine-readable reason: the rule that matched, or what differed.
    pub reason: String,
}
