//! The studies, one file each. A study is Rust that reads top to bottom: it
//! declares its config, runs its stages and lays out its page.
//!
//! Studies reach models through the traits of [`gradus::lm`] only; trainers are
//! functions that turn rows and a model into a model.

mod easy_to_hard;
mod easy_to_hard_solutions;
mod error;
mod record;
mod sampling;

use gradus::report::Page;
use gradus::run::{Override, Recipe, RecipeError, Resolved, Run, Tool};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::StudyError;

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
pub const ALL: &[&dyn Study] =
    &[&easy_to_hard::EasyToHard, &easy_to_hard_solutions::EasyToHardSolutions];

/// Every built-in recipe: its name and its TOML text.
pub const RECIPES: &[(&str, &str)] = &[
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
