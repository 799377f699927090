//! The value of an expression as a rational number, where it is one and not too long.

use num_bigint::BigInt;
use num_integer::Integer as _;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};

use super::budget::{Budget, Spent};
use super::expr::{Expr, Function, Series};
use super::number::{LARGEST, Rational, multiplication};

/// Terms of a sum or product that are added up one by one.
const TERMS: i64 = 2000;
/// Factorials above this are not computed.
const FACTORIAL: i64 = 10_000;

/// Values of variables.
pub(super) type Values<'a> = [(&'a str, Rational)];

type Found = Result<Option<Rational>, Spent>;

/// `None` where the value is not rational, not defined, not known or too long.
pub(super) fn exact(expr: &Expr, values: &Values<'_>, budget: &mut Budget) -> Found {
    budget.spend(2)?;
    let mut part = |expr: &Expr| exact(expr, values, budget);
    Ok(match expr {
        Expr::Number(value) | Expr::Decimal(value, _) => Some(value.clone()),
        Expr::Symbol(name) => {
            values.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        }
        Expr::Negative(inner) => part(inner)?.map(|value| value.negated()),
        Expr::Quantity(inner, unit) => {
            let value = part(inner)?;
            match (value, unit.as_str()) {
                (Some(value), "%") => {
                    let hundredth = Rational::new(1.into(), 100.into());
                    match hundredth {
                        Some(hundredth) => value.times(&hundredth, budget)?,
                        None => None,
                    }
                }
                (value, _) => value,
            }
        }
        Expr::Sum(terms) => {
            let mut sum = Rational::integer(0);
            for term in terms {
                let Some(value) = exact(term, values, budget)? else { return Ok(None) };
                let Some(next) = sum.plus(&value, budget)? else { return Ok(None) };
                sum = next;
            }
            Some(sum)
        }
        Expr::Product(factors) => {
            let mut product = Rational::integer(1);
            for factor in factors {
                let Some(value) = exact(factor, values, budget)? else { return Ok(None) };
                let Some(next) = product.times(&value, budget)? else { return Ok(None) };
                product = next;
            }
            Some(product)
        }
        Expr::Quotient(top, bottom) => {
            let Some(top) = part(top)? else { return Ok(None) };
            let Some(bottom) =
                exact(bottom, values, budget)?.and_then(|bottom| bottom.reciprocal())
            else {
                return Ok(None);
            };
            top.times(&bottom, budget)?
        }
        Expr::Power(base, exponent) => {
            let (Some(base), Some(exponent)) = (part(base)?, part(exponent)?) else {
                return Ok(None);
            };
            raised(&base, &exponent, budget)?
        }
        Expr::Root(index, radicand) => {
            let (Some(index), Some(radicand)) = (part(index)?, part(radicand)?) else {
                return Ok(None);
            };
            match index.to_i64() {
                Some(index @ 1..=64) => radicand.root(index as u32, budget)?,
                _ => None,
            }
        }
        Expr::Call(function, arguments) => call(*function, arguments, values, budget)?,
        Expr::Series(kind @ (Series::Sum | Series::Product), variable, parts) => {
            let [from, to, body] = parts.as_slice() else { return Ok(None) };
            let bounds = (part(from)?, part(to)?);
            let (Some(from), Some(to)) = bounds else { return Ok(None) };
            let (Some(from), Some(to)) = (from.to_i64(), to.to_i64()) else { return Ok(None) };
            if to.saturating_sub(from) > TERMS {
                return Ok(None);
            }
            let mut inner = values.to_vec();
            let mut result = Rational::integer(i64::from(*kind == Series::Product));
            for at in from..=to {
                inner.push((variable, Rational::integer(at)));
                let Some(value) = exact(body, &inner, budget)? else { return Ok(None) };
                inner.pop();
                let next = match kind {
                    Series::Sum => result.plus(&value, budget)?,
                    _ => result.times(&value, budget)?,
                };
                let Some(next) = next else { return Ok(None) };
                result = next;
            }
            Some(result)
        }
        _ => None,
    })
}

/// A rational power, where it is rational.
fn raised(base: &Rational, exponent: &Rational, budget: &mut Budget) -> Found {
    if let Some(exponent) = exponent.to_i64() {
        return base.power(exponent, budget);
    }
    if exponent.to_integer().is_some() {
        // Too long, except for powers of 0, 1 and -1.
        let even = exponent.to_integer().is_some_and(|exponent| exponent.is_even());
        return if *base == Rational::integer(1) || (*base == Rational::integer(-1) && even) {
            Ok(Some(Rational::integer(1)))
        } else if *base == Rational::integer(-1) {
            Ok(Some(base.clone()))
        } else {
            Ok(None)
        };
    }
    let (Some(top), Some(bottom)) =
        (exponent.numerator().to_i64(), exponent.denominator().to_u32())
    else {
        return Ok(None);
    };
    if bottom > 64 || (base.is_negative() && bottom.is_multiple_of(2)) {
        return Ok(None);
    }
    match base.root(bottom, budget)? {
        Some(root) => root.power(top, budget),
        None => Ok(None),
    }
}

fn call(function: Function, arguments: &[Expr], values: &Values<'_>, budget: &mut Budget) -> Found {
    let mut found = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match exact(argument, values, budget)? {
            Some(value) => found.push(value),
            None => return Ok(None),
        }
    }
    let Some(first) = found.first() else { return Ok(None) };
    Ok(match function {
        Function::Abs => Some(first.abs()),
        Function::Floor => Some(Rational::integer(first.floor())),
        Function::Ceil => Some(Rational::integer(-first.negated().floor())),
        Function::Factorial => match first.to_i64() {
            Some(n @ 0..=FACTORIAL) => {
                budget.spend(multiplication(n as u64 * 12) + n as u64)?;
                Some(Rational::integer(product(1, n as u64)))
            }
            _ => None,
        },
        Function::Binomial => match (first.to_i64(), found.get(1).and_then(Rational::to_i64)) {
            (Some(n @ 0..), Some(k)) if (0..=n).contains(&k) => {
                let k = k.min(n - k);
                let bits = u64::from(64 - n.leading_zeros()) * k as u64;
                if bits > LARGEST {
                    return Ok(None);
                }
                budget.spend(multiplication(bits) + k as u64)?;
                let top = product((n - k) as u64 + 1, n as u64);
                Some(Rational::integer(top / product(1, k as u64)))
            }
            (Some(0..), Some(_)) => Some(Rational::integer(0)),
            _ => None,
        },
        Function::Max => found.iter().max().cloned(),
        Function::Min => found.iter().min().cloned(),
        Function::Gcd | Function::Lcm => {
            let mut result = BigInt::from(i64::from(function == Function::Lcm));
            for value in &found {
                let Some(value) = value.to_integer() else { return Ok(None) };
                if value.bits() > 4096 {
                    return Ok(None);
                }
                budget.spend(value.bits())?;
                result = match function {
                    Function::Gcd => result.gcd(&value),
                    _ => result.lcm(&value),
                };
            }
            Some(Rational::integer(result))
        }
        Function::Mod => match (first.to_integer(), found.get(1).and_then(Rational::to_integer)) {
            (Some(value), Some(modulus)) if !modulus.is_zero() => {
                Some(Rational::integer(value.mod_floor(&modulus.abs())))
            }
            _ => None,
        },
        Function::Log => match found.get(1) {
            Some(base) => logarithm(first, base, budget)?,
            None => (*first == Rational::integer(1)).then(|| Rational::integer(0)),
        },
        Function::Exp => first.is_zero().then(|| Rational::integer(1)),
        _ => None,
    })
}

/// The product of all integers from `low` to `high`.
fn product(low: u64, high: u64) -> BigInt {
    if low > high {
        return BigInt::one();
    }
    if high - low < 8 {
        return (low..=high).map(BigInt::from).product();
    }
    let middle = low.midpoint(high);
    product(low, middle) * product(middle + 1, high)
}

/// The logarithm to a base, where it is an integer.
fn logarithm(value: &Rational, base: &Rational, budget: &mut Budget) -> Found {
    let (Some(integer), Some(base)) = (value.to_integer(), base.to_i64()) else {
        return Ok(None);
    };
    if base < 2 || !integer.is_positive() || integer.bits() > 4096 {
        return Ok(None);
    }
    let (mut rest, mut exponent) = (integer, 0);
    while !rest.is_one() {
        budget.spend(rest.bits() / 64 + 1)?;
        let (quotient, left) = rest.div_rem(&BigInt::from(base));
        if !left.is_zero() {
            return Ok(None);
        }
        rest = quotient;
        exponent += 1;
    }
    Ok(Some(Rational::integer(exponent)))
}
