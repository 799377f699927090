//! What stands between operators: numbers, names with their subscripts and
//! arguments, functions, sums, brackets, sets and matrices.

use super::expr::{Constant, DEEPEST, Expr, Function, Series};
use super::number::Rational;
use super::parse::{Fail, POSTFIX, PRODUCT, Parsed, Parser, one_or};
use super::token::{Kind, Token};

/// Names that before a bracket are always functions.
const FUNCTIONS: &str = "fghFGH";
/// Names that before a bracket never are.
const FACTORS: &str = "xyz";

impl Parser {
    pub(super) fn prefix(&mut self, least: u8) -> Parsed {
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

    pub(super) fn subscript(&mut self) -> Parsed<Subscript> {
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

pub(super) enum Subscript {
    Number(u32),
    Name(String),
    Expr(Expr),
}

fn rename_i(expr: &Expr) -> Expr {
    match expr {
        Expr::Constant(Constant::I) => Expr::Symbol("i".into()),
        other => other.map(&mut rename_i),
    }
}
