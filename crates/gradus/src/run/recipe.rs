use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

/// An experiment as a TOML file.
///
/// `study` names the study, `title` and `analysis` are prose for the report;
/// everything else is the study's config, checked by [`resolve`](super::resolve).
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name, as run directories are called.
    pub name: String,
    /// Where it came from, as errors call it: a file's name or path.
    pub origin: String,
    /// Name of the study that runs it.
    pub study: String,
    /// One line for people.
    pub title: String,
    /// What the experiment asks and what to expect, as prose; may be empty.
    pub analysis: String,
    pub(super) settings: Vec<Setting>,
}

/// One value of a recipe that is not a table, with the line it stands on.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// What is wrong with a recipe or an override.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// The text is not TOML.
    #[error("{origin}:{line}: {reason}")]
    Syntax {
        /// The recipe.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// A key that every recipe needs is missing.
    #[error("{origin}: the key `{key}` is missing")]
    Missing {
        /// The recipe.
        origin: String,
        /// The key.
        key: &'static str,
    },
    /// No such key.
    #[error("{place}: unknown key `{key}`{}", nearest.as_ref()
        .map_or(String::new(), |nearest| format!("; the nearest known key is `{nearest}`")))]
    UnknownKey {
        /// Where it is set.
        place: String,
        /// The key, with dots.
        key: String,
        /// The known key that is most like it; absent where there is no key at all.
        nearest: Option<String>,
    },
    /// A value of the wrong type.
    #[error("{place}: `{key}` is {found}, expected {expected}")]
    WrongType {
        /// Where it is set.
        place: String,
        /// The key, with dots.
        key: String,
        /// What was found, with its value where that is short.
        found: String,
        /// What is expected.
        expected: &'static str,
    },
    /// A value of the right type that the config refuses.
    #[error("{place}: `{key}`: {reason}")]
    Invalid {
        /// Where it is set.
        place: String,
        /// The key, with dots.
        key: String,
        /// Why it is refused.
        reason: String,
    },
    /// An override without `=`.
    #[error("--set {text}: expected key=value, as --set seed=7")]
    NoValue {
        /// What was given.
        text: String,
    },
}

impl Recipe {
    /// Reads a recipe; `origin` is what errors and records call it.
    pub fn parse(name: &str, origin: &str, text: &str) -> Result<Self, RecipeError> {
        let lines = Lines::new(text);
        let table = DeTable::parse(text).map_err(|error| RecipeError::Syntax {
            origin: origin.into(),
            line: error.span().map_or(1, |span| lines.number(span.start)),
            reason: error.message().replace('\n', ", "),
        })?;
        let mut settings = Vec::new();
        flatten(table.get_ref(), &lines, &mut Vec::new(), &mut settings).map_err(
            |(line, reason)| RecipeError::Syntax { origin: origin.into(), line, reason },
        )?;
        let mut prose = |key: &'static str| {
            let found = settings.iter().position(|setting| setting.path == [key]);
            match found.map(|at| settings.remove(at)) {
                None => Ok(None),
                Some(Setting { value: Value::String(text), .. }) => Ok(Some(text)),
                Some(Setting { value, line, .. }) => Err(RecipeError::WrongType {
                    place: format!("{origin}:{line}"),
                    key: key.into(),
                    found: describe(&value),
                    expected: "a string",
                }),
            }
        };
        let missing = |key| RecipeError::Missing { origin: origin.into(), key };
        let (study, title, analysis) = (prose("study")?, prose("title")?, prose("analysis")?);
        Ok(Self {
            name: name.into(),
            origin: origin.into(),
            study: study.ok_or_else(|| missing("study"))?,
            title: title.ok_or_else(|| missing("title"))?,
            analysis: analysis.unwrap_or_default().trim().into(),
            settings,
        })
    }
}

/// Start offsets of the lines of a text.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line that holds the byte, from 1.
    fn number(&self, byte: usize) -> usize {
        self.0.partition_point(|&start| start <= byte)
    }
}

fn flatten(
    table: &DeTable<'_>,
    lines: &Lines,
    path: &mut Vec<String>,
    settings: &mut Vec<Setting>,
) -> Result<(), (usize, String)> {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(inner, lines, path, settings)?;
        } else {
            let line = lines.number(key.span().start);
            let value = to_json(value.get_ref()).map_err(|reason| (line, reason))?;
            settings.push(Setting { path: path.clone(), value, line });
        }
        path.pop();
    }
    Ok(())
}

/// A TOML value as JSON; dates become strings.
pub(super) fn to_json(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            let (digits, radix) = (integer.as_str(), integer.radix());
            let number = i64::from_str_radix(digits, radix).map(Number::from);
            number
                .or_else(|_| u64::from_str_radix(digits, radix).map(Number::from))
                .map_err(|_| format!("the integer {digits} is out of range"))?
                .into()
        }
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .ok_or_else(|| format!("{} is not a finite number", float.as_str()))?
            .into(),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => Value::Array(
            items.iter().map(|item| to_json(item.get_ref())).collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), to_json(value.get_ref())?)))
                .collect::<Result<Map<_, _>, String>>()?,
        ),
    })
}

/// A value's type with the value itself where it is short.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(value) => format!("the truth value {value}"),
        Value::Number(number) if number.is_f64() => format!("the float {number}"),
        Value::Number(number) => format!("the integer {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the string {text:?}"),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "study = \"toy\"\ntitle = 'A toy'\nanalysis = '''\nWhy.\n'''\nseed = 0x10\n\n\
                        [sft]\nlearning_rate = 1e-3\nlevels = [1, 2]\n";

    #[test]
    fn every_setting_knows_its_line() {
        let recipe = Recipe::parse("toy", "toy.toml", TEXT).unwrap();
        assert_eq!((recipe.study.as_str(), recipe.title.as_str()), ("toy", "A toy"));
        assert_eq!(recipe.analysis, "Why.");
        let mut settings: Vec<_> = recipe
            .settings
            .iter()
            .map(|setting| (setting.line, setting.path.join("."), setting.value.to_string()))
            .collect();
        settings.sort();
        let expected =
            [(6, "seed", "16"), (9, "sft.learning_rate", "0.001"), (10, "sft.levels", "[1,2]")];
        assert_eq!(settings, expected.map(|(line, key, value)| (line, key.into(), value.into())));
    }

    #[test]
    fn errors_name_file_and_line() {
        let check = |text: &str, expected: &str| {
            let error = Recipe::parse("toy", "toy.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("study = \"toy\"\ntitle = \n", "toy.toml:2: ");
        check("title = \"t\"\n", "toy.toml: the key `study` is missing");
        check("study = 3\n", "toy.toml:1: `study` is the integer 3, expected a string");
        check("study = \"s\"\ntitle = \"t\"\nx = nan\n", "toy.toml:3: nan is not a finite number");
    }
}
