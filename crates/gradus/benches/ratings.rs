//! A million games of 10,000 players in 20 periods, beside the crate skillratings, whose
//! `glicko2_rating_period` takes a player's results of one period.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gradus::difficulty::ratings::{self, Entrant, Rater, Standing};
use gradus::run::Stream;
use skillratings::Outcomes;
use skillratings::glicko2::{Glicko2Config, Glicko2Rating, glicko2_rating_period};

const PLAYERS: usize = 10_000;
const PERIODS: usize = 20;
const GAMES: usize = 1_000_000;

type Game = (usize, usize, f64);

/// The games of each period; better players win more often.
fn periods() -> Vec<Vec<Game>> {
    let mut stream = Stream::new(1, &["ratings", "bench"]);
    let skills: Vec<f64> = (0..PLAYERS).map(|_| stream.normal()).collect();
    let mut game = || {
        let player = stream.below(PLAYERS as u64) as usize;
        let opponent = (player + 1 + stream.below(PLAYERS as u64 - 1) as usize) % PLAYERS;
        let chance = 1.0 / (1.0 + (skills[opponent] - skills[player]).exp());
        (player, opponent, f64::from(u8::from(stream.unit() < chance)))
    };
    (0..PERIODS).map(|_| (0..GAMES / PERIODS).map(|_| game()).collect()).collect()
}

fn ours(system: &str, periods: &[Vec<Game>]) -> Vec<Standing> {
    let system = ratings::find(system).expect("a known system");
    let mut rater: Box<dyn Rater> = (system.build)(&serde_json::Value::Null).expect("defaults");
    for _ in 0..PLAYERS {
        rater.enter(&Entrant::default()).expect("anyone may enter");
    }
    for games in periods {
        for &(player, opponent, score) in games {
            rater.play(player, opponent, score).expect("scores are 0 or 1");
        }
        rater.close_period(1).expect("it converges");
    }
    rater.finish().expect("it converges")
}

fn theirs(periods: &[Vec<Game>]) -> Vec<Glicko2Rating> {
    let config = Glicko2Config { tau: 0.5, convergence_tolerance: 1e-6 };
    let mut players = vec![Glicko2Rating::new(); PLAYERS];
    for games in periods {
        let mut results = vec![Vec::new(); PLAYERS];
        for &(player, opponent, score) in games {
            let (won, lost) = (Outcomes::WIN, Outcomes::LOSS);
            let (one, other) = if score > 0.5 { (won, lost) } else { (lost, won) };
            results[player].push((players[opponent], one));
            results[opponent].push((players[player], other));
        }
        players = players
            .iter()
            .zip(&results)
            .map(|(player, results)| glicko2_rating_period(player, results, &config))
            .collect();
    }
    players
}

fn million_games(criterion: &mut Criterion) {
    let periods = periods();
    let (own, other) = (ours("glicko2", &periods), theirs(&periods));
    for (own, other) in own.iter().zip(&other) {
        assert!((own.rating - other.rating).abs() < 1e-3, "{own:?} {other:?}");
    }
    let mut group = criterion.benchmark_group("1,000,000 games");
    group.sample_size(10);
    group.bench_function("glicko2, skillratings", |bench| {
        bench.iter(|| theirs(black_box(&periods)));
    });
    for system in ["glicko2", "glicko", "elo", "trueskill", "bradley-terry"] {
        group.bench_function(system, |bench| bench.iter(|| ours(system, black_box(&periods))));
    }
    group.finish();
}

criterion_group!(benches, million_games);
criterion_main!(benches);
