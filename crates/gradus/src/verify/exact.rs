//! Equal means the same characters, surrounding space aside.

use super::{Comparison, Mode, whole_text};

pub(super) const MODE: Mode = Mode {
    name: "exact",
    summary: "the same characters, surrounding space aside",
    extractions: &[whole_text::EXTRACTION],
    compare: |gold, answer| match gold.trim() {
        "" => Comparison::BadGold("gold-empty"),
        gold if gold == answer.trim() => Comparison::Equal("same-text"),
        _ => Comparison::Different("other-text"),
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_characters_are_equal() {
        let compare = MODE.compare;
        assert_eq!(compare("-13", " -13\n"), Comparison::Equal("same-text"));
        assert_eq!(compare("18", "18.0"), Comparison::Different("other-text"));
        assert_eq!(compare(" ", "18"), Comparison::BadGold("gold-empty"));
    }
}
