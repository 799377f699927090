//! The studies, one file each. A study is Rust that reads top to bottom: it
//! declares its config, runs its stages and lays out its page.
//!
//! Studies reach models through the traits of [`gradus::lm`] only; trainers are
//! functions that turn rows and a model into a model.

pub mod completions;
mod difficulty;
mod easy_to_hard;
mod easy_to_hard_solutions;
mod error;
pub mod log_probs;
mod models;
mod record;
mod sampling;

use gradus::report::Page;
use gradus::run::{Override, Recipe, RecipeError, Resolved, Run, Tool};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::StudyError;
pub use models::{Model, Opening};

/// One study: what `gradus run` runs.
pub trait Study: Sync {
    /// Name, as recipes give it in `study`.
    fn name(&self) -> &'static str;
    /// One line for `gradus list`.
    fn summary(&self) -> &'static str;
    /// Resolves and type-checks a recipe with its overrides.
    fn resolve(
        &self,
        recipe: &Recipe,
        overrides: &[Override],
    ) -> Result<Resolved<Value>, RecipeError>;
    /// The stages that a run would make, with their sizes.
    fn plan(&self, config: &Value) -> Result<Vec<PlannedStage>, StudyError>;
    /// Reads the files that the config names, to the last row; most studies need none.
    fn check_inputs(&self, _config: &Value) -> Result<(), StudyError> {
        Ok(())
    }
    /// Runs the study; the answer is what `results.json` holds.
    fn run(&self, config: &Value, run: &Run) -> Result<Value, StudyError>;
    /// The report of a finished run, from its `results.json` and `run.json`.
    fn page(&self, results: &Value, record: &Value) -> Result<Page, StudyError>;
}

/// One line of a plan.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PlannedStage {
    /// Name of the stage.
    pub name: String,
    /// Its size: problems, samples, training sequences.
    pub detail: String,
}

/// Every study.
pub const ALL: &[&dyn Study] = &[
    &difficulty::Difficulty,
    &easy_to_hard::EasyToHard,
    &easy_to_hard_solutions::EasyToHardSolutions,
];

/// Every built-in recipe: its name and its TOML text.
pub const RECIPES: &[(&str, &str)] = &[
    ("difficulty", include_str!("../recipes/difficulty.toml")),
    ("easy-to-hard", include_str!("../recipes/easy-to-hard.toml")),
    ("easy-to-hard-solutions", include_str!("../recipes/easy-to-hard-solutions.toml")),
    ("easy-to-hard-standard", include_str!("../recipes/easy-to-hard-standard.toml")),
];

/// What was built: version, commit and the hash of the sources.
pub fn tool() -> Tool {
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("GRADUS_COMMIT").map(str::to_owned),
        dirty: env!("GRADUS_DIRTY") == "true",
        sources: env!("GRADUS_SOURCES").to_owned(),
    }
}

/// Resolves against the study's config type and keeps the checked value.
fn resolve<C: Default + DeserializeOwned + Serialize>(
    recipe: &Recipe,
    overrides: &[Override],
) -> Result<Resolved<Value>, RecipeError> {
    let resolved = gradus::run::resolve::<C>(recipe, overrides)?;
    Ok(Resolved {
        config: resolved.value.clone(),
        value: resolved.value,
        origins: resolved.origins,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_resolves_and_has_a_plan() {
        for (name, text) in RECIPES {
            let recipe = Recipe::parse(name, &format!("{name}.toml"), text).unwrap();
            let study = ALL.iter().find(|study| study.name() == recipe.study).unwrap();
            let needed = match study.name() {
                "difficulty" => Some("responses=responses.csv"),
                "easy-to-hard-solutions" => Some("solutions=solutions.jsonl"),
                _ => None,
            };
            let overrides: Vec<Override> =
                needed.into_iter().map(|needed| Override::set(needed).unwrap()).collect();
            let resolved = study.resolve(&recipe, &overrides).unwrap();
            assert!(!study.plan(&resolved.value).unwrap().is_empty(), "{name}");
            assert!(!recipe.title.is_empty() && !recipe.analysis.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_met_with_the_nearest_one() {
        let (name, text) = RECIPES[1];
        let recipe = Recipe::parse(name, "easy-to-hard.toml", text).unwrap();
        let typed = [Override::set("hard_sample.n=4").unwrap()];
        let error = ALL[1].resolve(&recipe, &typed).unwrap_err().to_string();
        assert!(error.contains("hard_samples"), "{error}");
    }
}
