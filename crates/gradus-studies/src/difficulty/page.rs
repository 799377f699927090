//! The report's page, from `results.json` and `run.json` alone.

use gradus::report::{
    Axis, Block, Cell, Column, Curves, Fact, Format, Number, Page, Panel, Point, Role, Section,
    Series, Table,
};
use gradus::stats::Estimate;
use serde_json::Value;

use super::profiles::RespondentProfile;
use super::results::{ClassRow, Results};
use crate::{StudyError, record};

pub(super) fn page(results: &Value, run: &Value) -> Result<Page, StudyError> {
    let results: Results = serde_json::from_value(results.clone())
        .map_err(|error| StudyError::Results(error.to_string()))?;
    let mut sections = Vec::new();
    if let Some(analysis) = record::text(run, "analysis") {
        let blocks = vec![Block::Prose(analysis)];
        sections.push(Section { heading: "What was done".to_owned(), blocks });
    }
    let mut lead = Vec::new();
    if let Some(fit) = &results.fit {
        lead.extend(fit.lead());
        sections.extend(fit.sections());
        sections.extend([classes(&results), profiles(&results)]);
    }
    if let Some(few) = &results.few {
        lead.extend(few.lead());
        sections.extend(few.sections());
    }
    sections.push(record::cost(run));
    if let Some(share) = results.reliability {
        lead.push(Fact {
            label: "Reliability of the labels".to_owned(),
            value: Number::decimal(share, 2).into(),
            detail: "share of the variance of the difficulties that is not their error".to_owned(),
        });
    }
    Ok(Page {
        title: record::text(run, "title").unwrap_or_else(|| "Difficulty from responses".to_owned()),
        question:
            "Which items are hard, which look broken, and where does each respondent fall off?"
                .to_owned(),
        lead,
        sections,
        repeat: record::repeat(run),
    })
}

fn classes(results: &Results) -> Section {
    let row = |class: &ClassRow| {
        let end = |value: Option<f64>| {
            value.map_or_else(
                || Cell::absent("no problem"),
                |value| Number::decimal(value, 2).into(),
            )
        };
        vec![
            class.class.clone().into(),
            Number::count(class.problems).into(),
            end(class.range.map(|range| range.0)),
            end(class.range.map(|range| range.1)),
        ]
    };
    let mut notes = vec![format!(
        "`labels.jsonl` has a row a problem: `rating` by {}, its standard error, its quantile, the \
         class, and the hash of the respondents it rests on. Equal difficulties are never parted.",
        results.normalisation
    )];
    if results.reliability.is_none() {
        notes.push(
            "Not every difficulty has a standard error: how far the labels can be told \
                    apart is not known."
                .to_owned(),
        );
    }
    Section {
        heading: "Labels".to_owned(),
        blocks: vec![Block::Table(Table {
            caption: "Problems by class".to_owned(),
            columns: vec![
                Column::text("class"),
                Column::number("problems"),
                Column::number("easiest, logits"),
                Column::number("hardest, logits"),
            ],
            rows: results.classes.iter().map(row).collect(),
            notes,
        })],
    }
}

fn estimate(estimate: Estimate) -> Number {
    Number::percent(estimate.value).within(estimate.low, estimate.high).of(estimate.n)
}

fn profiles(results: &Results) -> Section {
    let found = &results.profiles;
    let mut blocks = Vec::new();
    if !found.respondents.is_empty() {
        let panel = |profile: &RespondentProfile| Panel {
            heading: profile.respondent.clone(),
            series: vec![Series {
                label: "accuracy".to_owned(),
                role: Role::Main,
                points: profile
                    .curve
                    .iter()
                    .map(|&(x, value, low, high)| Point::new(x, value).within(low, high))
                    .collect(),
            }],
            references: Vec::new(),
        };
        blocks.push(Block::Curves(Curves {
            title: "Accuracy by difficulty".to_owned(),
            description: "Local regression over items that were fitted without the respondent and \
                          those who answer as it does; bands hold the choice of the items only."
                .to_owned(),
            x: Axis::new("difficulty in logits", Format::Decimal(1)),
            y: Axis::new("accuracy", Format::Percent).between(0.0, 1.0),
            panels: found.respondents.iter().map(panel).collect(),
        }));
        blocks.push(Block::Table(table(results)));
    }
    let notes: Vec<String> = found.notes.iter().map(|note| format!("- {note}.")).collect();
    if !notes.is_empty() {
        blocks.push(Block::Note(format!("Not profiled:\n\n{}", notes.join("\n"))));
    }
    if blocks.is_empty() {
        blocks.push(Block::Prose("No profile was asked for.".to_owned()));
    }
    Section { heading: "Profiles".to_owned(), blocks }
}

fn table(results: &Results) -> Table {
    let found = &results.profiles;
    let mut columns = vec![Column::text("respondent"), Column::number("all items")];
    columns.extend(results.classes.iter().map(|class| Column::number(class.class.as_str())));
    columns.push(Column::number("falls below 50% at"));
    let row = |profile: &RespondentProfile| {
        let mut row = vec![profile.respondent.clone().into(), estimate(profile.accuracy).into()];
        row.extend(profile.classes.iter().map(|class| match class.accuracy {
            Some(accuracy) => estimate(accuracy).into(),
            None => Cell::absent("no answer"),
        }));
        let fall_off = &profile.fall_off;
        row.push(match (fall_off.difficulty, fall_off.low, fall_off.high) {
            (Some(at), Some(low), Some(high)) => Number::decimal(at, 2).within(low, high).into(),
            (Some(at), _, _) => Number::decimal(at, 2).into(),
            (None, _, _) => Cell::absent("on one side of it"),
        });
        row
    };
    let mut notes = vec![format!(
        "{} of {} respondents with enough answers, spread evenly by mean score. Classes are cut \
         anew for each, without its own answers.",
        found.respondents.len(),
        found.candidates
    )];
    for profile in found.respondents.iter().filter(|profile| profile.unlabelled > 0) {
        notes.push(format!(
            "{}: {} of its answers are to items without a difficulty, as all others agree on them.",
            profile.respondent, profile.unlabelled
        ));
    }
    for profile in found.respondents.iter().filter(|profile| profile.relatives > 0) {
        notes.push(format!(
            "{}: {} respondents with nearly its answers were left out with it.",
            profile.respondent, profile.relatives
        ));
    }
    Table {
        caption: "Accuracy by class of difficulty".to_owned(),
        columns,
        rows: found.respondents.iter().map(row).collect(),
        notes,
    }
}
