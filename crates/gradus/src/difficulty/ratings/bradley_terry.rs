//! Bradley and Terry 1952, *Rank analysis of incomplete block designs*: i beats j with
//! the chance `p_i / (p_i + p_j)`. Fitted by the MM algorithm of Hunter 2004, *MM
//! algorithms for generalized Bradley-Terry models*, equation 3, cyclically: each
//! strength is used as soon as it is new. Near the end steps are Newton's, of one
//! log-strength at a time, because MM crawls for whoever wins nearly all games.
//!
//! A rating is `ln p` in natural logits, the mean of all being 0 or that of `reference`.
//! Standard errors are from the observed information at the estimate. A score between 0
//! and 1 counts as that share of a win, so a draw is half a win for each. All games
//! count alike: there is no time. Finite estimates need a way by wins from everyone to
//! everyone (Ford 1957); otherwise the groups are named, or `prior_games` drawn games of
//! everyone against an opponent of strength 1 are added.
//!
//! Where players are models and opponents problems this is the joint fit of the Rasch
//! model, with its bias: difficulties too far apart when few models answered.

use std::collections::HashMap;

use serde::Deserialize;

use super::rating::{
    Entrant, Expected, Rater, RatingError, RatingSystem, Standing, logistic, parameters,
};

const NAME: &str = "bradley-terry";

pub(super) const SYSTEM: RatingSystem = RatingSystem {
    name: NAME,
    summary: "all games at once by maximum likelihood, in logits, with standard errors",
    source: "Bradley and Terry 1952; Hunter 2004, MM algorithms for generalized Bradley-Terry models",
    build: |given| {
        let check = |system: &BradleyTerry| {
            let fine = system.prior_games >= 0.0 && system.prior_games.is_finite();
            (!fine).then_some("prior_games must be a number from 0 up")
        };
        let system = parameters(NAME, given, check)?;
        let (names, pairs) = (Vec::new(), HashMap::new());
        Ok(Box::new(BradleyTerryRater { system, names, pairs, approximate: false }))
    },
};

/// Expected and found wins of everyone differ by less than this share of their games.
const TOLERANCE: f64 = 1e-10;
const ITERATIONS: usize = 20_000;
/// Closer than this share of their games, steps are Newton's.
const CLOSE: f64 = 0.02;
/// Beyond, the information is not inverted: that takes time with the third power.
const INVERTED: usize = 2000;

/// Parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BradleyTerry {
    /// Name of who gets 0; else the mean is 0.
    reference: Option<String>,
    /// Drawn games of everyone against an opponent of strength 1, whose rating is 0.
    prior_games: f64,
}

/// The games of a pair: how many, and the score of the one with the lower number.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    games: f64,
    score: f64,
}

struct BradleyTerryRater {
    system: BradleyTerry,
    names: Vec<String>,
    pairs: HashMap<(u32, u32), Pair>,
    approximate: bool,
}

/// Whom everyone met: opponent, games, own score.
type Meetings = Vec<Vec<(usize, f64, f64)>>;

impl BradleyTerryRater {
    /// In an order that does not depend on how the games were ordered.
    fn meetings(&self) -> Meetings {
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs.sort_unstable_by_key(|(pair, _)| **pair);
        let mut meetings: Meetings = vec![Vec::new(); self.names.len()];
        for (&(low, high), &Pair { games, score }) in pairs {
            let (low, high) = (low as usize, high as usize);
            meetings[low].push((high, games, score));
            meetings[high].push((low, games, games - score));
        }
        meetings
    }

    /// The strengths of greatest likelihood.
    fn fit(&self, meetings: &Meetings) -> Result<Vec<f64>, RatingError> {
        let prior = self.system.prior_games;
        let mut strengths = vec![1.0; meetings.len()];
        let mut off: f64 = 1.0;
        for _ in 0..ITERATIONS {
            let close = off < CLOSE;
            off = 0.0;
            for (competitor, met) in meetings.iter().enumerate() {
                let own = strengths[competitor];
                let virtual_chance = own / (own + 1.0);
                let (mut wins, mut games) = (prior / 2.0, prior);
                let mut expected = prior * virtual_chance;
                let mut information = expected * (1.0 - virtual_chance);
                for &(opponent, played, score) in met {
                    let chance = own / (own + strengths[opponent]);
                    wins += score;
                    games += played;
                    expected += played * chance;
                    information += played * chance * (1.0 - chance);
                }
                let surprise = wins - expected;
                off = off.max(surprise.abs() / games);
                strengths[competitor] *= if close {
                    (surprise / information).clamp(-1.0, 1.0).exp()
                } else {
                    wins / expected
                };
            }
            if prior == 0.0 {
                let mean = strengths.iter().map(|p| p.ln()).sum::<f64>() / strengths.len() as f64;
                let scale = (-mean).exp();
                for strength in &mut strengths {
                    *strength *= scale;
                }
            }
            if off < TOLERANCE {
                return Ok(strengths);
            }
        }
        Err(RatingError::NotConverged {
            system: NAME,
            iterations: ITERATIONS,
            hint: "groups of competitors hardly met; set prior_games, as to 1",
        })
    }

    /// The observed information of the log-strengths, row by row, made invertible.
    fn information(&self, meetings: &Meetings, strengths: &[f64]) -> Vec<Vec<f64>> {
        let n = strengths.len();
        // The mean is not identified without a prior; fixing it at 0 adds 1/n everywhere.
        let fixed = if self.system.prior_games == 0.0 { 1.0 / n as f64 } else { 0.0 };
        let mut rows = vec![vec![fixed; n]; n];
        for (competitor, met) in meetings.iter().enumerate() {
            rows[competitor][competitor] += self.own_information(met, strengths, competitor);
            for &(opponent, games, _) in met {
                rows[competitor][opponent] -=
                    games * binary_variance(strengths[competitor], strengths[opponent]);
            }
        }
        rows
    }

    fn own_information(&self, met: &[(usize, f64, f64)], strengths: &[f64], own: usize) -> f64 {
        let prior = self.system.prior_games * binary_variance(strengths[own], 1.0);
        let of = |&(opponent, games, _): &(usize, f64, f64)| {
            games * binary_variance(strengths[own], strengths[opponent])
        };
        prior + met.iter().map(of).sum::<f64>()
    }

    fn deviations(
        &self,
        meetings: &Meetings,
        strengths: &[f64],
        reference: Option<usize>,
    ) -> Vec<f64> {
        let n = strengths.len();
        if n > INVERTED {
            let own = |competitor: usize| {
                self.own_information(&meetings[competitor], strengths, competitor)
            };
            return (0..n).map(|competitor| own(competitor).recip().sqrt()).collect();
        }
        let root = inverse_root(self.information(meetings, strengths));
        let covariance = |one: usize, other: usize| -> f64 {
            let from = one.max(other);
            (from..n).map(|row| root[row][one] * root[row][other]).sum()
        };
        // Without a prior the part of the mean, 1/n, is no uncertainty of the ratings.
        let fixed = if self.system.prior_games == 0.0 { 1.0 / n as f64 } else { 0.0 };
        let variance = |competitor: usize| match reference {
            Some(reference) if reference == competitor => 0.0,
            Some(reference) => {
                covariance(competitor, competitor) + covariance(reference, reference)
                    - 2.0 * covariance(competitor, reference)
            }
            None => covariance(competitor, competitor) - fixed,
        };
        (0..n).map(|competitor| variance(competitor).max(0.0).sqrt()).collect()
    }
}

/// Groups without a way back by wins, the strongest first.
fn groups(meetings: &Meetings) -> Vec<Vec<usize>> {
    let beaten: Vec<Vec<usize>> = meetings
        .iter()
        .map(|met| met.iter().filter(|met| met.2 > 0.0).map(|met| met.0).collect())
        .collect();
    let mut groups = strong_components(&beaten);
    groups.reverse();
    groups
}

/// Variance of one game's score: `p q / (p + q)^2`.
fn binary_variance(one: f64, other: f64) -> f64 {
    let chance = one / (one + other);
    chance * (1.0 - chance)
}

/// The inverse of the Cholesky factor of a positive definite matrix, both lower triangles.
fn inverse_root(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = matrix.len();
    for row in 0..n {
        let (above, rest) = matrix.split_at_mut(row);
        let own = &mut rest[0];
        for (column, pivot) in above.iter().enumerate() {
            let dot: f64 = own[..column].iter().zip(pivot).map(|(a, b)| a * b).sum();
            own[column] = (own[column] - dot) / pivot[column];
        }
        let square: f64 = own[..row].iter().map(|a| a * a).sum();
        own[row] = (own[row] - square).sqrt();
    }
    let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(n);
    for (row, factor) in matrix.iter().enumerate() {
        let mut own = vec![0.0; row + 1];
        for (&weight, done) in factor[..row].iter().zip(&inverse) {
            own.iter_mut().zip(done).for_each(|(sum, value)| *sum -= weight * value);
        }
        own[row] = 1.0;
        for value in &mut own {
            *value /= factor[row];
        }
        inverse.push(own);
    }
    inverse
}

/// Strongly connected components (Tarjan 1972), those without a way out first.
fn strong_components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let n = edges.len();
    let (mut order, mut lowest) = (vec![UNSEEN; n], vec![0; n]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; n]);
    let (mut components, mut seen) = (Vec::new(), 0);
    for root in 0..n {
        if order[root] != UNSEEN {
            continue;
        }
        // A frame is a node with the number of its edges that were followed.
        let mut frames = vec![(root, 0)];
        while let Some(frame) = frames.last_mut() {
            let (node, followed) = *frame;
            if followed == 0 {
                (order[node], lowest[node]) = (seen, seen);
                seen += 1;
                open.push(node);
                is_open[node] = true;
            }
            if let Some(&next) = edges[node].get(followed) {
                frame.1 += 1;
                if order[next] == UNSEEN {
                    frames.push((next, 0));
                } else if is_open[next] {
                    lowest[node] = lowest[node].min(order[next]);
                }
                continue;
            }
            frames.pop();
            if let Some(&(parent, _)) = frames.last() {
                lowest[parent] = lowest[parent].min(lowest[node]);
            }
            if lowest[node] == order[node] {
                let from = open.iter().rposition(|&member| member == node).unwrap_or(0);
                let mut component = open.split_off(from);
                for &member in &component {
                    is_open[member] = false;
                }
                component.sort_unstable();
                components.push(component);
            }
        }
    }
    components
}

impl Rater for BradleyTerryRater {
    fn enter(&mut self, entrant: &Entrant) -> Result<(), RatingError> {
        if entrant.known.is_some() {
            return Err(RatingError::NothingKnown { system: NAME });
        }
        self.names.push(entrant.name.clone());
        Ok(())
    }

    fn play(&mut self, player: usize, opponent: usize, score: f64) -> Result<(), RatingError> {
        let (low, high) = (player.min(opponent) as u32, player.max(opponent) as u32);
        let pair = self.pairs.entry((low, high)).or_default();
        pair.games += 1.0;
        pair.score += if player < opponent { score } else { 1.0 - score };
        Ok(())
    }

    fn close_period(&mut self, _passed: u64) -> Result<(), RatingError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Standing>, RatingError> {
        let reference = match &self.system.reference {
            None => None,
            Some(name) => {
                let found = self.names.iter().position(|known| known == name);
                Some(found.ok_or_else(|| RatingError::Parameters {
                    system: NAME,
                    reason: format!("reference is {name:?}, expected someone who played"),
                })?)
            }
        };
        let meetings = self.meetings();
        if self.system.prior_games == 0.0 {
            let groups = groups(&meetings);
            if groups.len() > 1 {
                let named = |group: &Vec<usize>| {
                    group.iter().map(|&member| self.names[member].clone()).collect()
                };
                let groups = groups.iter().map(named).collect();
                return Err(RatingError::Disconnected { system: NAME, groups });
            }
        }
        let strengths = self.fit(&meetings)?;
        let deviations = self.deviations(&meetings, &strengths, reference);
        self.approximate = strengths.len() > INVERTED;
        let zero = reference.map_or(0.0, |reference| strengths[reference].ln());
        let standing = |(strength, deviation): (&f64, f64)| Standing {
            rating: strength.ln() - zero,
            deviation: Some(deviation),
            volatility: None,
        };
        Ok(strengths.iter().zip(deviations).map(standing).collect())
    }

    fn notes(&self) -> Vec<String> {
        let note = format!(
            "More than {INVERTED} competitors: standard errors take the others' ratings as \
             known, which makes them a little too small."
        );
        if self.approximate { vec![note] } else { Vec::new() }
    }

    fn expected(&self, one: &Standing, other: &Standing, deviates: f64) -> Expected {
        let value = logistic(one.rating - other.rating);
        Expected::of_difference(value, one, other, deviates, logistic)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::test_games::close;
    use super::*;

    // The 1987 season of the American League East (Agresti, Categorical Data Analysis,
    // table 10.10): wins of the row over the column. Log-strengths from choix 0.4.1.
    const TEAMS: [(&str, f64); 7] = [
        ("Milwaukee", 1.581_355_876_657_493_6),
        ("Detroit", 1.436_408_431_813_344_5),
        ("Toronto", 1.294_485_123_912_236),
        ("New York", 1.247_617_845_141_724_4),
        ("Boston", 1.107_697_705_378_841_3),
        ("Cleveland", 0.683_852_769_159_213_8),
        ("Baltimore", 0.0),
    ];
    const WINS: [[u32; 7]; 7] = [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ];

    fn named(names: &[&str], parameters: &serde_json::Value) -> Box<dyn Rater> {
        let mut rater = (SYSTEM.build)(parameters).unwrap();
        for &name in names {
            rater.enter(&Entrant { name: name.into(), ..Entrant::default() }).unwrap();
        }
        rater
    }

    fn baseball(parameters: &serde_json::Value) -> Vec<Standing> {
        let mut rater = named(&TEAMS.map(|(name, _)| name), parameters);
        for (row, wins) in WINS.iter().enumerate() {
            for (column, &wins) in wins.iter().enumerate() {
                for _ in 0..wins {
                    rater.play(row, column, 1.0).unwrap();
                }
            }
        }
        rater.finish().unwrap()
    }

    #[test]
    fn the_baseball_season_is_reproduced() {
        let rated = baseball(&json!({ "reference": "Baltimore" }));
        for (standing, (_, expected)) in rated.iter().zip(TEAMS) {
            close(standing.rating, expected, 1e-6);
        }
        let log_likelihood: f64 = (0..7)
            .flat_map(|row| (0..7).map(move |column| (row, column)))
            .map(|(row, column)| {
                let chance = logistic(rated[row].rating - rated[column].rating);
                f64::from(WINS[row][column]) * chance.ln()
            })
            .sum();
        close(log_likelihood, -172.248_175_994_716, 1e-8);
    }

    // Turner and Firth 2012, "Bradley-Terry models in R: the BradleyTerry2 package",
    // Journal of Statistical Software 48(9), the fit of the same season.
    #[test]
    fn standard_errors_are_those_of_bradley_terry_2() {
        let rated = baseball(&json!({ "reference": "Baltimore" }));
        let published = [0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319, 0.0];
        for (standing, expected) in rated.iter().zip(published) {
            close(standing.deviation.unwrap(), expected, 5e-5);
        }
    }

    #[test]
    fn without_a_reference_ratings_and_their_errors_belong_to_a_mean_of_zero() {
        let rated = baseball(&json!(null));
        let sum: f64 = rated.iter().map(|standing| standing.rating).sum();
        close(sum, 0.0, 1e-9);
        close(rated[0].rating - rated[6].rating, TEAMS[0].1, 1e-6);
        // A contrast with the mean is surer than one with a single team.
        assert!(rated.iter().all(|standing| standing.deviation.unwrap() < 0.3));
    }

    #[test]
    fn a_pair_has_the_logit_of_its_record() {
        let mut rater = named(&["a", "b"], &json!({ "reference": "b" }));
        for game in 0..10 {
            rater.play(0, 1, f64::from(u8::from(game < 7))).unwrap();
        }
        rater.play(1, 0, 0.5).unwrap();
        let rated = rater.finish().unwrap();
        close(rated[0].rating, (7.5f64 / 3.5).ln(), 1e-8);
        // One over n p q: the standard error of a logit.
        close(rated[0].deviation.unwrap(), (11.0 / (7.5 * 3.5f64)).sqrt(), 1e-8);
    }

    #[test]
    fn groups_without_a_way_back_are_named() {
        let mut rater = named(&["a", "b", "c", "d", "e"], &json!(null));
        for (winner, loser) in [(0, 1), (1, 0), (1, 2), (2, 3), (3, 2)] {
            rater.play(winner, loser, 1.0).unwrap();
        }
        let RatingError::Disconnected { groups, .. } = rater.finish().unwrap_err() else {
            panic!("another error")
        };
        assert!(groups.contains(&vec!["e".to_owned()]));
        let place = |name: &str| groups.iter().position(|group| group[0] == name).unwrap();
        assert!(groups.len() == 3 && place("a") < place("c"), "{groups:?}");
    }

    #[test]
    fn prior_games_make_every_rating_finite() {
        let mut rater = named(&["a", "b", "c"], &json!({ "prior_games": 1.0 }));
        rater.play(0, 1, 1.0).unwrap();
        rater.play(1, 2, 1.0).unwrap();
        let rated = rater.finish().unwrap();
        assert!(rated[0].rating > rated[1].rating && rated[1].rating > rated[2].rating);
        close(rated[1].rating, 0.0, 1e-8);
        assert!(rated.iter().all(|standing| standing.deviation.unwrap().is_finite()));
    }

    #[test]
    fn someone_who_did_not_play_is_no_reference() {
        let mut rater = named(&["a", "b"], &json!({ "reference": "x" }));
        let error = rater.finish().unwrap_err().to_string();
        assert!(error.ends_with("reference is \"x\", expected someone who played"), "{error}");
    }

    #[test]
    fn a_ring_is_one_component_and_a_chain_is_many() {
        assert_eq!(strong_components(&[vec![1], vec![2], vec![0]]), [[0, 1, 2]]);
        assert_eq!(strong_components(&[vec![1], vec![2], vec![]]), [[2], [1], [0]]);
    }
}
