//! The last number of a text, with no marker at all: a guess, for texts that
//! are known to end in their answer.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "number",
    summary: "the last number of the text (a guess: needs no marker)",
    extract: |text| {
        let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
        let number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        let start = text[..end]
            .rfind(|c| !number(c))
            .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
        // A minus directly after a digit is a difference, not a sign.
        let sign = text[..start].ends_with('-')
            && !text[..start - 1].ends_with(|c: char| c.is_ascii_digit());
        Some(Cow::Borrowed(&text[start - usize::from(sign)..end]))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_read_with_its_sign_and_separators() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read("from 3 to $1,250.50.").as_deref(), Some("1,250.50"));
        assert_eq!(read("it is -4 degrees").as_deref(), Some("-4"));
        assert_eq!(read("7-4").as_deref(), Some("4"));
        assert_eq!(read("–12 €").as_deref(), Some("12"));
        assert_eq!(read("none"), None);
    }
}
