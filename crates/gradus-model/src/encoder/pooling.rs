//! From the states of a text's tokens to one vector.

use std::path::Path;

use serde::Deserialize;

use crate::ModelError;
use crate::tokenizer::read_json;

/// What becomes of the states of a text's tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Mean,
    First,
    Last,
    Max,
}

/// Pooling as the files of a sentence-transformers model say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OwnPooling {
    pub(super) kind: Kind,
    /// Vectors get length 1.
    pub(super) normalise: bool,
}

/// A step in `modules.json`.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl OwnPooling {
    /// From `modules.json` and the pooling's `config.json`; the mean where there are none.
    pub(super) fn read(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("modules.json");
        let modules: Vec<Module> = read_json(&path)?.unwrap_or_default();
        let mut own = Self { kind: Kind::Mean, normalise: false };
        for module in modules {
            match module.kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Normalize" => own.normalise = true,
                "Pooling" => own.kind = pooling(&dir.join(module.path).join("config.json"))?,
                _ => {
                    let what = format!(
                        "a module of type {}; known are Transformer, Pooling and Normalize",
                        module.kind
                    );
                    return Err(ModelError::Unsupported { path, what });
                }
            }
        }
        Ok(own)
    }
}

fn pooling(path: &Path) -> Result<Kind, ModelError> {
    let config: serde_json::Map<String, serde_json::Value> =
        read_json(path)?.ok_or_else(|| ModelError::Malformed {
            path: path.to_owned(),
            reason: "there is no such file, and modules.json names it".to_owned(),
        })?;
    let mut modes: Vec<&str> = config
        .iter()
        .filter(|(_, value)| value.as_bool() == Some(true))
        .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
        .collect();
    // Newer files name the mode.
    modes.extend(config.get("pooling_mode").and_then(serde_json::Value::as_str));
    match modes[..] {
        ["mean_tokens" | "mean"] => Ok(Kind::Mean),
        ["cls_token" | "cls"] => Ok(Kind::First),
        ["max_tokens" | "max"] => Ok(Kind::Max),
        ["lasttoken"] => Ok(Kind::Last),
        _ => Err(ModelError::Unsupported {
            path: path.to_owned(),
            what: format!(
                "pooling by {}; known is one of mean_tokens, cls_token, max_tokens, lasttoken",
                if modes.is_empty() { "nothing".to_owned() } else { modes.join(" and ") }
            ),
        }),
    }
}

impl Kind {
    /// One vector of the rows of a text, of `width` numbers each.
    pub(super) fn of(self, states: &[f32], width: usize) -> Vec<f32> {
        let mut rows = states.chunks_exact(width);
        let combine = |rows: std::slice::ChunksExact<'_, f32>, with: fn(f32, f32) -> f32| {
            let mut rows = rows;
            let mut pooled = rows.next().map(<[f32]>::to_vec).unwrap_or_default();
            for row in rows {
                pooled.iter_mut().zip(row).for_each(|(pooled, &x)| *pooled = with(*pooled, x));
            }
            pooled
        };
        match self {
            Self::First => rows.next().map(<[f32]>::to_vec).unwrap_or_default(),
            Self::Last => rows.next_back().map(<[f32]>::to_vec).unwrap_or_default(),
            Self::Max => combine(rows, f32::max),
            Self::Mean => {
                let count = rows.len() as f32;
                let mut sum = combine(rows, |a, b| a + b);
                for x in &mut sum {
                    *x /= count;
                }
                sum
            }
        }
    }
}

/// Divides a vector by its length, at least 1e-12 as PyTorch's `normalize` has it.
pub(super) fn normalise(vector: &mut [f32]) {
    let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let length = square.sqrt().max(1e-12) as f32;
    for x in vector {
        *x /= length;
    }
}
