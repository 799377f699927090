//! What the hub says is in a model, and which of its files are wanted.

use std::path::{Component, Path};

use serde::Deserialize;

use super::cache::has_extension;
use super::{HubError, ModelId};

/// The answer of `/api/models/NAME/revision/REVISION?blobs=true`.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    /// The commit.
    pub(super) sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    sha256: String,
    size: u64,
}

/// A file to fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wanted {
    /// Path in the model, of plain names.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) hash: Hash,
}

/// By which a file is known: as the name of its blob, and to check what came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Hash {
    /// SHA-256 of a large file.
    Sha256(String),
    /// SHA-1 of a small file with git's header before it.
    Git(String),
}

impl Hash {
    pub(super) fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }
}

/// Beside the weights: what models, tokenizers, encoders and adapters read.
const SMALL: [&str; 16] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "adapter_config.json",
    "model.safetensors.index.json",
];

impl Listing {
    /// The files that are wanted, small ones first; the error says why the model cannot be had.
    pub(super) fn wanted(&self, id: &ModelId) -> Result<Vec<Wanted>, HubError> {
        let damaged = |file: &str, reason: String| HubError::Damaged {
            id: id.clone(),
            file: file.to_owned(),
            reason,
        };
        let refused = |reason: String| HubError::Refused { id: id.clone(), reason };
        if !is_hex(&self.sha) {
            return Err(damaged("the listing", format!("{:?} is no commit", self.sha)));
        }
        let mut wanted = Vec::new();
        for sibling in &self.siblings {
            let name = &sibling.rfilename;
            if !SMALL.contains(&name.as_str()) && !is_weights(name) {
                continue;
            }
            let plain =
                Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            let (size, hash) = match (&sibling.lfs, sibling.size, &sibling.blob_id) {
                (Some(lfs), ..) => (lfs.size, Hash::Sha256(lfs.sha256.clone())),
                (None, Some(size), Some(blob)) => (size, Hash::Git(blob.clone())),
                _ => return Err(damaged(name, "the hub tells neither size nor hash".to_owned())),
            };
            if !plain || !is_hex(hash.hex()) {
                return Err(damaged(name, "the hub gives it no plain name and hash".to_owned()));
            }
            wanted.push(Wanted { name: name.clone(), size, hash });
        }
        wanted.sort_by_key(|file| (is_weights(&file.name), file.name.clone()));
        if wanted.iter().any(|file| is_weights(&file.name)) {
            return Ok(wanted);
        }
        let with = |extension: &str| {
            let names = self.siblings.iter().map(|sibling| sibling.rfilename.as_str());
            names.filter(|name| has_extension(name, extension)).collect::<Vec<_>>()
        };
        let files = with("gguf");
        if !files.is_empty() {
            return Err(refused(format!(
                "it has GGUF files, of which one is to be chosen: {}; run `{} FILE` and give the path",
                files.join(", "),
                id.download_command()
            )));
        }
        let other =
            if with("bin").is_empty() { "" } else { ", only pickled ones, which can run code" };
        Err(refused(format!("it has no safetensors files{other}")))
    }
}

/// Weights of the model itself, not those of other frameworks in folders beside it.
fn is_weights(name: &str) -> bool {
    has_extension(name, "safetensors")
        && (name.starts_with("model") || name == "adapter_model.safetensors")
        && !name.contains('/')
}

fn is_hex(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}
