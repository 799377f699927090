//! The statistics that run often or over many rows.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gradus::stats::{Resamples, bootstrap_mean, roc_auc};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

fn stats(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let values: Vec<f64> = (0..1000).map(|_| f64::from(rng.next_u32() & 1)).collect();
    criterion.bench_function("bootstrap_mean, 1,000 values, 2,000 draws", |bench| {
        bench.iter(|| bootstrap_mean(black_box(&values), 2000, 0.95, &mut rng));
    });
    let resamples = Resamples::new(values.len(), 2000, &mut rng);
    criterion.bench_function("Resamples::mean, 1,000 values, 2,000 draws", |bench| {
        bench.iter(|| resamples.mean(black_box(&values), 0.95));
    });
    let scores: Vec<f64> = (0..1_000_000).map(|_| f64::from(rng.next_u32())).collect();
    let labels: Vec<bool> = (0..1_000_000).map(|_| rng.next_u32() & 1 == 1).collect();
    criterion.bench_function("roc_auc, 1,000,000 values", |bench| {
        bench.iter(|| roc_auc(black_box(&scores), &labels, 0.95));
    });
}

criterion_group!(benches, stats);
criterion_main!(benches);
