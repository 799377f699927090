//! Glickman 2013, *Example of the Glicko-2 system*, steps 1 to 8 of its pages 1 to 5
//! (after Glickman 2001, *Dynamic paired comparison models with stochastic variances*).
//!
//! | paper | here |
//! | --- | --- |
//! | mu, phi, sigma | `mu`, `phi`, `sigma` on the internal scale: points / 173.7178 |
//! | v, Delta | `1 / information`, `improvement / information` |
//! | tau | `tau`; epsilon is [`TOLERANCE`] |
//!
//! All games of a period count against the ratings from before it. Who does not play
//! gets `phi' = sqrt(phi^2 + sigma^2)` for every period, applied when next needed.
//! Departures: a deviation never exceeds that of a newcomer; a problem (static) has no
//! volatility; the search for the volatility ends with an error, never in a loop.

use serde::Deserialize;

use super::elo::POINTS;
use super::rating::{
    Entrant, Expected, Motion, Rater, RatingError, RatingSystem, Standing, logistic, parameters,
};

const NAME: &str = "glicko2";

pub(super) const SYSTEM: RatingSystem = RatingSystem {
    name: NAME,
    summary: "rating, deviation and volatility by rating periods",
    source: "Glickman 2013, Example of the Glicko-2 system",
    build: |given| {
        let check = |glicko2: &Glicko2| {
            let fine = glicko2.tau > 0.0
                && glicko2.start_deviation > 0.0
                && glicko2.start_volatility > 0.0
                && glicko2.start.is_finite();
            (!fine).then_some("tau, start_deviation and start_volatility must be above 0")
        };
        Ok(Box::new(Glicko2Rater::new(parameters(NAME, given, check)?)))
    },
};

/// The published convergence tolerance of the volatility, on the scale of ln sigma^2.
const TOLERANCE: f64 = 1e-6;
const ITERATIONS: usize = 100;
/// Results that were certain beforehand say nothing, of the volatility neither.
const LEAST_INFORMATION: f64 = 1e-100;

/// Parameters, in points where not said otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Glicko2 {
    /// How much a volatility may change; 0.3 to 1.2.
    pub tau: f64,
    /// Rating of newcomers.
    pub start: f64,
    /// Deviation of newcomers, and the largest there is.
    pub start_deviation: f64,
    /// Volatility of newcomers, on the internal scale.
    pub start_volatility: f64,
}

impl Default for Glicko2 {
    fn default() -> Self {
        Self { tau: 0.5, start: 1500.0, start_deviation: 350.0, start_volatility: 0.06 }
    }
}

/// The state of one competitor on the internal scale.
#[derive(Clone, Copy, Debug)]
struct State {
    mu: f64,
    phi: f64,
    sigma: f64,
    motion: Motion,
    /// The last period that `phi` holds, if there was one.
    period: Option<u64>,
    /// Of the open period: did it play, `g(phi)`, sum of `g^2 E (1 - E)`, sum of `g (s - E)`.
    active: bool,
    g: f64,
    information: f64,
    improvement: f64,
}

/// Rates with [`Glicko2`].
pub struct Glicko2Rater {
    glicko2: Glicko2,
    states: Vec<State>,
    /// Who plays in the open period.
    active: Vec<usize>,
    period: u64,
}

impl Glicko2Rater {
    /// Without competitors.
    pub fn new(glicko2: Glicko2) -> Self {
        Self { glicko2, states: Vec::new(), active: Vec::new(), period: 0 }
    }

    /// The first game of a period: brings the competitor to its beginning.
    fn activate(&mut self, competitor: usize) {
        let most = self.glicko2.start_deviation / POINTS;
        let state = &mut self.states[competitor];
        state.rest(self.period.saturating_sub(1), most);
        state.g = g(state.phi);
        (state.information, state.improvement) = (0.0, 0.0);
        state.active = true;
        self.active.push(competitor);
    }
}

impl State {
    /// Lets the periods up to `until` pass without a game.
    fn rest(&mut self, until: u64, most: f64) {
        if let Some(period) = self.period {
            let idle = until.saturating_sub(period);
            if idle > 0 && self.motion == Motion::Drifts {
                let grown = (self.phi * self.phi + idle as f64 * self.sigma * self.sigma).sqrt();
                self.phi = grown.min(most).max(self.phi);
            }
            self.period = Some(period.max(until));
        }
    }

    /// Steps 3 to 7 of the paper.
    fn update(&mut self, tau: f64) -> Result<(), RatingError> {
        if self.motion == Motion::Drifts && self.information > LEAST_INFORMATION {
            let variance = 1.0 / self.information;
            let delta = variance * self.improvement;
            self.sigma = volatility(self.sigma, self.phi, variance, delta, tau)?;
        }
        let grown = self.phi * self.phi + self.sigma * self.sigma;
        self.phi = 1.0 / (1.0 / grown + self.information).sqrt();
        self.mu += self.phi * self.phi * self.improvement;
        Ok(())
    }
}

/// `g(phi) = 1 / sqrt(1 + 3 phi^2 / pi^2)`.
fn g(phi: f64) -> f64 {
    const THREE_BY_PI_SQUARED: f64 = 3.0 / (std::f64::consts::PI * std::f64::consts::PI);
    1.0 / (1.0 + THREE_BY_PI_SQUARED * phi * phi).sqrt()
}

/// The new volatility: step 5, by the Illinois algorithm.
fn volatility(
    sigma: f64,
    phi: f64,
    variance: f64,
    delta: f64,
    tau: f64,
) -> Result<f64, RatingError> {
    let a = (sigma * sigma).ln();
    let (square, spread) = (delta * delta, phi * phi + variance);
    let f = |x: f64| {
        let grown = x.exp();
        let total = spread + grown;
        grown * (square - total) / (2.0 * total * total) - (x - a) / (tau * tau)
    };
    let no_end = || RatingError::NotConverged {
        system: NAME,
        iterations: ITERATIONS,
        hint: "the volatility ran away; try a smaller tau",
    };
    let mut low = a;
    let mut high = if square > spread {
        (square - spread).ln()
    } else {
        let steps = 1..=ITERATIONS;
        let mut tried = steps.map(|k| a - k as f64 * tau);
        tried.find(|&x| f(x) >= 0.0).ok_or_else(no_end)?
    };
    let (mut at_low, mut at_high) = (f(low), f(high));
    for _ in 0..ITERATIONS {
        if (high - low).abs() <= TOLERANCE {
            return Ok((low / 2.0).exp());
        }
        let next = low + (low - high) * at_low / (at_high - at_low);
        let at_next = f(next);
        if at_next * at_high <= 0.0 {
            (low, at_low) = (high, at_high);
        } else {
            at_low /= 2.0;
        }
        (high, at_high) = (next, at_next);
    }
    Err(no_end())
}

impl Rater for Glicko2Rater {
    fn enter(&mut self, entrant: &Entrant) -> Result<(), RatingError> {
        let Glicko2 { start, start_deviation, start_volatility, .. } = self.glicko2;
        let known = entrant.known;
        let rating = known.map_or(start, |known| known.rating);
        let deviation = known.and_then(|known| known.deviation).unwrap_or(start_deviation);
        let volatility = known.and_then(|known| known.volatility).unwrap_or(start_volatility);
        let phi = deviation / POINTS;
        self.states.push(State {
            mu: (rating - start) / POINTS,
            phi,
            sigma: if entrant.motion == Motion::Static { 0.0 } else { volatility },
            motion: entrant.motion,
            period: None,
            active: false,
            g: g(phi),
            information: 0.0,
            improvement: 0.0,
        });
        Ok(())
    }

    fn play(&mut self, player: usize, opponent: usize, score: f64) -> Result<(), RatingError> {
        for competitor in [player, opponent] {
            if !self.states[competitor].active {
                self.activate(competitor);
            }
        }
        let (one, other) = (self.states[player], self.states[opponent]);
        let difference = one.mu - other.mu;
        let expected = logistic(other.g * difference);
        let state = &mut self.states[player];
        state.information += other.g * other.g * expected * (1.0 - expected);
        state.improvement += other.g * (score - expected);
        let expected = logistic(-one.g * difference);
        let state = &mut self.states[opponent];
        state.information += one.g * one.g * expected * (1.0 - expected);
        state.improvement += one.g * (1.0 - score - expected);
        Ok(())
    }

    fn close_period(&mut self, passed: u64) -> Result<(), RatingError> {
        for competitor in self.active.drain(..) {
            let state = &mut self.states[competitor];
            if state.motion != Motion::Held {
                state.update(self.glicko2.tau)?;
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
        let most = self.glicko2.start_deviation / POINTS;
        let start = self.glicko2.start;
        let standing = |state: &mut State| {
            state.rest(last, most);
            Standing {
                rating: start + POINTS * state.mu,
                deviation: Some(POINTS * state.phi),
                volatility: Some(state.sigma),
            }
        };
        Ok(self.states.iter_mut().map(standing).collect())
    }

    fn expected(&self, one: &Standing, other: &Standing, deviates: f64) -> Expected {
        glicko_expected(one, other, deviates)
    }
}

/// The expected score with both deviations in it (Glickman 1999, equation 16 of
/// *Parameter estimation in large dynamic paired comparison experiments*), and the
/// logistic curve at the ends of the difference.
pub(super) fn glicko_expected(one: &Standing, other: &Standing, deviates: f64) -> Expected {
    let [phi_one, phi_other] = [one, other].map(|who| who.deviation.unwrap_or(0.0) / POINTS);
    let difference = (one.rating - other.rating) / POINTS;
    let value = logistic(g(phi_one.hypot(phi_other)) * difference);
    Expected::of_difference(value, one, other, deviates, |points| logistic(points / POINTS))
}

#[cfg(test)]
mod tests {
    use super::super::test_games::{close, enter, play};
    use super::*;

    fn rater() -> Box<dyn Rater> {
        (SYSTEM.build)(&serde_json::Value::Null).unwrap()
    }

    fn known(rating: f64, deviation: f64, volatility: f64) -> Standing {
        Standing { rating, deviation: Some(deviation), volatility: Some(volatility) }
    }

    fn volatility_of(standing: &Standing) -> f64 {
        standing.volatility.unwrap()
    }

    // Glickman 2013, page 4: 1464.06, 151.52, 0.05999 with intermediate rounding;
    // skillratings 0.29.2 and the glicko2 package of Python give 1464.0507, 151.5165.
    #[test]
    fn glickmans_example_is_reproduced() {
        let mut rater = rater();
        enter(&mut *rater, &[known(1500.0, 200.0, 0.06)], Motion::Drifts);
        let opponents = [(1400.0, 30.0), (1550.0, 100.0), (1700.0, 300.0)];
        let opponents = opponents.map(|(rating, deviation)| known(rating, deviation, 0.06));
        enter(&mut *rater, &opponents, Motion::Drifts);
        for (opponent, score) in [(1, 1.0), (2, 0.0), (3, 0.0)] {
            rater.play(0, opponent, score).unwrap();
        }
        let player = rater.finish().unwrap()[0];
        close(player.rating, 1_464.050_67, 1e-4);
        close(player.deviation.unwrap(), 151.516_52, 1e-4);
        close(volatility_of(&player), 0.059_995_98, 1e-7);
    }

    // Pages 3 to 4 of the same example: v and Delta.
    #[test]
    fn the_examples_intermediate_values_are_reproduced() {
        let mut rater = Glicko2Rater::new(Glicko2::default());
        enter(&mut rater, &[known(1500.0, 200.0, 0.06)], Motion::Drifts);
        for (rating, deviation, score) in
            [(1400.0, 30.0, 1.0), (1550.0, 100.0, 0.0), (1700.0, 300.0, 0.0)]
        {
            enter(&mut rater, &[known(rating, deviation, 0.06)], Motion::Held);
            rater.play(0, rater.states.len() - 1, score).unwrap();
        }
        let state = rater.states[0];
        close(1.0 / state.information, 1.778_977_1, 1e-6);
        close(state.improvement / state.information, -0.483_933_3, 1e-6);
    }

    #[test]
    fn a_newcomer_beats_a_newcomer() {
        let rated = play(&mut *rater(), 2, &[(0, 1, 1.0)]);
        close(rated[0].rating, 1_662.310_89, 1e-4);
        close(rated[0].deviation.unwrap(), 290.318_96, 1e-4);
        close(rated[1].rating, 3000.0 - 1_662.310_89, 1e-4);
    }

    // A strong favourite loses all games of one period, so that Delta^2 exceeds phi^2 + v
    // by far. The equation of the volatility then has three roots, and the published
    // iteration decides which is meant; values of another implementation of it.
    #[test]
    fn an_upset_raises_the_volatility() {
        for (games, rating, deviation, volatility) in [
            (10, 1_854.244_50, 50.900_42, 0.061_337_51),
            (29, 1_568.823_40, 51.408_80, 0.083_917_10),
        ] {
            let mut rater = rater();
            let both = [known(2000.0, 50.0, 0.06), known(1200.0, 50.0, 0.06)];
            enter(&mut *rater, &both, Motion::Drifts);
            for _ in 0..games {
                rater.play(0, 1, 0.0).unwrap();
            }
            let favourite = rater.finish().unwrap()[0];
            close(favourite.rating, rating, 1e-4);
            close(favourite.deviation.unwrap(), deviation, 1e-4);
            close(volatility_of(&favourite), volatility, 1e-7);
        }
    }

    // Glickman 2013, step 6 for who does not play: 200 becomes 200.2714.
    #[test]
    fn who_does_not_play_grows_uncertain_up_to_a_newcomer() {
        let phi = 200.0 / POINTS;
        let state = State {
            mu: 0.0,
            phi,
            sigma: 0.06,
            motion: Motion::Drifts,
            period: Some(0),
            active: false,
            g: g(phi),
            information: 0.0,
            improvement: 0.0,
        };
        let most = 350.0 / POINTS;
        let after = |periods: u64, motion| {
            let mut resting = State { motion, ..state };
            resting.rest(periods, most);
            resting.phi * POINTS
        };
        close(after(1, Motion::Drifts), 200.271_42, 1e-5);
        close(
            after(3, Motion::Drifts),
            (200f64.powi(2) + 3.0 * 10.423_068f64.powi(2)).sqrt(),
            1e-4,
        );
        close(after(1_000_000, Motion::Drifts), 350.0, 1e-9);
        close(after(5, Motion::Static), 200.0, 1e-9);
    }

    #[test]
    fn idle_periods_count_one_by_one_or_all_at_once() {
        let rest = |gaps: &[u64]| {
            let mut rater = rater();
            enter(&mut *rater, &[known(1500.0, 60.0, 0.06); 3], Motion::Drifts);
            rater.play(0, 1, 1.0).unwrap();
            for &gap in gaps {
                rater.close_period(gap).unwrap();
            }
            rater.play(1, 2, 1.0).unwrap();
            rater.finish().unwrap()
        };
        assert_eq!(rest(&[4]), rest(&[1, 1, 1, 1]));
        // Who has not entered a game yet has the deviation it came with.
        let mut rater = rater();
        enter(&mut *rater, &[known(1500.0, 60.0, 0.06); 3], Motion::Drifts);
        rater.play(0, 1, 1.0).unwrap();
        rater.close_period(1).unwrap();
        rater.play(0, 1, 1.0).unwrap();
        close(rater.finish().unwrap()[2].deviation.unwrap(), 60.0, 1e-9);
    }

    #[test]
    fn who_is_held_stays_and_a_problem_has_no_volatility() {
        let mut rater = rater();
        enter(&mut *rater, &[known(1700.0, 80.0, 0.07)], Motion::Held);
        rater.enter(&Entrant { motion: Motion::Static, ..Entrant::default() }).unwrap();
        rater.play(0, 1, 0.0).unwrap();
        let rated = rater.finish().unwrap();
        close(rated[0].rating, 1700.0, 1e-9);
        close(rated[0].deviation.unwrap(), 80.0, 1e-9);
        assert!(rated[1].rating > 1700.0 && rated[1].volatility == Some(0.0));
    }

    #[test]
    fn games_that_were_decided_beforehand_end_in_numbers() {
        for score in [0.0, 1.0] {
            let mut rater = rater();
            let far = [known(1e6, 50.0, 0.06), known(0.0, 50.0, 0.06)];
            enter(&mut *rater, &far, Motion::Drifts);
            rater.play(0, 1, score).unwrap();
            let rated = rater.finish().unwrap();
            let numbers = rated.iter().flat_map(|of| [of.rating, of.deviation.unwrap()]);
            assert!(numbers.into_iter().all(f64::is_finite), "{rated:?}");
            assert_eq!(volatility_of(&rated[0]), 0.06);
        }
    }

    #[test]
    fn an_expected_score_is_drawn_to_one_half_by_deviations() {
        let rater = rater();
        let expected = |deviation| {
            rater.expected(&known(1700.0, deviation, 0.0), &known(1500.0, deviation, 0.0), 1.96)
        };
        let sure = expected(0.0);
        close(sure.value, 0.759_746_926_647_958, 1e-12);
        assert_eq!((sure.low, sure.high), (sure.value, sure.value));
        let unsure = expected(100.0);
        assert!(unsure.value < sure.value && unsure.value > 0.5);
        assert!(unsure.low < 0.5 && unsure.high > 0.9);
    }
}
