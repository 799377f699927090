use std::fmt;

use serde::Serialize;

/// A difficulty level as its source writes it: a number or a name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub enum Level {
    /// As 4.
    Number(i64),
    /// As "Level 4" or "hard".
    Name(String),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl From<u32> for Level {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}
