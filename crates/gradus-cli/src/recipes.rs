//! Recipes and studies by name.

use std::path::Path;

use gradus::run::Recipe;
use gradus_studies::{RECIPES, Study};

use crate::failure::Failure;

/// A built-in recipe by its name, or a TOML file by its path; a file that exists wins.
pub(crate) fn recipe(name: &str) -> Result<Recipe, Failure> {
    let path = Path::new(name);
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    if is_toml || path.is_file() {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read the recipe {name}: {error}")))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(Recipe::parse(&stem, name, &text)?);
    }
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) {
        return Ok(Recipe::parse(name, &format!("{name}.toml"), text)?);
    }
    let nearest = nearest(name, RECIPES.iter().map(|(known, _)| *known));
    let hint = match nearest {
        Some(nearest) => format!("did you mean {nearest}? `gradus list recipes` shows all"),
        None => "`gradus list recipes` shows all; a file's name ends in .toml".to_owned(),
    };
    Err(Failure::usage(format!("no recipe is called {name:?}")).hint(hint))
}

/// Every built-in recipe, read.
pub(crate) fn built_in() -> Vec<Recipe> {
    let parse = |&(name, text): &(&str, &str)| Recipe::parse(name, &format!("{name}.toml"), text);
    RECIPES.iter().map(|row| parse(row).expect("a test reads every built-in recipe")).collect()
}

/// A study by its name; `place` is where the name stands.
pub(crate) fn study(name: &str, place: &str) -> Result<&'static dyn Study, Failure> {
    gradus_studies::ALL.iter().copied().find(|study| study.name() == name).ok_or_else(|| {
        let known: Vec<&str> = gradus_studies::ALL.iter().map(|study| study.name()).collect();
        let message =
            format!("{place}: no study is called {name:?}, expected {}", known.join(" or "));
        Failure::usage(message)
    })
}

/// The known name most like `name`, where one is like it at all.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| {
        // Half a name is like the whole one.
        let part = if known.contains(name) { 0.9 } else { 0.0 };
        strsim::normalized_damerau_levenshtein(name, known).max(part)
    };
    known
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness > 0.5)
        .max_by(|(one, _), (two, _)| one.total_cmp(two))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_recipe_is_read_and_resolved() {
        for recipe in built_in() {
            let study = study(&recipe.study, &recipe.origin).unwrap();
            let resolved = study.resolve(&recipe, &[]).unwrap();
            assert!(!resolved.origins.is_empty());
        }
    }

    #[test]
    fn an_unknown_recipe_gets_the_nearest_name() {
        let hint = |name| recipe(name).unwrap_err().hint.unwrap();
        assert!(hint("easy-to-hrad").starts_with("did you mean easy-to-hard?"));
        assert!(hint("zzz").starts_with("`gradus list recipes`"));
    }
}
