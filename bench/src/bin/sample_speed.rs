//! Times sampling of the tiny model on one thread and prints one JSON line.
//!
//! `sample_speed SECONDS [SAMPLES_PER_PROMPT]`

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use gradus::lm::{Generate as _, Key, Prompt, Request, Sampling};
use gradus::run::Stream;
use gradus_model::{DecoderConfig, LocalModel, SymbolTokenizer};

/// Length of a prompt and of a completion, in tokens, as in "signed running totals".
const PROMPT: usize = 22;
const COMPLETION: usize = 23;

fn main() {
    gradus_model::tune_allocator();
    let arguments: Vec<String> = std::env::args().collect();
    let seconds: f64 = arguments.get(1).map_or(3.0, |text| text.parse().expect("seconds"));
    let samples: u32 = arguments.get(2).map_or(64, |text| text.parse().expect("samples"));
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("one thread");
    let symbols: Vec<String> = (0..36).map(|symbol| symbol.to_string()).collect();
    let tokenizer = SymbolTokenizer::new(symbols).expect("symbols").into();
    let model =
        LocalModel::new(DecoderConfig::default(), tokenizer, &mut Stream::new(1, &["init"]))
            .expect("sizes");
    // Fresh weights end a sequence anywhere; this row of the head keeps them from it.
    for parameter in model.decoder.parameters().iter().filter(|p| p.name == "lm_head.weight") {
        parameter.update(|head| head[64..128].fill(0.0)).expect("a weight in memory");
    }
    let mut draw = Stream::new(1, &["prompts"]);
    let requests: Vec<Request> = (0..4096 / samples)
        .flat_map(|problem| {
            let tokens: Vec<u32> = (0..PROMPT).map(|_| 2 + draw.below(36) as u32).collect();
            let prompt: Arc<[u32]> = tokens.into();
            let problem: Arc<str> = problem.to_string().into();
            (0..samples).map(move |sample| Request {
                key: Key { problem: problem.clone(), sample, branch: 0 },
                prompt: Prompt::Tokens(prompt.clone()),
                prefix: "".into(),
            })
        })
        .collect();
    let (mut tokens, mut rows, mut rounds) = (0, 0, 0);
    let (mut start, mut cpu) = (Instant::now(), gradus_bench::cpu_seconds());
    loop {
        let sampling = Sampling {
            max_tokens: COMPLETION,
            seed: rounds,
            stream: "bench".to_owned(),
            ..Sampling::default()
        };
        model
            .generate(&requests, &sampling, &mut |_, row| {
                tokens += row.expect("a row").token_log_probs.len();
                rows += 1;
                ControlFlow::Continue(())
            })
            .expect("sampling");
        if rounds == 0 {
            (tokens, rows, start, cpu) = (0, 0, Instant::now(), gradus_bench::cpu_seconds());
        }
        rounds += 1;
        if rounds > 1 && start.elapsed().as_secs_f64() > seconds {
            break;
        }
    }
    let spent = gradus_bench::cpu_seconds() - cpu;
    let row = serde_json::json!({
        "stack": "gradus", "model": "tiny", "samples_per_prompt": samples, "rows": rows,
        "tokens": tokens, "tokens_per_row": tokens as f64 / f64::from(rows), "cpu_seconds": spent,
        "tokens_per_cpu_second": tokens as f64 / spent, "peak_mb": gradus_bench::peak_mb(),
    });
    println!("{row}");
}
