//! Exact rational numbers. Small ones are kept in lowest terms; large ones are
//! not, because a greatest common divisor of long integers costs more than
//! everything else, and equality cross-multiplies.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer as _;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};

use super::budget::{Budget, Spent};

/// Above so many bits a fraction is not reduced.
const REDUCE: u64 = 2048;
/// Results of powers, factorials and products stay below so many bits.
pub(super) const LARGEST: u64 = 1 << 18;

/// A fraction with a positive denominator.
#[derive(Clone, Debug)]
pub(super) struct Rational {
    numerator: BigInt,
    denominator: BigInt,
}

impl Rational {
    pub(super) fn integer(value: impl Into<BigInt>) -> Self {
        Self { numerator: value.into(), denominator: BigInt::one() }
    }

    /// `None` when the denominator is zero.
    pub(super) fn new(numerator: BigInt, denominator: BigInt) -> Option<Self> {
        if denominator.is_zero() {
            return None;
        }
        let (mut numerator, mut denominator) = if denominator.is_negative() {
            (-numerator, -denominator)
        } else {
            (numerator, denominator)
        };
        if !denominator.is_one() && numerator.bits().max(denominator.bits()) <= REDUCE {
            let divisor = numerator.gcd(&denominator);
            if !divisor.is_one() {
                numerator /= &divisor;
                denominator /= divisor;
            }
        }
        Some(Self { numerator, denominator })
    }

    /// Digits and a count of digits after the point.
    pub(super) fn decimal(digits: &str, places: u32) -> Option<Self> {
        let numerator = digits.parse::<BigInt>().ok()?;
        Self::new(numerator, power_of_ten(places))
    }

    pub(super) fn numerator(&self) -> &BigInt {
        &self.numerator
    }

    pub(super) fn denominator(&self) -> &BigInt {
        &self.denominator
    }

    pub(super) fn bits(&self) -> u64 {
        self.numerator.bits() + self.denominator.bits()
    }

    pub(super) fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }

    pub(super) fn is_negative(&self) -> bool {
        self.numerator.is_negative()
    }

    /// The integer that this is, if it is one.
    pub(super) fn to_integer(&self) -> Option<BigInt> {
        if self.denominator.is_one() {
            return Some(self.numerator.clone());
        }
        let (quotient, rest) = self.numerator.div_rem(&self.denominator);
        rest.is_zero().then_some(quotient)
    }

    pub(super) fn to_i64(&self) -> Option<i64> {
        self.to_integer()?.to_i64()
    }

    pub(super) fn floor(&self) -> BigInt {
        self.numerator.div_floor(&self.denominator)
    }

    pub(super) fn negated(&self) -> Self {
        Self { numerator: -&self.numerator, denominator: self.denominator.clone() }
    }

    pub(super) fn abs(&self) -> Self {
        Self { numerator: self.numerator.abs(), denominator: self.denominator.clone() }
    }

    pub(super) fn reciprocal(&self) -> Option<Self> {
        Self::new(self.denominator.clone(), self.numerator.clone())
    }

    /// The sum; `None` when it is too long to be worth having.
    pub(super) fn plus(&self, other: &Self, budget: &mut Budget) -> Result<Option<Self>, Spent> {
        if !fits(self, other, budget)? {
            return Ok(None);
        }
        Ok(if self.denominator == other.denominator {
            Self::new(&self.numerator + &other.numerator, self.denominator.clone())
        } else {
            Self::new(
                &self.numerator * &other.denominator + &other.numerator * &self.denominator,
                &self.denominator * &other.denominator,
            )
        })
    }

    /// The product; `None` when it is too long to be worth having.
    pub(super) fn times(&self, other: &Self, budget: &mut Budget) -> Result<Option<Self>, Spent> {
        if !fits(self, other, budget)? {
            return Ok(None);
        }
        Ok(Self::new(&self.numerator * &other.numerator, &self.denominator * &other.denominator))
    }

    /// The integer power; `None` when it is too long or a division by zero.
    pub(super) fn power(&self, exponent: i64, budget: &mut Budget) -> Result<Option<Self>, Spent> {
        let size = self.numerator.bits().max(self.denominator.bits());
        let magnitude = exponent.unsigned_abs();
        if exponent == 0 || size <= 1 {
            let odd = magnitude % 2 == 1;
            let one = BigInt::one();
            let numerator = if self.is_zero() && exponent != 0 {
                BigInt::zero()
            } else if self.is_negative() && odd {
                -one
            } else {
                one
            };
            if numerator.is_zero() && exponent < 0 {
                return Ok(None);
            }
            return Ok(Some(Self::integer(numerator)));
        }
        let Some(bits) = size.checked_mul(magnitude).filter(|bits| *bits <= LARGEST) else {
            return Ok(None);
        };
        budget.spend(multiplication(bits))?;
        let magnitude = u32::try_from(magnitude).unwrap_or(u32::MAX);
        let raised = Self {
            numerator: self.numerator.pow(magnitude),
            denominator: self.denominator.pow(magnitude),
        };
        Ok(if exponent < 0 { raised.reciprocal() } else { Some(raised) })
    }

    /// The rational root, where there is one: of a negative number for an odd index only.
    pub(super) fn root(&self, index: u32, budget: &mut Budget) -> Result<Option<Self>, Spent> {
        let odd = index % 2 == 1;
        if index == 0 || (self.is_negative() && !odd) || self.bits() > 1 << 12 {
            return Ok(None);
        }
        let words = self.bits() / 64 + 1;
        budget.spend(20 * words * words)?;
        // In lowest terms, both parts must be perfect powers.
        let divisor = self.numerator.gcd(&self.denominator);
        let (numerator, denominator) =
            (self.numerator.abs() / &divisor, &self.denominator / &divisor);
        let (top, bottom) = (numerator.nth_root(index), denominator.nth_root(index));
        if top.pow(index) != numerator || bottom.pow(index) != denominator {
            return Ok(None);
        }
        Ok(Self::new(if self.is_negative() { -top } else { top }, bottom))
    }

    /// This number rounded to `places` after the point, halves away from zero;
    /// negative places round to tens, hundreds and so on.
    pub(super) fn rounded(&self, places: i64) -> Self {
        let scale = power_of_ten(u32::try_from(places.unsigned_abs().min(5000)).unwrap_or(5000));
        let (numerator, denominator) = if places >= 0 {
            (&self.numerator * &scale, self.denominator.clone())
        } else {
            (self.numerator.clone(), &self.denominator * &scale)
        };
        let doubled: BigInt = numerator.abs() * 2 + &denominator;
        let magnitude: BigInt = doubled / (&denominator * 2);
        let integer = if numerator.is_negative() { -magnitude } else { magnitude };
        let rounded = if places >= 0 {
            Self::new(integer, scale)
        } else {
            Some(Self::integer(integer * scale))
        };
        // The denominator is a power of ten.
        rounded.unwrap_or_else(|| self.clone())
    }

    /// The remainder modulo a prime; `None` where the prime divides the denominator.
    pub(super) fn modulo(&self, prime: u64) -> Option<(u64, u64)> {
        let residue = |value: &BigInt| value.mod_floor(&BigInt::from(prime)).to_u64();
        let bottom = residue(&self.denominator)?;
        Some((residue(&self.numerator)?, bottom)).filter(|_| bottom != 0)
    }
}

impl PartialEq for Rational {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rational {}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

/// Ten to `exponent`.
pub(super) fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// Units that a product of so many bits in all costs.
pub(super) fn multiplication(bits: u64) -> u64 {
    let words = bits / 64 + 1;
    // Schoolbook up to a few dozen words, Karatsuba and Toom above.
    if words <= 32 { words * words / 8 + 1 } else { words * words.isqrt() }
}

fn fits(a: &Rational, b: &Rational, budget: &mut Budget) -> Result<bool, Spent> {
    let bits = a.bits() + b.bits();
    budget.spend(multiplication(bits) + 2)?;
    if !a.denominator.is_one() || !b.denominator.is_one() {
        // The greatest common divisor of the result.
        budget.spend(bits.min(2 * REDUCE).pow(2) / 1024)?;
    }
    Ok(bits <= 2 * LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(a: i64, b: i64) -> Rational {
        Rational::new(a.into(), b.into()).unwrap()
    }

    #[test]
    fn fractions_are_compared_by_value() {
        assert_eq!(ratio(6, -4), ratio(-3, 2));
        assert!(ratio(1, 3) < ratio(34, 100));
        assert_eq!(Rational::decimal("0250", 3), Some(ratio(1, 4)));
        assert_eq!(Rational::new(1.into(), 0.into()), None);
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(ratio(100, 3).rounded(1), ratio(333, 10));
        assert_eq!(ratio(1, 8).rounded(2), ratio(13, 100));
        assert_eq!(ratio(-1, 8).rounded(2), ratio(-13, 100));
        assert_eq!(ratio(1250, 1).rounded(-2), ratio(1300, 1));
    }

    #[test]
    fn a_root_is_exact_or_none() {
        let mut budget = Budget::new(10_000);
        let mut root = |value: Rational, index| value.root(index, &mut budget).unwrap();
        assert_eq!(root(ratio(4, 9), 2), Some(ratio(2, 3)));
        assert_eq!(root(ratio(-8, 1), 3), Some(ratio(-2, 1)));
        assert_eq!(root(ratio(-4, 1), 2), None);
        assert_eq!(root(ratio(2, 1), 2), None);
    }

    #[test]
    fn a_power_too_long_is_not_computed() {
        let mut budget = Budget::new(1_000_000);
        assert_eq!(ratio(2, 3).power(-2, &mut budget), Ok(Some(ratio(9, 4))));
        assert_eq!(ratio(9, 1).power(387_420_489, &mut budget), Ok(None));
        assert_eq!(ratio(-1, 1).power(387_420_489, &mut budget), Ok(Some(ratio(-1, 1))));
        assert_eq!(ratio(0, 1).power(-1, &mut budget), Ok(None));
    }
}
