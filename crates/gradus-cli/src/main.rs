//! The command line of gradus: one file a subcommand, each of which returns a
//! value; one printer that writes it.

#![expect(clippy::doc_markdown, reason = "the help texts are doc comments, printed as they are")]

mod args;
mod commands;
mod config;
mod exit_code;
mod failure;
mod finished;
mod graded_page;
mod grading;
mod model;
mod outcomes;
mod output;
mod progress;
mod prompting;
mod recipes;
mod row_file;
mod subset;

use std::panic;

use clap::{CommandFactory, FromArgMatches};

use crate::args::Cli;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Output, Printer, fail, talk};

fn main() -> std::process::ExitCode {
    gradus_model::tune_allocator();
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or(String::new(), |at| format!(" at {at}"));
        let what = info.payload_as_str().unwrap_or("no message");
        talk(&format!("error: a bug in gradus{place}: {what}"));
        talk("hint: please report it with the output of `gradus env`; RUST_BACKTRACE=1 shows more");
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            default_hook(info);
        }
    }));
    panic::catch_unwind(work).unwrap_or(ExitCode::Bug).into()
}

fn work() -> ExitCode {
    let args = args::normalise(std::env::args_os());
    let parsed = Cli::command()
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; a reader that has seen enough is no error.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done };
        }
    };
    let printer = Printer::new(cli.global.format());
    if let Some(threads) = cli.global.threads
        && let Err(reason) = start_threads(threads.get())
    {
        let message = format!("--threads {threads}: cannot start so many threads: {reason}");
        return fail(&Failure::usage(message));
    }
    let answer = match cli.command {
        Some(command) => command.run(&cli.global),
        None => Ok(Output::text(FIRST_STEPS)),
    };
    match answer {
        Ok(output) => printer.print(&output),
        Err(failure) => fail(&failure),
    }
}

/// Starts the threads of `--threads`; the error says why there cannot be so many.
fn start_threads(threads: usize) -> Result<(), String> {
    /// What the standard library gives a thread for its stacks, generously.
    const STACK: usize = 9 << 18;
    // A thread that finds no room for its second stack ends the program, so that the room
    // for all is asked for at once, before the first is started.
    Vec::<u8>::new()
        .try_reserve_exact(threads.saturating_mul(STACK))
        .map_err(|_| "there is not enough memory for their stacks".to_owned())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().map_err(|error| error.to_string())
}

/// What `gradus` alone says.
const FIRST_STEPS: &str = "\
gradus measures how far easy supervision carries.
  gradus run easy-to-hard         train, sample, select and report; about two minutes
  gradus search rows.jsonl        selection curves of your own samples
  gradus tasks sample signed-running-totals --level 4
  gradus list                     what there is
  gradus help                     all commands; `gradus help run` explains one";
