//! Votes by answer: the shared half of majority and weighted voting.

use super::{Samples, Ties};

/// Two sums this close, relative to the larger, are a tie: the same weights
/// added in another order differ by rounding only.
const ROUNDING: f64 = 1e-12;

/// Room for the sums of a vote, kept between votes.
#[derive(Debug, Default)]
pub struct Tally {
    /// Per answer; zero between votes.
    totals: Vec<f64>,
    /// Answers with a vote, in the order of their first one.
    seen: Vec<u32>,
    voted: Vec<bool>,
}

impl Tally {
    /// Adds up `weight` of each drawn slot by answer; the chance that the
    /// answer with the largest sum is correct.
    pub(super) fn vote(
        &mut self,
        samples: &Samples<'_>,
        drawn: &[u32],
        ties: Ties,
        weight: impl Fn(usize) -> f64,
    ) -> f64 {
        if self.totals.len() < samples.correct.len() {
            self.totals.resize(samples.correct.len(), 0.0);
            self.voted.resize(samples.correct.len(), false);
        }
        for &slot in drawn {
            let Some(answer) = samples.answers[slot as usize] else { continue };
            if !self.voted[answer as usize] {
                self.voted[answer as usize] = true;
                self.seen.push(answer);
            }
            self.totals[answer as usize] += weight(slot as usize);
        }
        let totals = &self.totals;
        let total = |&answer: &u32| totals[answer as usize];
        let best = self.seen.iter().map(total).fold(f64::NEG_INFINITY, f64::max);
        let within = best - ROUNDING * best.abs();
        let winners = self.seen.iter().filter(|&answer| total(answer) >= within);
        let correct = share_correct(winners.map(|&answer| samples.correct[answer as usize]), ties);
        for answer in self.seen.drain(..) {
            self.totals[answer as usize] = 0.0;
            self.voted[answer as usize] = false;
        }
        correct
    }
}

/// The chance that the winner among equals, in the order in which they were seen, is correct.
pub(super) fn share_correct(equals: impl Iterator<Item = bool>, ties: Ties) -> f64 {
    let (mut correct, mut count) = (0u32, 0u32);
    for is_correct in equals {
        if ties == Ties::First {
            return f64::from(u8::from(is_correct));
        }
        correct += u32::from(is_correct);
        count += 1;
    }
    if count == 0 { 0.0 } else { f64::from(correct) / f64::from(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(answers: &[Option<u32>], weights: &[f64], ties: Ties) -> f64 {
        let samples = Samples {
            answers,
            correct: &[false, true, false],
            sound: &[],
            scores: &[],
            weights,
            logarithmic: false,
        };
        let drawn: Vec<u32> = (0..answers.len() as u32).collect();
        let mut tally = Tally::default();
        // The second vote finds the tally as the first one did.
        tally.vote(&samples, &drawn, ties, |slot| weights[slot]);
        tally.vote(&samples, &drawn, ties, |slot| weights[slot])
    }

    #[test]
    fn ties_go_to_the_first_seen_or_to_each_alike() {
        let tied = [Some(0), Some(1), Some(1), Some(0), Some(2)];
        assert_eq!(vote(&tied, &[1.0; 5], Ties::First), 0.0);
        assert_eq!(vote(&tied, &[1.0; 5], Ties::Random), 0.5);
        let tied = [Some(1), Some(0), Some(2)];
        assert_eq!(vote(&tied, &[0.2; 3], Ties::First), 1.0);
        assert_eq!(vote(&tied, &[0.2; 3], Ties::Random), 1.0 / 3.0);
    }

    #[test]
    fn missing_answers_never_win() {
        assert_eq!(vote(&[None, None, Some(1)], &[9.0, 9.0, 0.1], Ties::First), 1.0);
        assert_eq!(vote(&[None, None], &[9.0, 9.0], Ties::Random), 0.0);
    }

    #[test]
    fn sums_that_differ_by_rounding_are_a_tie() {
        // 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last bit.
        let answers = [Some(0), Some(0), Some(0), Some(1), Some(1), Some(1)];
        let weights = [0.3, 0.2, 0.1, 0.1, 0.2, 0.3];
        assert_eq!(vote(&answers, &weights, Ties::Random), 0.5);
    }

    #[test]
    fn negative_weights_are_added_as_they_are() {
        assert_eq!(vote(&[Some(0), Some(0), Some(1)], &[-0.6, -0.6, -1.0], Ties::First), 1.0);
    }
}
