use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus::data::{self, Completion, Problem};
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Turn another tool's file into rows
///
/// gsm8k-solutions is `example_model_solutions.jsonl` of openai/grade-school-math: one
/// problem a line with the solutions of several models inside. It becomes
/// `problems.jsonl` (level: the number of gold steps) and `completions.jsonl`.
///
/// Examples:
///   gradus import gsm8k-solutions example_model_solutions.jsonl --out gsm8k
///   gradus search gsm8k/completions.jsonl --problems gsm8k/problems.jsonl
///   gradus import gsm8k-solutions example_model_solutions.jsonl --out - | head -n 1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What the file is.
    #[arg(value_enum)]
    form: Form,
    /// The file; `-` is standard input. May be compressed with gzip or zstd.
    file: PathBuf,
    /// Folder for the rows; `-` prints the completions.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Solutions of several models to GSM8K problems, nested by problem.
    Gsm8kSolutions,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    rows: usize,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let authored = match args.form {
        Form::Gsm8kSolutions => data::gsm8k_solutions(&args.file)?,
    };
    let (problems, completions): (Vec<Problem>, Vec<Vec<Completion>>) =
        authored.into_iter().map(|row| (row.problem, row.completions)).unzip();
    let completions = completions.concat();
    if args.out == Path::new("-") {
        return Ok(printed(&completions));
    }
    std::fs::create_dir_all(&args.out).map_err(|error| {
        Failure::usage(format!("cannot create {}: {error}", args.out.display()))
    })?;
    let written = [
        write(&args.out.join("problems.jsonl"), &problems)?,
        write(&args.out.join("completions.jsonl"), &completions)?,
    ];
    let line = |written: &Written| format!("{}: {} rows", written.file.display(), written.rows);
    Ok(Output {
        human: vec![Block::Text(written.iter().map(line).collect::<Vec<_>>().join("\n"))],
        json: written.iter().map(json_line).collect(),
        quiet: written.iter().map(|written| written.file.display().to_string()).collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}

fn write<R: Serialize>(file: &Path, rows: &[R]) -> Result<Written, Failure> {
    data::write_all(file, rows)?;
    Ok(Written { file: file.to_owned(), rows: rows.len() })
}

/// Rows are data for the next program whatever the format is.
fn printed(completions: &[Completion]) -> Output {
    let lines: Vec<String> = completions.iter().map(data::to_line).collect();
    Output {
        human: vec![Block::Text(lines.join("\n"))],
        quiet: lines.clone(),
        json: lines,
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}
