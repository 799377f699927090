//! The value of an expression as a complex number with a bound on its error.

use std::cmp::Ordering;

use num_traits::{Signed as _, ToPrimitive as _};

use super::budget::{Budget, Spent};
use super::exact::{Values, exact};
use super::expr::{Constant, Expr, Function, Series};
use super::number::Rational;
use super::real::{Field, NoReal, Real, half};

/// Terms of a sum or product that are added up one by one.
const TERMS: i64 = 500;

/// Why there is no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoValue {
    Undefined,
    Imprecise,
    /// Nothing here evaluates it.
    Unknown,
    Spent(Spent),
}

impl From<Spent> for NoValue {
    fn from(spent: Spent) -> Self {
        Self::Spent(spent)
    }
}

impl From<NoReal> for NoValue {
    fn from(reason: NoReal) -> Self {
        match reason {
            NoReal::Undefined => Self::Undefined,
            NoReal::Imprecise => Self::Imprecise,
            NoReal::Huge => Self::Unknown,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Complex(Complex),
    /// Above two to the power of 2^39 in size, with its sign.
    Huge(bool),
    Infinite(bool),
}

#[derive(Clone, Debug)]
pub(super) struct Complex {
    pub(super) real: Real,
    pub(super) imaginary: Real,
}

impl Complex {
    fn from_real(real: Real) -> Self {
        Self { real, imaginary: Real::zero() }
    }

    fn is_real(&self) -> bool {
        self.imaginary.is_exact_zero()
    }
}

type Evaluated = Result<Value, NoValue>;

/// An evaluation at one precision, of one choice of values for the variables.
pub(super) struct Evaluation<'v, 'b> {
    pub(super) field: Field,
    pub(super) values: &'v Values<'v>,
    pub(super) budget: &'b mut Budget,
    /// Whether even roots of negative numbers are imaginary; else they are undefined.
    pub(super) complex: bool,
    pub(super) angle: bool,
}

impl Evaluation<'_, '_> {
    fn cost(&self) -> u64 {
        self.field.bits / 64
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Evaluated {
        self.budget.spend(4)?;
        let real = |real: Real| Ok(Value::Complex(Complex::from_real(real)));
        match expr {
            Expr::Number(value) | Expr::Decimal(value, _) => {
                self.budget.spend(value.bits() / 64 + 2 * self.cost())?;
                real(self.field.rational(value))
            }
            Expr::Symbol(name) => {
                let known = self.values.iter().rev().find(|(known, _)| known == name);
                let (_, value) = known.ok_or(NoValue::Unknown)?;
                real(self.field.rational(value))
            }
            Expr::Constant(Constant::Pi) => real(self.field.pi()),
            Expr::Constant(Constant::E) => {
                self.budget.spend(self.function_cost())?;
                real(self.field.exp(&Real::integer(1))?)
            }
            Expr::Constant(Constant::I) => {
                Ok(Value::Complex(Complex { real: Real::zero(), imaginary: Real::integer(1) }))
            }
            Expr::Constant(Constant::Infinity) => Ok(Value::Infinite(false)),
            Expr::Negative(inner) => {
                let inner = self.value(inner)?;
                Ok(negated(inner))
            }
            Expr::Quantity(inner, unit) => {
                let value = self.value(inner)?;
                match unit.as_str() {
                    "%" => self.over(value, rational(self.field, 100)),
                    "°" if self.angle => {
                        let pi = Value::Complex(Complex::from_real(self.field.pi()));
                        let product = self.times(value, pi)?;
                        self.over(product, rational(self.field, 180))
                    }
                    _ => Ok(value),
                }
            }
            Expr::Sum(terms) => {
                let mut sum = Value::Complex(Complex::from_real(Real::zero()));
                for term in terms {
                    let term = self.value(term)?;
                    sum = self.plus(sum, term)?;
                }
                Ok(sum)
            }
            Expr::Product(factors) => {
                let mut product = Value::Complex(Complex::from_real(Real::integer(1)));
                for factor in factors {
                    let factor = self.value(factor)?;
                    product = self.times(product, factor)?;
                }
                Ok(product)
            }
            Expr::Quotient(top, bottom) => {
                let top = self.value(top)?;
                let bottom = self.value(bottom)?;
                self.over(top, bottom)
            }
            Expr::Power(base, exponent) => self.power(base, exponent),
            Expr::Root(index, radicand) => {
                let index = exact(index, self.values, self.budget)?
                    .and_then(|index| index.to_i64())
                    .filter(|index| (1..=1000).contains(index))
                    .ok_or(NoValue::Undefined)?;
                let radicand = self.value(radicand)?;
                self.root(radicand, index as u32)
            }
            Expr::Call(function, arguments) => self.call(expr, *function, arguments),
            Expr::Series(kind @ (Series::Sum | Series::Product), variable, parts) => {
                let [from, to, body] = parts.as_slice() else { return Err(NoValue::Unknown) };
                let mut bound = |expr: &Expr| {
                    let value = exact(expr, self.values, self.budget)?;
                    value.and_then(|value| value.to_i64()).ok_or(NoValue::Unknown)
                };
                let (from, to) = (bound(from)?, bound(to)?);
                if to.saturating_sub(from) > TERMS {
                    return Err(NoValue::Unknown);
                }
                let start = Real::integer(i64::from(*kind == Series::Product));
                let mut result = Value::Complex(Complex::from_real(start));
                let mut values = self.values.to_vec();
                for at in from..=to {
                    values.push((variable, Rational::integer(at)));
                    let mut inner = Evaluation {
                        field: self.field,
                        values: &values,
                        budget: self.budget,
                        complex: self.complex,
                        angle: self.angle,
                    };
                    let term = inner.value(body)?;
                    values.pop();
                    result = match kind {
                        Series::Sum => self.plus(result, term)?,
                        _ => self.times(result, term)?,
                    };
                }
                Ok(result)
            }
            _ => Err(NoValue::Unknown),
        }
    }

    fn function_cost(&self) -> u64 {
        60 * self.cost() * self.cost().max(4)
    }

    fn plus(&mut self, a: Value, b: Value) -> Evaluated {
        self.budget.spend(self.cost())?;
        match (a, b) {
            (Value::Complex(a), Value::Complex(b)) => Ok(Value::Complex(Complex {
                real: self.field.plus(&a.real, &b.real),
                imaginary: self.field.plus(&a.imaginary, &b.imaginary),
            })),
            (Value::Infinite(a), Value::Infinite(b)) if a != b => Err(NoValue::Undefined),
            (Value::Infinite(sign), _) | (_, Value::Infinite(sign)) => Ok(Value::Infinite(sign)),
            (Value::Huge(a), Value::Huge(b)) if a != b => Err(NoValue::Unknown),
            (Value::Huge(sign), _) | (_, Value::Huge(sign)) => Ok(Value::Huge(sign)),
        }
    }

    fn times(&mut self, a: Value, b: Value) -> Evaluated {
        self.budget.spend(4 * self.cost())?;
        match (a, b) {
            (Value::Complex(a), Value::Complex(b)) => Ok(Value::Complex(self.product(&a, &b))),
            (Value::Infinite(sign), other) | (other, Value::Infinite(sign)) => {
                Ok(Value::Infinite(sign != is_negative(&other)?))
            }
            (Value::Huge(a), Value::Huge(b)) => Ok(Value::Huge(a != b)),
            // A factor that is not small keeps it large enough.
            (Value::Huge(sign), other) | (other, Value::Huge(sign)) => {
                let negative = is_negative(&other)?;
                match other {
                    Value::Complex(other) if other.real.magnitude() > -1000 => {
                        Ok(Value::Huge(sign != negative))
                    }
                    _ => Err(NoValue::Unknown),
                }
            }
        }
    }

    fn product(&self, a: &Complex, b: &Complex) -> Complex {
        let field = self.field;
        if a.is_real() && b.is_real() {
            return Complex::from_real(field.times(&a.real, &b.real));
        }
        Complex {
            real: field
                .minus(&field.times(&a.real, &b.real), &field.times(&a.imaginary, &b.imaginary)),
            imaginary: field
                .plus(&field.times(&a.real, &b.imaginary), &field.times(&a.imaginary, &b.real)),
        }
    }

    fn over(&mut self, a: Value, b: Value) -> Evaluated {
        self.budget.spend(6 * self.cost())?;
        match (a, b) {
            (Value::Complex(a), Value::Complex(b)) => self.quotient(&a, &b).map(Value::Complex),
            (Value::Complex(_), Value::Infinite(_)) => {
                Ok(Value::Complex(Complex::from_real(Real::zero())))
            }
            (Value::Infinite(sign), Value::Complex(b)) => {
                let negative = is_negative(&Value::Complex(b))?;
                Ok(Value::Infinite(sign != negative))
            }
            (Value::Huge(sign), Value::Complex(b)) if b.real.magnitude() < 1000 => {
                let negative = is_negative(&Value::Complex(b))?;
                Ok(Value::Huge(sign != negative))
            }
            _ => Err(NoValue::Unknown),
        }
    }

    fn quotient(&self, a: &Complex, b: &Complex) -> Result<Complex, NoValue> {
        let field = self.field;
        if b.is_real() {
            let imaginary =
                if a.is_real() { Real::zero() } else { field.over(&a.imaginary, &b.real)? };
            return Ok(Complex { real: field.over(&a.real, &b.real)?, imaginary });
        }
        let norm =
            field.plus(&field.times(&b.real, &b.real), &field.times(&b.imaginary, &b.imaginary));
        let conjugate = Complex { real: b.real.clone(), imaginary: b.imaginary.negated() };
        let top = self.product(a, &conjugate);
        Ok(Complex {
            real: field.over(&top.real, &norm)?,
            imaginary: field.over(&top.imaginary, &norm)?,
        })
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Evaluated {
        let exact_exponent = exact(exponent, self.values, self.budget)?;
        let base_value = self.value(base)?;
        if let Some(exponent) = &exact_exponent {
            if let Some(integer) = exponent.to_integer() {
                return self.integer_power(base_value, &integer);
            }
            let (top, bottom) = (exponent.numerator(), exponent.denominator());
            if let Some(index) = bottom.to_u32().filter(|index| *index <= 1000) {
                let root = self.root(base_value, index)?;
                return self.integer_power(root, top);
            }
        }
        let exponent = self.value(exponent)?;
        self.budget.spend(3 * self.function_cost())?;
        match (base_value, exponent) {
            (Value::Complex(base), Value::Complex(exponent)) => {
                if base.is_real() && exponent.is_real() {
                    return match base.real.sign() {
                        Some(Ordering::Greater) => {
                            let ln = self.field.ln(&base.real)?;
                            let product = self.field.times(&ln, &exponent.real);
                            self.exponential(&product)
                        }
                        Some(Ordering::Equal) => match exponent.real.sign() {
                            Some(Ordering::Greater) => {
                                Ok(Value::Complex(Complex::from_real(Real::zero())))
                            }
                            _ => Err(NoValue::Undefined),
                        },
                        Some(Ordering::Less) => Err(NoValue::Undefined),
                        None => Err(NoValue::Imprecise),
                    };
                }
                let ln = self.complex_ln(&base)?;
                let product = self.product(&ln, &exponent);
                self.complex_exp(&product).map(Value::Complex)
            }
            // A number above one to a power that is huge.
            (Value::Complex(base), Value::Huge(false)) if base.is_real() => {
                let above = self.field.minus(&base.real, &Real::integer(2));
                match above.sign() {
                    Some(Ordering::Greater | Ordering::Equal) => Ok(Value::Huge(false)),
                    _ => Err(NoValue::Unknown),
                }
            }
            (Value::Huge(false), Value::Huge(false)) => Ok(Value::Huge(false)),
            (Value::Huge(false), Value::Complex(exponent)) if exponent.is_real() => {
                let above = self.field.minus(&exponent.real, &Real::integer(1));
                match above.sign() {
                    Some(Ordering::Greater | Ordering::Equal) => Ok(Value::Huge(false)),
                    _ => Err(NoValue::Unknown),
                }
            }
            _ => Err(NoValue::Unknown),
        }
    }

    fn integer_power(&mut self, base: Value, exponent: &num_bigint::BigInt) -> Evaluated {
        self.budget.spend(4 * self.cost() * (exponent.bits() + 1))?;
        match base {
            Value::Complex(base) if base.is_real() => {
                match self.field.power(&base.real, exponent) {
                    Ok(power) => Ok(Value::Complex(Complex::from_real(power))),
                    Err(NoReal::Huge) => {
                        let odd = exponent.bit(0);
                        match base.real.sign() {
                            Some(Ordering::Greater)
                                if base.real.magnitude() > 1 && !exponent.is_negative() =>
                            {
                                Ok(Value::Huge(false))
                            }
                            Some(Ordering::Less)
                                if base.real.magnitude() > 1 && !exponent.is_negative() =>
                            {
                                Ok(Value::Huge(odd))
                            }
                            _ => Err(NoValue::Unknown),
                        }
                    }
                    Err(other) => Err(other.into()),
                }
            }
            Value::Complex(base) => {
                let count = exponent.magnitude().to_u32().filter(|count| *count <= 10_000);
                let count = count.ok_or(NoValue::Unknown)?;
                let mut result = Complex::from_real(Real::integer(1));
                for at in (0..32).rev() {
                    result = self.product(&result, &result);
                    if count >> at & 1 == 1 {
                        result = self.product(&result, &base);
                    }
                }
                if exponent.is_negative() {
                    result = self.quotient(&Complex::from_real(Real::integer(1)), &result)?;
                }
                Ok(Value::Complex(result))
            }
            Value::Huge(negative) if exponent.is_positive() => {
                Ok(Value::Huge(negative && exponent.bit(0)))
            }
            Value::Infinite(negative) if exponent.is_positive() => {
                Ok(Value::Infinite(negative && exponent.bit(0)))
            }
            _ => Err(NoValue::Unknown),
        }
    }

    fn root(&mut self, radicand: Value, index: u32) -> Evaluated {
        self.budget.spend(self.function_cost())?;
        match radicand {
            Value::Complex(radicand) if radicand.is_real() => {
                let negative = radicand.real.sign() == Some(Ordering::Less);
                if !negative {
                    let root = self.field.root(&radicand.real, index)?;
                    return Ok(Value::Complex(Complex::from_real(root)));
                }
                let root = self.field.root(&radicand.real.negated(), index)?;
                if index % 2 == 1 {
                    Ok(Value::Complex(Complex::from_real(root.negated())))
                } else if index == 2 && self.complex {
                    Ok(Value::Complex(Complex { real: Real::zero(), imaginary: root }))
                } else {
                    Err(NoValue::Undefined)
                }
            }
            Value::Complex(radicand) => {
                let ln = self.complex_ln(&radicand)?;
                let index = Complex::from_real(Real::integer(i64::from(index)));
                let part = self.quotient(&ln, &index)?;
                self.complex_exp(&part).map(Value::Complex)
            }
            Value::Infinite(false) => Ok(Value::Infinite(false)),
            _ => Err(NoValue::Unknown),
        }
    }

    fn exponential(&self, x: &Real) -> Evaluated {
        match self.field.exp(x) {
            Ok(value) => Ok(Value::Complex(Complex::from_real(value))),
            Err(NoReal::Huge) => Ok(Value::Huge(false)),
            Err(other) => Err(other.into()),
        }
    }

    fn complex_exp(&self, x: &Complex) -> Result<Complex, NoValue> {
        let size = self.field.exp(&x.real)?;
        let (sine, cosine) = self.field.sin_cos(&x.imaginary)?;
        Ok(Complex {
            real: self.field.times(&size, &cosine),
            imaginary: self.field.times(&size, &sine),
        })
    }

    fn complex_ln(&self, x: &Complex) -> Result<Complex, NoValue> {
        let field = self.field;
        let norm =
            field.plus(&field.times(&x.real, &x.real), &field.times(&x.imaginary, &x.imaginary));
        let real = field.times(&field.ln(&norm)?, &field.rational(&half()));
        // The argument: from the half plane in which the tangent is safe.
        let pi = field.pi();
        let half_pi = field.times(&pi, &field.rational(&half()));
        let imaginary = match (x.real.sign(), x.imaginary.sign()) {
            (Some(Ordering::Greater), _) => field.arctan(&field.over(&x.imaginary, &x.real)?)?,
            (_, Some(Ordering::Greater)) => {
                let rest = field.arctan(&field.over(&x.real, &x.imaginary)?)?;
                field.minus(&half_pi, &rest)
            }
            (_, Some(Ordering::Less)) => {
                let rest = field.arctan(&field.over(&x.real, &x.imaginary)?)?;
                field.minus(&half_pi.negated(), &rest)
            }
            (Some(Ordering::Less), Some(Ordering::Equal)) => pi,
            _ => return Err(NoValue::Imprecise),
        };
        Ok(Complex { real, imaginary })
    }

    /// Functions of integers that [`exact`] gave no value.
    fn of_integers(&mut self, function: Function, arguments: &[Expr]) -> Evaluated {
        for argument in arguments {
            match exact(argument, self.values, self.budget)? {
                Some(value) if value.to_integer().is_none() => return Err(NoValue::Undefined),
                Some(value) if function == Function::Factorial && value.is_negative() => {
                    return Err(NoValue::Undefined);
                }
                Some(_) => {}
                // Not rational, or too long to be written out.
                None => match self.value(argument)? {
                    Value::Huge(false) if function == Function::Factorial => {
                        return Ok(Value::Huge(false));
                    }
                    Value::Complex(value) if value.real.magnitude() < 1000 => {
                        return Err(NoValue::Undefined);
                    }
                    _ => return Err(NoValue::Unknown),
                },
            }
        }
        Err(NoValue::Unknown)
    }

    fn call(&mut self, expr: &Expr, function: Function, arguments: &[Expr]) -> Evaluated {
        if let Some(value) = exact(expr, self.values, self.budget)? {
            return self.value(&Expr::Number(value));
        }
        if matches!(
            function,
            Function::Factorial
                | Function::Binomial
                | Function::Gcd
                | Function::Lcm
                | Function::Mod
        ) {
            return self.of_integers(function, arguments);
        }
        let first = arguments.first().ok_or(NoValue::Unknown)?;
        let outside = self.angle;
        self.angle |= matches!(
            function,
            Function::Sin
                | Function::Cos
                | Function::Tan
                | Function::Cot
                | Function::Sec
                | Function::Csc
        );
        let argument = self.value(first);
        self.angle = outside;
        let argument = match argument? {
            Value::Complex(argument) => argument,
            Value::Huge(negative) => {
                return match function {
                    Function::Exp if !negative => Ok(Value::Huge(false)),
                    _ => Err(NoValue::Unknown),
                };
            }
            Value::Infinite(_) => return Err(NoValue::Unknown),
        };
        self.budget.spend(2 * self.function_cost())?;
        let field = self.field;
        let one = Real::integer(1);
        if !argument.is_real() {
            return match function {
                Function::Abs => {
                    let norm = field.plus(
                        &field.times(&argument.real, &argument.real),
                        &field.times(&argument.imaginary, &argument.imaginary),
                    );
                    Ok(Value::Complex(Complex::from_real(field.root(&norm, 2)?)))
                }
                Function::Exp => self.complex_exp(&argument).map(Value::Complex),
                Function::Log if arguments.len() == 1 => {
                    self.complex_ln(&argument).map(Value::Complex)
                }
                _ => Err(NoValue::Unknown),
            };
        }
        let x = &argument.real;
        let result = match function {
            Function::Sin => field.sin_cos(x)?.0,
            Function::Cos => field.sin_cos(x)?.1,
            Function::Tan => {
                let (sine, cosine) = field.sin_cos(x)?;
                field.over(&sine, &cosine)?
            }
            Function::Cot => {
                let (sine, cosine) = field.sin_cos(x)?;
                field.over(&cosine, &sine)?
            }
            Function::Sec => field.over(&one, &field.sin_cos(x)?.1)?,
            Function::Csc => field.over(&one, &field.sin_cos(x)?.0)?,
            Function::Arctan => field.arctan(x)?,
            Function::Arcsin | Function::Arccos => {
                let inside = field.minus(&one, &field.times(x, x));
                let half_pi = field.times(&field.pi(), &field.rational(&half()));
                let arcsin = if inside.is_exact_zero() {
                    if x.sign() == Some(Ordering::Less) {
                        half_pi.negated()
                    } else {
                        half_pi.clone()
                    }
                } else {
                    field.arctan(&field.over(x, &field.root(&inside, 2)?)?)?
                };
                if function == Function::Arcsin { arcsin } else { field.minus(&half_pi, &arcsin) }
            }
            Function::Sinh | Function::Cosh | Function::Tanh => {
                let (up, down) = (field.exp(x)?, field.exp(&x.negated())?);
                let (sum, gap) = (field.plus(&up, &down), field.minus(&up, &down));
                match function {
                    Function::Tanh => field.over(&gap, &sum)?,
                    Function::Sinh => field.times(&gap, &field.rational(&half())),
                    _ => field.times(&sum, &field.rational(&half())),
                }
            }
            Function::Exp => return self.exponential(x),
            Function::Log => {
                let ln = field.ln(x)?;
                match arguments.get(1) {
                    None => ln,
                    Some(base) => match self.value(base)? {
                        Value::Complex(base) if base.is_real() => {
                            field.over(&ln, &field.ln(&base.real)?)?
                        }
                        _ => return Err(NoValue::Unknown),
                    },
                }
            }
            Function::Abs => match x.sign() {
                Some(Ordering::Less) => x.negated(),
                Some(_) => x.clone(),
                None => return Err(NoValue::Imprecise),
            },
            Function::Floor | Function::Ceil => {
                // Certain only where no integer lies in the ball.
                let value = x.approximate();
                if value.abs() > 1e9 {
                    return Err(NoValue::Unknown);
                }
                let low = value.floor();
                let below = field.minus(x, &Real::integer(low as i64));
                let above = field.minus(&Real::integer(low as i64 + 1), x);
                match (below.sign(), above.sign()) {
                    (Some(Ordering::Greater), Some(Ordering::Greater)) => {
                        Real::integer(low as i64 + i64::from(function == Function::Ceil))
                    }
                    _ => return Err(NoValue::Imprecise),
                }
            }
            Function::Max | Function::Min => {
                let mut best = x.clone();
                for other in &arguments[1..] {
                    let Value::Complex(other) = self.value(other)? else {
                        return Err(NoValue::Unknown);
                    };
                    let gap = field.minus(&other.real, &best).sign().ok_or(NoValue::Imprecise)?;
                    let better =
                        if function == Function::Max { Ordering::Greater } else { Ordering::Less };
                    if gap == better {
                        best = other.real;
                    }
                }
                best
            }
            _ => return Err(NoValue::Unknown),
        };
        Ok(Value::Complex(Complex::from_real(result)))
    }
}

fn is_negative(value: &Value) -> Result<bool, NoValue> {
    match value {
        Value::Huge(negative) | Value::Infinite(negative) => Ok(*negative),
        Value::Complex(value) => match value.real.sign() {
            Some(Ordering::Less) if value.is_real() => Ok(true),
            Some(Ordering::Greater) if value.is_real() => Ok(false),
            Some(Ordering::Equal) => Err(NoValue::Undefined),
            _ => Err(NoValue::Imprecise),
        },
    }
}

fn negated(value: Value) -> Value {
    match value {
        Value::Complex(value) => Value::Complex(Complex {
            real: value.real.negated(),
            imaginary: value.imaginary.negated(),
        }),
        Value::Huge(negative) => Value::Huge(!negative),
        Value::Infinite(negative) => Value::Infinite(!negative),
    }
}

fn rational(field: Field, value: i64) -> Value {
    Value::Complex(Complex::from_real(field.rational(&Rational::integer(value))))
}
