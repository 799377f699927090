//! Are two expressions the same number, or the same function of their variables?

use std::cmp::Ordering;

use super::MathOptions;
use super::budget::{Budget, Spent};
use super::evaluate::{Complex, Evaluation, NoValue, Value};
use super::exact::{Values, exact};
use super::expr::{Constant, Expr, Function, Series};
use super::modular::{self, NoResidue, PRIMES};
use super::number::{Rational, power_of_ten};
use super::real::{Field, PRECISIONS, Real};

/// What a comparison found, and by which rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Equal(&'static str),
    Different(&'static str),
}

impl Outcome {
    pub(super) fn is_equal(self) -> bool {
        matches!(self, Self::Equal(_))
    }
}

pub(super) type Compared = Result<Outcome, Spent>;

/// Balls of values that are equal are at most two to this apart, relative to
/// their size: more than 48 decimal digits.
const AGREEMENT: i64 = -160;
/// Points at which functions are compared, and how many must be in both domains.
const POINTS: u64 = 12;
const ENOUGH: u32 = 3;

/// A number as it was written with a point.
struct Written {
    /// Digits after the point, less the power of ten behind it.
    places: i64,
    /// Digits from the first that is not zero.
    significant: i64,
}

pub(super) struct Comparer<'o> {
    pub(super) options: &'o MathOptions,
    pub(super) budget: Budget,
}

impl Comparer<'_> {
    /// Compares two expressions that are no sets, tuples or relations.
    pub(super) fn scalars(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        self.budget.spend(10)?;
        if let (Some(gold), Some(answer)) = (infinite(gold), infinite(answer)) {
            return Ok(if gold == answer {
                Outcome::Equal("same-infinity")
            } else {
                Outcome::Different("other-sign")
            });
        }
        let gold_value = exact(gold, &[], &mut self.budget)?;
        let answer_value = exact(answer, &[], &mut self.budget)?;
        if let (Some(gold_value), Some(answer_value)) = (&gold_value, &answer_value) {
            return Ok(self.rationals(gold_value, gold, answer_value, answer));
        }
        if gold == answer {
            return Ok(Outcome::Equal("same-expression"));
        }
        let free = !gold.variables().is_empty() || !answer.variables().is_empty();
        match self.identity(gold, answer)? {
            Some(true) => return Ok(Outcome::Equal("identical-modulo-primes")),
            Some(false) if free => return Ok(Outcome::Different("other-expression")),
            Some(false) if written(gold).is_none() && written(answer).is_none() => {
                return Ok(Outcome::Different("other-number"));
            }
            _ => {}
        }
        if free { self.functions(gold, answer) } else { self.constants(gold, answer) }
    }

    /// Two rational numbers, by how the gold and the answer were written.
    fn rationals(
        &self,
        gold_value: &Rational,
        gold: &Expr,
        answer_value: &Rational,
        answer: &Expr,
    ) -> Outcome {
        if gold_value == answer_value {
            return Outcome::Equal("same-number");
        }
        if gold_value.bits().max(answer_value.bits()) > 4096 {
            return Outcome::Different("other-number");
        }
        let (gold_digits, answer_digits) = (written(gold), written(answer));
        if let Some(round_to) = self.options.round_to
            && (gold_digits.is_some() || answer_digits.is_some())
        {
            let places = i64::from(round_to);
            return if gold_value.rounded(places) == answer_value.rounded(places) {
                Outcome::Equal("rounds-to-gold")
            } else {
                Outcome::Different("other-number")
            };
        }
        let digits = i64::from(self.options.relative_digits);
        let meets = match (&gold_digits, &answer_digits) {
            (Some(gold), None) => {
                gold.significant >= 2 && answer_value.rounded(gold.places) == *gold_value
            }
            (Some(gold), Some(answer)) if answer.places > gold.places => {
                gold.significant >= digits && answer_value.rounded(gold.places) == *gold_value
            }
            (Some(gold), Some(answer)) if answer.places < gold.places => {
                gold_value.rounded(answer.places) == *answer_value
                    && self.is_close(gold_value, answer_value)
            }
            (None, Some(_)) => {
                gold_value.to_integer().is_none() && self.is_close(gold_value, answer_value)
            }
            _ => false,
        };
        match (meets, answer_digits.is_some()) {
            (true, true) => Outcome::Equal("decimal-within-digits"),
            (true, false) => Outcome::Equal("rounds-to-gold"),
            (false, _) => Outcome::Different("other-number"),
        }
    }

    /// Is the answer at most 10^-digits of the gold away from it?
    fn is_close(&self, gold: &Rational, answer: &Rational) -> bool {
        let scale = power_of_ten(self.options.relative_digits.min(1000));
        let cross = |a: &Rational, b: &Rational| a.numerator() * b.denominator();
        let gap = cross(gold, answer) - cross(answer, gold);
        let size = cross(gold, answer);
        gap.magnitude() * scale.magnitude() <= *size.magnitude()
    }

    /// Equality modulo primes: certain if `Some(false)`, see [`modular`] for `Some(true)`.
    fn identity(&mut self, gold: &Expr, answer: &Expr) -> Result<Option<bool>, Spent> {
        let mut same = true;
        let mut certain = true;
        for (at, prime) in PRIMES.into_iter().enumerate() {
            let mut value = |expr: &Expr| {
                let mut evaluation = modular::Evaluation::new(prime, at as u64, &mut self.budget);
                let value = evaluation.value(expr);
                (value, evaluation.basis)
            };
            let (gold, gold_basis) = value(gold);
            let (answer, answer_basis) = value(answer);
            match (gold, answer) {
                (Ok(gold), Ok(answer)) => same &= gold == answer,
                (Err(NoResidue::Spent(spent)), _) | (_, Err(NoResidue::Spent(spent))) => {
                    return Err(spent);
                }
                _ => return Ok(None),
            }
            certain &= !gold_basis.drawn && !answer_basis.drawn;
            if !same {
                return Ok(certain.then_some(false));
            }
        }
        Ok(Some(true))
    }

    /// Two numbers of which at least one is not rational.
    fn constants(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        let (gold_digits, answer_digits) = (written(gold), written(answer));
        for bits in PRECISIONS {
            let values = (self.value(gold, &[], bits, true), self.value(answer, &[], bits, true));
            let (gold_value, answer_value) = match values {
                (Err(NoValue::Spent(spent)), _) | (_, Err(NoValue::Spent(spent))) => {
                    return Err(spent);
                }
                (Err(NoValue::Imprecise), _) | (_, Err(NoValue::Imprecise)) => continue,
                (Err(NoValue::Unknown), _) | (_, Err(NoValue::Unknown)) => {
                    return not_evaluated(gold, answer);
                }
                (Err(NoValue::Undefined), _) | (_, Err(NoValue::Undefined)) => {
                    return Ok(Outcome::Different("undefined"));
                }
                (Ok(gold), Ok(answer)) => (gold, answer),
            };
            let (gold_value, answer_value) = match (gold_value, answer_value) {
                (Value::Complex(gold), Value::Complex(answer)) => (gold, answer),
                (Value::Huge(gold), Value::Huge(answer)) if gold == answer => {
                    return Err(Spent("too-large-to-compare"));
                }
                _ => return Ok(Outcome::Different("other-number")),
            };
            let field = Field { bits };
            match agreement(field, &gold_value, &answer_value) {
                Some(true) => return Ok(Outcome::Equal("same-to-48-digits")),
                Some(false) => {
                    let meets = self.meets(
                        field,
                        (&gold_value, gold_digits.as_ref(), gold),
                        (&answer_value, answer_digits.as_ref()),
                    );
                    if let Some(outcome) = meets {
                        return Ok(outcome);
                    }
                }
                None => {}
            }
        }
        Err(Spent("precision-spent"))
    }

    /// Whether numbers that differ meet by the rules for decimals; `None` where
    /// the precision does not tell.
    fn meets(
        &self,
        field: Field,
        (gold, gold_digits, gold_expr): (&Complex, Option<&Written>, &Expr),
        (answer, answer_digits): (&Complex, Option<&Written>),
    ) -> Option<Outcome> {
        let different = Outcome::Different("other-number");
        let real = |value: &Complex| value.imaginary.is_exact_zero();
        if !real(gold) || !real(answer) || gold_digits.is_none() && answer_digits.is_none() {
            return Some(different);
        }
        let gap = field.minus(&gold.real, &answer.real);
        let gap = if gap.sign()? == Ordering::Less { gap.negated() } else { gap };
        let at_most = |bound: &Real| Some(field.minus(&gap, bound).sign()? != Ordering::Greater);
        if let Some(round_to) = self.options.round_to {
            let bound = unit_in_place(field, i64::from(round_to));
            return Some(if at_most(&bound)? {
                Outcome::Equal("rounds-to-gold")
            } else {
                different
            });
        }
        if let Some(digits) = gold_digits {
            // Half a unit in the last place of the gold.
            let half = unit_in_place(field, digits.places);
            return Some(if digits.significant >= 2 && at_most(&half)? {
                Outcome::Equal("rounds-to-gold")
            } else {
                different
            });
        }
        if matches!(gold_expr, Expr::Number(_)) {
            return Some(different);
        }
        let scale = Rational::new(1.into(), power_of_ten(self.options.relative_digits.min(1000)))?;
        let size = if gold.real.sign()? == Ordering::Less {
            gold.real.negated()
        } else {
            gold.real.clone()
        };
        let bound = field.times(&size, &field.rational(&scale));
        Some(if at_most(&bound)? { Outcome::Equal("decimal-within-digits") } else { different })
    }

    pub(super) fn value(
        &mut self,
        expr: &Expr,
        values: &Values<'_>,
        bits: u64,
        complex: bool,
    ) -> Result<Value, NoValue> {
        let field = Field { bits };
        let budget = &mut self.budget;
        Evaluation { field, values, budget, complex, angle: false }.value(expr)
    }

    /// Two functions of the same variables, by their values at points.
    fn functions(&mut self, gold: &Expr, answer: &Expr) -> Compared {
        let mut names = gold.variables();
        for name in answer.variables() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let whole = wants_integers(gold) || wants_integers(answer);
        let complex = [gold, answer]
            .iter()
            .any(|expr| expr.any(&mut |part| *part == Expr::Constant(Constant::I)));
        let (mut agreed, mut unknown, mut imprecise) = (0, false, false);
        let mut undefined = [0; 2];
        'points: for point in 0..POINTS {
            let values: Vec<_> =
                names.iter().map(|name| (*name, sample(name, point, whole))).collect();
            if whole {
                let exact_gold = exact(gold, &values, &mut self.budget)?;
                let exact_answer = exact(answer, &values, &mut self.budget)?;
                if let (Some(gold), Some(answer)) = (exact_gold, exact_answer) {
                    if gold != answer {
                        return Ok(Outcome::Different("other-expression"));
                    }
                    agreed += 1;
                    continue;
                }
            }
            for bits in PRECISIONS {
                let gold = self.value(gold, &values, bits, complex);
                let answer = self.value(answer, &values, bits, complex);
                match (gold, answer) {
                    (Err(NoValue::Spent(spent)), _) | (_, Err(NoValue::Spent(spent))) => {
                        return Err(spent);
                    }
                    (gold @ Err(NoValue::Undefined), answer)
                    | (gold, answer @ Err(NoValue::Undefined)) => {
                        undefined[0] += u64::from(gold.is_err());
                        undefined[1] += u64::from(answer.is_err());
                        continue 'points;
                    }
                    (Err(NoValue::Unknown), _) | (_, Err(NoValue::Unknown)) => {
                        unknown = true;
                        break 'points;
                    }
                    (Err(NoValue::Imprecise), _) | (_, Err(NoValue::Imprecise)) => {}
                    (Ok(Value::Complex(gold)), Ok(Value::Complex(answer))) => {
                        match agreement(Field { bits }, &gold, &answer) {
                            Some(true) => {
                                agreed += 1;
                                continue 'points;
                            }
                            Some(false) => return Ok(Outcome::Different("other-expression")),
                            None => {}
                        }
                    }
                    (Ok(Value::Huge(_)), Ok(Value::Huge(_))) => continue 'points,
                    _ => return Ok(Outcome::Different("other-expression")),
                }
            }
            imprecise = true;
        }
        if unknown {
            return not_evaluated(gold, answer);
        }
        // One is defined nowhere, the other is.
        if undefined[0] != undefined[1] && undefined.contains(&POINTS) {
            return Ok(Outcome::Different("undefined"));
        }
        if agreed >= ENOUGH && !imprecise {
            Ok(Outcome::Equal("same-values-at-points"))
        } else {
            Err(Spent("no-common-points"))
        }
    }
}

/// Whether balls are equal for us, or certainly not; `None` where more bits are needed.
fn agreement(field: Field, a: &Complex, b: &Complex) -> Option<bool> {
    let part = |a: &Real, b: &Real, scale: i64| {
        let gap = field.minus(a, b);
        match gap.sign() {
            Some(Ordering::Equal) => Some(true),
            Some(_) => Some(false),
            None => (gap.magnitude() <= scale + AGREEMENT).then_some(true),
        }
    };
    let real_scale = a.real.magnitude().max(b.real.magnitude());
    let imaginary_scale = a.imaginary.magnitude().max(b.imaginary.magnitude());
    // A part that may be zero is measured against the other part, or against one.
    let scale = real_scale.max(imaginary_scale).max(0);
    match (
        part(&a.real, &b.real, if may_be_zero(&a.real) { scale } else { real_scale }),
        part(
            &a.imaginary,
            &b.imaginary,
            if may_be_zero(&a.imaginary) { scale } else { imaginary_scale },
        ),
    ) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn may_be_zero(value: &Real) -> bool {
    !matches!(value.sign(), Some(Ordering::Less | Ordering::Greater))
}

/// Half a unit in the last of so many places after the point.
fn unit_in_place(field: Field, places: i64) -> Real {
    let scale = power_of_ten(places.unsigned_abs().min(5000) as u32);
    let value = if places >= 0 {
        Rational::new(1.into(), scale * 2)
    } else {
        Rational::new(scale, 2.into())
    };
    value.map_or_else(Real::zero, |value| field.rational(&value))
}

/// How a number was written, if with a point or a power of ten.
fn written(expr: &Expr) -> Option<Written> {
    match expr {
        Expr::Decimal(value, places) => {
            let scaled = value.numerator() * power_of_ten(*places) / value.denominator();
            let significant = scaled.magnitude().to_string().len() as i64;
            Some(Written { places: i64::from(*places), significant })
        }
        Expr::Negative(inner) => written(inner),
        Expr::Product(factors) => match factors.as_slice() {
            [mantissa @ Expr::Decimal(..), Expr::Power(base, exponent)] => {
                let mut budget = Budget::new(1000);
                let base = exact(base, &[], &mut budget).ok().flatten()?;
                let exponent = exact(exponent, &[], &mut budget).ok().flatten()?.to_i64()?;
                let mantissa = written(mantissa)?;
                (base == Rational::integer(10) && exponent.abs() < 4000).then(|| Written {
                    places: mantissa.places - exponent,
                    significant: mantissa.significant,
                })
            }
            _ => None,
        },
        _ => None,
    }
}

/// Infinity with its sign.
pub(super) fn infinite(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(false),
        Expr::Negative(inner) => infinite(inner).map(|negative| !negative),
        _ => None,
    }
}

/// Whether an expression is meant for whole numbers.
fn wants_integers(expr: &Expr) -> bool {
    expr.any(&mut |part| match part {
        Expr::Call(
            Function::Factorial
            | Function::Binomial
            | Function::Gcd
            | Function::Lcm
            | Function::Mod,
            arguments,
        ) => arguments.iter().any(|argument| !argument.variables().is_empty()),
        // Rounding is for whole numbers where the names are those of whole numbers.
        Expr::Call(Function::Floor | Function::Ceil, arguments) => {
            let names = arguments[0].variables();
            !names.is_empty() && names.iter().all(|name| "ijklmnpqKMN".contains(name))
        }
        Expr::Series(Series::Sum | Series::Product, ..) => true,
        // (-1)^n
        Expr::Power(base, exponent) => {
            let negative = match &**base {
                Expr::Number(value) => value.is_negative(),
                Expr::Negative(_) => true,
                _ => false,
            };
            negative && !exponent.variables().is_empty()
        }
        _ => false,
    })
}

/// The value of a variable at a point: small whole numbers, or fractions in
/// (0, 1), (1, 4) and (-2, 0).
fn sample(name: &str, point: u64, whole: bool) -> Rational {
    let drawn = modular::drawn(name, point);
    if whole {
        return Rational::integer(2 + (drawn % 19) as i64);
    }
    let fraction = (drawn >> 12) as i64 & 0x00ff_ffff;
    let one = 1i64 << 24;
    let numerator = match point % 4 {
        0 | 2 => fraction.max(1),
        1 => one + 3 * fraction,
        _ => -2 * fraction.max(1),
    };
    Rational::new(numerator.into(), one.into()).unwrap_or_else(|| Rational::integer(1))
}

/// What to say of two expressions of which one cannot be evaluated.
fn not_evaluated(gold: &Expr, answer: &Expr) -> Compared {
    // A name with arguments is compared as it stands.
    let named = |expr: &Expr| {
        expr.any(&mut |part| {
            let atom = matches!(part, Expr::Apply(..) | Expr::Ellipsis | Expr::Text(_));
            // A set or list within an expression is no number.
            atom || super::compare::is_collection(part) || matches!(part, Expr::Chain(..))
        })
    };
    if named(gold) || named(answer) {
        return Ok(Outcome::Different("other-expression"));
    }
    let computed = |expr: &Expr| {
        expr.any(&mut |part| {
            matches!(part, Expr::Series(..) | Expr::Call(..) | Expr::Power(..) | Expr::Root(..))
        })
    };
    if computed(gold) || computed(answer) {
        return Err(Spent("not-evaluated"));
    }
    Ok(Outcome::Different("other-kind"))
}
