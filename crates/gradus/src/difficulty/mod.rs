//! Difficulty: which items are hard, how able each respondent is, with errors.
//!
//! Here a problem is an *item*, and whoever answers (a model, a person) is a
//! *respondent*; [`responses`] is the one point where the words change.

pub mod irt;
pub mod responses;
