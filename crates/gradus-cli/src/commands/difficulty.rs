//! `gradus difficulty`: the subcommands, one file each.

mod compare;
mod label;
mod profile;
mod rate;

use std::path::Path;

use clap::Subcommand;
use gradus::data::{self, Row};

use crate::failure::Failure;
use crate::output::Output;

/// How hard problems are: ratings, labels, profiles
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rate(rate::Args),
    Label(label::Args),
    Profile(profile::Args),
    Compare(compare::Args),
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    match &args.command {
        Command::Rate(args) => rate::run(args),
        Command::Label(args) => label::run(args),
        Command::Profile(args) => profile::run(args),
        Command::Compare(args) => compare::run(args),
    }
}

/// Draws of every bootstrap over problems.
const DRAWS: usize = 2000;
const CONFIDENCE: f64 = 0.95;

/// All rows of a table or of JSON Lines.
fn read<R: Row>(file: &Path) -> Result<Vec<R>, Failure> {
    Ok(data::read_table(file)?.collect::<Result<_, _>>()?)
}

/// `--set parameter=value`, each value as JSON, else as text.
fn parameters(set: &[String]) -> Result<serde_json::Value, Failure> {
    if set.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    let mut parameters = serde_json::Map::new();
    for pair in set {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("--set {pair}: expected PARAMETER=VALUE")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        parameters.insert(name.to_owned(), value);
    }
    Ok(parameters.into())
}
