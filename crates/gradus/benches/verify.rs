//! How long the mode `math` takes for a pair: integers, short answers of MATH in
//! two spellings, two answers that differ, and one pair for each of its rules.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradus::verify::math::{MathOptions, compare};

const GROUPS: &[(&str, &[(&str, &str)])] = &[
    ("integers", &[("18", "18"), ("1250", "1,250"), ("-13", "12"), ("7425000", "7,425,000")]),
    (
        "short answers in another spelling",
        &[
            (r"\frac{14}{3}", r"\dfrac{14}{3}"),
            (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \pi/2)"),
            (r"3\sqrt{13}", r"3 \sqrt{13}"),
            (r"90^\circ", "90"),
            ("p - q", "p-q"),
            (r"x \in [-2,7]", "[-2, 7]"),
        ],
    ),
    (
        "short answers that differ",
        &[
            (r"\frac{14}{3}", r"\frac{13}{3}"),
            (r"3\sqrt{13}", r"2\sqrt{13}"),
            ("1,-2", "1,2"),
            (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty, 2] \cup (3, \infty)"),
            ("x^3+3x-6", "x^3+3x+6"),
        ],
    ),
    ("rational functions", &[("(a+5)(b+2)", "ab+2a+5b+10"), (r"\frac{x^2-1}{x-1}", "x+1")]),
    (
        "radicals",
        &[(r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"), (r"\frac{6}{\sqrt{3}}", r"2\sqrt{3}")],
    ),
    (
        "functions",
        &[(r"2 \sin b \cos a", r"\sin(a+b)-\sin(a-b)"), (r"\sqrt{2x}", r"\sqrt{2}\sqrt{x}")],
    ),
    ("undecided", &[("1000000!", "1000000!+1"), (r"\sum_{n=1}^{100000000} \frac{1}{n}", "1")]),
];

fn pairs(criterion: &mut Criterion) {
    let options = MathOptions::default();
    let mut group = criterion.benchmark_group("verify math");
    for (name, pairs) in GROUPS {
        group.throughput(Throughput::Elements(pairs.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                for (gold, answer) in *pairs {
                    black_box(compare(black_box(gold), black_box(answer), &options));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pairs);
criterion_main!(benches);
