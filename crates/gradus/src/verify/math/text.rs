//! Answers as texts: cheap normal forms, and what is mathematics in prose.

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
    let mut found: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\boxed{").into_iter().chain(rest.find("\\fbox{")).min() {
        let inner = &rest[at..];
        let inner = &inner[inner.find('{')? + 1..];
        let end = match super::token::matching(inner) {
            Some(end) => end,
            None if damaged => inner.len(),
            None => {
                rest = inner;
                continue;
            }
        };
        if !joins(&rest[..at]) {
            found.clear();
        }
        found.push(&inner[..end]);
        rest = inner.get(end + 1..).unwrap_or_default();
    }
    match found.as_slice() {
        [] => None,
        // A box within a box.
        [one] => Some(boxes(one, damaged).unwrap_or_else(|| (*one).to_owned())),
        many => Some(many.join(", ")),
    }
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
    }
}
