//! The `# -13` line that ends a solution of the procedural families: it must be
//! the last line of the text, and exactly one `#` and one space.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "hash-line",
    summary: "the rest of the last line, where it begins with `# `",
    extract: |text| {
        let answer = text.rsplit('\n').next()?.strip_prefix("# ")?;
        Some(Cow::Borrowed(answer.trim()))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_counts() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(read("5\n-13\n# -13").as_deref(), Some("-13"));
        assert_eq!(read("# 5\n-13"), None);
        assert_eq!(read("5\n#### 13"), None);
    }
}
