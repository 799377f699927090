//! Easy-to-hard generalization on procedural tasks (Sun et al. 2024, arXiv 2403.09472,
//! sections 3-4), small enough to run from nothing on two cores.
//!
//! Easy: levels 1-3, where solutions and the step checker may be used for training.
//! Hard: the levels above, where only questions are used until the final count.
//!
//! Departures from the paper: a procedural task whose exact checker stands for the
//! human labels; step labels are local (does the line follow from the line before,
//! as written) with an auxiliary language-model loss, because a model this small
//! learns nothing useful from prefix-correct labels alone (the recipe
//! `easy-to-hard-standard` shows that row); intervals include problem sampling,
//! not only resampling noise; no checkpoint is selected on hard labels, or at all.

mod config;
mod outcomes;
mod page;
mod results;

use std::collections::HashMap;
use std::sync::Arc;

use gradus::data::{self, Problem};
use gradus::lm::{Generate, Reward};
use gradus::report::Page;
use gradus::run::{Override, Recipe, RecipeError, Resolved, Run, Stage, Stream, Work};
use gradus::tasks::{self, SetSpec, TaskFamily};
use gradus_model::{LocalModel, SymbolTokenizer};
use gradus_train::{PromptCompletion, StepwiseRow, oprm, orm, prm, rest_em, sft};
use serde_json::{Value, json};

use self::config::{Config, Evaluator};
use self::outcomes::Tested;
use crate::sampling::{
    CheckedSample, Draws, SAMPLES, ToJudge, judge, prompt, sample_and_check, write_json,
};
use crate::{PlannedStage, Study, StudyError};

/// File of the problems stage: structural overlap of test with training sets.
const OVERLAP: &str = "overlap.json";
/// File of a training stage: the trainer's summary.
const SUMMARY: &str = "summary.json";
/// Folder of a stage that holds its model.
const MODEL: &str = "model";

/// The study.
pub(crate) struct EasyToHard;

impl Study for EasyToHard {
    fn name(&self) -> &'static str {
        "easy-to-hard"
    }

    fn summary(&self) -> &'static str {
        "evaluators trained on easy levels re-rank a generator's answers to hard ones"
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

    fn run(&self, config: &Value, run: &Run) -> Result<Value, StudyError> {
        let config = Config::read(config)?;
        let family = config.family()?;
        let mut selections = Vec::new();
        for seed in config.seed..config.seed + config.seeds {
            selections.push(one_seed(&config, family.as_ref(), seed, run)?);
        }
        results::reduce(&config, &selections)
    }

    fn page(&self, results: &Value, record: &Value) -> Result<Page, StudyError> {
        page::page(results, record)
    }
}

/// Everything of one seed, from problems to the outcome of every selection.
fn one_seed(
    config: &Config,
    family: &dyn TaskFamily,
    seed: u64,
    run: &Run,
) -> Result<Stage, StudyError> {
    let study = OneSeed { config, family, seed, run };

    // Problems: five sets without a common prompt.
    let problems = study.problems()?;

    // Generators. All three learn from solved problems; only the ceiling sees hard ones.
    let generator = study.generator("generator", &problems, "generator_train", None)?;

    // What evaluators learn from: the generator's own samples of easy problems, checked step by step.
    let samples = study.sample(
        "evaluator",
        &generator,
        &problems,
        "evaluator_train",
        config.evaluator_samples,
    )?;

    // The generator's side of the comparison gets the very same samples and labels.
    let rest_em = study.rest_em(&generator, &problems, &samples)?;

    let mut generators = vec![("sft", generator.clone()), ("rest-em", rest_em)];
    if config.ceiling {
        generators
            .push(("all-levels", study.generator("all-levels", &problems, "all_train", None)?));
    }
    if config.converged_epochs > 0 {
        let epochs = Some(config.converged_epochs);
        generators.push((
            "converged",
            study.generator("converged", &problems, "generator_train", epochs)?,
        ));
    }

    // Evaluators.
    let mut evaluators = Vec::new();
    for &kind in &config.evaluators {
        evaluators.push((kind, study.evaluator(kind, &generator, &problems, &samples)?));
    }

    // The test: nothing below is ever trained on.
    let mut tested = Vec::new();
    for (name, model) in &generators {
        for set in ["easy", "hard"] {
            // The other generators are rows of the hard table; their easy side is greedy only.
            let main = *name == "sft";
            let test = format!("{set}_test");
            let greedy = Draws { n: 1, temperature: 0.0, top_k: 0 };
            let greedy =
                study.sample(&format!("{name}-{set}-greedy"), model, &problems, &test, greedy)?;
            let draws = if set == "easy" { config.easy_samples } else { config.hard_samples };
            if !main && set == "easy" {
                tested.push(Tested {
                    generator: name,
                    set,
                    greedy,
                    samples: None,
                    scores: Vec::new(),
                });
                continue;
            }
            let samples = study.sample(&format!("{name}-{set}"), model, &problems, &test, draws)?;
            let mut scores = Vec::new();
            for (index, (kind, evaluator)) in evaluators.iter().enumerate() {
                // Every evaluator judges the generator it was made for; the headline one judges all.
                if main || index == 0 {
                    let stage = format!("{name}-{set}-{}", kind.name());
                    scores
                        .push((*kind, study.judge(&stage, evaluator, &problems, &test, &samples)?));
                }
            }
            tested.push(Tested { generator: name, set, greedy, samples: Some(samples), scores });
        }
    }
    let mut trained: Vec<(&str, &Stage)> =
        generators.iter().map(|(name, stage)| (*name, stage)).collect();
    trained.extend(evaluators.iter().map(|(kind, stage)| (kind.name(), stage)));
    outcomes::select(&study, &problems, &tested, &trained)
}

/// The study for one seed.
struct OneSeed<'a> {
    config: &'a Config,
    family: &'a dyn TaskFamily,
    seed: u64,
    run: &'a Run,
}

impl OneSeed<'_> {
    fn stage_name(&self, name: &str) -> String {
        format!("{name}-seed{}", self.seed)
    }

    fn problems(&self) -> Result<Stage, StudyError> {
        let sizes = self.config.problems;
        let all: Vec<u32> = self.family.levels().collect();
        let easy: Vec<u32> = self.family.easy_levels().collect();
        let hard: Vec<u32> = all.iter().copied().filter(|level| !easy.contains(level)).collect();
        let set = |name: &str, levels: &[u32], count: usize| SetSpec {
            name: name.to_owned(),
            levels: levels.to_vec(),
            count,
        };
        let sets = [
            // Test sets first: no training set can push a problem out of them.
            set("easy_test", &easy, sizes.easy_test),
            set("hard_test", &hard, sizes.hard_test),
            set("generator_train", &easy, sizes.generator_train),
            set("evaluator_train", &easy, sizes.evaluator_train),
            set("all_train", &all, sizes.generator_train),
            set("all_evaluator_train", &all, sizes.evaluator_train),
        ];
        let config = json!({
            "seed": self.seed, "family": self.config.family, "task": self.config.task, "sizes": sizes,
        });
        self.run.stage(&self.stage_name("problems"), &[], &config, |work| {
            let drawn = tasks::sample_sets(self.family, &sets, self.seed)?;
            for (spec, problems) in sets.iter().zip(&drawn) {
                data::write_all(work.path(format!("{}.jsonl", spec.name)), problems)?;
            }
            let mut overlap = Vec::new();
            for (test, problems) in sets[..2].iter().zip(&drawn[..2]) {
                for (train, others) in sets[2..].iter().zip(&drawn[2..]) {
                    for (level, row) in tasks::overlap(self.family, problems, others)? {
                        overlap.push(outcomes::OverlapRow {
                            seed: self.seed,
                            test: test.name.clone(),
                            train: train.name.clone(),
                            level,
                            problems: row.problems as u64,
                            shared: row.shared as u64,
                        });
                    }
                }
            }
            write_json(work, OVERLAP, &overlap)
        })
    }

    /// Supervised fine-tuning from random weights on solved problems.
    fn generator(
        &self,
        name: &str,
        problems: &Stage,
        set: &str,
        epochs: Option<u32>,
    ) -> Result<Stage, StudyError> {
        let mut training = self.config.generator.clone();
        training.seed = self.seed;
        if let Some(epochs) = epochs {
            training.num_train_epochs = epochs;
        }
        let config = json!({"set": set, "model": self.config.model, "training": training});
        self.run.stage(&self.stage_name(name), &[problems], &config, |work| {
            let mut solved = Vec::new();
            for problem in read_set(problems, set)? {
                solved.push(PromptCompletion {
                    prompt: prompt(&problem),
                    completion: self.family.solution(&problem)?,
                });
            }
            let mut model = self.random_model(work, false)?;
            let summary = sft::run(&mut model, &solved, &training, work)?;
            model.save(&work.path(MODEL))?;
            write_json(work, SUMMARY, &summary)
        })
    }

    fn random_model(&self, work: &Work, value_head: bool) -> Result<LocalModel, StudyError> {
        let mut shape = self.config.model;
        shape.value_head = value_head;
        let tokenizer = SymbolTokenizer::new(self.family.symbols())?;
        let mut stream = Stream::new(self.seed, &[work.name(), "init"]);
        Ok(LocalModel::new(shape, tokenizer.into(), &mut stream)?)
    }

    fn sample(
        &self,
        name: &str,
        model: &Stage,
        problems: &Stage,
        set: &str,
        draws: Draws,
    ) -> Result<Stage, StudyError> {
        let limit = self.limit(set);
        let config = json!({"seed": self.seed, "set": set, "limit": limit, "draws": draws});
        let name = self.stage_name(&format!("{name}-samples"));
        self.run.stage(&name, &[model, problems], &config, |work| {
            let model: Box<dyn Generate> = Box::new(LocalModel::load(&model.path(MODEL))?);
            let problems = self.read_set(problems, set)?;
            sample_and_check(work, model.as_ref(), self.family, &problems, draws, self.seed)
        })
    }

    /// Test sets are drawn whole and cut when they are used: a shorter test trains nothing anew.
    fn limit(&self, set: &str) -> Option<usize> {
        self.config.limit.filter(|_| set.ends_with("_test"))
    }

    fn read_set(&self, problems: &Stage, set: &str) -> Result<Vec<Problem>, StudyError> {
        let mut rows = read_set(problems, set)?;
        rows.truncate(self.limit(set).unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// One round of ReST-EM (paper section 3.4): fine-tune on the samples that the checker accepts.
    fn rest_em(
        &self,
        generator: &Stage,
        problems: &Stage,
        samples: &Stage,
    ) -> Result<Stage, StudyError> {
        let mut training = self.config.rest_em.clone();
        training.train.seed = self.seed;
        let config = json!({"training": training});
        let name = self.stage_name("rest-em");
        self.run.stage(&name, &[generator, problems, samples], &config, |work| {
            let questions = prompts(problems, "evaluator_train")?;
            let rows = data::read_all::<CheckedSample>(samples.path(SAMPLES))?;
            let candidates: Vec<rest_em::Candidate> = rows
                .into_iter()
                .map(|row| rest_em::Candidate {
                    prompt: questions[&row.problem].to_string(),
                    problem: row.problem,
                    completion: row.text,
                    reward: f64::from(u8::from(row.correct)),
                })
                .collect();
            let mut model = LocalModel::load(&generator.path(MODEL))?;
            let summary = rest_em::run(&mut model, &candidates, &training, work)?;
            model.save(&work.path(MODEL))?;
            write_json(work, SUMMARY, &summary)
        })
    }

    /// Trains one evaluator.
    fn evaluator(
        &self,
        kind: Evaluator,
        generator: &Stage,
        problems: &Stage,
        samples: &Stage,
    ) -> Result<Stage, StudyError> {
        let set =
            if kind == Evaluator::PrmAllLevels { "all_evaluator_train" } else { "evaluator_train" };
        let all_levels;
        let samples = if kind == Evaluator::PrmAllLevels {
            let draws = self.config.evaluator_samples;
            all_levels = self.sample("all-levels-evaluator", generator, problems, set, draws)?;
            &all_levels
        } else {
            samples
        };
        let training = self.config.evaluator_training(kind, self.seed);
        let config = json!({"kind": kind, "model": self.config.model, "training": training});
        let name = self.stage_name(kind.name());
        self.run.stage(&name, &[generator, problems, samples], &config, |work| {
            let questions = prompts(problems, set)?;
            let rows = data::read_all::<CheckedSample>(samples.path(SAMPLES))?;
            let rows: Vec<StepwiseRow> = rows
                .into_iter()
                .filter(|row| !row.steps.is_empty())
                .map(|row| StepwiseRow {
                    prompt: questions[&row.problem].to_string(),
                    problem: row.problem,
                    sample: row.sample,
                    completion: row.text,
                    steps: row.steps,
                    labels: row.valid,
                    correct: Some(row.correct),
                })
                .collect();
            let rows = gradus_train::dedupe(rows);
            let mut model = if kind.is_from_scratch() {
                self.random_model(work, true)?
            } else {
                LocalModel::load(&generator.path(MODEL))?.with_value_head()?
            };
            let summary = match kind {
                Evaluator::Orm => {
                    orm::run(&mut model, &rows, &self.config.outcome_training(self.seed), work)?
                }
                Evaluator::Oprm => {
                    oprm::run(&mut model, &rows, &self.config.union_training(self.seed), work)?
                }
                _ => prm::run(&mut model, &rows, &training, work)?,
            };
            model.save(&work.path(MODEL))?;
            write_json(work, SUMMARY, &summary)
        })
    }

    /// Scores every sample of a test set with an evaluator.
    fn judge(
        &self,
        name: &str,
        evaluator: &Stage,
        problems: &Stage,
        set: &str,
        samples: &Stage,
    ) -> Result<Stage, StudyError> {
        let config = json!({"set": set});
        let label = name.to_owned();
        let name = self.stage_name(&format!("{name}-scores"));
        self.run.stage(&name, &[evaluator, problems, samples], &config, |work| {
            let model: Box<dyn Reward> = Box::new(LocalModel::load(&evaluator.path(MODEL))?);
            let questions = prompts(problems, set)?;
            let rows = data::read_all::<CheckedSample>(samples.path(SAMPLES))?;
            let rows = rows
                .into_iter()
                // A completion without an answer holds its slot and never wins: no score is needed.
                .filter(|row| row.answer.is_some())
                .map(|row| ToJudge {
                    prompt: questions[&row.problem].clone(),
                    problem: row.problem,
                    sample: row.sample,
                    text: row.text,
                    steps: row.steps,
                })
                .collect();
            judge(work, model.as_ref(), &label, rows)
        })
    }
}

/// Reads one of the problem sets back.
fn read_set(problems: &Stage, set: &str) -> Result<Vec<Problem>, StudyError> {
    Ok(data::read_all(problems.path(format!("{set}.jsonl")))?)
}

/// The text that models are shown, by problem id.
fn prompts(problems: &Stage, set: &str) -> Result<HashMap<String, Arc<str>>, StudyError> {
    let problems = read_set(problems, set)?;
    Ok(problems.into_iter().map(|problem| (problem.id.clone(), prompt(&problem).into())).collect())
}
