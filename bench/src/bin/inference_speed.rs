//! Times a pretrained model on one thread and prints one JSON line.
//!
//! `inference_speed MODEL ids TEXT_FILE COUNT`: the first token ids of a text.
//! `inference_speed MODEL f32|q8 IDS`: speeds on token ids, a JSON list of at least 512.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use gradus::lm::{
    Continuation, Detail, Generate as _, Key, LogProb as _, Prompt, Request, Sampling,
};
use gradus_bench::{cpu_seconds, peak_mb};
use gradus_model::{Pretrained, PretrainedOptions, WeightForm};
use serde_json::json;

/// Tokens of the prompt that the sequences share.
const SHARED: usize = 128;
/// Sequences side by side, and tokens of each.
const DECODES: [(usize, usize); 4] = [(1, 48), (8, 24), (32, 16), (64, 16)];
const REPEATS: usize = 3;

fn main() {
    gradus_model::tune_allocator();
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("one thread");
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, mode, given, ..] = &arguments[..] else { panic!("MODEL MODE GIVEN") };
    let weights = if mode == "q8" { WeightForm::Q8 } else { WeightForm::F32 };
    let before = cpu_seconds();
    let options = PretrainedOptions { weights, ..PretrainedOptions::default() };
    let model = Pretrained::open(Path::new(path), &options).expect("a model");
    let load = cpu_seconds() - before;
    if mode == "ids" {
        let text = std::fs::read_to_string(given).expect("a text");
        let mut ids = model.tokenizer().encode(&text).expect("token ids");
        ids.truncate(arguments[4].parse().expect("a number of ids"));
        println!("{}", json!(ids));
        return;
    }
    let ids: Vec<u32> = serde_json::from_str(given).expect("token ids");

    let prefill = median(|| {
        let start = cpu_seconds();
        generate(&model, &ids[..512], 1, 1);
        512.0 / (cpu_seconds() - start)
    });
    let text = model.tokenizer().decode(&ids[1..256]);
    let asked = [Continuation {
        key: Key { problem: "p".into(), sample: 0, branch: 0 },
        prompt: Prompt::Tokens(ids[..1].into()),
        text,
    }];
    let (mut log_prob, mut scored) = (0.0, 0);
    let score = median(|| {
        let start = cpu_seconds();
        let mut take = |_, row: Result<gradus::lm::Scored, _>| {
            let row = row.expect("a score");
            log_prob = row.token_log_probs.iter().map(|&x| f64::from(x)).sum();
            scored = row.token_log_probs.len();
            ControlFlow::Continue(())
        };
        model.log_prob(&asked, Detail::default(), &mut take).expect("scores");
        (scored + 1) as f64 / (cpu_seconds() - start)
    });
    let mut row = json!({
        "load": load, "prefill512": prefill, "score256": score, "scored": scored, "log_prob": log_prob,
    });
    for (count, steps) in DECODES {
        // What a first token costs is known from the same call with no others.
        let speed = median(|| {
            let start = cpu_seconds();
            let first = generate(&model, &ids[..SHARED], count, 1);
            let middle = cpu_seconds();
            let all = generate(&model, &ids[..SHARED], count, steps + 1);
            let end = cpu_seconds();
            assert_eq!(all - first, count * steps, "a sequence ended early: take other ids");
            (all - first) as f64 / ((end - middle) - (middle - start))
        });
        row[format!("decode{count}")] = json!(speed);
    }
    row["peak_mb"] = json!(peak_mb());
    println!("{row}");
}

/// Greedy completions of one prompt; the number of tokens.
fn generate(model: &Pretrained, prompt: &[u32], count: usize, most: usize) -> usize {
    let prompt: Arc<[u32]> = prompt.into();
    let requests: Vec<Request> = (0..count)
        .map(|sample| Request {
            key: Key { problem: "p".into(), sample: sample as u32, branch: 0 },
            prompt: Prompt::Tokens(prompt.clone()),
            prefix: "".into(),
        })
        .collect();
    let sampling = Sampling {
        temperature: 0.0,
        max_tokens: most,
        stream: "bench".to_owned(),
        ..Sampling::default()
    };
    let mut tokens = 0;
    let mut take = |_, row: Result<gradus::lm::Generated, _>| {
        tokens += row.expect("a row").token_log_probs.len();
        ControlFlow::Continue(())
    };
    model.generate(&requests, &sampling, &mut take).expect("sampling");
    tokens
}

fn median(mut measure: impl FnMut() -> f64) -> f64 {
    let mut found: Vec<f64> = (0..REPEATS).map(|_| measure()).collect();
    found.sort_by(f64::total_cmp);
    found[REPEATS / 2]
}
