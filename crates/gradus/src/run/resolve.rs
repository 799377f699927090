use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::recipe::{Recipe, RecipeError, describe, to_json};

/// Where an override came from, weakest first; a recipe stands between the first two.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// An environment variable, by name.
    Environment(String),
    /// `--set`.
    Set,
    /// A flag of its own, as `--seed`.
    Flag(String),
}

impl Origin {
    fn place(&self) -> String {
        match self {
            Self::Environment(name) => format!("environment {name}"),
            Self::Set => "--set".into(),
            Self::Flag(name) => format!("flag {name}"),
        }
    }
}

/// One key set from outside the recipe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Override {
    /// The key, with dots.
    pub path: String,
    /// The value as typed: a TOML value, or text where the config holds text;
    /// `none` unsets what may be absent.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Override {
    /// Reads the `key=value` of `--set`.
    pub fn set(text: &str) -> Result<Self, RecipeError> {
        let (path, value) =
            text.split_once('=').ok_or_else(|| RecipeError::NoValue { text: text.into() })?;
        Ok(Self { path: path.trim().into(), value: value.into(), origin: Origin::Set })
    }

    /// A flag that sets the key `path`.
    pub fn flag(name: &str, path: &str, value: &impl ToString) -> Self {
        Self { path: path.into(), value: value.to_string(), origin: Origin::Flag(name.into()) }
    }
}

/// A config with where each of its values came from.
#[derive(Clone, Debug)]
pub struct Resolved<C> {
    /// The config.
    pub config: C,
    /// The config as JSON.
    pub value: Value,
    /// For each key that is no table, with dots: `default`, `recipe toy.toml:12`, `--set`,
    /// `flag --seed` or `environment NAME`.
    pub origins: BTreeMap<String, String>,
}

/// Lays environment, recipe, `--set` and flags over the defaults of `C`, in this order.
///
/// `C::default()` as JSON says which keys there are and of what type, so a config
/// serialises all of its fields (`None` as null) and denies unknown ones; an
/// empty map among them takes any key. An integer is taken where a float is expected.
pub fn resolve<C: Serialize + DeserializeOwned + Default>(
    recipe: &Recipe,
    overrides: &[Override],
) -> Result<Resolved<C>, RecipeError> {
    let json = |config: &C| serde_json::to_value(config).expect("a config is plain data");
    let known = json(&C::default());
    let mut tree = Tree { value: known.clone(), known, origins: BTreeMap::new() };
    let mut overrides: Vec<&Override> = overrides.iter().collect();
    overrides.sort_by_key(|given| &given.origin);
    let from_environment =
        overrides.partition_point(|given| matches!(given.origin, Origin::Environment(_)));
    for given in &overrides[..from_environment] {
        tree.set_typed(given)?;
    }
    for setting in &recipe.settings {
        let place = format!("{}:{}", recipe.origin, setting.line);
        tree.set(&setting.path, setting.value.clone(), &place, &format!("recipe {place}"))?;
    }
    for given in &overrides[from_environment..] {
        tree.set_typed(given)?;
    }
    let config: C = serde_path_to_error::deserialize(&tree.value).map_err(|error| {
        let key = error.path().to_string();
        let place = tree.origin_of(&key).unwrap_or(&recipe.origin);
        let place = place.strip_prefix("recipe ").unwrap_or(place).into();
        RecipeError::Invalid { place, key, reason: error.into_inner().to_string() }
    })?;
    let value = json(&config);
    let mut origins = BTreeMap::new();
    leaves(&value, "", &mut |key, _| {
        origins.insert(key.into(), tree.origin_of(key).unwrap_or("default").into());
    });
    Ok(Resolved { config, value, origins })
}

struct Tree {
    known: Value,
    value: Value,
    origins: BTreeMap<String, String>,
}

impl Tree {
    fn set_typed(&mut self, given: &Override) -> Result<(), RecipeError> {
        let path: Vec<String> = given.path.split('.').map(Into::into).collect();
        let place = given.origin.place();
        let value = typed(self.known_at(&path, &place)?, &given.value);
        self.set(&path, value, &place, &place)
    }

    fn set(
        &mut self,
        path: &[String],
        value: Value,
        place: &str,
        origin: &str,
    ) -> Result<(), RecipeError> {
        let key = path.join(".");
        if let Some(expected) = mismatch(self.known_at(path, place)?, &value) {
            let found = describe(&value);
            return Err(RecipeError::WrongType { place: place.into(), key, found, expected });
        }
        let mut slot = &mut self.value;
        for name in path {
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            let table = slot.as_object_mut().expect("it was made a table just now");
            slot = table.entry(name.as_str()).or_insert(Value::Null);
        }
        *slot = value;
        self.origins.insert(key, origin.into());
        Ok(())
    }

    /// The default at `path`; null where any value may stand.
    fn known_at(&self, path: &[String], place: &str) -> Result<&Value, RecipeError> {
        let mut known = &self.known;
        for (depth, name) in path.iter().enumerate() {
            known = match known {
                Value::Null => known,
                Value::Object(table) if table.is_empty() && depth > 0 => &Value::Null,
                Value::Object(table) => table.get(name).ok_or_else(|| {
                    let key = path.join(".");
                    let nearest = self.nearest(&key);
                    RecipeError::UnknownKey { place: place.into(), key, nearest }
                })?,
                _ => {
                    return Err(RecipeError::WrongType {
                        place: place.into(),
                        key: path[..depth].join("."),
                        found: format!("a table with the key `{name}`"),
                        expected: type_name(known),
                    });
                }
            };
        }
        Ok(known)
    }

    /// The known key most like `key`: alike as a whole or in its last part.
    fn nearest(&self, key: &str) -> Option<String> {
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let mut best: Option<((f64, f64), String)> = None;
        let mut consider = |candidate: &str| {
            let whole = strsim::normalized_damerau_levenshtein(key, candidate);
            let part = strsim::normalized_damerau_levenshtein(&last(key), &last(candidate));
            let likeness = (whole.max(part), whole);
            if best.as_ref().is_none_or(|(best, _)| likeness > *best) {
                best = Some((likeness, candidate.into()));
            }
        };
        if !key.contains('.') {
            for name in ["study", "title", "analysis"] {
                consider(name);
            }
        }
        tables(&self.known, "", &mut consider);
        leaves(&self.known, "", &mut |candidate, _| consider(candidate));
        best.map(|(_, candidate)| candidate)
    }

    /// Where the value at `key`, or the innermost value around it, was set.
    fn origin_of(&self, key: &str) -> Option<&str> {
        let ends = key.match_indices(['.', '[']).map(|(at, _)| at).chain([key.len()]);
        let around: Vec<&str> = ends.map(|end| &key[..end]).collect();
        around.into_iter().rev().find_map(|key| self.origins.get(key)).map(String::as_str)
    }
}

/// Reads text as the config types it.
fn typed(known: &Value, text: &str) -> Value {
    let parsed = DeValue::parse(text).ok().and_then(|value| to_json(value.get_ref()).ok());
    match (known, parsed) {
        (Value::String(_), Some(Value::String(inner))) => Value::String(inner),
        (Value::Null, None) if text == "none" => Value::Null,
        (Value::String(_), _) | (_, None) => Value::String(text.into()),
        (_, Some(value)) => value,
    }
}

/// What is expected where `value` does not go with the type of `known`.
fn mismatch(known: &Value, value: &Value) -> Option<&'static str> {
    let fits = match (known, value) {
        (Value::Null, _)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::String(_), Value::String(_))
        | (Value::Array(_), Value::Array(_))
        | (Value::Object(_), Value::Object(_)) => true,
        (Value::Number(known), Value::Number(value)) => known.is_f64() || !value.is_f64(),
        _ => false,
    };
    (!fits).then(|| type_name(known))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "anything",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// Calls `each` with the dotted key of every value that is no table.
pub(super) fn leaves<'a>(value: &'a Value, key: &str, each: &mut dyn FnMut(&str, &'a Value)) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (name, value) in table {
                leaves(value, &join(key, name), each);
            }
        }
        _ if key.is_empty() => {}
        _ => each(key, value),
    }
}

fn tables(value: &Value, key: &str, each: &mut dyn FnMut(&str)) {
    let Value::Object(table) = value else { return };
    if !key.is_empty() {
        each(key);
    }
    for (name, value) in table {
        tables(value, &join(key, name), each);
    }
}

fn join(key: &str, name: &str) -> String {
    if key.is_empty() { name.into() } else { format!("{key}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Sft {
        learning_rate: f64,
        epochs: u32,
        shuffle: bool,
    }

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        seed: u64,
        solutions: Option<String>,
        limit: Option<u32>,
        family: String,
        levels: Vec<u32>,
        sft: Sft,
        extra: BTreeMap<String, f64>,
        teacher: Option<Sft>,
    }

    impl Default for Config {
        fn default() -> Self {
            let sft = Sft { learning_rate: 1e-3, epochs: 1, shuffle: true };
            Self {
                seed: 0,
                solutions: None,
                limit: None,
                family: "toy".into(),
                levels: vec![1, 2, 3],
                sft,
                extra: BTreeMap::new(),
                teacher: None,
            }
        }
    }

    fn recipe(settings: &str) -> Recipe {
        let text = format!("study = \"toy\"\ntitle = \"A toy\"\n{settings}\n");
        Recipe::parse("toy", "toy.toml", &text).unwrap()
    }

    fn with(settings: &str, overrides: &[Override]) -> Resolved<Config> {
        resolve(&recipe(settings), overrides).unwrap()
    }

    fn error(settings: &str, sets: &[&str]) -> String {
        let overrides: Vec<_> = sets.iter().map(|text| Override::set(text).unwrap()).collect();
        resolve::<Config>(&recipe(settings), &overrides).unwrap_err().to_string()
    }

    #[test]
    fn flag_beats_set_beats_recipe_beats_environment_beats_default() {
        let environment = |path: &str, value: &str| Override {
            path: path.into(),
            value: value.into(),
            origin: Origin::Environment("TOY".into()),
        };
        let flag = Override::flag("--seed", "seed", &5);
        let set = |text: &str| Override::set(text).unwrap();
        let strongest_first = [
            flag,
            set("seed=4"),
            set("sft.epochs=4"),
            environment("seed", "2"),
            environment("sft.epochs", "2"),
            environment("sft.learning_rate", "2"),
            environment("family", "sums"),
        ];
        let settings = "seed = 3\n[sft]\nepochs = 3\nlearning_rate = 3\n";
        let resolved = with(settings, &strongest_first);
        let Config { seed, ref family, ref sft, .. } = resolved.config;
        assert_eq!((seed, sft.epochs, sft.learning_rate), (5, 4, 3.0));
        assert_eq!((family.as_str(), sft.shuffle), ("sums", true));
        let origin = |key: &str| resolved.origins[key].as_str();
        assert_eq!(origin("seed"), "flag --seed");
        assert_eq!(origin("sft.epochs"), "--set");
        assert_eq!(origin("sft.learning_rate"), "recipe toy.toml:6");
        assert_eq!(origin("family"), "environment TOY");
        assert_eq!(origin("sft.shuffle"), "default");
        assert_eq!(origin("teacher"), "default");
    }

    #[test]
    fn an_integer_for_a_float_gives_the_same_config_as_the_float() {
        let [one, two] = ["1", "1.0"].map(|rate| with(&format!("sft.learning_rate = {rate}"), &[]));
        assert_eq!(one.value.to_string(), two.value.to_string());
        assert_eq!(one.value["sft"]["learning_rate"], json!(1.0));
    }

    #[test]
    fn set_is_typed_by_the_config() {
        let check = |text: &str, expected: &dyn Fn(&Config) -> bool| {
            let resolved = with("limit = 3", &[Override::set(text).unwrap()]);
            assert!(expected(&resolved.config), "{text}: {:?}", resolved.config);
        };
        check("solutions=data/one file.jsonl", &|config| {
            config.solutions.as_deref() == Some("data/one file.jsonl")
        });
        check("solutions=\"7\"", &|config| config.solutions.as_deref() == Some("7"));
        check("family=7", &|config| config.family == "7");
        check("limit=none", &|config| config.limit.is_none());
        check("levels=[4, 5]", &|config| config.levels == [4, 5]);
        check("extra.anything=2", &|config| config.extra["anything"] == 2.0);
        check("sft.learning_rate=1e-2", &|config| config.sft.learning_rate == 1e-2);
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_known_one_with_its_place() {
        assert_eq!(
            error("\n[sft]\nlearning_rat = 1.0", &[]),
            "toy.toml:5: unknown key `sft.learning_rat`; \
             the nearest known key is `sft.learning_rate`"
        );
        let nearest = |settings: &str, sets: &[&str], expected: &str| {
            let error = error(settings, sets);
            assert!(error.ends_with(&format!("the nearest known key is `{expected}`")), "{error}");
        };
        nearest("", &["epochs=2"], "sft.epochs");
        nearest("[stf]\nepochs = 2", &[], "sft.epochs");
        nearest("titel = \"x\"", &[], "title");
        nearest("", &["sedd=2"], "seed");
        assert!(error("", &["teacher.rate=2"]).contains("teacher"));
    }

    #[test]
    fn a_wrong_type_names_key_found_and_expected() {
        let check = |settings: &str, sets: &[&str], expected: &str| {
            assert_eq!(error(settings, sets), expected);
        };
        check(
            "[sft]\nepochs = \"two\"",
            &[],
            "toy.toml:4: `sft.epochs` is the string \"two\", expected an integer",
        );
        check("", &["sft.epochs=1.5"], "--set: `sft.epochs` is the float 1.5, expected an integer");
        check("sft = 3", &[], "toy.toml:3: `sft` is the integer 3, expected a table");
        check(
            "[seed]\nvalue = 3",
            &[],
            "toy.toml:4: `seed` is a table with the key `value`, expected an integer",
        );
        check(
            "limit = \"all\"",
            &[],
            "toy.toml:3: `limit`: invalid type: string \"all\", expected u32",
        );
        check(
            "levels = [1, -1]",
            &[],
            "toy.toml:3: `levels[1]`: invalid value: integer `-1`, expected u32",
        );
        assert!(matches!(Override::set("seed"), Err(RecipeError::NoValue { .. })));
    }
}
