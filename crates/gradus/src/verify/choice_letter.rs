//! The letter of an option, A to J: `(B)`, `B.`, "option B", "the answer is B".
//!
//! Tried in this order, each for its last place in the text: a letter after an
//! answer cue or in a box; a text that is or begins with a letter (`B`, `B.
//! because`, `(B) the cell`); "option B" or "choice B"; `(B)`; a line that is a
//! letter alone. A text that lists the options ends in the last of them, which
//! is why the first two go before.

use std::borrow::Cow;

use super::{Extraction, answer_cue, boxed};

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "choice-letter",
    summary: "the letter of an option: (B), B., option B, answer is B",
    extract: |text| {
        if let Some(Cow::Borrowed(boxed)) = (boxed::EXTRACTION.extract)(text) {
            // A box that was cut is no answer; one that holds no letter leaves the text to speak.
            if boxed.is_empty() {
                return Some(Cow::Borrowed(""));
            }
            if let Some(letter) = leading(boxed) {
                return Some(Cow::Borrowed(letter));
            }
        }
        let letter = match answer_cue::last(text) {
            Some("") => Some(""),
            cue => cue.and_then(leading).or_else(|| unmarked(text)),
        };
        letter.map(Cow::Borrowed)
    },
};

fn unmarked(text: &str) -> Option<&str> {
    leading(text)
        .or_else(|| after_word(text))
        .or_else(|| in_parentheses(text))
        .or_else(|| text.lines().rev().find_map(alone))
}

fn is_letter(byte: u8) -> bool {
    matches!(byte, b'A'..=b'J')
}

/// The letter with which the text begins: `B`, `B.`, `B)`, `(b)`, `**B**`, `option B`.
fn leading(text: &str) -> Option<&str> {
    let mut text = text.trim_start_matches(|c: char| c.is_whitespace() || "*_`$".contains(c));
    for word in ["option", "choice", "\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{"] {
        if let Some(rest) = answer_cue::strip_word(text, word) {
            text = rest.trim_start_matches(|c: char| c.is_whitespace() || "*_`$".contains(c));
        }
    }
    if let Some(inner) = text.strip_prefix(['(', '[']) {
        let letter = inner.get(..1)?;
        let closed = inner[1..].starts_with([')', ']']);
        return (closed && is_letter(letter.as_bytes()[0].to_ascii_uppercase())).then_some(letter);
    }
    let letter = text.get(..1).filter(|letter| is_letter(letter.as_bytes()[0]))?;
    let mut after = text[1..].chars();
    let next = after.next();
    let stands_alone = match next {
        // "A cell" and "I think" are sentences.
        Some(c) if c.is_whitespace() && matches!(letter, "A" | "I") => {
            !after.next().is_some_and(char::is_alphabetic) || because(&text[1..])
        }
        Some(c) => c.is_whitespace() || ".):,;*]}`$".contains(c),
        None => true,
    };
    stands_alone.then_some(letter)
}

fn because(after: &str) -> bool {
    let word = after.split_whitespace().next().unwrap_or_default();
    matches!(word, "because" | "since" | "as" | "is")
}

/// The letter after the last "option" or "choice".
fn after_word(text: &str) -> Option<&str> {
    let mut starts: Vec<usize> = Vec::new();
    for word in ["option ", "Option ", "choice ", "Choice "] {
        starts.extend(text.rmatch_indices(word).map(|(at, _)| at + word.len()));
    }
    starts.sort_unstable();
    starts.into_iter().rev().find_map(|start| {
        let rest = text[start..].trim_start_matches(['*', '_', '`', '(']);
        let letter = rest.get(..1).filter(|letter| is_letter(letter.as_bytes()[0]))?;
        (!rest[1..].starts_with(|c: char| c.is_alphanumeric())).then_some(letter)
    })
}

/// The last letter in parentheses.
fn in_parentheses(text: &str) -> Option<&str> {
    let at = text
        .as_bytes()
        .windows(3)
        .rposition(|window| window[0] == b'(' && is_letter(window[1]) && window[2] == b')')?;
    Some(&text[at + 1..at + 2])
}

/// The letter that is all of a line.
fn alone(line: &str) -> Option<&str> {
    let line = line.trim_matches(|c: char| c.is_whitespace() || "*_`$.".contains(c));
    (line.len() == 1 && is_letter(line.as_bytes()[0])).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        (EXTRACTION.extract)(text).map(Cow::into_owned)
    }

    #[test]
    fn a_letter_is_read_in_the_ways_in_which_models_give_one() {
        for (text, letter) in [
            ("B", "B"),
            ("B. Mitochondria", "B"),
            ("(B) Mitochondria", "B"),
            ("The answer is B.", "B"),
            ("The answer is (b).", "b"),
            ("**Answer:** **C**", "C"),
            ("The correct answer is option D, because", "D"),
            ("The answer is A because it is", "A"),
            ("Not (A), so it must be option B.", "B"),
            ("I would go with (C).", "C"),
            ("$\\boxed{\\text{(C)}}.$", "C"),
            ("\\boxed{E}", "E"),
            ("We think.\n\nD\n", "D"),
            ("(A) one (B) two (C) three\nThe answer is B", "B"),
            ("So the answer is $\\text{B}$.", "B"),
        ] {
            assert_eq!(read(text).as_deref(), Some(letter), "{text}");
        }
    }

    #[test]
    fn words_are_no_letters() {
        for text in
            ["A cell divides.", "I think so.", "Because of DNA", "", "(K)", "the answer is a dog"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_is_none() {
        assert_eq!(read("It is (A) or (B). The answer is").as_deref(), Some(""));
        assert_eq!(read("(A) ... \\boxed{").as_deref(), Some(""));
    }
}
