//! Equations and inequalities: the same up to exchanging sides and a factor
//! that is not zero, positive where the direction stays.

use std::cmp::Ordering;

use super::budget::Spent;
use super::evaluate::{NoValue, Value};
use super::exact::exact;
use super::expr::{Expr, Function, Relation};
use super::modular::{Evaluation, NoResidue, PRIMES};
use super::number::Rational;
use super::scalar::{Compared, Comparer, Outcome};
use super::set::Piece;

/// One relation between two sides.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// Left side less right side, with "greater" turned into "less".
    gap: Expr,
    relation: Relation,
}

/// The relations between neighbours of a chain.
pub(super) fn pairs(sides: &[Expr], relations: &[Relation]) -> Vec<Pair> {
    relations
        .iter()
        .zip(sides.windows(2))
        .map(|(relation, sides)| {
            let (left, right) = (sides[0].clone(), sides[1].clone());
            let (left, right, relation) = match relation {
                Relation::Greater | Relation::GreaterEqual => (right, left, relation.mirrored()),
                other => (left, right, *other),
            };
            Pair { gap: Expr::Sum(vec![left, right.negative()]), relation }
        })
        .collect()
}

impl Comparer<'_> {
    /// Are the relations the same, in any order?
    pub(super) fn relations(&mut self, gold: &[Pair], answer: &[Pair]) -> Compared {
        if gold.len() != answer.len() {
            return Ok(Outcome::Different("other-number-of-relations"));
        }
        let mut used = vec![false; answer.len()];
        for gold in gold {
            let mut found = false;
            for (at, answer) in answer.iter().enumerate() {
                if !used[at] && self.same_relation(gold, answer)? {
                    used[at] = true;
                    found = true;
                    break;
                }
            }
            if !found {
                return Ok(Outcome::Different("other-relation"));
            }
        }
        Ok(Outcome::Equal("same-relation"))
    }

    fn same_relation(&mut self, gold: &Pair, answer: &Pair) -> Result<bool, Spent> {
        if gold.relation != answer.relation {
            return Ok(false);
        }
        let factor = self.factor(&gold.gap, &answer.gap)?;
        Ok(match factor {
            None | Some(Ordering::Equal) => false,
            Some(sign) => !gold.relation.is_inequality() || sign == Ordering::Greater,
        })
    }

    /// The sign of the constant by which two expressions differ as a factor,
    /// `Greater` too where only the equality of the expressions is known.
    fn factor(&mut self, gold: &Expr, answer: &Expr) -> Result<Option<Ordering>, Spent> {
        // Modulo primes first: v1(s) v2(t) = v1(t) v2(s) at random points s and t.
        let mut drawn = false;
        for prime in PRIMES {
            let mut value = |expr: &Expr, point: u64| {
                let mut evaluation = Evaluation::new(prime, point, &mut self.budget);
                let value = evaluation.value(expr);
                drawn |= evaluation.basis.drawn;
                match value {
                    Ok(value) => Ok(Some(value)),
                    Err(NoResidue::None) => Ok(None),
                    Err(NoResidue::Spent(spent)) => Err(spent),
                }
            };
            let (Some(a), Some(b), Some(c), Some(d)) =
                (value(gold, 1)?, value(answer, 1)?, value(gold, 2)?, value(answer, 2)?)
            else {
                return Ok(None);
            };
            let cross = |a: u64, b: u64| u128::from(a) * u128::from(b) % u128::from(prime);
            let zero = (a == 0) != (b == 0) || (c == 0) != (d == 0);
            if zero || cross(a, d) != cross(c, b) {
                return if drawn { self.numeric_factor(gold, answer) } else { Ok(None) };
            }
            if a == 0 && b == 0 {
                return Ok(Some(Ordering::Greater));
            }
        }
        let sign = self.numeric_factor(gold, answer)?;
        if sign.is_some() {
            return Ok(sign);
        }
        // Names that nothing evaluates: the same expression, or its negative.
        let opposite = answer.clone().negative();
        Ok(if self.same_residue(gold, answer)? {
            Some(Ordering::Greater)
        } else if self.same_residue(gold, &opposite)? {
            Some(Ordering::Less)
        } else {
            None
        })
    }

    fn same_residue(&mut self, a: &Expr, b: &Expr) -> Result<bool, Spent> {
        let mut value =
            |expr: &Expr| match Evaluation::new(PRIMES[0], 1, &mut self.budget).value(expr) {
                Ok(value) => Ok(Some(value)),
                Err(NoResidue::None) => Ok(None),
                Err(NoResidue::Spent(spent)) => Err(spent),
            };
        let (a, b) = (value(a)?, value(b)?);
        Ok(a.is_some() && a == b)
    }

    /// The same by values at real points.
    fn numeric_factor(&mut self, gold: &Expr, answer: &Expr) -> Result<Option<Ordering>, Spent> {
        let quotient = gold.clone().quotient(answer.clone());
        let mut names = quotient.variables();
        names.sort_unstable();
        let mut first: Option<super::real::Real> = None;
        let mut sign = None;
        let mut seen = 0;
        for point in 0..8u64 {
            let values: Vec<_> = names
                .iter()
                .map(|name| {
                    let drawn = (super::modular::drawn(name, point) >> 40) as i64 + 1;
                    let value = Rational::new(drawn.into(), (1i64 << 23).into());
                    (*name, value.unwrap_or_else(|| Rational::integer(1)))
                })
                .collect();
            let value = match self.value(&quotient, &values, 256, false) {
                Ok(Value::Complex(value)) if value.imaginary.is_exact_zero() => value.real,
                Err(NoValue::Spent(spent)) => return Err(spent),
                Err(NoValue::Undefined | NoValue::Imprecise) => continue,
                _ => return Ok(None),
            };
            seen += 1;
            match &first {
                None => {
                    sign = value.sign();
                    first = Some(value);
                }
                Some(first) => {
                    let field = super::real::Field { bits: 256 };
                    let gap = field.minus(&value, first);
                    if gap.sign().is_some_and(|sign| sign != Ordering::Equal) {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(if seen >= 3 || (names.is_empty() && seen > 0) { sign } else { None })
    }

    /// The numbers that a chain of inequalities, `x \neq 3` or `x \in S` leaves to
    /// its one variable; `None` where it is not linear in it or in its size.
    pub(super) fn solutions(
        &mut self,
        sides: &[Expr],
        relations: &[Relation],
    ) -> Result<Option<Vec<Piece>>, Spent> {
        let chain = Expr::Chain(sides.to_vec(), relations.to_vec());
        let names = chain.variables();
        let [name] = names.as_slice() else { return Ok(None) };
        let name = (*name).to_owned();
        if let (Relation::In, [Expr::Symbol(_), set]) = (relations[0], sides) {
            return self.pieces(set);
        }
        let mut result = vec![Piece::line()];
        for (relation, sides) in relations.iter().zip(sides.windows(2)) {
            let Some(part) = self.half_line(&name, &sides[0], *relation, &sides[1])? else {
                return Ok(None);
            };
            let Some(next) = self.intersection(&result, &part)? else { return Ok(None) };
            result = next;
        }
        Ok(Some(result))
    }

    fn half_line(
        &mut self,
        name: &str,
        left: &Expr,
        relation: Relation,
        right: &Expr,
    ) -> Result<Option<Vec<Piece>>, Spent> {
        if !relation.is_inequality()
            && relation != Relation::NotEqual
            && relation != Relation::Equal
        {
            return Ok(None);
        }
        // The variable alone, or its size, against a constant.
        let is_variable = |expr: &Expr| matches!(expr, Expr::Symbol(known) if known == name);
        let size = |expr: &Expr| match expr {
            Expr::Call(Function::Abs, inner) => is_variable(&inner[0]),
            _ => false,
        };
        let (subject, relation, bound) = if right.variables().is_empty() {
            (left, relation, right.clone())
        } else if left.variables().is_empty() {
            (right, relation.mirrored(), left.clone())
        } else {
            let gap = Expr::Sum(vec![left.clone(), right.clone().negative()]);
            return self.linear(name, &gap, relation);
        };
        if is_variable(subject) {
            return Ok(Some(below(&bound, relation)));
        }
        if size(subject) {
            let opposite = bound.clone().negative();
            return Ok(match relation {
                Relation::Less | Relation::LessEqual => {
                    let inside = below(&bound, relation);
                    self.intersection(&inside, &below(&opposite, relation.mirrored()))?
                }
                Relation::Greater | Relation::GreaterEqual => {
                    let mut outside = below(&opposite, relation.mirrored());
                    outside.extend(below(&bound, relation));
                    Some(outside)
                }
                _ => None,
            });
        }
        let gap = Expr::Sum(vec![subject.clone(), bound.negative()]);
        self.linear(name, &gap, relation)
    }

    /// The solutions of `gap relation 0` for a gap that is linear with rational coefficients.
    fn linear(
        &mut self,
        name: &str,
        gap: &Expr,
        relation: Relation,
    ) -> Result<Option<Vec<Piece>>, Spent> {
        let mut at = [0i64, 1, 2, 5].map(|_| None);
        for (value, point) in at.iter_mut().zip([0, 1, 2, 5]) {
            *value = exact(gap, &[(name, Rational::integer(point))], &mut self.budget)?;
        }
        let [Some(zero), Some(one), Some(two), Some(five)] = at else { return Ok(None) };
        let budget = &mut self.budget;
        let Some(slope) = one.plus(&zero.negated(), budget)? else { return Ok(None) };
        let linear = |times: i64, value: &Rational, budget: &mut _| -> Result<bool, Spent> {
            let Some(rise) = slope.times(&Rational::integer(times), budget)? else {
                return Ok(false);
            };
            Ok(rise.plus(&zero, budget)?.as_ref() == Some(value))
        };
        if slope.is_zero() || !linear(2, &two, budget)? || !linear(5, &five, budget)? {
            return Ok(None);
        }
        let Some(inverse) = slope.reciprocal() else { return Ok(None) };
        let Some(root) = zero.negated().times(&inverse, budget)? else { return Ok(None) };
        let relation = if slope.is_negative() { relation.mirrored() } else { relation };
        Ok(Some(below(&Expr::Number(root), relation)))
    }
}

/// The numbers that stand in `relation` to `bound`.
fn below(bound: &Expr, relation: Relation) -> Vec<Piece> {
    let line = Piece::line();
    let closed = matches!(relation, Relation::LessEqual | Relation::GreaterEqual);
    let low =
        |closed| Piece { low: line.low.clone(), high: bound.clone(), closed: [false, closed] };
    let high =
        |closed| Piece { low: bound.clone(), high: line.high.clone(), closed: [closed, false] };
    match relation {
        Relation::Less | Relation::LessEqual => vec![low(closed)],
        Relation::Greater | Relation::GreaterEqual => vec![high(closed)],
        Relation::NotEqual => vec![low(false), high(false)],
        _ => vec![Piece { low: bound.clone(), high: bound.clone(), closed: [true, true] }],
    }
}
