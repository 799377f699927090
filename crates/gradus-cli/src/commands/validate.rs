use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use gradus::data::{self, FieldError, Fields, Problem, Row};
use gradus::run::Override;
use gradus::search::{Level, SearchRow};
use gradus_train::{PromptCompletion, StepwiseRow};
use serde::Serialize;

use super::verify::PairRow;
use crate::config::ConfigArgs;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};
use crate::recipes;

/// Check a recipe, or every row of a file, before anything is computed
///
/// Of a recipe, all keys, types and values are checked, and every row of the files that it
/// names; --set, --limit and --seed change it as they do in `gradus run`. Of rows, each
/// line is read as what its fields say: a problem (`question`), a labelled completion
/// (`prompt` with `labels`, `correct` or `completions`), a prompt with its completion, a
/// pair to grade (`pred`), or else a sample as `gradus search` reads it.
///
/// Examples:
///   gradus validate my-recipe.toml
///   gradus validate easy-to-hard-solutions --set solutions=example_model_solutions.jsonl
///   gradus validate rows.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A recipe's name, a TOML file, or a JSONL file of rows (plain, gzip or zstd; `-` for standard input).
    #[arg(value_name = "RECIPE|ROWS")]
    what: String,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let overrides = args.config.overrides()?;
    let is_recipe = gradus_studies::RECIPES.iter().any(|(name, _)| *name == args.what);
    if Path::new(&args.what).extension().is_some_and(|extension| extension == "toml")
        || (is_recipe && !Path::new(&args.what).is_file())
    {
        return recipe(&args.what, &overrides);
    }
    if let Some(given) = overrides.first() {
        let message = format!("`{}` is set for a recipe, and {} is rows", given.path, args.what);
        return Err(Failure::usage(message).hint("a recipe's file ends in .toml"));
    }
    rows(&args.what)
}

#[derive(Serialize)]
struct ValidRecipe<'a> {
    recipe: &'a str,
    study: &'a str,
    values: usize,
    stages: usize,
}

fn recipe(name: &str, overrides: &[Override]) -> Result<Output, Failure> {
    let recipe = recipes::recipe(name)?;
    let study = recipes::study(&recipe.study, &recipe.origin)?;
    let resolved = study.resolve(&recipe, overrides)?;
    let valid = ValidRecipe {
        recipe: name,
        study: &recipe.study,
        values: resolved.origins.len(),
        stages: study.plan(&resolved.value)?.len(),
    };
    study.check_inputs(&resolved.value)?;
    let text = format!(
        "{name}: valid, study {}, {} values, {} stages",
        valid.study, valid.values, valid.stages
    );
    Ok(Output {
        human: vec![Block::Text(text)],
        json: vec![json_line(&valid)],
        quiet: Vec::new(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}

/// A row of any noun that gradus reads, told by its fields.
enum AnyRow {
    Problem(Problem),
    Demonstration,
    Labelled(StepwiseRow),
    Pair,
    Sample(SearchRow),
}

impl Row for AnyRow {
    const NOUN: &str = "row";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let has = |name: &str| fields.names().any(|field| field == name);
        if has("question") {
            return Ok(Self::Problem(Problem::from_fields(fields)?));
        }
        if has("pred") {
            return PairRow::from_fields(fields).map(|_| Self::Pair);
        }
        if !has("prompt") {
            return Ok(Self::Sample(SearchRow::from_fields(fields)?));
        }
        if has("completions") || has("labels") || has("correct") {
            return Ok(Self::Labelled(StepwiseRow::from_fields(fields)?));
        }
        PromptCompletion::from_fields(fields).map(|_| Self::Demonstration)
    }
}

/// What a file of rows holds.
#[derive(Debug, Default, Serialize)]
struct Census {
    noun: &'static str,
    rows: u64,
    /// Distinct ones, where rows name their problem.
    problems: usize,
    /// Rows of each level, where rows have one.
    levels: BTreeMap<Level, u64>,
}

fn rows(file: &str) -> Result<Output, Failure> {
    let mut census = Census::default();
    let mut problems = HashSet::new();
    let mut rows = data::read::<AnyRow>(file)?;
    while let Some(row) = rows.next() {
        let (noun, problem, level) = match row? {
            AnyRow::Problem(problem) => {
                (Problem::NOUN, Some(problem.id), problem.level.map(Level::from))
            }
            AnyRow::Demonstration => (PromptCompletion::NOUN, None, None),
            AnyRow::Pair => (PairRow::NOUN, None, None),
            AnyRow::Labelled(row) => (StepwiseRow::NOUN, Some(row.problem), None),
            AnyRow::Sample(row) => (SearchRow::NOUN, Some(row.problem), row.level),
        };
        if census.rows > 0 && noun != census.noun {
            let place = format!("{file}:{}", rows.line());
            let message = format!("{place}: found a {noun}, expected a {} as before", census.noun);
            return Err(Failure::rows(message));
        }
        census.noun = noun;
        census.rows += 1;
        problems.extend(problem);
        if let Some(level) = level {
            *census.levels.entry(level).or_default() += 1;
        }
    }
    census.problems = problems.len();
    if census.rows == 0 {
        return Err(Failure::rows(format!("{file}: found no row, expected at least one")));
    }
    let levels: Vec<String> =
        census.levels.iter().map(|(level, count)| format!("level {level}: {count}")).collect();
    let text = format!(
        "{file}: valid, {} rows, each a {}; {} problems{}{}",
        census.rows,
        census.noun,
        census.problems,
        if levels.is_empty() { "" } else { "; " },
        levels.join(", ")
    );
    Ok(Output {
        human: vec![Block::Text(text)],
        json: vec![json_line(&census)],
        quiet: Vec::new(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}
