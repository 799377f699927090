//! `gradus models`: what the cache holds, what a model is, fetching one.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use gradus::report::{Cell, Column, Number, Table};
use gradus_model::ModelDescription;
use gradus_model::hub::{CachedModel, Hub, HubError, ModelId};
use serde::Serialize;

use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};
use crate::progress;

/// Models by name: what the Hugging Face cache holds, what a model is, fetching one
///
/// Examples:
///   gradus models list
///   gradus models show HuggingFaceTB/SmolLM2-135M-Instruct --json
///   gradus models fetch HuggingFaceTB/SmolLM2-135M-Instruct@main
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The models of the cache, and whether they can be used
    List,
    /// One model: architecture, sizes, tokenizer, the memory that it needs
    Show(Named),
    /// Fetch a model into the cache, or what is missing of it
    Fetch(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// org/name or org/name@revision; `show` also takes a folder or a GGUF file.
    model: String,
}

/// A model of the cache with what is in it.
#[derive(Serialize)]
struct Row<'a> {
    name: String,
    commit: &'a str,
    bytes: u64,
    missing: &'a [String],
    #[serde(flatten)]
    description: &'a ModelDescription,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    let hub = Hub::from_environment();
    match &args.command {
        Command::List => list(&hub),
        Command::Show(named) => show(&hub, &named.model),
        Command::Fetch(named) => {
            let monitor = progress::monitor(global.shown())?;
            let folder = hub.fetch(&id(&named.model)?, &monitor)?;
            Ok(described(&ModelDescription::of(&folder)))
        }
    }
}

/// The name of a model as recipes write it, or without their `hf/`.
fn id(text: &str) -> Result<ModelId, HubError> {
    text.strip_prefix("hf/").unwrap_or(text).parse()
}

fn list(hub: &Hub) -> Result<Output, Failure> {
    let models = hub.list()?;
    let descriptions: Vec<ModelDescription> =
        models.iter().map(|model| ModelDescription::of(&model.folder)).collect();
    let both = || models.iter().zip(&descriptions);
    let table = Table {
        columns: vec![
            Column::text("model"),
            Column::number("MB"),
            Column::text("architecture"),
            Column::text("weights"),
            Column::text("usable"),
        ],
        rows: both().map(|(model, description)| row(model, description)).collect(),
        ..Table::default()
    };
    let lines = both().map(|(model, description)| {
        json_line(&Row {
            name: model.id.to_string(),
            commit: &model.commit,
            bytes: model.bytes,
            missing: &model.missing,
            description,
        })
    });
    let notes = if models.is_empty() {
        vec![format!("no models in {}", hub.cache.display())]
    } else {
        vec![format!("in {}", hub.cache.display())]
    };
    Ok(Output {
        human: if models.is_empty() { Vec::new() } else { vec![Block::Table(table)] },
        json: lines.collect(),
        quiet: models.iter().map(|model| model.id.to_string()).collect(),
        notes,
        exit: ExitCode::Done,
    })
}

fn row(model: &CachedModel, description: &ModelDescription) -> Vec<Cell> {
    let unknown = || Cell::absent("unknown");
    let usable = match (model.missing.as_slice(), &description.unsupported) {
        ([], None) => "yes".to_owned(),
        ([], Some(reason)) => reason.replace(&format!("{}/", model.folder.display()), ""),
        (missing, _) => format!("lacks {}", missing.join(", ")),
    };
    vec![
        model.id.to_string().into(),
        Number::decimal(model.bytes as f64 / 1e6, 1).into(),
        description.architecture.clone().map_or_else(unknown, Cell::from),
        types(description).map_or_else(unknown, Cell::from),
        usable.into(),
    ]
}

/// The types of the numbers, the most frequent first.
fn types(description: &ModelDescription) -> Option<String> {
    let mut types: Vec<(&String, &u64)> = description.numbers.iter().collect();
    types.sort_by_key(|&(name, count)| (std::cmp::Reverse(*count), name));
    let names: Vec<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn show(hub: &Hub, model: &str) -> Result<Output, Failure> {
    let given = Path::new(model.strip_prefix("gguf/").unwrap_or(model));
    let path = if given.exists() { given.to_owned() } else { in_cache(hub, model)? };
    let description = ModelDescription::of(&path);
    let mut output = described(&description);
    if description.unsupported.is_some() {
        output.exit = ExitCode::Unavailable;
    }
    Ok(output)
}

fn in_cache(hub: &Hub, model: &str) -> Result<PathBuf, Failure> {
    let id = id(model)?;
    match hub.cached(&id)? {
        Some(cached) => Ok(cached.folder),
        None => Err(Failure::new(
            ExitCode::Unavailable,
            format!("model {id} is not in {}, and no file is called so", hub.cache.display()),
        )
        .hint(format!("to fetch it: gradus models fetch {id}"))),
    }
}

fn described(description: &ModelDescription) -> Output {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let number = |value: Option<u64>| value.map(grouped);
    let facts = [
        ("path", Some(description.path.display().to_string())),
        ("form", description.form.map(str::to_owned)),
        ("architecture", description.architecture.clone()),
        ("base", description.base.clone()),
        ("parameters", number(description.parameters)),
        ("weights", types(description)),
        ("layers", number(description.layers)),
        ("context", description.context.map(|tokens| format!("{} tokens", grouped(tokens)))),
        ("vocabulary", description.vocabulary.map(|tokens| format!("{} tokens", grouped(tokens)))),
        ("tokenizer", description.tokenizer.clone()),
        ("chat template", Some(if description.chat_template { "yes" } else { "no" }.to_owned())),
        ("on disk", Some(megabytes(description.file_bytes))),
        ("in memory", description.f32_bytes.map(|bytes| format!("{} as F32", megabytes(bytes)))),
        (
            "keys, values",
            description
                .cache_bytes_per_token
                .map(|bytes| format!("{:.1} kB a token of a sequence", bytes as f64 / 1e3)),
        ),
        (
            "usable",
            Some(
                description
                    .unsupported
                    .clone()
                    .map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
            ),
        ),
    ];
    let lines: Vec<String> = facts
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name:<14} {value}")))
        .collect();
    Output {
        human: vec![Block::Text(lines.join("\n"))],
        json: vec![json_line(description)],
        quiet: vec![description.path.display().to_string()],
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}

/// `134,515,008`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
