//! Against the Python package `gguf` 0.19 (`tests/golden/weights/quantised.py`) and real files.

use std::path::{Path, PathBuf};

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights").join(name)
}

fn values(files: &WeightFiles, name: &str) -> Vec<f32> {
    let mut out = Vec::new();
    files.read_f32(name, &mut out).unwrap();
    out
}

#[test]
fn every_type_of_block_has_the_numbers_of_the_gguf_package_to_the_bit() {
    let ours = WeightFiles::open_gguf(&golden("quantised.gguf")).unwrap();
    let theirs = WeightFiles::open_safetensors(&golden("quantised.safetensors")).unwrap();
    assert_eq!(ours.names().collect::<Vec<_>>(), theirs.names().collect::<Vec<_>>());
    let mut types = Vec::new();
    for name in theirs.names() {
        types.push(ours.info(name).unwrap().dtype);
        assert_eq!(ours.info(name).unwrap().shape, theirs.info(name).unwrap().shape, "{name}");
        let (ours, theirs) = (values(&ours, name), values(&theirs, name));
        let same = ours.iter().zip(&theirs).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same && ours.len() == theirs.len(), "{name}: {:?}", &ours[..4]);
    }
    types.sort_unstable_by_key(Dtype::to_string);
    types.dedup();
    assert_eq!(types.len(), 11, "{types:?}");
}

#[test]
fn blocks_of_8_bits_are_given_in_the_order_of_the_model() {
    let files = WeightFiles::open_gguf(&golden("quantised.gguf")).unwrap();
    let name = "model.layers.1.self_attn.k_proj.weight";
    let rows = files.rows_q8(name).unwrap().unwrap();
    let mut row = vec![0.0; 64];
    let all = values(&files, name);
    assert_eq!(rows.count(), 16);
    for (index, expected) in all.chunks(64).enumerate() {
        blocks::dequantise(Dtype::Q8_0, rows.row(index), &mut row);
        assert_eq!(row, expected);
    }
    assert!(files.rows_q8("model.embed_tokens.weight").unwrap().is_none());
}

#[test]
fn some_rows_are_those_of_the_whole() {
    let files = WeightFiles::open_gguf(&golden("quantised.gguf")).unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    let mut some = Vec::new();
    files.read_rows_f32(name, 3..5, &mut some).unwrap();
    assert_eq!(some, values(&files, name)[3 * 32..5 * 32]);
}

#[test]
fn metadata_has_the_types_that_were_written() {
    let files = WeightFiles::open_gguf(&golden("quantised.gguf")).unwrap();
    let metadata = files.metadata().unwrap();
    assert_eq!(metadata.text("tokenizer.ggml.model").unwrap(), Some("gpt2"));
    assert_eq!(metadata.count("llama.attention.head_count").unwrap(), Some(4));
    assert_eq!(metadata.number("llama.rope.freq_base").unwrap(), Some(10000.0));
    assert_eq!(metadata.flag("tokenizer.ggml.add_bos_token").unwrap(), Some(true));
    assert_eq!(metadata.texts("tokenizer.ggml.tokens").unwrap().unwrap(), ["a", "é", "\n"]);
    assert_eq!(metadata.numbers("tokenizer.ggml.scores").unwrap().unwrap(), [0.5, -1.0, 2.0]);
    assert_eq!(metadata.integers("tokenizer.ggml.token_type").unwrap().unwrap(), [1, 1, 3]);
    assert_eq!(metadata.count("llama.block_count").unwrap(), None);
    let error = metadata.required("llama.block_count", Metadata::count).unwrap_err().to_string();
    assert!(error.ends_with("quantised.gguf: metadata llama.block_count is missing"), "{error}");
    let error = metadata.count("tokenizer.ggml.tokens").unwrap_err().to_string();
    let expected = "metadata tokenizer.ggml.tokens: found an array of 3 Text, \
                    expected a whole number, not negative";
    assert!(error.ends_with(expected), "{error}");
}
