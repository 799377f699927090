//! Against transformers 5.24 (PyTorch 2.15): files by `tests/golden/encoder/make.py`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gradus::data::Span;
use gradus::lm::{Embed, Judged, Key, Pooling, Reward};
use serde::Deserialize;

use super::Encoder;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/encoder").join(name)
}

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Embedded>,
    judged: Vec<Scored>,
}

#[derive(Deserialize)]
struct Embedded {
    text: String,
    ids: Vec<u32>,
    /// Behind the embeddings and behind each layer.
    mean: Vec<Vec<f32>>,
    first: Vec<f32>,
    last: Vec<f32>,
    max: Vec<f32>,
}

#[derive(Deserialize)]
struct Scored {
    texts: Vec<String>,
    probability: f64,
}

fn read(name: &str) -> (Encoder, Golden) {
    let json = std::fs::read(golden(&format!("{name}.json"))).unwrap();
    (Encoder::load(&golden(name)).unwrap(), serde_json::from_slice(&json).unwrap())
}

fn close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{what}: {found}, transformers {expected}");
    }
}

#[test]
fn states_of_every_layer_are_those_of_transformers() {
    for name in ["bert", "bert-head", "roberta"] {
        let (encoder, golden) = read(name);
        let texts: Vec<&str> = golden.texts.iter().map(|row| row.text.as_str()).collect();
        for (text, row) in texts.iter().zip(&golden.texts) {
            let pieces = encoder.input.pieces(&[text]).unwrap();
            let ids: Vec<u32> = pieces.iter().map(|piece| piece.id).collect();
            assert_eq!(ids, row.ids, "{name} {text:?}");
        }
        let vectors = |layer: Option<&str>, pooling| encoder.embed(&texts, layer, pooling).unwrap();
        for (at, layer) in ["embeddings", "layers.0", "layers.1"].into_iter().enumerate() {
            for (found, row) in vectors(Some(layer), Pooling::Mean).iter().zip(&golden.texts) {
                close(found, &row.mean[at], &format!("{name} {layer} {:?}", row.text));
            }
        }
        for (found, row) in vectors(None, Pooling::First).iter().zip(&golden.texts) {
            close(found, &row.first, name);
        }
        for (found, row) in vectors(None, Pooling::Last).iter().zip(&golden.texts) {
            close(found, &row.last, name);
        }
        // The files of `bert` say the largest, of length 1; the others say nothing.
        for (found, row) in vectors(None, Pooling::Own).iter().zip(&golden.texts) {
            if name == "bert" {
                let length = row.max.iter().map(|x| x * x).sum::<f32>().sqrt();
                let unit: Vec<f32> = row.max.iter().map(|x| x / length).collect();
                close(found, &unit, name);
            } else {
                close(found, &row.mean[2], name);
            }
        }
        let error = encoder.embed(&texts, Some("layers.2"), Pooling::Own).unwrap_err();
        assert!(
            error.to_string().contains("it has embeddings and layers.0 to layers.1"),
            "{error}"
        );
    }
}

fn judged(texts: &[String], problem: u32) -> Judged {
    let (first, completion) = match texts {
        [completion] => ("", completion),
        [problem, completion] => (problem.as_str(), completion),
        _ => unreachable!(),
    };
    Judged {
        key: Key { problem: problem.to_string().into(), sample: 0, branch: 0 },
        problem: first.into(),
        completion: completion.clone(),
        steps: vec![Span { start: 0, end: completion.len() }],
    }
}

#[test]
fn a_classification_head_judges_as_in_transformers() {
    for name in ["bert-head", "roberta"] {
        let (encoder, golden) = read(name);
        let mut rows: Vec<Judged> =
            golden.judged.iter().zip(0..).map(|(row, at)| judged(&row.texts, at)).collect();
        rows.push(judged(&["word ".repeat(200)], 99));
        let mut found = std::collections::BTreeMap::new();
        let mut sink = |key: Key, row: Result<Vec<f64>, _>| {
            found.insert(key.problem.to_string(), row);
            ControlFlow::Continue(())
        };
        encoder.reward(&rows, &mut sink).unwrap();
        for (at, row) in golden.judged.iter().enumerate() {
            let scores = found[&at.to_string()].as_ref().unwrap();
            assert_eq!(scores.len(), 1);
            assert!((scores[0] - row.probability).abs() < 1e-4, "{name} {at}: {scores:?}");
        }
        let error = found["99"].as_ref().unwrap_err().to_string();
        assert!(error.contains("tokens, expected at most"), "{error}");
    }
    let (encoder, _) = read("bert");
    let error = encoder.reward(&[], &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("no classification head"), "{error}");
}

#[test]
fn a_vector_is_the_same_to_the_bit_in_any_company() {
    let (encoder, golden) = read("roberta");
    let texts: Vec<&str> = golden.texts.iter().map(|row| row.text.as_str()).collect();
    let alone: Vec<Vec<f32>> =
        texts.iter().flat_map(|text| encoder.embed(&[text], None, Pooling::Own).unwrap()).collect();
    for count in [2, 7, 64] {
        let many: Vec<&str> = texts.iter().cycle().take(count).copied().collect();
        let found = encoder.embed(&many, None, Pooling::Own).unwrap();
        assert!(found.iter().zip(alone.iter().cycle()).all(|(a, b)| a == b), "{count}");
    }
    assert!(encoder.embed(&[], None, Pooling::Own).unwrap().is_empty());
    // More than is read: the beginning counts.
    let long = "A cat sat. ".repeat(100);
    let longer = long.clone() + "Not read.";
    let found = encoder.embed(&[&long, &longer], None, Pooling::Own).unwrap();
    assert_eq!(found[0], found[1]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["tokenizer.json", "model.safetensors", "modules.json"] {
        std::fs::copy(golden("bert").join(file), dir.path().join(file)).unwrap();
    }
    std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
    let pooling = "{\"pooling_mode_weightedmean_tokens\": true}";
    let config = std::fs::read_to_string(golden("bert/config.json")).unwrap();
    let load = |from: &str, to: &str, pooling: &str| {
        assert!(config.contains(from), "{from}");
        std::fs::write(dir.path().join("config.json"), config.replace(from, to)).unwrap();
        std::fs::write(dir.path().join("1_Pooling/config.json"), pooling).unwrap();
        Encoder::load(dir.path()).unwrap_err().to_string()
    };
    let error = load("\"bert\"", "\"deberta\"", "{}");
    assert!(error.contains("model_type \"deberta\" is no encoder"), "{error}");
    let error = load("\"gelu\"", "\"relu\"", "{}");
    assert!(error.contains("hidden_act \"relu\""), "{error}");
    let error = load("\"bert\"", "\"bert\"", pooling);
    assert!(error.contains("pooling by weightedmean_tokens"), "{error}");
    let mean = "{\"pooling_mode_mean_tokens\": true}";
    let error = load("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", mean);
    assert!(error.contains("encoder.layer.2.attention.self.query.weight"), "{error}");
    let error = load("\"num_attention_heads\": 4", "\"num_attention_heads\": 5", mean);
    assert!(error.contains("hidden_size 32 is no multiple"), "{error}");
    let error = load("\"intermediate_size\": 48", "\"intermediate_size\": 50", mean);
    assert!(error.contains("has shape [48, 32], expected [50, 32]"), "{error}");
    let error = load("\"max_position_embeddings\": 64", "\"max_position_embeddings\": 1", mean);
    assert!(error.contains("leaves no room"), "{error}");
    let size = config.lines().find(|line| line.contains("vocab_size\"")).unwrap().to_owned();
    let size = config.lines().find(|line| line.contains("  \"vocab_size\"")).unwrap_or(&size);
    let error = load(size, "\"vocab_size\": 20", mean);
    assert!(error.contains("config.json has a vocab_size of 20"), "{error}");
}

#[derive(Deserialize)]
struct RealRow {
    text: String,
    first: Vec<f32>,
}

#[test]
fn the_real_sentence_encoder_has_the_vectors_of_transformers() {
    let folder = std::env::var_os("GRADUS_TEST_MODELS").map(PathBuf::from).unwrap_or_default();
    let folder = folder.join("all-MiniLM-L6-v2");
    if !folder.exists() {
        eprintln!("LEFT OUT: no all-MiniLM-L6-v2 under GRADUS_TEST_MODELS");
        return;
    }
    let json = std::fs::read(golden("all-MiniLM-L6-v2.json")).unwrap();
    let rows: Vec<RealRow> = serde_json::from_slice(&json).unwrap();
    let encoder = Encoder::load(&folder).unwrap();
    assert_eq!((encoder.longest(), encoder.hidden_size()), (256, 384));
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let found = encoder.embed(&texts, None, Pooling::Own).unwrap();
    for (found, row) in found.iter().zip(&rows) {
        close(&found[..16], &row.first, &row.text);
    }
}
