//! Item response models on made answers, one thread.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gradus::difficulty::irt::simulate::{ItemDistribution, items, normal_abilities, responses};
use gradus::difficulty::irt::{Method, Population, Settings, fit, model};

fn difficulty(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("irt");
    group.sample_size(10);
    for (name, respondents, count) in [("2pl", 1000, 100), ("3pl", 1000, 100), ("2pl", 5000, 1000)]
    {
        let model = model(name).expect("it is in the table");
        let bank = items(model, count, 2, ItemDistribution::default(), 1).expect("two categories");
        let made = responses(&bank, &normal_abilities(respondents, 0.0, 1.0, 2), 3);
        let mut settings = Settings::new(model);
        settings.standard_errors = false;
        group.bench_function(format!("fit, {name}, {respondents} x {count}"), |bench| {
            bench.iter(|| fit(black_box(&made), &settings));
        });
        if name == "2pl" && count == 100 {
            settings.standard_errors = true;
            group.bench_function("fit with standard errors, 2pl, 1000 x 100", |bench| {
                bench.iter(|| fit(black_box(&made), &settings));
            });
            let population = Population { mean: 0.0, sd: 1.0 };
            group.bench_function("weighted likelihood of 1000 respondents, 100 items", |bench| {
                bench.iter(|| bank.score_all(black_box(&made), Method::Wle, population, 1));
            });
        }
    }
}

criterion_group!(benches, difficulty);
criterion_main!(benches);
