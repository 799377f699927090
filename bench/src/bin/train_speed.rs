//! Times training steps of one model on one thread and prints one JSON line.
//!
//! `train_speed tiny|small SECONDS [MICRO_BATCH]`; `train_speed.py` runs it beside `PyTorch`.

use std::time::Instant;

use gradus::run::Stream;
use gradus_bench::{cpu_seconds, peak_mb};
use gradus_model::{Activation, Decoder, DecoderConfig, Example, Gradients, LmTarget, gradients};

fn main() {
    gradus_model::tune_allocator();
    let arguments: Vec<String> = std::env::args().collect();
    let model = arguments.get(1).map_or("tiny", String::as_str);
    let seconds: f64 = arguments.get(2).map_or(3.0, |text| text.parse().expect("seconds"));
    let (config, batch, length, supervised, micro) = match model {
        "tiny" => {
            let config = DecoderConfig { vocab_size: 38, ..DecoderConfig::default() };
            (config, 32, 45, 22, 8)
        }
        "small" => {
            let config = DecoderConfig {
                vocab_size: 64,
                hidden_size: 256,
                intermediate_size: 688,
                hidden_act: Activation::Silu,
                rope_theta: 10_000.0,
                value_head: false,
                ..DecoderConfig::default()
            };
            (config, 64, 128, 0, 8)
        }
        other => panic!("no model is called {other}: tiny or small"),
    };
    let micro = arguments.get(3).map_or(micro, |text| text.parse().expect("micro-batch"));

    let decoder = Decoder::new(config, &mut Stream::new(1, &["init"])).expect("sizes");
    let mut draw = Stream::new(1, &["data"]);
    let targets = (length - 1 - supervised) * batch;
    let examples: Vec<Example> = (0..batch)
        .map(|_| {
            let tokens: Vec<u32> =
                (0..length).map(|_| draw.below(config.vocab_size as u64) as u32).collect();
            let lm = (supervised..length - 1)
                .map(|position| LmTarget {
                    position,
                    token: tokens[position + 1],
                    weight: 1.0 / targets as f32,
                })
                .collect();
            Example { tokens, lm, values: vec![] }
        })
        .collect();
    let examples: Vec<&Example> = examples.iter().collect();

    let mut flat = Gradients::new(&decoder);
    let mut adamw = AdamW::new(decoder.len());
    let mut first = 0.0;
    let mut steps = 0;
    let (mut start, mut cpu) = (Instant::now(), cpu_seconds());
    let loss = loop {
        flat.clear();
        let mut loss = 0.0;
        for chunk in examples.chunks(micro) {
            loss += gradients(&decoder, chunk, &mut flat).expect("gradients").lm_sum;
        }
        adamw.step(&decoder, &mut flat);
        if steps == 0 {
            first = loss;
        }
        steps += 1;
        if steps == 3 {
            (start, cpu) = (Instant::now(), cpu_seconds());
        }
        if steps > 3 && start.elapsed().as_secs_f64() > seconds {
            break loss;
        }
    };
    let spent = cpu_seconds() - cpu;
    let tokens = (steps - 3) * batch * length;
    let row = serde_json::json!({
        "stack": "gradus", "model": model, "tokens": tokens, "cpu_seconds": spent,
        "tokens_per_cpu_second": tokens as f64 / spent, "first_loss": first, "last_loss": loss,
        "peak_mb": peak_mb(),
    });
    println!("{row}");
}

struct AdamW {
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl AdamW {
    fn new(len: usize) -> Self {
        Self { mean: vec![0.0; len], square: vec![0.0; len], steps: 0 }
    }

    fn step(&mut self, decoder: &Decoder, gradient: &mut Gradients) {
        let (rate, first, second, decay) = (3e-3f32, 0.9f32, 0.98f32, 0.01f32);
        let norm: f32 = gradient.values().iter().map(|g| g * g).sum::<f32>().sqrt();
        let clip = (1.0 / norm).min(1.0);
        self.steps += 1;
        let step = rate / (1.0 - first.powi(self.steps));
        let correction = 1.0 / (1.0 - second.powi(self.steps));
        for parameter in decoder.parameters() {
            let place = parameter.offset..parameter.offset + parameter.len;
            let shrink = if parameter.decay { 1.0 - rate * decay } else { 1.0 };
            let (mean, square) = (&mut self.mean[place.clone()], &mut self.square[place.clone()]);
            let gradient = &gradient.values()[place];
            parameter
                .update(|weight| {
                    for (((w, g), m), v) in weight.iter_mut().zip(gradient).zip(mean).zip(square) {
                        let g = g * clip;
                        *m = first * *m + (1.0 - first) * g;
                        *v = second * *v + (1.0 - second) * g * g;
                        *w = *w * shrink - step * *m / ((*v * correction).sqrt() + 1e-8);
                    }
                })
                .expect("a weight in memory");
        }
    }
}
