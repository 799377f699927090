//! Demonstrations of questions with their final answers, then the question.
//!
//! Brown et al. 2020, "Language Models are Few-Shot Learners", arXiv 2005.14165,
//! section 2: K examples of context and completion, then one context. Departure: for
//! a chat model, each demonstration is a turn of its own.

use super::{Shows, Strategy};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "few-shot",
    summary: "questions with their answers, then the question",
    template: include_str!("templates/few_shot.jinja"),
    shows: Shows::Answers,
};
