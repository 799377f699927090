//! Checkpoints: `model.safetensors` with `config.json` and `tokenizer.json` beside it.
//!
//! Weights that are packed in memory are separate in the file, under the names
//! that Hugging Face gives them. Each file is written under a temporary name,
//! flushed and renamed, the weights last: a folder with `model.safetensors` is whole.

use std::fs;
use std::path::Path;

use gradus::run::{RunError, Stream, write_file};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::decoder::Parameter;
use crate::{Decoder, DecoderConfig, ModelError, Tokenizer};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";

/// Reads the three files of `dir`.
pub(crate) fn load(dir: &Path) -> Result<(Decoder, Tokenizer), ModelError> {
    let config: DecoderConfig = read_json(&dir.join(CONFIG))?;
    let tokenizer: Tokenizer = read_json(&dir.join(TOKENIZER))?;
    if config.vocab_size != tokenizer.vocab_size() {
        return Err(ModelError::Malformed {
            path: dir.join(TOKENIZER),
            reason: format!(
                "{} tokens, but {CONFIG} has a vocab_size of {}",
                tokenizer.vocab_size(),
                config.vocab_size
            ),
        });
    }
    config.check().map_err(|error| ModelError::Malformed {
        path: dir.join(CONFIG),
        reason: error.to_string(),
    })?;

    let path = dir.join(WEIGHTS);
    let bytes = read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| ModelError::Malformed {
        path: path.clone(),
        reason: format!("not a safetensors file: {error}"),
    })?;
    let decoder = Decoder::new(config, &mut Stream::new(0, &[]))?;
    let mut expected = 0;
    for parameter in decoder.parameters() {
        let parts = parts(parameter);
        expected += parts.len();
        let rows = parameter.var.dims()[0] / parts.len();
        let mut shape = parameter.var.dims().to_vec();
        shape[0] = rows;
        let mut values = Vec::with_capacity(parameter.len);
        for tensor in parts {
            values.extend(read_tensor(&path, &tensors, tensor, &shape)?);
        }
        parameter.update(|weight| weight.copy_from_slice(&values))?;
    }
    if tensors.len() > expected {
        let known: Vec<String> = decoder.parameters().iter().flat_map(parts).collect();
        let mut foreign: Vec<&str> =
            tensors.names().into_iter().filter(|name| !known.iter().any(|k| k == name)).collect();
        foreign.sort_unstable();
        return Err(ModelError::Malformed {
            path,
            reason: format!("{CONFIG} has no place for tensor {}", foreign.join(", ")),
        });
    }
    Ok((decoder, tokenizer))
}

fn read_tensor(
    path: &Path,
    tensors: &SafeTensors<'_>,
    name: String,
    expected: &[usize],
) -> Result<Vec<f32>, ModelError> {
    let Ok(view) = tensors.tensor(&name) else {
        return Err(ModelError::MissingTensor {
            path: path.to_owned(),
            tensor: name,
            expected: expected.to_vec(),
        });
    };
    if view.shape() != expected {
        return Err(ModelError::Shape {
            path: path.to_owned(),
            tensor: name,
            found: view.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    if view.dtype() != Dtype::F32 {
        return Err(ModelError::Malformed {
            path: path.to_owned(),
            reason: format!("tensor {name} is {:?}, expected F32", view.dtype()),
        });
    }
    let (numbers, _) = view.data().as_chunks::<4>();
    Ok(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

/// Writes the three files of `dir`, which is made if it is missing.
pub(crate) fn save(dir: &Path, decoder: &Decoder, tokenizer: &Tokenizer) -> Result<(), ModelError> {
    fs::create_dir_all(dir).map_err(RunError::io("create", dir))?;
    write_json(&dir.join(CONFIG), decoder.config())?;
    write_json(&dir.join(TOKENIZER), tokenizer)?;

    let path = dir.join(WEIGHTS);
    let mut tensors = Vec::new();
    for parameter in decoder.parameters() {
        let parts = parts(parameter);
        let mut shape = parameter.var.dims().to_vec();
        shape[0] /= parts.len();
        let values = parameter.to_vec()?;
        for (name, values) in parts.into_iter().zip(values.chunks(shape.iter().product())) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((name, shape.clone(), bytes));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let bytes = views
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| ModelError::Malformed { path: path.clone(), reason: error.to_string() })?;
    Ok(write_file(&path, &bytes)?)
}

/// The names in the file of a weight that may be packed in memory.
fn parts(parameter: &Parameter) -> Vec<String> {
    let unpacked: [(&str, &[&str]); 2] = [
        ("self_attn.qkv_proj", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        ("mlp.gate_up_proj", &["mlp.gate_proj", "mlp.up_proj"]),
    ];
    for (packed, names) in unpacked {
        if parameter.name.contains(packed) {
            return names.iter().map(|name| parameter.name.replace(packed, name)).collect();
        }
    }
    vec![parameter.name.clone()]
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    Ok(fs::read(path).map_err(RunError::io("read", path))?)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| ModelError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ModelError> {
    let mut json = serde_json::to_vec_pretty(value).map_err(|error| ModelError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    json.push(b'\n');
    Ok(write_file(path, &json)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, ByteTokenizer, LocalModel};

    fn model(act: Activation) -> LocalModel {
        let config = DecoderConfig {
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            intermediate_size: 12,
            hidden_act: act,
            ..DecoderConfig::default()
        };
        LocalModel::new(config, ByteTokenizer {}.into(), &mut Stream::new(1, &["init"])).unwrap()
    }

    #[test]
    fn a_checkpoint_comes_back_to_the_bit() {
        for act in [Activation::GeluTanh, Activation::Silu] {
            let dir = tempfile::tempdir().unwrap();
            let saved = model(act);
            saved.save(dir.path()).unwrap();
            let loaded = LocalModel::load(dir.path()).unwrap();
            assert_eq!(loaded.tokenizer, saved.tokenizer);
            assert_eq!(loaded.decoder.config(), saved.decoder.config());
            for (new, old) in loaded.decoder.parameters().iter().zip(saved.decoder.parameters()) {
                assert_eq!(new.to_vec().unwrap(), old.to_vec().unwrap(), "{}", old.name);
            }
        }
    }

    #[test]
    fn packed_weights_have_their_usual_names_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let model = model(Activation::Silu);
        model.save(dir.path()).unwrap();
        let bytes = fs::read(dir.path().join(WEIGHTS)).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let key = tensors.tensor("model.layers.1.self_attn.k_proj.weight").unwrap();
        assert_eq!(key.shape(), [8, 8]);
        let packed = model.decoder.layer(1, crate::decoder::part::QKV).to_vec().unwrap();
        assert_eq!(key.data()[..4], packed[64].to_le_bytes());
        assert_eq!(tensors.tensor("model.layers.0.mlp.up_proj.weight").unwrap().shape(), [12, 8]);
    }

    #[test]
    fn a_checkpoint_of_another_shape_names_tensor_found_and_expected() {
        let dir = tempfile::tempdir().unwrap();
        model(Activation::GeluTanh).save(dir.path()).unwrap();
        let config = fs::read_to_string(dir.path().join(CONFIG)).unwrap();
        let edit = |from: &str, to: &str| {
            fs::write(dir.path().join(CONFIG), config.replace(from, to)).unwrap();
            LocalModel::load(dir.path()).unwrap_err().to_string()
        };
        let error = edit("\"intermediate_size\": 12", "\"intermediate_size\": 16");
        assert!(
            error.ends_with(
                "tensor model.layers.0.mlp.up_proj.weight has shape [12, 8], expected [16, 8]"
            ),
            "{error}"
        );
        let error = edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
        assert!(error.contains("model.layers.2.input_layernorm.weight is missing"), "{error}");
        let error = edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
        assert!(error.contains("has no place for tensor model.layers.1."), "{error}");
        let error = edit("\"vocab_size\": 258", "\"vocab_size\": 4000000000");
        assert!(error.contains("has a vocab_size of 4000000000"), "{error}");
        let error = edit("\"num_attention_heads\": 2", "\"num_attention_heads\": 0");
        assert!(error.contains("num_attention_heads is 0"), "{error}");
    }

    #[test]
    fn hostile_weight_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        model(Activation::GeluTanh).save(dir.path()).unwrap();
        let whole = fs::read(dir.path().join(WEIGHTS)).unwrap();
        let mut long_header = whole.clone();
        long_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let mut garbled = whole.clone();
        garbled[8..40].fill(b'{');
        for bytes in [&[][..], &whole[..7], &whole[..whole.len() - 1], &long_header, &garbled] {
            fs::write(dir.path().join(WEIGHTS), bytes).unwrap();
            let error = LocalModel::load(dir.path()).unwrap_err();
            assert!(error.to_string().contains("not a safetensors file"), "{error}");
        }
    }
}
