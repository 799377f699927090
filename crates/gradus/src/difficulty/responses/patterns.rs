//! A table of response patterns with counts, as the LSAT data are printed: one
//! column an item and a last column `Freq`, `freq`, `count` or `n`.
//!
//! A row stands for that many respondents; they are one respondent with a weight,
//! named by the pattern's number.

use std::path::Path;

use super::table::{SCORE, Table, score};
use super::wide::unique;
use super::{Form, Reading, Responses, ResponsesError};

pub(super) const FORM: Form = Form {
    name: "patterns",
    summary: "CSV or Parquet with a column an item and a last column of counts",
    read,
};

pub(super) const COUNTS: [&str; 5] = ["Freq", "freq", "count", "Count", "n"];

/// A pattern with count 0 is left out, as nobody gave it.
fn read(path: &Path, _: &Reading) -> Result<Responses, ResponsesError> {
    let mut table = Table::open(path)?;
    let Some(last) = table
        .header
        .len()
        .checked_sub(1)
        .filter(|&last| COUNTS.contains(&table.header[last].as_str()))
    else {
        let found = format!("the columns {}", table.header.join(", "));
        return Err(table.error(None, found, "a last column Freq, count or n").into());
    };
    let items = table.header[..last].to_vec();
    unique(&table, &items)?;
    let mut responses = Responses { items, starts: vec![0], ..Responses::default() };
    let mut number = 0;
    while let Some(line) = table.next_line()? {
        number += 1;
        let Some(count) =
            line[last].parse::<f64>().ok().filter(|count| *count >= 0.0 && count.is_finite())
        else {
            let found = format!("{:?}", &line[last]);
            return Err(table
                .error(Some(&table.header[last]), found, "a count of 0 or more")
                .into());
        };
        if count == 0.0 {
            continue;
        }
        for item in 0..last {
            match score(&line[item]) {
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
        responses.respondents.push(format!("pattern-{number}"));
        responses.weights.push(count);
        responses.starts.push(responses.item.len());
    }
    if responses.is_empty() {
        Err(ResponsesError::Empty { path: path.to_owned() })
    } else {
        Ok(responses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::test_data;

    /// Column sums as R prints them (mirt 1.45.1, `lsat_mirt_r.txt`).
    #[test]
    fn the_lsat_tables_have_a_thousand_respondents_and_the_known_sums() {
        for (name, sums) in [
            ("lsat6_patterns.csv", [924.0, 709.0, 553.0, 763.0, 870.0]),
            ("lsat7_patterns.csv", [828.0, 658.0, 772.0, 606.0, 843.0]),
        ] {
            let Some(path) = test_data::file(&format!("known-answers/{name}")) else { return };
            let responses = read(&path, &Reading::default()).unwrap();
            assert_eq!(responses.total_weight(), 1000.0);
            let mut found = [0.0; 5];
            for respondent in 0..responses.respondents().len() {
                let (items, scores) = responses.row(respondent);
                for (&item, &score) in items.iter().zip(scores) {
                    found[item as usize] += responses.weight(respondent) * f64::from(score);
                }
            }
            assert_eq!(found, sums);
        }
    }

    #[test]
    fn a_table_without_counts_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patterns.csv");
        std::fs::write(&path, "a,b\n1,0\n").unwrap();
        let error = read(&path, &Reading::default()).unwrap_err().to_string();
        assert!(error.ends_with("found the columns a, b, expected a last column Freq, count or n"));
    }
}
