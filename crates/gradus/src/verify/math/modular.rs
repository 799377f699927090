//! Identity of expressions by their values modulo primes at random points.
//!
//! A rational function that is not zero vanishes modulo a prime p at a random
//! point with a chance of at most d/p, d its degree (Schwartz 1980, Zippel
//! 1979); two primes near 2^61 and points drawn from the variables' names make
//! that below (d / 2^60)^2. That covers identities; an inequality is certain.
//! Functions, roots, sums and names with arguments are numbers drawn from what
//! they are applied to: equal arguments give equal numbers.

use num_bigint::BigInt;
use num_integer::Integer as _;
use num_traits::{Signed as _, ToPrimitive as _};

use super::budget::{Budget, Spent};
use super::exact::exact;
use super::expr::{Constant, Expr, Function, Series};

/// Primes of the form 4k + 1, so that -1 has a root, with one such root.
pub(super) const PRIMES: [u64; 2] = [2_305_843_009_213_693_921, 2_305_843_009_213_693_693];

/// Factorials above this are not multiplied out.
const FACTORIAL: u64 = 60_000;

/// What a value rests on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Basis {
    /// A function, root or name whose value was drawn: only equality means something.
    pub(super) drawn: bool,
    /// An integral, a limit, a name with arguments: nothing but this can compare it.
    pub(super) opaque: bool,
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoResidue {
    /// A division by zero at this point, or something that is no number.
    None,
    Spent(Spent),
}

impl From<Spent> for NoResidue {
    fn from(spent: Spent) -> Self {
        Self::Spent(spent)
    }
}

pub(super) struct Evaluation<'b> {
    pub(super) prime: u64,
    /// Which of several random points.
    pub(super) point: u64,
    pub(super) basis: Basis,
    pub(super) budget: &'b mut Budget,
    bound: Vec<String>,
    /// Within a function of an angle, where degrees count.
    angle: bool,
}

impl<'b> Evaluation<'b> {
    pub(super) fn new(prime: u64, point: u64, budget: &'b mut Budget) -> Self {
        Self { prime, point, basis: Basis::default(), budget, bound: Vec::new(), angle: false }
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Result<u64, NoResidue> {
        self.budget.spend(4)?;
        let p = self.prime;
        Ok(match expr {
            Expr::Number(value) | Expr::Decimal(value, _) => {
                self.budget.spend(value.bits() / 64)?;
                let (top, bottom) = value.modulo(p).ok_or(NoResidue::None)?;
                if bottom == 1 { top } else { times(top, self.inverse(bottom)?, p) }
            }
            Expr::Symbol(name) => self.variable(name) % p,
            Expr::Constant(Constant::I) => self.root_of_minus_one(),
            Expr::Constant(Constant::Pi) => {
                self.basis.drawn = true;
                self.draw(&[3])
            }
            Expr::Constant(Constant::E) => {
                self.basis.drawn = true;
                self.draw(&[2])
            }
            Expr::Negative(inner) => negated(self.value(inner)?, p),
            Expr::Quantity(inner, unit) => {
                let value = self.value(inner)?;
                match unit.as_str() {
                    "%" => times(value, self.inverse(100)?, p),
                    "°" if self.angle => {
                        let pi = self.value(&Expr::Constant(Constant::Pi))?;
                        times(times(value, pi, p), self.inverse(180)?, p)
                    }
                    _ => value,
                }
            }
            Expr::Sum(terms) => {
                let mut sum = 0;
                for term in terms {
                    sum = plus(sum, self.value(term)?, p);
                }
                sum
            }
            Expr::Product(factors) => {
                let mut product = 1;
                for factor in factors {
                    product = times(product, self.value(factor)?, p);
                }
                product
            }
            Expr::Quotient(top, bottom) => {
                let top = self.value(top)?;
                let bottom = self.value(bottom)?;
                times(top, self.inverse(bottom)?, p)
            }
            Expr::Power(base, exponent) => self.power(base, exponent)?,
            Expr::Root(index, radicand) => {
                let exact = exact(expr, &[], self.budget)?;
                if let Some(value) = exact {
                    return self.value(&Expr::Number(value));
                }
                let index = self.value(index)?;
                let radicand = self.value(radicand)?;
                self.basis.drawn = true;
                self.draw(&[5, index, radicand])
            }
            Expr::Call(function, arguments) => self.call(expr, *function, arguments)?,
            Expr::Apply(name, arguments) => {
                self.basis.drawn = true;
                self.basis.opaque = true;
                let mut seed = vec![7, hash(name)];
                for argument in arguments {
                    seed.push(self.value(argument)?);
                }
                self.draw(&seed)
            }
            Expr::Series(kind, variable, parts) => {
                if let Some(value) = exact(expr, &[], self.budget)? {
                    return self.value(&Expr::Number(value));
                }
                self.basis.drawn = true;
                self.basis.opaque |= matches!(kind, Series::Integral | Series::Limit);
                let mut seed = vec![11, *kind as u64];
                self.bound.push(variable.clone());
                for part in parts {
                    seed.push(self.value(part)?);
                }
                self.bound.pop();
                self.draw(&seed)
            }
            Expr::Ellipsis => {
                self.basis.drawn = true;
                self.basis.opaque = true;
                self.draw(&[13])
            }
            _ => return Err(NoResidue::None),
        })
    }

    fn call(
        &mut self,
        expr: &Expr,
        function: Function,
        arguments: &[Expr],
    ) -> Result<u64, NoResidue> {
        let p = self.prime;
        if let Some(value) = exact(expr, &[], self.budget)? {
            return self.value(&Expr::Number(value));
        }
        if function == Function::Factorial
            && let Some(n) = exact(&arguments[0], &[], self.budget)?.and_then(|n| n.to_i64())
            && (0..=FACTORIAL as i64).contains(&n)
        {
            self.budget.spend(n as u64)?;
            return Ok((1..=n as u64).fold(1, |product, factor| times(product, factor, p)));
        }
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
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument)?);
        }
        self.angle = outside;
        self.basis.drawn = true;
        if matches!(function, Function::Max | Function::Min | Function::Gcd | Function::Lcm) {
            values.sort_unstable();
        }
        if function == Function::Exp {
            // The same as e to that power.
            let e = self.draw(&[2]);
            return Ok(self.draw(&[17, e, values[0]]));
        }
        values.insert(0, function as u64);
        values.insert(0, 19);
        Ok(self.draw(&values))
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Result<u64, NoResidue> {
        let p = self.prime;
        let exact_exponent = exact(exponent, &[], self.budget)?;
        if let Some(integer) = exact_exponent.and_then(|exponent| exponent.to_integer()) {
            let base = self.value(base)?;
            self.budget.spend(integer.bits() + 1)?;
            let power = power(base, integer.magnitude(), p);
            return if integer.is_negative() { self.inverse(power) } else { Ok(power) };
        }
        let value = self.value(base)?;
        // An integer exponent counts modulo p - 1 (Fermat).
        if value != 0
            && let Some(exponent) = self.integer(exponent, p - 1)?
        {
            self.budget.spend(128)?;
            return Ok(power(value, &exponent.into(), p));
        }
        let exponent = self.value(exponent)?;
        self.basis.drawn = true;
        Ok(self.draw(&[17, value, exponent]))
    }

    /// The value of an expression in integers modulo `modulus`, where variables
    /// are the same integers as elsewhere; `None` where it need not be an integer.
    fn integer(&mut self, expr: &Expr, modulus: u64) -> Result<Option<u64>, NoResidue> {
        self.budget.spend(4)?;
        Ok(match expr {
            Expr::Number(value) => value
                .to_integer()
                .and_then(|value| value.mod_floor(&BigInt::from(modulus)).to_u64()),
            Expr::Symbol(name) => Some(self.variable(name) % modulus),
            Expr::Negative(inner) => {
                self.integer(inner, modulus)?.map(|value| negated(value, modulus))
            }
            Expr::Sum(terms) => {
                let mut sum = 0;
                for term in terms {
                    let Some(value) = self.integer(term, modulus)? else { return Ok(None) };
                    sum = plus(sum, value, modulus);
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = 1;
                for factor in factors {
                    let Some(value) = self.integer(factor, modulus)? else { return Ok(None) };
                    product = times(product, value, modulus);
                }
                Some(product)
            }
            Expr::Power(base, exponent) => {
                let Some(base) = self.integer(base, modulus)? else { return Ok(None) };
                let exponent = exact(exponent, &[], self.budget)?;
                match exponent.and_then(|exponent| exponent.to_integer()) {
                    Some(exponent) if !exponent.is_negative() => {
                        self.budget.spend(exponent.bits() + 1)?;
                        Some(power(base, exponent.magnitude(), modulus))
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// The integer that a variable stands for, below 2^60.
    fn variable(&self, name: &str) -> u64 {
        // A bound variable is known by its depth, so that its name does not matter.
        match self.bound.iter().rposition(|bound| bound == name) {
            Some(depth) => mixed(&[23, depth as u64, self.point]) >> 4,
            None => mixed(&[29, hash(name), self.point]) >> 4,
        }
    }

    fn draw(&self, seed: &[u64]) -> u64 {
        mixed(seed) % self.prime
    }

    fn inverse(&mut self, value: u64) -> Result<u64, NoResidue> {
        if value == 0 {
            return Err(NoResidue::None);
        }
        self.budget.spend(64)?;
        Ok(power(value, &(self.prime - 2).into(), self.prime))
    }

    fn root_of_minus_one(&self) -> u64 {
        let p = self.prime;
        // g^((p-1)/4) for the first g that is no square.
        (2..1000)
            .map(|g| power(g, &((p - 1) / 4).into(), p))
            .find(|root| times(*root, *root, p) == p - 1)
            .unwrap_or(0)
    }
}

fn plus(a: u64, b: u64, modulus: u64) -> u64 {
    ((u128::from(a) + u128::from(b)) % u128::from(modulus)) as u64
}

fn negated(value: u64, modulus: u64) -> u64 {
    if value == 0 { 0 } else { modulus - value }
}

fn times(a: u64, b: u64, modulus: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(modulus)) as u64
}

fn power(base: u64, exponent: &num_bigint::BigUint, modulus: u64) -> u64 {
    let mut result = 1;
    for at in (0..exponent.bits()).rev() {
        result = times(result, result, modulus);
        if exponent.bit(at) {
            result = times(result, base, modulus);
        }
    }
    result
}

/// FNV-1a of a name.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A number that looks random and depends on all of `seed` (the mixing step of splitmix64).
pub(super) fn mixed(seed: &[u64]) -> u64 {
    seed.iter().fold(0x9e37_79b9_7f4a_7c15, |state: u64, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// The same for a name and a point.
pub(super) fn drawn(name: &str, point: u64) -> u64 {
    mixed(&[31, hash(name), point])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moduli_are_primes_of_the_form_4k_plus_1() {
        // Miller-Rabin with the first twelve primes decides below 2^64 (Sorenson and Webster 2015).
        for p in PRIMES {
            assert_eq!(p % 4, 1);
            let (twos, odd) = ((p - 1).trailing_zeros(), (p - 1) >> (p - 1).trailing_zeros());
            for base in [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37] {
                let mut x = power(base, &odd.into(), p);
                let mut passed = x == 1 || x == p - 1;
                for _ in 1..twos {
                    x = times(x, x, p);
                    passed |= x == p - 1;
                }
                assert!(passed, "{p} is no prime");
            }
        }
    }
}
