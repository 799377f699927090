//! Agreement with transformers on a small random model of every family, made by
//! `tests/golden/pretrained/make.py` (transformers 5.24, torch 2.15, f32 on a CPU).

use std::path::{Path, PathBuf};

use candle_core::Device;
use safetensors::SafeTensors;

use super::composed::Composed;
use super::forward::{Forward, Run, Transformer};
use super::shape::Shape;
use super::weights::Weights;
use super::{FAMILIES, WeightForm};
use crate::{Adapter, WeightFiles};

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pretrained")
}

pub(super) fn models() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(super) fn shape(name: &str) -> Shape {
    let path = folder().join(name).join("config.json");
    Shape::from_config(&path, &std::fs::read_to_string(&path).unwrap()).unwrap()
}

pub(super) fn fused(name: &str, form: WeightForm) -> Transformer {
    let files = WeightFiles::open_folder(&folder().join(name)).unwrap();
    let weights = Weights::read(&shape(name), files, form.make()).unwrap();
    Transformer { shape: shape(name), weights }
}

pub(super) fn composed(name: &str) -> Composed {
    let files = WeightFiles::open_folder(&folder().join(name)).unwrap();
    Composed::read(shape(name), files, Device::Cpu).unwrap()
}

pub(super) struct Expected {
    pub(super) tokens: Vec<u32>,
    pub(super) logits: Vec<f32>,
    /// The embeddings, the state behind each layer but the last, the final norm.
    pub(super) states: Vec<f32>,
}

pub(super) fn expected(name: &str) -> Expected {
    let bytes = std::fs::read(folder().join(name).join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| tensors.tensor(name).unwrap().data().as_chunks().0.to_vec();
    let floats = |name: &str| words(name).into_iter().map(f32::from_le_bytes).collect();
    Expected {
        tokens: words("tokens").into_iter().map(u32::from_le_bytes).collect(),
        logits: floats("logits"),
        states: floats("states"),
    }
}

pub(super) fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max)
}

#[test]
fn every_family_has_a_golden_model() {
    let models = models();
    for family in FAMILIES {
        assert!(models.iter().any(|model| model == family.name), "{}", family.name);
    }
}

/// Logits and the state behind every layer are those of transformers.
fn agrees(name: &str, model: &impl Forward) {
    let (shape, expected) = (model.shape(), expected(name));
    let rows = expected.tokens.len() * shape.hidden;
    let mut workspace = model.workspace();
    let mut read = |layers: usize| {
        let mut own = model.cache(expected.tokens.len());
        let run = Run { before: None, own: &mut own, tokens: &expected.tokens };
        model.forward(&mut [run], layers, &mut workspace).unwrap().to_vec()
    };
    for layer in 0..shape.layers {
        let error = largest_difference(&read(layer), &expected.states[layer * rows..][..rows]);
        assert!(error < 1e-4, "{name} behind layer {layer}: {error}");
    }
    let (mut normed, mut logits) = (Vec::new(), Vec::new());
    model.final_norm(&read(shape.layers), &mut normed).unwrap();
    let error = largest_difference(&normed, &expected.states[shape.layers * rows..]);
    assert!(error < 1e-4, "{name} final norm: {error}");
    model.logits(&normed, &mut logits).unwrap();
    let error = largest_difference(&logits, &expected.logits);
    assert!(error < 1e-4, "{name}: {error}");
}

#[test]
fn logits_and_states_are_those_of_transformers() {
    for name in models() {
        agrees(&name, &fused(&name, WeightForm::F32));
    }
}

#[test]
fn the_composition_gives_the_same() {
    for name in models() {
        agrees(&name, &composed(&name));
    }
}

/// Two adapters by PEFT 0.21 on a base of their own (`tests/golden/adapter/make.py`).
#[test]
fn logits_with_an_adapter_are_those_of_peft() {
    let golden = folder().join("../adapter");
    let bytes = std::fs::read(golden.join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| tensors.tensor(name).unwrap().data().as_chunks().0.to_vec();
    let tokens: Vec<u32> = words("tokens").into_iter().map(u32::from_le_bytes).collect();
    for name in ["plain", "stabilised"] {
        let path = golden.join("base/config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let shape = Shape::from_config(&path, &text).unwrap();
        let mut files = WeightFiles::open_folder(&golden.join("base")).unwrap();
        files.merge(Adapter::read(&golden.join(name)).unwrap()).unwrap();
        let weights = Weights::read(&shape, files, WeightForm::F32.make()).unwrap();
        let model = Transformer { shape, weights };
        let (mut workspace, mut own) = (model.workspace(), model.cache(tokens.len()));
        let run = Run { before: None, own: &mut own, tokens: &tokens };
        let layers = model.shape.layers;
        let states = model.forward(&mut [run], layers, &mut workspace).unwrap();
        let (mut normed, mut logits) = (Vec::new(), Vec::new());
        model.final_norm(states, &mut normed).unwrap();
        model.logits(&normed, &mut logits).unwrap();
        let expected: Vec<f32> =
            words(&format!("{name}.logits")).into_iter().map(f32::from_le_bytes).collect();
        let error = largest_difference(&logits, &expected);
        assert!(error < 1e-4, "{name}: {error}");
    }
}
