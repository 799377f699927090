//! What is known of respondents beside their answers: their family, their group.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gradus::data::{self, DataError, FieldError, Fields, Row};
use gradus::difficulty::responses::Responses;
use serde_json::Value;

use crate::failure::Failure;

/// Where families and groups are found.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Respondents")]
pub(super) struct About {
    /// Column with the family of each respondent, as its base model; or a table (CSV or JSONL)
    /// with the columns `respondent` and `family`.
    #[arg(long, value_name = "COLUMN|FILE")]
    pub(super) family: Option<String>,
    /// Table (CSV or JSONL) with a column `respondent` and the columns that are named here;
    /// RESPONSES itself by default, where it has them.
    #[arg(long, value_name = "FILE")]
    respondents: Option<PathBuf>,
}

impl About {
    /// The family of each respondent, where asked for.
    pub(super) fn families(
        &self,
        source: &Path,
        responses: &Responses,
    ) -> Result<Option<Vec<String>>, Failure> {
        let family = self.family.as_deref();
        family.map(|name| self.values("family", name, source, responses)).transpose()
    }

    /// The value of each respondent in a column; `name` is the column's, or that of a file
    /// with a column called `kind`.
    pub(super) fn values(
        &self,
        kind: &str,
        name: &str,
        source: &Path,
        responses: &Responses,
    ) -> Result<Vec<String>, Failure> {
        if Path::new(name).is_file() {
            return column(Path::new(name), kind, responses);
        }
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

/// The same number for equal names.
pub(super) fn numbered(names: &[String]) -> Vec<usize> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let next = numbers.len();
        found.push(*numbers.entry(name).or_insert(next));
    }
    found
}

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
