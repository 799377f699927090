//! The `A: 18` line that ends the model solutions published with GSM8K.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "a-line",
    summary: "the rest of the first line that begins with `A:`",
    extract: |text| {
        let rest = text.lines().find_map(|line| line.trim().strip_prefix("A:"));
        rest.map(|answer| Cow::Borrowed(answer.trim()))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_line_is_the_answer() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read("9 * 2 = $18\nA: 18").as_deref(), Some("18"));
        assert_eq!(read("PA: 18"), None);
    }
}
