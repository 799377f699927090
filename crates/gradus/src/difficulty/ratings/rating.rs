use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{DataError, FieldError, Fields, Row, RowError};

/// A row of the table of rating systems.
#[derive(Clone, Copy, Debug)]
pub struct RatingSystem {
    /// Name, as the command line uses it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// Builds a rater from the system's parameters: a JSON object, `null` for the defaults.
    pub build: fn(&Value) -> Result<Box<dyn Rater>, RatingError>,
}

/// Takes games as they come and keeps the state of the competitors only
/// (Bradley-Terry: one count for each pair that met).
///
/// Competitors are numbered from 0 in the order in which they enter.
pub trait Rater {
    /// A competitor enters.
    fn enter(&mut self, entrant: &Entrant) -> Result<(), RatingError>;

    /// One game of the period that is open; `score`, in 0..=1, is the player's.
    /// The two are different competitors that have entered.
    fn play(&mut self, player: usize, opponent: usize, score: f64) -> Result<(), RatingError>;

    /// Ends the open period; the next one begins `passed` periods later (1: at once).
    fn close_period(&mut self, passed: u64) -> Result<(), RatingError>;

    /// Ends the open period and brings everyone to its end: the standings, by number.
    fn finish(&mut self) -> Result<Vec<Standing>, RatingError>;

    /// What must be known to read the standings right.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The score that a competitor is expected to get against another, between 0 and 1,
    /// with the range that goes with `deviates` standard errors of the difference of
    /// their ratings. The point value of systems with deviations is already drawn
    /// towards one half by them, so it need not be that of the difference alone.
    fn expected(&self, one: &Standing, other: &Standing, deviates: f64) -> Expected;
}

/// A competitor as it enters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entrant {
    /// Its name, for messages and parameters that name someone.
    pub name: String,
    /// What is known of it beforehand; else it starts as the system says.
    pub known: Option<Standing>,
    /// How its rating may move.
    pub motion: Motion,
}

/// How a rating may move.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Motion {
    /// It is learnt, and what is rated changes over time.
    #[default]
    Drifts,
    /// It is learnt, and what is rated stays as it is: a problem. No volatility, no
    /// growth of the deviation over time.
    Static,
    /// It is what it was when the competitor entered.
    Held,
}

/// A rating as its system knows it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Standing {
    /// The rating, in the system's unit.
    pub rating: f64,
    /// Its standard error in the same unit, where the system has one.
    pub deviation: Option<f64>,
    /// Volatility per rating period, on the scale of the system's paper, where it has one.
    pub volatility: Option<f64>,
}

/// An expected score with its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expected {
    /// The expected score.
    pub value: f64,
    /// At the lower end of the difference of ratings.
    pub low: f64,
    /// At the upper end.
    pub high: f64,
}

impl Expected {
    /// A curve of the difference of two ratings, with its range where both have deviations.
    pub(super) fn of_difference(
        value: f64,
        one: &Standing,
        other: &Standing,
        deviates: f64,
        curve: impl Fn(f64) -> f64,
    ) -> Self {
        let difference = one.rating - other.rating;
        let error = match (one.deviation, other.deviation) {
            (Some(one), Some(other)) => deviates * one.hypot(other),
            _ => 0.0,
        };
        Self { value, low: curve(difference - error), high: curve(difference + error) }
    }
}

/// The logistic function.
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whether a competitor solves or is solved.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A player, or a solver of problems.
    Player,
    /// A problem: its rating is its difficulty.
    Problem,
}

/// A competitor's rating as a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rating {
    /// Name of the player or id of the problem.
    pub name: String,
    /// Which of the two it is.
    pub role: Role,
    /// The rating, in the system's unit; of a problem: high is hard.
    pub rating: f64,
    /// Its standard error in the same unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// Volatility per rating period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volatility: Option<f64>,
    /// Lower end of the 95% interval, `rating - 1.96 deviation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Games that were played.
    pub games: u64,
    /// Sum of the scores in them; of a problem: what it kept from its solvers.
    pub score: f64,
    /// Name of the system.
    pub system: String,
}

impl Rating {
    /// Without the names and counts.
    pub fn standing(&self) -> Standing {
        let Self { rating, deviation, volatility, .. } = *self;
        Standing { rating, deviation, volatility }
    }
}

impl Row for Rating {
    const NOUN: &str = "rating";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let role = match fields.optional_string("role")?.as_deref() {
            None | Some("player") => Role::Player,
            Some("problem") => Role::Problem,
            Some(other) => {
                let found = format!("{other:?}");
                return Err(FieldError::new("role", found, "\"player\" or \"problem\""));
            }
        };
        let row = Self {
            name: fields.text("name")?,
            role,
            rating: finite("rating", fields.f64("rating")?)?,
            deviation: fields.optional_f64("deviation")?,
            volatility: fields.optional_f64("volatility")?,
            low: fields.optional_f64("low")?,
            high: fields.optional_f64("high")?,
            games: fields.optional_u64("games")?.unwrap_or_default(),
            score: fields.optional_f64("score")?.unwrap_or_default(),
            system: fields.optional_string("system")?.unwrap_or_default(),
        };
        for (name, value) in [("deviation", row.deviation), ("volatility", row.volatility)] {
            if value.is_some_and(|value| value < 0.0) {
                return Err(FieldError::new(name, format!("{value:?}"), "a number from 0 up"));
            }
        }
        fields.ignore_rest();
        Ok(row)
    }
}

fn finite(field: &str, value: f64) -> Result<f64, FieldError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(FieldError::new(field, value.to_string(), "a finite number"))
    }
}

/// Why nothing can be rated; each displays as one sentence fragment.
#[derive(Debug, thiserror::Error)]
pub enum RatingError {
    /// No system has this name.
    #[error("no rating system is called {name:?}: known are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names of the table.
        known: String,
    },
    /// The parameters make no rater.
    #[error("parameters of {system}: {reason}")]
    Parameters {
        /// Name of the system.
        system: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// The rows cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is no game.
    #[error("found no games, expected at least one")]
    NoGames,
    /// The system cannot use such a score.
    #[error("found a score of {score}, expected {expected}, as {system} needs")]
    Score {
        /// Name of the system.
        system: &'static str,
        /// What stood there.
        score: f64,
        /// What it takes.
        expected: &'static str,
    },
    /// The system has no place for ratings that are known beforehand.
    #[error("{system} rates all games at once: it takes no ratings known beforehand")]
    NothingKnown {
        /// Name of the system.
        system: &'static str,
    },
    /// Some competitors have no finite rating, because all games between two groups
    /// went to one of them, or because they never met.
    #[error(
        "{system} has no finite ratings: the competitors fall into {} groups \
         with no way back by wins and draws from one to the next, of {}; \
         rate each group alone or set prior_games, as to 1",
        groups.len(), examples(groups)
    )]
    Disconnected {
        /// Name of the system.
        system: &'static str,
        /// Names of the competitors of each group, strongest group first where
        /// groups have met.
        groups: Vec<Vec<String>>,
    },
    /// An iteration did not come to its end.
    #[error("{system} did not converge in {iterations} iterations; {hint}")]
    NotConverged {
        /// Name of the system.
        system: &'static str,
        /// How many were tried.
        iterations: usize,
        /// What may help.
        hint: &'static str,
    },
}

impl From<RowError> for RatingError {
    fn from(error: RowError) -> Self {
        Self::Data(error.into())
    }
}

/// The sizes of the groups with their first names.
fn examples(groups: &[Vec<String>]) -> String {
    const SHOWN: usize = 3;
    let group = |names: &Vec<String>| {
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
        format!("{} ({}{more})", names.len(), first.join(", "))
    };
    let mut shown: Vec<String> = groups.iter().take(SHOWN).map(group).collect();
    if groups.len() > SHOWN {
        shown.push("...".into());
    }
    shown.join(", ")
}

/// A system's own parameters out of a JSON object, checked by `check`.
pub(super) fn parameters<T: Default + for<'de> Deserialize<'de>>(
    system: &'static str,
    given: &Value,
    check: impl FnOnce(&T) -> Option<&'static str>,
) -> Result<T, RatingError> {
    let refuse = |reason: String| RatingError::Parameters { system, reason };
    let read = if given.is_null() {
        T::default()
    } else {
        T::deserialize(given).map_err(|error| refuse(error.to_string()))?
    };
    match check(&read) {
        None => Ok(read),
        Some(reason) => Err(refuse(reason.to_owned())),
    }
}
