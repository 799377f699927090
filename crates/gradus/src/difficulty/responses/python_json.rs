//! JSON as Python's `json` writes it: with the words NaN, Infinity and -Infinity, which are
//! no JSON. They become strings, so that the rest of the line can be read.

use std::io::{BufRead, Read, Result};

/// The words, as Python has them.
const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Is a value one of the words.
pub(super) fn is_no_number(value: &serde_json::Value) -> bool {
    value.as_str().is_some_and(|text| WORDS.contains(&text))
}

/// Lines in which the words stand in quotes.
pub(super) struct Quoted<R> {
    lines: R,
    line: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Quoted<R> {
    pub(super) fn new(lines: R) -> Self {
        Self { lines, line: Vec::new(), at: 0 }
    }
}

impl<R: BufRead> BufRead for Quoted<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.at == self.line.len() {
            self.line.clear();
            self.at = 0;
            self.lines.read_until(b'\n', &mut self.line)?;
            if let Some(quoted) = quoted(&self.line) {
                self.line = quoted;
            }
        }
        Ok(&self.line[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl<R: BufRead> Read for Quoted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut left = self.fill_buf()?;
        let count = left.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// The line with its bare words in quotes; none where it has no such word.
fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let has = |word: &str| line.windows(word.len()).any(|bytes| bytes == word.as_bytes());
    if !has("NaN") && !has("Infinity") {
        return None;
    }
    let mut quoted = Vec::with_capacity(line.len() + 16);
    let (mut rest, mut in_string) = (line, false);
    while let Some(&byte) = rest.first() {
        let word = WORDS.iter().find(|word| !in_string && rest.starts_with(word.as_bytes()));
        let taken = match (word, byte) {
            (Some(word), _) => word.len(),
            // What is escaped does not end a string.
            (None, b'\\') if in_string => 2.min(rest.len()),
            _ => 1,
        };
        in_string ^= byte == b'"';
        quoted.extend(word.map(|_| b'"'));
        quoted.extend_from_slice(&rest[..taken]);
        quoted.extend(word.map(|_| b'"'));
        rest = &rest[taken..];
    }
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_words_are_quoted() {
        let check = |line: &str, expected: &str| {
            let mut found = String::new();
            let lines = std::io::BufReader::with_capacity(3, line.as_bytes());
            Quoted::new(lines).read_to_string(&mut found).unwrap();
            assert_eq!(found, expected);
        };
        check("{\"a\": 1}\n{\"b\": NaN}", "{\"a\": 1}\n{\"b\": \"NaN\"}");
        check(
            "{\"NaN\": [-Infinity, Infinity, NaN]}\n",
            "{\"NaN\": [\"-Infinity\", \"Infinity\", \"NaN\"]}\n",
        );
        check(r#"{"a": "x\" NaN \\", "b": NaN}"#, r#"{"a": "x\" NaN \\", "b": "NaN"}"#);
    }
}
