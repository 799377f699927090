//! What is known of respondents beside their answers: their family, their group.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gradus::data::{self, DataError, FieldError, Fields, Row};
use gradus::difficulty::responses::Responses;
use serde_json::Value;

use crate::failure::Failure;

/// Where families are found.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Respondents")]
pub(super) struct About {
    /// Column with the family of each respondent, as its base model.
    #[arg(long, value_name = "COLUMN")]
    pub(super) family: Option<String>,
    /// Table (CSV or JSONL) with a column `respondent` and the columns that are named here;
    /// RESPONSES itself by default, where it has them.
    #[arg(long, value_name = "FILE")]
    respondents: Option<PathBuf>,
}

impl About {
    /// The value of each respondent in a column.
    pub(super) fn column(
        &self,
        name: &str,
        source: &Path,
        responses: &Responses,
    ) -> Result<Vec<String>, Failure> {
        let file = self.respondents.as_deref().unwrap_or(source);
        if self.respondents.is_none() && (file.is_dir() || file.as_os_str() == "-") {
            let message = format!("the column {name:?}: found no table of respondents");
            return Err(Failure::usage(message).hint(NAME_A_TABLE));
        }
        column(file, name, responses).map_err(|failure| {
            if self.respondents.is_none() { failure.hint(NAME_A_TABLE) } else { failure }
        })
    }
}

const NAME_A_TABLE: &str =
    "give a table with the columns `respondent` and the one that is named, with --respondents";

/// All columns of a row as they are.
struct Cells(Vec<(String, Value)>);

impl Row for Cells {
    const NOUN: &str = "respondent";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        Ok(Self(fields.columns()))
    }
}

impl Cells {
    fn text(&self, name: &str) -> Result<String, FieldError> {
        match self.0.iter().find(|(column, _)| column == name).map(|(_, value)| value) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value) if !value.is_null() => Ok(value.to_string()),
            _ => Err(FieldError::new(name, "nothing", "a value for every respondent")),
        }
    }
}

/// A respondent may have several rows, as a table of scores has, with the same value.
fn column(file: &Path, name: &str, responses: &Responses) -> Result<Vec<String>, Failure> {
    let mut values: HashMap<String, String> = HashMap::new();
    let mut rows = data::read_table::<Cells>(file)?;
    while let Some(row) = rows.next() {
        let row = row?;
        let cell = |name: &str| row.text(name).map_err(|error| DataError::Row(rows.error(error)));
        let (respondent, value) = (cell("respondent")?, cell(name)?);
        let known = values.entry(respondent).or_insert_with(|| value.clone());
        if *known != value {
            let error = FieldError::new(name, value, format!("{known}, as in an earlier row"));
            return Err(DataError::Row(rows.error(error)).into());
        }
    }
    let of = |respondent: &String| {
        values.get(respondent).cloned().ok_or_else(|| {
            let file = file.display();
            let message =
                format!("{file}: found no row of respondent {respondent:?}, expected one");
            Failure::rows(message)
        })
    };
    responses.respondents().iter().map(of).collect()
}
