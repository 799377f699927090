//! Yes or no, as in `StrategyQA` (Geva et al. 2021): the word after the last
//! answer cue, else the word with which the text begins, else a last line that
//! is the word alone. "No" inside a sentence is not read: "there is no" is no answer.

use std::borrow::Cow;

use super::{Extraction, answer_cue};

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "yes-no",
    summary: "yes or no after an answer cue, at the start, or alone on the last line",
    extract: |text| {
        let word = match answer_cue::last(text) {
            Some("") => Some(""),
            cue => cue.and_then(leading).or_else(|| leading(text)).or_else(|| {
                let line = text.trim_end().lines().next_back()?;
                leading(line).filter(|word| bare(line) == *word)
            }),
        };
        word.map(Cow::Borrowed)
    },
};

/// The word with which the text begins, as it is written.
fn leading(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || "*_`\"'".contains(c));
    ["yes", "no"].into_iter().find_map(|word| {
        let head = text.get(..word.len())?;
        let over = !text[word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '\'');
        // "No cat is a dog" and "no more than" are sentences, "No, ..." and "No." are answers.
        let sentence = text[word.len()..]
            .strip_prefix(' ')
            .is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        (head.eq_ignore_ascii_case(word) && over && !(word == "no" && sentence)).then_some(head)
    })
}

fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| !c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        (EXTRACTION.extract)(text).map(Cow::into_owned)
    }

    #[test]
    fn the_word_is_read_after_a_cue_at_the_start_and_at_the_end() {
        for (text, word) in [
            ("Yes, since it floats.", "Yes"),
            ("no", "no"),
            ("Ice floats. So the answer is yes.", "yes"),
            ("Yes? The answer is **No**.", "No"),
            ("It sinks.\n\n**No.**\n", "No"),
        ] {
            assert_eq!(read(text).as_deref(), Some(word), "{text}");
        }
    }

    #[test]
    fn a_word_within_a_sentence_is_not_read() {
        for text in ["There is no ice.", "No cat is a dog.", "Yesterday", "nothing", ""] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("It floats, so the answer is").as_deref(), Some(""));
    }
}
