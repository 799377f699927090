//! Equal means the same text after the normalisation of the MATH data set
//! (Hendrycks et al. 2021, arXiv 2103.03874), as its authors grade and as PRM800K
//! (Lightman et al. 2023, arXiv 2305.20050) took it over: the latter also takes
//! off a `\text{...}` around the whole, which is kept here.
//!
//! It changes notation only. 1/2 and 0.5 are `\frac{1}{2}`; 2/4 and 0.50 are not.
//! A text on which the published program fails is compared as it is, as there.

use super::{Comparison, Mode, boxed, whole_text};

pub(super) const MODE: Mode = Mode {
    name: "hendrycks",
    summary: "the same text after the normalisation of MATH (Hendrycks et al. 2021)",
    extractions: &[boxed::EXTRACTION, whole_text::EXTRACTION],
    compare: |gold, answer| {
        if gold.trim().is_empty() {
            Comparison::BadGold("gold-empty")
        } else if normalise(gold) == normalise(answer) {
            Comparison::Equal("same-normalised-text")
        } else {
            Comparison::Different("other-normalised-text")
        }
    },
};

/// The normalised text; the text itself where a step does not apply to it.
pub(super) fn normalise(text: &str) -> String {
    let text = text.trim();
    // As the published pattern: up to the brace at the very end.
    let inner = text.strip_prefix("\\text{").and_then(|rest| rest.strip_suffix('}'));
    let text = match inner {
        Some(inner) if !inner.is_empty() && !inner.contains('\n') => inner.trim(),
        _ => text,
    };
    steps(text).unwrap_or_else(|| text.to_owned())
}

/// All steps in their order; `None` where the published program raises an error.
fn steps(text: &str) -> Option<String> {
    let mut text = text.replace('\n', "").replace("\\!", "").replace("\\\\", "\\");
    for (found, replaced) in [
        ("tfrac", "frac"),
        ("dfrac", "frac"),
        ("\\left", ""),
        ("\\right", ""),
        ("^{\\circ}", ""),
        ("^\\circ", ""),
        ("\\$", ""),
    ] {
        text = text.replace(found, replaced);
    }
    if let Some((number, unit)) = text.split_once("\\text{ ") {
        // Two units are an error there.
        if unit.contains("\\text{ ") {
            return None;
        }
        text.truncate(number.len());
    }
    text = text.replace("\\%", "").replace('%', "").replace(" .", " 0.").replace("{.", "{0.");
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    if let Some((name, value)) = text.split_once('=')
        && name.chars().count() <= 2
        && !value.contains('=')
    {
        text.drain(..=name.len());
    }
    text = braced_roots(&text)?.replace(' ', "");
    text = braced_fractions(&text)?;
    if text == "0.5" {
        return Some("\\frac{1}{2}".into());
    }
    Some(slashed(&text).unwrap_or(text))
}

/// `\sqrt3` as `\sqrt{3}`.
fn braced_roots(text: &str) -> Option<String> {
    let mut pieces = text.split("\\sqrt");
    let mut braced = pieces.next()?.to_owned();
    for piece in pieces {
        braced.push_str("\\sqrt");
        let first = piece.chars().next()?;
        if first == '{' {
            braced.push_str(piece);
        } else {
            braced.extend(['{', first, '}']);
            braced.push_str(&piece[first.len_utf8()..]);
        }
    }
    Some(braced)
}

/// `\frac12` and `\frac1{72}` with braces around both.
fn braced_fractions(text: &str) -> Option<String> {
    let mut pieces = text.split("\\frac");
    let mut braced = pieces.next()?.to_owned();
    for piece in pieces {
        braced.push_str("\\frac");
        let mut characters = piece.chars();
        let numerator = characters.next()?;
        if numerator == '{' {
            braced.push_str(piece);
            continue;
        }
        // One character is left as it is, and with it the whole text.
        let Some(denominator) = characters.next() else { return Some(text.to_owned()) };
        braced.extend(['{', numerator, '}']);
        if denominator == '{' {
            braced.push('{');
        } else {
            braced.extend(['{', denominator, '}']);
        }
        braced.push_str(characters.as_str());
    }
    Some(braced)
}

/// `3/4` as `\frac{3}{4}`, both written as whole numbers without ornaments.
fn slashed(text: &str) -> Option<String> {
    let (numerator, denominator) = text.split_once('/')?;
    let plain = |number: &str| {
        let digits = number.strip_prefix('-').unwrap_or(number);
        let leading = digits.starts_with('0') && (digits.len() > 1 || number != digits);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !leading
    };
    (plain(numerator) && plain(denominator))
        .then(|| format!("\\frac{{{numerator}}}{{{denominator}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_is_normalised_as_published() {
        for (text, normal) in [
            (r"\text{ Evelyn }", "Evelyn"),
            (r"\dfrac12", r"\frac{1}{2}"),
            (r"\frac1{72}", r"\frac{1}{72}"),
            (r"\tfrac{1}{2}", r"\frac{1}{2}"),
            ("0.5", r"\frac{1}{2}"),
            (".5", r"\frac{1}{2}"),
            ("3/4", r"\frac{3}{4}"),
            ("-3/4", r"\frac{-3}{4}"),
            ("a/4", "a/4"),
            ("03/4", "03/4"),
            (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})"),
            (r"90^\circ", "90"),
            (r"10\%", "10"),
            ("10%", "10"),
            (r"\$5", "5"),
            (r"15\text{ cm}^2", "15"),
            ("k = 7", "7"),
            ("abc = 7", "abc=7"),
            (r"\sqrt3", r"\sqrt{3}"),
            (r"2\sqrt{3}", r"2\sqrt{3}"),
            (r"32,\! 349", "32,349"),
            ("1\\\\2", "1\\2"),
            (r"5 + .3", "5+0.3"),
        ] {
            assert_eq!(normalise(text), normal, "{text}");
        }
    }

    #[test]
    fn what_the_published_program_fails_on_stays_as_it_is() {
        for text in [r"1 \frac", r"2 \sqrt", r"1 \text{ m} 2 \text{ s}"] {
            assert_eq!(normalise(text), text);
        }
    }

    #[test]
    fn equal_values_in_other_notation_are_different() {
        let compare = MODE.compare;
        assert!(matches!(compare("0.5", r"\frac{1}{2}"), Comparison::Equal(_)));
        assert!(matches!(compare(r"\frac{1}{2}", r"\frac{2}{4}"), Comparison::Different(_)));
        assert!(matches!(compare("1000", "1,000"), Comparison::Different(_)));
        assert_eq!(compare(" ", "1"), Comparison::BadGold("gold-empty"));
    }
}
