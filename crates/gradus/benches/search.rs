//! How long selection curves take on pools the size of the paper's: problems x
//! 1,024 samples, 11 values of n, 4 methods, 2 aggregates, 400 random subsets.
//!
//! 50 problems here, so that an iteration stays short; the paper has 500.

use criterion::{Criterion, criterion_group, criterion_main};
use gradus::run::Stream;
use gradus::search::{self, Candidate, Pool, Settings, Ties};

const PROBLEMS: usize = 50;
const SAMPLES: u32 = 1024;

fn pools() -> Vec<Pool> {
    let aggregates = ["prod", "min"].map(|name| search::aggregation(name).expect("a known name"));
    let pool = |problem: usize| {
        let id = problem.to_string();
        let mut stream = Stream::new(1, &["bench", &id]);
        // About 150 distinct answers a problem, as in the paper's pools of wrong ones.
        let candidates: Vec<Candidate> = (0..SAMPLES)
            .map(|sample| {
                let answer = (stream.normal().abs() * 50.0) as u32;
                Candidate {
                    sample,
                    answer: Some(answer.to_string()),
                    correct: answer == 3,
                    scores: (0..8).map(|_| stream.unit()).collect(),
                    ..Candidate::default()
                }
            })
            .collect();
        Pool::new(&id, None, candidates, &aggregates).expect("scored samples")
    };
    (0..PROBLEMS).map(pool).collect()
}

fn curves(criterion: &mut Criterion) {
    let pools = pools();
    let settings = Settings {
        methods: ["majority", "weighted", "best-of-n", "oracle"]
            .map(|name| search::find(name).expect("a known name"))
            .to_vec(),
        aggregates: ["prod", "min"].map(|name| search::aggregation(name).expect("known")).to_vec(),
        n: (0..=10).map(|power| 1 << power).collect(),
        ties: Ties::First,
        resamples: 400,
        seed: 1,
    };
    let mut group = criterion.benchmark_group("search");
    group.sample_size(10);
    group.bench_function("evaluate, 50 problems x 1,024 samples", |bencher| {
        bencher.iter(|| search::evaluate(&pools, &settings).expect("pools of 1,024"));
    });
    let found = search::evaluate(&pools, &settings).expect("pools of 1,024");
    group.bench_function("curves, 2,000 draws", |bencher| {
        bencher.iter(|| found.curves(2000, 0.95, 1));
    });
    group.finish();
}

criterion_group!(benches, curves);
criterion_main!(benches);
