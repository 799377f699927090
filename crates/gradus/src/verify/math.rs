//! Mathematical equivalence: is this answer the gold, however it is written?
//!
//! Both are read from LaTeX or plain notation into one tree ([`compare`] says
//! how they are compared). Numbers are compared exactly where they are rational,
//! modulo primes or as balls of many digits otherwise; nothing recurses deeper
//! than a fixed limit, and work is counted, so that the same pair gets the same
//! verdict on every machine. The rules and their error bounds stand in
//! `docs/METHODOLOGY.md`.

use super::{Comparison, Mode, auto};
use budget::{Budget, Spent};
use expr::Expr;
use read::{Answer, Meaning};
use scalar::{Comparer, Outcome};
use token::Comma;

mod budget;
mod command;
mod compare;
mod evaluate;
mod exact;
mod expr;
mod matrix;
mod modular;
mod number;
mod operand;
mod parse;
mod read;
mod real;
mod relation;
mod scalar;
mod set;
mod text;
mod token;
mod unit;
mod word;

/// The mode `math`, under the default options.
pub(super) const MODE: Mode = Mode {
    name: "math",
    summary: "the same value, expression, set, equation or words, however written",
    extractions: &[auto::EXTRACTION],
    compare: |gold, answer| compare(gold, answer, &MathOptions::default()),
};

/// How strictly answers are compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MathOptions {
    /// An exact gold that is no integer is met by a decimal that is at most
    /// 10^-digits of the gold away from it.
    pub relative_digits: u32,
    /// Where the gold or the answer is a decimal, both are compared rounded to so
    /// many places after the point instead.
    pub round_to: Option<u32>,
    /// Names must agree: without it, `2a + b` is met by `2x + y`.
    pub strict_names: bool,
    /// A relation meets the set of its solutions both ways: `x > 5` and `(5, \infty)`.
    /// Without it, only a set meets a gold relation.
    pub relation_as_set: bool,
    /// Units of work, each about 10 to 30 ns, before the answer is `Undecided`.
    pub budget: u64,
}

impl Default for MathOptions {
    fn default() -> Self {
        Self {
            relative_digits: 6,
            round_to: None,
            strict_names: true,
            relation_as_set: true,
            budget: 600_000,
        }
    }
}

/// Compares an extracted answer with the gold. Which is which matters: a decimal
/// gold is met by an exact answer that rounds to it, an exact gold by a decimal
/// only within [`MathOptions::relative_digits`], an integer by nothing but itself;
/// and prose is searched for its last piece of mathematics in the answer only.
pub fn compare(gold: &str, answer: &str, options: &MathOptions) -> Comparison {
    match decide(gold, answer, options) {
        Ok(comparison) => comparison,
        Err(Spent(place)) => Comparison::Undecided(place),
    }
}

fn decide(gold: &str, answer: &str, options: &MathOptions) -> Result<Comparison, Spent> {
    if gold.trim().is_empty() {
        return Ok(Comparison::BadGold("gold-empty"));
    }
    if let Some(same) = plain_integers(gold, answer) {
        return Ok(same);
    }
    let mut comparer = Comparer { options, budget: Budget::new(options.budget) };
    let gold_text = gold;
    let gold = read::read(gold, false, &mut comparer.budget)?;
    if gold.text.trim().is_empty() {
        return Ok(Comparison::BadGold("gold-empty"));
    }
    let same_text = || {
        let answer = text::squeezed(answer);
        answer == text::squeezed(&gold.text) || answer == text::squeezed(gold_text)
    };
    if answer.trim().is_empty() {
        return Ok(match gold.meaning {
            Meaning::Unparsed => Comparison::BadGold("gold-unparsed"),
            _ => Comparison::Different("answer-empty"),
        });
    }
    if same_text() {
        return Ok(Comparison::Equal("same-text"));
    }
    let answer = read::read(answer, true, &mut comparer.budget)?;
    if text::squeezed(&gold.text) == text::squeezed(&answer.text) {
        return Ok(Comparison::Equal("same-text"));
    }
    let same_words = || {
        let words = text::words(&gold.text);
        !words.is_empty() && words == text::words(&answer.text)
    };
    match (&gold.meaning, &answer.meaning) {
        (Meaning::Unparsed, _) => Ok(Comparison::BadGold("gold-unparsed")),
        (Meaning::TooLarge, _) | (_, Meaning::TooLarge) => Err(Spent("too-deep-or-too-long")),
        // Words say nothing about what is no text: `\sqrt(3]{4}` is not `\sqrt[3]{4}`.
        (Meaning::Text, _) | (Meaning::Math(_), Meaning::Text) if same_words() => {
            Ok(Comparison::Equal("same-words"))
        }
        (Meaning::Text, _) => Ok(Comparison::Different("other-words")),
        (_, Meaning::Text | Meaning::Unparsed) => Ok(Comparison::Different("unparsed")),
        (Meaning::Math(_), Meaning::Math(_)) => meanings(&gold, &answer, &mut comparer),
    }
}

/// Tries the readings of a comma between digits, the likelier first.
fn meanings(
    gold: &Answer,
    answer: &Answer,
    comparer: &mut Comparer<'_>,
) -> Result<Comparison, Spent> {
    let (Meaning::Math(gold_expr), Meaning::Math(answer_expr)) = (&gold.meaning, &answer.meaning)
    else {
        return Ok(Comparison::Different("unparsed"));
    };
    let outcome = comparer.answers(gold_expr, answer_expr)?;
    if outcome.is_equal() {
        return Ok(match (outcome, &gold.other) {
            (_, Some((Comma::Thousands, _))) => Comparison::Equal("gold-comma-read-as-thousands"),
            (_, Some((Comma::Decimal, _))) => Comparison::Equal("gold-comma-read-as-list"),
            (Outcome::Equal(rule), None) => Comparison::Equal(rule),
            (Outcome::Different(reason), None) => Comparison::Different(reason),
        });
    }
    if let Some((comma, other)) = &gold.other {
        if may_be(*comma, answer_expr) && comparer.answers(other, answer_expr)?.is_equal() {
            return Ok(Comparison::Equal(match comma {
                Comma::Thousands => "gold-comma-read-as-list",
                Comma::Decimal => "gold-comma-read-as-decimal",
            }));
        }
        return Ok(Comparison::Different("other-in-either-reading-of-comma"));
    }
    if let Some((comma, other)) = &answer.other
        && may_be(*comma, gold_expr)
        && comparer.answers(gold_expr, other)?.is_equal()
    {
        return Ok(Comparison::Equal(match comma {
            Comma::Thousands => "answer-comma-read-as-list",
            Comma::Decimal => "answer-comma-read-as-decimal",
        }));
    }
    Ok(match outcome {
        Outcome::Equal(rule) => Comparison::Equal(rule),
        Outcome::Different(reason) => Comparison::Different(reason),
    })
}

/// Whether the second reading of a comma is worth trying against the other side:
/// a decimal comma only against a number that is written with a point.
fn may_be(comma: Comma, other: &Expr) -> bool {
    match (comma, other) {
        (Comma::Thousands, _) | (Comma::Decimal, Expr::Decimal(..)) => true,
        (_, Expr::Quantity(inner, _) | Expr::Negative(inner)) => may_be(comma, inner),
        _ => false,
    }
}

/// The verdict on two plain integers, without reading them further.
fn plain_integers(gold: &str, answer: &str) -> Option<Comparison> {
    fn digits(text: &str) -> Option<(bool, &str)> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let digits = digits.trim_start_matches('0');
        plain.then_some((negative && !digits.is_empty(), digits))
    }
    let (gold_text, answer_text) = (gold, answer);
    let (gold, answer) = (digits(gold)?, digits(answer)?);
    Some(if gold_text.trim() == answer_text.trim() {
        Comparison::Equal("same-text")
    } else if gold == answer {
        Comparison::Equal("same-number")
    } else {
        Comparison::Different("other-number")
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
