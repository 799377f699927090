use clap::Subcommand;
use gradus::data::Problem;
use gradus::run::Stream;
use gradus::tasks::{self, StepCheck};
use serde::Serialize;
use serde_json::{Map, Value};

use super::list::{self, Kind};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Look at the procedural task families.
///
/// A family draws problems of graded difficulty without end and checks any answer,
/// and every step of a solution, exactly.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The families, their levels and parameters.
    List,
    Sample(Sample),
}

/// Draw problems of one level and show them with their solutions and the checker's verdicts
///
/// Examples:
///   gradus tasks sample signed-running-totals --level 4 --n 5
///   gradus tasks sample signed-running-totals --level 1 --set slots=6 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Sample {
    /// Name of the family; `gradus tasks list` shows them.
    family: String,
    /// Level; small is easy.
    #[arg(long, default_value_t = 1, value_name = "L")]
    level: u32,
    /// Number of problems.
    #[arg(long, default_value_t = 3, value_name = "N")]
    n: usize,
    /// Seed of the draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A parameter of the family, as JSON; may be given again.
    #[arg(long, value_name = "PARAMETER=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    match &args.command {
        Command::List => Ok(list::output(&list::rows(Some(Kind::Tasks)))),
        Command::Sample(sample) => draw(sample),
    }
}

/// One drawn problem as a line of JSON.
#[derive(Serialize)]
struct Drawn<'a> {
    problem: &'a Problem,
    solution: &'a str,
    steps: Vec<Step<'a>>,
    answer: Option<&'a str>,
    correct: bool,
    structure: String,
}

#[derive(Serialize)]
struct Step<'a> {
    text: &'a str,
    kind: &'a str,
    valid: bool,
}

fn draw(sample: &Sample) -> Result<Output, Failure> {
    let parameters = parameters(&sample.set)?;
    let family = (tasks::find(&sample.family)?.build)(&parameters)?;
    let mut text = String::new();
    let mut output = Output {
        human: Vec::new(),
        json: Vec::new(),
        quiet: Vec::new(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    };
    for index in 0..sample.n {
        let name = format!("sample-{index:06}");
        let mut stream = Stream::new(sample.seed, &["tasks", family.name(), &name]);
        let mut problem = family.sample(sample.level, &mut stream)?;
        problem.id = name;
        let solution = family.solution(&problem)?;
        let check = family.check(&problem, &solution, true)?;
        let kinds = family.step_kinds(&problem)?;
        let drawn = Drawn {
            solution: &solution,
            steps: steps(&solution, &check, &kinds),
            answer: check.answer.as_deref(),
            correct: check.correct,
            structure: family.structure(&problem)?,
            problem: &problem,
        };
        text.push_str(&human(&drawn));
        output.json.push(json_line(&drawn));
        output.quiet.push(problem.question.clone());
    }
    output.human.push(Block::Text(text));
    Ok(output)
}

fn steps<'a>(solution: &'a str, check: &StepCheck, kinds: &[&'a str]) -> Vec<Step<'a>> {
    let spans = check.steps.iter().zip(&check.valid).zip(kinds);
    spans
        .map(|((span, &valid), &kind)| Step {
            text: solution[span.start..span.end].trim_end(),
            kind,
            valid,
        })
        .collect()
}

fn human(drawn: &Drawn<'_>) -> String {
    let mut text = format!(
        "{}, level {}\n  question  {}\n",
        drawn.problem.id,
        drawn.problem.level.unwrap_or_default(),
        drawn.problem.question
    );
    for (index, step) in drawn.steps.iter().enumerate() {
        let head = if index == 0 { "solution" } else { "" };
        let verdict = if step.valid { "valid" } else { "wrong" };
        text.push_str(&format!("  {head:<8}  {:<6}  {verdict}  {}\n", step.text, step.kind));
    }
    let answer = drawn.answer.unwrap_or("none");
    let verdict = if drawn.correct { "correct" } else { "incorrect" };
    text.push_str(&format!("  answer    {answer} ({verdict})\n\n"));
    text
}

/// The parameters that `--set` gives, as the JSON object that a family is built from.
fn parameters(set: &[String]) -> Result<Value, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--set {text}: expected PARAMETER=VALUE, as --set slots=6"))
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok((name.trim().to_owned(), value))
    };
    Ok(Value::Object(set.iter().map(pair).collect::<Result<Map<_, _>, Failure>>()?))
}
