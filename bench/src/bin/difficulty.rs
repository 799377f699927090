//! Item response models as `difficulty.py` times them, and how often their intervals hold.
//!
//! `difficulty fit NAME.npy [--errors] [--threads N] [--model M]`: a matrix of int8, -1 missing,
//! as `irt_synth_gen.py` writes it; true parameters in `NAME_params.csv` beside it.
//! `difficulty sparse`: 100,000 respondents with 100 answers each on 20,000 items.
//! `difficulty adaptive`: adaptive tests on a made bank of 500 items, beside random ones.
//! `difficulty coverage [ITEMS RESPONDENTS REPLICATIONS]`: made responses of a 2PL, fitted again.

use std::time::Instant;

use gradus::difficulty::irt::adaptive::{Selection, Stop, Yardstick, performance, replay};
use gradus::difficulty::irt::simulate::{ItemDistribution, items, normal_abilities, responses};
use gradus::difficulty::irt::{Fit, Method, Population, Settings, fit, model};
use gradus::difficulty::responses::Responses;
use gradus::run::Stream;
use gradus::stats::Resamples;
use serde_json::{Value, json};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let answer = match args.first().map(String::as_str) {
        Some("fit") => {
            let made = read(&args[1]);
            timed(&made, flag("--model").map_or("2pl", String::as_str), &args, Some(&args[1]))
        }
        Some("sparse") => timed(&sparse(), "2pl", &args, None),
        Some("coverage") => {
            let number = |at: usize, default| {
                args.get(at).map_or(default, |text| text.parse().expect("a number"))
            };
            coverage(number(1, 20), number(2, 500), number(3, 200))
        }
        Some("adaptive") => return adaptive(),
        _ => panic!("expected fit, sparse, adaptive or coverage"),
    };
    println!("{answer}");
}

fn timed(made: &Responses, name: &str, args: &[String], file: Option<&str>) -> Value {
    let mut settings = Settings::new(model(name).expect("a model"));
    settings.standard_errors = args.iter().any(|arg| arg == "--errors");
    let threads = args.iter().position(|arg| arg == "--threads").map(|at| &args[at + 1]);
    settings.threads = threads.map_or(1, |text| text.parse().expect("a number"));
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let fit = fit(made, &settings).expect("it converges");
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let errors = file.map(|file| recovery(&fit, file));
    json!({
        "model": name, "threads": settings.threads, "standard_errors": settings.standard_errors,
        "scores": made.len(), "cpu_seconds": cpu, "wall_seconds": wall,
        "peak_mb": peak(), "log_likelihood": fit.log_likelihood, "cycles": fit.cycles,
        "nodes": fit.quadrature.nodes, "rmse_difficulty": errors.map(|errors| errors.0),
        "rmse_discrimination": errors.map(|errors| errors.1),
    })
}

fn recovery(fit: &Fit, file: &str) -> (f64, f64) {
    let text =
        std::fs::read_to_string(file.replace(".npy", "_params.csv")).expect("true parameters");
    let (mut difficulty, mut slope) = (0.0, 0.0);
    for (item, line) in fit.bank.items.iter().zip(text.lines().skip(1)) {
        let values: Vec<f64> =
            line.split(',').map(|value| value.parse().expect("a number")).collect();
        slope += (item.discrimination() - values[0]).powi(2);
        difficulty += (item.difficulty() - values[1]).powi(2);
    }
    let n = fit.bank.items.len() as f64;
    ((difficulty / n).sqrt(), (slope / n).sqrt())
}

/// numpy's format, version 1: magic, length of the header, header, bytes.
fn read(file: &str) -> Responses {
    let bytes = std::fs::read(file).expect("a file");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]);
    let shape =
        header.split("'shape': (").nth(1).and_then(|rest| rest.split(')').next()).expect("a shape");
    let shape: Vec<usize> =
        shape.split(',').map(|size| size.trim().parse().expect("a number")).collect();
    let names = |count: usize| (0..count).map(|number| number.to_string()).collect();
    let rows = bytes[start..].chunks(shape[1]).map(|row| {
        let cells = row.iter().enumerate().filter(|(_, score)| **score <= 1);
        cells.map(|(item, &score)| (item as u32, f32::from(score))).collect()
    });
    Responses::from_sparse(names(shape[0]), names(shape[1]), rows).expect("a matrix")
}

fn sparse() -> Responses {
    let (respondents, count, answers) = (100_000, 20_000, 100);
    let bank = items(model("2pl").expect("a model"), count, 2, ItemDistribution::default(), 1)
        .expect("items");
    let abilities = normal_abilities(respondents, 0.0, 1.0, 2);
    let names = |count: usize| (0..count).map(|number| number.to_string()).collect();
    let rows = abilities.iter().enumerate().map(|(row, &ability)| {
        let mut stream = Stream::new(3, &["sparse", &row.to_string()]);
        let mut chosen: Vec<u32> =
            (0..answers).map(|_| stream.below(count as u64) as u32).collect();
        chosen.sort_unstable();
        chosen.dedup();
        let mut draw = |item: u32| {
            let right = stream.unit() < bank.probabilities(item as usize, ability)[1];
            (item, f32::from(u8::from(right)))
        };
        chosen.into_iter().map(&mut draw).collect()
    });
    Responses::from_sparse(names(respondents), names(count), rows).expect("rows")
}

/// 300 respondents whose answers to all 500 items are drawn; error against the full test's ability.
fn adaptive() {
    let (respondents, standard) = (300, Population { mean: 0.0, sd: 1.0 });
    let bank = items(model("2pl").expect("a model"), 500, 2, ItemDistribution::default(), 1)
        .expect("items");
    let abilities = normal_abilities(respondents, 0.0, 1.0, 2);
    let made = responses(&bank, &abilities, 3);
    let full = bank.score_all(&made, Method::Eap, standard, 1).expect("known scores");
    let full: Vec<f64> = full.iter().flatten().map(|scored| scored.ability).collect();
    let ways = [
        ("random", Selection::Random),
        ("maximum-information", Selection::MaximumInformation),
        ("randomesque-5", Selection::Randomesque(5)),
        ("a-stratified-4", Selection::AStratified(4)),
    ];
    let stops = [(0.0, 25), (0.0, 50), (0.0, 100), (0.3, 500), (0.2, 500)];
    let resamples = Resamples::new(respondents, 1000, &mut Stream::new(4, &["adaptive"]));
    for (se, most) in stops {
        for (name, selection) in ways {
            let way = (selection, Stop { se, least: 5, most });
            let tests = replay(&bank, &made, standard, way, (4, 1), &|_| ()).expect("items");
            let tests: Vec<_> = tests.into_iter().flatten().collect();
            let by = Yardstick { full: &full, truth: Some(&abilities), se, resamples: &resamples };
            let found = performance(&bank, &tests, &by).expect("tests");
            println!(
                "{}",
                json!({
                    "selection": name, "stop_se": se, "most": most, "items": found.items.value,
                    "rmse_of_full_test_ability": found.rmse.value, "highest_exposure": found.exposure,
                    "overlap": found.overlap, "bank": 500, "respondents": respondents,
                })
            );
        }
    }
}

/// Share of 95% intervals, estimate plus and minus 1.96 standard errors, that hold the truth.
fn coverage(count: usize, respondents: usize, replications: usize) -> Value {
    let model = model("2pl").expect("a model");
    let bank = items(model, count, 2, ItemDistribution::default(), 1).expect("items");
    let (mut slopes, mut intercepts, mut difficulties, mut all, mut failed) = (0, 0, 0, 0, 0);
    let mut form = String::new();
    for replication in 0..replications {
        let abilities = normal_abilities(respondents, 0.0, 1.0, 1000 + replication as u64);
        let made = responses(&bank, &abilities, 5000 + replication as u64);
        let Ok(fit) = fit(&made, &Settings::new(model)) else {
            failed += 1;
            continue;
        };
        let errors = fit.standard_errors.as_ref().expect("they are asked for");
        form = format!("{:?}", errors.form);
        for (item, known) in bank.items.iter().enumerate() {
            let found = &fit.bank.items[item];
            let holds = |found: f64, known: f64, error: Option<f64>| {
                u32::from(error.is_some_and(|error| (found - known).abs() <= 1.96 * error))
            };
            all += 1;
            slopes +=
                holds(found.discrimination(), known.discrimination(), errors.discrimination(item));
            intercepts +=
                holds(found.intercepts()[0], known.intercepts()[0], errors.intercept(item, 0));
            difficulties +=
                holds(found.difficulty(), known.difficulty(), errors.threshold(&fit, item, 0));
        }
    }
    let share = |holding: u32| f64::from(holding) / f64::from(all);
    json!({
        "model": "2pl", "items": count, "respondents": respondents, "replications": replications,
        "not_converged": failed, "information": form, "intervals": all,
        "discrimination": share(slopes), "intercept": share(intercepts),
        "difficulty": share(difficulties),
    })
}

/// User and system seconds of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
