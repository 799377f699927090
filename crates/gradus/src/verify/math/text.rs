//! Answers as texts: cheap normal forms, and what is mathematics in prose.

use std::collections::HashMap;
use std::ops::Range;

/// The text without what does not change its meaning: delimiters, spacing,
/// sizes of brackets and fractions, a closing period. Space is kept between
/// letters and digits. Equal results mean equal answers.
pub(super) fn squeezed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim().trim_end_matches(['.', ',', ';', ':']).trim_end();
    let mut space = false;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() || first == '$' || first == '~' {
            space = true;
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if first == '\\' {
            let after = &rest[1..];
            let length = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (skipped, replaced) = match &after[..length] {
                "" => match after.chars().next() {
                    Some(',' | ';' | ':' | '!' | ' ' | '(' | ')' | '[' | ']') => (2, Some("")),
                    _ => (0, None),
                },
                "left" | "right" | "displaystyle" | "quad" | "qquad" => (1 + length, Some("")),
                "dfrac" | "tfrac" | "cfrac" => (1 + length, Some("\\frac")),
                "text" | "mbox" | "textbf" | "mathrm" | "textrm" => (1 + length, Some("\\text")),
                _ => (0, None),
            };
            if let Some(replaced) = replaced {
                out.push_str(replaced);
                space |= replaced.is_empty();
                rest = &rest[skipped..];
                continue;
            }
        }
        if space {
            let word = |c: char| c.is_alphanumeric();
            if out.ends_with(word) && word(first) {
                out.push(' ');
            }
            space = false;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// The words of a text: letters and digits in lower case, one space between
/// words, without LaTeX's text commands and brackets around the whole.
pub(super) fn words(text: &str) -> String {
    let mut plain = text.to_owned();
    for command in ["\\textbf", "\\textrm", "\\textit", "\\text", "\\mathrm", "\\mbox", "\\mathbf"]
    {
        if plain.contains('\\') {
            plain = plain.replace(command, " ");
        }
    }
    let letters = plain.chars().filter(|c| c.is_alphabetic()).count();
    let mut out = String::with_capacity(plain.len());
    let mut space = false;
    for c in plain.chars() {
        if c.is_alphanumeric() || matches!(c, '\\' | '+' | '=' | '<' | '>' | '/' | '%' | '^') {
            if space && !out.is_empty() {
                out.push(' ');
            }
            space = false;
            // One letter alone may be a choice or a variable: its case counts.
            if letters > 1 {
                out.extend(c.to_lowercase());
            } else {
                out.push(c);
            }
        } else if matches!(c, '-' | '−') {
            // A hyphen joins, a minus counts.
            if out.ends_with(|c: char| c.is_alphabetic()) && !space {
                space = true;
            } else {
                if space && !out.is_empty() {
                    out.push(' ');
                }
                space = false;
                out.push('-');
            }
        } else if c != '\'' {
            space = true;
        }
    }
    out
}

/// What is in the last box of a text, if there is one, together with those before
/// it that only "and", "or" or a comma separate. A box that does not close ends
/// with the text where `damaged` allows it.
pub(super) fn boxes(text: &str, damaged: bool) -> Option<String> {
    let closes = closing_braces(text)?;
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut at, mut end) = (0, text.len());
    loop {
        let mut inner: Vec<Range<usize>> = Vec::new();
        while let Some((mark, start)) = next_box(text, at..end) {
            // Braces close within the box that is looked into, or nowhere.
            let close = match closes.get(&start) {
                Some(&close) if close < end => close,
                _ if damaged => end,
                _ => {
                    at = start;
                    continue;
                }
            };
            if !joins(&text[at..mark]) {
                inner.clear();
            }
            inner.push(start..close);
            at = (close + 1).min(end);
        }
        if inner.is_empty() {
            break;
        }
        found = inner;
        // A box within a box.
        let [one] = found.as_slice() else { break };
        (at, end) = (one.start, one.end);
    }
    let found: Vec<&str> = found.into_iter().map(|range| &text[range]).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// The first mark of a box in a range: where it begins, and what is in it.
fn next_box(text: &str, range: Range<usize>) -> Option<(usize, usize)> {
    text[range.clone()].match_indices('\\').find_map(|(at, _)| {
        let mark = ["\\boxed{", "\\fbox{"]
            .into_iter()
            .find(|mark| text[range.start + at..range.end].starts_with(mark))?;
        Some((range.start + at, range.start + at + mark.len()))
    })
}

/// For what is in each brace, by its first byte, where the brace closes; `None` without a box.
fn closing_braces(text: &str) -> Option<HashMap<usize, usize>> {
    if !text.contains("\\boxed{") && !text.contains("\\fbox{") {
        return None;
    }
    let (mut open, mut closes) = (Vec::new(), HashMap::new());
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => open.push(at + 1),
            b'}' => {
                if let Some(start) = open.pop() {
                    closes.insert(start, at);
                }
            }
            _ => {}
        }
    }
    Some(closes)
}

/// Whether two boxes with this between them are one answer.
fn joins(between: &str) -> bool {
    let plain = between.replace("\\text", " ").replace("\\quad", " ");
    let mut words =
        plain.split(|c: char| !c.is_alphanumeric() && c != ',').filter(|w| !w.is_empty());
    between.len() <= 40
        && match words.next_back() {
            None => true,
            Some(last) => matches!(last, "and" | "or" | ","),
        }
}

/// The text before a chat template's marks, and without the closing formula of
/// Minerva's prompt (Lewkowycz et al. 2022, appendix D.2).
pub(super) fn before_marks(text: &str) -> &str {
    let text = text.split_once("<|").map_or(text, |(before, _)| before).trim_end();
    text.trim_end_matches('.').strip_suffix("I hope it is correct").unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezing_keeps_what_counts() {
        assert_eq!(squeezed(r"$\left( 3, \dfrac{\pi}{2} \right)$."), r"(3,\frac{\pi}{2})");
        assert_ne!(squeezed("1 2"), squeezed("12"));
        assert_ne!(squeezed(r"\{1\}"), squeezed("(1)"));
        assert_eq!(squeezed("2 x + 1"), "2 x+1");
    }

    #[test]
    fn words_are_compared_without_case_and_punctuation() {
        assert_eq!(words(r"\text{The midpoints.}"), words("the midpoints"));
        assert_eq!(words(r"\text{(C)}"), "C");
        assert_ne!(words("-5 apples"), words("5 apples"));
    }

    #[test]
    fn several_boxes_are_one_answer() {
        assert_eq!(
            boxes(r"\boxed{1} and \boxed{\frac{1}{2}}", false).as_deref(),
            Some(r"1, \frac{1}{2}")
        );
        assert_eq!(boxes(r"\boxed{\boxed{5}}", false).as_deref(), Some("5"));
        assert_eq!(boxes(r"\boxed{1}. No, \boxed{2}", false).as_deref(), Some("2"));
        assert_eq!(boxes(r"\boxed{12", false), None);
        assert_eq!(boxes(r"\boxed{12", true).as_deref(), Some("12"));
        assert_eq!(boxes("5", false), None);
        assert_eq!(boxes(r"\boxed{1 \boxed{2}", false).as_deref(), Some("2"));
        assert_eq!(boxes(r"\boxed{\boxed{1}, \fbox{2}}", false).as_deref(), Some("1, 2"));
        let deep = format!("{}7{}", r"\boxed{".repeat(10_000), "}".repeat(10_000));
        assert_eq!(boxes(&deep, false).as_deref(), Some("7"));
    }
}
