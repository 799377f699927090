/// How the program ends. Scripts may rely on these numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Done.
    Done = 0,
    /// Done, but a stated expectation failed: `--fail-under`, `compare` found a regression, or
    /// the respondents are too few for the model of `difficulty fit`.
    ExpectationFailed = 1,
    /// The command line or a recipe is wrong, or a file cannot be written; nothing was damaged.
    Usage = 2,
    /// Input rows are wrong or missing.
    Rows = 3,
    /// Finished, but some rows failed; `--resume` tries them again.
    FailedRows = 4,
    /// A model or a server is unavailable.
    Unavailable = 5,
    /// A bug in gradus.
    Bug = 70,
    /// Interrupted; a run can be resumed.
    Interrupted = 130,
}

/// The exit codes as `gradus --help` lists them.
pub(crate) const LISTING: &str = "\
Exit codes:
  0    done
  1    done, but a stated expectation failed (--fail-under, compare found a regression,
       difficulty fit has too few respondents for its model)
  2    the command line or a recipe is wrong, or a file cannot be written
  3    input rows are wrong or missing
  4    finished, but some rows failed; --resume tries them again
  5    a model or a server is unavailable
  70   a bug in gradus
  130  interrupted; a run can be resumed";

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
