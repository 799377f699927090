//! The report's page, from `results.json` and `run.json` alone.

use std::fmt::Write as _;

use gradus::report::{
    Axis, Block, Cell, Column, Curves, Details, Fact, Format, IntervalGroup, IntervalRow,
    Intervals, Number, Page, Panel, Point, Reference, Role, Section, Series, Table,
};
use serde_json::Value;

use super::outcomes::AucValue;
use super::results::{BASE, ControlRow, DifferenceRow, Results, SelectionRow};
use crate::{StudyError, record};

pub(super) fn page(results: &Value, run: &Value) -> Result<Page, StudyError> {
    let results: Results = serde_json::from_value(results.clone())
        .map_err(|error| StudyError::Results(error.to_string()))?;
    let view = View { results: &results };
    let mut sections = vec![
        view.what_was_easy(run),
        view.selection(),
        view.controls(),
        view.evaluators(),
        view.generators(),
        view.levels(),
        view.samples(),
    ];
    sections.push(not_shown(&view));
    sections.push(record::cost(run));
    Ok(Page {
        title: record::text(run, "title").unwrap_or_else(|| "Easy to hard".to_owned()),
        question: "Does a checker that is switched off above the easy levels train an evaluator \
                   that still helps on the hard ones?"
            .to_owned(),
        lead: view.lead(),
        sections,
        repeat: record::repeat(run),
    })
}

struct View<'a> {
    results: &'a Results,
}

impl View<'_> {
    fn selected(
        &self,
        set: &str,
        method: &str,
        aggregate: Option<&str>,
        n: u32,
    ) -> Option<&SelectionRow> {
        self.results.selection.iter().find(|row| {
            row.set == set
                && row.method == method
                && row.aggregate.as_deref() == aggregate
                && row.n == n
                && row.level == "all"
        })
    }

    fn difference(
        &self,
        set: &str,
        method: &str,
        aggregate: &str,
        n: u32,
    ) -> Option<&DifferenceRow> {
        self.results.differences.iter().find(|row| {
            row.set == set
                && row.method == method
                && row.aggregate.as_deref() == Some(aggregate)
                && row.n == n
        })
    }

    fn control(&self, set: &str, generator: &str, method: &str, n: u32) -> Option<&ControlRow> {
        self.results.controls.iter().find(|row| {
            row.set == set
                && row.generator == generator
                && row.evaluator.is_none()
                && row.method == method
                && row.n == n
        })
    }

    /// Coverage of the intervals in percent.
    fn coverage(&self) -> f64 {
        record::coverage(self.results.headline.confidence)
    }

    fn lead(&self) -> Vec<Fact> {
        let headline = &self.results.headline;
        let n = headline.n;
        let mut lead = Vec::new();
        if let Some(row) = self.difference("hard", "weighted", &headline.aggregate, n) {
            lead.push(Fact {
                label: format!("Weighted vote minus majority, hard, {n} samples"),
                value: Number::points(row.difference)
                    .within(row.low, row.high)
                    .of(row.problems)
                    .into(),
                detail: format!(
                    "points; paired over problems, {} ({}){}",
                    headline.evaluator,
                    headline.aggregate,
                    by_seed(&row.by_seed)
                ),
            });
        }
        let aucs = |set: &str| -> Vec<&AucValue> {
            let rows = self.results.evaluators.iter();
            rows.filter(|row| row.evaluator == headline.evaluator && row.set == set)
                .filter_map(|row| row.step_auc.as_ref())
                .collect()
        };
        let (easy, hard) = (aucs("easy"), aucs("hard"));
        if let ([first, rest @ ..], false) = (hard.as_slice(), easy.is_empty()) {
            let mean = |aucs: &[&AucValue]| {
                aucs.iter().map(|auc| auc.value).sum::<f64>() / aucs.len() as f64
            };
            let number = Number::decimal(mean(&hard), 3);
            lead.push(Fact {
                label: "Step AUC of the evaluator, hard".to_owned(),
                // One interval is of one seed; more seeds show their spread.
                value: match rest {
                    [] => number.within(first.low, first.high).into(),
                    _ => number.into(),
                },
                detail: format!(
                    "{:.3} on easy; against the exact step checker{}",
                    mean(&easy),
                    if rest.is_empty() {
                        String::new()
                    } else {
                        let lowest = hard.iter().map(|auc| auc.value).fold(1.0, f64::min);
                        let highest = hard.iter().map(|auc| auc.value).fold(0.0, f64::max);
                        format!("; by seed {lowest:.3} to {highest:.3}")
                    }
                ),
            });
        }
        if let Some(gap) = self.results.gap_recovered.first() {
            lead.push(Fact {
                label: "Gap to hard supervision recovered".to_owned(),
                value: gap_cell(gap.value, gap.low, gap.high),
                detail: format!("from {} to {}", gap.base, gap.full),
            });
        }
        lead
    }

    fn what_was_easy(&self, run: &Value) -> Section {
        let problems =
            |set: &str| self.selected(set, "majority", None, 1).map_or(0, |row| row.problems);
        let mut blocks = Vec::new();
        if let Some(analysis) = record::text(run, "analysis") {
            blocks.push(Block::Prose(analysis));
        }
        blocks.push(Block::Prose(format!(
            "The test has {} easy and {} hard problems{}. Nothing in it was trained on: no prompt \
             occurs in two sets.",
            problems("easy"),
            problems("hard"),
            match self.results.seeds.len() {
                1 => String::new(),
                seeds => format!(" over {seeds} seeds, each with problems and models of its own"),
            }
        )));
        Section { heading: "What was easy, what was hard".to_owned(), blocks }
    }

    fn selection(&self) -> Section {
        let headline = &self.results.headline;
        let shown = [
            ("weighted vote", "weighted", Some("prod"), Role::Main),
            ("majority", "majority", None, Role::Baseline),
            ("best of n", "best-of-n", Some("prod"), Role::Other),
            ("oracle", "oracle", None, Role::Bound),
        ];
        let panels = ["easy", "hard"]
            .into_iter()
            .map(|set| Panel {
                heading: set.to_owned(),
                series: shown
                    .iter()
                    .map(|&(label, method, aggregate, role)| Series {
                        label: label.to_owned(),
                        role,
                        points: self.curve(set, method, aggregate),
                    })
                    .collect(),
                references: self
                    .control(set, BASE, "greedy", 1)
                    .map(|row| Reference { label: "greedy".to_owned(), y: row.accuracy })
                    .into_iter()
                    .collect(),
            })
            .collect();
        let mut ticks: Vec<f64> =
            self.results.selection.iter().map(|row| f64::from(row.n)).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let curves = Curves {
            title: "Accuracy by number of samples".to_owned(),
            description:
                "Accuracy of majority vote, vote weighted by the evaluator, best of n and \
                          the oracle, on easy and on hard problems, for growing numbers of samples."
                    .to_owned(),
            x: Axis::log2("samples per problem", &ticks),
            y: Axis::new("accuracy", Format::Percent).between(0.0, 1.0),
            panels,
        };
        let mut rows = Vec::new();
        for set in ["easy", "hard"] {
            for row in self.results.differences.iter().filter(|row| row.set == set) {
                let aggregate = row.aggregate.as_deref().unwrap_or_default();
                if aggregate != "prod" && aggregate != "min" {
                    continue;
                }
                rows.push(vec![
                    set.into(),
                    format!("{} ({aggregate})", row.method).into(),
                    Number::count(row.n.into()).into(),
                    Number::points(row.difference)
                        .within(row.low, row.high)
                        .of(row.problems)
                        .into(),
                    spread(&row.by_seed).into(),
                ]);
            }
        }
        let table = Table {
            caption: format!(
                "Selection by {} minus majority, paired over problems",
                headline.evaluator
            ),
            columns: vec![
                Column::text("set"),
                Column::text("method"),
                Column::number("n"),
                Column::number("difference, points"),
                Column::number("seeds, lowest to highest"),
            ],
            rows,
            notes: vec![format!(
                "Intervals: {}% percentile bootstrap over problems, within each seed; the \
                     spread between seeds stands beside them.",
                self.coverage()
            )],
        };
        Section {
            heading: "Votes weighted by the easy-trained evaluator, easy beside hard".to_owned(),
            blocks: vec![
                Block::Curves(curves),
                Block::Prose(
                    "The oracle is pass@n: a problem counts once any sample is right. Few answers \
                     are possible here, so lucky ones abound; `sound` in the tables below counts a \
                     sample only if every one of its steps is valid."
                        .to_owned(),
                ),
                Block::Details(Details {
                    summary: "Every paired difference".to_owned(),
                    blocks: vec![Block::Table(table)],
                }),
            ],
        }
    }

    fn curve(&self, set: &str, method: &str, aggregate: Option<&str>) -> Vec<Point> {
        let rows = self.results.selection.iter();
        rows.filter(|row| {
            row.set == set
                && row.method == method
                && row.aggregate.as_deref() == aggregate
                && row.level == "all"
        })
        .map(|row| {
            Point::new(row.n.into(), row.accuracy).within(row.low, row.high).of(row.problems)
        })
        .collect()
    }

    /// Everything else that could have done it, at the headline's n.
    fn controls(&self) -> Section {
        let n = self.results.headline.n;
        let mut rows = Vec::new();
        let mut table = Vec::new();
        if let Some(row) = self.difference("hard", "weighted", "prod", n) {
            rows.push(IntervalRow {
                label: format!("{}, weighted (prod)", self.results.headline.evaluator),
                role: Role::Main,
                number: Number::points(row.difference).within(row.low, row.high).of(row.problems),
            });
        }
        for row in &self.results.controls {
            if row.set != "hard" || !(row.n == n || row.method == "greedy") {
                continue;
            }
            let name = control_name(row);
            let accuracy = Number::percent(row.accuracy).within(row.low, row.high).of(row.problems);
            let difference = match &row.difference {
                Some(difference) => {
                    let number = Number::points(difference.value)
                        .within(difference.low, difference.high)
                        .of(row.problems);
                    let vote = row.method == "weighted"
                        && matches!(row.aggregate.as_deref(), Some("prod") | None);
                    let generator = row.method == "majority";
                    if vote || generator {
                        rows.push(IntervalRow { label: name.clone(), role: Role::Other, number });
                    }
                    number.into()
                }
                None => Cell::absent("the baseline"),
            };
            table.push(vec![name.into(), accuracy.into(), difference]);
        }
        Section {
            heading: "Is it the evaluator? Everything else that might have done it".to_owned(),
            blocks: vec![
                Block::Intervals(Intervals {
                    title: format!("Hard problems, {n} samples: difference from the generator's majority"),
                    description: format!(
                        "Paired differences in accuracy from plain majority, with {}% intervals, \
                         for the headline evaluator and every control.",
                        self.coverage()
                    ),
                    axis: Axis::new("points against majority", Format::Points),
                    neutral: Some(0.0),
                    groups: vec![IntervalGroup { heading: String::new(), rows }],
                }),
                Block::Details(Details {
                    summary: format!("All rows on hard problems at n = {n}"),
                    blocks: vec![Block::Table(Table {
                        caption: format!("Hard problems, n = {n} (greedy: one sample at temperature 0)"),
                        columns: vec![
                            Column::text("generator, evaluator, method"),
                            Column::number("accuracy"),
                            Column::number("minus majority (greedy: minus greedy)"),
                        ],
                        rows: table,
                        notes: vec![
                            "`random` weights and permuted labels (`prm-shuffled`) must sit at zero; \
                             `log-prob` weights each sample by the generator's own probability of it."
                                .to_owned(),
                        ],
                    })],
                }),
            ],
        }
    }

    fn evaluators(&self) -> Section {
        let auc = |auc: &Option<AucValue>| -> Cell {
            match auc {
                Some(auc) => Number::decimal(auc.value, 3).within(auc.low, auc.high).into(),
                None => Cell::absent("one class only"),
            }
        };
        let rows = self
            .results
            .evaluators
            .iter()
            .map(|row| {
                vec![
                    row.evaluator.clone().into(),
                    Number::count(row.seed).into(),
                    row.set.clone().into(),
                    auc(&row.step_auc),
                    auc(&row.step_auc_within),
                    auc(&row.outcome_auc),
                    auc(&row.outcome_auc_within),
                ]
            })
            .collect();
        let mut kinds = Vec::new();
        for row in self
            .results
            .evaluators
            .iter()
            .filter(|row| row.evaluator == self.results.headline.evaluator)
        {
            for kind in &row.by_kind {
                kinds.push(vec![
                    row.set.clone().into(),
                    Number::count(row.seed).into(),
                    kind.kind.clone().into(),
                    Number::count(kind.steps).into(),
                    Number::percent(kind.valid_share).into(),
                    auc(&kind.auc),
                ]);
            }
        }
        let training = self
            .results
            .training
            .iter()
            .map(|row| {
                let of = |name: &str| row.summary[name].as_f64();
                let count =
                    |name: &str| Cell::from(Number::count(row.summary[name].as_u64().unwrap_or(0)));
                let share = |name: &str| match of(name) {
                    Some(share) => Number::percent(share).into(),
                    None => Cell::absent("-"),
                };
                let loss = of("final_value_loss").or(of("final_loss"));
                vec![
                    row.model.clone().into(),
                    Number::count(row.seed).into(),
                    count("examples"),
                    count("steps"),
                    count("num_tokens"),
                    loss.map_or(Cell::absent("-"), |loss| Number::decimal(loss, 3).into()),
                    share("supervised_share"),
                    share("positive_share"),
                ]
            })
            .collect();
        Section {
            heading: "How well the evaluators judge, easy and hard".to_owned(),
            blocks: vec![
                Block::Table(Table {
                    caption: "ROC-AUC against the exact checker".to_owned(),
                    columns: vec![
                        Column::text("evaluator"),
                        Column::number("seed"),
                        Column::text("set"),
                        Column::number("step"),
                        Column::number("step, within a problem"),
                        Column::number("outcome"),
                        Column::number("outcome, within a problem"),
                    ],
                    rows,
                    notes: vec![
                        "Step: each line's score against whether the line follows from the one before. \
                         Outcome: the product of the scores against whether the answer is right. \
                         Within a problem: only pairs of samples of the same problem count, which is \
                         what re-ranking needs."
                            .to_owned(),
                    ],
                }),
                Block::Details(Details {
                    summary: "By rule, for the headline evaluator".to_owned(),
                    blocks: vec![Block::Table(Table {
                        caption: "Step AUC by the rule that a step exercises".to_owned(),
                        columns: vec![
                            Column::text("set"),
                            Column::number("seed"),
                            Column::text("rule"),
                            Column::number("steps"),
                            Column::number("valid"),
                            Column::number("AUC"),
                        ],
                        rows: kinds,
                        notes: Vec::new(),
                    })],
                }),
                Block::Details(Details {
                    summary: "Training of every model".to_owned(),
                    blocks: vec![Block::Table(Table {
                        caption: "What each model was trained on and where its loss ended".to_owned(),
                        columns: vec![
                            Column::text("model"),
                            Column::number("seed"),
                            Column::number("sequences"),
                            Column::number("steps"),
                            Column::number("tokens"),
                            Column::number("final loss"),
                            Column::number("supervised tokens"),
                            Column::number("positive labels"),
                        ],
                        rows: training,
                        notes: vec![
                            "Evaluators: the cross-entropy of their labels; one that stays above 0.08 \
                             on local step labels has not learned to verify."
                                .to_owned(),
                        ],
                    })],
                }),
            ],
        }
    }

    /// The generator's side: what the same labels do when the generator learns from them.
    fn generators(&self) -> Section {
        let gaps = self
            .results
            .gap_recovered
            .iter()
            .map(|gap| {
                vec![
                    gap.name.clone().into(),
                    gap_cell(gap.value, gap.low, gap.high),
                    Number::points(gap.denominator)
                        .within(gap.denominator_low, gap.denominator_high)
                        .of(gap.problems)
                        .into(),
                ]
            })
            .collect();
        let mut blocks = self.same_labels();
        blocks.push(Block::Table(Table {
            caption: "(easy - base) / (full - base) on hard problems".to_owned(),
            columns: vec![
                Column::text("what was supervised"),
                Column::number("gap recovered"),
                Column::number("full - base, points"),
            ],
            rows: gaps,
            notes: vec![
                "Undefined where the interval of full - base covers zero. More than 100% means that \
                 easy supervision, used so, beat the ceiling it is held against."
                    .to_owned(),
            ],
        }));
        Section { heading: "The generator's side, and the gap recovered".to_owned(), blocks }
    }

    /// The evaluator's training samples, given to the generator instead.
    fn same_labels(&self) -> Vec<Block> {
        let Some(first) = self.results.same_labels.first() else { return Vec::new() };
        let rows = self.results.same_labels.iter().map(|row| {
            vec![
                row.method.clone().into(),
                Number::points(row.difference).within(row.low, row.high).of(row.problems).into(),
                spread(&row.by_seed).into(),
            ]
        });
        vec![
            Block::Prose(
                "One ReST-EM round trains the generator on the very samples and labels that trained \
                 the evaluator. The two share their problems and labels, not their compute."
                    .to_owned(),
            ),
            Block::Table(Table {
                caption: format!("The same labels used otherwise, minus {}", first.against),
                columns: vec![
                    Column::text("hard problems"),
                    Column::number("difference, points"),
                    Column::number("seeds, lowest to highest"),
                ],
                rows: rows.collect(),
                notes: Vec::new(),
            }),
        ]
    }

    fn levels(&self) -> Section {
        let n = self.results.headline.n;
        let rows = self
            .results
            .selection
            .iter()
            .filter(|row| {
                let shown = matches!(
                    (row.method.as_str(), row.aggregate.as_deref()),
                    ("majority" | "oracle", None) | ("weighted" | "best-of-n", Some("prod"))
                );
                shown && row.level != "all" && row.n == n
            })
            .map(|row| {
                vec![
                    row.set.clone().into(),
                    row.level.to_string().into(),
                    row.method.clone().into(),
                    Number::percent(row.accuracy).within(row.low, row.high).of(row.problems).into(),
                ]
            })
            .collect();
        Section {
            heading: "Level by level".to_owned(),
            blocks: vec![Block::Details(Details {
                summary: format!("Accuracy by level at n = {n}"),
                blocks: vec![Block::Table(Table {
                    caption: format!("Accuracy by level, n = {n}, product of step scores"),
                    columns: vec![
                        Column::text("set"),
                        Column::text("level"),
                        Column::text("method"),
                        Column::number("accuracy"),
                    ],
                    rows,
                    notes: Vec::new(),
                })],
            })],
        }
    }
}

impl View<'_> {
    /// What the samples were like: unscored ones, wrong modes, overlap with training.
    fn samples(&self) -> Section {
        let pools = self.results.pools.iter().map(|pool| {
            vec![
                pool.generator.clone().into(),
                Number::count(pool.seed).into(),
                pool.set.clone().into(),
                Number::count(pool.samples).into(),
                Number::count(pool.no_answer).into(),
                Number::count(pool.problems_without_answer).into(),
                Number::percent(pool.wrong_mode_share).into(),
            ]
        });
        let overlap = self.results.overlap.iter().map(|row| {
            vec![
                row.test.clone().into(),
                row.train.clone().into(),
                Number::count(row.seed).into(),
                Number::count(row.level.into()).into(),
                Number::count(row.problems).into(),
                Number::count(row.shared).into(),
            ]
        });
        Section {
            heading: "The samples: what went unscored, wrong modes, overlap".to_owned(),
            blocks: vec![
                Block::Table(Table {
                    caption: "Samples of each generator".to_owned(),
                    columns: vec![
                        Column::text("generator"),
                        Column::number("seed"),
                        Column::text("set"),
                        Column::number("samples"),
                        Column::number("without an answer"),
                        Column::number("problems without any"),
                        Column::number("wrong mode"),
                    ],
                    rows: pools.collect(),
                    notes: vec![
                        "A sample without an answer (malformed or cut off) holds its slot and never \
                         wins. Wrong mode: the right answer occurs and another is more frequent, so no \
                         number of samples helps the majority; lucky right answers inflate it."
                            .to_owned(),
                    ],
                }),
                Block::Details(Details {
                    summary: "Structural overlap of test with training problems".to_owned(),
                    blocks: vec![Block::Table(Table {
                        caption: "Test problems whose operations, no-ops left out, are those of a \
                                  training problem"
                            .to_owned(),
                        columns: vec![
                            Column::text("test set"),
                            Column::text("training set"),
                            Column::number("seed"),
                            Column::number("level"),
                            Column::number("problems"),
                            Column::number("shared"),
                        ],
                        rows: overlap.collect(),
                        notes: vec![
                            "Reported, not removed: easy levels have few structures, and removing \
                             those seen would skew the levels."
                                .to_owned(),
                        ],
                    })],
                }),
            ],
        }
    }
}

/// What a reader might take from the page although it is not there.
fn not_shown(view: &View<'_>) -> Section {
    let results = view.results;
    let n = results.headline.n;
    let mut text = String::new();
    if let Some(row) = results.same_labels.first() {
        let disagree = row.by_seed.iter().any(|&seed| seed > 0.0)
            && row.by_seed.iter().any(|&seed| seed < 0.0);
        let seeds = match (row.by_seed.len(), disagree) {
            (1, _) => "; one seed cannot say more".to_owned(),
            (_, true) => format!("; seeds disagree, {}", spread(&row.by_seed)),
            (_, false) => format!("; by seed {}", spread(&row.by_seed)),
        };
        let _ = writeln!(
            text,
            "- That evaluators beat generators given the same supervision: one ReST-EM round on the \
             same samples and labels is {:+.1} [{:.1}, {:.1}] points from the evaluator's votes{seeds}.",
            100.0 * row.difference,
            100.0 * row.low,
            100.0 * row.high,
        );
    }
    let converged = view.control("hard", "converged", "majority", n);
    let _ = match converged {
        Some(row) => writeln!(
            text,
            "- That this holds for a generator trained to convergence: its majority solves {:.1}% of \
             the hard problems, so re-ranking has {} left to repair.",
            100.0 * row.accuracy,
            if row.accuracy > 0.8 { "little" } else { "something" },
        ),
        None => writeln!(
            text,
            "- That this holds for a generator trained to convergence: this run has none.",
        ),
    };
    text.push_str(
        "- Anything about large models, natural language or human labels: the task is procedural \
         and the supervisor simulated.\n\
         - That depth alone makes these problems hard: hard sets also hold more rare rules.\n",
    );
    if results.seeds.len() == 1 {
        text.push_str(
            "- The spread between seeds: this run has one, and its intervals hold problem noise only. \
             `gradus run easy-to-hard-standard` has three.\n",
        );
    }
    Section { heading: "What was not shown".to_owned(), blocks: vec![Block::Note(text)] }
}

fn control_name(row: &ControlRow) -> String {
    let judged = match &row.evaluator {
        Some(name) => format!("{}, {name}", row.generator),
        None => row.generator.clone(),
    };
    match row.aggregate.as_deref() {
        None => format!("{judged}, {}", row.method),
        Some(aggregate) => format!("{judged}, {} ({aggregate})", row.method),
    }
}

fn gap_cell(value: Option<f64>, low: Option<f64>, high: Option<f64>) -> Cell {
    match (value, low, high) {
        (Some(value), Some(low), Some(high)) => Number::percent(value).within(low, high).into(),
        _ => Cell::absent("undefined: the ceiling is not above the base"),
    }
}

fn by_seed(values: &[f64]) -> String {
    if values.len() < 2 { String::new() } else { format!("; by seed {}", spread(values)) }
}

fn spread(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:+.1} to {:+.1}", 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use gradus::report::{html, text};
    use serde_json::json;

    use super::*;
    use crate::easy_to_hard::results::tests::two_seeds;

    #[test]
    fn the_page_leads_with_the_difference_and_says_what_was_not_shown() {
        let results = serde_json::to_value(two_seeds()).unwrap();
        let run = json!({"title": "A run", "seeds": [7, 8], "host": {"threads": 2}, "stages": []});
        let page = page(&results, &run).unwrap();
        let shown = text(&page, 100);
        assert!(shown.contains("+33.3"), "{shown}");
        assert!(shown.contains("What was not shown"), "{shown}");
        assert!(html(&page).contains("50.0%"));
    }

    #[test]
    fn results_of_another_layout_are_refused_with_a_sentence() {
        let error = page(&json!({"format": 1}), &json!({})).unwrap_err().to_string();
        assert!(error.starts_with("the results cannot be shown: missing field"), "{error}");
    }
}
