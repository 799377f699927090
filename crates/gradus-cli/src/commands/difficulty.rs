//! `gradus difficulty`: the subcommands, one file each.

mod compare;
mod label;
mod profile;
mod rate;
mod rows;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// How hard problems are: ratings, labels, profiles
///
/// Examples:
///   gradus difficulty rate attempts.csv --opponents problems --out ratings.jsonl
///   gradus difficulty label ratings.jsonl --cut thirds --out labels.jsonl
///   gradus difficulty profile results.jsonl --labels labels.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
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
