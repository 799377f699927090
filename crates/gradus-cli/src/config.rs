//! The config of an experiment: how the command line changes it and shows it.

use std::collections::BTreeMap;

use gradus::report::{Column, Table};
use gradus::run::Override;
use serde_json::Value;

use crate::failure::Failure;

/// What the command line may change in the config of a recipe.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Set a value of the config, as `generator.learning_rate=1e-3`; may be given again. `gradus
    /// run NAME --dry-run` shows all keys.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// At most this many test problems a set.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Seed of everything random.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl ConfigArgs {
    /// `--set` and the flags that are short for a key of the config.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Failure> {
        let set = self.set.iter().map(|text| Override::set(text));
        let mut overrides: Vec<Override> = set.collect::<Result<_, _>>()?;
        overrides.extend(self.limit.map(|limit| Override::flag("--limit", "limit", &limit)));
        overrides.extend(self.seed.map(|seed| Override::flag("--seed", "seed", &seed)));
        Ok(overrides)
    }
}

/// Every key that `--set` takes, its value and where the value came from.
pub(crate) fn table(caption: String, config: &Value, origins: &BTreeMap<String, String>) -> Table {
    let values = origins.iter().map(|(key, origin)| {
        let at = format!("/{}", key.replace('.', "/"));
        let value = config.pointer(&at).unwrap_or(&Value::Null);
        let origin = origin.strip_prefix("recipe ").unwrap_or(origin);
        vec![key.clone().into(), value.to_string().into(), origin.into()]
    });
    Table {
        caption,
        columns: ["key", "value", "from"].map(Column::text).to_vec(),
        rows: values.collect(),
        ..Table::default()
    }
}
