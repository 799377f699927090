//! Majority vote, also called self-consistency (Wang et al. 2023, arXiv 2203.11171).

use super::{Needs, Selector};

pub(super) const SELECTOR: Selector = Selector {
    name: "majority",
    summary: "the most frequent answer",
    needs: Needs::Nothing,
    select: |samples, drawn, ties, tally| tally.vote(samples, drawn, ties, |_| 1.0),
    expectation: None,
};
