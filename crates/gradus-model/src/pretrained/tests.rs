use std::ops::ControlFlow;
use std::path::Path;

use gradus::data::FinishReason;
use gradus::lm::{
    Continuation, Detail, Embed, Generate, Generated, Key, LogProb, Pooling, Prompt, Request,
    RowError, Sampling, Scored,
};
use gradus::run::Stream;
use serde_json::json;

use super::golden_tests::{composed, expected, folder, fused, largest_difference, models};
use super::shape::Shape;
use super::{Engine, Pretrained, PretrainedOptions, WeightForm};
use crate::SymbolTokenizer;

/// A golden model with a word for each of its tokens.
fn pretrained(name: &str, form: WeightForm) -> Pretrained {
    with(name, Engine::Fused(fused(name, form)))
}

fn with(name: &str, engine: Engine) -> Pretrained {
    let symbols = (0..59).map(|at| format!("w{at}")).collect();
    Pretrained {
        engine,
        tokenizer: SymbolTokenizer::new(symbols).unwrap().into(),
        template: None,
        name: name.to_owned(),
        budget: u64::MAX,
    }
}

fn sampling(temperature: f32, max_tokens: usize) -> Sampling {
    Sampling { temperature, max_tokens, seed: 9, stream: "test".to_owned(), ..Sampling::default() }
}

/// Samples of prompts of several lengths, more tokens together than a block has rows.
fn requests(prompts: usize, samples: u32) -> Vec<Request> {
    let words = |prompt: usize| {
        let word = |at: usize| format!("w{}", (7 * prompt + at * (3 + prompt % 5)) % 59);
        (0..=prompt * 11 % 37).map(word).collect::<Vec<_>>().join(" ")
    };
    (0..prompts)
        .flat_map(|prompt| {
            let text: std::sync::Arc<str> = words(prompt).into();
            (0..samples).map(move |sample| Request {
                key: Key { problem: prompt.to_string().into(), sample, branch: 0 },
                prompt: Prompt::Text(text.clone()),
                prefix: "".into(),
            })
        })
        .collect()
}

type Rows = Vec<(Key, Result<Generated, RowError>)>;

fn generate(model: &Pretrained, requests: &[Request], sampling: &Sampling) -> Rows {
    let mut rows = Vec::new();
    let mut sink = |key, row| {
        rows.push((key, row));
        ControlFlow::Continue(())
    };
    model.generate(requests, sampling, &mut sink).unwrap();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

fn log_prob(model: &Pretrained, asked: &[Continuation], detail: Detail) -> Vec<Scored> {
    let mut rows = Vec::new();
    let mut sink = |_, row: Result<Scored, RowError>| {
        rows.push(row.unwrap());
        ControlFlow::Continue(())
    };
    model.log_prob(asked, detail, &mut sink).unwrap();
    rows
}

#[test]
fn a_row_is_the_same_to_the_bit_alone_in_any_company_order_and_thread_count() {
    for (name, form) in
        [("llama", WeightForm::F32), ("gemma3", WeightForm::F32), ("qwen2", WeightForm::Q8)]
    {
        let model = pretrained(name, form);
        let sampling = sampling(1.0, 20);
        let requests = requests(32, 2);
        let all = generate(&model, &requests, &sampling);
        let ends = |reason| {
            all.iter().filter(|row| row.1.as_ref().unwrap().finish_reason == reason).count()
        };
        assert!(ends(FinishReason::Stop) > 2 && ends(FinishReason::Length) > 2, "{name}");
        for size in [1, 7, 64] {
            let mut rows: Rows =
                requests.chunks(size).flat_map(|some| generate(&model, some, &sampling)).collect();
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(rows, all, "{name} {size} at a time");
        }
        let mut shuffled = requests.clone();
        Stream::new(1, &["shuffle"]).shuffle(&mut shuffled);
        assert_eq!(generate(&model, &shuffled, &sampling), all, "{name} shuffled");
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| generate(&model, &requests, &sampling)), all, "{name}");
        }
    }
}

#[test]
fn sampled_log_probs_are_those_of_scoring_the_same_text() {
    for name in models() {
        let model = pretrained(&name, WeightForm::F32);
        let requests = requests(20, 3);
        let sampled: Rows = generate(&model, &requests, &sampling(1.0, 16))
            .into_iter()
            .filter(|row| row.1.as_ref().unwrap().finish_reason == FinishReason::Length)
            .collect();
        let asked: Vec<Continuation> = sampled
            .iter()
            .map(|(key, row)| Continuation {
                key: key.clone(),
                prompt: requests.iter().find(|it| it.key == *key).unwrap().prompt.clone(),
                text: format!(" {}", row.as_ref().unwrap().text),
            })
            .collect();
        assert!(asked.len() > 8, "{name}");
        let detail = Detail { ranks: true, moments: true };
        for ((_, row), scored) in sampled.iter().zip(log_prob(&model, &asked, detail)) {
            let row = row.as_ref().unwrap();
            // Padding is written by no text, so such a row reads differently.
            if row.tokens.contains(&0) {
                continue;
            }
            let error = largest_difference(&scored.token_log_probs, &row.token_log_probs);
            assert!(error < 1e-4, "{name} {error}");
            assert_eq!(scored.ranks.len(), row.tokens.len());
            assert!(scored.entropies.iter().all(|entropy| (0.0..=61f32.ln()).contains(entropy)));
        }
    }
}

#[test]
fn log_probs_of_given_tokens_are_those_of_transformers_logits() {
    for name in models() {
        let model = pretrained(&name, WeightForm::F32);
        let expected = expected(&name);
        let (prompt, text) = expected.tokens.split_at(20);
        let text = text.iter().map(|token| format!("w{}", token - 2)).collect::<Vec<_>>();
        let asked = Continuation {
            key: Key { problem: "p".into(), sample: 0, branch: 0 },
            prompt: Prompt::Tokens(prompt.into()),
            text: text.join(" "),
        };
        let detail = Detail { ranks: true, moments: true };
        let found = log_prob(&model, &[asked], detail).pop().unwrap();
        let size = model.shape().vocabulary;
        let mut all = Scored::default();
        for at in 20..expected.tokens.len() {
            let logits = &expected.logits[(at - 1) * size..at * size];
            let normalizer = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() as f32;
            all.push(logits, normalizer, expected.tokens[at], detail);
        }
        assert!(largest_difference(&found.token_log_probs, &all.token_log_probs) < 1e-4, "{name}");
        assert!(largest_difference(&found.entropies, &all.entropies) < 1e-4, "{name}");
        assert!(largest_difference(&found.variances, &all.variances) < 1e-3, "{name}");
        assert_eq!(found.ranks, all.ranks, "{name}");
    }
}

#[test]
fn hidden_states_of_named_layers_are_those_of_transformers() {
    for name in models() {
        let model = pretrained(&name, WeightForm::F32);
        let expected = expected(&name);
        let (length, hidden) = (expected.tokens.len(), model.shape().hidden);
        let words: Vec<_> = expected.tokens.iter().map(|token| format!("w{}", token - 2)).collect();
        let text = words.join(" ");
        let count = model.shape().layers;
        for (layer, place) in [(Some("embeddings"), 0), (Some("layers.1"), 2), (None, count)] {
            let states = &expected.states[place * length * hidden..][..length * hidden];
            let last = &states[(length - 1) * hidden..];
            let mean: Vec<f32> = (0..hidden)
                .map(|at| states.chunks(hidden).map(|row| row[at]).sum::<f32>() / length as f32)
                .collect();
            for (pooling, expected) in [(Pooling::Last, last), (Pooling::Own, mean.as_slice())] {
                let found = model.embed(&["w1", text.as_str()], layer, pooling).unwrap();
                let error = largest_difference(&found[1], expected);
                assert!(error < 1e-4, "{name} {layer:?} {pooling:?}: {error}");
            }
        }
        let error = model.embed(&["w1"], Some("layers.9"), Pooling::Own).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!(
                "expected embeddings, layers.0 to layers.{} or norm",
                count - 1
            ))
        );
    }
}

#[test]
fn the_composition_samples_and_scores_as_the_kernels_do() {
    for name in models() {
        let (fast, slow) =
            (pretrained(&name, WeightForm::F32), with(&name, Engine::Composed(composed(&name))));
        let requests = requests(9, 2);
        let greedy = sampling(0.0, 8);
        for ((_, fast), (_, slow)) in
            generate(&fast, &requests, &greedy).iter().zip(generate(&slow, &requests, &greedy))
        {
            let (fast, slow) = (fast.as_ref().unwrap(), slow.unwrap());
            assert_eq!(fast.tokens, slow.tokens, "{name}");
            assert!(largest_difference(&fast.token_log_probs, &slow.token_log_probs) < 1e-4);
        }
        let asked: Vec<Continuation> = requests
            .iter()
            .map(|request| Continuation {
                key: request.key.clone(),
                prompt: request.prompt.clone(),
                text: " w1 w2 w3".to_owned(),
            })
            .collect();
        let detail = Detail::default();
        for (fast, slow) in
            log_prob(&fast, &asked, detail).iter().zip(log_prob(&slow, &asked, detail))
        {
            assert!(largest_difference(&fast.token_log_probs, &slow.token_log_probs) < 1e-4);
        }
    }
}

#[test]
fn a_small_budget_gives_the_same_rows_and_a_smaller_one_an_error_with_numbers() {
    let mut model = pretrained("mistral", WeightForm::F32);
    let (requests, sampling) = (requests(6, 4), sampling(1.0, 12));
    let all = generate(&model, &requests, &sampling);
    let pass = model.shape().pass_bytes();
    model.budget = pass + 200_000;
    let places = model.shape().places((36, 6), 12, 64, model.budget).unwrap();
    assert!((2..8).contains(&places), "{places}");
    assert_eq!(generate(&model, &requests, &sampling), all);
    model.budget = pass;
    let error = model.generate(&requests, &sampling, &mut |_, _| ControlFlow::Continue(()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("+ 12 tokens needs") && error.contains("are left"), "{error}");
}

#[test]
fn eight_bits_stay_close_to_the_weights_that_they_round() {
    for name in models() {
        let requests = requests(20, 1);
        let asked: Vec<Continuation> = requests
            .iter()
            .map(|request| Continuation {
                key: request.key.clone(),
                prompt: request.prompt.clone(),
                text: " w1 w2 w3 w4".to_owned(),
            })
            .collect();
        let score = |form| {
            let rows = log_prob(&pretrained(&name, form), &asked, Detail::default());
            rows.into_iter().flat_map(|row| row.token_log_probs).collect::<Vec<_>>()
        };
        let (exact, rounded) = (score(WeightForm::F32), score(WeightForm::Q8));
        let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
        let error =
            (exact.iter().zip(&rounded).map(square).sum::<f64>() / exact.len() as f64).sqrt();
        // These models are far more sensitive than trained ones.
        assert!(error > 0.0 && error < 0.2, "{name}: {error}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let config = |edit: &dyn Fn(&mut serde_json::Map<String, serde_json::Value>)| {
        let path = folder().join("llama/config.json");
        let mut config = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        edit(&mut config);
        let text = serde_json::to_string(&config).unwrap();
        Shape::from_config(Path::new("config.json"), &text).unwrap_err().to_string()
    };
    let set = |name: &'static str, value: serde_json::Value| {
        config(&|config| {
            config.insert(name.to_owned(), value.clone());
        })
    };
    for (found, expected) in [
        (
            set("model_type", json!("mamba")),
            "model_type \"mamba\" is not supported, expected one of llama, mistral, qwen2, \
             qwen3, gemma3_text",
        ),
        (
            set("rope_parameters", json!({"rope_type": "longrope", "factor": 2})),
            "rope scaling \"longrope\" is not supported, expected default, linear, llama3 or yarn",
        ),
        (set("rope_parameters", json!({"rope_type": "linear"})), "rope factor is missing"),
        (
            set("quantization_config", json!({"quant_method": "gptq"})),
            "quantization_config gptq is not supported, expected weights as F32, F16 or BF16, or \
             a GGUF file",
        ),
        (
            set("num_key_value_heads", json!(3)),
            "num_attention_heads 4 is no multiple of num_key_value_heads 3",
        ),
        (set("hidden_size", json!(0)), "hidden_size is 0, expected 1 to 16777216"),
        (set("vocab_size", json!(null)), "vocab_size is missing"),
        (
            set("architectures", json!(["LlamaForSequenceClassification"])),
            "architecture \"LlamaForSequenceClassification\" is not supported, expected a ForCausalLM",
        ),
        (
            set("hidden_act", json!("relu")),
            "hidden_act \"relu\" is not supported, expected silu or gelu_pytorch_tanh",
        ),
        (set("attn_logit_softcapping", json!(50.0)), "attn_logit_softcapping 50 is not supported"),
        (set("layer_types", json!(["full_attention"])), "1 layer_types for 3 layers"),
        (
            set("partial_rotary_factor", json!(0.5)),
            "partial_rotary_factor 0.5 is not supported, expected 1",
        ),
    ] {
        assert_eq!(found, format!("config.json: {expected}"));
    }
}

/// Prompts of real models, where `GRADUS_TEST_MODELS` is a folder with them:
/// transformers' greedy tokens in f32, written by `tests/golden/pretrained/greedy.py`.
#[test]
fn greedy_tokens_of_real_models_are_those_of_transformers() {
    #[derive(serde::Deserialize)]
    struct Golden {
        file: String,
        rows: Vec<Row>,
    }
    #[derive(serde::Deserialize)]
    struct Row {
        prompt: Vec<u32>,
        text: String,
        tokens: Vec<u32>,
        log_probs: Vec<f32>,
    }
    let Some(real) = std::env::var_os("GRADUS_TEST_MODELS") else {
        skipped("GRADUS_TEST_MODELS names no folder with models");
        return;
    };
    let path = folder().join("greedy.json");
    let all: Vec<Golden> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for golden in all {
        let file = Path::new(&real).join(&golden.file);
        if !file.is_file() {
            skipped(&format!("GRADUS_TEST_MODELS has no {}", golden.file));
            continue;
        }
        let model = Pretrained::open(&file, &PretrainedOptions::default()).unwrap();
        let requests: Vec<Request> = golden
            .rows
            .iter()
            .zip(0..9)
            .map(|(row, sample)| Request {
                key: Key { problem: "p".into(), sample, branch: 0 },
                prompt: Prompt::Text(row.text.as_str().into()),
                prefix: "".into(),
            })
            .collect();
        let longest = golden.rows.iter().map(|row| row.tokens.len()).max().unwrap();
        let found = generate(&model, &requests, &sampling(0.0, longest));
        for ((row, request), (_, found)) in golden.rows.iter().zip(&requests).zip(&found) {
            let found = found.as_ref().unwrap();
            let read = model.language().continued(&request.prompt, "").unwrap().0;
            assert_eq!(read, row.prompt, "{}", row.text);
            assert_eq!(found.tokens, row.tokens, "{}: {:?}", row.text, found.text);
            let error = largest_difference(&found.token_log_probs, &row.log_probs);
            assert!(error < 2e-3, "{} {}: {error}", golden.file, row.text);
        }
    }
}

/// Not `eprintln!`, which the test harness hides for tests that pass.
fn skipped(reason: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}
