//! One tree for everything that an answer can be: numbers, expressions, tuples,
//! sets, intervals, matrices, equations, lists of all these.

use super::number::Rational;

/// Trees and brackets deeper than this are not read.
pub(super) const DEEPEST: u32 = 100;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// An exact number, as `12`.
    Number(Rational),
    /// A number written with a point, and its digits after the point: `0.50` has two.
    Decimal(Rational, u32),
    /// A name: `x`, `a_1`, `\alpha`.
    Symbol(String),
    Constant(Constant),
    Sum(Vec<Expr>),
    Product(Vec<Expr>),
    Quotient(Box<Expr>, Box<Expr>),
    Power(Box<Expr>, Box<Expr>),
    /// Index, radicand: of an odd index the real root.
    Root(Box<Expr>, Box<Expr>),
    Negative(Box<Expr>),
    /// `±x`, or `∓x` where the flag is set.
    PlusMinus(bool, Box<Expr>),
    /// A function that we know.
    Call(Function, Vec<Expr>),
    /// A function that we do not know: `f(x)`, `F_k`.
    Apply(String, Vec<Expr>),
    /// A sum, product, integral or limit: operator, bound variable, from, to, body.
    Series(Series, String, Vec<Expr>),
    /// `28\%`, `5 cm`: the number and the unit as it was written.
    Quantity(Box<Expr>, String),
    /// Digits and their base.
    Based(String, u32),
    /// `7:32`, with digits as they were written, for times of day.
    Ratio(Vec<Expr>, bool),
    /// `...`
    Ellipsis,
    /// `(a, b)`: a tuple or an open interval.
    Tuple(Vec<Expr>),
    /// `[a, b]` with any number of elements but two.
    Bracketed(Vec<Expr>),
    /// `1, 2 and 3`.
    List(Vec<Expr>),
    /// `\{1, 2\}`.
    Set(Vec<Expr>),
    /// An interval that is closed on at least one side; `closed` is left, right.
    Interval(Box<[Expr; 2]>, [bool; 2]),
    Combined(SetOperator, Vec<Expr>),
    /// `\{x \mid x > 1\}`
    Such(Box<Expr>, Box<Expr>),
    Matrix(Vec<Vec<Expr>>),
    /// A chain `a < b = c`: one side more than relations.
    Chain(Vec<Expr>, Vec<Relation>),
    /// Words: `east`.
    Text(String),
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Constant {
    Pi,
    E,
    I,
    Infinity,
    /// The real numbers, integers and so on, by their letter.
    Numbers(char),
    EmptySet,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    /// Natural, or to the base that is the second argument.
    Log,
    Exp,
    Abs,
    Floor,
    Ceil,
    Factorial,
    Binomial,
    Gcd,
    Lcm,
    Max,
    Min,
    /// First modulo second argument.
    Mod,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Series {
    Sum,
    Product,
    Integral,
    Limit,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum SetOperator {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Approximately,
    In,
    /// `a \equiv b`, `\Rightarrow` and others that are compared by their text.
    Other(&'static str),
}

impl Relation {
    /// The relation with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            other => other,
        }
    }

    pub(super) fn is_inequality(self) -> bool {
        matches!(self, Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual)
    }
}

impl Expr {
    pub(super) fn integer(value: i64) -> Self {
        Self::Number(Rational::integer(value))
    }

    pub(super) fn negative(self) -> Self {
        match self {
            Self::Number(value) => Self::Number(value.negated()),
            Self::Decimal(value, places) => Self::Decimal(value.negated(), places),
            other => Self::Negative(Box::new(other)),
        }
    }

    pub(super) fn quotient(self, divisor: Self) -> Self {
        Self::Quotient(Box::new(self), Box::new(divisor))
    }

    pub(super) fn power(self, exponent: Self) -> Self {
        Self::Power(Box::new(self), Box::new(exponent))
    }

    /// The parts, left to right.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Number(_)
            | Self::Decimal(..)
            | Self::Symbol(_)
            | Self::Constant(_)
            | Self::Based(..)
            | Self::Ellipsis
            | Self::Text(_) => Vec::new(),
            Self::Negative(part) | Self::PlusMinus(_, part) | Self::Quantity(part, _) => vec![part],
            Self::Quotient(a, b) | Self::Power(a, b) | Self::Root(a, b) | Self::Such(a, b) => {
                vec![a, b]
            }
            Self::Interval(ends, _) => ends.iter().collect(),
            Self::Matrix(rows) => rows.iter().flatten().collect(),
            Self::Sum(parts)
            | Self::Product(parts)
            | Self::Call(_, parts)
            | Self::Apply(_, parts)
            | Self::Series(_, _, parts)
            | Self::Ratio(parts, _)
            | Self::Tuple(parts)
            | Self::Bracketed(parts)
            | Self::List(parts)
            | Self::Set(parts)
            | Self::Combined(_, parts)
            | Self::Chain(parts, _) => parts.iter().collect(),
        }
    }

    /// The tree with `change` applied to every direct part.
    pub(super) fn map(&self, change: &mut dyn FnMut(&Self) -> Self) -> Self {
        let mut all = |parts: &[Self]| parts.iter().map(&mut *change).collect::<Vec<_>>();
        match self {
            Self::Sum(parts) => Self::Sum(all(parts)),
            Self::Product(parts) => Self::Product(all(parts)),
            Self::Call(function, parts) => Self::Call(*function, all(parts)),
            Self::Apply(name, parts) => Self::Apply(name.clone(), all(parts)),
            Self::Series(kind, variable, parts) => {
                Self::Series(*kind, variable.clone(), all(parts))
            }
            Self::Ratio(parts, time) => Self::Ratio(all(parts), *time),
            Self::Tuple(parts) => Self::Tuple(all(parts)),
            Self::Bracketed(parts) => Self::Bracketed(all(parts)),
            Self::List(parts) => Self::List(all(parts)),
            Self::Set(parts) => Self::Set(all(parts)),
            Self::Combined(operator, parts) => Self::Combined(*operator, all(parts)),
            Self::Chain(parts, relations) => Self::Chain(all(parts), relations.clone()),
            Self::Matrix(rows) => Self::Matrix(rows.iter().map(|row| all(row)).collect()),
            Self::Negative(part) => change(part).negative(),
            Self::PlusMinus(flipped, part) => Self::PlusMinus(*flipped, Box::new(change(part))),
            Self::Quantity(part, unit) => Self::Quantity(Box::new(change(part)), unit.clone()),
            Self::Quotient(a, b) => change(a).quotient(change(b)),
            Self::Power(a, b) => change(a).power(change(b)),
            Self::Root(a, b) => Self::Root(Box::new(change(a)), Box::new(change(b))),
            Self::Such(a, b) => Self::Such(Box::new(change(a)), Box::new(change(b))),
            Self::Interval(ends, closed) => {
                Self::Interval(Box::new([change(&ends[0]), change(&ends[1])]), *closed)
            }
            leaf => leaf.clone(),
        }
    }

    /// Whether `found` holds for this tree or any part of it.
    pub(super) fn any(&self, found: &mut dyn FnMut(&Self) -> bool) -> bool {
        found(self) || self.parts().into_iter().any(|part| part.any(found))
    }

    /// Names of the free variables, in the order in which they appear.
    pub(super) fn variables(&self) -> Vec<&str> {
        fn walk<'e>(expr: &'e Expr, bound: &mut Vec<&'e str>, names: &mut Vec<&'e str>) {
            match expr {
                Expr::Symbol(name) => {
                    if !bound.contains(&name.as_str()) && !names.contains(&name.as_str()) {
                        names.push(name);
                    }
                }
                Expr::Series(_, variable, parts) => {
                    bound.push(variable);
                    for part in parts {
                        walk(part, bound, names);
                    }
                    bound.pop();
                }
                other => {
                    for part in other.parts() {
                        walk(part, bound, names);
                    }
                }
            }
        }
        let mut names = Vec::new();
        walk(self, &mut Vec::new(), &mut names);
        names
    }

    /// Whether this names a thing rather than computing one: `x`, `f(x)`, `AB`,
    /// `|AB|`, `(p, q, r)`, `V_1 : V_2`.
    pub(super) fn is_name(&self) -> bool {
        match self {
            Self::Symbol(_)
            | Self::Apply(..)
            | Self::Text(_)
            | Self::Constant(Constant::E | Constant::I) => true,
            Self::Product(parts) => {
                // A segment or triangle by its corners.
                parts.iter().all(|part| match part {
                    Self::Symbol(name) => name.starts_with(char::is_uppercase),
                    _ => false,
                }) || match parts.as_slice() {
                    // `P(X = 2)`, `n(A \cup B)`, `f^{-1}(x)`
                    [Self::Symbol(_), Self::Tuple(_) | Self::Chain(..) | Self::Combined(..)] => {
                        true
                    }
                    [Self::Power(function, _), Self::Symbol(_)] => {
                        matches!(&**function, Self::Symbol(name) if matches!(name.as_str(), "f" | "g" | "h"))
                    }
                    _ => false,
                }
            }
            // A limit, a sum or the sine of an angle is what a problem asks for.
            Self::Series(..) => !self.variables().is_empty(),
            Self::Call(Function::Sin | Function::Cos | Function::Tan | Function::Cot, parts) => {
                parts.iter().all(|part| part.is_name() || matches!(part, Self::Symbol(_)))
            }
            // `\frac{dy}{dx}`
            Self::Quotient(top, bottom) => [top, bottom].into_iter().all(|part| match &**part {
                Self::Product(factors) => matches!(&factors[0], Self::Symbol(name) if name == "d"),
                _ => false,
            }),
            Self::Call(Function::Abs, parts) | Self::Ratio(parts, _) | Self::Tuple(parts) => {
                parts.iter().all(Self::is_name)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_variable_is_not_free() {
        let symbol = |name: &str| Expr::Symbol(name.into());
        let body = Expr::Product(vec![symbol("k"), symbol("x")]);
        let parts = vec![Expr::integer(1), symbol("n"), body];
        let series = Expr::Series(Series::Sum, "k".into(), parts);
        assert_eq!(series.variables(), ["n", "x"]);
    }
}
