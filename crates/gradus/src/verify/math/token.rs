//! From text to tokens: LaTeX and plain notation, with the words around them.

use super::budget::{Budget, Spent};
use super::command::{ignored, is_known, named, named_command};
use super::expr::{Constant, Function, Relation, Series, SetOperator};
use super::word;

/// Texts of more tokens than this are compared as text only.
pub(super) const MOST: usize = 5000;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Whether space stands before it.
    pub(super) spaced: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Digits without point and separators, digits after the point, power of ten.
    Number(String, Option<u32>, i32),
    Symbol(String),
    Word(String),
    Constant(Constant),
    Function(Function),
    Series(Series),
    Frac,
    Binom,
    Sqrt,
    Plus,
    Minus,
    PlusMinus,
    MinusPlus,
    Times,
    Divide,
    Modulo,
    Caret,
    Underscore,
    Prime,
    Bang,
    Percent,
    Degree,
    Currency(char),
    /// `(`, `[`, `{` for a set, `<` for angle, `f` floor, `c` ceiling.
    Open(char),
    Close(char),
    /// Braces that only group.
    Brace,
    EndBrace,
    Bar,
    Mid,
    Comma,
    Semicolon,
    Colon,
    /// "and", "or".
    And,
    Ellipsis,
    Relation(Relation),
    SetOperator(SetOperator),
    Begin(String),
    End,
    Ampersand,
    Row,
}

/// How to read what can be read in two ways.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Reading {
    /// `1,22` is 1.22, where otherwise it is two numbers.
    pub(super) decimal_comma: bool,
    /// `1,234` is two numbers, where otherwise it is 1234.
    pub(super) no_groups: bool,
}

/// What a text consists of.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) list: Vec<Token>,
    /// A comma that `Reading` decides stands between digits.
    pub(super) comma: Option<Comma>,
    /// Braces or environments do not match, or a command is cut short.
    pub(super) broken: bool,
}

/// The two ways in which a comma between digits can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comma {
    /// Digits in threes follow: thousands, or a list.
    Thousands,
    /// Other digits follow: a list, or a decimal fraction.
    Decimal,
}

/// Reads the tokens of a text; `None` when there are too many.
pub(super) fn tokens(
    text: &str,
    reading: Reading,
    budget: &mut Budget,
) -> Result<Option<Tokens>, Spent> {
    budget.spend(text.len() as u64 / 8 + 4)?;
    let mut lexer = Lexer {
        text,
        at: 0,
        reading,
        spaced: false,
        environments: 0,
        depth: 0,
        words: 0,
        inside: 0,
        unclosed: 0,
        out: Tokens::default(),
    };
    while lexer.at < text.len() {
        if lexer.out.list.len() > MOST {
            return Ok(None);
        }
        lexer.step();
    }
    lexer.out.broken |= lexer.environments != 0;
    Ok(Some(lexer.out))
}

/// Arguments in arguments (`\text{\text{..}}`) are followed so far.
const MOST_INSIDE: usize = 32;
/// After so many arguments that do not close, no other is looked for.
const MOST_UNCLOSED: usize = 32;

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    reading: Reading,
    spaced: bool,
    /// Open matrices and cases, in which `&` and `\\` have a meaning.
    environments: usize,
    /// Open brackets, in which a comma never groups digits.
    depth: usize,
    /// Where braces that hold words end, while we are in them.
    words: usize,
    /// Arguments of commands that we are in.
    inside: usize,
    /// Arguments that did not close, each of which cost a look at the rest of the text.
    unclosed: usize,
    out: Tokens,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind) {
        self.out.list.push(Token { kind, spaced: self.spaced });
        self.spaced = false;
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        if first.is_whitespace() {
            self.at += first.len_utf8();
            self.spaced = true;
        } else if first.is_ascii_digit()
            || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            self.number();
        } else if first.is_ascii_alphabetic() {
            self.letters();
        } else if first == '\\' {
            self.command();
        } else {
            self.at += first.len_utf8();
            self.sign(first);
        }
    }

    /// A run of digits with its separators, point and power of ten.
    fn number(&mut self) {
        let rest = self.rest();
        let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let first = run(rest);
        let mut digits = rest[..first].to_owned();
        let mut length = first;
        if (1..=3).contains(&first) {
            loop {
                let tail = &rest[length..];
                let Some((separator, plain)) = self.separator(tail) else { break };
                let group = run(&tail[separator..]);
                if group != 3 {
                    // `1,234,56` is no number in groups at all.
                    if plain && group > 0 && length > first && tail.starts_with(',') {
                        digits.truncate(first);
                        length = first;
                    }
                    break;
                }
                if plain && tail.starts_with(',') {
                    if first == 1 && digits == "0" {
                        break;
                    }
                    self.out.comma.get_or_insert(Comma::Thousands);
                    if self.reading.no_groups {
                        break;
                    }
                }
                digits.push_str(&tail[separator..separator + group]);
                length += separator + group;
            }
        }
        let mut places = None;
        let tail = &rest[length..];
        let fraction = run(tail.get(1..).unwrap_or_default());
        let point = tail.starts_with('.') && fraction > 0;
        let mut comma = false;
        if tail.starts_with(',') && fraction > 0 && self.depth == 0 && length == first && first > 0
        {
            let after = &tail[1 + fraction..];
            let more =
                after.starts_with(',') && after[1..].starts_with(|c: char| c.is_ascii_digit());
            let before = self.text[..self.at].ends_with(',');
            if !more && !before {
                if self.out.comma.is_none() {
                    self.out.comma = Some(Comma::Decimal);
                }
                comma = self.reading.decimal_comma;
            }
        }
        if point || comma {
            digits.push_str(&tail[1..=fraction]);
            length += 1 + fraction;
            places = Some(fraction as u32);
        }
        if let Some((end, top, bottom)) = repeating(&rest[length..], &digits, places) {
            self.at += length + end;
            self.push(Kind::Frac);
            for digits in [top, bottom] {
                self.push(Kind::Brace);
                self.push(Kind::Number(digits.to_string(), None, 0));
                self.push(Kind::EndBrace);
            }
            return;
        }
        let mut exponent = 0;
        let tail = &rest[length..];
        if first > 0 && tail.starts_with(['e', 'E']) {
            let signed = &tail[1..];
            let sign = usize::from(signed.starts_with(['+', '-']));
            let size = run(&signed[sign..]);
            let after =
                signed[sign + size..].starts_with(|c: char| c.is_alphanumeric() || c == '^');
            if (1..=4).contains(&size) && !after {
                exponent = signed[..sign + size].trim_start_matches('+').parse().unwrap_or(0);
                length += 1 + sign + size;
                places = places.or(Some(0));
            }
        }
        self.at += length;
        self.push(Kind::Number(digits, places, exponent));
    }

    /// The length of what separates groups of digits, and whether it is one
    /// that could also separate numbers.
    fn separator(&self, tail: &str) -> Option<(usize, bool)> {
        for exact in ["{,}", "\\,", "~", "\\ ", "{ , }", "{\\,}"] {
            if tail.starts_with(exact) {
                return Some((exact.len(), false));
            }
        }
        if let Some(after) = tail.strip_prefix(",\\!") {
            let space = after.len() - after.trim_start().len();
            return Some((3 + space, false));
        }
        let plain = self.depth == 0 && tail.starts_with([',', ' ']);
        plain.then_some((1, true))
    }

    /// A run of letters: a function, a word, or variables side by side.
    fn letters(&mut self) {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let mut run = &rest[..length];
        if run.len() == 1 && rest.len() >= 3 && rest.is_char_boundary(3) {
            let half_day =
                ["a.m", "p.m"].into_iter().find(|half| rest[..3].eq_ignore_ascii_case(half));
            if let Some(half) = half_day {
                self.at += 3;
                self.push(Kind::Word(half.replace('.', "")));
                return;
            }
        }
        let glued = self.out.list.last().is_some_and(|last| {
            !self.spaced && matches!(last.kind, Kind::Number(..) | Kind::Close(_) | Kind::EndBrace)
        });
        if glued && self.words == 0 {
            // `x=1orx=2`, `(1,2)and(3,4)`
            if let Some(connective) = ["and", "or"].into_iter().find(|word| run.starts_with(word)) {
                run = &run[..connective.len()];
            }
        }
        self.at += run.len();
        if self.words > 0 {
            self.word(run);
            return;
        }
        // After a number these are halves of the day, else segments.
        let hour = matches!(run, "AM" | "PM")
            && self.out.list.last().is_some_and(|last| matches!(last.kind, Kind::Number(..)));
        if hour {
            self.word(run);
        } else if let Some(kind) = named(run) {
            self.push(kind);
        } else if run.len() == 1 {
            self.push(letter(run));
        } else if word::is_word(run) {
            self.word(run);
        } else {
            for index in 0..run.len() {
                self.push(letter(&run[index..=index]));
            }
        }
    }

    fn word(&mut self, run: &str) {
        let kind = match run.to_ascii_lowercase().as_str() {
            "and" | "or" => Kind::And,
            "percent" | "pct" | "percentage" | "percents" => Kind::Percent,
            "degrees" | "degree" | "deg" => Kind::Degree,
            _ => Kind::Word(run.to_owned()),
        };
        self.push(kind);
    }

    /// The argument in braces that begins here, without them; moves behind it.
    fn argument(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let inner = rest.trim_start().strip_prefix('{')?;
        let start = rest.len() - inner.len();
        let closed = if self.unclosed < MOST_UNCLOSED { matching(inner) } else { None };
        let Some(end) = closed else {
            self.unclosed += 1;
            return None;
        };
        self.at += start + end + 1;
        Some(&inner[..end])
    }

    /// Reads `text` as if it stood here, as words where `words` is set.
    fn inside(&mut self, text: &'t str, words: bool) {
        if self.inside == MOST_INSIDE {
            self.out.broken = true;
            return;
        }
        self.inside += 1;
        let outer = (self.text, self.at, self.words);
        (self.text, self.at) = (text, 0);
        self.words += usize::from(words);
        while self.at < self.text.len() && self.out.list.len() <= MOST {
            self.step();
        }
        (self.text, self.at, self.words) = outer;
        self.inside -= 1;
    }

    fn command(&mut self) {
        let rest = self.rest();
        let after = &rest[1..];
        // Text that was escaped twice: `\\frac`.
        if self.environments == 0
            && after.starts_with('\\')
            && after[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "{}()[]%$|".contains(c))
        {
            self.at += 1;
            return;
        }
        let length = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        if length == 0 {
            let Some(sign) = after.chars().next() else {
                self.at += 1;
                return;
            };
            self.at += 1 + sign.len_utf8();
            match sign {
                '\\' => {
                    // `\\[2pt]`
                    if let Some(inner) = self.rest().strip_prefix('[')
                        && let Some(end) = inner.find(']')
                        && end < 8
                        && inner[..end].ends_with(|c: char| c.is_ascii_alphabetic())
                    {
                        self.at += end + 2;
                    }
                    self.push(Kind::Row);
                }
                '{' => {
                    self.depth += 1;
                    self.push(Kind::Open('{'));
                }
                '}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.push(Kind::Close('{'));
                }
                '%' => self.push(Kind::Percent),
                '$' => self.push(Kind::Currency('$')),
                '|' => self.push(Kind::Bar),
                '&' => self.push(Kind::And),
                _ => self.spaced = true,
            }
            return;
        }
        let mut name = &after[..length];
        if !is_known(name) {
            // A space that was lost: `\quadx`.
            let least = length.saturating_sub(3).max(2);
            let known = (least..length).rev().map(|length| &after[..length]);
            name = known.into_iter().find(|name| is_known(name)).unwrap_or(name);
        }
        self.at += 1 + name.len();
        match name {
            "text" | "mbox" | "textnormal" | "textrm" | "textbf" | "textit" | "textsf"
            | "texttt" | "hbox" | "emph" | "textsc" => {
                if let Some(inner) = self.argument() {
                    self.spaced |= inner.starts_with(char::is_whitespace);
                    self.inside(inner, true);
                    self.spaced |= inner.ends_with(char::is_whitespace);
                } else {
                    self.out.broken = true;
                }
            }
            "mathrm" | "rm" | "mathbf" | "bf" | "mathit" | "mathsf" | "operatorname"
            | "boldsymbol" | "bm" | "mathop" | "mathcal" | "mathfrak" | "mathscr" | "mathtt" => {
                let Some(inner) = self.argument() else { return };
                let bare = inner.trim().trim_matches('~');
                let is_words = bare.len() > 1
                    && bare.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b' ')
                    && named(bare).is_none();
                self.inside(inner, is_words);
            }
            "mathbb" | "Bbb" => {
                let inner = self.argument().unwrap_or_default().trim();
                match inner.chars().next() {
                    Some(letter) if inner.len() == 1 => {
                        self.push(Kind::Constant(Constant::Numbers(letter)));
                    }
                    _ => self.out.broken = true,
                }
            }
            "begin" => {
                let name = self.argument().unwrap_or_default().trim_end_matches('*');
                if is_grid(name) {
                    if name == "array" {
                        self.argument();
                    }
                    self.environments += 1;
                    self.push(Kind::Begin(name.to_owned()));
                } else {
                    self.spaced = true;
                }
            }
            "end" => {
                let name = self.argument().unwrap_or_default().trim_end_matches('*');
                if is_grid(name) {
                    self.out.broken |= self.environments == 0;
                    self.environments = self.environments.saturating_sub(1);
                    self.push(Kind::End);
                } else {
                    self.spaced = true;
                }
            }
            "hspace" | "vspace" | "color" | "textcolor" | "phantom" | "hphantom" | "vphantom"
            | "label" | "tag" => {
                self.argument();
                self.spaced = true;
            }
            "left" | "right" | "big" | "Big" | "bigg" | "Bigg" | "bigl" | "bigr" | "Bigl"
            | "Bigr" | "biggl" | "biggr" | "Biggl" | "Biggr" | "middle" => {
                // `\left.` has no bracket.
                if self.rest().trim_start().starts_with('.') {
                    self.at = self.text.len() - self.rest().trim_start().len() + 1;
                }
            }
            "lbrace" => {
                self.depth += 1;
                self.push(Kind::Open('{'));
            }
            "rbrace" => {
                self.depth = self.depth.saturating_sub(1);
                self.push(Kind::Close('{'));
            }
            _ => match ignored(name) {
                Some(spaced) => self.spaced |= spaced,
                None => self.push(named_command(name)),
            },
        }
    }

    /// A character that is no letter, digit or command.
    fn sign(&mut self, sign: char) {
        let rest = self.rest();
        let followed = |text: &str| rest.starts_with(text);
        let (kind, more) = match sign {
            '+' if followed("/-") => (Kind::PlusMinus, 2),
            '+' | '＋' => (Kind::Plus, 0),
            '-' if followed(">") => (Kind::Relation(Relation::Other("to")), 1),
            '-' | '−' | '–' | '—' | '－' => (Kind::Minus, 0),
            '±' => (Kind::PlusMinus, 0),
            '∓' => (Kind::MinusPlus, 0),
            '*' if followed("*") && !self.is_emphasis() => (Kind::Caret, 1),
            '*' if followed("*") => {
                self.at += 1;
                self.spaced = true;
                return;
            }
            '*' | '×' | '·' | '⋅' | '∙' | '∗' => (Kind::Times, 0),
            '/' | '÷' | '∕' => (Kind::Divide, 0),
            '^' => (Kind::Caret, 0),
            '_' => (Kind::Underscore, 0),
            '\'' | '′' | '’' => (Kind::Prime, 0),
            '!' if followed("=") && !self.is_factorial() => (Kind::Relation(Relation::NotEqual), 1),
            '!' => (Kind::Bang, 0),
            '%' | '％' => (Kind::Percent, 0),
            '°' => (Kind::Degree, 0),
            '€' | '£' | '¥' | '₹' => (Kind::Currency(sign), 0),
            '(' | '[' | '（' | '【' => {
                self.depth += 1;
                (Kind::Open(if matches!(sign, '[' | '【') { '[' } else { '(' }), 0)
            }
            ')' | ']' | '）' | '】' => {
                self.depth = self.depth.saturating_sub(1);
                (Kind::Close(if matches!(sign, ']' | '】') { '[' } else { '(' }), 0)
            }
            '{' => (Kind::Brace, 0),
            '}' => (Kind::EndBrace, 0),
            '⟨' => (Kind::Open('<'), 0),
            '⟩' => (Kind::Close('<'), 0),
            '⌊' => (Kind::Open('f'), 0),
            '⌋' => (Kind::Close('f'), 0),
            '⌈' => (Kind::Open('c'), 0),
            '⌉' => (Kind::Close('c'), 0),
            '|' if followed("|") => (Kind::Bar, 1),
            '|' => (Kind::Bar, 0),
            ',' | '，' | '、' => (Kind::Comma, 0),
            ';' | '；' => (Kind::Semicolon, 0),
            ':' | '：' => (Kind::Colon, 0),
            '.' if followed("..") => (Kind::Ellipsis, 2),
            '…' | '⋯' => (Kind::Ellipsis, 0),
            '<' if followed("=") => (Kind::Relation(Relation::LessEqual), 1),
            '>' if followed("=") => (Kind::Relation(Relation::GreaterEqual), 1),
            '=' if followed(">") => (Kind::Relation(Relation::Other("implies")), 1),
            '=' if followed("=") => (Kind::Relation(Relation::Equal), 1),
            '<' => (Kind::Relation(Relation::Less), 0),
            '>' => (Kind::Relation(Relation::Greater), 0),
            '=' | '＝' => (Kind::Relation(Relation::Equal), 0),
            '≤' | '⩽' | '≦' => (Kind::Relation(Relation::LessEqual), 0),
            '≥' | '⩾' | '≧' => (Kind::Relation(Relation::GreaterEqual), 0),
            '≠' => (Kind::Relation(Relation::NotEqual), 0),
            '≈' | '≃' | '≅' => (Kind::Relation(Relation::Approximately), 0),
            '≡' => (Kind::Relation(Relation::Other("equiv")), 0),
            '→' | '⇒' => (Kind::Relation(Relation::Other("implies")), 0),
            '∈' => (Kind::Relation(Relation::In), 0),
            '∪' => (Kind::SetOperator(SetOperator::Union), 0),
            '∩' => (Kind::SetOperator(SetOperator::Intersection), 0),
            '∖' => (Kind::SetOperator(SetOperator::Difference), 0),
            '√' => (Kind::Sqrt, 0),
            '∛' => {
                self.push(Kind::Sqrt);
                self.push(Kind::Open('['));
                self.push(Kind::Number("3".into(), None, 0));
                (Kind::Close('['), 0)
            }
            'π' => (Kind::Constant(Constant::Pi), 0),
            '∞' => (Kind::Constant(Constant::Infinity), 0),
            '∅' => (Kind::Constant(Constant::EmptySet), 0),
            'ℝ' => (Kind::Constant(Constant::Numbers('R')), 0),
            'ℤ' => (Kind::Constant(Constant::Numbers('Z')), 0),
            'ℕ' => (Kind::Constant(Constant::Numbers('N')), 0),
            'ℚ' => (Kind::Constant(Constant::Numbers('Q')), 0),
            'ℂ' => (Kind::Constant(Constant::Numbers('C')), 0),
            '&' => {
                if self.environments > 0 {
                    self.push(Kind::Ampersand);
                }
                return;
            }
            // Space, closing periods, quotes, delimiters of mathematics.
            '~' | '$' | '.' | '?' | '"' | '“' | '”' | '`' | '#' | '∠' | '△' | '\u{200b}' => {
                self.spaced = true;
                return;
            }
            other => {
                self.other(other);
                return;
            }
        };
        self.at += more;
        self.push(kind);
    }

    /// Superscripts, fractions in one character, Greek and other letters.
    fn other(&mut self, sign: char) {
        let digit = |digit: char| Kind::Number(digit.to_string(), None, 0);
        if let Some(at) = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|superscript| superscript == sign)
        {
            self.push(Kind::Caret);
            self.push(digit(char::from(b'0' + at as u8)));
        } else if let Some(at) = "₀₁₂₃₄₅₆₇₈₉".chars().position(|subscript| subscript == sign)
        {
            self.push(Kind::Underscore);
            self.push(digit(char::from(b'0' + at as u8)));
        } else if let Some(at) = "½⅓¼⅔¾".chars().position(|fraction| fraction == sign) {
            let (top, bottom) = [('1', '2'), ('1', '3'), ('1', '4'), ('2', '3'), ('3', '4')][at];
            self.push(Kind::Frac);
            self.push(digit(top));
            self.push(digit(bottom));
        } else if ('０'..='９').contains(&sign) {
            let value = u32::from(sign) - u32::from('０');
            self.push(digit(char::from(b'0' + value as u8)));
        } else if ('α'..='ω').contains(&sign) || ('Α'..='Ω').contains(&sign) {
            self.push(Kind::Symbol(sign.to_string()));
        } else if sign.is_alphabetic() {
            let length: usize = self
                .rest()
                .chars()
                .take_while(|letter| letter.is_alphabetic())
                .map(char::len_utf8)
                .sum();
            let start = self.at - sign.len_utf8();
            self.at += length;
            let word = self.text[start..self.at].to_owned();
            self.push(Kind::Word(word));
        } else {
            self.push(Kind::Word(sign.to_string()));
        }
    }

    /// Whether `!` after what was read last is a factorial: `5!=120`, not `x != 3`.
    fn is_factorial(&self) -> bool {
        !self.spaced
            && self.out.list.last().is_some_and(|last| {
                matches!(last.kind, Kind::Number(..) | Kind::Close(_) | Kind::EndBrace)
            })
    }

    /// Whether `**` here marks bold text, as at the ends and beside words.
    fn is_emphasis(&self) -> bool {
        let after = &self.text[self.at + 1..];
        let operand = |c: char| c.is_ascii_alphanumeric() || "({-+".contains(c);
        self.spaced
            || self.out.list.is_empty()
            || !after.trim_start().starts_with(operand)
            || after.starts_with(char::is_whitespace)
    }
}

/// The fraction that digits come to with what repeats for ever behind them, as
/// `0.1\overline{6}`, and where it ends.
fn repeating(tail: &str, digits: &str, places: Option<u32>) -> Option<(usize, u64, u64)> {
    let point = if places.is_some() { tail } else { tail.strip_prefix('.')? };
    let inner = ["\\overline{", "\\bar{", "\\dot{"].iter().find_map(|c| point.strip_prefix(c))?;
    // At most 17 digits are looked for.
    let end = inner.bytes().take(18).position(|byte| byte == b'}')?;
    let period = &inner[..end];
    let places = places.unwrap_or(0);
    if period.len() + digits.len() > 17 || !period.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let before: u64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let scale = 10u64.checked_pow(period.len() as u32)?;
    let top = before.checked_mul(scale)? + period.parse::<u64>().ok()? - before;
    let bottom = (scale - 1).checked_mul(10u64.checked_pow(places)?)?;
    Some((tail.len() - inner.len() + end + 1, top, bottom))
}

/// Where the brace closes that was open before `inner`.
pub(super) fn matching(inner: &str) -> Option<usize> {
    let mut depth = 1;
    let mut escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn is_grid(environment: &str) -> bool {
    environment.ends_with("matrix") || matches!(environment, "array" | "cases")
}

fn letter(letter: &str) -> Kind {
    match letter {
        "e" => Kind::Constant(Constant::E),
        "i" => Kind::Constant(Constant::I),
        other => Kind::Symbol(other.to_owned()),
    }
}
