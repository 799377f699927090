//! The whole text, for rows whose text is the answer and nothing else.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "whole-text",
    summary: "the whole text, surrounding space aside",
    extract: |text| Some(text.trim()).filter(|text| !text.is_empty()).map(Cow::Borrowed),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrounding_space_is_left_out() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read(" a\nb ").as_deref(), Some("a\nb"));
        assert_eq!(read(" \n "), None);
    }
}
