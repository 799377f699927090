//! From tokens to a tree, by operator precedence. Nothing nests deeper than
//! [`DEEPEST`], whatever the input.

use super::budget::{Budget, Spent};
use super::expr::{Constant, DEEPEST, Expr, Function, Relation, Series, SetOperator};
use super::number::Rational;
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

type Parsed<T = Expr> = Result<T, Fail>;

// How tightly operators bind.
const RELATION: u8 = 10;
const RATIO: u8 = 15;
const SET: u8 = 20;
const SUM: u8 = 30;
const PRODUCT: u8 = 40;
const POWER: u8 = 60;
const POSTFIX: u8 = 70;

/// Quotients of quotients and the like that one text may hold.
const NESTS: u32 = 48;

/// Names that before a bracket are always functions.
const FUNCTIONS: &str = "fghFGH";
/// Names that before a bracket never are.
const FACTORS: &str = "xyz";

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

fn one_or(mut items: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Option<Expr> {
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

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    nests: u32,
    /// Open absolute values, so that the next bar closes one.
    bars: u32,
    /// In braces of a set, where a bar separates.
    set: bool,
}

impl Parser {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn ahead(&self, by: usize) -> Option<&Kind> {
        self.tokens.get(self.at + by).map(|token| &token.kind)
    }

    fn spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.spaced)
    }

    fn take(&mut self, kind: &Kind) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, kind: &Kind) -> Parsed<()> {
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
    fn list(&mut self) -> Parsed<Vec<Expr>> {
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
    fn item(&mut self) -> Parsed {
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

    fn expression(&mut self, least: u8) -> Parsed {
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
    fn begins(kind: &Kind) -> bool {
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
    fn multiplies(&self, kind: &Kind, left: &Expr) -> bool {
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
        loop {
            let Some(kind) = self.peek() else { break };
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

    fn prefix(&mut self, least: u8) -> Parsed {
        let kind = self.peek().cloned().ok_or(Fail::Syntax)?;
        let spaced = self.spaced();
        self.at += 1;
        match kind {
            Kind::Number(digits, places, exponent) => self.number(&digits, places, exponent),
            Kind::Symbol(name) => self.symbol(name),
            Kind::Constant(constant) => {
                if matches!(constant, Constant::E | Constant::I)
                    && self.peek() == Some(&Kind::Underscore)
                {
                    return self.symbol(if constant == Constant::E { "e" } else { "i" }.into());
                }
                Ok(Expr::Constant(constant))
            }
            Kind::Plus => self.expression(least.max(PRODUCT)),
            Kind::Minus => Ok(match self.expression(least.max(PRODUCT))? {
                Expr::Number(value) => Expr::Number(value.negated()),
                other => other.negative(),
            }),
            Kind::PlusMinus | Kind::MinusPlus => {
                let part = self.expression(least.max(PRODUCT))?;
                Ok(Expr::PlusMinus(kind == Kind::MinusPlus, Box::new(part)))
            }
            Kind::Currency(sign) => {
                let amount = self.expression(least.max(PRODUCT))?;
                Ok(Expr::Quantity(Box::new(amount), sign.to_string()))
            }
            Kind::Function(function) => self.function(function),
            Kind::Series(kind) => self.series(kind),
            Kind::Frac => {
                let top = self.argument(true)?;
                let bottom = self.argument(true)?;
                Ok(top.quotient(bottom))
            }
            Kind::Binom => {
                let top = self.argument(true)?;
                let bottom = self.argument(true)?;
                Ok(Expr::Call(Function::Binomial, vec![top, bottom]))
            }
            Kind::Sqrt => {
                let index = if self.take(&Kind::Open('[')) {
                    let index = self.expression(0)?;
                    self.expect(&Kind::Close('['))?;
                    index
                } else {
                    Expr::integer(2)
                };
                let radicand = self.argument(false)?;
                Ok(Expr::Root(Box::new(index), Box::new(radicand)))
            }
            Kind::Brace => {
                let items = self.grouped(&Kind::EndBrace)?;
                one_or(items, Expr::List).ok_or(Fail::Syntax)
            }
            Kind::Open(bracket) => self.bracket(bracket),
            Kind::Bar => {
                let (bars, set) = (self.bars, self.set);
                (self.bars, self.set) = (1, false);
                let inner = self.expression(0)?;
                self.expect(&Kind::Bar)?;
                (self.bars, self.set) = (bars, set);
                Ok(Expr::Call(Function::Abs, vec![inner]))
            }
            Kind::Begin(environment) => self.grid(&environment),
            Kind::Ellipsis => Ok(Expr::Ellipsis),
            Kind::Word(word) if self.depth > 1 && !spaced => Ok(Expr::Text(word)),
            _ => Err(Fail::Syntax),
        }
    }

    fn number(&mut self, digits: &str, places: Option<u32>, exponent: i32) -> Parsed {
        if self.peek() == Some(&Kind::Underscore) && places.is_none() {
            self.at += 1;
            return match self.subscript()? {
                Subscript::Number(base) if (2..=36).contains(&base) => {
                    Ok(Expr::Based(digits.trim_start_matches('0').to_owned(), base))
                }
                Subscript::Name(name) => match name.to_ascii_lowercase().as_str() {
                    "two" => Ok(Expr::Based(digits.to_owned(), 2)),
                    "eight" => Ok(Expr::Based(digits.to_owned(), 8)),
                    "ten" => Ok(Expr::Based(digits.to_owned(), 10)),
                    "sixteen" => Ok(Expr::Based(digits.to_owned(), 16)),
                    _ => Err(Fail::Syntax),
                },
                _ => Err(Fail::Syntax),
            };
        }
        let shown = places.unwrap_or(0);
        let value = Rational::decimal(digits, shown).ok_or(Fail::Syntax)?;
        let Some(places) = places else { return Ok(Expr::Number(value)) };
        if exponent == 0 {
            return Ok(Expr::Decimal(value, places));
        }
        let scale = super::number::power_of_ten(exponent.unsigned_abs());
        let scaled = if exponent > 0 {
            Rational::new(value.numerator() * scale, value.denominator().clone())
        } else {
            Rational::new(value.numerator().clone(), value.denominator() * scale)
        };
        let places = i64::from(places) - i64::from(exponent);
        Ok(Expr::Decimal(scaled.ok_or(Fail::Syntax)?, places.max(0) as u32))
    }

    /// A name with its subscript, primes and arguments.
    fn symbol(&mut self, mut name: String) -> Parsed {
        let mut index = None;
        while let Some(kind @ (Kind::Prime | Kind::Underscore)) = self.peek() {
            if *kind == Kind::Prime {
                self.at += 1;
                name.push('\'');
                continue;
            }
            if index.is_some() {
                return Err(Fail::Syntax);
            }
            self.at += 1;
            name.push('_');
            match self.subscript()? {
                Subscript::Number(at) => name.push_str(&at.to_string()),
                Subscript::Name(at) => name.push_str(&at),
                Subscript::Expr(at) => index = Some(at),
            }
        }
        let mut parts: Vec<Expr> = index.into_iter().collect();
        if self.peek() == Some(&Kind::Open('('))
            && !self.spaced()
            && self.ahead(1) != Some(&Kind::Modulo)
        {
            let head = name.chars().next().unwrap_or_default();
            let function = FUNCTIONS.contains(head);
            if function || (!FACTORS.contains(head) && self.has_plain_arguments()) {
                self.at += 1;
                parts.extend(self.grouped(&Kind::Close('('))?);
                return Ok(Expr::Apply(name, parts));
            }
        }
        Ok(if parts.is_empty() { Expr::Symbol(name) } else { Expr::Apply(name, parts) })
    }

    /// Whether the brackets ahead hold single names or numbers, or words.
    fn has_plain_arguments(&self) -> bool {
        let mut by = 1;
        loop {
            match self.ahead(by) {
                Some(Kind::Symbol(_) | Kind::Number(..) | Kind::Word(_)) => by += 1,
                _ => return false,
            }
            match self.ahead(by) {
                Some(Kind::Comma) => by += 1,
                Some(Kind::Close('(')) => return true,
                _ => return false,
            }
        }
    }

    fn subscript(&mut self) -> Parsed<Subscript> {
        if let Some(Kind::Number(digits, None, 0)) = self.peek() {
            let number = digits.parse().map_err(|_| Fail::Syntax)?;
            self.at += 1;
            return Ok(Subscript::Number(number));
        }
        if !self.take(&Kind::Brace) {
            return Ok(match self.prefix(POSTFIX)? {
                Expr::Text(word) => Subscript::Name(word),
                Expr::Symbol(name) if name.chars().all(char::is_uppercase) => Subscript::Name(name),
                other => Subscript::Expr(other),
            });
        }
        // Names of several letters, words and numbers: `S_{ABC}`, `m_{\max}`, `x_{1,2}`.
        let mut name = String::new();
        let mut by = 0;
        let mut lone = None;
        loop {
            match self.ahead(by) {
                Some(Kind::Symbol(symbol)) => {
                    name.push_str(symbol);
                    lone = Some(symbol.chars().all(char::is_uppercase));
                }
                Some(Kind::Word(word)) => name.push_str(word),
                Some(Kind::Number(digits, None, 0)) => name.push_str(digits),
                Some(Kind::Function(function)) => name.push_str(&format!("{function:?}")),
                Some(Kind::Comma) => name.push(','),
                Some(Kind::EndBrace) if by > 0 => break,
                _ => {
                    by = usize::MAX;
                    break;
                }
            }
            by += 1;
        }
        if by == usize::MAX || (by == 1 && lone == Some(false)) {
            let items = self.grouped(&Kind::EndBrace)?;
            return Ok(Subscript::Expr(one_or(items, Expr::List).ok_or(Fail::Syntax)?));
        }
        let number = if by == 1 { name.parse().ok() } else { None };
        self.at += by + 1;
        Ok(number.map_or(Subscript::Name(name), Subscript::Number))
    }

    /// The items up to `close`, which is taken.
    fn grouped(&mut self, close: &Kind) -> Parsed<Vec<Expr>> {
        let (bars, set) = (self.bars, self.set);
        (self.bars, self.set) = (0, false);
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fail::Deep);
        }
        let items = self.list()?;
        self.depth -= 1;
        self.expect(close)?;
        (self.bars, self.set) = (bars, set);
        Ok(items)
    }

    /// The argument of a command: braces, brackets or one token.
    fn argument(&mut self, one_digit: bool) -> Parsed {
        if one_digit
            && let Some(Token { kind: Kind::Number(digits, None, 0), .. }) =
                self.tokens.get_mut(self.at)
            && digits.len() > 1
        {
            // `\frac13`
            let first = digits.remove(0);
            return Ok(Expr::integer(i64::from(first.to_digit(10).unwrap_or(0))));
        }
        match self.peek() {
            Some(Kind::Brace) => {
                self.at += 1;
                let items = self.grouped(&Kind::EndBrace)?;
                one_or(items, Expr::List).ok_or(Fail::Syntax)
            }
            Some(kind) if Self::begins(kind) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(Fail::Deep);
                }
                let argument = self.prefix(POSTFIX)?;
                self.depth -= 1;
                Ok(argument)
            }
            _ => Err(Fail::Syntax),
        }
    }

    fn function(&mut self, function: Function) -> Parsed {
        let mut base = None;
        let mut exponent = None;
        loop {
            if self.take(&Kind::Underscore) {
                base = Some(match self.subscript()? {
                    Subscript::Number(number) => Expr::integer(i64::from(number)),
                    Subscript::Name(name) => Expr::Symbol(name),
                    Subscript::Expr(expr) => expr,
                });
            } else if self.peek() == Some(&Kind::Caret) {
                self.at += 1;
                exponent = Some(self.expression(POSTFIX)?);
            } else {
                break;
            }
        }
        let mut arguments = match self.peek() {
            Some(Kind::Open('(')) => {
                self.at += 1;
                self.grouped(&Kind::Close('('))?
            }
            Some(Kind::Open('[')) => {
                self.at += 1;
                self.grouped(&Kind::Close('['))?
            }
            Some(Kind::Brace) => {
                self.at += 1;
                self.grouped(&Kind::EndBrace)?
            }
            Some(Kind::Open('{')) if matches!(function, Function::Max | Function::Min) => {
                self.at += 1;
                self.grouped(&Kind::Close('{'))?
            }
            _ => {
                let mut factors = vec![self.expression(PRODUCT + 1)?];
                while self.peek().is_some_and(|kind| {
                    !matches!(kind, Kind::Function(_) | Kind::Series(_) | Kind::Open(_) | Kind::Bar)
                        && factors.last().is_some_and(|last| self.multiplies(kind, last))
                }) {
                    factors.push(self.expression(PRODUCT + 1)?);
                }
                vec![one_or(factors, Expr::Product).ok_or(Fail::Syntax)?]
            }
        };
        if function == Function::Log {
            arguments.extend(base);
        }
        let inverse = matches!(&exponent, Some(Expr::Number(value)) if value.to_i64() == Some(-1));
        let function = match function {
            Function::Sin if inverse => Function::Arcsin,
            Function::Cos if inverse => Function::Arccos,
            Function::Tan if inverse => Function::Arctan,
            other => other,
        };
        let wanted = match function {
            Function::Max | Function::Min | Function::Gcd | Function::Lcm => 1..=usize::MAX,
            Function::Log => 1..=2,
            _ => 1..=1,
        };
        if !wanted.contains(&arguments.len()) {
            return Err(Fail::Syntax);
        }
        let call = Expr::Call(function, arguments);
        Ok(match exponent {
            Some(exponent) if !inverse => call.power(exponent),
            _ => call,
        })
    }

    fn series(&mut self, kind: Series) -> Parsed {
        let (mut lower, mut upper) = (None, None);
        loop {
            if self.take(&Kind::Underscore) {
                lower = Some(self.bound()?);
            } else if self.take(&Kind::Caret) {
                upper = Some(self.bound()?);
            } else {
                break;
            }
        }
        let body = self.expression(PRODUCT)?;
        let mut variable = String::new();
        let mut parts = Vec::new();
        if let Some(lower) = lower {
            match lower {
                Expr::Chain(mut sides, _) if sides.len() == 2 => {
                    variable = match &sides[0] {
                        Expr::Symbol(name) => name.clone(),
                        Expr::Constant(Constant::I) => "i".into(),
                        _ => return Err(Fail::Syntax),
                    };
                    parts.extend(sides.pop());
                }
                other => parts.push(other),
            }
        }
        parts.extend(upper);
        parts.push(body);
        if variable == "i" {
            // Inside, `i` counts and is no imaginary unit.
            let mut rename = rename_i;
            parts = parts.iter().map(&mut rename).collect();
        }
        Ok(Expr::Series(kind, variable, parts))
    }

    fn bound(&mut self) -> Parsed {
        if self.take(&Kind::Brace) {
            let items = self.grouped(&Kind::EndBrace)?;
            return one_or(items, Expr::List).ok_or(Fail::Syntax);
        }
        self.expression(POSTFIX)
    }

    fn bracket(&mut self, open: char) -> Parsed {
        if open == '{' {
            return self.braces();
        }
        let (bars, set) = (self.bars, self.set);
        (self.bars, self.set) = (0, false);
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fail::Deep);
        }
        let mut items = self.list()?;
        self.depth -= 1;
        (self.bars, self.set) = (bars, set);
        let Some(Kind::Close(close)) = self.peek() else { return Err(Fail::Syntax) };
        let close = *close;
        self.at += 1;
        match (open, close, items.len()) {
            ('(', '(', 1) | ('[', '[', 1) => {
                Ok(match items.pop() {
                    // Brackets keep a sum of a mixed number or a negative together.
                    Some(item) => item,
                    None => return Err(Fail::Syntax),
                })
            }
            ('f', 'f', 1) => Ok(Expr::Call(Function::Floor, items)),
            ('c', 'c', 1) => Ok(Expr::Call(Function::Ceil, items)),
            ('(', '(', 2..) | ('<', '<', 1..) => Ok(Expr::Tuple(items)),
            ('(' | '[', '(' | '[', 2) => {
                let (high, low) = (items.pop(), items.pop());
                let (Some(low), Some(high)) = (low, high) else { return Err(Fail::Syntax) };
                Ok(Expr::Interval(Box::new([low, high]), [open == '[', close == '[']))
            }
            ('[', '[', 3..) => Ok(Expr::Bracketed(items)),
            _ => Err(Fail::Syntax),
        }
    }

    /// `\{1, 2\}` and `\{x \mid x > 1\}`.
    fn braces(&mut self) -> Parsed {
        let (bars, set) = (self.bars, self.set);
        (self.bars, self.set) = (0, true);
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fail::Deep);
        }
        let items = self.list()?;
        let whole = match self.peek() {
            Some(Kind::Bar | Kind::Mid | Kind::Colon) => {
                self.at += 1;
                self.set = false;
                let head = one_or(items, Expr::Tuple).ok_or(Fail::Syntax)?;
                let conditions = one_or(self.list()?, Expr::List).ok_or(Fail::Syntax)?;
                Expr::Such(Box::new(head), Box::new(conditions))
            }
            _ if items.is_empty() => Expr::Constant(Constant::EmptySet),
            _ => Expr::Set(items),
        };
        self.depth -= 1;
        (self.bars, self.set) = (bars, set);
        self.expect(&Kind::Close('{'))?;
        Ok(whole)
    }

    fn grid(&mut self, environment: &str) -> Parsed {
        let mut rows = vec![Vec::new()];
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fail::Deep);
        }
        let (bars, set) = (self.bars, self.set);
        (self.bars, self.set) = (0, false);
        loop {
            match self.peek() {
                Some(Kind::End) => break,
                Some(Kind::Row) => rows.push(Vec::new()),
                Some(Kind::Ampersand) => {}
                Some(Kind::Comma | Kind::Semicolon) if environment == "cases" => {}
                Some(_) => {
                    let cell = self.item()?;
                    rows.last_mut().ok_or(Fail::Syntax)?.push(cell);
                    continue;
                }
                None => return Err(Fail::Syntax),
            }
            self.at += 1;
        }
        self.at += 1;
        self.depth -= 1;
        (self.bars, self.set) = (bars, set);
        rows.retain(|row| !row.is_empty());
        let width = rows.first().map_or(0, Vec::len);
        if environment == "cases" {
            let rows = rows.into_iter().filter_map(|row| one_or(row, Expr::Tuple)).collect();
            return one_or(rows, Expr::List).ok_or(Fail::Syntax);
        }
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            return Err(Fail::Syntax);
        }
        Ok(match environment {
            "vmatrix" => Expr::Apply("det".into(), vec![Expr::Matrix(rows)]),
            _ => Expr::Matrix(rows),
        })
    }
}

enum Subscript {
    Number(u32),
    Name(String),
    Expr(Expr),
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

fn rename_i(expr: &Expr) -> Expr {
    match expr {
        Expr::Constant(Constant::I) => Expr::Symbol("i".into()),
        other => other.map(&mut rename_i),
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
