//! The last `\boxed{...}` of a text, as solutions of MATH (Hendrycks et al.
//! 2021) give their answers, or its like `\fbox{...}`, with its braces balanced.
//!
//! Boxes that only "and" or a comma separate, or nothing at all, are one answer:
//! `\boxed{1} and \boxed{2}` is `1, 2`. What "or" joins is the same value written
//! twice in MATH, so there the last box counts. A box that the text ends in was
//! cut: no answer, whatever stands in boxes before it.

use std::borrow::Cow;

use super::Extraction;
use super::math_span::{self, Span};

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "boxed",
    summary: "what stands in the last \\boxed{...}; several joined by \"and\" are one",
    extract: |text| {
        let (boxes, cut) = boxes(text);
        if cut {
            return Some(Cow::Borrowed(""));
        }
        let answer = math_span::last_answer(text, &boxes, one_answer)?;
        let before = &text[..boxes.last()?.all.start];
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        // Of an even number each two are a line break of TeX.
        let escaped_twice = backslashes % 2 == 1;
        Some(if escaped_twice { answer.replace("\\\\", "\\").into() } else { answer })
    },
};

const NAMES: [&str; 2] = ["\\boxed", "\\fbox"];

/// All boxes in the order in which they open, and whether the last was cut.
fn boxes(text: &str) -> (Vec<Span>, bool) {
    let bytes = text.as_bytes();
    let mut found: Vec<Span> = Vec::new();
    // Of each open brace, where the box starts whose brace it is.
    let mut open: Vec<Option<(usize, usize)>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let Some(name) = NAMES.iter().find(|name| text[at..].starts_with(**name)) else {
                    // `\{` and `\}` are no braces of TeX. In a text that was escaped twice
                    // `\\boxed` is the box all the same.
                    let again = NAMES.iter().any(|name| text[at + 1..].starts_with(*name));
                    at += if again { 1 } else { 2 };
                    continue;
                };
                let start = at;
                at += name.len();
                let rest = &text[at..];
                let argument = rest.trim_start_matches(' ');
                let space = rest.len() - argument.len();
                if argument.starts_with('{') {
                    at += space + 1;
                    open.push(Some((start, at)));
                } else if !argument.starts_with(|c: char| c.is_alphabetic() && space == 0) {
                    // `\boxed 5$`: without braces up to the end of the formula or the line.
                    let end = argument.find(['$', '\n']).unwrap_or(argument.len());
                    let inner = at + space..at + space + end;
                    at = inner.end;
                    found.push(Span { all: start..inner.end, inner });
                }
            }
            b'{' => {
                open.push(None);
                at += 1;
            }
            b'}' => {
                if let Some(Some((start, inner))) = open.pop() {
                    found.push(Span { all: start..at + 1, inner: inner..at });
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    found.sort_by_key(|found| found.all.start);
    let last_open = open.into_iter().rev().flatten().next();
    let cut = last_open
        .is_some_and(|(start, _)| found.last().is_none_or(|found| found.all.start < start));
    (found, cut)
}

/// Do two boxes with this between them make one answer? "\boxed{3} pens and
/// \boxed{4} cups" does; what takes back, concludes or ends a sentence does not.
fn one_answer(between: &str) -> bool {
    const LONGEST: usize = 30;
    let mut words = between.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let ends = |c: char| ".!?:=\n".contains(c);
    let mut counted = || {
        between.len() <= LONGEST
            && !between.contains(ends)
            && words.next_back() == Some("and")
            && words.all(|word| !matches!(word, "but" | "not" | "so" | "then" | "thus" | "hence"))
    };
    between.is_empty() || math_span::joins(between, &["and"]) || counted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::test_data;

    fn read(text: &str) -> Option<String> {
        (EXTRACTION.extract)(text).map(Cow::into_owned)
    }

    #[test]
    fn braces_inside_the_last_box_are_balanced() {
        for (text, answer) in [
            (r"\boxed{1} so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
            (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
            (r"\boxed {5}", "5"),
            (r"$\boxed 5$ and more", "5"),
            (r"\fbox{7}", "7"),
            (r"\boxed{\boxed{5}}", "5"),
            (r"} \boxed{a}}", "a"),
            (r"{ \boxed{a}", "a"),
            (r"\boxed{a \\}", r"a \\"),
            (r"so \\boxed{\\frac{1}{2}}.\n\nBut", r"\frac{1}{2}"),
            (r"1 \\\boxed{\frac{1}{2} \\ 3}", r"\frac{1}{2} \\ 3"),
        ] {
            assert_eq!(read(text).as_deref(), Some(answer), "{text}");
        }
        assert_eq!(read("no box"), None);
    }

    #[test]
    fn the_boxes_of_math_are_its_answers() {
        // The 500 problems of MATH that are published with `answer` beside `solution`.
        let Some(path) = test_data::file("math500/test.jsonl") else { return };
        let mut rows = 0;
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let answer = row["answer"].as_str().unwrap().trim();
            assert_eq!(read(row["solution"].as_str().unwrap()).as_deref(), Some(answer));
            rows += 1;
        }
        assert_eq!(rows, 500);
    }

    #[test]
    fn a_box_that_was_cut_is_no_answer_whatever_stands_before_it() {
        for text in
            [r"so \boxed{\frac{1}{2}", r"\boxed{1} but then \boxed{2", r"\boxed{", r"\boxed{}"]
        {
            assert_eq!(read(text).as_deref(), Some(""), "{text}");
        }
    }

    #[test]
    fn boxes_that_are_joined_are_one_answer() {
        for (text, answer) in [
            (r"\boxed{1}\boxed{2}", "1, 2"),
            (r"\boxed{}\boxed{2}", "2"),
            (r"\boxed{1}\boxed{}", ""),
            (r"$\boxed{1}$ and $\boxed{-2}$.", "1, -2"),
            (r"\boxed{(2, 2)} \quad \text{and} \quad \boxed{(6, 2)}", "(2, 2), (6, 2)"),
            (r"\boxed{1} papers and \boxed{2} bins", "1, 2"),
            (r"\boxed{15\frac{39}{40}} or \boxed{\frac{639}{40}}", r"\frac{639}{40}"),
            (r"\boxed{1} but wait, it is \boxed{2}", "2"),
            (r"\boxed{1}. And \boxed{2}", "2"),
        ] {
            assert_eq!(read(text).as_deref(), Some(answer), "{text}");
        }
    }
}
