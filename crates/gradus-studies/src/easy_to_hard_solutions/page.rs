//! The report's page, from `results.json` and `run.json` alone.

use gradus::report::{
    Axis, Block, Cell, Column, Fact, Format, IntervalGroup, IntervalRow, Intervals, Number, Page,
    Role, Section, Table,
};
use serde_json::Value;

use super::results::{AUTHOR_WEIGHTED, MAJORITY, Results};
use crate::{StudyError, record};

pub(super) fn page(results: &Value, run: &Value) -> Result<Page, StudyError> {
    let results: Results = serde_json::from_value(results.clone())
        .map_err(|error| StudyError::Results(error.to_string()))?;
    // The first records do not say it.
    let coverage = record::coverage(run["config"]["confidence"].as_f64().unwrap_or(0.95));
    let facts = results.problems.iter().map(|set| {
        format!(
            "- {}: {} problems with {} solutions, {} of them without a readable answer; the right \
             answer occurs without being the most frequent in {:.1}% of the problems.",
            set.set,
            set.problems,
            set.solutions,
            set.no_answer,
            100.0 * set.wrong_mode_share
        )
    });
    let facts = facts.collect::<Vec<_>>().join("\n");
    let mut blocks = Vec::new();
    if let Some(analysis) = record::text(run, "analysis") {
        blocks.push(Block::Prose(analysis));
    }
    blocks.push(Block::Prose(format!(
        "Easy problems have up to {} gold steps; those counted here were held out from training.",
        results.easy_steps
    )));
    blocks.push(Block::Prose(facts));
    Ok(Page {
        title: record::text(run, "title").unwrap_or_else(|| "Easy to hard on solutions".to_owned()),
        question: "Does an outcome evaluator that has seen solutions to easy word problems pick \
                   better solutions to hard ones than knowing who wrote them does?"
            .to_owned(),
        lead: lead(&results, coverage),
        sections: vec![
            Section { heading: "What was easy, what was hard".to_owned(), blocks },
            comparison(&results, coverage),
            authors(&results),
            evaluator(&results),
            not_shown(),
            record::cost(run),
        ],
        repeat: record::repeat(run),
    })
}

fn lead(results: &Results, coverage: f64) -> Vec<Fact> {
    let mut lead = Vec::new();
    for (against, label) in [
        (AUTHOR_WEIGHTED, "Weighted vote minus author-weighted vote, hard"),
        (MAJORITY, "Weighted vote minus majority, hard"),
    ] {
        let row = results
            .differences
            .iter()
            .find(|row| row.set == "hard" && row.method == "weighted" && row.against == against);
        if let Some(row) = row {
            lead.push(Fact {
                label: label.to_owned(),
                value: Number::points(row.difference)
                    .within(row.low, row.high)
                    .of(row.problems)
                    .into(),
                detail: format!("points, paired over problems, {coverage}% bootstrap"),
            });
        }
    }
    lead
}

fn comparison(results: &Results, coverage: f64) -> Section {
    let verdict = if results.beats_authorship {
        "The evaluator beats votes weighted by the authors' easy accuracy: it has learned something \
         about solutions, not only about who wrote them."
    } else {
        "The evaluator does not beat votes weighted by the authors' easy accuracy. Whatever it gains \
         over plain majority can be had by knowing who wrote a solution; an evaluator this small, \
         trained on bytes of so few solutions, has not been shown to judge the mathematics."
    };
    let mut table = Vec::new();
    for row in &results.controls {
        table.push(vec![
            row.set.clone().into(),
            row.name.clone().into(),
            Number::percent(row.accuracy).within(row.low, row.high).of(row.problems).into(),
        ]);
    }
    for row in &results.selection {
        let all = row["level"] == "all";
        let whole = row["n"].as_u64() == results.differences.first().map(|first| first.n as u64);
        let method = row["method"].as_str().unwrap_or_default();
        if all && whole && method != "majority" {
            let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
            let label = if method == "oracle" { "any author right (oracle)" } else { method };
            let evaluator = if method == "oracle" { "" } else { ", by the evaluator" };
            table.push(vec![
                row["set"].as_str().unwrap_or_default().into(),
                format!("{label}{evaluator}").into(),
                Number::percent(number("accuracy"))
                    .within(number("low"), number("high"))
                    .of(row["problems"].as_u64().unwrap_or(0))
                    .into(),
            ]);
        }
    }
    let groups = ["hard", "easy"]
        .into_iter()
        .map(|set| IntervalGroup {
            heading: set.to_owned(),
            rows: results
                .differences
                .iter()
                .filter(|row| row.set == set)
                .map(|row| IntervalRow {
                    label: format!("{} minus {}", row.method, row.against),
                    role: if row.against == AUTHOR_WEIGHTED { Role::Main } else { Role::Other },
                    number: Number::points(row.difference)
                        .within(row.low, row.high)
                        .of(row.problems),
                })
                .collect(),
        })
        .collect();
    Section {
        heading: if results.beats_authorship {
            "The evaluator knows more than who wrote it".to_owned()
        } else {
            "The evaluator does not beat knowing who wrote it".to_owned()
        },
        blocks: vec![
            Block::Prose(verdict.to_owned()),
            Block::Intervals(Intervals {
                title: "Selection by the evaluator, minus what needs none".to_owned(),
                description: format!(
                    "Paired differences in accuracy with {coverage}% intervals, hard and easy."
                ),
                axis: Axis::new("points", Format::Points),
                neutral: Some(0.0),
                groups,
            }),
            Block::Table(Table {
                caption: "Accuracy with one solution of each author".to_owned(),
                columns: vec![
                    Column::text("set"),
                    Column::text("selection"),
                    Column::number("accuracy"),
                ],
                rows: table,
                notes: vec![
                    "With four answers, ties are common: who goes first in the file decides many of \
                     them. The expectation over random ties is the fair baseline."
                        .to_owned(),
                ],
            }),
        ],
    }
}

fn authors(results: &Results) -> Section {
    let rows = results.authors.iter().map(|row| {
        vec![
            row.author.clone().into(),
            Number::count(row.right).into(),
            Number::percent(row.easy_accuracy).into(),
            Number::percent(row.hard_accuracy).into(),
        ]
    });
    Section {
        heading: "The authors".to_owned(),
        blocks: vec![Block::Table(Table {
            caption: "Right answers of each author".to_owned(),
            columns: vec![
                Column::text("author"),
                Column::number("right in all"),
                Column::number("on the easy training problems"),
                Column::number("on hard"),
            ],
            rows: rows.collect(),
            notes: Vec::new(),
        })],
    }
}

fn evaluator(results: &Results) -> Section {
    let rows = results.evaluator.iter().map(|row| {
        let auc = match (row.auc, row.low, row.high) {
            (Some(auc), Some(low), Some(high)) => Number::decimal(auc, 3).within(low, high).into(),
            _ => Cell::absent("one class only"),
        };
        vec![row.set.clone().into(), row.pairs.clone().into(), auc]
    });
    let summary = &results.training;
    let count = |name: &str| summary[name].as_u64().unwrap_or(0);
    let loss = summary["final_value_loss"].as_f64().unwrap_or(f64::NAN);
    Section {
        heading: "How well the evaluator judges".to_owned(),
        blocks: vec![
            Block::Table(Table {
                caption: "ROC-AUC of its score against the answer".to_owned(),
                columns: vec![Column::text("set"), Column::text("pairs"), Column::number("AUC")],
                rows: rows.collect(),
                notes: vec![
                    "Within an author: only pairs of solutions by the same author. An evaluator that \
                     only recognises the author has 0.5 there."
                        .to_owned(),
                ],
            }),
            Block::Prose(format!(
                "Trained on {} solutions, {} tokens in {} steps; its label loss ended at {loss:.3}.",
                count("examples"),
                count("num_tokens"),
                count("steps"),
            )),
        ],
    }
}

fn not_shown() -> Section {
    Section {
        heading: "What was not shown".to_owned(),
        blocks: vec![Block::Note(
            "- That an evaluator of useful size would do no better: this one has 0.2 million weights, \
             reads bytes and has never seen other text.\n\
             - The spread between training seeds: this run has one.\n\
             - Anything about larger pools: there are four solutions a problem."
                .to_owned(),
        )],
    }
}
