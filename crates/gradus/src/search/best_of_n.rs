//! Best of n: the answer of the one sample with the highest score (Cobbe et al.
//! 2021, arXiv 2110.14168). A tie is among samples, not among answers.

use super::vote::share_correct;
use super::{Needs, Samples, Selector};

pub(super) const SELECTOR: Selector = Selector {
    name: "best-of-n",
    summary: "the answer of the sample with the highest score",
    needs: Needs::Scores,
    select: |samples, drawn, ties, _| {
        let answered = || drawn.iter().filter(|&&slot| samples.answers[slot as usize].is_some());
        let score = |&&slot: &&u32| samples.scores[slot as usize];
        let best = answered().map(|slot| score(&slot)).fold(f64::NEG_INFINITY, f64::max);
        let winners = answered().filter(|slot| score(slot) == best);
        share_correct(winners.map(|&slot| samples.is_correct(slot)), ties)
    },
    expectation: Some(expectation),
};

/// With N samples sorted by falling score, the sample of rank r (from 0) is the
/// best of a random n-subset with chance C(N-1-r, n-1) / C(N, n): n / N for r = 0,
/// and times (N-n-r) / (N-1-r) from r to r+1. Samples with one score share their chances.
fn expectation(samples: &Samples<'_>, n: usize) -> f64 {
    let slots = samples.answers.len();
    let mut ranked: Vec<u32> =
        (0..slots as u32).filter(|&slot| samples.answers[slot as usize].is_some()).collect();
    let score = |slot: u32| samples.scores[slot as usize];
    ranked.sort_unstable_by(|&one, &two| score(two).total_cmp(&score(one)));

    let mut chance = n as f64 / slots as f64;
    let mut rank = 0;
    let mut expected = 0.0;
    for equals in ranked.chunk_by(|&one, &two| score(one) == score(two)) {
        let mut chances = 0.0;
        for _ in equals {
            chances += chance;
            chance *= (slots - n).saturating_sub(rank) as f64 / (slots - 1 - rank).max(1) as f64;
            rank += 1;
        }
        let correct = equals.iter().filter(|&&slot| samples.is_correct(slot)).count();
        expected += chances * correct as f64 / equals.len() as f64;
    }
    expected
}
