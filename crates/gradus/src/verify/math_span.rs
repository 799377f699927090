//! The last piece of mathematics that is set off as such: `$...$`, `$$...$$`,
//! `\(...\)`, `\[...\]` and the environments of displayed equations.
//!
//! Spans that only "and", "or" or a comma separate are one answer: `$1$ and $2$`
//! is `1, 2`. Inline mathematics ends on its line. A dollar sign is currency
//! where Pandoc's Markdown reads it so (the closing one is not followed by a
//! digit), and where the piece would begin or end in space and, without a command,
//! hold a plain word or begin as an amount.

use std::borrow::Cow;
use std::ops::Range;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "math-span",
    summary: "the last $...$, $$...$$, \\(...\\) or \\[...\\]; several joined by \"and\" are one",
    extract: |text| {
        let spans = Spans::of(text);
        if spans.cut {
            return Some(Cow::Borrowed(""));
        }
        last_answer(text, &spans.found, |between| joins(between, JOINING))
    },
};

/// The first span where the text begins with one, together with those after it that
/// are joined to it.
pub(super) fn leading_answer(text: &str) -> Option<Cow<'_, str>> {
    let spans = Spans::of(text).found;
    if spans.first()?.all.start > 0 {
        return None;
    }
    let between = |at: usize| &text[spans[at - 1].all.end..spans[at].all.start];
    let mut run = 1..spans.len();
    let end = run.find(|&at| !joins(between(at), JOINING)).unwrap_or(spans.len());
    last_answer(text, &spans[..end], |between| joins(between, JOINING))
}

/// Words that join two pieces of an answer.
const JOINING: &[&str] = &["and", "or"];

/// A piece of a text that is set off by marks.
pub(super) struct Span {
    /// With its marks.
    pub(super) all: Range<usize>,
    /// Without them.
    pub(super) inner: Range<usize>,
}

/// The last span, together with those before it that what stands between joins to it.
pub(super) fn last_answer<'t>(
    text: &'t str,
    spans: &[Span],
    joins: impl Fn(&str) -> bool,
) -> Option<Cow<'t, str>> {
    let piece = |span: &Span| text[span.inner.clone()].trim();
    let last = spans.len().checked_sub(1)?;
    let mut first = last;
    while first > 0 && !piece(&spans[first]).is_empty() && !piece(&spans[first - 1]).is_empty() {
        let (end, start) = (spans[first - 1].all.end, spans[first].all.start);
        if end > start || !joins(&text[end..start]) {
            break;
        }
        first -= 1;
    }
    let mut pieces = spans[first..].iter().map(piece);
    if first == last {
        return pieces.next().map(Cow::Borrowed);
    }
    Some(Cow::Owned(pieces.collect::<Vec<_>>().join(", ")))
}

/// Is what stands between two pieces of an answer only what joins them: a comma, or
/// one of these words?
pub(super) fn joins(between: &str, words: &[&str]) -> bool {
    const LONGEST: usize = 40;
    if between.len() > LONGEST || between.contains("\n\n") {
        return false;
    }
    let plain = between.replace("\\quad", " ").replace("\\text", " ").replace("\\ ", " ");
    let mut joined = between.contains([',', ';']);
    for word in plain.split(|c: char| c.is_whitespace() || ",;{}&\\$()".contains(c)) {
        joined |= words.contains(&word);
        if !word.is_empty() && !words.contains(&word) {
            return false;
        }
    }
    joined
}

/// The inside of displayed mathematics (`\[`, `$$`) with which the text begins.
pub(super) fn display_at_start(text: &str) -> Option<&str> {
    let (open, close) = DISPLAYS.iter().find(|(open, _)| text.starts_with(open))?;
    let inner = &text[open.len()..];
    inner.find(close).map(|end| inner[..end].trim())
}

const DISPLAYS: [(&str, &str); 2] = [("\\[", "\\]"), ("$$", "$$")];

/// The name of an environment that sets equations apart, where the text begins with one.
fn environment(text: &str) -> Option<&str> {
    let named = text.strip_prefix("\\begin{")?;
    let known = ["equation", "align", "gather", "multline", "eqnarray", "math"];
    let name = known.into_iter().find(|name| named.starts_with(name))?.len();
    let name = name + usize::from(named[name..].starts_with('*'));
    named[name..].starts_with('}').then(|| &named[..name])
}

struct Spans<'t> {
    text: &'t str,
    found: Vec<Span>,
    /// The text ends within a span.
    cut: bool,
    /// Closing marks that do not come again.
    missing: Vec<String>,
    /// Where the line of the last dollar or `\(` ends.
    line_end: usize,
    /// No `\)` comes before here.
    unclosed: usize,
}

impl<'t> Spans<'t> {
    /// One pass; a closing mark that was looked for in vain is not looked for again.
    fn of(text: &'t str) -> Self {
        let mut spans = Self {
            text,
            found: Vec::new(),
            cut: false,
            missing: Vec::new(),
            line_end: 0,
            unclosed: 0,
        };
        let mut at = 0;
        while let Some(next) = text[at..].find(['$', '\\']) {
            at += next;
            let rest = &text[at..];
            at += if rest.starts_with("$$") {
                spans.display(at, 2, "$$")
            } else if rest.starts_with('$') {
                spans.inline(at, "$", "$")
            } else if rest.starts_with("\\[") {
                spans.display(at, 2, "\\]")
            } else if rest.starts_with("\\(") {
                spans.inline(at, "\\(", "\\)")
            } else if let Some(name) = environment(rest) {
                spans.display(at, "\\begin{}".len() + name.len(), &format!("\\end{{{name}}}"))
            } else {
                // `\$` and `\\` are no marks.
                1 + rest[1..].chars().next().map_or(0, char::len_utf8)
            };
        }
        spans
    }

    /// Takes a span that may go over lines; gives how far to go on.
    fn display(&mut self, at: usize, open: usize, close: &str) -> usize {
        let inner = at + open;
        let looked_for = self.missing.iter().any(|mark| mark == close);
        let found = if looked_for { None } else { self.text[inner..].find(close) };
        if let Some(end) = found {
            self.push(at, inner..inner + end, close.len());
            return open + end + close.len();
        }
        if !looked_for {
            self.missing.push(close.to_owned());
        }
        self.cut = true;
        open
    }

    /// Takes a span that ends on its line; gives how far to go on.
    fn inline(&mut self, at: usize, open: &str, close: &str) -> usize {
        let inner = at + open.len();
        if at >= self.line_end {
            let rest = &self.text[at..];
            self.line_end = at + rest.find('\n').unwrap_or(rest.len());
        }
        let line = &self.text[inner..self.line_end];
        let dollar = open == "$";
        let end = if dollar || inner >= self.unclosed { closing(line, close) } else { None };
        let Some(end) = end else {
            if !dollar {
                self.unclosed = self.line_end;
            }
            self.cut |= !dollar || self.opens_what_is_cut(at, line);
            return open.len();
        };
        let piece = &line[..end];
        let money = dollar
            && (line[end + 1..].starts_with(|c: char| c.is_ascii_digit()) || is_money(piece));
        if money || piece.trim().is_empty() {
            return open.len();
        }
        self.push(at, inner..inner + end, close.len());
        open.len() + end + close.len()
    }

    /// Does a dollar that its line does not close begin mathematics? One after or before
    /// a digit or before a space is currency, one that ends its line is not.
    fn opens_what_is_cut(&self, at: usize, line: &str) -> bool {
        if line.trim().is_empty() {
            return !self.text[..at].trim_end_matches(' ').ends_with(|c: char| c.is_ascii_digit());
        }
        let currency = |c: char| c.is_ascii_digit() || c.is_whitespace();
        // GSM8K writes an amount that was computed as $<<5+6=11>>11.
        let computed = line.starts_with("<<");
        self.line_end == self.text.len() && !line.starts_with(currency) && !computed
    }

    fn push(&mut self, start: usize, inner: Range<usize>, close: usize) {
        self.cut = false;
        self.found.push(Span { all: start..inner.end + close, inner });
    }
}

/// Where the closing mark stands on the line, `\$` passed over.
fn closing(line: &str, close: &str) -> Option<usize> {
    let mut escaped = false;
    let bytes = line.as_bytes();
    for at in 0..bytes.len() {
        if !escaped && bytes[at..].starts_with(close.as_bytes()) {
            return Some(at);
        }
        escaped = !escaped && bytes[at] == b'\\';
    }
    None
}

/// Is a piece between two dollar signs no mathematics, as in "$5 and $7" and "$5 = $5"?
/// It begins or ends in space and, without any command in it, holds a word or begins as
/// an amount does.
fn is_money(piece: &str) -> bool {
    let is_word = |word: &str| word.chars().count() >= 3;
    let has_word = || piece.split(|c: char| !c.is_alphabetic()).any(is_word);
    let amount = piece.starts_with(|c: char| c.is_ascii_digit()) && piece.ends_with(' ');
    let spaced = piece.starts_with(' ') || piece.ends_with(' ');
    spaced && !piece.contains('\\') && (amount || has_word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        (EXTRACTION.extract)(text).map(Cow::into_owned)
    }

    #[test]
    fn the_last_span_is_the_answer_whatever_its_marks() {
        for (text, answer) in [
            ("Since $x<2$, we have $x = 1$.", "x = 1"),
            ("Answer $ 9 $", "9"),
            ("Answer $$ \n 9 \n $$", "9"),
            ("Answer \\( 9 \\)", "9"),
            ("Answer \\[ \n 9 \n \\]", "9"),
            ("So \\begin{align*} x &= 3 \\end{align*} holds", "x &= 3"),
            ("$\\begin{pmatrix}1 & 0\\end{pmatrix}$", "\\begin{pmatrix}1 & 0\\end{pmatrix}"),
            (
                "Here: $ \\begin{pmatrix}1 \\\\ 2\\end{pmatrix} $.",
                "\\begin{pmatrix}1 \\\\ 2\\end{pmatrix}",
            ),
            ("$28$ %", "28"),
            ("it costs $\\$5$", "\\$5"),
            ("é$ä$ö", "ä"),
        ] {
            assert_eq!(read(text).as_deref(), Some(answer), "{text}");
        }
    }

    #[test]
    fn spans_that_are_joined_are_one_answer() {
        assert_eq!(read("It is $1$ and $2$ and $3$.").as_deref(), Some("1, 2, 3"));
        assert_eq!(read("$21,16$ or $11$").as_deref(), Some("21,16, 11"));
        assert_eq!(read("$a$ but $b$").as_deref(), Some("b"));
    }

    #[test]
    fn dollars_of_currency_are_no_marks() {
        for text in [
            "from $5 to $7",
            "$10 and $20",
            "$5 + $6 = $<<5+6=11>>11",
            "it costs $5.",
            "2,74 $ a..",
            "$ 3",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("$x$ costs $5 more").as_deref(), Some("x"));
    }

    #[test]
    fn inline_mathematics_ends_on_its_line() {
        for text in ["Answer $ \n 9 \n $", "Answer \\( \n 9 \n \\)"] {
            assert_eq!(read(text).as_deref(), Some(""), "{text}");
        }
        assert_eq!(read("It costs 5 $\nand 7 more."), None);
    }

    #[test]
    fn a_text_that_ends_within_a_span_has_no_answer() {
        for text in ["$x$ so \\[ y = ", "so $\\frac{1", "$1$ so \\(", "\\begin{align} x"] {
            assert_eq!(read(text).as_deref(), Some(""), "{text}");
        }
    }
}
