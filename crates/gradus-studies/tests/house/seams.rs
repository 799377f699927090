//! A seam is a folder with a table: to add a thing, one file and two lines.

use std::collections::BTreeSet;

use gradus::run::Recipe;

use crate::assert_none;
use crate::source::{files, has_extension, text, tokens};

/// A folder whose files are the entries of a table.
struct Seam<'a> {
    folder: &'a str,
    /// Ids of the table's rows.
    rows: Vec<String>,
    /// Files that are no entries, with the reason.
    helpers: &'a [(&'a str, &'a str)],
}

impl Seam<'_> {
    /// What is in the folder without a row, in the table without a file, and no longer needed here.
    fn findings(&self, stems: &[String]) -> Vec<String> {
        let folder = self.folder;
        let mut found = Vec::new();
        let rows: BTreeSet<&str> = self.rows.iter().map(String::as_str).collect();
        if rows.len() < self.rows.len() {
            found.push(format!("{folder}: two rows of the table have the same id"));
        }
        let is_helper = |stem: &str| self.helpers.iter().any(|(helper, _)| *helper == stem);
        for stem in stems.iter().filter(|stem| !is_helper(stem)) {
            let id = stem.replace('_', "-");
            if !rows.contains(id.as_str()) {
                found.push(format!("{folder}: {stem} has no row {id:?} in the table"));
            }
        }
        for id in rows {
            if !stems.contains(&id.replace('-', "_")) {
                found.push(format!("{folder}: row {id:?} has no file of that name"));
            }
        }
        for (helper, _) in
            self.helpers.iter().filter(|(helper, _)| !stems.iter().any(|stem| stem == helper))
        {
            found.push(format!("{folder}: {helper} is named as a helper and does not exist"));
        }
        found
    }
}

/// Names in `folder` without their extension: files that end in it, and folders of Rust files.
fn stems(folder: &str, extension: &str) -> Vec<String> {
    let mut stems = BTreeSet::new();
    for path in files(folder).iter().filter(|path| has_extension(path, extension)) {
        let inside = path[folder.len()..].trim_start_matches('/');
        let first = inside.split('/').next().unwrap_or_default();
        stems.insert(first.trim_end_matches(&format!(".{extension}")).to_owned());
    }
    stems.remove("mod");
    stems.remove("lib");
    stems.into_iter().collect()
}

fn owned(ids: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    ids.into_iter().map(|id| id.as_ref().to_owned()).collect()
}

fn check(seam: &Seam<'_>, extension: &str) {
    let stems = stems(seam.folder, extension);
    assert_none("a folder and its table differ", &seam.findings(&stems));
}

#[test]
fn task_families_and_their_table_agree() {
    let helpers = &[("sets", "draws sets of problems from any family")];
    let rows = owned(gradus::tasks::ALL.iter().map(|family| family.name));
    check(&Seam { folder: "crates/gradus/src/tasks", rows, helpers }, "rs");
}

#[test]
fn answer_forms_modes_and_their_tables_agree() {
    use gradus::verify::{EXTRACTIONS, MODES};
    let names = EXTRACTIONS.iter().map(|form| form.name).chain(MODES.iter().map(|mode| mode.name));
    check(&Seam { folder: "crates/gradus/src/verify", rows: owned(names), helpers: &[] }, "rs");
}

#[test]
fn selectors_and_their_table_agree() {
    let helpers = &[
        ("aggregate", "from step scores to one score; a table of its own"),
        ("curves", "evaluates any selector over n"),
        ("error", "what can go wrong"),
        ("level", "the level of a row"),
        ("pool", "the samples of one problem"),
        ("row", "the rows that are read"),
        ("vote", "counts votes, for every selector that votes"),
    ];
    let rows = owned(gradus::search::ALL.iter().map(|selector| selector.name));
    check(&Seam { folder: "crates/gradus/src/search", rows, helpers }, "rs");
}

#[test]
fn item_response_models_and_their_table_agree() {
    let helpers = &[
        ("adaptive", "tests that choose the next item"),
        ("bank", "items with their parameters"),
        ("cells", "answers packed for estimation"),
        ("dif", "items that differ between groups"),
        ("em", "estimation"),
        ("error", "what can go wrong"),
        ("families", "respondents that are relatives"),
        ("family_study", "all that a fit says of families"),
        ("fit", "from responses to a fitted model"),
        ("fit_item", "does an item behave as its curve says"),
        ("fit_model", "does a model fit, and which of two"),
        ("fit_person", "is a respondent's pattern likely"),
        ("grid", "quadrature"),
        ("groups", "several groups on one scale"),
        ("held_out", "the error of short forms"),
        ("known_answers", "tests against other programs"),
        ("lanes", "eight numbers at a time"),
        ("linear", "symmetric systems"),
        ("local_dependence", "pairs of items that go together"),
        ("lost_information", "what is lost by not seeing abilities"),
        ("maximise", "the M step"),
        ("model", "what a model is to everything else"),
        ("observed_information", "standard errors"),
        ("posterior", "the E step"),
        ("prior", "priors of item parameters"),
        ("record", "what a fit leaves behind"),
        ("reference_answers", "tests against a reference in numpy"),
        ("score", "ability from answers"),
        ("short_form", "a few items for all"),
        ("simulate", "responses from known parameters"),
        ("workers", "units of work over threads"),
    ];
    let files = [("one-pl", "1pl"), ("two-pl", "2pl"), ("three-pl", "3pl"), ("four-pl", "4pl")];
    // A file's name cannot begin with a digit as the models' names do.
    let file = |name: &str| {
        files
            .iter()
            .find(|(_, model)| *model == name)
            .map_or(name.to_owned(), |(file, _)| (*file).to_owned())
    };
    let rows = gradus::difficulty::irt::ALL.iter().map(|model| file(model.name)).collect();
    check(&Seam { folder: "crates/gradus/src/difficulty/irt", rows, helpers }, "rs");
}

#[test]
fn forms_of_response_files_and_their_table_agree() {
    let helpers = &[
        ("design", "what is unusual in a set of responses"),
        ("error", "what can go wrong"),
        ("eval_archive", "the archives that inspect writes"),
        ("python_json", "words that are no JSON"),
        ("table", "CSV and Parquet with the line of every value"),
    ];
    let rows = owned(gradus::difficulty::responses::ALL.iter().map(|form| form.name));
    check(&Seam { folder: "crates/gradus/src/difficulty/responses", rows, helpers }, "rs");
}

#[test]
fn prompt_strategies_and_their_tables_agree() {
    let helpers = &[
        ("demonstrations", "problems that are shown with their answers"),
        ("error", "what can go wrong"),
        ("prompter", "builds prompts of any strategy"),
    ];
    let folder = "crates/gradus/src/prompt";
    let names = || owned(gradus::prompt::ALL.iter().map(|strategy| strategy.name));
    check(&Seam { folder, rows: names(), helpers }, "rs");
    let folder = "crates/gradus/src/prompt/templates";
    check(&Seam { folder, rows: names(), helpers: &[] }, "jinja");
}

#[test]
fn rating_systems_and_their_table_agree() {
    let helpers = &[
        ("game", "the rows that are read"),
        ("problem_as_player", "problems as opponents, for every system"),
        ("rated", "rates a file of games by any system"),
        ("rating", "what a system is, the ratings, what can go wrong"),
        ("test_games", "games for the tests"),
    ];
    let rows = owned(gradus::difficulty::ratings::ALL.iter().map(|system| system.name));
    check(&Seam { folder: "crates/gradus/src/difficulty/ratings", rows, helpers }, "rs");
}

#[test]
fn trainers_and_their_table_agree() {
    let helpers = &[
        ("adamw", "the optimiser"),
        ("batches", "order and size of batches"),
        ("checkpoint", "what a killed training goes on from"),
        ("config", "settings that all trainers share"),
        ("error", "what can go wrong"),
        ("labels", "labels of steps and outcomes"),
        ("progress", "metrics and progress of a training"),
        ("quality", "how well an evaluator tells right from wrong"),
        ("rows", "the rows that trainers read"),
        ("schedule", "the learning rate over the steps"),
        ("summary", "what a training came to"),
        ("targets", "from rows to supervised tokens"),
        ("test_model", "a small model for the tests"),
        ("training", "the loop that all trainers share"),
        ("training_set", "the rows of a training as tokens"),
    ];
    let rows = owned(gradus_train::ALL.iter().map(|trainer| trainer.name));
    let names: Vec<String> = rows.iter().map(|name| name.replace('-', "_")).collect();
    check(&Seam { folder: "crates/gradus-train/src", rows, helpers }, "rs");

    // The command line has one arm a trainer.
    let command = tokens(&text("crates/gradus-cli/src/commands/train.rs"));
    let unused: Vec<String> = names
        .into_iter()
        .filter(|name| {
            let called = [name.as_str(), "::", "run"];
            !command.windows(3).any(|window| window.iter().map(|token| &token.text).eq(called))
        })
        .map(|name| format!("crates/gradus-cli/src/commands/train.rs: no arm calls {name}::run"))
        .collect();
    assert_none("trainers that the command line does not know", &unused);
}

#[test]
fn studies_and_their_table_agree() {
    let helpers = &[
        ("completions", "completions of problems by any model"),
        ("error", "what can go wrong"),
        ("log_probs", "log-probs of given texts by any model"),
        ("models", "models by their names"),
        ("record", "a run's record as facts of a page"),
        ("sampling", "stages that reach models, for every study"),
    ];
    let rows = owned(gradus_studies::ALL.iter().map(|study| study.name()));
    check(&Seam { folder: "crates/gradus-studies/src", rows, helpers }, "rs");
}

#[test]
fn recipes_and_their_table_agree() {
    let rows = owned(gradus_studies::RECIPES.iter().map(|(name, _)| name));
    let folder = "crates/gradus-studies/recipes";
    // A recipe is called by its file's name as it stands.
    let stems: Vec<String> =
        stems(folder, "toml").iter().map(|stem| stem.replace('-', "_")).collect();
    assert_none(
        "the recipes and their table differ",
        &Seam { folder, rows, helpers: &[] }.findings(&stems),
    );
}

#[test]
fn every_recipe_is_whole_and_asks_for_a_study_that_exists() {
    for (name, text) in gradus_studies::RECIPES {
        let recipe = Recipe::parse(name, &format!("{name}.toml"), text).unwrap();
        assert!(!recipe.analysis.is_empty(), "{name} has no analysis");
        let study = gradus_studies::ALL.iter().find(|study| study.name() == recipe.study);
        let study = study.unwrap_or_else(|| panic!("{name}: no study {}", recipe.study));
        study.resolve(&recipe, &[]).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seam(rows: &[&str]) -> Seam<'static> {
        let helpers: &[(&str, &str)] = &[("curve", "read by every entry")];
        Seam { folder: "search", rows: owned(rows), helpers }
    }

    fn findings(rows: &[&str], stems: &[&str]) -> Vec<String> {
        seam(rows).findings(&owned(stems))
    }

    #[test]
    fn a_folder_that_agrees_with_its_table_has_no_findings() {
        let found = findings(&["majority", "best-of-n"], &["best_of_n", "curve", "majority"]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_forgotten_row_is_found() {
        let found = findings(&["majority"], &["curve", "majority", "best_of_n"]);
        assert_eq!(found, ["search: best_of_n has no row \"best-of-n\" in the table"]);
    }

    #[test]
    fn a_row_named_otherwise_than_its_file_is_found_twice() {
        assert_eq!(findings(&["bon"], &["curve", "best_of_n"]).len(), 2);
    }

    #[test]
    fn two_rows_of_one_id_are_found() {
        assert_eq!(findings(&["majority", "majority"], &["curve", "majority"]).len(), 1);
    }

    #[test]
    fn a_helper_that_is_gone_is_found() {
        assert_eq!(findings(&[], &[]), ["search: curve is named as a helper and does not exist"]);
    }

    #[test]
    fn stems_are_the_first_names_below_the_folder() {
        let stems = stems("crates/gradus-studies/tests", "rs");
        assert_eq!(stems, ["house"]);
    }
}
