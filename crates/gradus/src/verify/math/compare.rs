//! Compares what a gold and an answer mean.

use super::budget::Spent;
use super::expr::{Constant, Expr, Relation};
use super::matrix::matrix;
use super::number::Rational;
use super::relation::{Pair, pairs};
use super::scalar::{Compared, Comparer, Outcome};
use super::set::Piece;
use super::text;
use super::unit::unit;

/// Lists longer than this are compared in their order only.
const UNORDERED: usize = 64;

/// A value, what it was called, and an approximation that stood beside it.
struct Named<'e> {
    name: Option<&'e Expr>,
    value: &'e Expr,
    approximation: Option<&'e Expr>,
    /// Whether more than one equals sign led to the value.
    chained: bool,
}

impl Comparer<'_> {
    /// Compares two answers of any kind.
    pub(super) fn answers(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        if gold == answer {
            return Ok(Outcome::Equal("same-expression"));
        }
        let (gold, answer) = (spread(gold), spread(answer));
        if self.options.strict_names {
            return self.values(&gold, &answer);
        }
        let outcome = self.values(&gold, &answer)?;
        if outcome.is_equal() {
            return Ok(outcome);
        }
        for renamed in renamings(&gold, &answer) {
            if self.values(&gold, &renamed)?.is_equal() {
                return Ok(Outcome::Equal("equal-with-other-names"));
            }
        }
        Ok(outcome)
    }

    /// Compares two answers in which no plus-minus is left.
    pub(super) fn values(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        self.budget.spend(20)?;
        let (gold, answer) = (alone(gold), alone(answer));
        if gold == answer {
            return Ok(Outcome::Equal("same-expression"));
        }
        if let Some((letter, value)) = lettered(gold)
            && lettered(answer).is_none()
        {
            // A choice that is given with its value is met by either.
            let outcome = self.values(&letter, answer)?;
            return if outcome.is_equal() { Ok(outcome) } else { self.values(&value, answer) };
        }
        if let Some(outcome) = self.joint_conditions(gold, answer)? {
            return Ok(outcome);
        }
        if matches!(gold, Expr::Chain(..)) || matches!(answer, Expr::Chain(..)) {
            return self.chains(gold, answer);
        }
        if matches!(gold, Expr::Quantity(..)) || matches!(answer, Expr::Quantity(..)) {
            return self.quantities(gold, answer);
        }
        match (gold, answer) {
            (Expr::List(gold), Expr::List(answer)) => {
                if gold.iter().chain(answer).any(|item| *item == Expr::Ellipsis) {
                    return self.in_order(gold, answer);
                }
                self.in_any_order(gold, answer, "same-elements-in-any-order")
            }
            (Expr::List(items), Expr::Set(other)) | (Expr::Set(items), Expr::List(other)) => {
                let (items, other) = (self.distinct(items)?, self.distinct(other)?);
                self.in_any_order(&items, &other, "list-as-set")
            }
            (Expr::Set(gold), Expr::Set(answer)) => {
                let (gold, answer) = (self.distinct(gold)?, self.distinct(answer)?);
                self.in_any_order(&gold, &answer, "same-set")
            }
            (Expr::List(gold), Expr::Tuple(answer) | Expr::Bracketed(answer))
            | (Expr::Tuple(gold) | Expr::Bracketed(gold), Expr::List(answer)) => {
                Ok(renamed_rule(self.in_order(gold, answer)?, "list-as-tuple"))
            }
            (
                Expr::Tuple(gold) | Expr::Bracketed(gold),
                Expr::Tuple(answer) | Expr::Bracketed(answer),
            ) => Ok(renamed_rule(self.in_order(gold, answer)?, "same-tuple")),
            (Expr::Set(items), other) | (other, Expr::Set(items))
                if items.len() == 1 && !is_collection(other) =>
            {
                let flipped = matches!(answer, Expr::Set(_));
                let outcome = if flipped {
                    self.values(other, &items[0])?
                } else {
                    self.values(&items[0], other)?
                };
                Ok(renamed_rule(outcome, "set-of-one"))
            }
            (Expr::Such(gold, gold_condition), Expr::Such(answer, answer_condition)) => {
                if let (Expr::Symbol(gold), Expr::Symbol(answer)) = (&**gold, &**answer) {
                    // What the elements are called does not matter.
                    let renamed = rename(answer_condition, &[(answer, gold)]);
                    return self.values(gold_condition, &renamed);
                }
                let outcome = self.values(gold, answer)?;
                if !outcome.is_equal() {
                    return Ok(outcome);
                }
                self.values(gold_condition, answer_condition)
            }
            (Expr::Such(head, condition), other) => {
                if self.options.relation_as_set && matches!(**head, Expr::Symbol(_)) {
                    self.values(condition, other)
                } else {
                    Ok(Outcome::Different("other-kind"))
                }
            }
            (other, Expr::Such(head, condition)) => {
                if self.options.relation_as_set && matches!(**head, Expr::Symbol(_)) {
                    self.values(other, condition)
                } else {
                    Ok(Outcome::Different("other-kind"))
                }
            }
            (Expr::Combined(..) | Expr::Interval(..), _)
            | (_, Expr::Combined(..) | Expr::Interval(..))
            | (
                Expr::Constant(Constant::Numbers(_) | Constant::EmptySet),
                Expr::Tuple(_) | Expr::Set(_),
            )
            | (
                Expr::Tuple(_) | Expr::Set(_),
                Expr::Constant(Constant::Numbers(_) | Constant::EmptySet),
            ) => self.intervals(gold, answer),
            (Expr::Constant(Constant::Numbers(_) | Constant::EmptySet), _)
            | (_, Expr::Constant(Constant::Numbers(_) | Constant::EmptySet)) => {
                Ok(Outcome::Different("other-kind"))
            }
            (Expr::Based(gold, gold_base), Expr::Based(answer, answer_base)) => {
                Ok(if gold_base != answer_base {
                    Outcome::Different("other-base")
                } else if gold == answer {
                    Outcome::Equal("same-digits")
                } else {
                    Outcome::Different("other-digits")
                })
            }
            (Expr::Based(digits, _), Expr::Number(value))
            | (Expr::Number(value), Expr::Based(digits, _)) => {
                Ok(if value.to_integer().is_some_and(|value| value.to_string() == *digits) {
                    Outcome::Equal("same-digits-base-aside")
                } else {
                    Outcome::Different("other-digits")
                })
            }
            (Expr::Ratio(gold, gold_clock), Expr::Ratio(answer, answer_clock)) => {
                self.ratios((gold, *gold_clock), (answer, *answer_clock))
            }
            (Expr::Ratio(parts, false), other) | (other, Expr::Ratio(parts, false))
                if parts.len() == 2 && !is_collection(other) =>
            {
                let quotient = parts[0].clone().quotient(parts[1].clone());
                let outcome = if matches!(gold, Expr::Ratio(..)) {
                    self.values(&quotient, other)?
                } else {
                    self.values(other, &quotient)?
                };
                Ok(renamed_rule(outcome, "ratio-as-quotient"))
            }
            (Expr::Text(gold), Expr::Text(answer)) => {
                Ok(if text::words(gold) == text::words(answer) {
                    Outcome::Equal("same-words")
                } else {
                    Outcome::Different("other-words")
                })
            }
            (Expr::Text(word), Expr::Symbol(name)) | (Expr::Symbol(name), Expr::Text(word)) => {
                Ok(if word == name {
                    Outcome::Equal("same-words")
                } else {
                    Outcome::Different("other-words")
                })
            }
            (gold, answer) => {
                if let (Some(gold), Some(answer)) = (grid(gold), grid(answer)) {
                    return self.matrices(&gold, &answer);
                }
                if is_collection(gold) || is_collection(answer) {
                    return Ok(Outcome::Different("other-kind"));
                }
                let outcome = self.scalars(gold, answer)?;
                if !outcome.is_equal()
                    && gold.variables().is_empty()
                    && let Some((number, _)) = letter_unit(answer)
                {
                    return Ok(renamed_rule(self.scalars(gold, &number)?, "equal-unit-aside"));
                }
                Ok(outcome)
            }
        }
    }

    fn matrices(&mut self, gold: &[Vec<Expr>], answer: &[Vec<Expr>]) -> Compared {
        let same_shape = gold.len() == answer.len()
            && gold.iter().zip(answer).all(|(gold, answer)| gold.len() == answer.len());
        let vector = |rows: &[Vec<Expr>]| rows.len() == 1 || rows.iter().all(|row| row.len() == 1);
        let gold: Vec<&Expr> = if same_shape || (vector(gold) && vector(answer)) {
            gold.iter().flatten().collect()
        } else {
            return Ok(Outcome::Different("other-shape"));
        };
        let answer: Vec<&Expr> = answer.iter().flatten().collect();
        if gold.len() != answer.len() {
            return Ok(Outcome::Different("other-shape"));
        }
        for (gold, answer) in gold.into_iter().zip(answer) {
            if !self.values(gold, answer)?.is_equal() {
                return Ok(Outcome::Different("other-entry"));
            }
        }
        Ok(Outcome::Equal(if same_shape { "same-matrix" } else { "same-vector" }))
    }

    fn in_order(&mut self, gold: &[Expr], answer: &[Expr]) -> Compared {
        if gold.len() != answer.len() {
            return Ok(Outcome::Different("other-count"));
        }
        for (gold, answer) in gold.iter().zip(answer) {
            if !self.values(gold, answer)?.is_equal() {
                return Ok(Outcome::Different("other-element"));
            }
        }
        Ok(Outcome::Equal("same-list"))
    }

    /// Every element of the gold has one of the answer to itself.
    fn in_any_order(&mut self, gold: &[Expr], answer: &[Expr], rule: &'static str) -> Compared {
        if gold.len() != answer.len() {
            return Ok(Outcome::Different("other-count"));
        }
        // Most answers keep the order.
        if self.in_order(gold, answer)?.is_equal() {
            return Ok(Outcome::Equal(rule));
        }
        if gold.len() > UNORDERED {
            return Err(Spent("too-many-elements"));
        }
        let mut used = vec![false; answer.len()];
        for gold in gold {
            let mut found = false;
            for (at, answer) in answer.iter().enumerate() {
                if !used[at] && self.values(gold, answer)?.is_equal() {
                    used[at] = true;
                    found = true;
                    break;
                }
            }
            if !found {
                return Ok(Outcome::Different("other-element-in-any-order"));
            }
        }
        Ok(Outcome::Equal(rule))
    }

    /// The elements without repetitions.
    fn distinct(&mut self, items: &[Expr]) -> Result<Vec<Expr>, Spent> {
        let mut kept: Vec<Expr> = Vec::new();
        'items: for item in items.iter().take(UNORDERED) {
            for other in &kept {
                if self.values(other, item)?.is_equal() && self.values(item, other)?.is_equal() {
                    continue 'items;
                }
            }
            kept.push(item.clone());
        }
        kept.extend(items.iter().skip(UNORDERED).cloned());
        Ok(kept)
    }

    fn intervals(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        if let (Some(gold), Some(answer)) = (self.pieces(gold)?, self.pieces(answer)?) {
            return self.pieces_equal(&gold, &answer);
        }
        // Ends without an order are compared as they stand.
        match (gold, answer) {
            (Expr::Interval(gold, closed), Expr::Interval(answer, other)) => {
                if closed != other {
                    return Ok(Outcome::Different("other-end-of-interval"));
                }
                let outcome = self.in_order(&gold[..], &answer[..])?;
                Ok(if outcome.is_equal() {
                    Outcome::Equal("same-intervals")
                } else {
                    Outcome::Different("other-interval")
                })
            }
            (Expr::Interval(gold, [true, true]), Expr::Bracketed(answer) | Expr::List(answer)) => {
                Ok(renamed_rule(self.in_order(&gold[..], answer)?, "list-as-tuple"))
            }
            (Expr::Bracketed(gold) | Expr::List(gold), Expr::Interval(answer, [true, true])) => {
                Ok(renamed_rule(self.in_order(gold, &answer[..])?, "list-as-tuple"))
            }
            (Expr::Combined(operator, gold), Expr::Combined(other, answer)) => {
                if operator == other {
                    self.in_any_order(gold, answer, "same-intervals")
                } else {
                    Ok(Outcome::Different("other-set-operation"))
                }
            }
            _ => Ok(Outcome::Different("other-kind")),
        }
    }

    fn ratios(&mut self, gold: (&[Expr], bool), answer: (&[Expr], bool)) -> Compared {
        if gold.0.len() != answer.0.len() {
            return Ok(Outcome::Different("other-count"));
        }
        if self.in_order(gold.0, answer.0)?.is_equal() {
            return Ok(Outcome::Equal(if gold.1 { "same-time-or-ratio" } else { "same-ratio" }));
        }
        // Two times of day are not compared as ratios.
        if gold.1 && answer.1 && (is_time(gold.0) && is_time(answer.0)) {
            return Ok(Outcome::Different("other-time-or-ratio"));
        }
        for (gold_part, answer_part) in gold.0.iter().zip(answer.0).skip(1) {
            let left = Expr::Product(vec![gold.0[0].clone(), answer_part.clone()]);
            let right = Expr::Product(vec![answer.0[0].clone(), gold_part.clone()]);
            if !self.scalars(&left, &right)?.is_equal() {
                return Ok(Outcome::Different("other-ratio"));
            }
        }
        Ok(Outcome::Equal("same-ratio"))
    }

    /// Numbers with a unit, a currency or a percent sign on either side.
    fn quantities(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        let split = |expr: &Expr| match expr {
            Expr::Quantity(value, unit) => ((**value).clone(), unit.clone()),
            other => (other.clone(), String::new()),
        };
        let ((mut gold, mut gold_text), (mut answer, mut answer_text)) =
            (split(gold), split(answer));
        // Beside a unit, `6 m` has one too.
        if unit(&gold_text).is_some() && answer_text.is_empty() {
            (answer, answer_text) = letter_unit(&answer).unwrap_or((answer, answer_text));
        } else if unit(&answer_text).is_some() && gold_text.is_empty() {
            (gold, gold_text) = letter_unit(&gold).unwrap_or((gold, gold_text));
        }
        let (gold_unit, answer_unit) = (unit(&gold_text), unit(&answer_text));
        if let (Some(gold_unit), Some(answer_unit)) = (&gold_unit, &answer_unit) {
            if !gold_unit.measures_the_same(answer_unit) {
                return Ok(Outcome::Different("other-unit"));
            }
            if gold_unit.size == answer_unit.size {
                return self.values(&gold, &answer);
            }
            let scale = |value: Expr, size: &Rational| {
                Expr::Product(vec![value, Expr::Number(size.clone())])
            };
            let outcome =
                self.values(&scale(gold, &gold_unit.size), &scale(answer, &answer_unit.size))?;
            return Ok(renamed_rule(outcome, "same-in-other-unit"));
        }
        let outcome = self.values(&gold, &answer)?;
        if outcome.is_equal() {
            return Ok(renamed_rule(outcome, "equal-unit-aside"));
        }
        // A share may be written either way: 28% is 0.28.
        let hundredth = |value: &Expr| value.clone().quotient(Expr::integer(100));
        let share = match (gold_text.as_str(), answer_text.as_str()) {
            ("%", _) => Some((hundredth(&gold), answer.clone())),
            (_, "%") => Some((gold.clone(), hundredth(&answer))),
            _ => None,
        };
        if let Some((gold, answer)) = share
            && self.values(&gold, &answer)?.is_equal()
        {
            return Ok(Outcome::Equal("percent-as-share"));
        }
        Ok(outcome)
    }

    fn chains(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        if let (Some(gold), Some(answer)) = (named(gold), named(answer)) {
            let outcome = self.named_values(&gold, &answer)?;
            if outcome.is_equal() {
                return Ok(outcome);
            }
            // `y = 2x` and `2y = 4x`: as equations below, unless the values are numbers.
            let numbers = gold.value.variables().is_empty() && answer.value.variables().is_empty();
            if numbers || gold.name.is_none() || answer.name.is_none() {
                return Ok(outcome);
            }
        }
        // `x \in S` is S.
        if let Expr::Chain(sides, relations) = gold
            && let ([Relation::In], [Expr::Symbol(_), set]) =
                (relations.as_slice(), sides.as_slice())
        {
            match answer {
                Expr::Chain(other_sides, other) if other.as_slice() == [Relation::In] => {
                    return self.values(set, &other_sides[1]);
                }
                Expr::Chain(..) => {}
                other => return self.values(set, other),
            }
        }
        if let Expr::Chain(sides, relations) = answer
            && !matches!(gold, Expr::Chain(..))
            && let ([Relation::In], [Expr::Symbol(_), set]) =
                (relations.as_slice(), sides.as_slice())
        {
            return self.values(gold, set);
        }
        if let (Some(gold), Some(answer)) = (conditions(gold), conditions(answer)) {
            let outcome = self.relations(&gold, &answer)?;
            if outcome.is_equal() {
                return Ok(outcome);
            }
        }
        // A gold relation may be met by its solutions; a gold set by a relation
        // only if the option says so.
        let as_set = self.options.relation_as_set || !matches!(answer, Expr::Chain(..));
        if as_set {
            let sets = (self.solution_set(gold)?, self.solution_set(answer)?);
            if let (Some(gold), Some(answer)) = sets {
                return Ok(renamed_rule(self.pieces_equal(&gold, &answer)?, "relation-as-set"));
            }
        }
        Ok(Outcome::Different(if matches!((gold, answer), (Expr::Chain(..), Expr::Chain(..))) {
            "other-relation"
        } else {
            "other-kind"
        }))
    }

    /// `x < 1 or x > 2` against a set or another relation.
    fn joint_conditions(&mut self, gold: &Expr, answer: &Expr) -> Result<Option<Outcome>, Spent> {
        let joint = (is_joint(gold), is_joint(answer));
        let other = |expr: &Expr| {
            matches!(
                expr,
                Expr::Chain(..) | Expr::Interval(..) | Expr::Combined(..) | Expr::Tuple(_)
            )
        };
        let applies = match joint {
            (true, true) => true,
            (true, false) => other(answer),
            (false, true) => other(gold) && self.options.relation_as_set,
            (false, false) => false,
        };
        if !applies {
            return Ok(None);
        }
        let sets = (self.solution_set(gold)?, self.solution_set(answer)?);
        if let (Some(gold), Some(answer)) = sets
            && self.pieces_equal(&gold, &answer)?.is_equal()
        {
            return Ok(Some(Outcome::Equal("relation-as-set")));
        }
        Ok(None)
    }

    fn solution_set(&mut self, expr: &Expr) -> Result<Option<Vec<Piece>>, Spent> {
        let pieces = match expr {
            Expr::Chain(sides, relations) => {
                let Some(pieces) = self.solutions(sides, relations)? else { return Ok(None) };
                pieces
            }
            // Conditions together; alternatives where nothing meets them all.
            Expr::List(items) => {
                let mut all: Option<Vec<Piece>> = None;
                let mut any = Vec::new();
                for item in items {
                    let Some(pieces) = self.solution_set(item)? else { return Ok(None) };
                    any.extend(pieces.iter().cloned());
                    all = match all {
                        None => Some(pieces),
                        Some(before) => self.intersection(&before, &pieces)?,
                    };
                    if all.is_none() {
                        return Ok(None);
                    }
                }
                all.filter(|pieces| !pieces.is_empty()).unwrap_or(any)
            }
            Expr::Tuple(_)
            | Expr::Interval(..)
            | Expr::Combined(..)
            | Expr::Set(_)
            | Expr::Constant(_) => return self.pieces(expr),
            _ => return Ok(None),
        };
        // In order, like the pieces of any set.
        let parts = pieces
            .into_iter()
            .map(|piece| Expr::Interval(Box::new([piece.low, piece.high]), piece.closed))
            .collect();
        self.pieces(&Expr::Combined(super::expr::SetOperator::Union, parts))
    }

    fn named_values(&mut self, gold: &Named<'_>, answer: &Named<'_>) -> Compared {
        if let (Some(gold_name), Some(answer_name)) = (gold.name, answer.name)
            && gold_name != answer_name
        {
            return self.renamed_function((gold_name, gold.value), (answer_name, answer.value));
        }
        let rule = if answer.chained {
            "last-side-of-chain"
        } else if gold.name.is_some() && answer.name.is_none()
            || gold.name.is_none() && answer.name.is_some()
        {
            "equal-name-aside"
        } else {
            "same-equation"
        };
        let outcome = self.values(gold.value, answer.value)?;
        if outcome.is_equal() {
            return Ok(renamed_rule(outcome, rule));
        }
        // 70/9, about 7.78: the approximation may be what was asked for.
        if let Some(approximation) = answer.approximation
            && self.values(approximation, answer.value)?.is_equal()
            && self.values(gold.value, approximation)?.is_equal()
        {
            return Ok(Outcome::Equal("approximation-beside-value"));
        }
        Ok(outcome)
    }

    /// `f(x) = x + 1` and `f(n) = n + 1`; other names are other answers.
    fn renamed_function(&mut self, gold: (&Expr, &Expr), answer: (&Expr, &Expr)) -> Compared {
        let different = Outcome::Different("other-name");
        let (Expr::Apply(gold_name, gold_arguments), Expr::Apply(answer_name, answer_arguments)) =
            (gold.0, answer.0)
        else {
            // Names in words are not taken by the letter.
            let wordy = |name: &Expr| matches!(name, Expr::Text(_));
            if wordy(gold.0) || wordy(answer.0) {
                return Ok(renamed_rule(self.values(gold.1, answer.1)?, "equal-name-aside"));
            }
            return Ok(different);
        };
        if gold_name != answer_name || gold_arguments.len() != answer_arguments.len() {
            return Ok(different);
        }
        let mut map = Vec::new();
        for (gold, answer) in gold_arguments.iter().zip(answer_arguments) {
            match (gold, answer) {
                (Expr::Symbol(gold), Expr::Symbol(answer)) => {
                    map.push((answer.as_str(), gold.as_str()));
                }
                (gold, answer) if gold == answer => {}
                _ => return Ok(different),
            }
        }
        let renamed = rename(answer.1, &map);
        Ok(renamed_rule(self.values(gold.1, &renamed)?, "same-equation"))
    }
}

fn renamed_rule(outcome: Outcome, rule: &'static str) -> Outcome {
    match outcome {
        Outcome::Equal(_) => Outcome::Equal(rule),
        different @ Outcome::Different(_) => different,
    }
}

/// The letter and the value of `\text{(D)} 15`.
fn lettered(expr: &Expr) -> Option<(Expr, Expr)> {
    let Expr::Product(factors) = expr else { return None };
    let (first, rest) = factors.split_first()?;
    let is_letter = matches!(first, Expr::Text(letter) if letter.len() == 1);
    let value = if rest.len() == 1 { rest[0].clone() } else { Expr::Product(rest.to_vec()) };
    is_letter.then(|| (first.clone(), value))
}

/// Whether these are inequalities that are stated together.
fn is_joint(expr: &Expr) -> bool {
    match expr {
        Expr::List(items) => items.iter().all(|item| match item {
            Expr::Chain(_, relations) => relations
                .iter()
                .all(|relation| relation.is_inequality() || *relation == Relation::NotEqual),
            _ => false,
        }),
        _ => false,
    }
}

/// The number and the unit in `6 m`, where the other side shows that `m` is a unit: it
/// has no variables, or a unit of its own.
fn letter_unit(side: &Expr) -> Option<(Expr, String)> {
    let Expr::Product(factors) = side else { return None };
    let (last, rest) = factors.split_last()?;
    let (base, exponent) = match last {
        Expr::Power(base, exponent) => match &**exponent {
            Expr::Number(exponent) => (&**base, format!("^{}", exponent.to_i64()?)),
            _ => return None,
        },
        other => (other, String::new()),
    };
    let Expr::Symbol(name) = base else { return None };
    let number = if rest.len() == 1 { rest[0].clone() } else { Expr::Product(rest.to_vec()) };
    let is_unit = "mgshLNJWVAKCF".contains(name.as_str()) && number.variables().is_empty();
    is_unit.then(|| (number, format!("{name}{exponent}")))
}

/// A list of one is what it holds.
fn alone(expr: &Expr) -> &Expr {
    match expr {
        Expr::List(items) if items.len() == 1 => alone(&items[0]),
        other => other,
    }
}

/// Whether an expression is no single number or function.
pub(super) fn is_collection(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::List(_)
            | Expr::Set(_)
            | Expr::Tuple(_)
            | Expr::Bracketed(_)
            | Expr::Interval(..)
            | Expr::Combined(..)
            | Expr::Matrix(_)
            | Expr::Such(..)
            | Expr::Ratio(..)
            | Expr::Text(_)
            | Expr::Based(..)
    )
}

/// A matrix, or a tuple as the vector that it may stand for.
fn grid(expr: &Expr) -> Option<Vec<Vec<Expr>>> {
    match expr {
        Expr::Tuple(items) | Expr::Bracketed(items) => Some(vec![items.clone()]),
        Expr::Interval(ends, [true, true]) => Some(vec![ends.to_vec()]),
        other => matrix(other),
    }
}

fn is_time(parts: &[Expr]) -> bool {
    let number = |part: &Expr| match part {
        Expr::Number(value) => value.to_i64(),
        _ => None,
    };
    number(&parts[0]).is_some_and(|hours| (0..=24).contains(&hours))
        && parts[1..].iter().all(|part| number(part).is_some_and(|part| (0..60).contains(&part)))
}

/// What a chain of equalities says of one value; `None` for other relations and
/// for equations that define no name.
fn named(expr: &Expr) -> Option<Named<'_>> {
    let Expr::Chain(sides, relations) = expr else {
        return Some(Named { name: None, value: expr, approximation: None, chained: false });
    };
    if !relations
        .iter()
        .all(|relation| matches!(relation, Relation::Equal | Relation::Approximately))
    {
        return None;
    }
    let mut sides: Vec<&Expr> = sides.iter().collect();
    let mut relations = relations.clone();
    let mut name = None;
    if sides[0].is_name() {
        name = Some(sides.remove(0));
    } else if sides.len() == 2 && sides[1].is_name() && relations[0] == Relation::Equal {
        name = sides.pop();
    } else if expr.variables().is_empty() || sides.len() > 2 {
        relations.insert(0, Relation::Equal);
    } else {
        return None;
    }
    let chained = sides.len() > 1;
    // `relations[n]` stands before `sides[n]`.
    let exact = relations.iter().take(sides.len()).take_while(|r| **r == Relation::Equal).count();
    let value = *sides.get(exact.max(1) - 1)?;
    let approximation = (exact < sides.len()).then(|| sides.last().copied()).flatten();
    Some(Named { name, value, approximation, chained })
}

/// The relations that an answer states together.
fn conditions(expr: &Expr) -> Option<Vec<Pair>> {
    match expr {
        Expr::Chain(sides, relations) => Some(pairs(sides, relations)),
        Expr::List(items) => {
            let mut all = Vec::new();
            for item in items {
                all.extend(conditions(item)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// The answer with every plus-minus written out: both signs, in one list.
fn spread(expr: &Expr) -> Expr {
    fn has_sign(expr: &Expr) -> bool {
        expr.any(&mut |part| matches!(part, Expr::PlusMinus(..)))
    }
    fn chosen(expr: &Expr, minus: bool) -> Expr {
        match expr {
            Expr::PlusMinus(flipped, inner) => {
                let inner = chosen(inner, minus);
                if *flipped == minus { inner } else { inner.negative() }
            }
            other => other.map(&mut |part| chosen(part, minus)),
        }
    }
    fn items(items: &[Expr]) -> Vec<Expr> {
        items
            .iter()
            .flat_map(|item| match item {
                item if has_sign(item) => vec![chosen(item, false), chosen(item, true)],
                item => vec![item.clone()],
            })
            .collect()
    }
    if !has_sign(expr) {
        return expr.clone();
    }
    match expr {
        Expr::List(parts) => Expr::List(items(parts)),
        Expr::Set(parts) => Expr::Set(items(parts)),
        // `x = \pm 2` and `x \in \{\pm 2\}`: the name stays with the values.
        Expr::Chain(sides, relations) if sides.len() == 2 && matches!(sides[1], Expr::Set(_)) => {
            Expr::Chain(vec![sides[0].clone(), spread(&sides[1])], relations.clone())
        }
        other => Expr::List(vec![chosen(other, false), chosen(other, true)]),
    }
}

fn rename(expr: &Expr, map: &[(&str, &str)]) -> Expr {
    match expr {
        Expr::Symbol(name) => {
            let new = map.iter().find(|(old, _)| old == name).map_or(name.as_str(), |(_, new)| new);
            Expr::Symbol(new.to_owned())
        }
        other => other.map(&mut |part| rename(part, map)),
    }
}

/// The answer with its variables called as in the gold, in every way if they are
/// few, else in the order in which they appear.
fn renamings(gold: &Expr, answer: &Expr) -> Vec<Expr> {
    let (gold_names, names) = (gold.variables(), answer.variables());
    if gold_names.len() != names.len() || names.is_empty() {
        return Vec::new();
    }
    let mut orders = vec![(0..names.len()).collect::<Vec<_>>()];
    if names.len() <= 4 {
        orders = permutations(names.len());
    }
    orders
        .into_iter()
        .map(|order| {
            let map: Vec<_> =
                names.iter().zip(&order).map(|(name, at)| (*name, gold_names[*at])).collect();
            rename(answer, &map)
        })
        .collect()
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in permutations(n - 1) {
        for at in 0..n {
            let mut longer = shorter.clone();
            longer.insert(at, n - 1);
            all.push(longer);
        }
    }
    all
}
