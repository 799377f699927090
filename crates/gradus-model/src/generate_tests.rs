use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::IndexOp as _;
use gradus::data::{FinishReason, Span};
use gradus::lm::{
    Continuation, Detail, Generate, Generated, Judged, Key, LogProb, Message, Prompt, Request,
    Reward, RowError, Sampling, Scored,
};
use gradus::run::Stream;

use crate::{Activation, DecoderConfig, LocalModel, SymbolTokenizer};

fn model(hidden_act: Activation) -> LocalModel {
    let symbols = ["\n", "#", "+", "-", "a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let config = DecoderConfig {
        hidden_size: 40,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 50,
        hidden_act,
        ..DecoderConfig::default()
    };
    let tokenizer = SymbolTokenizer::new(symbols).unwrap().into();
    let model = LocalModel::new(config, tokenizer, &mut Stream::new(3, &["init"])).unwrap();
    for parameter in model.decoder.parameters() {
        // Sharper than fresh weights, so that rows differ.
        parameter.update(|weight| weight.iter_mut().for_each(|w| *w *= 1.5)).unwrap();
    }
    let head = model.decoder.value_head().unwrap();
    head.update(|w| w.iter_mut().enumerate().for_each(|(at, w)| *w = at as f32 / 40.0 - 0.5))
        .unwrap();
    model
}

fn sampling(temperature: f32, max_tokens: usize) -> Sampling {
    let stream = "test".to_owned();
    Sampling { temperature, max_tokens, seed: 9, stream, ..Sampling::default() }
}

fn key(problem: &str, sample: u32) -> Key {
    Key { problem: problem.into(), sample, branch: 0 }
}

fn request(problem: &str, sample: u32, prompt: &str) -> Request {
    Request { key: key(problem, sample), prompt: Prompt::Text(prompt.into()), prefix: "".into() }
}

/// Samples of prompts of several lengths.
fn requests(samples: u32) -> Vec<Request> {
    let prompts = ["a + b\n", "c\n", "a b c d e a b c d e a b c d e a b c d e\n"];
    prompts
        .iter()
        .flat_map(|prompt| (0..samples).map(move |sample| request(prompt, sample, prompt)))
        .collect()
}

fn generate(
    model: &LocalModel,
    requests: &[Request],
    sampling: &Sampling,
) -> Vec<(Key, Result<Generated, RowError>)> {
    let mut rows = Vec::new();
    let mut sink = |key, row| {
        rows.push((key, row));
        ControlFlow::Continue(())
    };
    model.generate(requests, sampling, &mut sink).unwrap();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

/// The logits after each token, by the composition of tensor operations.
fn logits(model: &LocalModel, tokens: &[u32]) -> Vec<Vec<f32>> {
    let hidden = model.decoder.composed_states(&[tokens]).unwrap().i(0).unwrap();
    hidden.matmul(&model.decoder.lm_head().var.t().unwrap()).unwrap().to_vec2().unwrap()
}

fn log_softmax(logits: &[f32], token: u32) -> f64 {
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
    f64::from(logits[token as usize]) - sum.ln()
}

#[test]
fn a_row_is_the_same_to_the_bit_alone_in_any_company_order_and_thread_count() {
    let model = model(Activation::GeluTanh);
    let sampling = sampling(1.0, 24);
    let requests = requests(64);
    let all = generate(&model, &requests, &sampling);
    assert!(all.iter().any(|row| row.1.as_ref().unwrap().token_log_probs.len() > 8));
    assert!(all.iter().any(|row| row.1.as_ref().unwrap().finish_reason == FinishReason::Stop));
    for size in [1, 7, 64] {
        let mut rows: Vec<_> =
            requests.chunks(size).flat_map(|some| generate(&model, some, &sampling)).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(rows, all, "{size} at a time");
    }
    let mut shuffled = requests.clone();
    Stream::new(1, &["shuffle"]).shuffle(&mut shuffled);
    assert_eq!(generate(&model, &shuffled, &sampling), all);
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| generate(&model, &requests, &sampling)), all);
    }
}

#[test]
fn greedy_tokens_and_log_probs_are_those_of_the_composition() {
    for act in [Activation::GeluTanh, Activation::Silu] {
        let model = model(act);
        for (key, row) in generate(&model, &requests(1), &sampling(0.0, 12)) {
            let row = row.unwrap();
            let mut tokens = model.tokenizer.encode(&key.problem).unwrap();
            let mut completion = Vec::new();
            for &log_prob in &row.token_log_probs {
                let logits = logits(&model, &tokens).pop().unwrap();
                let best = (2..logits.len())
                    .chain([1])
                    .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
                    .unwrap() as u32;
                let expected = log_softmax(&logits, best);
                assert!((f64::from(log_prob) - expected).abs() < 1e-4, "{log_prob} {expected}");
                tokens.push(best);
                completion.push(best);
            }
            assert_eq!(row.text, model.tokenizer.decode(&completion));
        }
    }
}

#[test]
fn a_prefix_is_continued_and_given_back() {
    let model = model(Activation::GeluTanh);
    let whole = request("p", 0, "a + b\n");
    let text = generate(&model, std::slice::from_ref(&whole), &sampling(0.0, 6))[0]
        .1
        .clone()
        .unwrap()
        .text;
    let cut = text.find(' ').unwrap();
    let continued = Request { prefix: text[..cut].into(), ..whole };
    let again = generate(&model, &[continued], &sampling(0.0, 5))[0].1.clone().unwrap();
    assert_eq!(again.text, text);
    assert_eq!(again.token_log_probs.len(), 5);
}

#[test]
fn sampling_ends_at_stop_strings_the_budget_and_the_longest_sequence() {
    let model = model(Activation::GeluTanh);
    let free = generate(&model, &requests(8), &sampling(1.0, 20));
    let stopping = Sampling { stop: vec!["b".to_owned(), "\n".to_owned()], ..sampling(1.0, 20) };
    let mut stopped = 0;
    for (before, after) in free.iter().zip(generate(&model, &requests(8), &stopping)) {
        let (before, after) = (before.1.as_ref().unwrap(), after.1.unwrap());
        match before.text.find(['b', '\n']) {
            Some(end) => {
                stopped += 1;
                assert_eq!(after.text, before.text[..end]);
                assert_eq!(after.finish_reason, FinishReason::Stop);
            }
            None => assert_eq!(&after, before),
        }
    }
    assert!(stopped > 8);
    for row in generate(&model, &requests(8), &sampling(1.0, 3)) {
        let row = row.1.unwrap();
        assert!(row.token_log_probs.len() <= 3);
        if row.finish_reason == FinishReason::Length {
            assert_eq!(row.token_log_probs.len(), 3);
        }
    }
    let none = generate(&model, &requests(1), &sampling(1.0, 0));
    assert_eq!(none[0].1.as_ref().unwrap().finish_reason, FinishReason::Length);
}

#[test]
fn a_bad_request_fails_alone() {
    let model = model(Activation::GeluTanh);
    let mut requests = requests(1);
    requests[0].prompt = Prompt::Text("a z\n".into());
    requests[1].prompt =
        Prompt::Chat(Arc::new([Message { role: "user".to_owned(), content: "a".to_owned() }]));
    requests.push(Request { prompt: Prompt::Tokens([99].into()), ..request("tokens", 0, "") });
    requests.push(request("empty", 0, ""));
    let mut reasons: Vec<String> = generate(&model, &requests, &sampling(1.0, 4))
        .into_iter()
        .filter_map(|row| row.1.err().map(|error| error.reason))
        .collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "0 tokens given, expected 1 to 511",
            "symbol \"z\" at byte 2 is not in the vocabulary",
            "this model has no chat template",
            "token 99 of a vocabulary of 11",
        ]
    );
}

#[test]
fn the_sink_can_stop_the_work() {
    let model = model(Activation::GeluTanh);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut rows = 0;
        pool.install(|| {
            model
                .generate(&requests(200), &sampling(1.0, 24), &mut |_, _| {
                    rows += 1;
                    if rows == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .unwrap();
        });
        assert_eq!(rows, 5);
    }
}

#[test]
fn log_probs_of_given_text_are_those_of_sampling_and_of_the_composition() {
    let model = model(Activation::Silu);
    let sampled = generate(&model, &requests(20), &sampling(1.0, 24));
    let finished: Vec<_> = sampled
        .iter()
        .map(|(key, row)| (key, row.as_ref().unwrap()))
        .filter(|(_, row)| row.finish_reason == FinishReason::Stop && !row.text.is_empty())
        .collect();
    let mut asked: Vec<Continuation> = finished
        .iter()
        .map(|(key, row)| Continuation {
            key: (*key).clone(),
            prompt: Prompt::Text(key.problem.clone()),
            text: row.text.clone(),
        })
        .collect();
    asked.push(Continuation { text: "z".to_owned(), ..asked[0].clone() });
    let mut found = Vec::new();
    let mut sink = |_, row| {
        found.push(row);
        ControlFlow::Continue(())
    };
    let detail = Detail { ranks: true, moments: true };
    model.log_prob(&asked, detail, &mut sink).unwrap();
    assert!(found.pop().unwrap().is_err());
    for ((key, row), found) in finished.into_iter().zip(found) {
        let Scored { token_log_probs: mut found, ranks, entropies, variances } = found.unwrap();
        let prompt = model.tokenizer.encode(&key.problem).unwrap();
        let tokens = [prompt.clone(), model.tokenizer.encode(&row.text).unwrap()].concat();
        for (at, (found, sampled)) in found.iter().zip(&row.token_log_probs).enumerate() {
            let logits = &logits(&model, &tokens)[prompt.len() - 1 + at];
            let expected = log_softmax(logits, tokens[prompt.len() + at]);
            assert!((f64::from(*found) - expected).abs() < 1e-4);
            let all: Vec<f64> =
                (0..logits.len() as u32).map(|token| log_softmax(logits, token)).collect();
            let mean: f64 = all.iter().map(|log_p| log_p.exp() * log_p).sum();
            let variance: f64 = all.iter().map(|log_p| log_p.exp() * (log_p - mean).powi(2)).sum();
            assert!((f64::from(entropies[at]) + mean).abs() < 1e-4);
            assert!((f64::from(variances[at]) - variance).abs() < 1e-4);
            let likelier = all.iter().filter(|&&log_p| log_p > expected).count();
            assert_eq!(ranks[at] as usize, likelier);
            assert!((found - sampled).abs() < 1e-5);
        }
        found.push(*row.token_log_probs.last().unwrap());
        assert_eq!(found.len(), row.token_log_probs.len());
    }
}

#[test]
fn step_scores_are_the_evaluator_head_at_the_steps_whatever_the_company() {
    let model = model(Activation::GeluTanh);
    let mut judged: Vec<Judged> = ["a\nb\n# c", "a b\n", "", "d\nd\nd\nd\nd e"]
        .iter()
        .map(|completion| Judged {
            key: key(completion, 0),
            problem: "a + b\n".into(),
            completion: (*completion).to_owned(),
            steps: completion
                .split_inclusive('\n')
                .scan(0, |start, line| {
                    let span = Span { start: *start, end: *start + line.len() };
                    *start = span.end;
                    Some(span)
                })
                .collect(),
        })
        .collect();
    judged.push(Judged { completion: "a z".to_owned(), ..judged[0].clone() });
    let score = |judged: &[Judged]| {
        let mut rows = Vec::new();
        let mut sink = |_, row| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        model.reward(judged, &mut sink).unwrap();
        rows
    };
    let together = score(&judged);
    assert_eq!(
        together[4].as_ref().unwrap_err().reason,
        "symbol \"z\" at byte 2 is not in the vocabulary"
    );
    for (judged, row) in judged.iter().zip(&together).take(4) {
        assert_eq!(&score(std::slice::from_ref(judged))[0], row);
        let read =
            crate::judgement(&model.tokenizer, &judged.problem, &judged.completion, &judged.steps)
                .unwrap();
        let hidden = model.decoder.composed_states(&[&read.tokens]).unwrap().i(0).unwrap();
        let head = &model.decoder.value_head().unwrap().var;
        let z: Vec<f32> =
            hidden.matmul(&head.t().unwrap()).unwrap().squeeze(1).unwrap().to_vec1().unwrap();
        let row = row.as_ref().unwrap();
        assert_eq!(row.len(), judged.steps.len().max(1));
        for (score, at) in row.iter().zip(read.positions) {
            let expected = 1.0 / (1.0 + (-f64::from(z[at])).exp());
            assert!((score - expected).abs() < 1e-5, "{score} {expected}");
        }
    }
}

#[test]
fn a_model_without_an_evaluator_head_refuses_to_judge() {
    let mut model = model(Activation::GeluTanh);
    model.decoder = model.decoder.copy(false).unwrap();
    let error = model.reward(&[], &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.to_string(), "model local cannot judge without an evaluator head");
    let again = model.with_value_head().unwrap();
    assert!(again.decoder.value_head().unwrap().to_vec().unwrap().iter().all(|&w| w == 0.0));
    assert_eq!(again.decoder.len(), model.decoder.len() + 40);
}
