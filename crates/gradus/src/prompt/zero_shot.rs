//! The question and the form of the answer, nothing else.

use super::{Shows, Strategy};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "zero-shot",
    summary: "the question and the form of the answer",
    template: include_str!("templates/zero_shot.jinja"),
    shows: Shows::Nothing,
};
