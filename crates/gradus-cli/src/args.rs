use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::{Args, Parser};

use crate::commands::Command;
use crate::exit_code;
use crate::output::Format;
use crate::progress::Shown;

/// How far does easy supervision carry?
///
/// gradus trains a generator and evaluators on easy problems, samples answers to hard
/// ones, selects among them, and reports what the evaluators were worth there.
#[derive(Debug, Parser)]
#[command(
    name = "gradus",
    version = version(),
    after_long_help = exit_code::LISTING,
    max_term_width = 100,
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Form of the answer on standard output; everything else goes to standard error.
    #[arg(long, global = true, value_enum, value_name = "FORM")]
    format: Option<Format>,
    /// Short for `--format json`.
    #[arg(long, global = true, conflicts_with_all = ["format", "quiet"])]
    json: bool,
    /// Short for `--format quiet`; progress is not shown either.
    #[arg(short, long, global = true, conflicts_with = "format")]
    quiet: bool,
    /// Show finished stages, but no bar and no counts.
    #[arg(long, global = true)]
    no_progress: bool,
    /// Threads to compute with; RAYON_NUM_THREADS or all cores by default. Results do not depend on it.
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

impl Global {
    pub(crate) fn format(&self) -> Format {
        match (self.json, self.quiet) {
            (true, _) => Format::Json,
            (_, true) => Format::Quiet,
            _ => self.format.unwrap_or_default(),
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        match (self.format(), self.no_progress) {
            (Format::Quiet, _) => Shown::Nothing,
            (_, true) => Shown::Stages,
            _ => Shown::Progress,
        }
    }
}

/// `0.1.0 (1a2b3c4d5e6f)`, with a plus sign where the sources differed from the commit.
fn version() -> String {
    let tool = gradus_studies::tool();
    match tool.commit {
        Some(commit) => {
            let short = commit.get(..12).unwrap_or(&commit);
            format!("{} ({short}{})", tool.version, if tool.dirty { "+" } else { "" })
        }
        None => tool.version,
    }
}

/// The command line as it was given, program first.
pub(crate) fn given() -> Vec<String> {
    std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect()
}

/// `_` in the names of long flags becomes `-`, as users of `lm_eval` and `trl` type them;
/// values, and what comes after a bare `--`, stay as they are.
pub(crate) fn normalise(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut over = false;
    let kebab = |arg: OsString| {
        over |= arg == "--";
        let Some(flag) = arg.to_str().filter(|text| !over && text.starts_with("--")) else {
            return arg;
        };
        match flag.split_once('=') {
            Some((name, value)) => format!("{}={value}", name.replace('_', "-")).into(),
            None => flag.replace('_', "-").into(),
        }
    };
    args.into_iter().map(kebab).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_the_names_of_long_flags_become_kebab() {
        let check = |args: &[&str], expected: &[&str]| {
            assert_eq!(normalise(args.iter().map(OsString::from)), *expected);
        };
        check(&["run", "my_recipe", "--dry_run"], &["run", "my_recipe", "--dry-run"]);
        check(&["--set=a_b=c_d", "--set", "a_b=1"], &["--set=a_b=c_d", "--set", "a_b=1"]);
        check(&["--no_progress", "--", "--a_b"], &["--no-progress", "--", "--a_b"]);
        check(&["--num_x=a_b", "-q_q"], &["--num-x=a_b", "-q_q"]);
    }

    #[test]
    fn json_and_quiet_are_short_for_formats() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["gradus"], args].concat());
        assert_eq!(parse(&["env", "--json"]).unwrap().global.format(), Format::Json);
        assert_eq!(parse(&["-q", "env"]).unwrap().global.format(), Format::Quiet);
        assert_eq!(parse(&["env"]).unwrap().global.format(), Format::Human);
        assert!(parse(&["env", "--json", "-q"]).is_err());
    }
}
