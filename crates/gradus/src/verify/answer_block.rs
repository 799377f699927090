//! The `# Answer` block of easy-to-hard (Sun et al. 2024, arXiv 2403.09472):
//! a heading line `# Answer`, then the answer. The first block counts, and of
//! it the first line that is not blank, so that a model that runs on into the
//! next question is read as its first answer.

use std::borrow::Cow;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "answer-block",
    summary: "the first line after the first `# Answer` heading",
    extract: |text| {
        let mut lines = text.lines().map(str::trim);
        lines.find(|&line| line == "# Answer")?;
        Some(Cow::Borrowed(lines.find(|line| !line.is_empty()).unwrap_or_default()))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_after_the_first_heading_is_the_answer() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        assert_eq!(
            read("a\n\n# Answer\n\n $x^2$ \n\n# Question\n\n# Answer\n\n3").as_deref(),
            Some("$x^2$")
        );
        assert_eq!(read("a\n\n# Answer\n\n  \n").as_deref(), Some(""));
        assert_eq!(read("the # Answer is\n3"), None);
    }
}
