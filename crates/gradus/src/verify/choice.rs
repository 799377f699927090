//! Equal means the same option of a multiple-choice question, by its letter:
//! `B`, `(b)`, `B.`, or a gold that goes on with the option's text.

use super::{Comparison, Mode, choice_letter};

pub(super) const MODE: Mode = Mode {
    name: "choice",
    summary: "the same letter of an option, in either case",
    extractions: &[choice_letter::EXTRACTION],
    compare: |gold, answer| match (letter(gold), letter(answer)) {
        (None, _) => Comparison::BadGold("gold-not-a-letter"),
        (_, None) => Comparison::Different("answer-not-a-letter"),
        (Some(gold), Some(answer)) if gold == answer => Comparison::Equal("same-letter"),
        _ => Comparison::Different("other-letter"),
    },
};

/// The letter, in upper case; one alone may be any of the alphabet.
fn letter(text: &str) -> Option<char> {
    let bare = text.trim().trim_matches(['(', ')', '.', '[', ']']);
    let mut characters = bare.chars();
    if let (Some(only), None) = (characters.next(), characters.next()) {
        return only.is_ascii_alphabetic().then(|| only.to_ascii_uppercase());
    }
    let read = (choice_letter::EXTRACTION.extract)(text)?;
    read.chars().next().map(|letter| letter.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_compared_by_their_letter() {
        let compare = MODE.compare;
        for answer in ["B", "b", "(B)", "B.", "B) the cell", "option B"] {
            assert_eq!(compare("B", answer), Comparison::Equal("same-letter"), "{answer}");
            assert_eq!(compare("(C)", answer), Comparison::Different("other-letter"), "{answer}");
        }
        assert_eq!(compare("B", "the cell"), Comparison::Different("answer-not-a-letter"));
        assert_eq!(compare("2", "B"), Comparison::BadGold("gold-not-a-letter"));
        assert_eq!(compare("", "B"), Comparison::BadGold("gold-not-a-letter"));
    }
}
