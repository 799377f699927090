//! The parts of a page that come from `run.json`: what it cost and how to repeat it.

use gradus::report::{Block, Cell, Column, Details, Number, Repeat, Section, Table};
use gradus::run::repeat_line;
use serde_json::Value;

/// A text field of the record.
pub(crate) fn text(record: &Value, name: &str) -> Option<String> {
    record[name].as_str().filter(|text| !text.trim().is_empty()).map(|text| text.trim().to_owned())
}

/// Coverage of intervals in percent, without the noise of the multiplication.
pub(crate) fn coverage(confidence: f64) -> f64 {
    (1e8 * confidence).round() / 1e6
}

/// What the run cost, stage by stage.
pub(crate) fn cost(record: &Value) -> Section {
    let stages = record["stages"].as_array().map_or(&[][..], Vec::as_slice);
    let mut rows = Vec::new();
    let (mut total, mut cached) = (0.0, 0);
    for stage in stages {
        let seconds = stage["seconds"].as_f64().unwrap_or(0.0);
        let found = stage["cached"] == true;
        total += seconds;
        cached += usize::from(found);
        rows.push(vec![
            stage["name"].as_str().unwrap_or("?").into(),
            if found {
                Cell::absent("found in the store")
            } else {
                Number::decimal(seconds, 1).into()
            },
        ]);
    }
    let host = &record["host"];
    let found = match cached {
        0 => String::new(),
        _ => format!(
            " {cached} of {} stages were found in the store and cost nothing.",
            stages.len()
        ),
    };
    let prose = format!(
        "{total:.0} s of wall time on {} threads of {} {}.{found}",
        host["threads"],
        host["arch"].as_str().unwrap_or("?"),
        host["os"].as_str().unwrap_or("?"),
    );
    Section {
        heading: "What it cost".to_owned(),
        blocks: vec![
            Block::Prose(prose),
            Block::Details(Details {
                summary: "Stage by stage".to_owned(),
                blocks: vec![Block::Table(Table {
                    caption: "Wall time of each stage".to_owned(),
                    columns: vec![Column::text("stage"), Column::number("seconds")],
                    rows,
                    notes: Vec::new(),
                })],
            }),
        ],
    }
}

/// How to get the same page again.
pub(crate) fn repeat(record: &Value) -> Repeat {
    let tool = &record["tool"];
    let name = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    let dirty = if tool["dirty"] == true { " with local changes" } else { "" };
    let mut facts = vec![
        ("gradus".to_owned(), name(&tool["version"])),
        ("commit".to_owned(), format!("{}{dirty}", name(&tool["commit"]))),
        ("hash of the sources".to_owned(), name(&tool["sources"])),
        ("seeds".to_owned(), record["seeds"].to_string()),
    ];
    for input in record["inputs"].as_array().into_iter().flatten() {
        facts.push((format!("sha256 of {}", name(&input["path"])), name(&input["sha256"])));
    }
    let words = record["command"].as_array().into_iter().flatten();
    let words = words.filter_map(Value::as_str);
    Repeat {
        commands: vec![repeat_line(words)],
        facts,
        config: serde_json::to_string_pretty(&record["config"]).ok(),
    }
}
