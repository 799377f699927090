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

/// A tensor of a real file: its name, the first numbers of its sixth row (of its only one),
/// and the sum of all absolute numbers.
type Known = (&'static str, [f64; 3], f64);

/// What transformers 5.24 reads from these files (`from_pretrained(.., gguf_file=..)`, f32).
const REAL: [(&str, &[Known]); 3] = [
    (
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        &[
            (
                "model.layers.3.self_attn.q_proj.weight",
                [0.128_234_863_281_25, 0.357_971_191_406_25, 0.013_366_699_218_75],
                54_389.019_165_039_06,
            ),
            (
                "model.layers.3.self_attn.k_proj.weight",
                [-0.375, -0.141_235_351_562_5, -0.047_729_492_187_5],
                21_054.364_334_106_445,
            ),
            (
                "model.layers.2.mlp.down_proj.weight",
                [0.095_703_125, -0.044_921_875, 0.095_703_125],
                127_100.398_986_816_4,
            ),
            ("model.norm.weight", [1.757_812_5, 1.820_312_5, 1.781_25], 1_045.097_656_25),
        ],
    ),
    (
        "gemma-3-270m.Q4_K_M.gguf",
        &[
            (
                "model.layers.3.self_attn.q_proj.weight",
                [-0.016_235_351_562_5, 0.012_176_513_671_875, 0.008_117_675_781_25],
                17_589.115_531_921_387,
            ),
            ("model.layers.0.input_layernorm.weight", [15.0, 15.875, 9.8125], 7_987.718_75),
            (
                "model.layers.2.mlp.down_proj.weight",
                [-0.027_123_153_209_686_28, 0.014_325_916_767_120_361, -0.021_942_019_462_585_45],
                16_263.806_673_705_578,
            ),
            (
                "model.layers.0.self_attn.q_norm.weight",
                [0.882_812_5, 0.6875, 1.195_312_5],
                282.768_310_546_875,
            ),
        ],
    ),
    (
        "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf",
        &[
            (
                "model.layers.3.self_attn.k_proj.bias",
                [0.734_375, 0.636_718_75, -0.863_281_25],
                169.843_353_271_484_38,
            ),
            (
                "model.layers.2.mlp.down_proj.weight",
                [0.017_112_374_305_725_098, -0.005_978_107_452_392_578, 0.002_268_493_175_506_592],
                14_452.168_261_349_201,
            ),
        ],
    ),
];

#[test]
fn real_files_have_the_numbers_that_transformers_reads() {
    let folder = std::env::var_os("GRADUS_TEST_MODELS").map(PathBuf::from).unwrap_or_default();
    for (name, known) in REAL {
        let path = folder.join(name);
        if !path.is_file() {
            eprintln!("LEFT OUT: no {name} under GRADUS_TEST_MODELS");
            continue;
        }
        let files = WeightFiles::open_gguf(&path).unwrap();
        for &(tensor, first, sum) in known {
            let info = files.info(tensor).unwrap();
            let start = if info.rows() > 1 { 5 * info.columns() } else { 0 };
            let found = values(&files, tensor);
            let three: Vec<f64> = found[start..start + 3].iter().map(|&n| n.into()).collect();
            assert_eq!(three, first, "{name} {tensor}");
            let found: f64 = found.iter().map(|&number| f64::from(number).abs()).sum();
            assert!((found / sum - 1.0).abs() < 1e-9, "{name} {tensor}: {found}");
        }
    }
}
