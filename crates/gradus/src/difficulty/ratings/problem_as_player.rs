//! Problems as opponents of those who try to solve them: the rating half of Ding et al.
//! 2024, *Easy2Hard-Bench* ([arXiv 2409.18433](https://arxiv.org/abs/2409.18433)). An
//! attempt is a game; what the solver gets the problem does not, so a problem's rating
//! is its difficulty on the scale of the solvers' ratings.
//!
//! The paper's project page says that both ratings are updated by Glicko-2 where the
//! solvers change over time (Codeforces; the ratings of Lichess appear to be the site's
//! own); its rating periods, starting deviations and whether repeated attempts count are
//! not established. [`Opponents::DriftingProblems`] updates both sides by the plain
//! system, as that page has it. [`Opponents::Problems`] departs from it in one point: a
//! problem does not change, so it has no volatility and its deviation does not grow
//! while nobody tries it.

use super::rating::Motion;

/// What the opponents of a file of games are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Opponents {
    /// Players like those of the other column.
    #[default]
    Players,
    /// Problems, which do not change.
    Problems,
    /// Problems that the system treats like players.
    DriftingProblems,
}

impl Opponents {
    pub(super) fn motion(self) -> Motion {
        if self == Self::Problems { Motion::Static } else { Motion::Drifts }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_games::close;
    use super::super::{Rated, RatingSettings, find as system_called, rate};
    use super::*;
    use crate::data::read_table;
    use crate::run::Stream;

    fn rate_games(opponents: Opponents, games: &str) -> Rated {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("games");
        std::fs::write(&path, games).unwrap();
        let settings = RatingSettings { opponents, ..RatingSettings::default() };
        rate(system_called("glicko2").unwrap(), &settings, &mut read_table(&path).unwrap()).unwrap()
    }

    // 100 solvers of rating 1500, deviation 350, of whom 30 solved the problem, all in one
    // period: computed by an independent script, 1703.24 and 51.37 for the plain system.
    #[test]
    fn thirty_of_a_hundred_newcomers_solve_a_problem() {
        let mut games = "player,opponent,score\n".to_owned();
        for solver in 0..100 {
            games.push_str(&format!("s{solver},p,{}\n", u8::from(solver < 30)));
        }
        let drifting = rate_games(Opponents::DriftingProblems, &games);
        let problem = drifting.ratings.last().unwrap();
        close(problem.rating, 1703.24, 0.005);
        close(problem.deviation.unwrap(), 51.37, 0.005);
        let fixed = rate_games(Opponents::Problems, &games);
        let problem = fixed.ratings.last().unwrap();
        close(problem.rating, 1703.24, 0.2);
        assert_eq!(problem.volatility, Some(0.0));
    }

    #[test]
    fn what_nobody_tries_keeps_its_deviation() {
        let games = "player,opponent,score,period\na,p,1,1\na,q,1,50\n";
        let deviation = |opponents| {
            let rated = rate_games(opponents, games);
            rated.ratings.iter().find(|row| row.name == "p").unwrap().deviation.unwrap()
        };
        assert!(deviation(Opponents::Problems) < deviation(Opponents::DriftingProblems));
    }

    // Solvers and problems of known ratings: the order of the difficulties comes back.
    #[test]
    fn simulated_difficulties_come_back_in_order() {
        let mut stream = Stream::new(5, &["problem as player"]);
        let mut games = "player,opponent,score,period\n".to_owned();
        for period in 0..20 {
            for solver in 0..30 {
                let ability = (f64::from(solver) - 15.0) / 8.0;
                for problem in 0..10 {
                    let difficulty = (f64::from(problem) - 5.0) / 3.0;
                    let chance = 1.0 / (1.0 + (difficulty - ability).exp());
                    let score = u8::from(stream.unit() < chance);
                    games.push_str(&format!("s{solver},p{problem},{score},{period}\n"));
                }
            }
        }
        let rated = rate_games(Opponents::Problems, &games);
        let difficulties: Vec<f64> = rated.ratings[30..].iter().map(|row| row.rating).collect();
        assert!(difficulties.windows(2).all(|pair| pair[0] < pair[1]), "{difficulties:?}");
    }
}
