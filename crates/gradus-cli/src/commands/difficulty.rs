//! `gradus difficulty`: the subcommands, one file each.

mod fit;
mod place;
mod responses;
mod simulate;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Output;

/// Difficulty of items and ability of respondents, from who got what right
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fit(fit::Args),
    Place(place::Args),
    Simulate(simulate::Args),
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<Output, Failure> {
    match &args.command {
        Command::Fit(args) => fit::run(args, global),
        Command::Place(args) => place::run(args, global),
        Command::Simulate(args) => simulate::run(args),
    }
}
