//! The grader that was published with PRM800K (Lightman et al. 2023, arXiv
//! 2305.20050), and with which Sun et al. 2024 (arXiv 2403.09472) report.
//!
//! Equal means: the same text under the normalisation of MATH ([`hendrycks`]), or
//! the same text under the grader's own, which also drops units, undoes LaTeX and
//! lower-cases, or element by element the same. A tuple or interval, whole in its
//! brackets, is compared element by element, its brackets as they are. Two
//! elements that are both fractions have to be the same text, so one that is not
//! reduced is wrong; if just one is a whole number they differ; what is left is
//! compared as mathematics.
//!
//! The mode is there to reproduce published numbers, so known faults stay: a
//! fraction loses the parentheses of its parts, (x + 2)/7 being x + 2/7, and a
//! root its index. Never compared as mathematics, as there: equations and lists,
//! more than two unknown letters, `^{`, `^(`, towers of exponents, and exponents
//! of two digits. Departures: that last step is sympy there and the mode [`math`]
//! here, with decimals compared to 12 places; elements that are the same text are
//! equal; a command that the program does not know keeps its name.

use std::collections::BTreeSet;

use super::math::{self, MathOptions};
use super::{Comparison, Mode, boxed, hendrycks, whole_text};

pub(super) const MODE: Mode = Mode {
    name: "prm800k",
    summary: "the grader of PRM800K (Lightman et al. 2023); fractions have to be reduced",
    extractions: &[boxed::EXTRACTION, whole_text::EXTRACTION],
    compare: |gold, answer| {
        if gold.trim().is_empty() {
            return Comparison::BadGold("gold-empty");
        }
        if hendrycks::normalise(gold) == hendrycks::normalise(answer) {
            return Comparison::Equal("same-hendrycks-text");
        }
        let (gold, answer) = (normalise(gold), normalise(answer));
        if gold == answer {
            return Comparison::Equal("same-normalised-text");
        }
        if answer.is_empty() {
            return Comparison::Different("answer-empty");
        }
        compare_elements(&gold, &answer)
    },
};

/// Words for units that are dropped, with their plural and an exponent.
const UNITS: [&str; 16] = [
    "degree",
    "cm",
    "centimeter",
    "meter",
    "mile",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "foot",
    "feet",
    "inch",
    "yard",
];

/// The grader's own normalisation.
fn normalise(text: &str) -> String {
    let inner = text.strip_prefix("\\text{").and_then(|rest| rest.strip_suffix('}'));
    let mut text = inner.filter(|inner| !inner.is_empty()).unwrap_or(text).to_owned();
    for (found, replaced) in [
        ("\\%", "%"),
        ("\\$", "$"),
        ("$", ""),
        ("%", ""),
        (" or ", " , "),
        (" and ", " , "),
        ("million", "*10^6"),
        ("billion", "*10^9"),
        ("trillion", "*10^12"),
    ] {
        text = text.replace(found, replaced);
    }
    for unit in UNITS {
        text = without_unit(&text, unit);
    }
    text = without_degree_marks(&text);
    if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        text = inner.into();
    }
    text = joined(&text, ",\\!", "");
    if let Some(whole) = whole_float(&text) {
        text = whole;
    }
    if text.contains('\\') {
        text = without_latex(&text, 0);
    }
    text = mixed_numbers(&joined(&text, "-", "-"));
    text.retain(|c| !matches!(c, ' ' | '{' | '}'));
    text = text.to_lowercase();
    whole_number(&text).unwrap_or(text)
}

/// `15 cms^2` as `15 `: the unit with `es`, `s`, spaces and an exponent.
fn without_unit(text: &str, unit: &str) -> String {
    let mut pieces = text.split(unit);
    let mut left = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let piece = piece.strip_prefix("es").unwrap_or(piece);
        let piece = piece.strip_prefix('s').unwrap_or(piece).trim_start_matches(' ');
        let exponent = piece.strip_prefix('^').filter(|digits| digits.starts_with(digit));
        left.push_str(exponent.map_or(piece, |digits| digits.trim_start_matches(digit)));
    }
    left
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Without `^\circ`, also with spaces after the caret.
fn without_degree_marks(text: &str) -> String {
    let mut pieces = text.split("\\circ");
    let mut left = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let before = left.trim_end_matches(' ');
        if before.ends_with('^') {
            left.truncate(before.len() - 1);
        } else {
            left.push_str("\\circ");
        }
        left.push_str(piece);
    }
    left
}

/// The whole number that a plain decimal is: `18.0` is `18`.
fn whole_float(text: &str) -> Option<String> {
    let text = text.trim();
    let (integer, fraction) = text.split_once('.')?;
    let digits = integer.strip_prefix(['-', '+']).unwrap_or(integer);
    let plain = !digits.is_empty() && digits.chars().all(digit);
    (plain && fraction.chars().all(|c| c == '0')).then(|| canonical(integer))
}

/// A whole number without thousands separators and leading zeros.
fn whole_number(text: &str) -> Option<String> {
    let plain = without_thousands(text);
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    if !digits.is_empty() && digits.chars().all(digit) {
        return Some(canonical(&plain));
    }
    whole_float(&plain)
}

fn canonical(integer: &str) -> String {
    let (sign, digits) = match integer.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", integer.strip_prefix('+').unwrap_or(integer)),
    };
    match digits.trim_start_matches('0') {
        "" => "0".into(),
        digits => format!("{sign}{digits}"),
    }
}

/// `1,234,567` as `1234567`: a comma between a digit and exactly three goes.
fn without_thousands(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let separates = |at: usize| {
        at > 0 && is_digit(at - 1) && (1..=3).all(|step| is_digit(at + step)) && !is_digit(at + 4)
    };
    let kept = text.char_indices().filter(|&(at, c)| c != ',' || !separates(at));
    kept.map(|(_, c)| c).collect()
}

/// LaTeX as plain text, for the commands that short answers use; of others the
/// name is left. What is nested deeper than any answer is stays as it is.
fn without_latex(text: &str, depth: u32) -> String {
    const DEEPEST: u32 = 40;
    if depth > DEEPEST {
        return text.to_owned();
    }
    let inside = |text: &str| without_latex(text, depth + 1);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len())];
        if name.is_empty() {
            // `\{` and `\,`: the character, or space.
            let mut characters = rest.chars();
            match characters.next() {
                Some(',' | ';' | ':' | '!' | ' ' | '\\') => plain.push(' '),
                Some(other) => plain.push(other),
                None => {}
            }
            rest = characters.as_str();
            continue;
        }
        rest = &rest[name.len()..];
        match name {
            // The space tells a mixed number apart, as `7\frac34`.
            "frac" | "tfrac" | "dfrac" => {
                let (numerator, after) = argument(rest);
                let (denominator, after) = argument(after);
                let (numerator, denominator) = (inside(numerator), inside(denominator));
                plain.push_str(&format!(" {numerator}/{denominator}"));
                rest = after;
            }
            "sqrt" => {
                let index = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                let (radicand, after) = argument(index.map_or(rest, |(_, after)| after));
                plain.push_str(&format!("sqrt({})", inside(radicand)));
                rest = after;
            }
            "pi" => plain.push_str("pi"),
            "infty" => plain.push_str("inf"),
            "cup" => plain.push('U'),
            "cdot" | "times" => plain.push('*'),
            "left" | "right" | "text" | "textnormal" | "textbf" | "textrm" | "mathrm"
            | "mathbf" | "mbox" | "displaystyle" => {}
            // Matrices of any kind read the same.
            "begin" | "end" => rest = argument(rest).1,
            "quad" | "qquad" => plain.push(' '),
            "le" | "leq" => plain.push('≤'),
            "ge" | "geq" => plain.push('≥'),
            "ne" | "neq" => plain.push('≠'),
            other => plain.push_str(other),
        }
    }
    plain.push_str(rest);
    plain.trim().to_owned()
}

/// The argument at the start, a group in braces or one character, and what follows it.
fn argument(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    if !text.starts_with('{') {
        let end = text.chars().next().map_or(0, char::len_utf8);
        return text.split_at(end);
    }
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[1..at], &text[at + 1..]);
        }
    }
    (&text[1..], "")
}

/// Each mark replaced together with the spaces after it.
fn joined(text: &str, mark: &str, replaced: &str) -> String {
    let mut pieces = text.split(mark);
    let mut joined = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        joined.push_str(replaced);
        joined.push_str(piece.trim_start_matches(' '));
    }
    joined
}

/// `7 3/4` as `7+3/4`: space between two digits is a plus.
fn mixed_numbers(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(' ') {
        let after = rest[at..].trim_start_matches(' ');
        joined.push_str(&rest[..at]);
        joined.push(if joined.ends_with(digit) && after.starts_with(digit) { '+' } else { ' ' });
        rest = after;
    }
    joined.push_str(rest);
    joined
}

/// The elements of a tuple or an interval; any other text is its one element.
fn elements(text: &str) -> Vec<String> {
    const BRACKETS: [char; 4] = ['(', ')', '[', ']'];
    let text = without_thousands(text);
    let inner = text
        .strip_prefix(BRACKETS)
        .and_then(|rest| rest.strip_suffix(BRACKETS))
        .filter(|inner| !inner.is_empty() && !inner.contains(BRACKETS));
    match inner {
        Some(inner) => inner.split(',').map(|element| element.trim().to_owned()).collect(),
        None => vec![text],
    }
}

fn compare_elements(gold: &str, answer: &str) -> Comparison {
    let (golds, answers) = (elements(gold), elements(answer));
    let ends = |text: &str| (text.chars().next(), text.chars().next_back());
    if golds.len() > 1 && ends(gold) != ends(answer) {
        return Comparison::Different("other-brackets");
    }
    if golds.len() != answers.len() {
        return Comparison::Different("other-number-of-elements");
    }
    for (gold, answer) in golds.iter().zip(&answers) {
        let found = compare_element(gold, answer);
        if !matches!(found, Comparison::Equal(_)) {
            return found;
        }
    }
    Comparison::Equal("same-elements")
}

fn compare_element(gold: &str, answer: &str) -> Comparison {
    let (gold_whole, answer_whole) = (whole_number(gold), whole_number(answer));
    if is_fraction(gold) && is_fraction(answer) {
        return if gold == answer {
            Comparison::Equal("same-fraction")
        } else {
            Comparison::Different("other-or-unreduced-fraction")
        };
    }
    match (gold_whole, answer_whole) {
        (Some(gold), Some(answer)) if gold == answer => Comparison::Equal("same-number"),
        (Some(_), Some(_)) => Comparison::Different("other-number"),
        (None, None) if gold == answer => Comparison::Equal("same-text"),
        (None, None) if may_be_compared(gold, answer) => same_value(gold, answer),
        (None, None) => Comparison::Different("other-text"),
        _ => Comparison::Different("whole-number-against-other"),
    }
}

/// A fraction of two whole numbers; as published, one character of any kind may
/// stand behind either.
fn is_fraction(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let number = |text: &str| {
        let end = text.find(|c| !digit(c)).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        (rest.chars().count() < 2 && !digits.is_empty()).then(|| digits.to_owned())
    };
    let Some((numerator, denominator)) = text.split_once('/') else { return false };
    number(numerator).is_some()
        && number(denominator).is_some_and(|digits| digits.contains(|c| c != '0'))
}

/// Are the elements such that the published program hands them to its algebra?
fn may_be_compared(gold: &str, answer: &str) -> bool {
    let names = format!("{gold} {answer}").replace("sqrt", "").replace("frac", "");
    let letters: BTreeSet<char> = names.chars().filter(|c| c.is_alphabetic()).collect();
    // An equation or a list is an error there.
    let readable = |text: &str| {
        has_small_exponents(text) && !text.contains(['=', '<', '>', '≤', '≥', '≠', ',', ':'])
    };
    letters.len() <= 2 && [gold, answer].into_iter().all(readable)
}

/// Neither a group, nor two digits, nor another exponent stands in an exponent.
fn has_small_exponents(text: &str) -> bool {
    let mut exponents = text.split('^').skip(1).peekable();
    while let Some(piece) = exponents.next() {
        let digits = piece.len() - piece.trim_start_matches(digit).len();
        let tower = digits == 1 && piece.len() == 1 && exponents.peek().is_some();
        if digits > 1 || tower || piece.starts_with(['{', '(']) {
            return false;
        }
    }
    true
}

/// The step that is sympy in the published program.
fn same_value(gold: &str, answer: &str) -> Comparison {
    // It takes no decimal for the exact value that it is near to.
    const PLACES: u32 = 12;
    let options =
        MathOptions { round_to: Some(PLACES), relation_as_set: false, ..MathOptions::default() };
    math::compare(gold, answer, &options)
}

#[cfg(test)]
mod tests {
    use super::super::{extract_gold, grade, math_span};
    use super::*;
    use crate::data::{Verdict, test_data};

    fn reason(gold: &str, answer: &str) -> (bool, &'static str) {
        match (MODE.compare)(gold, answer) {
            Comparison::Equal(reason) => (true, reason),
            Comparison::Different(reason)
            | Comparison::BadGold(reason)
            | Comparison::Undecided(reason) => (false, reason),
        }
    }

    #[test]
    fn texts_are_normalised_as_the_published_grader_does() {
        for (text, normal) in [
            (r"\text{Evelyn}", "evelyn"),
            ("$1,000$", "1000"),
            ("18.0", "18"),
            ("5 million", "5*10^6"),
            ("15 centimeters^2", "15"),
            ("3 feet", "3"),
            (r"90^ \circ", "90"),
            (r"{x}", "x"),
            (r"32,\! 349", "32349"),
            (r"\frac{1}{2}", "1/2"),
            (r"7\frac{3}{4}", "7+3/4"),
            ("7 3/4", "7+3/4"),
            ("- 5", "-5"),
            (r"\sqrt{3}", "sqrt(3)"),
            (r"2\pi", "2pi"),
            (r"(-\infty, 3) \cup [4, 5)", "(-inf,3)u[4,5)"),
            ("1 or 2", "1,2"),
            (r"\frac{x+1}{2}", "x+1/2"),
            (r"\sqrt[3]{2}", "sqrt(2)"),
        ] {
            assert_eq!(normalise(text), normal, "{text}");
        }
    }

    #[test]
    fn verdicts_are_those_of_the_published_grader() {
        // Verdicts of the published program, with sympy 1.12, on the last box or span of
        // mathematics. Rows on which that reading and ours differ: mathematics over several
        // lines, and several boxes or spans that are one answer here.
        const READ_OTHERWISE: [usize; 9] = [17, 18, 127, 145, 149, 159, 160, 161, 169];
        let Some(path) = test_data::file("grading/cases.jsonl") else { return };
        let read = [boxed::EXTRACTION, math_span::EXTRACTION, whole_text::EXTRACTION];
        let (mut compared, mut differing) = (0, Vec::new());
        for (at, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let theirs = match row["default_verdicts"]["prm800k"].as_str() {
                Some(verdict) if !READ_OTHERWISE.contains(&at) => verdict == "True",
                _ => continue,
            };
            let gold = extract_gold(row["gold"].as_str().unwrap(), &read);
            let grade = grade(&gold, row["pred"].as_str().unwrap(), &read, &MODE);
            compared += 1;
            if (grade.verdict == Verdict::Correct) != theirs {
                differing.push(at);
            }
        }
        // sympy does not find that 10 sqrt(10.5) / 27 is 5 sqrt(42) / 27.
        assert_eq!((compared, differing), (173, vec![108]));
    }

    #[test]
    fn fractions_have_to_be_reduced() {
        assert_eq!(reason("1/2", r"\frac{2}{4}"), (false, "other-or-unreduced-fraction"));
        assert_eq!(reason("23", r"\frac{46}{2}"), (false, "whole-number-against-other"));
        assert!(reason(r"\frac{1}{2}", "1/2").0);
    }

    #[test]
    fn tuples_and_intervals_are_compared_element_by_element_with_their_brackets() {
        assert_eq!(reason("(1, 2)", "(1,2.0)"), (true, "same-elements"));
        assert_eq!(reason("[0, 9)", "(0, 9)"), (false, "other-brackets"));
        assert_eq!(reason("(1, 2)", "(2, 1)"), (false, "other-number"));
        assert_eq!(reason("(1, 2)", "(1, 2, 3)"), (false, "other-number-of-elements"));
    }

    #[test]
    fn a_whole_number_is_met_by_the_same_number_only() {
        assert!(reason("1000", "1,000").0);
        assert!(reason("18", "18.000").0);
        assert!(!reason("18", "18.5").0);
        assert_eq!(reason(" ", "1"), (false, "gold-empty"));
    }
}
