//! Herbrich, Minka and Graepel 2007, *`TrueSkill`: a Bayesian skill rating system*
//! (NIPS 19), for two players: the closed form of section 4 and table 1.
//!
//! | paper | here |
//! | --- | --- |
//! | mu, sigma | rating, deviation |
//! | beta, gamma (dynamics) | `beta`, `tau` |
//! | epsilon | from `draw_probability`: `sqrt(2) beta Phi^-1((p + 1) / 2)` |
//! | v, w | [`shift`], [`shrink`] |
//!
//! Ratings move with every game, so their order matters; periods do not. A score is 1,
//! 0.5 (a draw) or 0. A problem (static) has no dynamics.

use std::f64::consts::{PI, SQRT_2};

use serde::Deserialize;
use statrs::function::erf::{erfc, erfc_inv};

use super::rating::{
    Entrant, Expected, Motion, Rater, RatingError, RatingSystem, Standing, parameters,
};

const NAME: &str = "trueskill";

pub(super) const SYSTEM: RatingSystem = RatingSystem {
    name: NAME,
    summary: "Gaussian skill with its deviation, game by game, with draws",
    source: "Herbrich, Minka and Graepel 2007, TrueSkill: a Bayesian skill rating system",
    build: |given| {
        let check = |system: &TrueSkill| {
            let fine = system.start_deviation > 0.0
                && system.beta > 0.0
                && system.tau >= 0.0
                && (0.0..1.0).contains(&system.draw_probability)
                && system.start.is_finite();
            (!fine).then_some(
                "start_deviation and beta must be above 0, tau from 0 up, \
                 draw_probability from 0 to below 1",
            )
        };
        let system: TrueSkill = parameters(NAME, given, check)?;
        let margin = SQRT_2 * system.beta * -SQRT_2 * erfc_inv(system.draw_probability + 1.0);
        Ok(Box::new(TrueSkillRater { system, margin, states: Vec::new() }))
    },
};

/// Parameters, in units of skill: those of the paper by default.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TrueSkill {
    /// Skill of newcomers.
    start: f64,
    /// Deviation of newcomers.
    start_deviation: f64,
    /// Deviation of a performance from the skill.
    beta: f64,
    /// Deviation that a skill gains before each game.
    tau: f64,
    /// Chance of a draw among equals.
    draw_probability: f64,
}

impl Default for TrueSkill {
    fn default() -> Self {
        let start_deviation = 25.0 / 3.0;
        Self {
            start: 25.0,
            start_deviation,
            beta: start_deviation / 2.0,
            tau: start_deviation / 100.0,
            draw_probability: 0.1,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    mean: f64,
    variance: f64,
    motion: Motion,
}

struct TrueSkillRater {
    system: TrueSkill,
    /// Epsilon: differences of performance below it are a draw.
    margin: f64,
    states: Vec<State>,
}

fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

fn cumulative(x: f64) -> f64 {
    0.5 * erfc(-x / SQRT_2)
}

/// v of a win: density over cumulative, also far out, where both vanish.
fn shift(x: f64) -> f64 {
    if x > -30.0 {
        return density(x) / cumulative(x);
    }
    // Laplace's continued fraction of Mills' ratio, good to ten digits there.
    let y = -x;
    y + 1.0 / (y + 2.0 / (y + 3.0 / (y + 4.0 / y)))
}

/// v and w of a win: t is the winner's lead, both over the deviation of the difference.
fn win(lead: f64, margin: f64) -> (f64, f64) {
    let v = shift(lead - margin);
    (v, shrink(v, lead - margin))
}

/// w of a win, in 0..=1.
fn shrink(v: f64, x: f64) -> f64 {
    (v * (v + x)).clamp(0.0, 1.0)
}

/// v and w of a draw.
fn draw(lead: f64, margin: f64) -> (f64, f64) {
    let (above, below) = (margin - lead, -margin - lead);
    let chance = cumulative(above) - cumulative(below);
    if chance < 1e-200 {
        // A draw that could not happen: performances meet at the nearer margin.
        let nearest = if lead > 0.0 { margin - lead } else { -margin - lead };
        return (nearest, 1.0);
    }
    let v = (density(below) - density(above)) / chance;
    let w = v * v + (above * density(above) - below * density(below)) / chance;
    (v, w.clamp(0.0, 1.0))
}

impl TrueSkillRater {
    fn spread(&self, variances: f64) -> f64 {
        (2.0 * self.system.beta.powi(2) + variances).sqrt()
    }
}

impl Rater for TrueSkillRater {
    fn enter(&mut self, entrant: &Entrant) -> Result<(), RatingError> {
        let known = entrant.known;
        let deviation = known.and_then(|known| known.deviation);
        self.states.push(State {
            mean: known.map_or(self.system.start, |known| known.rating),
            variance: deviation.unwrap_or(self.system.start_deviation).powi(2),
            motion: entrant.motion,
        });
        Ok(())
    }

    fn play(&mut self, player: usize, opponent: usize, score: f64) -> Result<(), RatingError> {
        if score != 0.0 && score != 0.5 && score != 1.0 {
            return Err(RatingError::Score { system: NAME, score, expected: "0, 0.5 or 1" });
        }
        for competitor in [player, opponent] {
            let state = &mut self.states[competitor];
            if state.motion == Motion::Drifts {
                state.variance += self.system.tau.powi(2);
            }
        }
        let (one, other) = (self.states[player], self.states[opponent]);
        let spread = self.spread(one.variance + other.variance);
        let (lead, margin) = ((one.mean - other.mean) / spread, self.margin / spread);
        // By how many spreads the player's lead turned out larger, and how sure that is.
        let (moved, sure) = if score == 1.0 {
            win(lead, margin)
        } else if score == 0.0 {
            let (v, w) = win(-lead, margin);
            (-v, w)
        } else {
            draw(lead, margin)
        };
        for (competitor, moved) in [(player, moved), (opponent, -moved)] {
            let state = &mut self.states[competitor];
            if state.motion != Motion::Held {
                let share = state.variance / spread;
                state.mean += share * moved;
                state.variance *= 1.0 - share / spread * sure;
            }
        }
        Ok(())
    }

    fn close_period(&mut self, _passed: u64) -> Result<(), RatingError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Standing>, RatingError> {
        let standing = |state: &State| Standing {
            rating: state.mean,
            deviation: Some(state.variance.sqrt()),
            volatility: None,
        };
        Ok(self.states.iter().map(standing).collect())
    }

    /// A draw counts one half: the mean of the chances to be ahead by the margin and
    /// not to be behind by it.
    fn expected(&self, one: &Standing, other: &Standing, deviates: f64) -> Expected {
        let curve = |difference: f64, spread: f64| {
            let win = cumulative((difference - self.margin) / spread);
            let not_lost = cumulative((difference + self.margin) / spread);
            f64::midpoint(win, not_lost)
        };
        let [variance_one, variance_other] =
            [one, other].map(|who| who.deviation.unwrap_or(0.0).powi(2));
        let value = curve(one.rating - other.rating, self.spread(variance_one + variance_other));
        let sure = self.spread(0.0);
        Expected::of_difference(value, one, other, deviates, |difference| curve(difference, sure))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::test_games::{close, enter, play, standings};
    use super::*;

    fn rater() -> Box<dyn Rater> {
        (SYSTEM.build)(&json!(null)).unwrap()
    }

    // Computed with math.erfc and statistics.NormalDist of Python 3.11. trueskill 0.4.5
    // and skillratings 0.29.2 (ratings.json of the known answers: 29.395832020,
    // 7.171475587, 6.457519662) use an erfc that is good to 1.2e-7 only, so they agree
    // with each other to more digits than with this.
    #[test]
    fn a_win_and_a_draw_among_newcomers_are_reproduced() {
        let rated = play(&mut *rater(), 2, &[(0, 1, 1.0)]);
        let deviations = [rated[0], rated[1]].map(|standing| standing.deviation.unwrap());
        close(rated[0].rating, 29.395_831_692_991_514, 1e-12);
        close(rated[1].rating, 50.0 - 29.395_831_692_991_514, 1e-12);
        close(deviations[0], 7.171_475_807_009_221, 1e-12);
        assert_eq!(deviations[0], deviations[1]);
        close(rated[0].rating, 29.395_832_019_999_16, 5e-7);
        close(deviations[0], 7.171_475_587_326_195, 5e-7);
        let rated = play(&mut *rater(), 2, &[(0, 1, 0.5)]);
        close(rated[0].rating, 25.0, 1e-12);
        close(rated[0].deviation.unwrap(), 6.457_515_683_245_048, 1e-12);
        close(rated[0].deviation.unwrap(), 6.457_519_662_317_322, 5e-6);
    }

    #[test]
    fn a_loss_is_the_other_ones_win() {
        let won = play(&mut *rater(), 2, &[(0, 1, 1.0)]);
        let lost = play(&mut *rater(), 2, &[(1, 0, 0.0)]);
        assert_eq!(won, lost);
    }

    #[test]
    fn impossible_results_move_ratings_by_finite_steps() {
        for score in [0.0, 0.5] {
            let mut rater = rater();
            let far = standings([(1000.0, Some(1.0)), (0.0, Some(1.0))]);
            enter(&mut *rater, &far, Motion::Drifts);
            rater.play(0, 1, score).unwrap();
            let rated = rater.finish().unwrap();
            assert!(rated[0].rating < 1000.0 && rated[0].rating > 900.0, "{rated:?}");
            assert!(rated[0].deviation.unwrap() > 0.5, "{rated:?}");
        }
    }

    #[test]
    fn the_series_meets_the_quotient() {
        close(shift(-30.000_000_1), shift(-29.999_999_9), 1e-6);
        close(shift(-1e6), 1e6 + 1e-6, 1e-9);
    }

    #[test]
    fn a_share_of_a_win_is_refused() {
        let mut rater = rater();
        enter(&mut *rater, &standings([(25.0, None), (25.0, None)]), Motion::Drifts);
        assert_eq!(
            rater.play(0, 1, 0.3).unwrap_err().to_string(),
            "found a score of 0.3, expected 0, 0.5 or 1, as trueskill needs"
        );
    }

    #[test]
    fn equals_are_expected_to_share() {
        let [one, other] = standings([(25.0, Some(1.0)), (25.0, Some(1.0))]);
        let expected = rater().expected(&one, &other, 1.96);
        close(expected.value, 0.5, 1e-15);
        close(expected.low + expected.high, 1.0, 1e-12);
    }
}
