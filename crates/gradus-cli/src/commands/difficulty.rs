//! `gradus difficulty`: the subcommands, one file each.

mod adapt;
mod compare;
mod fit;
mod label;
mod place;
mod profile;
mod profile_page;
mod rate;
mod refit;
mod respondents;
mod responses;
mod rows;
mod shorten;
mod simulate;

use clap::Subcommand;

pub(super) use responses::{Reader, missing_note};

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Output;

/// How hard problems are and how able who answers: item response models, ratings, labels, profiles
///
/// Examples:
///   gradus difficulty fit logs/ --model 2pl --out fit
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
    Fit(fit::Args),
    Place(place::Args),
    Shorten(shorten::Args),
    Adapt(adapt::Args),
    Simulate(simulate::Args),
    Rate(rate::Args),
    Label(label::Args),
    Profile(profile::Args),
    Compare(compare::Args),
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    match &args.command {
        Command::Fit(args) => fit::run(args, global),
        Command::Place(args) => place::run(args, global),
        Command::Shorten(args) => shorten::run(args, global),
        Command::Adapt(args) => adapt::run(args, global),
        Command::Simulate(args) => simulate::run(args),
        Command::Rate(args) => rate::run(args),
        Command::Label(args) => label::run(args),
        Command::Profile(args) => profile::run(args, global),
        Command::Compare(args) => compare::run(args),
    }
}
