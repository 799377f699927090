use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus::data::{self, Completion, Problem};
use gradus::verify;
use serde::Serialize;
use serde_json::Value;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Turn another tool's file, or a public set of problems, into rows
///
/// gsm8k-solutions is `example_model_solutions.jsonl` of openai/grade-school-math: one
/// problem a line with the solutions of several models inside. It becomes
/// `problems.jsonl` (level: the number of gold steps) and `completions.jsonl`.
///
/// The other forms are sets of problems and become `problems.jsonl`:
///   gsm8k            question, answer as a solution that ends in `#### ANSWER`
///   math             problem, solution, level, subject or type; answer, or the last box
///   question-answer  question and answer, as several sets name them
///   multiple-choice  question, choices, answer as a label, index, letter or text
/// What a row holds beyond that stays in its metadata; a row without an id gets one.
///
/// Examples:
///   gradus import gsm8k-solutions example_model_solutions.jsonl --out gsm8k
///   gradus search gsm8k/completions.jsonl --problems gsm8k/problems.jsonl
///   gradus import math test.jsonl --out math500
///   gradus import gsm8k-solutions example_model_solutions.jsonl --out - | head -n 1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What the file is.
    #[arg(value_enum)]
    form: Form,
    /// The file; `-` is standard input. May be compressed with gzip or zstd.
    file: PathBuf,
    /// Folder for the rows; `-` prints the completions, or the problems of a set.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Solutions of several models to GSM8K problems, nested by problem.
    Gsm8kSolutions,
    /// Problems of GSM8K.
    Gsm8k,
    /// Problems of MATH.
    Math,
    /// Questions with their answers.
    QuestionAnswer,
    /// Multiple choice.
    MultipleChoice,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    rows: usize,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let (problems, completions) = read(args)?;
    if args.out == Path::new("-") {
        return Ok(match &completions {
            Some(completions) => printed(completions),
            None => printed(&problems),
        });
    }
    std::fs::create_dir_all(&args.out).map_err(|error| {
        Failure::usage(format!("cannot create {}: {error}", args.out.display()))
    })?;
    let mut written = vec![write(&args.out.join("problems.jsonl"), &problems)?];
    if let Some(completions) = &completions {
        written.push(write(&args.out.join("completions.jsonl"), completions)?);
    }
    let line = |written: &Written| format!("{}: {} rows", written.file.display(), written.rows);
    Ok(Output {
        human: vec![Block::Text(written.iter().map(line).collect::<Vec<_>>().join("\n"))],
        json: written.iter().map(json_line).collect(),
        quiet: written.iter().map(|written| written.file.display().to_string()).collect(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    })
}

/// The problems, and the completions where the form has some.
fn read(args: &Args) -> Result<(Vec<Problem>, Option<Vec<Completion>>), Failure> {
    let problems = match args.form {
        Form::Gsm8kSolutions => {
            let authored = data::gsm8k_solutions(&args.file)?;
            let (problems, completions): (Vec<Problem>, Vec<Vec<Completion>>) =
                authored.into_iter().map(|row| (row.problem, row.completions)).unzip();
            return Ok((problems, Some(completions.concat())));
        }
        Form::Gsm8k => data::gsm8k_problems(&args.file)?,
        Form::Math => {
            let mut problems = data::math_problems(&args.file)?;
            for problem in &mut problems {
                answer_from_box(problem)?;
            }
            problems
        }
        Form::QuestionAnswer => data::question_answers(&args.file)?,
        Form::MultipleChoice => data::multiple_choice(&args.file)?,
    };
    Ok((problems, None))
}

/// The answer in the last box of the solution, where the row states none.
fn answer_from_box(problem: &mut Problem) -> Result<(), Failure> {
    if problem.answer.is_some() {
        return Ok(());
    }
    let boxed = verify::extraction("boxed").map_or(&[][..], std::slice::from_ref);
    let solution = problem.metadata.get("solution").and_then(Value::as_str).unwrap_or_default();
    let Some(answer) = verify::extract(solution, boxed) else {
        let message = format!(
            "problem {:?}: solution: found no whole \\boxed{{...}}, expected one where there is no answer",
            problem.id
        );
        return Err(Failure::rows(message));
    };
    problem.answer = Some(answer.into_owned());
    Ok(())
}

fn write<R: Serialize>(file: &Path, rows: &[R]) -> Result<Written, Failure> {
    data::write_all(file, rows)?;
    Ok(Written { file: file.to_owned(), rows: rows.len() })
}

/// Rows are data for the next program whatever the format is.
fn printed<R: Serialize>(rows: &[R]) -> Output {
    let lines: Vec<String> = rows.iter().map(data::to_line).collect();
    Output {
        human: vec![Block::Text(lines.join("\n"))],
        quiet: lines.clone(),
        json: lines,
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}
