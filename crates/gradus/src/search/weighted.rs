//! Weighted vote: the answer whose samples have the largest sum of scores
//! (easy-to-hard, section 4; Li et al. 2023, arXiv 2206.02336).

use super::{Needs, Selector};

/// Below this a weight has lost digits, or is 0 though its logarithm is finite.
const LIGHT: f64 = 1e-290;

pub(super) const SELECTOR: Selector = Selector {
    name: "weighted",
    summary: "the answer with the largest sum of scores",
    needs: Needs::Scores,
    select: |samples, drawn, ties, tally| {
        let voters = || {
            drawn.iter().map(|&slot| slot as usize).filter(|&slot| samples.answers[slot].is_some())
        };
        let heaviest = voters().map(|slot| samples.weights[slot]).fold(0.0, f64::max);
        if samples.logarithmic && heaviest < LIGHT {
            // Weights are relative to the largest of the pool, which was not drawn.
            let largest =
                voters().map(|slot| samples.scores[slot]).fold(f64::NEG_INFINITY, f64::max);
            if largest.is_finite() {
                let weight = |slot: usize| (samples.scores[slot] - largest).exp();
                return tally.vote(samples, drawn, ties, weight);
            }
        }
        tally.vote(samples, drawn, ties, |slot| samples.weights[slot])
    },
    expectation: None,
};

#[cfg(test)]
mod tests {
    use super::super::{Samples, Tally, Ties, aggregation};
    use super::*;

    #[test]
    fn weights_far_below_the_largest_of_the_pool_still_vote() {
        let (answers, scores) = ([Some(0), Some(1), Some(0), None], [-1.0, -900.0, -1000.0, 0.0]);
        let mut weights = Vec::new();
        aggregation("log-prob").unwrap().weights(&scores, &mut weights);
        let samples = Samples {
            answers: &answers,
            correct: &[true, false],
            sound: &[],
            scores: &scores,
            weights: &weights,
            logarithmic: true,
        };
        let vote =
            |drawn: &[u32]| (SELECTOR.select)(&samples, drawn, Ties::Random, &mut Tally::default());
        assert_eq!((vote(&[1, 2]), vote(&[2, 1]), vote(&[3, 2])), (0.0, 0.0, 1.0));
        assert_eq!((vote(&[0, 1]), vote(&[0, 1, 2])), (1.0, 1.0));
    }
}
