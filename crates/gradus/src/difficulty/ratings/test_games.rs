//! What the tests of all rating systems need.

use super::rating::{Entrant, Motion, Rater, Standing};

pub(super) fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

pub(super) fn enter(rater: &mut dyn Rater, known: &[Standing], motion: Motion) {
    for &standing in known {
        rater.enter(&Entrant { known: Some(standing), motion, ..Entrant::default() }).unwrap();
    }
}

/// The standings of newcomers after games of one period.
pub(super) fn play(
    rater: &mut dyn Rater,
    competitors: usize,
    games: &[(usize, usize, f64)],
) -> Vec<Standing> {
    for _ in 0..competitors {
        rater.enter(&Entrant::default()).unwrap();
    }
    for &(player, opponent, score) in games {
        rater.play(player, opponent, score).unwrap();
    }
    rater.finish().unwrap()
}

pub(super) fn standings<const N: usize>(of: [(f64, Option<f64>); N]) -> [Standing; N] {
    of.map(|(rating, deviation)| Standing { rating, deviation, volatility: None })
}
