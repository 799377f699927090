//! Elo 1978, *The Rating of Chessplayers, Past and Present*, with the logistic curve:
//! `R += K (S - E)`, `E = 1 / (1 + 10^((R_opponent - R) / 400))`.
//!
//! Ratings move with every game, so their order matters; periods do not. There is no
//! standard error. One natural logit is 173.7178 points.

use serde::Deserialize;

use super::rating::{
    Entrant, Expected, Motion, Rater, RatingError, RatingSystem, Standing, logistic, parameters,
};

const NAME: &str = "elo";

pub(super) const SYSTEM: RatingSystem = RatingSystem {
    name: NAME,
    summary: "points that move by k with every game; no standard error",
    source: "Elo 1978, The Rating of Chessplayers, Past and Present",
    build: |given| {
        let check = |elo: &Elo| {
            let fine = elo.k > 0.0 && elo.k.is_finite() && elo.start.is_finite();
            (!fine).then_some("k must be above 0, start a number")
        };
        Ok(Box::new(EloRater { elo: parameters(NAME, given, check)?, ratings: Vec::new() }))
    },
};

/// Points that correspond to one natural logit: 400 / ln 10.
pub(super) const POINTS: f64 = 400.0 / std::f64::consts::LN_10;

/// Parameters.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Elo {
    /// Largest change by one game, in points.
    k: f64,
    /// Rating of newcomers.
    start: f64,
}

impl Default for Elo {
    fn default() -> Self {
        Self { k: 32.0, start: 1500.0 }
    }
}

struct EloRater {
    elo: Elo,
    /// Rating, and how far it follows a game: `k`, or 0 where it is held.
    ratings: Vec<(f64, f64)>,
}

impl Rater for EloRater {
    fn enter(&mut self, entrant: &Entrant) -> Result<(), RatingError> {
        let rating = entrant.known.map_or(self.elo.start, |known| known.rating);
        let k = if entrant.motion == Motion::Held { 0.0 } else { self.elo.k };
        self.ratings.push((rating, k));
        Ok(())
    }

    fn play(&mut self, player: usize, opponent: usize, score: f64) -> Result<(), RatingError> {
        let difference = self.ratings[player].0 - self.ratings[opponent].0;
        let surprise = score - logistic(difference / POINTS);
        let (rating, k) = &mut self.ratings[player];
        *rating += *k * surprise;
        let (rating, k) = &mut self.ratings[opponent];
        *rating -= *k * surprise;
        Ok(())
    }

    fn close_period(&mut self, _passed: u64) -> Result<(), RatingError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Standing>, RatingError> {
        let standing =
            |&(rating, _): &(f64, f64)| Standing { rating, deviation: None, volatility: None };
        Ok(self.ratings.iter().map(standing).collect())
    }

    fn expected(&self, one: &Standing, other: &Standing, deviates: f64) -> Expected {
        let curve = |difference| logistic(difference / POINTS);
        let value = curve(one.rating - other.rating);
        Expected::of_difference(value, one, other, deviates, curve)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_games::{play, standings};
    use super::*;

    // k 32, equal ratings, a win: 1016 and 984 from 1000 (ratings.json of the known answers).
    #[test]
    fn a_win_among_equals_moves_half_of_k() {
        let mut rater = (SYSTEM.build)(&serde_json::json!({ "start": 1000.0 })).unwrap();
        let rated = play(&mut *rater, 2, &[(0, 1, 1.0)]);
        assert_eq!((rated[0].rating, rated[1].rating), (1016.0, 984.0));
    }

    // Elo's own scale: 200 points ahead is an expected score of 0.76.
    #[test]
    fn two_hundred_points_ahead_wins_three_of_four() {
        let mut rater = (SYSTEM.build)(&serde_json::Value::Null).unwrap();
        let [one, other] = standings([(1700.0, None), (1500.0, None)]);
        let expected = rater.expected(&one, &other, 1.96);
        assert!((expected.value - 0.7597).abs() < 5e-5);
        assert_eq!((expected.low, expected.high), (expected.value, expected.value));
        assert!(rater.finish().unwrap().is_empty());
    }

    #[test]
    fn a_parameter_that_does_not_exist_is_named() {
        let error = (SYSTEM.build)(&serde_json::json!({ "K": 1 })).err().unwrap().to_string();
        assert!(error.starts_with("parameters of elo: unknown field `K`, expected"), "{error}");
    }
}
