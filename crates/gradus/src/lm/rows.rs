//! What all scripted models share.

use std::ops::ControlFlow;

use super::{Generated, Key, RowError, Sink};
use crate::data::FinishReason;

/// Answers row by row, until the sink has enough.
pub(super) fn each<R, T>(
    rows: &[R],
    key: impl Fn(&R) -> &Key,
    answer: impl Fn(&R) -> Result<T, String>,
    sink: &mut Sink<'_, T>,
) {
    for row in rows {
        let key = key(row);
        let answered = answer(row).map_err(|reason| RowError { key: key.clone(), reason });
        if let ControlFlow::Break(()) = sink(key.clone(), answered) {
            return;
        }
    }
}

/// A completion of which nothing but the text is known.
pub(super) fn generated(text: String, finish_reason: FinishReason) -> Generated {
    Generated {
        text,
        tokens: Vec::new(),
        token_log_probs: Vec::new(),
        sampled_log_probs: Vec::new(),
        prompt_tokens: None,
        completion_tokens: None,
        finish_reason,
    }
}
