use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Number, Value};

use super::{FieldError, FinishReason, Metadata, Span, Verdict};

/// The fields of one row, taken out one by one; what is left is kept by [`Fields::rest`].
///
/// A field that is `null` counts as absent. Of fields with the same name the
/// last one counts, as in most JSON readers.
#[derive(Debug)]
pub struct Fields {
    entries: Vec<(String, Value)>,
    /// The values are cells of a table: all text, numbers among them.
    cells: bool,
}

impl Fields {
    /// The cells of one line of a table under its header; an empty cell is absent.
    pub(super) fn of_cells<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let filled = cells.filter(|(_, cell)| !cell.is_empty());
        let entries = filled.map(|(name, cell)| (name.to_owned(), cell.into())).collect();
        Self { entries, cells: true }
    }

    /// Takes a field as it is, `None` where it is absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let mut taken = None;
        while let Some(at) = self.entries.iter().rposition(|(key, _)| key == name) {
            let (_, value) = self.entries.remove(at);
            taken.get_or_insert(value);
        }
        taken.filter(|value| !value.is_null())
    }

    /// A field as it is, left where it is.
    pub fn peek(&self, name: &str) -> Option<&Value> {
        let found = self.entries.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// Takes all fields that were not taken as they are, in the order of the file.
    pub fn columns(&mut self) -> Vec<(String, Value)> {
        let mut columns = std::mem::take(&mut self.entries);
        let mut seen = HashSet::new();
        let last: Vec<bool> =
            columns.iter().rev().map(|(name, _)| seen.insert(name.clone())).collect();
        let mut last = last.into_iter().rev();
        columns.retain(|_| last.next().unwrap_or(true));
        columns
    }

    /// Names of the fields that were not taken yet, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// A string.
    pub fn string(&mut self, name: &str) -> Result<String, FieldError> {
        required(name, STRING, self.optional_string(name)?)
    }

    /// A string or nothing.
    pub fn optional_string(&mut self, name: &str) -> Result<Option<String>, FieldError> {
        self.take(name).map(|value| string(name, value)).transpose()
    }

    /// A string; a number counts as its text (ids and answers are often written as numbers).
    pub fn text(&mut self, name: &str) -> Result<String, FieldError> {
        required(name, TEXT, self.optional_text(name)?)
    }

    /// As [`Fields::text`], or nothing.
    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, FieldError> {
        self.take(name).map(|value| text(name, value)).transpose()
    }

    /// A whole number of 32 bits.
    pub fn u32(&mut self, name: &str) -> Result<u32, FieldError> {
        required(name, U32, self.optional_u32(name)?)
    }

    /// A whole number of 32 bits or nothing.
    pub fn optional_u32(&mut self, name: &str) -> Result<Option<u32>, FieldError> {
        self.parsed(name, U32, |value| whole(value).and_then(|number| number.try_into().ok()))
    }

    /// A whole number of 64 bits.
    pub fn u64(&mut self, name: &str) -> Result<u64, FieldError> {
        required(name, U64, self.optional_u64(name)?)
    }

    /// A whole number of 64 bits or nothing.
    pub fn optional_u64(&mut self, name: &str) -> Result<Option<u64>, FieldError> {
        self.parsed(name, U64, whole)
    }

    /// A number.
    pub fn f64(&mut self, name: &str) -> Result<f64, FieldError> {
        required(name, F64, self.optional_f64(name)?)
    }

    /// A number or nothing.
    pub fn optional_f64(&mut self, name: &str) -> Result<Option<f64>, FieldError> {
        self.parsed(name, F64, Value::as_f64)
    }

    /// True or false.
    pub fn bool(&mut self, name: &str) -> Result<bool, FieldError> {
        required(name, BOOL, self.optional_bool(name)?)
    }

    /// True, false or nothing.
    pub fn optional_bool(&mut self, name: &str) -> Result<Option<bool>, FieldError> {
        self.parsed(name, BOOL, Value::as_bool)
    }

    /// True, false, 1, 0 or nothing.
    pub fn optional_flag(&mut self, name: &str) -> Result<Option<bool>, FieldError> {
        self.parsed(name, "true, false, 0 or 1", |value| match value.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => value.as_bool(),
        })
    }

    /// A list of numbers.
    pub fn f64s(&mut self, name: &str) -> Result<Vec<f64>, FieldError> {
        required(name, "a list of numbers", self.optional_f64s(name)?)
    }

    /// A list of numbers or nothing.
    pub fn optional_f64s(&mut self, name: &str) -> Result<Option<Vec<f64>>, FieldError> {
        self.listed(name, "a list of numbers", |field, value| {
            value.as_f64().ok_or_else(|| mismatch(field, &value, F64))
        })
    }

    /// A list of truth values; an absent one is empty.
    pub fn bools(&mut self, name: &str) -> Result<Vec<bool>, FieldError> {
        let bools = self.listed(name, "a list of true and false", |field, value| {
            value.as_bool().ok_or_else(|| mismatch(field, &value, BOOL))
        })?;
        Ok(bools.unwrap_or_default())
    }

    /// A list of strings; an absent one is empty.
    pub fn strings(&mut self, name: &str) -> Result<Vec<String>, FieldError> {
        let strings = self.listed(name, "a list of strings", text)?;
        Ok(strings.unwrap_or_default())
    }

    /// Byte spans (`{"start", "end"}`) in `text`, in order and apart; an absent list is empty.
    pub fn spans(&mut self, name: &str, text: &str) -> Result<Vec<Span>, FieldError> {
        let mut from = 0;
        let spans = self.listed(name, "a list of byte spans", |field, value| {
            let bound = |key| whole(&value[key]).and_then(|byte| usize::try_from(byte).ok());
            let (Some(start), Some(end)) = (bound("start"), bound("end")) else {
                return Err(mismatch(field, &value, "a span {\"start\", \"end\"} of bytes"));
            };
            if start < from || text.get(start..end).is_none() {
                let expected = format!(
                    "whole characters between byte {from} and the end of the text, {}",
                    text.len()
                );
                return Err(FieldError::new(field, format!("bytes {start}..{end}"), expected));
            }
            from = end;
            Ok(Span { start, end })
        })?;
        Ok(spans.unwrap_or_default())
    }

    /// Why sampling ended, or nothing.
    pub fn finish_reason(&mut self, name: &str) -> Result<Option<FinishReason>, FieldError> {
        self.parsed(name, "\"stop\" or \"length\"", |value| match value.as_str()? {
            "stop" => Some(FinishReason::Stop),
            "length" => Some(FinishReason::Length),
            _ => None,
        })
    }

    /// A verdict by its name.
    pub fn verdict(&mut self, name: &str) -> Result<Verdict, FieldError> {
        let names = Verdict::ALL.map(Verdict::name).join(", ");
        let expected = format!("one of {names}");
        let verdict =
            self.parsed(name, &expected, |value| value.as_str().and_then(Verdict::from_name))?;
        required(name, &expected, verdict)
    }

    /// All fields that were not taken, together with those of an object named `metadata`.
    /// A name that stands in both is an error.
    pub fn rest(&mut self) -> Result<Metadata, FieldError> {
        let mut rest = match self.take("metadata") {
            None => Metadata::new(),
            Some(Value::Object(metadata)) => metadata,
            Some(other) => return Err(mismatch("metadata", &other, "an object")),
        };
        while let Some(name) = self.entries.first().map(|(name, _)| name.clone()) {
            let value = self.take(&name).unwrap_or(Value::Null);
            if rest.contains_key(&name) {
                let expected = "each name once, in the row or in its metadata";
                return Err(FieldError::new(name, "it in both", expected));
            }
            rest.insert(name, value);
        }
        Ok(rest)
    }

    /// Drops what was not taken, for rows of tools that write more than is needed.
    pub fn ignore_rest(&mut self) {
        self.entries.clear();
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let literal = if self.cells { value.as_str().and_then(literal) } else { None };
        let parsed = parse(literal.as_ref().unwrap_or(&value));
        parsed.map(Some).ok_or_else(|| mismatch(name, &value, expected))
    }

    fn listed<T>(
        &mut self,
        name: &str,
        expected: &str,
        mut item: impl FnMut(&str, Value) -> Result<T, FieldError>,
    ) -> Result<Option<Vec<T>>, FieldError> {
        let items = match self.take(name) {
            None => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(mismatch(name, &other, expected)),
        };
        let indexed = items.into_iter().enumerate();
        let read = indexed.map(|(index, value)| {
            item(name, value)
                .map_err(|error| FieldError { field: format!("{name}[{index}]"), ..error })
        });
        read.collect::<Result<_, _>>().map(Some)
    }
}

const STRING: &str = "a string";
const TEXT: &str = "a string or a number";
const U32: &str = "a whole number from 0 to 4294967295";
const U64: &str = "a whole number from 0 to 18446744073709551615";
const F64: &str = "a number";
const BOOL: &str = "true or false";

fn required<T>(name: &str, expected: &str, value: Option<T>) -> Result<T, FieldError> {
    value.ok_or_else(|| FieldError::new(name, "nothing", expected))
}

fn mismatch(field: &str, value: &Value, expected: &str) -> FieldError {
    FieldError::new(field, describe(value), expected)
}

fn string(name: &str, value: Value) -> Result<String, FieldError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(mismatch(name, &other, STRING)),
    }
}

fn text(name: &str, value: Value) -> Result<String, FieldError> {
    match value {
        Value::String(text) => Ok(text),
        // Beyond 2^53 a number may have lost digits on the way in, and with them its text.
        Value::Number(number)
            if number.as_f64().is_some_and(|size| size.abs() < 9_007_199_254_740_992.0) =>
        {
            Ok(number.to_string())
        }
        other => Err(mismatch(name, &other, TEXT)),
    }
}

/// The number or truth value that a cell spells; Python writes `True`.
fn literal(cell: &str) -> Option<Value> {
    match cell.trim() {
        "true" | "True" => Some(Value::Bool(true)),
        "false" | "False" => Some(Value::Bool(false)),
        number => match number.parse::<u64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => number.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
        },
    }
}

/// Python writers turn a column of whole numbers with gaps into 3.0.
fn whole(value: &Value) -> Option<u64> {
    let float = |number: f64| {
        (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number))
            .then_some(number as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(float))
}

fn describe(value: &Value) -> String {
    const SHOWN: usize = 40;
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".into(),
        Value::String(text) if text.chars().count() > SHOWN => {
            format!("{:?}...", text.chars().take(SHOWN).collect::<String>())
        }
        other => other.to_string(),
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

impl From<Metadata> for Fields {
    fn from(object: Metadata) -> Self {
        Self { entries: object.into_iter().collect(), cells: false }
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(columns: I) -> Self {
        Self { entries: columns.into_iter().collect(), cells: false }
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut entries = Vec::with_capacity(8);
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Fields { entries, cells: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        serde_json::from_str(text).unwrap()
    }

    fn check_error<T: fmt::Debug>(read: Result<T, FieldError>, field: &str, found: &str) {
        let error = read.unwrap_err();
        assert_eq!((error.field.as_str(), error.found.as_str()), (field, found));
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let mut row = fields(r#"{"level": 1, "x": 1, "level": 2, "x": 2}"#);
        assert_eq!(row.u32("level"), Ok(2));
        assert_eq!(row.optional_u32("level"), Ok(None));
        assert_eq!(row.rest().unwrap()["x"], 2);
    }

    #[test]
    fn what_is_not_taken_is_kept_with_the_metadata() {
        let mut row = fields(r#"{"source": "a", "metadata": {"split": "test"}, "note": null}"#);
        let rest = Value::Object(row.rest().unwrap());
        assert_eq!(rest, serde_json::json!({"source": "a", "split": "test", "note": null}));
        check_error(fields(r#"{"a": 1, "metadata": {"a": 1}}"#).rest(), "a", "it in both");
        check_error(fields(r#"{"metadata": [1]}"#).rest(), "metadata", "a list of 1");
    }

    #[test]
    fn whole_numbers_do_not_wrap_round_or_truncate() {
        check_error(fields(r#"{"n": 4294967296}"#).u32("n"), "n", "4294967296");
        check_error(fields(r#"{"n": -1}"#).u32("n"), "n", "-1");
        check_error(fields(r#"{"n": 1.5}"#).u64("n"), "n", "1.5");
        check_error(fields("{}").u64("n"), "n", "nothing");
        assert_eq!(fields(r#"{"n": 3.0}"#).u32("n"), Ok(3));
        assert_eq!(fields(r#"{"n": 18446744073709551615}"#).u64("n"), Ok(u64::MAX));
    }

    #[test]
    fn a_number_is_a_text_only_while_no_digit_is_lost() {
        assert_eq!(fields(r#"{"a": -18}"#).text("a").unwrap(), "-18");
        assert_eq!(fields(r#"{"a": 0.1}"#).text("a").unwrap(), "0.1");
        check_error(fields(r#"{"a": 90071992547409930}"#).text("a"), "a", "90071992547409930");
        check_error(fields(r#"{"a": true}"#).text("a"), "a", "true");
    }

    #[test]
    fn an_item_of_a_list_is_named_by_its_index() {
        check_error(fields(r#"{"scores": [1, null]}"#).f64s("scores"), "scores[1]", "null");
        check_error(
            fields(r#"{"choices": ["a", {}]}"#).strings("choices"),
            "choices[1]",
            "an object",
        );
        check_error(fields(r#"{"scores": 1}"#).f64s("scores"), "scores", "1");
    }

    #[test]
    fn columns_keep_their_order_and_their_nulls() {
        let mut row = fields(r#"{"b": 1, "a": null, "b": 2, "c": "x"}"#);
        assert_eq!(row.peek("b"), Some(&2.into()));
        assert_eq!(row.peek("a"), None);
        assert_eq!(row.string("c").unwrap(), "x");
        let columns = row.columns();
        assert_eq!(columns, [("a".to_owned(), Value::Null), ("b".to_owned(), 2.into())]);
        assert_eq!(row.names().count(), 0);
    }

    #[test]
    fn spans_stay_inside_the_text_and_in_order() {
        let steps =
            |spans: &str| fields(&format!(r#"{{"steps": {spans}}}"#)).spans("steps", "a\nbé");
        let good = steps(r#"[{"start": 0, "end": 2}, {"start": 2, "end": 5}]"#).unwrap();
        assert_eq!(good, [Span { start: 0, end: 2 }, Span { start: 2, end: 5 }]);
        check_error(steps(r#"[{"start": 0, "end": 6}]"#), "steps[0]", "bytes 0..6");
        check_error(steps(r#"[{"start": 2, "end": 4}]"#), "steps[0]", "bytes 2..4");
        check_error(steps(r#"[{"start": 2, "end": 1}]"#), "steps[0]", "bytes 2..1");
        let overlap = r#"[{"start": 0, "end": 2}, {"start": 1, "end": 3}]"#;
        check_error(steps(overlap), "steps[1]", "bytes 1..3");
        check_error(steps("[[0, 1]]"), "steps[0]", "a list of 2");
    }

    #[test]
    fn a_long_string_is_shown_cut() {
        let row = format!(r#"{{"level": "{}"}}"#, "é".repeat(100));
        check_error(fields(&row).u32("level"), "level", &format!("\"{}\"...", "é".repeat(40)));
    }

    #[test]
    fn a_verdict_is_read_by_its_name() {
        assert_eq!(fields(r#"{"v": "no_answer"}"#).verdict("v"), Ok(Verdict::NoAnswer));
        check_error(fields(r#"{"v": "right"}"#).verdict("v"), "v", "\"right\"");
    }
}
