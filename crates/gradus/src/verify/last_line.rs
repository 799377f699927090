//! The last line that is not blank, exactly as it stands: for models that were
//! told to end with the answer on a line of its own. It needs no marker.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "last-line",
    summary: "the last line that is not blank, as it stands (a guess: needs no marker)",
    extract: |text| text.trim_end().lines().next_back().map(|line| Cow::Borrowed(line.trim())),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_at_the_end_are_passed_over() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read("First.\n  x + 1.  \n\n \n").as_deref(), Some("x + 1."));
        assert_eq!(read(" \n"), None);
    }
}
