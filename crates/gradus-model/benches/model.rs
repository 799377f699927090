//! One micro-batch of training and one tile of sampling of the tiny model.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradus::lm::{Generate as _, Key, Prompt, Request, Sampling};
use gradus::run::Stream;
use gradus_model::{
    ByteTokenizer, DecoderConfig, Example, Gradients, LmTarget, LocalModel, gradients,
};

fn model() -> LocalModel {
    let mut init = Stream::new(1, &["init"]);
    LocalModel::new(DecoderConfig::default(), ByteTokenizer {}.into(), &mut init)
        .expect("the default sizes")
}

fn training(criterion: &mut Criterion) {
    let model = model();
    let mut draw = Stream::new(1, &["tokens"]);
    let mut example = || {
        let tokens: Vec<u32> = (0..45).map(|_| 2 + draw.below(256) as u32).collect();
        let lm = (22..44)
            .map(|position| LmTarget { position, token: tokens[position + 1], weight: 0.01 })
            .collect();
        Example { tokens, lm, values: vec![] }
    };
    let examples: Vec<Example> = (0..8).map(|_| example()).collect();
    let examples: Vec<&Example> = examples.iter().collect();
    let mut into = Gradients::new(&model.decoder);
    let mut group = criterion.benchmark_group("training");
    group.throughput(Throughput::Elements(8 * 45));
    group.bench_function("gradients of 8 sequences of 45 tokens", |bencher| {
        bencher.iter(|| gradients(&model.decoder, black_box(&examples), &mut into));
    });
    group.finish();
}

fn sampling(criterion: &mut Criterion) {
    let model = model();
    let requests: Vec<Request> = (0..64)
        .map(|sample| Request {
            key: Key { problem: "p".into(), sample, branch: 0 },
            prompt: Prompt::Text("twenty-two bytes here\n".into()),
            prefix: "".into(),
        })
        .collect();
    let sampling =
        Sampling { max_tokens: 23, seed: 1, stream: "bench".to_owned(), ..Sampling::default() };
    let mut group = criterion.benchmark_group("sampling");
    group.throughput(Throughput::Elements(64));
    group.bench_function("64 samples of a prompt of 22 tokens, up to 23 each", |bencher| {
        bencher.iter(|| {
            model.generate(black_box(&requests), &sampling, &mut |_, row| {
                black_box(row.is_ok());
                ControlFlow::Continue(())
            })
        });
    });
    group.finish();
}

criterion_group!(benches, training, sampling);
criterion_main!(benches);
