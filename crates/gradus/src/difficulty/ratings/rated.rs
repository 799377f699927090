use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::game::Game;
use super::problem_as_player::Opponents;
use super::rating::{Entrant, Motion, Rater, Rating, RatingError, RatingSystem, Role, Standing};
use crate::data::{FieldError, TableRows};

/// How a file of games is rated.
#[derive(Clone, Debug, Default)]
pub struct RatingSettings {
    /// The system's parameters: a JSON object, `null` for the defaults.
    pub parameters: Value,
    /// What the opponents are.
    pub opponents: Opponents,
    /// Only the first game of a player with an opponent counts.
    pub first_only: bool,
    /// Ratings known beforehand; whom they do not name starts as the system says.
    pub known: Vec<Rating>,
    /// Known ratings stay as they are.
    pub hold_known: bool,
}

/// The ratings of a file of games.
pub struct Rated {
    /// Everyone who played, players first, each in the order of appearance.
    pub ratings: Vec<Rating>,
    /// Games that counted.
    pub games: u64,
    /// Games that did not, because the pair had met before.
    pub repeats: u64,
    /// The first and the last rating period, where the rows name them.
    pub periods: Option<(u64, u64)>,
    /// What must be known to read the ratings right.
    pub notes: Vec<String>,
    rater: Box<dyn Rater>,
}

impl Rated {
    /// The score that the first is expected to get against the second, with its range
    /// at 95%.
    pub fn expected(&self, one: &Rating, other: &Rating) -> super::Expected {
        self.rater.expected(&one.standing(), &other.standing(), DEVIATES)
    }
}

/// Standard errors on each side of a 95% interval.
const DEVIATES: f64 = 1.959_963_984_540_054;

/// Everyone who has played: names, counts and when.
#[derive(Default)]
struct Competitors {
    numbers: HashMap<(Role, String), usize>,
    ratings: Vec<Rating>,
}

/// Rates games as they come, in memory for the competitors only (and, with
/// [`RatingSettings::first_only`] or Bradley-Terry, for the pairs that met).
///
/// Without periods in the rows all games are one period. Rows with and without one, or
/// a period below that of an earlier row, are errors of the row.
pub fn rate(
    system: &RatingSystem,
    settings: &RatingSettings,
    games: &mut TableRows<Game>,
) -> Result<Rated, RatingError> {
    let mut rater = (system.build)(&settings.parameters)?;
    let known: HashMap<(Role, &str), Standing> = settings
        .known
        .iter()
        .map(|rating| ((rating.role, rating.name.as_str()), rating.standing()))
        .collect();
    let mut competitors = Competitors::default();
    let (mut met, mut repeats) = (HashSet::new(), 0);
    let mut counted = 0;
    let mut periods: Option<(u64, u64)> = None;
    while let Some(game) = games.next() {
        let game = game?;
        let problems = settings.opponents != Opponents::Players;
        if !problems && game.player == game.opponent {
            let expected = "someone else than the player";
            return Err(games.error(FieldError::new("opponent", "the player", expected)).into());
        }
        match (game.period, periods) {
            (None, None) => {}
            (Some(period), None) if counted == 0 => periods = Some((period, period)),
            (Some(period), Some((first, open))) if period >= open => {
                if period > open {
                    rater.close_period(period - open)?;
                    periods = Some((first, period));
                }
            }
            (period, open) => return Err(games.error(wrong_period(period, open)).into()),
        }
        let role = if problems { Role::Problem } else { Role::Player };
        let Game { player, opponent, score, .. } = game;
        let mut numbers = [0; 2];
        for (number, (role, name)) in
            numbers.iter_mut().zip([(Role::Player, player), (role, opponent)])
        {
            *number = competitors.number(role, name, |name| {
                let known = known.get(&(role, name)).copied();
                let motion = match (known, role) {
                    (Some(_), _) if settings.hold_known => Motion::Held,
                    (_, Role::Problem) => settings.opponents.motion(),
                    _ => Motion::Drifts,
                };
                rater.enter(&Entrant { name: name.to_owned(), known, motion })
            })?;
        }
        let [player, opponent] = numbers;
        if settings.first_only && !met.insert((player as u32, opponent as u32)) {
            repeats += 1;
            continue;
        }
        rater.play(player, opponent, score).map_err(|error| match error {
            RatingError::Score { score, expected, .. } => {
                games.error(FieldError::new("score", score.to_string(), expected)).into()
            }
            other => other,
        })?;
        counted += 1;
        for (number, score) in [(player, score), (opponent, 1.0 - score)] {
            let rating = &mut competitors.ratings[number];
            rating.games += 1;
            rating.score += score;
        }
    }
    if counted == 0 {
        return Err(RatingError::NoGames);
    }
    let standings = rater.finish()?;
    let mut ratings = competitors.ratings;
    for (rating, standing) in ratings.iter_mut().zip(standings) {
        let Standing { rating: value, deviation, volatility } = standing;
        rating.rating = value;
        (rating.deviation, rating.volatility) = (deviation, volatility);
        rating.low = deviation.map(|deviation| value - DEVIATES * deviation);
        rating.high = deviation.map(|deviation| value + DEVIATES * deviation);
        system.name.clone_into(&mut rating.system);
    }
    ratings.sort_by_key(|rating| rating.role == Role::Problem);
    let notes = rater.notes();
    Ok(Rated { ratings, games: counted, repeats, periods, notes, rater })
}

fn wrong_period(period: Option<u64>, open: Option<(u64, u64)>) -> FieldError {
    match (period, open) {
        (None, _) => FieldError::new("period", "nothing", "a period, as in the rows before"),
        (Some(period), None) => {
            FieldError::new("period", period.to_string(), "none, as in the rows before")
        }
        (Some(period), Some((_, open))) => {
            let expected = format!("{open} or later: rows must be sorted by period");
            FieldError::new("period", period.to_string(), expected)
        }
    }
}

impl Competitors {
    /// The number of a competitor, who enters where it is new.
    fn number(
        &mut self,
        role: Role,
        name: String,
        enter: impl FnOnce(&str) -> Result<(), RatingError>,
    ) -> Result<usize, RatingError> {
        let number = self.ratings.len();
        match self.numbers.entry((role, name)) {
            std::collections::hash_map::Entry::Occupied(found) => Ok(*found.get()),
            std::collections::hash_map::Entry::Vacant(free) => {
                let name = free.key().1.clone();
                enter(&name)?;
                free.insert(number);
                self.ratings.push(Rating {
                    name,
                    role,
                    rating: 0.0,
                    deviation: None,
                    volatility: None,
                    low: None,
                    high: None,
                    games: 0,
                    score: 0.0,
                    system: String::new(),
                });
                Ok(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::test_games::close;
    use super::super::{ALL, find as system_called};
    use super::*;
    use crate::data::read_table;

    fn rated(system: &str, settings: &RatingSettings, games: &str) -> Result<Rated, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("games");
        std::fs::write(&path, games).unwrap();
        let mut games = read_table(&path).unwrap();
        rate(system_called(system).unwrap(), settings, &mut games)
            .map_err(|error| error.to_string().split("games:").last().unwrap().to_owned())
    }

    fn by_default(system: &str, games: &str) -> Result<Rated, String> {
        rated(system, &RatingSettings::default(), games)
    }

    fn find<'a>(rated: &'a Rated, name: &str) -> &'a Rating {
        rated.ratings.iter().find(|rating| rating.name == name).unwrap()
    }

    const ROUND: &str = "player,opponent,score\na,b,1\nb,c,0.5\nc,a,1\na,c,1\nb,a,1\nc,b,0\n";

    #[test]
    fn every_system_rates_a_round() {
        for system in ALL {
            let rated = by_default(system.name, ROUND).unwrap();
            assert_eq!(rated.ratings.len(), 3, "{}", system.name);
            let a = find(&rated, "a");
            assert_eq!((a.games, a.score, a.system.as_str()), (4, 2.0, system.name));
            let expected = rated.expected(a, find(&rated, "b"));
            assert!(0.0 < expected.low && expected.low <= expected.value);
            assert!(expected.value <= expected.high && expected.high < 1.0);
        }
    }

    #[test]
    fn json_lines_read_like_a_table() {
        let lines = ROUND.lines().skip(1).fold(String::new(), |mut lines, line| {
            let cells: Vec<&str> = line.split(',').collect();
            let _ = writeln!(
                lines,
                r#"{{"player": "{}", "opponent": "{}", "outcome": {}, "at": "noon"}}"#,
                cells[0], cells[1], cells[2]
            );
            lines
        });
        let [table, lines] = [ROUND, &lines].map(|games| by_default("glicko2", games).unwrap());
        assert_eq!(table.ratings, lines.ratings);
    }

    #[test]
    fn a_wrong_row_is_named() {
        let message = |rows: &str| {
            by_default("trueskill", &format!("player,opponent,score,period\n{rows}")).err().unwrap()
        };
        for (rows, expected) in [
            ("a,b,2,1", "2: score: found 2, expected a number from 0 to 1"),
            ("a,b,,1", "2: score: found nothing, expected a number from 0 to 1"),
            (
                "a,b,1,1\na,a,1,1",
                "3: opponent: found the player, expected someone else than the player",
            ),
            ("a,b,0.3,1", "2: score: found 0.3, expected 0, 0.5 or 1"),
            (
                "a,b,1,3\na,b,1,2",
                "3: period: found 2, expected 3 or later: rows must be sorted by period",
            ),
            (
                "a,b,1,3\na,b,1,",
                "3: period: found nothing, expected a period, as in the rows before",
            ),
            ("a,b,1,\na,b,1,4", "3: period: found 4, expected none, as in the rows before"),
            (
                "a,b,1,May",
                "2: period: found \"May\", expected a whole number from 0 to 18446744073709551615",
            ),
            ("a,b,1", "2: the line: found 3 cells, expected 4, as in the first line"),
            ("", "found no games, expected at least one"),
        ] {
            assert_eq!(message(rows), expected);
        }
    }

    // Gaps between period numbers are periods without games.
    #[test]
    fn numbers_of_periods_count_the_idle_ones() {
        let games = |last: u64| format!("player,opponent,score,period\na,b,1,1\nc,d,1,{last}\n");
        let soon = by_default("glicko2", &games(2)).unwrap();
        let late = by_default("glicko2", &games(100)).unwrap();
        assert_eq!(late.periods, Some((1, 100)));
        let deviation = |rated: &Rated, name: &str| find(rated, name).deviation.unwrap();
        let (once, volatility) = (deviation(&soon, "a"), find(&soon, "a").volatility.unwrap());
        let (phi, step) = (once / 173.717_792_761_24, volatility);
        close(
            deviation(&late, "a"),
            (phi * phi + 98.0 * step * step).sqrt() * 173.717_792_761_24,
            1e-6,
        );
        assert_eq!(deviation(&soon, "c"), deviation(&late, "c"));
    }

    #[test]
    fn a_solver_and_a_problem_of_one_name_are_two() {
        let settings =
            RatingSettings { opponents: Opponents::Problems, ..RatingSettings::default() };
        let rated = rated("glicko2", &settings, "player,opponent,score\nx,x,1\nx,y,0\n").unwrap();
        let roles: Vec<_> = rated.ratings.iter().map(|row| (row.name.as_str(), row.role)).collect();
        assert_eq!(roles, [("x", Role::Player), ("x", Role::Problem), ("y", Role::Problem)]);
        let [_, solved, unsolved] = &rated.ratings[..] else { panic!("three rows") };
        assert!(solved.rating < 1500.0 && unsolved.rating > 1500.0);
        assert_eq!((solved.volatility, unsolved.score), (Some(0.0), 1.0));
    }

    #[test]
    fn only_first_attempts_count_where_asked() {
        let settings = RatingSettings { first_only: true, ..RatingSettings::default() };
        let games = "player,opponent,score\na,b,0\na,b,1\nb,a,1\n";
        let rated = rated("elo", &settings, games).unwrap();
        assert_eq!((rated.games, rated.repeats), (2, 1));
    }

    #[test]
    fn known_ratings_are_where_one_starts_or_stays() {
        let known = by_default("glicko2", ROUND).unwrap().ratings;
        let settings = RatingSettings { known, hold_known: true, ..RatingSettings::default() };
        let games = "player,opponent,score\na,p,1\nb,p,0\n";
        let rated = rated("glicko2", &settings, games).unwrap();
        close(find(&rated, "a").rating, find_known(&settings, "a").rating, 1e-9);
        assert!(find(&rated, "p").deviation.unwrap() < 350.0);
        let error = super::tests::rated("bradley-terry", &settings, games).err().unwrap();
        assert!(error.starts_with("bradley-terry rates all games at once"), "{error}");
    }

    fn find_known<'a>(settings: &'a RatingSettings, name: &str) -> &'a Rating {
        settings.known.iter().find(|rating| rating.name == name).unwrap()
    }
}
