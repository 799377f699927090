//! One score a row: `respondent,item,score`, as CSV, JSON Lines or Parquet.

use std::path::Path;

use super::table::{SCORE, Table, score};
use super::{Builder, Form, Reading, Responses, ResponsesError};
use crate::data::{self, FieldError, Fields, Row, is_parquet};

pub(super) const FORM: Form =
    Form { name: "long", summary: "CSV, JSON Lines or Parquet with respondent, item, score", read };

/// A row of a JSON Lines file; further fields are allowed and not read.
struct LongRow {
    respondent: String,
    item: String,
    score: Option<f64>,
}

impl Row for LongRow {
    const NOUN: &str = "response";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let respondent = named(fields, "respondent")?;
        let item = named(fields, "item")?;
        let score = match fields.take("score") {
            None => None,
            Some(value) => Some(number(&value).ok_or_else(|| {
                FieldError::new("score", value.to_string(), "a number, true or false, or null")
            })?),
        };
        fields.rest()?;
        Ok(Self { respondent, item, score })
    }
}

/// A name, which must not be empty.
fn named(fields: &mut Fields, field: &str) -> Result<String, FieldError> {
    let name = fields.text(field)?;
    if name.is_empty() { Err(FieldError::new(field, "nothing", "a name")) } else { Ok(name) }
}

/// A JSON value as a score.
pub(super) fn number(value: &serde_json::Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|right| f64::from(u8::from(right))))
}

/// A file whose name ends in `.jsonl` (compressed or not) is JSON Lines, else CSV or Parquet.
fn read(path: &Path, reading: &Reading) -> Result<Responses, ResponsesError> {
    let mut builder = Builder::default();
    if is_json_lines(path) && !is_parquet(path)? {
        for row in data::read::<LongRow>(path)? {
            let row = row?;
            if let Some(score) = row.score {
                builder.push(&row.respondent, &row.item, score);
            }
        }
    } else {
        let mut table = Table::open(path)?;
        let [respondent, item, column] =
            [table.column("respondent")?, table.column("item")?, table.column("score")?];
        while let Some(line) = table.next_line()? {
            if let Some(&nameless) = [respondent, item].iter().find(|&&at| line[at].is_empty()) {
                let name = table.header[nameless].clone();
                return Err(table.error(Some(&name), "nothing", "a name").into());
            }
            match score(&line[column]) {
                Ok(None) => {}
                Ok(Some(value)) => builder.push(&line[respondent], &line[item], value),
                Err(found) => return Err(table.error(Some("score"), found, SCORE).into()),
            }
        }
    }
    builder.finish(path, reading.duplicates)
}

fn is_json_lines(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".jsonl", ".jsonl.gz", ".jsonl.zst"].iter().any(|extension| name.ends_with(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(name: &str, text: &str) -> Result<Responses, ResponsesError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, &Reading::default())
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let csv = long("r.csv", "item,respondent,score\nq1,m,1\nq2,m,NA\nq2,k,0.5\n").unwrap();
        let json = long(
            "r.jsonl",
            "{\"respondent\": \"m\", \"item\": \"q1\", \"score\": true}\n\
             {\"respondent\": \"m\", \"item\": \"q2\", \"score\": null}\n\
             {\"respondent\": \"k\", \"item\": \"q2\", \"score\": 0.5, \"note\": 1}\n",
        )
        .unwrap();
        assert_eq!(csv, json);
        assert_eq!((csv.len(), csv.score(1, 1)), (2, Some(0.5)));
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        let error = long("r.csv", "model,item,score\nm,q,1\n").unwrap_err().to_string();
        let end = ":1: respondent: found the columns model, item, score, \
                   expected a column \"respondent\"";
        assert!(error.ends_with(end), "{error}");
    }
}
