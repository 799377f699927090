//! Sets of real numbers as unions of intervals and points.

use std::cmp::Ordering;

use super::budget::Spent;
use super::evaluate::Value;
use super::exact::exact;
use super::expr::{Constant, Expr, SetOperator};
use super::scalar::{Compared, Comparer, Outcome, infinite};

/// More pieces than this are not put in order.
const PIECES: usize = 64;

/// An interval; a point where both ends are closed and the same.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) low: Expr,
    pub(super) high: Expr,
    pub(super) closed: [bool; 2],
}

impl Piece {
    pub(super) fn line() -> Self {
        Self {
            low: Expr::Constant(Constant::Infinity).negative(),
            high: Expr::Constant(Constant::Infinity),
            closed: [false, false],
        }
    }

    fn point(at: &Expr) -> Self {
        Self { low: at.clone(), high: at.clone(), closed: [true, true] }
    }
}

impl Comparer<'_> {
    /// The pieces of a set of real numbers in order, merged where they touch;
    /// `None` where the expression is no such set or its ends have no order.
    pub(super) fn pieces(&mut self, expr: &Expr) -> Result<Option<Vec<Piece>>, Spent> {
        let Some(pieces) = self.raw_pieces(expr)? else { return Ok(None) };
        self.merged(pieces)
    }

    fn raw_pieces(&mut self, expr: &Expr) -> Result<Option<Vec<Piece>>, Spent> {
        self.budget.spend(10)?;
        Ok(match expr {
            Expr::Interval(ends, closed) => Some(vec![Piece {
                low: ends[0].clone(),
                high: ends[1].clone(),
                closed: [
                    closed[0] && infinite(&ends[0]).is_none(),
                    closed[1] && infinite(&ends[1]).is_none(),
                ],
            }]),
            Expr::Tuple(ends) => match ends.as_slice() {
                [low, high] => Some(vec![Piece {
                    low: low.clone(),
                    high: high.clone(),
                    closed: [false, false],
                }]),
                _ => None,
            },
            Expr::Set(points) => Some(points.iter().map(Piece::point).collect()),
            Expr::Constant(Constant::EmptySet) => Some(Vec::new()),
            Expr::Constant(Constant::Numbers('R')) => Some(vec![Piece::line()]),
            Expr::Combined(operator, parts) => {
                let mut parts = parts.iter();
                let Some(first) = parts.next() else { return Ok(None) };
                let Some(mut result) = self.raw_pieces(first)? else { return Ok(None) };
                for part in parts {
                    let Some(pieces) = self.raw_pieces(part)? else { return Ok(None) };
                    let combined = match operator {
                        SetOperator::Union => {
                            result.extend(pieces);
                            Some(result)
                        }
                        SetOperator::Intersection => self.intersection(&result, &pieces)?,
                        SetOperator::Difference => self.difference(result, &pieces)?,
                    };
                    let Some(combined) = combined else { return Ok(None) };
                    if combined.len() > PIECES {
                        return Ok(None);
                    }
                    result = combined;
                }
                Some(result)
            }
            _ => None,
        })
    }

    fn merged(&mut self, mut pieces: Vec<Piece>) -> Result<Option<Vec<Piece>>, Spent> {
        if pieces.len() > PIECES {
            return Ok(None);
        }
        // Insertion by the lower end, closed before open.
        let mut sorted: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces.drain(..) {
            // An interval whose ends are the wrong way round is empty or a mistake.
            match self.order(&piece.low, &piece.high)? {
                Some(Ordering::Greater) | None => return Ok(None),
                Some(Ordering::Equal) if piece.closed != [true, true] => continue,
                Some(_) => {}
            }
            let mut at = sorted.len();
            while at > 0 {
                let before = &sorted[at - 1];
                let order = self.order(&before.low, &piece.low)?;
                let Some(order) = order else { return Ok(None) };
                let order = order.then(piece.closed[0].cmp(&sorted[at - 1].closed[0]));
                if order != Ordering::Greater {
                    break;
                }
                at -= 1;
            }
            sorted.insert(at, piece);
        }
        let mut merged: Vec<Piece> = Vec::with_capacity(sorted.len());
        for piece in sorted {
            if let Some(last) = merged.last_mut() {
                let Some(touch) = self.order(&piece.low, &last.high)? else { return Ok(None) };
                let joins = match touch {
                    Ordering::Less => true,
                    Ordering::Equal => piece.closed[0] || last.closed[1],
                    Ordering::Greater => false,
                };
                if joins {
                    match self.order(&piece.high, &last.high)? {
                        Some(Ordering::Greater) => {
                            last.high = piece.high;
                            last.closed[1] = piece.closed[1];
                        }
                        Some(Ordering::Equal) => last.closed[1] |= piece.closed[1],
                        Some(Ordering::Less) => {}
                        None => return Ok(None),
                    }
                    continue;
                }
            }
            merged.push(piece);
        }
        Ok(Some(merged))
    }

    pub(super) fn intersection(
        &mut self,
        left: &[Piece],
        right: &[Piece],
    ) -> Result<Option<Vec<Piece>>, Spent> {
        let mut result = Vec::new();
        for a in left {
            for b in right {
                let (Some(low), Some(high)) =
                    (self.order(&a.low, &b.low)?, self.order(&a.high, &b.high)?)
                else {
                    return Ok(None);
                };
                let (from, from_closed) = match low {
                    Ordering::Greater => (&a.low, a.closed[0]),
                    Ordering::Less => (&b.low, b.closed[0]),
                    Ordering::Equal => (&a.low, a.closed[0] && b.closed[0]),
                };
                let (to, to_closed) = match high {
                    Ordering::Less => (&a.high, a.closed[1]),
                    Ordering::Greater => (&b.high, b.closed[1]),
                    Ordering::Equal => (&a.high, a.closed[1] && b.closed[1]),
                };
                let Some(order) = self.order(from, to)? else { return Ok(None) };
                let closed = [from_closed, to_closed];
                if order == Ordering::Less || (order == Ordering::Equal && closed == [true, true]) {
                    result.push(Piece { low: from.clone(), high: to.clone(), closed });
                }
            }
        }
        Ok(Some(result))
    }

    fn difference(
        &mut self,
        left: Vec<Piece>,
        right: &[Piece],
    ) -> Result<Option<Vec<Piece>>, Spent> {
        let mut result = left;
        for taken in right {
            // What lies below and above of what is taken away.
            let below = Piece {
                low: Piece::line().low,
                high: taken.low.clone(),
                closed: [false, !taken.closed[0]],
            };
            let above = Piece {
                low: taken.high.clone(),
                high: Piece::line().high,
                closed: [!taken.closed[1], false],
            };
            let mut kept = Vec::new();
            if infinite(&taken.low).is_none() {
                kept.push(below);
            }
            if infinite(&taken.high).is_none() {
                kept.push(above);
            }
            let Some(rest) = self.intersection(&result, &kept)? else { return Ok(None) };
            result = rest;
        }
        Ok(Some(result))
    }

    /// The order of two real constants.
    pub(super) fn order(&mut self, a: &Expr, b: &Expr) -> Result<Option<Ordering>, Spent> {
        match (infinite(a), infinite(b)) {
            (Some(a), Some(b)) => return Ok(Some(b.cmp(&a))),
            (Some(negative), None) => {
                return Ok(Some(if negative { Ordering::Less } else { Ordering::Greater }));
            }
            (None, Some(negative)) => {
                return Ok(Some(if negative { Ordering::Greater } else { Ordering::Less }));
            }
            (None, None) => {}
        }
        let left = exact(a, &[], &mut self.budget)?;
        let right = exact(b, &[], &mut self.budget)?;
        if let (Some(left), Some(right)) = (&left, &right) {
            return Ok(Some(left.cmp(right)));
        }
        let gap = Expr::Sum(vec![a.clone(), b.clone().negative()]);
        match self.value(&gap, &[], 256, false) {
            Ok(Value::Complex(value)) if value.imaginary.is_exact_zero() => {
                // Not told apart by 256 bits: the same for an order.
                Ok(Some(value.real.sign().unwrap_or(Ordering::Equal)))
            }
            Err(super::evaluate::NoValue::Spent(spent)) => Err(spent),
            _ => Ok(None),
        }
    }

    /// Compares two sets of real numbers piece by piece.
    pub(super) fn pieces_equal(&mut self, gold: &[Piece], answer: &[Piece]) -> Compared {
        if gold.len() != answer.len() {
            return Ok(Outcome::Different("other-number-of-intervals"));
        }
        for (gold, answer) in gold.iter().zip(answer) {
            if gold.closed != answer.closed {
                return Ok(Outcome::Different("other-end-of-interval"));
            }
            for (gold, answer) in [(&gold.low, &answer.low), (&gold.high, &answer.high)] {
                if !self.values(gold, answer)?.is_equal() {
                    return Ok(Outcome::Different("other-interval"));
                }
            }
        }
        Ok(Outcome::Equal("same-intervals"))
    }
}
