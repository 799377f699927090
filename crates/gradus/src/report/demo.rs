//! A page with everything on it, made of the figures of a real kind of study.

use super::*;

fn curve(label: &str, role: Role, n: u64, ys: &[f64]) -> Series {
    let point = |(k, &y): (usize, &f64)| {
        let half = 1.96 * (y * (1.0 - y) / n as f64).sqrt();
        Point::new(2f64.powi(k as i32), y).within((y - half).max(0.0), (y + half).min(1.0)).of(n)
    };
    Series { label: label.to_owned(), role, points: ys.iter().enumerate().map(point).collect() }
}

pub(super) fn curves() -> Curves {
    let panel = |heading: &str, n: u64, greedy: f64, ys: [[f64; 7]; 4]| Panel {
        heading: heading.to_owned(),
        series: vec![
            curve("majority vote", Role::Baseline, n, &ys[0]),
            curve("weighted vote", Role::Main, n, &ys[1]),
            curve("best of n", Role::Other, n, &ys[2]),
            curve("any sound sample", Role::Bound, n, &ys[3]),
        ],
        references: vec![Reference { label: "greedy".to_owned(), y: greedy }],
    };
    Curves {
        title: "Accuracy by the number of samples".to_owned(),
        description:
            "On hard problems voting weighted by the easy-trained verifier keeps climbing \
                      where the plain majority has stopped; on easy ones all methods meet."
                .to_owned(),
        x: Axis::log2("samples", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        y: Axis::new("accuracy", Format::Percent).between(0.0, 1.0),
        panels: vec![
            panel(
                "Easy: levels 1\u{2013}3",
                1000,
                0.900,
                [
                    [0.825, 0.829, 0.871, 0.893, 0.905, 0.911, 0.913],
                    [0.825, 0.902, 0.948, 0.967, 0.975, 0.979, 0.981],
                    [0.825, 0.899, 0.944, 0.962, 0.969, 0.971, 0.972],
                    [0.825, 0.905, 0.955, 0.979, 0.989, 0.993, 0.995],
                ],
            ),
            panel(
                "Hard: levels 4\u{2013}5",
                300,
                0.307,
                [
                    [0.222, 0.224, 0.257, 0.273, 0.285, 0.297, 0.307],
                    [0.222, 0.268, 0.319, 0.365, 0.399, 0.427, 0.443],
                    [0.222, 0.266, 0.314, 0.360, 0.396, 0.423, 0.440],
                    [0.222, 0.291, 0.361, 0.424, 0.478, 0.522, 0.557],
                ],
            ),
        ],
    }
}

fn controls() -> Intervals {
    let row = |label: &str, role, value: f64, low: f64, high: f64| IntervalRow {
        label: label.to_owned(),
        role,
        number: Number::points(value).within(low, high).of(300),
    };
    let group = |heading: &str, rows| IntervalGroup { heading: heading.to_owned(), rows };
    Intervals {
        title: "Paired differences from majority voting, 64 samples, hard problems".to_owned(),
        description: "Only weights that know the steps move the vote; random, shuffled and \
                      log-probability weights do not."
            .to_owned(),
        axis: Axis::new("difference, points", Format::Points),
        neutral: Some(0.0),
        groups: vec![
            group(
                "Evaluators",
                vec![
                    row("weighted vote, product", Role::Main, 0.137, 0.09, 0.187),
                    row("weighted vote, minimum", Role::Other, 0.143, 0.097, 0.193),
                    row("weighted vote, mean", Role::Other, 0.006, -0.01, 0.023),
                    row("outcome evaluator", Role::Other, -0.034, -0.07, 0.003),
                ],
            ),
            group(
                "Controls",
                vec![
                    row("random weights", Role::Baseline, 0.01, -0.013, 0.033),
                    row("shuffled labels", Role::Baseline, 0.007, 0.0, 0.017),
                    row("log-probability weights", Role::Baseline, 0.0, -0.027, 0.03),
                ],
            ),
            group(
                "Generator",
                vec![row("one ReST-EM round, majority", Role::Other, 0.15, 0.1, 0.2)],
            ),
        ],
    }
}

fn auc() -> Table {
    let auc = |value: f64, half: f64, n| {
        Number::decimal(value, 3).within(value - half, value + half).of(n)
    };
    Table {
        caption: "How well step scores separate valid steps from invalid ones (ROC-AUC)".to_owned(),
        columns: vec![
            Column::text("evaluator"),
            Column::number("easy"),
            Column::number("hard"),
            Column::number("hard, within a problem"),
        ],
        rows: vec![
            vec![
                "**process**, local labels".into(),
                auc(0.999, 0.0005, 41_200).into(),
                auc(0.996, 0.001, 182_300).into(),
                auc(0.991, 0.002, 7_150).into(),
            ],
            vec![
                "process, prefix-correct labels".into(),
                auc(0.921, 0.004, 41_200).into(),
                auc(0.829, 0.005, 182_300).into(),
                auc(0.611, 0.02, 7_020).into(),
            ],
            vec![
                "outcome".into(),
                auc(0.874, 0.006, 41_200).into(),
                auc(0.748, 0.007, 182_300).into(),
                Cell::absent("not run"),
            ],
        ],
        notes: vec![
            "Intervals are 95%, after DeLong; `within` counts only pairs of one problem."
                .to_owned(),
        ],
    }
}

fn loss() -> Curves {
    let at = |k: u32| {
        let step = f64::from(k) * 10.0;
        let drop = 0.155 / (1.0 + ((step - 560.0) / 60.0).exp());
        Point::new(
            step,
            0.02 + drop + 0.4 * (-step / 40.0).exp() + 0.004 * (f64::from(k) * 1.7).sin(),
        )
    };
    let points = (1..=140).map(at).collect();
    Curves {
        title: "Training the evaluator".to_owned(),
        description: "The loss waits on a plateau and drops once the rare rules are learned."
            .to_owned(),
        x: Axis::new("optimizer step", Format::Count),
        y: Axis { scale: Scale::Log10, ..Axis::new("step loss, log scale", Format::Decimal(3)) },
        panels: vec![Panel {
            heading: String::new(),
            series: vec![Series {
                label: "process evaluator".to_owned(),
                role: Role::Main,
                points,
            }],
            references: Vec::new(),
        }],
    }
}

pub(super) fn page() -> Page {
    let section = |heading: &str, blocks| Section { heading: heading.to_owned(), blocks };
    let prose = |text: &str| Block::Prose(text.to_owned());
    let cost = Table {
        caption: "What it cost".to_owned(),
        columns: vec![
            Column::text("stage"),
            Column::number("tokens"),
            Column::number("CPU seconds"),
        ],
        rows: vec![
            vec![
                "generator, sft".into(),
                Number::count(680_000).into(),
                Number::decimal(21.4, 1).into(),
            ],
            vec![
                "evaluator, prm".into(),
                Number::count(2_310_000).into(),
                Number::decimal(64.0, 1).into(),
            ],
            vec![
                "samples".into(),
                Number::count(1_412_000).into(),
                Number::decimal(26.9, 1).into(),
            ],
        ],
        notes: Vec::new(),
    };
    Page {
        title: "How far does easy supervision carry?".to_owned(),
        question: "A step verifier is trained on problems of levels 1 to 3 only. Does it still pick \
                   the right answers on levels 4 and 5, where no label was ever seen?"
            .to_owned(),
        lead: vec![
            Fact {
                label: "Weighted vote minus majority, hard".to_owned(),
                value: Number::points(0.137).within(0.09, 0.187).of(300).into(),
                detail: "percentage points at 64 samples; paired bootstrap over problems, 95%".to_owned(),
            },
            Fact {
                label: "Step AUC on hard problems".to_owned(),
                value: Number::decimal(0.996, 3).within(0.995, 0.997).of(182_300).into(),
                detail: "against 0.999 on easy ones".to_owned(),
            },
            Fact {
                label: "Gap recovered".to_owned(),
                value: Cell::absent("undefined"),
                detail: "the interval of full minus base covers 0".to_owned(),
            },
        ],
        sections: vec![
            section(
                "The verifier carries over to hard problems",
                vec![
                    prose(
                        "A problem is a start value and ten operations; the solution writes the \
                         running total after each. *Easy* has 2 to 5 active operations, *hard* 6 \
                         to 10, with rarer rules:",
                    ),
                    Block::Code("-1 + 6 + 9 - 8 - 8 * -3 - -1 * -2 - 4 + 2 + 3\n5 14 6 -2 6 7 -14 -18 -16 -13  # -13".to_owned()),
                    Block::Curves(curves()),
                ],
            ),
            section("Controls do not move the vote", vec![Block::Intervals(controls())]),
            section("What the evaluator knows", vec![Block::Table(auc()), Block::Curves(loss())]),
            section(
                "What was not shown",
                vec![Block::Note(
                    "Evaluators do **not** beat generators given the same supervision: one ReST-EM \
                     round on the same samples and labels gains about as much.\n\n\
                     - A generator trained to convergence leaves no headroom.\n\
                     - Three seeds differ a lot in level; only paired differences are comparable."
                        .to_owned(),
                )],
            ),
            section(
                "Cost",
                vec![
                    Block::Table(cost),
                    Block::Details(Details {
                        summary: "How the intervals are taken".to_owned(),
                        blocks: vec![prose("Problems are resampled 2,000 times; n < 64 is the mean over subsets.")],
                    }),
                ],
            ),
        ],
        repeat: Repeat {
            commands: vec!["gradus run easy-to-hard --seed 3".to_owned()],
            facts: vec![
                ("seed".to_owned(), "3".to_owned()),
                ("version".to_owned(), "gradus 0.1.0 (489a9c0, clean)".to_owned()),
                (
                    "problems".to_owned(),
                    "sha256 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef".to_owned(),
                ),
            ],
            config: Some("[generator]\nlearning_rate = 3e-3\nnum_train_epochs = 5\n".to_owned()),
        },
    }
}
