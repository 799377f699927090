mod inspect;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus::data::{self, FieldError, Fields, Row};
use gradus::difficulty::responses::Responses;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::difficulty::{Reader, missing_note};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Write responses, a fit or graded completions in the form of another tool
///
/// py-irt: of responses (a file or folder that `gradus difficulty fit` reads) its data set,
/// JSON Lines of `subject_id` and `responses`; of the folder that `gradus difficulty fit
/// --out` wrote its parameters, one JSON object of `irt_model`, `ability`, `diff`, `disc`,
/// `item_ids` and `subject_ids`, the numbers of items and subjects as keys. Its 3pl and 4pl
/// have other curves than those of the same names here and cannot be written; 1pl has no
/// `disc`, so that a slope of ours other than 1 is written as a 2pl.
///
/// inspect: of completions that `gradus verify samples --json` graded, with their
/// --problems, a log into the folder --out that `inspect view` and `inspect log` read. The
/// model there is `mockllm/NAME`, which `inspect score` can build; samples are its epochs.
///
/// What has no estimate (constant items, respondents without answers) is left out of the
/// parameters, and said.
///
/// Examples:
///   gradus export py-irt logs/ --metric acc --out responses.jsonl
///   gradus export py-irt fit/ --out best_parameters.json
///   gradus export inspect graded.jsonl --problems problems.jsonl --out logs
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The tool.
    #[arg(value_enum)]
    tool: Tool,
    /// Responses, the folder of a fit, or graded completions.
    source: PathBuf,
    /// The file to write, or the folder (inspect).
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// The problems of the completions (inspect).
    #[arg(long, value_name = "FILE")]
    problems: Option<PathBuf>,
    /// Name of the task; by default that of the rows (inspect).
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    #[command(flatten)]
    reader: Reader,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tool {
    /// The Python library py-irt.
    PyIrt,
    /// Logs of the Python library inspect_ai.
    Inspect,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    subjects: usize,
    items: usize,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let is_fit = args.source.join("items.csv").is_file() && args.source.join("fit.json").is_file();
    let (written, notes) = match args.tool {
        Tool::PyIrt if is_fit => parameters(args)?,
        Tool::PyIrt => responses(args)?,
        Tool::Inspect => inspect::write(args)?,
    };
    let text = format!(
        "{}: {} subjects, {} items",
        written.file.display(),
        written.subjects,
        written.items
    );
    Ok(Output {
        human: vec![Block::Text(text)],
        json: vec![json_line(&written)],
        quiet: vec![written.file.display().to_string()],
        notes,
        exit: ExitCode::Done,
    })
}

/// A JSON object in the order of the responses.
struct Named<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A line of py-irt's data set.
#[derive(Serialize)]
struct Subject<'a> {
    subject_id: &'a str,
    responses: Named<Value>,
}

fn responses(args: &Args) -> Result<(Written, Vec<String>), Failure> {
    let responses = args.reader.read(&args.source)?;
    let counted = (0..responses.respondents().len()).any(|row| responses.weight(row) != 1.0);
    if counted {
        let message = format!(
            "{}: found patterns with counts, expected one row a respondent: py-irt has no counts",
            args.source.display()
        );
        return Err(Failure::rows(message));
    }
    let subjects = (0..responses.respondents().len()).map(|respondent| Subject {
        subject_id: &responses.respondents()[respondent],
        responses: scores(&responses, respondent),
    });
    data::write_all(&args.out, subjects)?;
    let written = Written {
        file: args.out.clone(),
        subjects: responses.respondents().len(),
        items: responses.items().len(),
    };
    let fractions = (0..responses.respondents().len())
        .flat_map(|respondent| responses.row(respondent).1)
        .filter(|&&score| score != 0.0 && score != 1.0)
        .count();
    let note = format!("{fractions} scores are not 0 or 1; py-irt's models are of 0 and 1");
    let notes = (fractions > 0).then_some(note).into_iter().chain(missing_note(&responses));
    Ok((written, notes.collect()))
}

/// Whole numbers without a point, as py-irt's own data have them.
fn scores(responses: &Responses, respondent: usize) -> Named<Value> {
    let (items, scores) = responses.row(respondent);
    let cells = items.iter().zip(scores).map(|(&item, &score)| {
        let value = if score == 0.0 || score == 1.0 {
            Value::from(u8::from(score == 1.0))
        } else {
            Value::from(f64::from(score))
        };
        (responses.items()[item as usize].clone(), value)
    });
    Named(cells.collect())
}

/// A line of `items.csv`.
struct Item {
    name: String,
    discrimination: Option<f64>,
    difficulty: Option<f64>,
}

impl Row for Item {
    const NOUN: &str = "item of a fit";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let row = Self {
            name: fields.text("item")?,
            discrimination: fields.optional_f64("discrimination")?,
            difficulty: fields.optional_f64("difficulty")?,
        };
        fields.ignore_rest();
        Ok(row)
    }
}

/// A line of `respondents.csv`; an infinite ability is text there.
struct Respondent {
    name: String,
    ability: Option<f64>,
}

impl Row for Respondent {
    const NOUN: &str = "respondent of a fit";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let name = fields.text("respondent")?;
        let infinite = |text: &Value| matches!(text.as_str(), Some("Inf" | "-Inf"));
        let ability = match fields.peek("ability") {
            Some(text) if infinite(text) => None,
            _ => fields.optional_f64("ability")?,
        };
        fields.ignore_rest();
        Ok(Self { name, ability })
    }
}

/// py-irt's `best_parameters.json`.
#[derive(Serialize)]
struct Parameters {
    ability: Vec<f64>,
    diff: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disc: Option<Vec<f64>>,
    irt_model: &'static str,
    item_ids: Named<String>,
    subject_ids: Named<String>,
}

fn parameters(args: &Args) -> Result<(Written, Vec<String>), Failure> {
    let model = model(&args.source.join("fit.json"))?;
    if !["rasch", "1pl", "2pl"].contains(&model.as_str()) {
        let message = format!(
            "{}: found the model {model}, expected rasch, 1pl or 2pl: py-irt has no curve of this form",
            args.source.join("fit.json").display()
        );
        return Err(Failure::rows(message));
    }
    let items: Vec<Item> =
        data::read_table(args.source.join("items.csv"))?.collect::<Result<_, _>>()?;
    let respondents: Vec<Respondent> =
        data::read_table(args.source.join("respondents.csv"))?.collect::<Result<_, _>>()?;
    let (mut item_names, mut subject_names) = (Vec::new(), Vec::new());
    let (mut diff, mut disc, mut ability) = (Vec::new(), Vec::new(), Vec::new());
    let (all_items, all_respondents) = (items.len(), respondents.len());
    for item in items {
        if let (Some(discrimination), Some(difficulty)) = (item.discrimination, item.difficulty) {
            item_names.push(item.name);
            disc.push(discrimination);
            diff.push(difficulty);
        }
    }
    for respondent in respondents {
        if let Some(at) = respondent.ability {
            subject_names.push(respondent.name);
            ability.push(at);
        }
    }
    let one_slope = disc.iter().all(|&slope| slope == 1.0);
    let mut notes = Vec::new();
    let (no_item, no_subject) = (all_items - diff.len(), all_respondents - ability.len());
    if no_item > 0 || no_subject > 0 {
        notes.push(format!(
            "{no_item} items without parameters and {no_subject} respondents without a finite \
             ability are left out"
        ));
    }
    let written = Written { file: args.out.clone(), subjects: ability.len(), items: diff.len() };
    let parameters = Parameters {
        ability,
        diff,
        irt_model: if one_slope { "1pl" } else { "2pl" },
        disc: (!one_slope).then_some(disc),
        item_ids: numbered(item_names),
        subject_ids: numbered(subject_names),
    };
    data::write_all(&args.out, [parameters])?;
    Ok((written, notes))
}

fn numbered(names: Vec<String>) -> Named<String> {
    Named(names.into_iter().enumerate().map(|(at, name)| (at.to_string(), name)).collect())
}

/// The model that `fit.json` names.
fn model(file: &Path) -> Result<String, Failure> {
    let wrong = |found: String| {
        Failure::rows(format!(
            "{}: model: found {found}, expected a name, as `gradus difficulty fit` writes it",
            file.display()
        ))
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match &json["model"] {
        Value::String(model) => Ok(model.clone()),
        other => Err(wrong(other.to_string())),
    }
}
