//! The whole text where it is a single line: an answer that stands alone. Of a
//! longer text nothing is read, so that a completion without a marker has no answer.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "one-line",
    summary: "the whole text, where it is a single line",
    extract: |text| {
        let text = text.trim();
        (!text.is_empty() && !text.contains('\n')).then_some(Cow::Borrowed(text))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_of_one_line_is_an_answer() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read(" 18 apples\n").as_deref(), Some("18 apples"));
        assert_eq!(read("a\nb"), None);
        assert_eq!(read(" \n "), None);
    }
}
