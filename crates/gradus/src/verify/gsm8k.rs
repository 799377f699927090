//! Equal means the same number, written in any of the ways that solutions of
//! GSM8K (Cobbe et al. 2021, arXiv 2110.14168) write one: `$1,250`, `18.0`,
//! `50%`, `18.`.
//!
//! The reader that its authors published compares the text after `####` without
//! thousands separators; this one also takes off the currency and percent signs
//! and the zeros that do not change the number.
//!
//! Numbers are compared as decimals, digit by digit: no rounding makes two
//! different ones equal.

use super::{Comparison, Mode, a_line, answer_cue, boxed, hash_marks, one_line};

pub(super) const MODE: Mode = Mode {
    name: "gsm8k",
    summary: "the same decimal number; $, %, thousands separators and a final period aside",
    extractions: &[
        hash_marks::EXTRACTION,
        a_line::EXTRACTION,
        boxed::EXTRACTION,
        answer_cue::EXTRACTION,
        one_line::EXTRACTION,
    ],
    compare: |gold, answer| match (decimal(gold), decimal(answer)) {
        (None, _) => Comparison::BadGold("gold-not-a-number"),
        (_, None) => Comparison::Different("answer-not-a-number"),
        (Some(gold), Some(answer)) if gold == answer => Comparison::Equal("same-number"),
        _ => Comparison::Different("other-number"),
    },
};

/// Sign, integer digits without leading zeros, fraction digits without trailing zeros.
fn decimal(text: &str) -> Option<(bool, String, &str)> {
    let text = text.trim().trim_end_matches('.').trim_end_matches('%').trim_end();
    let (negative, text) = sign(text);
    // The currency sign may stand on either side of the minus.
    let (negative, text) = match text.strip_prefix('$') {
        Some(text) if !negative => sign(text.trim_start()),
        Some(text) => (true, text.trim_start()),
        None => (negative, text),
    };
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let groups: Vec<&str> = integer.split(',').collect();
    let grouped = groups.len() == 1
        || (1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|group| group.len() == 3);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = groups.iter().all(|group| digits(group)) && digits(fraction);
    if !grouped || !plain || (integer.is_empty() && fraction.is_empty()) {
        return None;
    }
    let integer = groups.concat().trim_start_matches('0').to_owned();
    let fraction = fraction.trim_end_matches('0');
    let zero = integer.is_empty() && fraction.is_empty();
    Some((negative && !zero, integer, fraction))
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(text) => (true, text.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(gold: &str, answer: &str) -> bool {
        matches!((MODE.compare)(gold, answer), Comparison::Equal(_))
    }

    #[test]
    fn the_same_number_may_be_written_in_several_ways() {
        for answer in ["1250", "1,250", "$1,250", "$1250.00", "1250.", " 1250 ", "+1250", "01250"] {
            assert!(equal("1250", answer), "{answer}");
        }
        assert!(equal("-5", "-$5") && equal("-5", "$-5"));
        assert!(equal("50", "50%") && equal("0.5", ".50") && equal("0", "-0.0"));
    }

    #[test]
    fn different_numbers_stay_different_however_close() {
        assert!(!equal("0.1", "0.10000000000000000001"));
        assert!(!equal("9007199254740993", "9007199254740992"));
        assert!(!equal("5", "-5"));
    }

    #[test]
    fn what_is_no_number_is_not_guessed_at() {
        for answer in ["", "1,25", "1,2500", "1.2.3", "18 dollars", "--5", "1/2", "$", ".", "１８"]
        {
            let found = (MODE.compare)("18", answer);
            assert_eq!(found, Comparison::Different("answer-not-a-number"), "{answer}");
        }
        assert_eq!((MODE.compare)("x", "18"), Comparison::BadGold("gold-not-a-number"));
    }
}
