use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Adapter;
use crate::ModelError;

/// What `adapter_config.json` says of ranks and scales, everything else being refused or
/// without effect on what is computed.
#[derive(Debug, Default)]
pub(super) struct AdapterConfig {
    path: PathBuf,
    pub(super) base_model_name_or_path: Option<String>,
    target_modules: Vec<String>,
    r: usize,
    lora_alpha: f64,
    use_rslora: bool,
    rank_pattern: BTreeMap<String, f64>,
    alpha_pattern: BTreeMap<String, f64>,
}

/// Fields that change what is computed: refused unless they are absent, null, false, empty
/// or what is given here.
const REFUSED: [(&str, &str); 16] = [
    ("use_dora", ""),
    ("bias", "none"),
    ("lora_bias", ""),
    ("fan_in_fan_out", ""),
    ("modules_to_save", ""),
    ("layer_replication", ""),
    ("trainable_token_indices", ""),
    ("target_parameters", ""),
    ("alora_invocation_tokens", ""),
    ("use_qalora", ""),
    ("use_bdlora", ""),
    ("arrow_config", ""),
    ("kasa_config", ""),
    ("monteclora_config", ""),
    ("velora_config", ""),
    ("megatron_config", ""),
];

/// Initialisations after which the base model is no longer the published one.
const CHANGES_BASE: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

impl AdapterConfig {
    pub(super) fn read(path: &Path, text: &[u8]) -> Result<Self, ModelError> {
        let malformed = |reason: String| ModelError::Malformed { path: path.to_owned(), reason };
        let fields: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?;
        let unsupported = |what: String| ModelError::Unsupported { path: path.to_owned(), what };
        let kind = fields.get("peft_type").and_then(Value::as_str).unwrap_or_default();
        if kind != "LORA" {
            return Err(unsupported(format!("peft_type {kind:?}; LORA is read")));
        }
        for (name, neutral) in REFUSED {
            let value = fields.get(name).unwrap_or(&Value::Null);
            let without_effect = match value {
                Value::Null | Value::Bool(false) => true,
                Value::String(text) => text == neutral,
                Value::Array(items) => items.is_empty(),
                Value::Object(items) => items.is_empty(),
                Value::Bool(true) | Value::Number(_) => false,
            };
            if !without_effect {
                return Err(unsupported(format!("{name} = {value}")));
            }
        }
        let start = fields.get("init_lora_weights").and_then(Value::as_str).unwrap_or_default();
        if CHANGES_BASE.iter().any(|name| start.to_ascii_lowercase().starts_with(name)) {
            return Err(unsupported(format!(
                "init_lora_weights = {start:?} changes the base model; save it converted to a plain adapter"
            )));
        }

        let number = |name: &str, default: f64| match fields.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|number| *number > 0.0)
                .ok_or_else(|| malformed(format!("{name} is {value}, expected a number above 0"))),
        };
        let pattern = |name: &str| {
            let value = fields.get(name).filter(|value| !value.is_null()).cloned();
            let map: BTreeMap<String, f64> = serde_json::from_value(value.unwrap_or(json!({})))
                .map_err(|error| malformed(format!("{name}: {error}")))?;
            match map.keys().find(|key| is_expression(key)) {
                Some(key) => {
                    Err(unsupported(format!("{name} with the regular expression {key:?}")))
                }
                None => Ok(map),
            }
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or(false);
        Ok(Self {
            path: path.to_owned(),
            base_model_name_or_path: text("base_model_name_or_path"),
            // The tensors say what is there.
            target_modules: Vec::new(),
            r: number("r", 8.0)? as usize,
            lora_alpha: number("lora_alpha", 8.0)?,
            use_rslora: flag("use_rslora"),
            rank_pattern: pattern("rank_pattern")?,
            alpha_pattern: pattern("alpha_pattern")?,
        })
    }

    /// What says the same of an adapter as its matrices: `alpha = scale * rank`, by module
    /// where modules differ.
    pub(super) fn of(adapter: &Adapter) -> Self {
        let mut modules = adapter.modules.iter();
        let (r, lora_alpha) =
            modules.next().map_or((8, 8.0), |(_, pair)| (pair.rank, alpha(pair.scale, pair.rank)));
        let mut config = Self {
            base_model_name_or_path: adapter.base.clone(),
            r,
            lora_alpha,
            ..Self::default()
        };
        for (module, pair) in modules {
            let key = || format!("^{module}");
            if pair.rank != r {
                config.rank_pattern.insert(key(), pair.rank as f64);
            }
            let own = alpha(pair.scale, pair.rank);
            if own != lora_alpha {
                config.alpha_pattern.insert(key(), own);
            }
        }
        // Full names, since not every layer need have one.
        let names: BTreeSet<&String> = adapter.modules.keys().collect();
        config.target_modules = names.into_iter().cloned().collect();
        config
    }

    pub(super) fn to_json(&self, path: &Path) -> Result<Vec<u8>, ModelError> {
        let ranks: BTreeMap<&String, usize> =
            self.rank_pattern.iter().map(|(key, rank)| (key, *rank as usize)).collect();
        let fields = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": self.base_model_name_or_path,
            "revision": null,
            "r": self.r,
            "lora_alpha": self.lora_alpha,
            "lora_dropout": 0.0,
            "target_modules": self.target_modules,
            "bias": "none",
            "fan_in_fan_out": false,
            "use_rslora": self.use_rslora,
            "use_dora": false,
            "modules_to_save": null,
            "init_lora_weights": true,
            "rank_pattern": ranks,
            "alpha_pattern": self.alpha_pattern,
            "inference_mode": true,
        });
        let mut json = serde_json::to_vec_pretty(&fields).map_err(|error| {
            ModelError::Malformed { path: path.to_owned(), reason: error.to_string() }
        })?;
        json.push(b'\n');
        Ok(json)
    }

    pub(super) fn malformed(&self, reason: String) -> ModelError {
        ModelError::Malformed { path: self.path.clone(), reason }
    }

    /// The rank of a module.
    pub(super) fn rank(&self, module: &str) -> Result<usize, String> {
        Ok(own("rank_pattern", &self.rank_pattern, module)?.map_or(self.r, |rank| rank as usize))
    }

    /// What the product of a module's matrices is multiplied by.
    pub(super) fn scale(&self, module: &str, rank: usize) -> Result<f32, String> {
        let alpha = own("alpha_pattern", &self.alpha_pattern, module)?.unwrap_or(self.lora_alpha);
        let rank = rank as f64;
        Ok((alpha / if self.use_rslora { rank.sqrt() } else { rank }) as f32)
    }
}

fn alpha(scale: f32, rank: usize) -> f64 {
    f64::from(scale) * rank as f64
}

/// The value of the pattern that means `module`: its last parts, or all of it after `^`.
fn own(field: &str, patterns: &BTreeMap<String, f64>, module: &str) -> Result<Option<f64>, String> {
    let means = |key: &str| match key.strip_prefix('^') {
        Some(whole) => whole == module,
        None => module.strip_suffix(key).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
    };
    let mut found: Option<(&String, f64)> = None;
    for (key, &value) in patterns.iter().filter(|(key, _)| means(key)) {
        match found {
            Some((first, other)) if other != value => {
                return Err(format!("{field}: {first:?} and {key:?} both mean {module}"));
            }
            _ => found = Some((key, value)),
        }
    }
    Ok(found.map(|(_, value)| value))
}

/// PEFT takes the keys of patterns as regular expressions; names are what is used.
fn is_expression(key: &str) -> bool {
    key.strip_prefix('^')
        .unwrap_or(key)
        .contains(['^', '$', '*', '+', '?', '(', '[', '{', '|', '\\'])
}
