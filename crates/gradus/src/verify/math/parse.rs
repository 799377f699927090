//! From tokens to a tree, by operator precedence. Nothing nests deeper than
//! [`DEEPEST`], whatever the input.

use super::budget::{Budget, Spent};
use super::expr::{DEEPEST, Expr, Function, Relation, SetOperator};
use super::operand::Subscript;
use super::token::{Kind, Token};
use super::unit;

/// Why tokens are no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fail {
    Syntax,
    Deep,
    Spent(Spent),
}

impl From<Spent> for Fail {
    fn from(spent: Spent) -> Self {
        Self::Spent(spent)
    }
}

pub(super) type Parsed<T = Expr> = Result<T, Fail>;

// How tightly operators bind.
const RELATION: u8 = 10;
const RATIO: u8 = 15;
const SET: u8 = 20;
const SUM: u8 = 30;
pub(super) const PRODUCT: u8 = 40;
const POWER: u8 = 60;
pub(super) const POSTFIX: u8 = 70;

/// Quotients of quotients and the like that one text may hold.
const NESTS: u32 = 48;

/// Reads all tokens as one answer: an expression, or a list of them.
pub(super) fn parse(tokens: Vec<Token>, budget: &mut Budget) -> Parsed {
    budget.spend(4 * tokens.len() as u64)?;
    let mut parser =
        Parser { tokens: unnested(tokens), at: 0, depth: 0, nests: 0, bars: 0, set: false };
    let items = parser.list()?;
    if parser.at < parser.tokens.len() {
        return Err(Fail::Syntax);
    }
    one_or(items, Expr::List).ok_or(Fail::Syntax)
}

pub(super) fn one_or(mut items: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Option<Expr> {
    if items.len() == 1 {
        items.pop()
    } else if items.is_empty() {
        None
    } else {
        Some(many(items))
    }
}

/// The tokens without brackets that stand directly inside the same brackets.
fn unnested(tokens: Vec<Token>) -> Vec<Token> {
    let mut open = Vec::new();
    let mut closes = vec![usize::MAX; tokens.len()];
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open('(') | Kind::Brace => open.push(at),
            Kind::Close('(') | Kind::EndBrace => {
                if let Some(start) = open.pop() {
                    closes[start] = at;
                }
            }
            _ => {}
        }
    }
    let mut keep = vec![true; tokens.len()];
    for at in 1..tokens.len() {
        let (outer, inner) = (closes[at - 1], closes[at]);
        let same = tokens[at].kind == tokens[at - 1].kind;
        if same && inner != usize::MAX && outer == inner.wrapping_add(1) {
            keep[at] = false;
            keep[inner] = false;
        }
    }
    let mut kept = keep.into_iter();
    tokens.into_iter().filter(|_| kept.next().unwrap_or(true)).collect()
}

pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) depth: u32,
    nests: u32,
    /// Open absolute values, so that the next bar closes one.
    pub(super) bars: u32,
    /// In braces of a set, where a bar separates.
    pub(super) set: bool,
}

impl Parser {
    pub(super) fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    pub(super) fn ahead(&self, by: usize) -> Option<&Kind> {
        self.tokens.get(self.at + by).map(|token| &token.kind)
    }

    pub(super) fn spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.spaced)
    }

    pub(super) fn take(&mut self, kind: &Kind) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, kind: &Kind) -> Parsed<()> {
        if self.take(kind) { Ok(()) } else { Err(Fail::Syntax) }
    }

    fn nest(&mut self) -> Parsed<()> {
        self.nests += 1;
        if self.nests > NESTS { Err(Fail::Deep) } else { Ok(()) }
    }

    fn is_separator(kind: &Kind) -> bool {
        matches!(kind, Kind::Comma | Kind::Semicolon | Kind::And | Kind::Row)
    }

    /// Items up to the end or a closing bracket.
    pub(super) fn list(&mut self) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        loop {
            while self.peek().is_some_and(Self::is_separator) {
                self.at += 1;
            }
            match self.peek() {
                None
                | Some(
                    Kind::Close(_)
                    | Kind::EndBrace
                    | Kind::Bar
                    | Kind::Mid
                    | Kind::Ampersand
                    | Kind::End,
                ) if !(matches!(self.peek(), Some(Kind::Bar)) && self.bars == 0 && !self.set) => {
                    return Ok(items);
                }
                _ => {}
            }
            items.push(self.item()?);
            if !self.peek().is_some_and(Self::is_separator) {
                return Ok(items);
            }
        }
    }

    /// An expression with the words around it: those before it are a label,
    /// those after it a unit.
    pub(super) fn item(&mut self) -> Parsed {
        let start = self.at;
        let mut words = Vec::new();
        while let Some(Kind::Word(word)) = self.peek() {
            words.push(word.clone());
            self.at += 1;
        }
        if !words.is_empty() {
            match self.peek() {
                Some(Kind::Relation(_)) => {
                    let left = Expr::Text(words.join(" "));
                    return self.operators(left, 0);
                }
                Some(Kind::Colon) => self.at += 1,
                None => return Ok(Expr::Text(words.join(" "))),
                Some(kind) if Self::is_separator(kind) || !Self::begins(kind) && !is_sign(kind) => {
                    return Ok(Expr::Text(words.join(" ")));
                }
                Some(_) => {}
            }
        }
        // `= 5`, `\approx 5`
        if let Some(Kind::Relation(Relation::Equal | Relation::Approximately)) = self.peek()
            && start == self.at
        {
            self.at += 1;
        }
        let expr = self.expression(0)?;
        let mut unit = self.unit();
        if let Some(month) = words.last().filter(|word| unit::is_month(word))
            && unit.is_empty()
        {
            unit.clone_from(month);
        }
        Ok(if unit.is_empty() { expr } else { Expr::Quantity(Box::new(expr), unit) })
    }

    /// Words, and powers and quotients of them, behind an expression.
    fn unit(&mut self) -> String {
        let mut unit = String::new();
        loop {
            match self.peek() {
                Some(Kind::Word(word)) => {
                    if !unit.is_empty() && !unit.ends_with(['/', '*']) {
                        unit.push(' ');
                    }
                    unit.push_str(word);
                    self.at += 1;
                }
                Some(Kind::Function(function @ (Function::Min | Function::Sec)))
                    if !self.ahead(1).is_some_and(Self::begins) =>
                {
                    unit.push_str(if *function == Function::Min { "min" } else { "sec" });
                    self.at += 1;
                }
                Some(Kind::Caret) if !unit.is_empty() => {
                    let braced = self.ahead(1) == Some(&Kind::Brace);
                    let at = 1 + usize::from(braced);
                    let minus = self.ahead(at) == Some(&Kind::Minus);
                    let Some(Kind::Number(digits, None, 0)) = self.ahead(at + usize::from(minus))
                    else {
                        return unit;
                    };
                    unit.push('^');
                    if minus {
                        unit.push('-');
                    }
                    unit.push_str(digits);
                    self.at += at + usize::from(minus) + 1;
                    if braced {
                        self.take(&Kind::EndBrace);
                    }
                }
                Some(kind @ (Kind::Divide | Kind::Times)) if !unit.is_empty() => {
                    let sign = if *kind == Kind::Divide { '/' } else { '*' };
                    match self.ahead(1) {
                        Some(Kind::Word(_)) => {}
                        Some(Kind::Symbol(name)) if name.len() == 1 => {
                            let name = name.clone();
                            unit.push(sign);
                            unit.push_str(&name);
                            self.at += 2;
                            continue;
                        }
                        _ => return unit,
                    }
                    unit.push(sign);
                    self.at += 1;
                }
                Some(Kind::Open('(')) if matches!(self.ahead(1), Some(Kind::Word(_))) => {
                    // `5 (square units)`
                    let mut by = 1;
                    while matches!(self.ahead(by), Some(Kind::Word(_))) {
                        by += 1;
                    }
                    if self.ahead(by) != Some(&Kind::Close('(')) {
                        return unit;
                    }
                    self.at += by + 1;
                }
                _ => return unit,
            }
        }
    }

    pub(super) fn expression(&mut self, least: u8) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fail::Deep);
        }
        let left = self.prefix(least)?;
        let whole = self.operators(left, least)?;
        self.depth -= 1;
        Ok(whole)
    }

    /// Whatever operators follow `left` and bind at least as tightly as `least`.
    fn operators(&mut self, mut left: Expr, least: u8) -> Parsed {
        loop {
            let Some(kind) = self.peek() else { return Ok(left) };
            left = match kind {
                Kind::Relation(_) if least <= RELATION => self.chain(left)?,
                Kind::Colon if least <= RATIO && !self.set => self.ratio(left)?,
                Kind::SetOperator(operator) if least <= SET => {
                    let operator = *operator;
                    self.set_operation(left, operator)?
                }
                Kind::Plus | Kind::Minus | Kind::PlusMinus | Kind::MinusPlus if least <= SUM => {
                    self.sum(left)?
                }
                Kind::Times | Kind::Divide | Kind::Modulo if least <= PRODUCT => {
                    self.product(left)?
                }
                Kind::Caret if least <= POWER => self.power(left)?,
                Kind::Bang | Kind::Percent | Kind::Degree | Kind::Prime | Kind::Underscore
                    if least <= POSTFIX =>
                {
                    self.postfix(left)?
                }
                Kind::Currency(sign) => {
                    let sign = sign.to_string();
                    self.at += 1;
                    Expr::Quantity(Box::new(left), sign)
                }
                kind if least <= PRODUCT && self.multiplies(kind, &left) => self.product(left)?,
                _ => return Ok(left),
            };
        }
    }

    /// Whether a token can begin an expression.
    pub(super) fn begins(kind: &Kind) -> bool {
        matches!(
            kind,
            Kind::Number(..)
                | Kind::Symbol(_)
                | Kind::Constant(_)
                | Kind::Function(_)
                | Kind::Series(_)
                | Kind::Frac
                | Kind::Binom
                | Kind::Sqrt
                | Kind::Open(_)
                | Kind::Brace
                | Kind::Bar
                | Kind::Begin(_)
                | Kind::Ellipsis
        )
    }

    /// Whether `kind` right behind `left` is a factor without a sign.
    pub(super) fn multiplies(&self, kind: &Kind, left: &Expr) -> bool {
        match kind {
            Kind::Bar => self.bars == 0 && !self.set,
            Kind::Number(..) => {
                !matches!(left, Expr::Number(_) | Expr::Decimal(..)) || self.is_plain_mixed(left)
            }
            Kind::Function(Function::Min | Function::Sec) => {
                self.ahead(1).is_some_and(Self::begins)
            }
            // `5 (square units)` is for `unit`.
            Kind::Open('(') if matches!(self.ahead(1), Some(Kind::Word(_))) => false,
            kind => Self::begins(kind),
        }
    }

    /// `2 1/2`
    fn is_plain_mixed(&self, left: &Expr) -> bool {
        matches!(left, Expr::Number(_))
            && matches!(self.peek(), Some(Kind::Number(_, None, 0)))
            && self.ahead(1) == Some(&Kind::Divide)
            && matches!(self.ahead(2), Some(Kind::Number(_, None, 0)))
    }

    fn chain(&mut self, left: Expr) -> Parsed {
        let mut sides = vec![left];
        let mut relations = Vec::new();
        while let Some(Kind::Relation(relation)) = self.peek() {
            relations.push(*relation);
            self.at += 1;
            if let (Some(Kind::Word(_)), false) = (self.peek(), self.depth > 1) {
                let mut words = Vec::new();
                while let Some(Kind::Word(word)) = self.peek() {
                    words.push(word.clone());
                    self.at += 1;
                }
                if !self.peek().is_some_and(|kind| Self::begins(kind) || is_sign(kind)) {
                    sides.push(Expr::Text(words.join(" ")));
                    continue;
                }
            }
            sides.push(self.expression(RELATION + 1)?);
        }
        Ok(Expr::Chain(sides, relations))
    }

    fn ratio(&mut self, left: Expr) -> Parsed {
        let mut parts = vec![left];
        let mut clock = matches!(parts[0], Expr::Number(_));
        while self.take(&Kind::Colon) {
            clock &=
                matches!(self.peek(), Some(Kind::Number(digits, None, 0)) if digits.len() == 2);
            parts.push(self.expression(RATIO + 1)?);
        }
        Ok(Expr::Ratio(parts, clock))
    }

    fn set_operation(&mut self, left: Expr, operator: SetOperator) -> Parsed {
        let mut parts = match left {
            Expr::Combined(before, parts) if before == operator => parts,
            other => {
                self.nest()?;
                vec![other]
            }
        };
        self.at += 1;
        parts.push(self.expression(SET + 1)?);
        Ok(Expr::Combined(operator, parts))
    }

    fn sum(&mut self, left: Expr) -> Parsed {
        let mut terms = vec![left];
        loop {
            let sign = self.peek().cloned();
            match sign {
                Some(Kind::Plus | Kind::Minus | Kind::PlusMinus | Kind::MinusPlus) => self.at += 1,
                _ => return Ok(Expr::Sum(terms)),
            }
            let term = self.expression(SUM + 1)?;
            terms.push(match sign {
                Some(Kind::Minus) => term.negative(),
                Some(Kind::PlusMinus) => Expr::PlusMinus(false, Box::new(term)),
                Some(Kind::MinusPlus) => Expr::PlusMinus(true, Box::new(term)),
                _ => term,
            });
        }
    }

    fn product(&mut self, left: Expr) -> Parsed {
        let mut factors = vec![left];
        let mut divided = false;
        while let Some(kind) = self.peek() {
            match kind {
                Kind::Times => {
                    self.at += 1;
                    factors.push(self.expression(PRODUCT + 1)?);
                }
                Kind::Divide => {
                    self.at += 1;
                    if divided {
                        self.nest()?;
                    }
                    divided = true;
                    let divisor = self.expression(PRODUCT + 1)?;
                    let dividend = one_or(factors, Expr::Product).ok_or(Fail::Syntax)?;
                    factors = vec![dividend.quotient(divisor)];
                }
                Kind::Modulo => {
                    self.at += 1;
                    self.nest()?;
                    let modulus = self.expression(PRODUCT + 1)?;
                    let value = one_or(factors, Expr::Product).ok_or(Fail::Syntax)?;
                    factors = vec![Expr::Call(Function::Mod, vec![value, modulus])];
                }
                Kind::Open('(') if self.ahead(1) == Some(&Kind::Modulo) => {
                    self.at += 2;
                    self.nest()?;
                    let modulus = self.expression(PRODUCT + 1)?;
                    self.expect(&Kind::Close('('))?;
                    let value = one_or(factors, Expr::Product).ok_or(Fail::Syntax)?;
                    factors = vec![Expr::Call(Function::Mod, vec![value, modulus])];
                }
                kind if factors.last().is_some_and(|last| self.multiplies(kind, last)) => {
                    let mixed = match factors.as_slice() {
                        [Expr::Number(whole)] if whole.to_integer().is_some() => {
                            *kind == Kind::Frac || self.is_plain_mixed(&factors[0])
                        }
                        _ => false,
                    };
                    if mixed && *kind != Kind::Frac {
                        // `2 1/2`
                        let top = self.expression(POSTFIX)?;
                        self.at += 1;
                        let bottom = self.expression(POSTFIX)?;
                        let whole = factors.pop().ok_or(Fail::Syntax)?;
                        factors.push(Expr::Sum(vec![whole, top.quotient(bottom)]));
                        continue;
                    }
                    let factor = self.expression(PRODUCT + 1)?;
                    if mixed && is_proper_fraction(&factor) {
                        let whole = factors.pop().ok_or(Fail::Syntax)?;
                        factors.push(Expr::Sum(vec![whole, factor]));
                    } else {
                        factors.push(factor);
                    }
                }
                _ => break,
            }
        }
        one_or(factors, Expr::Product).ok_or(Fail::Syntax)
    }

    fn power(&mut self, base: Expr) -> Parsed {
        self.at += 1;
        let braced = self.peek() == Some(&Kind::Brace);
        let sign = self.ahead(usize::from(braced)).cloned();
        if let Some(Kind::Degree | Kind::Prime) = sign
            && (!braced || self.ahead(2) == Some(&Kind::EndBrace))
        {
            self.at += if braced { 3 } else { 1 };
            return Ok(if sign == Some(Kind::Degree) {
                Expr::Quantity(Box::new(base), "°".into())
            } else {
                primed(base)
            });
        }
        self.nest()?;
        let exponent = self.expression(POWER)?;
        Ok(base.power(exponent))
    }

    fn postfix(&mut self, left: Expr) -> Parsed {
        self.nest()?;
        let kind = self.peek().cloned();
        self.at += 1;
        Ok(match kind {
            Some(Kind::Bang) => {
                if !self.spaced() && self.take(&Kind::Bang) {
                    Expr::Apply("!!".into(), vec![left])
                } else {
                    Expr::Call(Function::Factorial, vec![left])
                }
            }
            Some(Kind::Percent) => Expr::Quantity(Box::new(left), "%".into()),
            Some(Kind::Degree) => Expr::Quantity(Box::new(left), "°".into()),
            Some(Kind::Prime) => primed(left),
            _ => {
                // A number in brackets with its base: `(1010)_2`.
                let base = self.subscript()?;
                match (&left, base) {
                    (Expr::Number(value), Subscript::Number(base)) if (2..=36).contains(&base) => {
                        let digits = value.to_integer().ok_or(Fail::Syntax)?;
                        Expr::Based(digits.to_string(), base)
                    }
                    (_, Subscript::Number(at)) => {
                        Expr::Apply("_".into(), vec![left, Expr::integer(i64::from(at))])
                    }
                    (_, Subscript::Name(name)) => {
                        Expr::Apply("_".into(), vec![left, Expr::Symbol(name)])
                    }
                    (_, Subscript::Expr(index)) => Expr::Apply("_".into(), vec![left, index]),
                }
            }
        })
    }
}

fn is_sign(kind: &Kind) -> bool {
    matches!(kind, Kind::Plus | Kind::Minus | Kind::PlusMinus | Kind::MinusPlus | Kind::Currency(_))
}

fn primed(expr: Expr) -> Expr {
    match expr {
        Expr::Symbol(name) => Expr::Symbol(name + "'"),
        other => Expr::Quantity(Box::new(other), "'".into()),
    }
}

/// A quotient of whole numbers that is less than one, as the second part of a mixed number.
fn is_proper_fraction(expr: &Expr) -> bool {
    match expr {
        Expr::Quotient(top, bottom) => match (&**top, &**bottom) {
            (Expr::Number(top), Expr::Number(bottom)) => !top.is_negative() && top < bottom,
            _ => false,
        },
        _ => false,
    }
}
