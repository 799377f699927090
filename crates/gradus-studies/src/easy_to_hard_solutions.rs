//! Easy to hard on rows that no one here wrote: four models' solutions of the GSM8K
//! test problems (Cobbe et al. 2021, arXiv 2110.14168, section 4: `example_model_solutions.jsonl`).
//!
//! An outcome evaluator (section 4.2's verifier, at a size that trains on two cores)
//! learns from solutions to easy problems only and re-ranks the solutions to hard ones.
//! The trap is the authorship: the four models differ in skill and in style, so an
//! evaluator that has merely learned who wrote a solution looks good. The yardstick
//! is therefore the vote weighted by each author's accuracy on easy problems.

mod config;
mod page;
mod results;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use gradus::data::{self, Completion, Problem, Verdict};
use gradus::lm::Reward;
use gradus::report::Page;
use gradus::run::{Override, Recipe, RecipeError, Resolved, Run, Stage, Stream};
use gradus::verify;
use gradus_model::{ByteTokenizer, LocalModel};
use gradus_train::{StepwiseRow, orm};
use serde_json::{Value, json};

use self::config::Config;
use crate::sampling::{SCORES, ToJudge, judge, read_json, write_json};
use crate::{PlannedStage, Study, StudyError};

/// The study.
pub(crate) struct EasyToHardSolutions;

const PROBLEMS: &str = "problems.jsonl";
const COMPLETIONS: &str = "completions.jsonl";
const SUMMARY: &str = "summary.json";
const MODEL: &str = "model";

impl Study for EasyToHardSolutions {
    fn name(&self) -> &'static str {
        "easy-to-hard-solutions"
    }

    fn summary(&self) -> &'static str {
        "an outcome evaluator trained on easy word problems re-ranks real solutions to hard ones"
    }

    fn resolve(
        &self,
        recipe: &Recipe,
        overrides: &[Override],
    ) -> Result<Resolved<Value>, RecipeError> {
        crate::resolve::<Config>(recipe, overrides)
    }

    fn plan(&self, config: &Value) -> Result<Vec<PlannedStage>, StudyError> {
        Ok(Config::read(config)?.plan())
    }

    fn check_inputs(&self, config: &Value) -> Result<(), StudyError> {
        Ok(data::gsm8k_solutions(Config::read(config)?.solutions).map(drop)?)
    }

    fn run(&self, config: &Value, run: &Run) -> Result<Value, StudyError> {
        let config = Config::read(config)?;

        // Rows: every solution is graded by its `A:` line against the gold answer.
        let file = run.input(Path::new(&config.solutions))?;
        let rows = import(&config, run, &file)?;
        let problems: Vec<Problem> = data::read_all(rows.path(PROBLEMS))?;
        let completions: Vec<Completion> = data::read_all(rows.path(COMPLETIONS))?;

        // Easy problems, by the number of gold steps; a part is held out to judge the evaluator on.
        let (train, held_out) = split(&config, &problems);
        let evaluator = train_evaluator(&config, run, &rows, &problems, &completions, &train)?;
        let scores = score(run, &rows, &evaluator, &problems, &completions)?;
        run.link(&rows, PROBLEMS, PROBLEMS)?;
        run.link(&rows, COMPLETIONS, "samples.jsonl")?;
        run.link(&scores, SCORES, SCORES)?;

        let scores: Vec<gradus::data::StepScores> = data::read_all(scores.path(SCORES))?;
        let results =
            results::results(&config, &problems, &completions, &scores, &train, &held_out)?;
        let summary: Value = read_json(&evaluator, SUMMARY)?;
        Ok(serde_json::to_value(results::Results { training: summary, ..results })?)
    }

    fn page(&self, results: &Value, record: &Value) -> Result<Page, StudyError> {
        page::page(results, record)
    }
}

/// The nested file as problem and completion rows, with a verdict on each.
fn import(config: &Config, run: &Run, file: &Stage) -> Result<Stage, StudyError> {
    let settings = json!({"limit": config.limit});
    run.stage("rows", &[file], &settings, |work| {
        let (extraction, mode) = (verify::extraction("a-line"), verify::mode("gsm8k"));
        let (Some(extraction), Some(mode)) = (extraction, mode) else {
            return Err(StudyError::Config("the grader has no a-line or no gsm8k mode".to_owned()));
        };
        let mut rows = data::gsm8k_solutions(file.path(&file.name))?;
        rows.truncate(config.limit.unwrap_or(usize::MAX));
        let (mut problems, mut completions) = (Vec::new(), Vec::new());
        for row in rows {
            let gold = row.problem.answer.clone().unwrap_or_default();
            for mut completion in row.completions {
                let grade = verify::grade(&gold, &completion.text, &[*extraction], mode);
                let correct = grade.verdict == Verdict::Correct;
                completion.metadata.insert("answer".to_owned(), json!(grade.answer));
                completion.metadata.insert("correct".to_owned(), json!(correct));
                completion.metadata.insert("verdict".to_owned(), json!(grade.verdict));
                completions.push(completion);
            }
            problems.push(row.problem);
        }
        data::write_all(work.path(PROBLEMS), &problems)?;
        Ok::<(), StudyError>(data::write_all(work.path(COMPLETIONS), &completions)?)
    })
}

/// Ids of the easy problems that the evaluator learns from, and of those held out.
fn split(config: &Config, problems: &[Problem]) -> (HashSet<String>, HashSet<String>) {
    let mut easy: Vec<String> = problems
        .iter()
        .filter(|problem| problem.level.is_some_and(|steps| steps <= config.easy_steps))
        .map(|problem| problem.id.clone())
        .collect();
    Stream::new(config.seed, &["held-out"]).shuffle(&mut easy);
    let held_out = (easy.len() as f64 * config.held_out).round() as usize;
    let train = easy.split_off(held_out.min(easy.len()));
    (train.into_iter().collect(), easy.into_iter().collect())
}

fn question(problem: &Problem) -> String {
    format!("{}\n", problem.question)
}

fn train_evaluator(
    config: &Config,
    run: &Run,
    rows: &Stage,
    problems: &[Problem],
    completions: &[Completion],
    train: &HashSet<String>,
) -> Result<Stage, StudyError> {
    let mut training = config.evaluator.clone();
    training.train.seed = config.seed;
    let settings = json!({
        "seed": config.seed, "model": config.model, "training": training,
        "easy_steps": config.easy_steps, "held_out": config.held_out,
    });
    run.stage("orm", &[rows], &settings, |work| {
        let questions: BTreeMap<&str, String> =
            problems.iter().map(|problem| (problem.id.as_str(), question(problem))).collect();
        let rows: Vec<StepwiseRow> = completions
            .iter()
            .filter(|row| train.contains(&row.problem) && !row.steps.is_empty())
            .map(|row| {
                let correct = row.metadata["correct"] == true;
                StepwiseRow {
                    problem: row.problem.clone(),
                    sample: row.sample,
                    prompt: questions[row.problem.as_str()].clone(),
                    completion: row.text.clone(),
                    steps: row.steps.clone(),
                    labels: Vec::new(),
                    correct: Some(correct),
                }
            })
            .collect();
        let tokenizer = ByteTokenizer {};
        let shape = config.model;
        let mut stream = Stream::new(config.seed, &["orm", "init"]);
        let mut model = LocalModel::new(shape, tokenizer.into(), &mut stream)?;
        let summary = orm::run(&mut model, &rows, &training, work)?;
        model.save(&work.path(MODEL))?;
        write_json(work, SUMMARY, &summary)
    })
}

fn score(
    run: &Run,
    rows: &Stage,
    evaluator: &Stage,
    problems: &[Problem],
    completions: &[Completion],
) -> Result<Stage, StudyError> {
    run.stage("scores", &[rows, evaluator], &json!({}), |work| {
        let model: Box<dyn Reward> = Box::new(LocalModel::load(&evaluator.path(MODEL))?);
        let questions: HashMap<&str, Arc<str>> = problems
            .iter()
            .map(|problem| (problem.id.as_str(), question(problem).into()))
            .collect();
        let rows = completions
            .iter()
            .filter(|row| !row.steps.is_empty())
            .map(|row| ToJudge {
                problem: row.problem.clone(),
                sample: row.sample,
                prompt: questions[row.problem.as_str()].clone(),
                text: row.text.clone(),
                steps: row.steps.clone(),
            })
            .collect();
        judge(work, model.as_ref(), "orm", rows)
    })
}
