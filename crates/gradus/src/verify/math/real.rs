//! Real numbers as balls: a binary fraction and a bound on its error. What is
//! decided from a ball is decided of the number itself.

use std::cmp::Ordering;
use std::sync::OnceLock;

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer as _;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};

use super::number::Rational;

/// Precisions in bits that are tried one after the other.
pub(super) const PRECISIONS: [u64; 3] = [128, 256, 1024];
/// Bits by which the functions work more precisely than their result is kept.
const GUARD: u64 = 64;
/// The error of a number that has none.
const EXACT: i64 = i64::MIN;
/// Results beyond two to this power are not computed.
const LARGEST: i64 = 1 << 40;

/// `mantissa` times two to `exponent`, at most two to `error` away from the number.
#[derive(Clone, Debug)]
pub(super) struct Real {
    mantissa: BigInt,
    exponent: i64,
    error: i64,
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoReal {
    /// The function has no real value there.
    Undefined,
    /// The ball is too wide to tell; more bits may help.
    Imprecise,
    /// The value is above two to the power of 2^40.
    Huge,
}

type Computed = Result<Real, NoReal>;

impl Real {
    pub(super) fn zero() -> Self {
        Self::integer(0)
    }

    pub(super) fn integer(value: i64) -> Self {
        Self { mantissa: value.into(), exponent: 0, error: EXACT }
    }

    pub(super) fn is_exact_zero(&self) -> bool {
        self.mantissa.is_zero() && self.error == EXACT
    }

    /// The number is less than two to this.
    pub(super) fn magnitude(&self) -> i64 {
        let middle = if self.mantissa.is_zero() {
            EXACT
        } else {
            self.mantissa.bits() as i64 + self.exponent
        };
        if self.error == EXACT { middle } else { middle.max(self.error) + 1 }
    }

    /// The number is at least two to this, if it is certainly not zero.
    fn least_magnitude(&self) -> Option<i64> {
        if self.mantissa.is_zero() {
            return None;
        }
        let middle = self.mantissa.bits() as i64 - 1 + self.exponent;
        if self.error == EXACT {
            Some(middle)
        } else {
            (self.error < middle - 1).then_some(middle - 1)
        }
    }

    /// The sign, where it is certain.
    pub(super) fn sign(&self) -> Option<Ordering> {
        if self.is_exact_zero() {
            return Some(Ordering::Equal);
        }
        self.least_magnitude()?;
        Some(if self.mantissa.is_negative() { Ordering::Less } else { Ordering::Greater })
    }

    pub(super) fn negated(&self) -> Self {
        Self { mantissa: -&self.mantissa, exponent: self.exponent, error: self.error }
    }

    /// The number as a float, for ordering in displays and choices that do not decide.
    pub(super) fn approximate(&self) -> f64 {
        let bits = self.mantissa.bits() as i64;
        let shift = (bits - 60).max(0);
        let top = (&self.mantissa >> shift as u64).to_f64().unwrap_or(0.0);
        let power = (self.exponent + shift).clamp(-2000, 2000) as i32;
        // In two steps, so that neither leaves the range of f64 first.
        top * 2f64.powi(power / 2) * 2f64.powi(power - power / 2)
    }
}

fn joined(a: i64, b: i64) -> i64 {
    if a == EXACT {
        b
    } else if b == EXACT {
        a
    } else {
        a.max(b) + 1
    }
}

/// `a + b` for exponents of bounds, of which either may be "no error".
fn scaled(error: i64, by: i64) -> i64 {
    if error == EXACT || by == EXACT { EXACT } else { error.saturating_add(by) }
}

fn shifted(value: &BigInt, by: i64) -> BigInt {
    if by >= 0 { value << by as u64 } else { value >> by.unsigned_abs() }
}

/// Pi and the logarithm of two as integers over two to `bits`.
struct Constants {
    bits: u64,
    pi: BigInt,
    ln2: BigInt,
}

fn constants(bits: u64) -> &'static Constants {
    static TABLE: [OnceLock<Constants>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let at = PRECISIONS.iter().position(|precision| *precision >= bits).unwrap_or(2);
    TABLE[at].get_or_init(|| {
        let bits = PRECISIONS[at] + 2 * GUARD;
        // Machin 1706: pi = 16 arctan 1/5 - 4 arctan 1/239.
        let pi = 16 * inverse_arctangent(5, bits, false) - 4 * inverse_arctangent(239, bits, false);
        // ln 2 = 18 artanh 1/26 - 2 artanh 1/4801 + 8 artanh 1/8749.
        let ln2 = 18 * inverse_arctangent(26, bits, true)
            - 2 * inverse_arctangent(4801, bits, true)
            + 8 * inverse_arctangent(8749, bits, true);
        Constants { bits, pi, ln2 }
    })
}

/// arctan (or artanh) of one over `inverse`, times two to `bits`.
fn inverse_arctangent(inverse: u64, bits: u64, hyperbolic: bool) -> BigInt {
    let mut power = (BigInt::one() << (bits + 16)) / inverse;
    let square = inverse * inverse;
    let mut sum = BigInt::zero();
    let mut odd = 1u64;
    while !power.is_zero() {
        let term = &power / odd;
        if hyperbolic || odd % 4 == 1 {
            sum += term;
        } else {
            sum -= term;
        }
        power /= square;
        odd += 2;
    }
    sum >> 16
}

/// Arithmetic at one precision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) bits: u64,
}

impl Field {
    fn rounded(self, mantissa: BigInt, exponent: i64, error: i64) -> Real {
        let excess = mantissa.bits().saturating_sub(self.bits);
        if excess == 0 {
            return Real { mantissa, exponent, error };
        }
        let exponent = exponent + excess as i64;
        Real { mantissa: mantissa >> excess, exponent, error: joined(error, exponent) }
    }

    pub(super) fn rational(self, value: &Rational) -> Real {
        let (top, bottom) = (value.numerator(), value.denominator());
        if bottom.is_one() {
            return self.rounded(top.clone(), 0, EXACT);
        }
        let shift = (self.bits as i64 + 2 + bottom.bits() as i64 - top.bits() as i64).max(0);
        let (quotient, rest) = (top << shift as u64).div_mod_floor(bottom);
        let error = if rest.is_zero() { EXACT } else { -shift };
        self.rounded(quotient, -shift, error)
    }

    pub(super) fn plus(self, a: &Real, b: &Real) -> Real {
        if a.is_exact_zero() {
            return b.clone();
        }
        if b.is_exact_zero() {
            return a.clone();
        }
        let error = joined(a.error, b.error);
        let (high, low) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
        let gap = high.exponent - low.exponent;
        let room = 2 * self.bits as i64;
        if gap > room && !high.mantissa.is_zero() {
            // The lower one is below what is kept.
            let mantissa = &high.mantissa << room as u64;
            let exponent = high.exponent - room;
            let lost = joined(error, low.magnitude().max(exponent));
            return self.rounded(mantissa, exponent, lost);
        }
        if gap > 4 * room {
            return Real { error: joined(error, high.magnitude()), ..low.clone() };
        }
        let mantissa = (&high.mantissa << gap as u64) + &low.mantissa;
        self.rounded(mantissa, low.exponent, error)
    }

    pub(super) fn minus(self, a: &Real, b: &Real) -> Real {
        self.plus(a, &b.negated())
    }

    pub(super) fn times(self, a: &Real, b: &Real) -> Real {
        if a.is_exact_zero() || b.is_exact_zero() {
            return Real::zero();
        }
        let cross = joined(scaled(b.error, a.magnitude()), scaled(a.error, b.magnitude()));
        self.rounded(&a.mantissa * &b.mantissa, a.exponent + b.exponent, cross)
    }

    pub(super) fn over(self, a: &Real, b: &Real) -> Computed {
        if b.is_exact_zero() {
            return Err(NoReal::Undefined);
        }
        let least = b.least_magnitude().ok_or(NoReal::Imprecise)?;
        if a.is_exact_zero() {
            return Ok(Real::zero());
        }
        let shift =
            (self.bits as i64 + 2 + b.mantissa.bits() as i64 - a.mantissa.bits() as i64).max(0);
        let quotient = (&a.mantissa << shift as u64).div_floor(&b.mantissa);
        let exponent = a.exponent - b.exponent - shift;
        let error = joined(
            scaled(a.error, -least),
            scaled(b.error, a.magnitude().saturating_sub(2 * least)),
        );
        Ok(self.rounded(quotient, exponent, joined(error, exponent)))
    }

    /// The positive root of a number that is not negative.
    pub(super) fn root(self, x: &Real, index: u32) -> Computed {
        if x.is_exact_zero() {
            return Ok(Real::zero());
        }
        match x.sign() {
            Some(Ordering::Less) => return Err(NoReal::Undefined),
            None => return Err(NoReal::Imprecise),
            _ => {}
        }
        if index > 16 {
            let exponent = self.over(&self.ln(x)?, &Real::integer(i64::from(index)))?;
            return self.exp(&exponent);
        }
        let index = i64::from(index);
        let wanted = index * (self.bits as i64 + 2);
        let mut shift = (wanted - x.mantissa.bits() as i64).max(0);
        shift += (x.exponent - shift).rem_euclid(index);
        let root = (&x.mantissa << shift as u64).magnitude().nth_root(index as u32);
        let exponent = (x.exponent - shift) / index;
        let least = x.least_magnitude().ok_or(NoReal::Imprecise)?;
        let size = root.bits() as i64 + exponent;
        let error = joined(scaled(x.error, size - least + 1), exponent);
        Ok(self.rounded(BigInt::from_biguint(Sign::Plus, root), exponent, error))
    }

    pub(super) fn power(self, base: &Real, exponent: &BigInt) -> Computed {
        let mut left = exponent.magnitude().clone();
        if left.bits() > 64 {
            return Err(NoReal::Huge);
        }
        let mut result = Real::integer(1);
        let mut square = base.clone();
        loop {
            if left.bit(0) {
                result = self.times(&result, &square);
            }
            left >>= 1;
            if left.is_zero() {
                break;
            }
            square = self.times(&square, &square);
            let size = square.magnitude();
            if size > LARGEST {
                return Err(NoReal::Huge);
            }
            if size < -LARGEST && size != EXACT {
                return Err(NoReal::Imprecise);
            }
        }
        if exponent.is_negative() { self.over(&Real::integer(1), &result) } else { Ok(result) }
    }

    /// The number as an integer over two to `bits`, with what the error is there.
    fn fixed(x: &Real, bits: u64) -> BigInt {
        shifted(&x.mantissa, x.exponent + bits as i64)
    }

    fn working(self) -> u64 {
        self.bits + GUARD
    }

    pub(super) fn pi(self) -> Real {
        let constants = constants(self.bits);
        let exponent = -(constants.bits as i64);
        self.rounded(constants.pi.clone(), exponent, exponent + 8)
    }

    pub(super) fn exp(self, x: &Real) -> Computed {
        if x.is_exact_zero() {
            return Ok(Real::integer(1));
        }
        let size = x.magnitude();
        if size > 41 {
            return match x.sign() {
                Some(Ordering::Greater) => Err(NoReal::Huge),
                _ => Err(NoReal::Imprecise),
            };
        }
        if x.error > -2 {
            return Err(NoReal::Imprecise);
        }
        let work = self.working();
        let constants = constants(self.bits);
        let ln2 = &constants.ln2 >> (constants.bits - work);
        let value = Self::fixed(x, work);
        let turns = value.div_floor(&ln2);
        let rest = value - &turns * &ln2;
        // Taylor at a 256th of the rest, then squared eight times.
        let small = rest >> 8;
        let one = BigInt::one() << work;
        let (mut sum, mut term, mut n) = (one.clone(), one, 1u64);
        while !term.is_zero() {
            term = ((term * &small) >> work) / n;
            sum += &term;
            n += 1;
        }
        for _ in 0..8 {
            sum = (&sum * &sum) >> work;
        }
        let turns = turns.to_i64().ok_or(NoReal::Huge)?;
        let exponent = turns - work as i64;
        // The reduction loses the bits of `turns`, the squarings eight.
        let own = turns + 2 + 41 - work as i64;
        let error = joined(own, scaled(x.error, turns + 3));
        Ok(self.rounded(sum, exponent, error))
    }

    pub(super) fn ln(self, x: &Real) -> Computed {
        match x.sign() {
            Some(Ordering::Greater) => {}
            Some(_) => return Err(NoReal::Undefined),
            None => return Err(NoReal::Imprecise),
        }
        if x.error == EXACT && self.minus(x, &Real::integer(1)).is_exact_zero() {
            return Ok(Real::zero());
        }
        let least = x.least_magnitude().ok_or(NoReal::Imprecise)?;
        let work = self.working();
        // x = y 2^k with y in [1/2, 1), moved to [3/4, 3/2).
        let bits = x.mantissa.bits() as i64;
        let mut turns = bits + x.exponent;
        let mut y = shifted(&x.mantissa, work as i64 - bits);
        let one = BigInt::one() << work;
        if &y * 4 < &one * 3 {
            y <<= 1u32;
            turns -= 1;
        }
        let ratio = ((&y - &one) << work) / (&y + &one);
        let square = (&ratio * &ratio) >> work;
        let (mut sum, mut power, mut odd) = (BigInt::zero(), ratio, 1u64);
        while !power.is_zero() && power != BigInt::from(-1) {
            sum += &power / odd;
            power = (power * &square) >> work;
            odd += 2;
        }
        let constants = constants(self.bits);
        let ln2 = &constants.ln2 >> (constants.bits - work);
        let value = sum * 2 + ln2 * turns;
        let own = 74 - i64::from(turns.unsigned_abs().leading_zeros()) - work as i64;
        let error = joined(own, scaled(x.error, 1 - least));
        Ok(self.rounded(value, -(work as i64), error))
    }

    /// Sine and cosine.
    pub(super) fn sin_cos(self, x: &Real) -> Result<(Real, Real), NoReal> {
        if x.is_exact_zero() {
            return Ok((Real::zero(), Real::integer(1)));
        }
        let size = x.magnitude();
        if size > 40 || x.error > -2 {
            return Err(NoReal::Imprecise);
        }
        let work = self.working();
        let constants = constants(self.bits);
        let half_pi = &constants.pi >> (constants.bits - work + 1);
        let value = Self::fixed(x, work);
        // The nearest multiple of pi/2.
        let doubled: BigInt = &value * 2 + &half_pi;
        let turns = doubled.div_floor(&(&half_pi * 2));
        let rest = value - &turns * &half_pi;
        let square = (&rest * &rest) >> work;
        let one = BigInt::one() << work;
        let (mut sine, mut cosine) = (rest.clone(), one.clone());
        let (mut odd, mut even, mut n) = (rest, one, 1u64);
        while n < 400 {
            even = -((even * &square) >> work) / (n * (n + 1));
            n += 1;
            odd = -((odd * &square) >> work) / (n * (n + 1));
            n += 1;
            if even.bits() <= 1 && odd.bits() <= 1 {
                break;
            }
            cosine += &even;
            sine += &odd;
        }
        let own = size.max(0) + 12 - work as i64;
        let error = joined(own, scaled(x.error, 1));
        let real = |value: BigInt| self.rounded(value, -(work as i64), error);
        let quarter = turns.mod_floor(&BigInt::from(4)).to_u8().unwrap_or(0);
        Ok(match quarter {
            0 => (real(sine), real(cosine)),
            1 => (real(cosine), real(-sine)),
            2 => (real(-sine), real(-cosine)),
            _ => (real(-cosine), real(sine)),
        })
    }

    pub(super) fn arctan(self, x: &Real) -> Computed {
        if x.is_exact_zero() {
            return Ok(Real::zero());
        }
        let size = x.magnitude();
        if size > 1 {
            // arctan x = sign pi/2 - arctan 1/x
            let inverse = self.arctan(&self.over(&Real::integer(1), x)?)?;
            let half = self.times(&self.pi(), &self.rational(&half()));
            let half = if x.mantissa.is_negative() { half.negated() } else { half };
            return Ok(self.minus(&half, &inverse));
        }
        let work = self.working();
        let one = BigInt::one() << work;
        let mut value = Self::fixed(x, work);
        for _ in 0..3 {
            // arctan v = 2 arctan v / (1 + sqrt(1 + v^2))
            let inside: BigInt = (&one * &one) + &value * &value;
            let root = BigInt::from(BigUint::sqrt(inside.magnitude()));
            value = (value << work) / (&one + root);
        }
        let square = (&value * &value) >> work;
        let (mut sum, mut power, mut odd) = (BigInt::zero(), value, 1u64);
        while power.bits() > 1 {
            let term = &power / odd;
            if odd % 4 == 1 {
                sum += term;
            } else {
                sum -= term;
            }
            power = (power * &square) >> work;
            odd += 2;
        }
        let error = joined(20 - work as i64, scaled(x.error, 1));
        Ok(self.rounded(sum << 3, -(work as i64), error))
    }
}

/// One half.
pub(super) fn half() -> Rational {
    Rational::new(1.into(), 2.into()).unwrap_or_else(|| Rational::integer(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the ball holds the number that a table gives to so many digits.
    fn holds(value: &Real, digits: &str) -> bool {
        let (whole, fraction) = digits.split_once('.').unwrap();
        let places = fraction.len() as u32;
        let expected = Rational::decimal(&format!("{whole}{fraction}"), places).unwrap();
        let field = Field { bits: 1024 };
        let gap = field.minus(value, &field.rational(&expected));
        gap.magnitude() < -(f64::from(places) * std::f64::consts::LOG2_10) as i64 + 2
    }

    fn rational(a: i64, b: i64) -> Real {
        Field { bits: 256 }.rational(&Rational::new(a.into(), b.into()).unwrap())
    }

    #[test]
    fn functions_agree_with_published_digits() {
        // OEIS A000796, A001113, A002162, A002193, A049469, A049470, A072334; DLMF for the rest.
        let field = Field { bits: 256 };
        let one = Real::integer(1);
        let two = Real::integer(2);
        let pi = "3.14159265358979323846264338327950288419716939937510582097494459";
        assert!(holds(&field.pi(), pi));
        let quarter = field.arctan(&one).unwrap();
        assert!(holds(&field.times(&quarter, &Real::integer(4)), pi));
        let e = "2.71828182845904523536028747135266249775724709369995957496696763";
        assert!(holds(&field.exp(&one).unwrap(), e));
        let ln2 = "0.693147180559945309417232121458176568075500134360255254120680009";
        assert!(holds(&field.ln(&two).unwrap(), ln2));
        let root = "1.41421356237309504880168872420969807856967187537694807317667973";
        assert!(holds(&field.root(&two, 2).unwrap(), root));
        let (sine, cosine) = field.sin_cos(&one).unwrap();
        assert!(holds(&sine, "0.841470984807896506652502321630298999622563060798371065672751710"));
        assert!(holds(
            &cosine,
            "0.540302305868139717400936607442976603732310420617922227670097255"
        ));
        let square = field.exp(&two).unwrap();
        assert!(holds(&square, "7.38905609893065022723042746057500781318031557055184732408712782"));
        let cube = field.root(&two, 3).unwrap();
        assert!(holds(&cube, "1.25992104989487316476721060727822835057025146470150798008197511"));
        let arctan = field.arctan(&rational(1, 2)).unwrap();
        assert!(holds(
            &arctan,
            "0.463647609000806116214256231461214402028537054286120263810933088"
        ));
        let small = field.ln(&rational(1, 10)).unwrap();
        let ln10 = "2.30258509299404568401799145468436420760110148862877297603332790";
        assert!(holds(&small.negated(), ln10));
    }

    #[test]
    fn inverse_functions_give_back_what_they_got_within_the_error() {
        for bits in PRECISIONS {
            let field = Field { bits };
            for (a, b) in [(1, 3), (22, 7), (-5, 2), (1000, 7), (1, 100_000), (-40, 1)] {
                let x = field.rational(&Rational::new(a.into(), b.into()).unwrap());
                let back = field.ln(&field.exp(&x).unwrap()).unwrap();
                let gap = field.minus(&back, &x);
                assert!(gap.sign().is_none(), "{a}/{b} at {bits}");
                assert!(gap.error < -(bits as i64) + 30, "{a}/{b} at {bits}: {}", gap.error);
                let (sine, cosine) = field.sin_cos(&x).unwrap();
                let squares =
                    field.plus(&field.times(&sine, &sine), &field.times(&cosine, &cosine));
                assert!(field.minus(&squares, &Real::integer(1)).sign().is_none());
                let tangent = field.over(&sine, &cosine).unwrap();
                let angle = field.arctan(&tangent).unwrap();
                let turns =
                    field.over(&field.minus(&x, &angle), &field.pi()).unwrap().approximate();
                assert!((turns - turns.round()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        let field = Field { bits: 128 };
        let pi = field.pi();
        let (sine, _) = field.sin_cos(&pi).unwrap();
        assert_eq!(sine.sign(), None);
        assert_eq!(field.over(&pi, &sine).unwrap_err(), NoReal::Imprecise);
        assert_eq!(field.over(&pi, &Real::zero()).unwrap_err(), NoReal::Undefined);
        assert_eq!(field.ln(&Real::integer(-1)).unwrap_err(), NoReal::Undefined);
        let tower = BigInt::from(387_420_489);
        let power = field.power(&Real::integer(9), &tower).unwrap();
        assert!(
            (1_228_093_000..1_228_094_000).contains(&power.magnitude()),
            "{}",
            power.magnitude()
        );
    }
}
