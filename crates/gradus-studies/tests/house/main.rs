//! The house rules that a compiler does not know, as tests over the sources.
//!
//! Each rule is a function from text to findings, tried here on a small bad
//! example first, so that a rule that finds nothing is known to look.

mod arrows;
mod docs;
mod hygiene;
mod imports;
mod seams;
mod source;

use std::fmt::Write as _;

/// Fails with every finding on a line of its own.
fn assert_none<T: std::fmt::Display>(rule: &str, findings: &[T]) {
    let mut lines = String::new();
    for finding in findings {
        let _ = write!(lines, "\n  {finding}");
    }
    assert!(findings.is_empty(), "{rule}:{lines}");
}
