//! Profiles as a page.

use gradus::difficulty::{Curve, FallOff, Profile};
use gradus::report::{
    Axis, Block, Cell, Column, Curves, Fact, Format, Number, Page, Panel, Point, Repeat, Role,
    Section, Series, Table,
};
use gradus::run::repeat_line;
use gradus::stats::Estimate;

use crate::args;

/// What the curves run over, in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Over {
    pub(super) label: &'static str,
    pub(super) decimals: u8,
}

/// A page of profiles; `facts` are lines about how the labels were made, `inputs` names and hashes.
pub(super) fn page(
    found: &[Profile],
    over: Over,
    facts: &[String],
    inputs: Vec<(String, String)>,
) -> Page {
    let models: std::collections::BTreeSet<&str> =
        found.iter().map(|profile| profile.model.as_str()).collect();
    let lead =
        found.iter().filter(|profile| profile.domain.is_none()).take(3).map(|profile| Fact {
            label: profile.model.clone(),
            value: percent(profile.accuracy).into(),
            detail: "accuracy over all labelled problems".to_owned(),
        });
    let mut sections = vec![
        curves(found, over),
        Section { heading: "The profiles".to_owned(), blocks: vec![Block::Table(summary(found))] },
    ];
    if !facts.is_empty() {
        let list: Vec<String> = facts.iter().map(|fact| format!("- {fact}")).collect();
        let blocks = vec![Block::Note(list.join("\n"))];
        sections.push(Section { heading: "What to know of the labels".to_owned(), blocks });
    }
    sections.extend(found.iter().map(|profile| bins(profile, over)));
    let words = std::iter::once("gradus".to_owned()).chain(args::given().into_iter().skip(1));
    Page {
        title: format!("Accuracy of {} models over difficulty", models.len()),
        question: "Where does each model fall off as problems get harder?".to_owned(),
        lead: lead.collect(),
        sections,
        repeat: Repeat { commands: vec![repeat_line(words)], facts: inputs, config: None },
    }
}

fn name(profile: &Profile) -> String {
    match &profile.domain {
        Some(domain) => format!("{}, {domain}", profile.model),
        None => profile.model.clone(),
    }
}

fn curves(found: &[Profile], over: Over) -> Section {
    let series = |label: &str, role: Role, curve: &Curve| Series {
        label: label.to_owned(),
        role,
        points: curve
            .points
            .iter()
            .map(|point| Point::new(point.difficulty, point.value).within(point.low, point.high))
            .collect(),
    };
    let panel = |profile: &Profile| Panel {
        heading: name(profile),
        series: vec![
            series("local regression", Role::Main, &profile.smooth),
            series("monotone", Role::Other, &profile.monotone),
        ],
        references: Vec::new(),
    };
    let chart = Curves {
        title: "Accuracy by difficulty".to_owned(),
        description: "Local regression and the non-increasing fit; pointwise 95% bands from a bootstrap \
                      over problems, which hold neither the error of the labels nor that of training \
                      another model."
            .to_owned(),
        x: Axis::new(over.label, Format::Decimal(over.decimals)),
        y: Axis::new("accuracy", Format::Percent).between(0.0, 1.0),
        panels: found.iter().map(panel).collect(),
    };
    Section { heading: "Accuracy over difficulty".to_owned(), blocks: vec![Block::Curves(chart)] }
}

fn bins(profile: &Profile, over: Over) -> Section {
    let row = |bin: &gradus::difficulty::ProfileBin| {
        vec![
            Number::decimal(bin.from, 3).into(),
            Number::decimal(bin.to, 3).into(),
            percent(bin.accuracy).into(),
        ]
    };
    let table = Table {
        caption: format!("{}: problems of neighbouring difficulty", name(profile)),
        columns: vec![
            Column::number(format!("{} from", over.label)),
            Column::number("to"),
            Column::number("accuracy"),
        ],
        rows: profile.bins.iter().map(row).collect(),
        notes: Vec::new(),
    };
    Section { heading: name(profile), blocks: vec![Block::Table(table)] }
}

pub(super) fn percent(Estimate { value, low, high, n }: Estimate) -> Number {
    Number::percent(value).within(low, high).of(n)
}

/// Accuracies and fall-off points.
pub(super) fn summary(found: &[Profile]) -> Table {
    let fall_off = |of: &FallOff| match of.difficulty {
        None => Cell::absent("not crossed"),
        Some(place) => match (of.low, of.high) {
            (Some(low), Some(high)) => Number::decimal(place, 3).within(low, high).into(),
            _ => Number::decimal(place, 3).into(),
        },
    };
    let row = |profile: &Profile| {
        vec![
            profile.model.clone().into(),
            profile.domain.clone().unwrap_or_else(|| "all".into()).into(),
            percent(profile.accuracy).into(),
            fall_off(&profile.fall_off),
        ]
    };
    let level = found.first().map_or(0.5, |profile| profile.fall_off.level);
    Table {
        caption: "Profiles".into(),
        columns: vec![
            Column::text("model"),
            Column::text("domain"),
            Column::number("accuracy"),
            Column::number(format!("falls below {level} at")),
        ],
        rows: found.iter().map(row).collect(),
        notes: Vec::new(),
    }
}
