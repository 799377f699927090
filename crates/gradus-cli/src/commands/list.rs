use clap::ValueEnum;
use gradus::report::{Column, Table};
use gradus::{difficulty, prompt, search, tasks, verify};
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::output::{Block, Output, json_line};
use crate::recipes;

/// List what there is: recipes, studies, task families, answer forms, prompts, selectors, trainers
///
/// Examples:
///   gradus list
///   gradus list recipes
///   gradus list search --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only this kind.
    #[arg(value_enum)]
    kind: Option<Kind>,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Recipes,
    Studies,
    Tasks,
    Verify,
    Prompt,
    Search,
    Difficulty,
    Train,
}

/// One listed thing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    kind: Kind,
    name: String,
    summary: String,
}

pub(crate) fn run(args: &Args) -> Output {
    output(&rows(args.kind))
}

/// Everything of one kind, or of all.
pub(crate) fn rows(kind: Option<Kind>) -> Vec<Row> {
    let kinds = kind.as_ref().map_or(Kind::value_variants(), std::slice::from_ref);
    kinds.iter().flat_map(|&kind| of(kind)).collect()
}

fn of(kind: Kind) -> Vec<Row> {
    let row = |name: &str, summary: &str| Row { kind, name: name.into(), summary: summary.into() };
    match kind {
        Kind::Recipes => {
            recipes::built_in().iter().map(|recipe| row(&recipe.name, &recipe.title)).collect()
        }
        Kind::Studies => {
            let studies = gradus_studies::ALL.iter();
            studies.map(|study| row(study.name(), study.summary())).collect()
        }
        Kind::Tasks => tasks::ALL.iter().map(|family| row(family.name, family.summary)).collect(),
        Kind::Verify => {
            let extractions = verify::EXTRACTIONS.iter();
            let extractions =
                extractions.map(|form| row(form.name, &format!("reads {}", form.summary)));
            let modes = verify::MODES.iter();
            let modes = modes.map(|mode| row(mode.name, &format!("mode: {}", mode.summary)));
            extractions.chain(modes).collect()
        }
        Kind::Prompt => prompt::ALL.iter().map(|way| row(way.name, way.summary)).collect(),
        Kind::Search => {
            let selectors = search::ALL.iter().map(|way| row(way.name, way.summary));
            selectors
                .chain(search::AGGREGATIONS.iter().map(|way| row(way.name, way.summary)))
                .collect()
        }
        Kind::Difficulty => {
            let systems = difficulty::ratings::ALL.iter();
            systems.map(|system| row(system.name, system.summary)).collect()
        }
        Kind::Train => {
            gradus_train::ALL.iter().map(|trainer| row(trainer.name, trainer.summary)).collect()
        }
    }
}

pub(crate) fn output(rows: &[Row]) -> Output {
    let name = |kind: Kind| {
        kind.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    };
    let table = Table {
        columns: vec![Column::text("kind"), Column::text("name"), Column::text("what it is")],
        rows: rows
            .iter()
            .map(|row| {
                vec![name(row.kind).into(), row.name.clone().into(), row.summary.clone().into()]
            })
            .collect(),
        ..Table::default()
    };
    Output {
        human: vec![Block::Table(table)],
        json: rows.iter().map(json_line).collect(),
        quiet: rows.iter().map(|row| row.name.clone()).collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}
