//! How hard a problem is, from who solved what.
//!
//! Ratings treat an attempt as a game of solver and problem ([`RatingSystem`], one file
//! a system with a row in [`RATING_SYSTEMS`]).

// Ratings, labels, profiles.
mod bradley_terry;
mod elo;
mod game;
mod glicko;
mod glicko2;
mod problem_as_player;
mod rated;
mod rating;
#[cfg(test)]
mod test_games;
mod trueskill;

pub use game::Game;
pub use glicko2::{Glicko2, Glicko2Rater};
pub use problem_as_player::Opponents;
pub use rated::{Rated, RatingSettings, rate};
pub use rating::{
    Entrant, Expected, Motion, Rater, Rating, RatingError, RatingSystem, Role, Standing,
};

/// Every rating system.
pub const RATING_SYSTEMS: &[RatingSystem] =
    &[elo::SYSTEM, glicko::SYSTEM, glicko2::SYSTEM, bradley_terry::SYSTEM, trueskill::SYSTEM];

/// The rating system called `name`.
pub fn rating_system(name: &str) -> Result<&'static RatingSystem, RatingError> {
    RATING_SYSTEMS.iter().find(|system| system.name == name).ok_or_else(|| RatingError::Unknown {
        name: name.to_owned(),
        known: RATING_SYSTEMS.iter().map(|system| system.name).collect::<Vec<_>>().join(", "),
    })
}
