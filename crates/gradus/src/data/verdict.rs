use serde::Serialize;

use super::{FieldError, Fields, Row};

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

impl Verdict {
    /// All five, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Correct, Self::Incorrect, Self::NoAnswer, Self::BadGold, Self::Undecided];

    /// The name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Incorrect => "incorrect",
            Self::NoAnswer => "no_answer",
            Self::BadGold => "bad_gold",
            Self::Undecided => "undecided",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
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

impl Row for Grade {
    const NOUN: &str = "grade";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self {
            verdict: fields.verdict("verdict")?,
            answer: fields.optional_text("answer")?,
            reason: fields.string("reason")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_written_under_the_name_that_is_read() {
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
            assert_eq!(Verdict::from_name(verdict.name()), Some(verdict));
        }
    }
}
