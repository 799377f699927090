//! The subcommands, one file each.

mod compare;
mod completions;
mod difficulty;
mod embed;
mod env;
mod export;
mod import;
mod list;
mod logprob;
mod merge;
mod models;
mod report;
mod run;
mod sample;
mod search;
mod tasks;
mod train;
mod validate;
mod verify;

use clap::Subcommand;
pub(crate) use search::powers_of_two;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    List(list::Args),
    Validate(validate::Args),
    Report(report::Args),
    Compare(compare::Args),
    Sample(sample::Args),
    Logprob(logprob::Args),
    Embed(embed::Args),
    Merge(merge::Args),
    Search(search::Args),
    Verify(verify::Args),
    Difficulty(Box<difficulty::Args>),
    Tasks(tasks::Args),
    Models(models::Args),
    Train(train::Args),
    Import(import::Args),
    Export(export::Args),
    Env(env::Args),
    Completions(completions::Args),
}

impl Command {
    pub(crate) fn run(self, global: &Global) -> Result<Output, Failure> {
        match self {
            Self::Run(args) => run::run(&args, global),
            Self::List(args) => Ok(list::run(&args)),
            Self::Validate(args) => validate::run(&args),
            Self::Report(args) => report::run(&args),
            Self::Compare(args) => compare::run(&args),
            Self::Sample(args) => sample::run(&args, global),
            Self::Logprob(args) => logprob::run(&args, global),
            Self::Embed(args) => embed::run(&args, global),
            Self::Merge(args) => merge::run(&args),
            Self::Search(args) => search::run(&args),
            Self::Verify(args) => verify::run(&args, global),
            Self::Difficulty(args) => difficulty::run(&args, global),
            Self::Tasks(args) => tasks::run(&args),
            Self::Models(args) => models::run(&args, global),
            Self::Train(args) => train::run(&args, global),
            Self::Import(args) => import::run(&args),
            Self::Export(args) => export::run(&args),
            Self::Env(args) => Ok(env::run(&args)),
            Self::Completions(args) => Ok(completions::run(&args)),
        }
    }
}
