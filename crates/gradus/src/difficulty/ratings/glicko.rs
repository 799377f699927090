//! Glickman 1999, *Parameter estimation in large dynamic paired comparison experiments*,
//! as its author's *The Glicko system* (1995) puts it in steps.
//!
//! All games of a period count against the ratings from before it. A deviation grows by
//! `RD = min(sqrt(RD^2 + c^2 t), start_deviation)` over the t periods since the last game;
//! a newcomer's does not.

use serde::Deserialize;

use super::elo::POINTS;
use super::glicko2::glicko_expected;
use super::rating::{
    Entrant, Expected, Motion, Rater, RatingError, RatingSystem, Standing, logistic, parameters,
};

const NAME: &str = "glicko";

pub(super) const SYSTEM: RatingSystem = RatingSystem {
    name: NAME,
    summary: "rating and deviation by rating periods",
    source: "Glickman 1999, Parameter estimation in large dynamic paired comparison experiments",
    build: |given| {
        let check = |glicko: &Glicko| {
            let fine = glicko.start_deviation > 0.0 && glicko.growth >= 0.0;
            (!(fine && glicko.start.is_finite()))
                .then_some("start_deviation must be above 0, growth from 0 up")
        };
        let glicko = parameters(NAME, given, check)?;
        Ok(Box::new(GlickoRater { glicko, states: Vec::new(), active: Vec::new(), period: 0 }))
    },
};

/// Parameters, in points.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Glicko {
    /// Rating of newcomers.
    start: f64,
    /// Deviation of newcomers, and the largest there is.
    start_deviation: f64,
    /// c: how much a deviation grows in a period. 63.2 takes 30 periods from 50 to 350,
    /// the example of Glickman 1995.
    growth: f64,
}

impl Default for Glicko {
    fn default() -> Self {
        Self { start: 1500.0, start_deviation: 350.0, growth: 63.2 }
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    rating: f64,
    deviation: f64,
    motion: Motion,
    /// The period of the last game.
    period: Option<u64>,
    /// Of the open period: did it play, `g(RD)`, sum of `g^2 E (1 - E)`, sum of `g (s - E)`.
    active: bool,
    g: f64,
    information: f64,
    improvement: f64,
}

struct GlickoRater {
    glicko: Glicko,
    states: Vec<State>,
    active: Vec<usize>,
    period: u64,
}

impl GlickoRater {
    /// The deviation at the beginning of `period`.
    fn grown(&self, state: &State, period: u64) -> f64 {
        let passed = state.period.map_or(0, |last| period.saturating_sub(last));
        if passed == 0 || state.motion != Motion::Drifts {
            return state.deviation;
        }
        let square = state.deviation.powi(2) + passed as f64 * self.glicko.growth.powi(2);
        square.sqrt().min(self.glicko.start_deviation).max(state.deviation)
    }
}

/// `g(RD) = 1 / sqrt(1 + 3 q^2 RD^2 / pi^2)` with q = ln 10 / 400.
fn g(deviation: f64) -> f64 {
    let scaled = deviation / POINTS / std::f64::consts::PI;
    1.0 / (1.0 + 3.0 * scaled * scaled).sqrt()
}

impl Rater for GlickoRater {
    fn enter(&mut self, entrant: &Entrant) -> Result<(), RatingError> {
        let Glicko { start, start_deviation, .. } = self.glicko;
        let known = entrant.known;
        self.states.push(State {
            rating: known.map_or(start, |known| known.rating),
            deviation: known.and_then(|known| known.deviation).unwrap_or(start_deviation),
            motion: entrant.motion,
            period: None,
            active: false,
            g: 0.0,
            information: 0.0,
            improvement: 0.0,
        });
        Ok(())
    }

    fn play(&mut self, player: usize, opponent: usize, score: f64) -> Result<(), RatingError> {
        for competitor in [player, opponent] {
            if !self.states[competitor].active {
                let deviation = self.grown(&self.states[competitor], self.period);
                let state = &mut self.states[competitor];
                (state.deviation, state.g) = (deviation, g(deviation));
                (state.information, state.improvement) = (0.0, 0.0);
                state.active = true;
                self.active.push(competitor);
            }
        }
        let (one, other) = (self.states[player], self.states[opponent]);
        let difference = (one.rating - other.rating) / POINTS;
        for (competitor, g, difference, score) in
            [(player, other.g, difference, score), (opponent, one.g, -difference, 1.0 - score)]
        {
            let expected = logistic(g * difference);
            let state = &mut self.states[competitor];
            state.information += g * g * expected * (1.0 - expected);
            state.improvement += g * (score - expected);
        }
        Ok(())
    }

    fn close_period(&mut self, passed: u64) -> Result<(), RatingError> {
        for competitor in self.active.drain(..) {
            let state = &mut self.states[competitor];
            if state.motion != Motion::Held {
                let scaled = state.deviation / POINTS;
                let variance = 1.0 / (1.0 / (scaled * scaled) + state.information);
                state.rating += POINTS * variance * state.improvement;
                state.deviation = POINTS * variance.sqrt();
            }
            state.period = Some(self.period);
            state.active = false;
        }
        self.period += passed;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Standing>, RatingError> {
        let last = self.period;
        self.close_period(1)?;
        let standing = |state: &State| Standing {
            rating: state.rating,
            deviation: Some(self.grown(state, last)),
            volatility: None,
        };
        Ok(self.states.iter().map(standing).collect())
    }

    fn expected(&self, one: &Standing, other: &Standing, deviates: f64) -> Expected {
        glicko_expected(one, other, deviates)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::test_games::{close, enter, standings};
    use super::*;

    const OPPONENTS: [(f64, Option<f64>); 3] =
        [(1400.0, Some(30.0)), (1550.0, Some(100.0)), (1700.0, Some(300.0))];

    fn after_the_example(player_deviation: f64) -> Standing {
        let mut rater = (SYSTEM.build)(&json!(null)).unwrap();
        enter(&mut *rater, &standings([(1500.0, Some(player_deviation))]), Motion::Drifts);
        enter(&mut *rater, &standings(OPPONENTS), Motion::Drifts);
        for (opponent, score) in [(1, 1.0), (2, 0.0), (3, 0.0)] {
            rater.play(0, opponent, score).unwrap();
        }
        rater.finish().unwrap()[0]
    }

    // Glickman 1995, *The Glicko system*: 1464 and 151.4, rounded on the way.
    #[test]
    fn glickmans_example_is_reproduced() {
        let player = after_the_example(200.0);
        close(player.rating, 1464.0, 0.15);
        close(player.deviation.unwrap(), 151.4, 0.05);
    }

    // skillratings 0.29.2 lets the deviation grow by 63.2 first and only the player's
    // (ratings.json of the known answers).
    #[test]
    fn another_implementation_agrees_to_nine_digits() {
        let player = after_the_example(200f64.hypot(63.2));
        close(player.rating, 1_462.136_564_404_594_5, 1e-6);
        close(player.deviation.unwrap(), 155.497_927_836_150_3, 1e-6);
    }

    // Glickman 1995: c = 63.2 takes a deviation of 50 to 350 in 30 periods.
    #[test]
    fn thirty_periods_forget_an_average_player() {
        let mut rater = (SYSTEM.build)(&json!(null)).unwrap();
        enter(&mut *rater, &standings([(1500.0, Some(50.0)); 4]), Motion::Drifts);
        rater.play(0, 1, 0.5).unwrap();
        rater.close_period(29).unwrap();
        rater.play(2, 3, 0.5).unwrap();
        let before = rater.finish().unwrap();
        close(before[0].deviation.unwrap(), 343.9, 1.0);
        close(before[2].deviation.unwrap(), 50.0, 0.5);
    }
}
