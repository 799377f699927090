//! Weighted vote: the answer whose samples have the largest sum of scores
//! (easy-to-hard, section 4; Li et al. 2023, arXiv 2206.02336).

use super::{Needs, Selector};

pub(super) const SELECTOR: Selector = Selector {
    name: "weighted",
    summary: "the answer with the largest sum of scores",
    needs: Needs::Scores,
    select: |samples, drawn, ties, tally| {
        tally.vote(samples, drawn, ties, |slot| samples.weights[slot])
    },
    expectation: None,
};
