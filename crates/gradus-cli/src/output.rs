use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use gradus::report::{self, Page, Table};
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// The form in which answers are printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and prose for people.
    #[default]
    Human,
    /// One JSON object a line, nothing rounded.
    Json,
    /// The bare essential: a name or a path a line.
    Quiet,
}

/// A command's answer in all of its forms; only the [`Printer`] decides which is shown.
#[derive(Debug)]
pub(crate) struct Output {
    /// What people read.
    pub(crate) human: Vec<Block>,
    /// One JSON value a line, from [`json_line`].
    pub(crate) json: Vec<String>,
    /// One item a line.
    pub(crate) quiet: Vec<String>,
    /// Talk for people, on standard error: where files are, what to do next.
    pub(crate) notes: Vec<String>,
    /// How the program ends.
    pub(crate) exit: ExitCode,
}

/// One line of JSON, fields in the order in which they are declared.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("answers are plain data")
}

/// A piece of what people read.
#[derive(Debug)]
pub(crate) enum Block {
    /// Text as it is.
    Text(String),
    /// A table, fitted to the terminal.
    Table(Table),
    /// A report page, fitted to the terminal.
    Page(Page),
}

impl Output {
    /// Text that reads the same in every form, as a script is.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            json: vec![json_line(&text)],
            quiet: vec![text.clone()],
            human: vec![Block::Text(text)],
            notes: Vec::new(),
            exit: ExitCode::Done,
        }
    }
}

/// The one place that writes answers and errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    format: Format,
    width: usize,
}

/// Widest that prose and tables get: longer lines are hard to read.
const WIDEST: usize = 110;

impl Printer {
    pub(crate) fn new(format: Format) -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
        let terminal = || io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
        let width = columns
            .or_else(|| terminal().map(|(width, _)| usize::from(width.0)))
            .unwrap_or(WIDEST)
            .clamp(40, WIDEST);
        Self { format, width }
    }

    /// Data to standard output, talk to standard error.
    pub(crate) fn print(&self, output: &Output) -> ExitCode {
        let mut text = String::new();
        match self.format {
            Format::Human => {
                for block in &output.human {
                    text.push_str(&self.block(block));
                }
            }
            Format::Json => {
                for line in &output.json {
                    text.push_str(line);
                    text.push('\n');
                }
            }
            Format::Quiet => {
                for line in &output.quiet {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        let mut stdout = io::stdout().lock();
        match written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())) {
            Ok(true) => {}
            // The reader has seen enough, as `head` does.
            Ok(false) => return ExitCode::Done,
            Err(failure) => return fail(&failure),
        }
        if self.format == Format::Human {
            for note in &output.notes {
                talk(note);
            }
        }
        output.exit
    }

    fn block(&self, block: &Block) -> String {
        match block {
            Block::Text(text) if text.ends_with('\n') || text.is_empty() => text.clone(),
            Block::Text(text) => format!("{text}\n"),
            Block::Table(table) => report::table_text(table, self.width),
            Block::Page(page) => report::text(page, self.width),
        }
    }
}

/// Rows of an answer that is too long to be held, written as they come.
#[derive(Debug)]
pub(crate) struct RowWriter(io::BufWriter<io::Stdout>);

impl RowWriter {
    pub(crate) fn new() -> Self {
        Self(io::BufWriter::with_capacity(1 << 16, io::stdout()))
    }

    /// Adds a line; false where the reader has seen enough, as `head` does.
    pub(crate) fn write(&mut self, line: &str) -> Result<bool, Failure> {
        written(self.0.write_all(line.as_bytes()).and_then(|()| self.0.write_all(b"\n")))
    }

    pub(crate) fn flush(&mut self) -> Result<bool, Failure> {
        written(self.0.flush())
    }
}

fn written(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::usage(format!("cannot write to standard output: {error}"))),
    }
}

/// A failure, in every format as sentences on standard error.
pub(crate) fn fail(failure: &Failure) -> ExitCode {
    let label = |name: &str, color: AnsiColor| {
        let style = Style::new().bold().fg_color(Some(color.into()));
        format!("{style}{name}:{style:#}")
    };
    talk(&format!("{} {}", label("error", AnsiColor::Red), failure.message));
    for cause in &failure.causes {
        talk(&format!("  caused by: {cause}"));
    }
    if let Some(hint) = &failure.hint {
        talk(&format!("{} {hint}", label("hint", AnsiColor::Cyan)));
    }
    failure.exit
}

/// One line to standard error; colour goes where it is not wanted (`NO_COLOR`, a file).
/// Nobody is left to tell when standard error is gone.
pub(crate) fn talk(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
