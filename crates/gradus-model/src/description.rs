//! What a model on disk is, without reading its weights.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use gradus::run::RunError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::pretrained::Shape;
use crate::{Adapter, DecoderConfig, Dtype, Metadata, ModelError, WeightFiles, encoder};

/// A model's facts, as far as its files tell them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelDescription {
    /// The folder or file.
    pub path: PathBuf,
    /// `safetensors`, `gguf` or `adapter`.
    pub form: Option<&'static str>,
    /// `model_type` of a config, `general.architecture` of a GGUF file.
    pub architecture: Option<String>,
    /// Numbers in all weights.
    pub parameters: Option<u64>,
    /// Numbers of each type.
    pub numbers: BTreeMap<String, u64>,
    /// Layers.
    pub layers: Option<u64>,
    /// Most tokens of a sequence.
    pub context: Option<u64>,
    /// Tokens of the vocabulary.
    pub vocabulary: Option<u64>,
    /// What kind of tokenizer, by its name in its file.
    pub tokenizer: Option<String>,
    /// Whether there is a chat template.
    pub chat_template: bool,
    /// The model that an adapter belongs to.
    pub base: Option<String>,
    /// Bytes of the files of weights.
    pub file_bytes: u64,
    /// Bytes of the weights as 32-bit floating point.
    pub f32_bytes: Option<u64>,
    /// Bytes of keys and values of a token, as 32-bit floating point.
    pub cache_bytes_per_token: Option<u64>,
    /// Why it cannot be used; none where nothing is known against it.
    pub unsupported: Option<String>,
}

impl ModelDescription {
    /// Describes a folder or a GGUF file. What is wrong with it is part of the description.
    pub fn of(path: &Path) -> Self {
        let mut description = Self { path: path.to_owned(), ..Self::default() };
        let read = if path.is_dir() { description.folder(path) } else { description.gguf(path) };
        if let Err(error) = read {
            description.unsupported = Some(error.to_string());
        }
        description
    }

    fn folder(&mut self, dir: &Path) -> Result<(), ModelError> {
        if dir.join("adapter_config.json").exists() {
            return self.adapter(dir);
        }
        let config = dir.join("config.json");
        if !config.exists()
            && let Some(file) = only_gguf(dir)?
        {
            return self.gguf(&file);
        }
        self.form = Some("safetensors");
        let path = config;
        let config: Config = read_json(&path)?;
        self.architecture = config.model_type;
        self.layers = config.num_hidden_layers;
        self.context = config.max_position_embeddings;
        self.vocabulary = config.vocab_size;
        self.tokenizer(dir)?;
        self.weights(&WeightFiles::open_folder(dir)?);
        // Our own small models name no type.
        let Some(kind) = &self.architecture else {
            return read_json::<DecoderConfig>(&path)?.check();
        };
        if encoder::is_encoder(kind) {
            return encoder::check_config(dir);
        }
        let text = fs::read_to_string(&path).map_err(RunError::io("read", &path))?;
        let shape = Shape::from_config(&path, &text)?;
        self.cache_bytes_per_token = Some(shape.bytes_per_position() as u64);
        Ok(())
    }

    fn tokenizer(&mut self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join("tokenizer.json");
        if path.exists() {
            let tokenizer: TokenizerFile = read_json(&path)?;
            self.tokenizer = tokenizer.model.and_then(|model| model.kind).or(tokenizer.kind);
        }
        let path = dir.join("tokenizer_config.json");
        self.chat_template = dir.join("chat_template.jinja").exists()
            || (path.exists() && read_json::<TokenizerConfig>(&path)?.chat_template.is_some());
        Ok(())
    }

    fn adapter(&mut self, dir: &Path) -> Result<(), ModelError> {
        self.form = Some("adapter");
        let adapter = Adapter::read(dir)?;
        self.weights(&WeightFiles::open_safetensors(&dir.join("adapter_model.safetensors"))?);
        self.base = adapter.base;
        Ok(())
    }

    fn gguf(&mut self, path: &Path) -> Result<(), ModelError> {
        self.form = Some("gguf");
        path.clone_into(&mut self.path);
        self.file_bytes = fs::metadata(path).map_err(RunError::io("read", path))?.len();
        let metadata = Metadata::read(path)?;
        let architecture = metadata.required("general.architecture", Metadata::text)?;
        self.architecture = Some(architecture.to_owned());
        let count = |key: &str| {
            let found = metadata.count(&format!("{architecture}.{key}"));
            found.map(|count| count.map(|count| count as u64))
        };
        self.layers = count("block_count")?;
        self.context = count("context_length")?;
        let tokens = metadata.texts("tokenizer.ggml.tokens")?;
        self.vocabulary = tokens.map(|tokens| tokens.len() as u64);
        let model = metadata.text("tokenizer.ggml.model")?;
        let kind = metadata.text("tokenizer.ggml.pre")?;
        self.tokenizer = model
            .map(|model| kind.map_or_else(|| model.to_owned(), |kind| format!("{model} ({kind})")));
        self.chat_template = metadata.text("tokenizer.chat_template")?.is_some();
        let files = WeightFiles::open_gguf(path)?;
        self.weights(&files);
        let shape = Shape::from_gguf(&metadata, &files)?;
        self.cache_bytes_per_token = Some(shape.bytes_per_position() as u64);
        Ok(())
    }

    fn weights(&mut self, files: &WeightFiles) {
        self.file_bytes = files.bytes();
        for info in files.names().filter_map(|name| files.info(name)) {
            if !matches!(info.dtype, Dtype::Integer(_)) {
                *self.numbers.entry(info.dtype.to_string()).or_default() += info.count() as u64;
            }
        }
        let parameters = self.numbers.values().sum();
        self.parameters = Some(parameters);
        self.f32_bytes = Some(parameters * 4);
    }
}

/// The GGUF file of a folder; which of several is meant cannot be known.
fn only_gguf(dir: &Path) -> Result<Option<PathBuf>, ModelError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(RunError::io("read", dir))? {
        let path = entry.map_err(RunError::io("read", dir))?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
            found.push(path);
        }
    }
    if found.len() > 1 {
        return Err(ModelError::Unsupported {
            path: dir.to_owned(),
            what: format!("{} GGUF files; give the path of one", found.len()),
        });
    }
    Ok(found.pop())
}

/// The fields of `config.json` that every family has under these names.
#[derive(Deserialize)]
struct Config {
    model_type: Option<String>,
    num_hidden_layers: Option<u64>,
    max_position_embeddings: Option<u64>,
    vocab_size: Option<u64>,
}

/// Our own tokenizers have their kind at the top.
#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    model: Option<TokenizerModel>,
}

#[derive(Deserialize)]
struct TokenizerModel {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct TokenizerConfig {
    chat_template: Option<serde::de::IgnoredAny>,
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let file = fs::File::open(path).map_err(RunError::io("read", path))?;
    serde_json::from_reader(BufReader::new(file))
        .map_err(|error| ModelError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
    }

    #[test]
    fn a_folder_is_described_by_its_config_and_its_headers() {
        let base = ModelDescription::of(&golden("adapter/base"));
        assert_eq!((base.form, base.architecture.as_deref()), (Some("safetensors"), Some("llama")));
        assert_eq!(base.parameters, Some(10_104));
        assert_eq!(base.numbers["F32"], 10_104);
        assert_eq!((base.layers, base.context, base.vocabulary), (Some(2), Some(64), Some(48)));
        assert_eq!(base.cache_bytes_per_token, Some(2 * 2 * 8 * 4));
        assert_eq!((base.tokenizer, base.chat_template, base.unsupported), (None, false, None));
    }

    #[test]
    fn a_gguf_file_is_described_by_its_metadata() {
        let file = ModelDescription::of(&golden("weights/quantised.gguf"));
        assert_eq!((file.form, file.architecture.as_deref()), (Some("gguf"), Some("llama")));
        assert_eq!(file.tokenizer.as_deref(), Some("gpt2"));
        assert_eq!((file.vocabulary, file.numbers["Q6_K"]), (Some(3), 2048));
        // It has blocks of every type and is no model.
        assert!(file.unsupported.unwrap().contains("quantised.gguf: "));
    }

    #[test]
    fn an_adapter_names_its_base() {
        let adapter = ModelDescription::of(&golden("adapter/plain"));
        assert_eq!((adapter.form, adapter.base.as_deref()), (Some("adapter"), Some("base")));
    }

    #[test]
    fn what_is_wrong_is_part_of_the_description() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = ModelDescription::of(dir.path()).unsupported.unwrap();
        assert!(nothing.contains("config.json"), "{nothing}");
        fs::write(dir.path().join("a.gguf"), "GGUF").unwrap();
        let cut = ModelDescription::of(dir.path());
        assert_eq!(cut.form, Some("gguf"));
        assert!(cut.unsupported.unwrap().contains("the version"));
        fs::write(dir.path().join("b.gguf"), "GGUF").unwrap();
        let two = ModelDescription::of(dir.path()).unsupported.unwrap();
        assert!(two.ends_with("2 GGUF files; give the path of one"), "{two}");
    }
}
