//! The field `answer` of a JSON object in the text, as models give it that were
//! asked for JSON, alone or in a fenced block. The last object that has one counts.
//!
//! The text after the field is not needed: a string or a number that is whole is
//! an answer; one that the text ends in was cut.

use std::borrow::Cow;

use serde_json::Value;

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "json-field",
    summary: "the field \"answer\" of the last JSON object that has one",
    extract: |text| {
        let mut end = text.len();
        while let Some(at) = text[..end].rfind(FIELD) {
            let rest = text[at + FIELD.len()..].trim_start();
            if let Some(value) = rest.strip_prefix(':')
                && in_an_object(&text[..at])
            {
                return Some(read(value.trim_start()));
            }
            end = at;
        }
        None
    },
};

const FIELD: &str = "\"answer\"";

fn in_an_object(before: &str) -> bool {
    before.trim_end().ends_with(['{', ','])
}

/// The value at the start of the text; empty where it was cut or is nothing.
fn read(text: &str) -> Cow<'_, str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next() {
        Some(Ok(Value::String(value))) => Cow::Owned(value.trim().to_owned()),
        Some(Ok(Value::Null)) => Cow::Borrowed(""),
        // As it is written: 1.50 stays 1.50. A number at the very end may go on.
        Some(Ok(value)) => match (value, values.byte_offset()) {
            (Value::Number(_), end) if end == text.len() => Cow::Borrowed(""),
            (_, end) => Cow::Borrowed(&text[..end]),
        },
        // LaTeX in a JSON string often lacks the second backslash that JSON wants.
        Some(Err(_)) | None => Cow::Borrowed(quoted(text).unwrap_or_default().trim()),
    }
}

/// What stands between two quotation marks at the start, as it is.
fn quoted(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some(&inner[..at]),
            '\n' => return None,
            _ => escaped = !escaped && c == '\\',
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        (EXTRACTION.extract)(text).map(Cow::into_owned)
    }

    #[test]
    fn the_field_of_the_last_object_is_the_answer() {
        for (text, answer) in [
            (r#"{"answer": "42"}"#, "42"),
            (r#"{"steps": ["a"], "answer": 1.50}"#, "1.50"),
            (
                "```json\n{\n  \"reason\": \"x\",\n  \"answer\": \"\\\\frac{1}{2}\"\n}\n```",
                r"\frac{1}{2}",
            ),
            (r#"{"answer": "a \"b\""}"#, "a \"b\""),
            (r#"{"answer": "\sqrt{2}"}"#, r"\sqrt{2}"),
            (r#"{"answer": [1, 2], "sure": true}"#, "[1, 2]"),
            (r#"{"answer": true}"#, "true"),
            (r#"{"answer": 1} then {"answer": 2}"#, "2"),
            (r#"{"answer": "whole", "more": "cut"#, "whole"),
        ] {
            assert_eq!(read(text).as_deref(), Some(answer), "{text}");
        }
        assert_eq!(read(r#"the "answer" is 3"#), None);
        assert_eq!(read(r#"{"answers": 3}"#), None);
    }

    #[test]
    fn a_value_that_was_cut_is_no_answer() {
        for text in [r#"{"answer": "4"#, r#"{"answer": 4"#, r#"{"answer": [1, "#, r#"{"answer":"#] {
            assert_eq!(read(text).as_deref(), Some(""), "{text}");
        }
        assert_eq!(read(r#"{"answer": null}"#).as_deref(), Some(""));
    }
}
