//! Ratings from games, or from attempts at problems: an attempt is a game of solver and
//! problem, and the problem's rating is its difficulty.
//!
//! A system is one file with a row in [`ALL`]. [`rate`] takes a file of games as it
//! streams; a [`Rater`] takes games of numbered competitors from anywhere.

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
pub const ALL: &[RatingSystem] =
    &[elo::SYSTEM, glicko::SYSTEM, glicko2::SYSTEM, bradley_terry::SYSTEM, trueskill::SYSTEM];

/// The rating system called `name`.
pub fn find(name: &str) -> Result<&'static RatingSystem, RatingError> {
    ALL.iter().find(|system| system.name == name).ok_or_else(|| RatingError::Unknown {
        name: name.to_owned(),
        known: ALL.iter().map(|system| system.name).collect::<Vec<_>>().join(", "),
    })
}
