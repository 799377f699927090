//! From an extracted answer to what it can mean.

use super::budget::{Budget, Spent};
use super::expr::Expr;
use super::parse::{Fail, parse};
use super::text;
use super::token::{Comma, Kind, Reading, Token, tokens};
use super::word;

/// An answer, read.
#[derive(Debug)]
pub(super) struct Answer {
    /// The text without boxes and marks.
    pub(super) text: String,
    pub(super) meaning: Meaning,
    /// What it means when a comma between digits is read the other way.
    pub(super) other: Option<(Comma, Expr)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    Math(Expr),
    /// Words without a value.
    Text,
    /// Neither.
    Unparsed,
    /// Brackets nest too deep, or it is too long.
    TooLarge,
}

/// Longer texts are searched for an answer at their end only, in bytes.
const PROSE: usize = 2000;
/// An answer with so many words is a sentence.
const SENTENCE: usize = 8;

/// Reads an answer. With `prose`, the last piece of mathematics in a sentence is
/// its answer, if the sentence as a whole is none.
pub(super) fn read(text: &str, prose: bool, budget: &mut Budget) -> Result<Answer, Spent> {
    let bare = text::before_marks(text.trim());
    let boxed = if bare.contains("box") { text::boxes(bare, !prose) } else { None };
    let text = boxed.unwrap_or_else(|| bare.to_owned());
    let (meaning, comma) = meaning(&text, Reading::default(), prose, budget)?;
    let mut other = None;
    if let Some(comma) = comma {
        let reading = match comma {
            Comma::Thousands => Reading { no_groups: true, ..Reading::default() },
            Comma::Decimal => Reading { decimal_comma: true, ..Reading::default() },
        };
        if let (Meaning::Math(expr), _) = self::meaning(&text, reading, prose, budget)? {
            // A decimal comma is meant for one number, not within a list.
            if comma == Comma::Thousands || !matches!(expr, Expr::List(_)) {
                other = Some((comma, expr));
            }
        }
    }
    Ok(Answer { text, meaning, other })
}

fn meaning(
    text: &str,
    reading: Reading,
    prose: bool,
    budget: &mut Budget,
) -> Result<(Meaning, Option<Comma>), Spent> {
    let Some(mut found) = tokens(text, reading, budget)? else {
        // Too long for an answer: perhaps it ends in one.
        if !prose {
            return Ok((if has_words(text) { Meaning::Text } else { Meaning::TooLarge }, None));
        }
        let mut start = text.len() - PROSE.min(text.len());
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let reading = Reading { decimal_comma: true, ..reading };
        return Ok(match tokens(&text[start..], reading, budget)? {
            Some(tail) => (last_mathematics(&tail.list, budget)?, None),
            None => (Meaning::TooLarge, None),
        });
    };
    relabel(&mut found.list);
    let comma = found.comma;
    if found.list.is_empty() {
        return Ok((Meaning::Unparsed, comma));
    }
    let words = found.list.iter().filter(|token| matches!(token.kind, Kind::Word(_))).count();
    if prose && words >= SENTENCE {
        // Commas in a sentence do not make it a list.
        let reading = Reading { decimal_comma: true, ..reading };
        if let Some(mut found) = tokens(text, reading, budget)? {
            relabel(&mut found.list);
            return Ok((last_mathematics(&found.list, budget)?, None));
        }
    }
    let wordy = words > 0;
    let parsed = if found.broken { Err(Fail::Syntax) } else { parse(found.list.clone(), budget) };
    let meaning = match parsed {
        Ok(Expr::Text(words)) => match word::number(&words) {
            Some(number) => Meaning::Math(Expr::integer(number)),
            None => Meaning::Text,
        },
        Ok(expr) => Meaning::Math(expr),
        Err(Fail::Spent(spent)) => return Err(spent),
        Err(Fail::Deep) => Meaning::TooLarge,
        Err(Fail::Syntax) if prose && wordy => {
            let reading = Reading { decimal_comma: true, ..reading };
            match tokens(text, reading, budget)? {
                Some(mut found) => {
                    relabel(&mut found.list);
                    last_mathematics(&found.list, budget)?
                }
                None => Meaning::Text,
            }
        }
        Err(Fail::Syntax) if wordy => Meaning::Text,
        Err(Fail::Syntax) => Meaning::Unparsed,
    };
    Ok((meaning, comma))
}

fn has_words(text: &str) -> bool {
    let outside = text.split(|c: char| !c.is_alphabetic() && c != '\\');
    outside.into_iter().any(|word| word.len() > 3 && !word.contains('\\'))
}

/// `a` and `I` among words are words.
fn relabel(tokens: &mut [Token]) {
    let is_word =
        |token: Option<&Token>| token.is_some_and(|token| matches!(token.kind, Kind::Word(_)));
    let any = tokens.iter().any(|token| matches!(token.kind, Kind::Word(_)));
    if !any {
        return;
    }
    for at in 0..tokens.len() {
        let Kind::Symbol(name) = &tokens[at].kind else { continue };
        if !matches!(name.as_str(), "a" | "A" | "I") || (at > 0 && !tokens[at].spaced) {
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let operand = before.is_some_and(|before| {
            matches!(
                before.kind,
                Kind::Number(..) | Kind::Word(_) | Kind::EndBrace | Kind::Close(_)
            )
        });
        let last = at + 1 == tokens.len();
        if is_word(before) || is_word(tokens.get(at + 1)) || (last && operand) {
            tokens[at].kind = Kind::Word(name.clone());
        }
    }
}

/// The last piece of a sentence that is mathematics with a number in it; what
/// follows the last "is" goes first.
fn last_mathematics(tokens: &[Token], budget: &mut Budget) -> Result<Meaning, Spent> {
    let verb = |token: &Token| match &token.kind {
        Kind::Word(word) => matches!(word.as_str(), "is" | "are" | "be" | "equals" | "was" | "to"),
        _ => false,
    };
    let mut try_parse = |slice: &[Token]| -> Result<Option<Expr>, Spent> {
        match parse(slice.to_vec(), budget) {
            Ok(Expr::Text(_)) | Err(Fail::Syntax | Fail::Deep) => Ok(None),
            Ok(expr) => Ok(Some(expr)),
            Err(Fail::Spent(spent)) => Err(spent),
        }
    };
    if let Some(at) = tokens.iter().rposition(verb)
        && let Some(expr) = try_parse(&tokens[at + 1..])?
    {
        return Ok(Meaning::Math(expr));
    }
    let mut end = tokens.len();
    // Few pieces are tried, so that the work stays in proportion to the text.
    for _ in 0..32 {
        let Some(stop) =
            tokens[..end].iter().rposition(|token| matches!(token.kind, Kind::Number(..)))
        else {
            break;
        };
        let is_word = |token: &Token| matches!(token.kind, Kind::Word(_));
        let start = tokens[..stop].iter().rposition(is_word).map_or(0, |word| word + 1);
        let close = tokens[stop..].iter().position(is_word).map_or(tokens.len(), |by| stop + by);
        // A minus before the number is its sign, unless it takes it from what stands before.
        let operand = |token: &Token| {
            matches!(
                token.kind,
                Kind::Number(..) | Kind::Symbol(_) | Kind::EndBrace | Kind::Close(_)
            )
        };
        let minus = stop > 0 && matches!(tokens[stop - 1].kind, Kind::Minus);
        let difference = minus && stop > 1 && operand(&tokens[stop - 2]);
        let number = stop - usize::from(minus && !difference);
        for (start, close) in [(start, close), (start, stop + 1), (number, stop + 1)] {
            if let Some(expr) = try_parse(&tokens[start..close.min(end.max(stop + 1))])? {
                return Ok(Meaning::Math(expr));
            }
        }
        end = start;
        if end == 0 {
            break;
        }
    }
    Ok(Meaning::Text)
}
