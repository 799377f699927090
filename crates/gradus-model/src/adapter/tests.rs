//! Against PEFT 0.21 (`tests/golden/adapter/make.py`).

use std::path::PathBuf;

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adapter").join(name)
}

fn values(files: &WeightFiles, name: &str) -> Vec<f32> {
    let mut out = Vec::new();
    files.read_f32(name, &mut out).unwrap();
    out
}

#[test]
fn merged_weights_are_those_of_peft() {
    let expected = WeightFiles::open_safetensors(&golden("expected.safetensors")).unwrap();
    for (name, modules) in [("plain", 6), ("stabilised", 14)] {
        let adapter = Adapter::read(&golden(name)).unwrap();
        assert_eq!((adapter.modules.len(), adapter.base.as_deref()), (modules, Some("base")));
        let changed: Vec<String> = adapter.modules.keys().cloned().collect();
        let mut files = WeightFiles::open_folder(&golden("base")).unwrap();
        files.merge(adapter).unwrap();
        for module in changed {
            let weight = format!("{module}.weight");
            let theirs = values(&expected, &format!("{name}.{weight}"));
            let ours = values(&files, &weight);
            let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-6 && ours.len() == theirs.len(), "{name} {weight}: {apart}");
        }
    }
}

#[test]
fn an_adapter_comes_back_to_the_bit() {
    for name in ["plain", "stabilised"] {
        let adapter = Adapter::read(&golden(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        adapter.write(dir.path()).unwrap();
        assert_eq!(Adapter::read(dir.path()).unwrap(), adapter, "{name}");
    }
}

#[test]
fn some_rows_of_a_merged_weight_are_those_of_the_whole() {
    let mut files = WeightFiles::open_folder(&golden("base")).unwrap();
    files.merge(Adapter::read(&golden("plain")).unwrap()).unwrap();
    let name = "model.layers.1.mlp.down_proj.weight";
    let mut some = Vec::new();
    files.read_rows_f32(name, 5..7, &mut some).unwrap();
    assert_eq!(some, values(&files, name)[5 * 40..7 * 40]);
}

/// What reading says after `from` in the config became `to`.
fn edited(from: &str, to: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(golden("plain").join(CONFIG)).unwrap();
    assert!(config.contains(from), "{from} in {config}");
    fs::write(dir.path().join(CONFIG), config.replace(from, to)).unwrap();
    fs::copy(golden("plain").join(WEIGHTS), dir.path().join(WEIGHTS)).unwrap();
    Adapter::read(dir.path()).unwrap_err().to_string()
}

#[test]
fn what_is_more_than_a_low_rank_change_is_refused_by_name() {
    for (from, to, expected) in [
        ("\"use_dora\": false", "\"use_dora\": true", "use_dora = true"),
        ("\"bias\": \"none\"", "\"bias\": \"all\"", "bias = \"all\""),
        (
            "\"modules_to_save\": null",
            "\"modules_to_save\": [\"lm_head\"]",
            "modules_to_save = [\"lm_head\"]",
        ),
        ("\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\"", "peft_type \"IA3\"; LORA is read"),
        (
            "\"init_lora_weights\": true",
            "\"init_lora_weights\": \"pissa_niter_4\"",
            "changes the base model",
        ),
        (
            "\"down_proj\": 3",
            "\"down_proj|up_proj\": 3",
            "alpha_pattern with the regular expression",
        ),
    ] {
        let error = edited(from, to);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn ranks_that_differ_from_the_tensors_and_wrong_numbers_are_errors() {
    let error = edited("\"r\": 4", "\"r\": 5");
    assert!(
        error.contains("lora_A.weight has rank 4, adapter_config.json has 5 for it"),
        "{error}"
    );
    let error = edited("\"lora_alpha\": 12", "\"lora_alpha\": -1");
    assert!(error.contains("lora_alpha is -1, expected a number above 0"), "{error}");
    let error = edited("\"down_proj\": 3", "\"down_proj\": 3, \"mlp.down_proj\": 4");
    assert!(error.contains("both mean model.layers.0.mlp.down_proj"), "{error}");
}

#[test]
fn an_adapter_of_another_model_is_an_error() {
    let mut adapter = Adapter::read(&golden("plain")).unwrap();
    let pair = adapter.modules.remove("model.layers.0.mlp.down_proj").unwrap();
    let mut files = WeightFiles::open_folder(&golden("base")).unwrap();
    adapter.modules.insert("model.layers.2.mlp.down_proj".to_owned(), pair.clone());
    let error = files.merge(adapter.clone()).unwrap_err().to_string();
    assert!(error.contains("tensor model.layers.2.mlp.down_proj.weight is missing"), "{error}");
    adapter.modules = [("model.layers.0.mlp.up_proj".to_owned(), pair)].into();
    let error = files.merge(adapter).unwrap_err().to_string();
    assert!(error.contains("has shape [40, 24], expected [24, 40]"), "{error}");
}
