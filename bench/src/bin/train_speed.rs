//! Times the SFT trainer on one model and one thread and prints one JSON line.
//!
//! `train_speed tiny|small SECONDS [MICRO_BATCH]`; `train_speed.py` runs it beside `PyTorch`.

use gradus::run::{Monitor, Stream, Work};
use gradus_bench::{cpu_seconds, peak_mb};
use gradus_model::{Activation, DecoderConfig, LocalModel, SymbolTokenizer};
use gradus_train::{PromptCompletion, TrainConfig, sft};

fn main() {
    gradus_model::tune_allocator();
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("one thread");
    let arguments: Vec<String> = std::env::args().collect();
    let name = arguments.get(1).map_or("tiny", String::as_str);
    let seconds: f64 = arguments.get(2).map_or(3.0, |text| text.parse().expect("seconds"));
    let tiny = DecoderConfig::default();
    // Lengths are in tokens; the end-of-sequence token makes the rest of a completion.
    let (config, symbols, batch_size, prompt, completion) = match name {
        "tiny" => (tiny, 36, 32, 22, 22),
        "small" => {
            let config = DecoderConfig {
                hidden_size: 256,
                intermediate_size: 688,
                hidden_act: Activation::Silu,
                rope_theta: 10_000.0,
                value_head: false,
                ..tiny
            };
            (config, 62, 64, 1, 126)
        }
        other => panic!("no model is called {other}: tiny or small"),
    };
    let micro_batch_size = arguments.get(3).map_or(8, |text| text.parse().expect("micro-batch"));

    let tokenizer = SymbolTokenizer::new((0..symbols).map(|symbol| symbol.to_string()).collect());
    let tokenizer = tokenizer.expect("symbols").into();
    let mut init = Stream::new(1, &["init"]);
    let mut model = LocalModel::new(config, tokenizer, &mut init).expect("sizes");
    let mut draw = Stream::new(1, &["data"]);
    let mut text = |length: usize| {
        let symbols = (0..length).map(|_| draw.below(symbols).to_string());
        symbols.collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<PromptCompletion> = (0..batch_size)
        .map(|_| PromptCompletion { prompt: text(prompt), completion: text(completion) })
        .collect();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut train = |steps: u32, run: &str| {
        let config = TrainConfig {
            batch_size,
            micro_batch_size,
            num_train_epochs: steps,
            save_steps: u64::MAX,
            ..TrainConfig::default()
        };
        let work =
            Work::scratch(folder.path().join(run), run, Monitor::silent()).expect("a folder");
        let cpu = cpu_seconds();
        let summary = sft::run(&mut model, &rows, &config, &work).expect("training");
        (summary, cpu_seconds() - cpu)
    };
    let (_, warm_up) = train(5, "warm-up");
    let (summary, spent) = train((5.0 * seconds / warm_up).ceil() as u32, "timed");
    let row = serde_json::json!({
        "stack": "gradus", "model": name, "tokens": summary.num_tokens, "cpu_seconds": spent,
        "tokens_per_cpu_second": summary.num_tokens as f64 / spent,
        "last_loss": summary.final_loss, "peak_mb": peak_mb(),
    });
    println!("{row}");
}
