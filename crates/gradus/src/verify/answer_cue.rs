//! What follows "the answer is", "Final answer:", "**Answer:**" and the like.
//!
//! The last cue of the text counts, since a model that corrects itself says it
//! again. The answer is the rest of its line up to the end of the sentence, or
//! the next line where the cue ends its own, without Markdown around it.

use std::borrow::Cow;

use super::Extraction;
use super::math_span;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "answer-cue",
    summary: "what follows the last \"the answer is\", \"Final answer:\" or \"**Answer:**\"",
    extract: |text| last(text).map(Cow::Borrowed),
};

/// The answer after the last cue; empty where nothing follows it.
pub(super) fn last(text: &str) -> Option<&str> {
    let mut end = text.len();
    while let Some(at) = last_word(&text[..end]) {
        if let Some(rest) = follows(&text[..at], &text[at + WORD.len()..]) {
            return Some(answer(rest));
        }
        end = at;
    }
    None
}

const WORD: &str = "answer";

/// Where "answer" stands last, in any case, as the end of a word.
fn last_word(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let found = |window: &[u8]| window.eq_ignore_ascii_case(WORD.as_bytes());
    bytes.windows(WORD.len()).rposition(found)
}

/// What follows the word where it is a cue.
fn follows<'t>(before: &str, after: &'t str) -> Option<&'t str> {
    if before.ends_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    // "an answer is", "if the answer is", "your answer:" ask for one or doubt it.
    let words = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let mut words = words.rsplit(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let (last, before_it) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let same_sentence = !before.trim_end_matches([' ', '*', '_']).ends_with(['.', '\n', ':', '!']);
    if same_sentence
        && (matches!(last.as_str(), "an" | "any" | "no" | "whose" | "wrong" | "incorrect" | "your")
            || matches!(before_it.as_str(), "if" | "whether" | "unless"))
    {
        return None;
    }
    let after = after.strip_prefix('s').unwrap_or(after);
    let mut rest = after.trim_start_matches(MARKUP);
    if let Some(to) = strip_word(rest, "to th") {
        // "the answer to the question is"
        const LONGEST: usize = 60;
        let end = to.char_indices().nth(LONGEST).map_or(to.len(), |(at, _)| at);
        let asked = to[..end].split(['.', '\n', '?']).next().unwrap_or_default();
        rest = to[asked.find(" is ").or_else(|| asked.find(':'))?..].trim_start();
    }
    let verb = ["is", "are", "was", "should be", "must be", "will be", "would be"];
    let verb = verb.into_iter().find_map(|verb| {
        let rest = strip_word(rest, verb)?;
        // "is" inside "isn't" is none.
        (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '\'' || c == '’')).then_some(rest)
    });
    let sign = |rest: &'t str| rest.trim_start_matches(MARKUP).strip_prefix([':', '=', '：']);
    let rest = match verb {
        Some(rest) => sign(rest).unwrap_or(rest),
        None => sign(rest)?,
    };
    let denied = rest.trim_start_matches(MARKUP).split(|c: char| !c.is_alphabetic()).next();
    (!matches!(denied, Some("not" | "that" | "clear"))).then_some(rest)
}

/// What follows the word at the start, in any case.
pub(super) fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

const MARKUP: [char; 5] = [' ', '*', '_', '`', '\t'];

/// The answer at the start of what follows a cue.
fn answer(rest: &str) -> &str {
    let rest = rest.trim_start_matches(|c: char| MARKUP.contains(&c) || c.is_whitespace());
    if let Some(display) = math_span::display_at_start(rest) {
        return display;
    }
    let line = rest.lines().next().unwrap_or_default();
    let mut line = trim(clause(sentence(line)));
    for word in ["therefore ", "thus ", "then ", "hence ", "simply ", "just ", "clearly "] {
        line = strip_word(line, word).map_or(line, trim);
    }
    // "Final answer: The largest n is 34": the cue announces a sentence that says it.
    let said = line.strip_prefix("The ").and_then(|line| {
        let after = |verb: &str| line.rfind(verb).map(|at| trim(&line[at + verb.len()..]));
        after(" is ").or_else(|| after(" are "))
    });
    bare(said.filter(|said| !said.is_empty()).unwrap_or(line))
}

/// Without the dollar signs or the like around the whole.
fn bare(text: &str) -> &str {
    let within = |open, close| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        let inner = Some(inner).filter(|inner: &&str| !inner.contains(['$', '\n']))?;
        (!inner.contains(open) && !inner.trim().is_empty()).then(|| inner.trim())
    };
    within("$$", "$$").or_else(|| within("$", "$")).or_else(|| within("\\(", "\\)")).unwrap_or(text)
}

/// Without the clause that gives a reason or goes on.
fn clause(sentence: &str) -> &str {
    let marks = [" because ", ", because ", ", since ", ", which ", ", so ", ", as "];
    let end = marks.into_iter().filter_map(|mark| sentence.find(mark)).min();
    end.map_or(sentence, |end| &sentence[..end])
}

/// Up to the period that ends the first sentence: one before space and outside of math.
fn sentence(line: &str) -> &str {
    let mut in_math = false;
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match c {
            '$' if before != '\\' => in_math = !in_math && line[at + 1..].contains('$'),
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            '.' if !in_math
                && depth == 0
                && line[at + 1..].starts_with(char::is_whitespace)
                && !abbreviated(&line[..at]) =>
            {
                return &line[..at];
            }
            _ => {}
        }
        before = c;
    }
    line
}

/// Does the text end in a word that a period shortens: "Mr", "St", or an initial?
fn abbreviated(text: &str) -> bool {
    let word = text.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let known = ["Mr", "Mrs", "Ms", "Dr", "St", "vs", "approx", "ca", "No", "Prof"];
    known.contains(&word)
}

/// Without Markdown, space and the final period.
fn trim(text: &str) -> &str {
    let text = text.trim_matches(|c: char| MARKUP.contains(&c) || c.is_whitespace());
    let text = text.strip_suffix('.').unwrap_or(text);
    text.trim_matches(|c: char| MARKUP.contains(&c) || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_cue_is_the_answer_up_to_the_end_of_its_sentence() {
        for (text, answer) in [
            ("The answer is 42.", "42"),
            ("So the final answer is 3.5. I hope it is correct.", "3.5"),
            ("Therefore, answer is 189.\n\nAnother thought", "189"),
            ("**Answer:** $\\frac{1}{2}$", "\\frac{1}{2}"),
            ("The answer is \\( x = 2 \\).", "x = 2"),
            ("The answer is $1$ and $2$.", "$1$ and $2$"),
            ("The answer is $5.", "$5"),
            ("The answers are 3 and 4.", "3 and 4"),
            ("THE ANSWER IS 5", "5"),
            ("The answer is therefore 5, since 6 is too much.", "5"),
            ("The answer is 5 because it is.", "5"),
            ("**Final Answer**: **42**", "42"),
            ("Answer: Paris", "Paris"),
            ("ANSWER = `x + 1`.", "x + 1"),
            ("The answer is: -7", "-7"),
            ("the correct answer is (B).", "(B)"),
            ("The answer to the question is 12.", "12"),
            ("The answer should be 004.", "004"),
            ("### Answer:\n\n  12 apples\n\nDone.", "12 apples"),
            ("The answer is:\n\\[\n  \\frac{1}{2}\n\\]\nas said.", "\\frac{1}{2}"),
            ("Final Answer: The largest $n$ is 34.", "34"),
            ("The answer is Mr. Brown. He", "Mr. Brown"),
            ("The answer is $f(x) = 1. 5$ in all", "$f(x) = 1. 5$ in all"),
            ("The answer is 5. Wait. The answer is 6.", "6"),
            ("The answer is ½.", "½"),
        ] {
            assert_eq!(last(text), Some(answer), "{text}");
        }
    }

    #[test]
    fn a_cue_with_nothing_behind_it_was_cut() {
        assert_eq!(last("5, so the answer is"), Some(""));
        assert_eq!(last("**Answer:**\n\n"), Some(""));
    }

    #[test]
    fn what_asks_for_an_answer_or_doubts_one_is_no_cue() {
        for text in [
            "Let us answer it.",
            "An answer is needed",
            "if the answer is 5 we are done",
            "The answer is not 5",
            "The answer isn't 5",
            "Write your answer: here",
            "the answers differ",
            "It is 42.",
        ] {
            assert_eq!(last(text), None, "{text}");
        }
    }
}
