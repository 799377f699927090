//! The `#### 18` line that ends the solutions of GSM8K (Cobbe et al. 2021).
//! The first such line counts, as in that set's own reader.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "hash-marks",
    summary: "the rest of the first line that begins with `####`",
    extract: |text| {
        let rest = text.lines().find_map(|line| line.trim().strip_prefix("####"));
        rest.map(|answer| Cow::Borrowed(answer.trim()))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_line_is_the_answer() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read("9 * 2 = 18\n#### 18\n#### 19").as_deref(), Some("18"));
        assert_eq!(read("9 * 2 = 18 #### 18"), None);
        assert_eq!(read("####").as_deref(), Some(""));
    }
}
