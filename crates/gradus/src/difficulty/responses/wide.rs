//! A matrix as CSV: a header of item names, one respondent a line.
//!
//! A first column called `respondent` names the respondents; without it they are
//! numbered from 1. An empty value or `NA` is missing.

use std::collections::HashSet;
use std::path::Path;

use super::table::{SCORE, Table, score};
use super::{Form, Reading, Responses, ResponsesError};

pub(super) const FORM: Form = Form {
    name: "wide",
    summary: "CSV or Parquet with a header of item names, one respondent a line",
    read,
};

fn read(path: &Path, _: &Reading) -> Result<Responses, ResponsesError> {
    let mut table = Table::open(path)?;
    let named = table.header.first().is_some_and(|name| name == "respondent");
    let first = usize::from(named);
    let items = table.header[first..].to_vec();
    unique(&table, &items)?;
    let mut responses = Responses { items, starts: vec![0], ..Responses::default() };
    let mut seen = HashSet::new();
    while let Some(line) = table.next_line()? {
        let respondent =
            if named { line[0].to_owned() } else { (responses.respondents.len() + 1).to_string() };
        for item in 0..responses.items.len() {
            match score(&line[first + item]) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    responses.item.push(item as u32);
                    responses.score.push(value as f32);
                }
                Err(found) => {
                    return Err(table.error(Some(&responses.items[item]), found, SCORE).into());
                }
            }
        }
        if !seen.insert(respondent.clone()) {
            let expected = "each respondent on one line";
            return Err(table
                .error(Some("respondent"), format!("{respondent:?} again"), expected)
                .into());
        }
        responses.respondents.push(respondent);
        responses.starts.push(responses.item.len());
    }
    if responses.is_empty() {
        Err(ResponsesError::Empty { path: path.to_owned() })
    } else {
        Ok(responses)
    }
}

/// Two columns of one name would be two items that nothing can tell apart.
pub(super) fn unique(table: &Table, items: &[String]) -> Result<(), ResponsesError> {
    let mut seen = HashSet::new();
    for item in items {
        if !seen.insert(item) {
            let found = format!("two columns {item:?}");
            return Err(table.error(Some(item), found, "each item once").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Result<Responses, ResponsesError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wide.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, &Reading::default())
    }

    #[test]
    fn empty_and_na_are_missing() {
        let responses = wide("respondent,q1,q2,q3\nm1,1,,0\nm2,NA,1,1\n").unwrap();
        assert_eq!(responses.respondents(), ["m1", "m2"]);
        assert_eq!(responses.row(0), (&[0, 2][..], &[1.0, 0.0][..]));
        assert_eq!(responses.row(1), (&[1, 2][..], &[1.0, 1.0][..]));
    }

    #[test]
    fn respondents_without_names_are_numbered() {
        assert_eq!(wide("q1,q2\n1,0\n0,1\n").unwrap().respondents(), ["1", "2"]);
    }

    #[test]
    fn a_wrong_value_is_named_by_line_and_column() {
        let check = |text: &str, expected: &str| {
            let error = wide(text).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        };
        check(
            "q1,q2\n1,0\n1,yes\n",
            ":3: q2: found \"yes\", expected a number, or nothing or NA where the score is missing",
        );
        check("q1,q2\n1\n", ":2: found 1 values, expected 2, one a column of the header");
        check("q1,q1\n1,1\n", ":1: q1: found two columns \"q1\", expected each item once");
        check(
            "respondent,q1\na,1\na,0\n",
            ":3: respondent: found \"a\" again, expected each respondent on one line",
        );
        check("q1,q2\n,\n", "found no score, expected at least one answered item");
    }
}
