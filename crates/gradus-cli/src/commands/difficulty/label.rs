use std::path::{Path, PathBuf};

use gradus::data::{self, FieldError, Fields, Row, Writer};
use gradus::difficulty::ratings::Role;
use gradus::difficulty::{Cut, DifficultyRow, Label, Labelling, NORMALISATIONS, Normalisation};
use gradus::report::{Column, Number, Table};

use super::rows::read;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Make standardised difficulty labels of ratings or of fitted items
///
/// DIFFICULTIES is what `gradus difficulty rate --out` or `fit` wrote, or any CSV, JSONL or Parquet
/// with `problem` (or `item`, `name`), `value` (or `rating`, `difficulty`) and `std` (or
/// `deviation`, `se_difficulty`); high is hard. Labels are JSONL in the form of
/// Easy2Hard-Bench: `problem`, `rating` (0 to 1), `rating_std`, `rating_quantile` (ties
/// share their middle), `unnorm_rating`, `unnorm_rating_std`; beside them the class, the
/// method, the normalisation, and number and hash of the respondents. Those are the rows of
/// role `player` in the file, else the names in --respondents, else in the
/// `respondents.csv` beside the file.
///
/// How that bench mapped its ratings to 0..1 is not known; min-max is the default here, and
/// `clipped-quantiles` runs from the 1 % to the 99 % quantile. A cut by
/// `information` puts the same sum of 1 / std^2 into every class.
///
/// Examples:
///   gradus difficulty label ratings.jsonl --out labels.jsonl
///   gradus difficulty label fit/items.csv --method 2pl --cut thirds --out labels.jsonl
///   gradus difficulty label ratings.jsonl --cut values=1400,1600 --out -
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The difficulties; `-` is standard input.
    difficulties: PathBuf,
    /// How ratings become 0..1: min-max, clipped-quantiles, or points (about 500 to 2500).
    #[arg(long, default_value = "min-max", value_name = "NAME")]
    normalise: String,
    /// Classes: thirds, quantiles=0.2,0.8, values=-1,1 (on the scale of the method), or
    /// information=3.
    #[arg(long, value_name = "CUT", allow_hyphen_values = true)]
    cut: Option<String>,
    /// Name of the method; by default that of the rows.
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Names of the respondents: `respondent` (or `player`, `model`, `name`), as CSV or JSONL.
    #[arg(long, value_name = "FILE")]
    respondents: Option<PathBuf>,
    /// Where the labels go: JSONL, or Parquet where the name ends in .parquet; `-` prints them.
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let rows: Vec<DifficultyRow> = read(&args.difficulties)?;
    let labelling = Labelling {
        normalisation: normalisation(&args.normalise)?,
        cut: args.cut.as_deref().map(cut).transpose()?,
        method: method(args, &rows)?,
        respondents: respondents(args, &rows)?,
    };
    let labels = gradus::difficulty::label(&rows, &labelling)?;
    let without = rows.iter().filter(|row| row.role == Role::Problem && row.value.is_none());
    let without: Vec<&str> = without.map(|row| row.name.as_str()).collect();
    let mut notes = Vec::new();
    if let Some(first) = without.first() {
        notes.push(format!(
            "{} problems have no difficulty and so no label, {first} the first.",
            without.len()
        ));
    }
    let empty = labelling.cut.iter().flat_map(Cut::class_names);
    let empty: Vec<String> = empty
        .filter(|name| !labels.iter().any(|label| label.class.as_ref() == Some(name)))
        .collect();
    if !empty.is_empty() {
        notes.push(format!(
            "No problem is in the class {}: equal difficulties are never parted.",
            empty.join(" or ")
        ));
    }
    if args.out == Path::new("-") {
        let lines: Vec<String> = labels.iter().map(data::to_line).collect();
        return Ok(Output {
            human: vec![Block::Text(lines.join("\n"))],
            quiet: lines.clone(),
            json: lines,
            notes,
            exit: ExitCode::Done,
        });
    }
    let mut writer = Writer::create(&args.out)?;
    for label in &labels {
        writer.write(label)?;
    }
    writer.finish()?;
    notes.push(format!("Labels are in {}.", args.out.display()));
    Ok(Output {
        human: vec![Block::Table(table(&labels))],
        json: vec![json_line(&serde_json::json!({
            "file": args.out,
            "labels": labels.len(),
            "without_difficulty": without,
        }))],
        quiet: vec![args.out.display().to_string()],
        notes,
        exit: ExitCode::Done,
    })
}

fn normalisation(name: &str) -> Result<&'static Normalisation, Failure> {
    NORMALISATIONS.iter().find(|row| row.name == name).ok_or_else(|| {
        let known: Vec<&str> = NORMALISATIONS.iter().map(|row| row.name).collect();
        Failure::usage(format!("--normalise {name}: expected {}", known.join(" or ")))
    })
}

fn cut(text: &str) -> Result<Cut, Failure> {
    let refuse = || {
        Failure::usage(format!(
            "--cut {text}: expected thirds, quantiles=SHARES, values=NUMBERS or information=CLASSES"
        ))
    };
    let (kind, numbers) = text.split_once('=').unwrap_or((text, ""));
    let numbers: Option<Vec<f64>> = numbers
        .split(',')
        .filter(|number| !number.is_empty())
        .map(|number| number.trim().parse().ok().filter(|number: &f64| number.is_finite()))
        .collect();
    match (kind, numbers.as_deref()) {
        ("thirds", Some([])) => Ok(Cut::Quantiles(vec![1.0 / 3.0, 2.0 / 3.0])),
        ("quantiles", Some(shares)) if !shares.is_empty() => Ok(Cut::Quantiles(shares.to_vec())),
        ("values", Some(values)) if !values.is_empty() => Ok(Cut::Values(values.to_vec())),
        ("information", Some([classes])) if classes.fract() == 0.0 && *classes >= 2.0 => {
            Ok(Cut::EqualInformation(*classes as usize))
        }
        _ => Err(refuse()),
    }
}

fn method(args: &Args, rows: &[DifficultyRow]) -> Result<String, Failure> {
    let of_rows = || rows.iter().find_map(|row| row.method.clone());
    args.method.clone().or_else(of_rows).ok_or_else(|| {
        Failure::usage("the rows do not say by which method they were made")
            .hint("name it with --method, as 2pl or glicko2")
    })
}

/// A name in a file of respondents.
struct Respondent(String);

impl Row for Respondent {
    const NOUN: &str = "respondent";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let mut name = None;
        for field in ["respondent", "player", "model"] {
            if name.is_none() {
                name = fields.optional_text(field)?;
            }
        }
        let name = name.map_or_else(|| fields.text("name"), Ok)?;
        fields.ignore_rest();
        Ok(Self(name))
    }
}

fn respondents(args: &Args, rows: &[DifficultyRow]) -> Result<Vec<String>, Failure> {
    let beside = || Some(args.difficulties.parent()?.join("respondents.csv"));
    let players: Vec<String> =
        rows.iter().filter(|row| row.role == Role::Player).map(|row| row.name.clone()).collect();
    let file = match &args.respondents {
        Some(file) => Some(file.clone()),
        None if !players.is_empty() => return Ok(players),
        None => beside().filter(|file| file.is_file()),
    };
    let Some(file) = file else {
        return Err(Failure::usage("nothing says whose answers the difficulties rest on")
            .hint("name the respondents with --respondents FILE: labels carry their hash"));
    };
    Ok(read::<Respondent>(&file)?.into_iter().map(|Respondent(name)| name).collect())
}

/// How many labels there are of each class, and where they lie.
fn table(labels: &[Label]) -> Table {
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_by(|one, other| one.unnorm_rating.total_cmp(&other.unnorm_rating));
    let rows = sorted.chunk_by(|one, other| one.class == other.class).map(|class| {
        let (first, last) = (class[0], class[class.len() - 1]);
        vec![
            first.class.clone().unwrap_or_else(|| "all".into()).into(),
            Number::count(class.len() as u64).into(),
            Number::decimal(first.unnorm_rating, 3).into(),
            Number::decimal(last.unnorm_rating, 3).into(),
            Number::decimal(first.rating, 3).into(),
            Number::decimal(last.rating, 3).into(),
        ]
    });
    let first = &labels[0];
    Table {
        caption: format!(
            "Labels by {}, {}, of {} respondents",
            first.method, first.normalisation, first.respondents
        ),
        columns: vec![
            Column::text("class"),
            Column::number("problems"),
            Column::number("easiest"),
            Column::number("hardest"),
            Column::number("rating from"),
            Column::number("to"),
        ],
        rows: rows.collect(),
        notes: Vec::new(),
    }
}
