use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::number::{Format, Number, n_text};
use super::table::{Cell, Column, Table};

/// Curves in one panel or in several side by side that share both axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// What the chart shows, as a heading.
    pub title: String,
    /// The chart in words, for who cannot see it: what to notice.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The panels, from the left.
    pub panels: Vec<Panel>,
}

/// One panel of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// What sets this panel apart: `easy, levels 1-3`.
    pub heading: String,
    /// Its curves; a label has the same colour in every panel.
    pub series: Vec<Series>,
    /// Its horizontal lines.
    pub references: Vec<Reference>,
}

/// One curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name, short: it is written at the end of the curve.
    pub label: String,
    /// What part it plays.
    pub role: Role,
    /// Its points, in order of x.
    pub points: Vec<Point>,
}

/// The part a curve plays in the argument; it decides how loud the curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What the page is about.
    Main,
    /// What it must beat.
    Baseline,
    /// What nothing can beat: an oracle.
    Bound,
    /// All else.
    #[default]
    Other,
}

/// A point of a curve with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where it stands on the horizontal axis.
    pub x: f64,
    /// Its value.
    pub y: f64,
    /// Lower and upper end of its interval.
    pub interval: Option<(f64, f64)>,
    /// How many units it was taken over.
    pub n: Option<u64>,
}

impl Point {
    /// A point without an interval.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, interval: None, n: None }
    }

    /// The same point with its interval.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { interval: Some((low, high)), ..self }
    }

    /// The same point with the number of units behind it.
    #[must_use]
    pub fn of(self, n: u64) -> Self {
        Self { n: Some(n), ..self }
    }

    /// The value as a figure of the vertical axis.
    pub(super) fn number(&self, format: Format) -> Number {
        Number { value: self.y, interval: self.interval, n: self.n, format }
    }
}

/// A horizontal line to read curves against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Its name, short.
    pub label: String,
    /// Its height.
    pub y: f64,
}

/// Estimates with their intervals, one a line, against a line of no effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// What the chart shows, as a heading.
    pub title: String,
    /// The chart in words, for who cannot see it: what to notice.
    pub description: String,
    /// The axis along which the estimates lie; its format is that of the figures.
    pub axis: Axis,
    /// The value of no effect: 0 for a difference, 0.5 for an AUC.
    pub neutral: Option<f64>,
    /// The rows, in groups.
    pub groups: Vec<IntervalGroup>,
}

/// Rows under one heading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalGroup {
    /// The heading; empty for none.
    pub heading: String,
    /// The rows, from the top.
    pub rows: Vec<IntervalRow>,
}

/// One estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalRow {
    /// What was estimated.
    pub label: String,
    /// What part it plays.
    pub role: Role,
    /// The estimate.
    pub number: Number,
}

impl Curves {
    /// Labels of all curves in order of first appearance, with the role each has there.
    pub(super) fn labels(&self) -> Vec<(&str, Role)> {
        let mut labels: Vec<(&str, Role)> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !labels.iter().any(|(label, _)| *label == series.label) {
                labels.push((&series.label, series.role));
            }
        }
        labels
    }

    /// The numbers of one panel, a row for each x; a curve of many points is thinned
    /// to about `limit` of them.
    pub(super) fn table(&self, panel: &Panel, limit: usize) -> Table {
        let xs = panel.xs();
        let every = xs.len().div_ceil(limit).max(1);
        let last = xs.len().saturating_sub(1);
        let kept = xs.iter().enumerate().filter(|(row, _)| row % every == 0 || *row == last);
        let rows = kept
            .map(|(_, &x)| {
                let figures = panel.series.iter().map(|series| self.cell(series, x));
                std::iter::once(self.x_number(x).into()).chain(figures).collect()
            })
            .collect();
        let mut notes = self.reference_notes(panel);
        if every > 1 {
            notes.push(format!("Every {every}th point and the last one."));
        }
        let columns = std::iter::once(Column::number(&self.x.label))
            .chain(panel.series.iter().map(|series| Column::number(&series.label)))
            .collect();
        Table { caption: self.caption(panel), columns, rows, notes }
    }

    /// One panel on a few lines: a row for each curve, at most `limit` values of x.
    pub(super) fn summary(&self, panel: &Panel, limit: usize) -> Table {
        let xs = panel.xs();
        let kept = limit.min(xs.len());
        let last = xs.len().saturating_sub(1);
        let spaced = |place: usize| xs[(place * last).div_ceil(kept.max(2) - 1)];
        let xs: Vec<f64> = (0..kept).map(spaced).collect();
        let columns = std::iter::once(Column::text(&self.x.label))
            .chain(xs.iter().map(|&x| Column::number(self.x_number(x).value_text())))
            .collect();
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for series in &panel.series {
            let figures = xs.iter().map(|&x| self.cell(series, x));
            rows.push(std::iter::once(series.label.as_str().into()).chain(figures).collect());
        }
        let mut table = Table {
            caption: self.caption(panel),
            columns,
            rows,
            notes: self.reference_notes(panel),
        };
        if let Some(n) = table.take_shared_n() {
            table.caption.push_str(&format!(", {}", n_text(n)));
        }
        table
    }

    fn caption(&self, panel: &Panel) -> String {
        match panel.heading.as_str() {
            "" => self.title.clone(),
            heading => format!("{}: {heading}", self.title),
        }
    }

    fn x_number(&self, x: f64) -> Number {
        Point::new(0.0, x).number(self.x.format)
    }

    fn cell(&self, series: &Series, x: f64) -> Cell {
        match series.points.iter().find(|point| point.x == x) {
            Some(point) => point.number(self.y.format).into(),
            None => Cell::absent("\u{2013}"),
        }
    }

    fn reference_notes(&self, panel: &Panel) -> Vec<String> {
        let note = |reference: &Reference| {
            let figure = Point::new(0.0, reference.y).number(self.y.format).value_text();
            format!("{}: {figure}", reference.label)
        };
        panel.references.iter().map(note).collect()
    }
}

impl Series {
    /// The points that can be drawn.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite())
    }
}

impl Panel {
    /// Every x of the panel, once, in order.
    fn xs(&self) -> Vec<f64> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let mut xs: Vec<f64> = points.map(|point| point.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }
}

impl Intervals {
    /// The numbers of the chart.
    pub(super) fn table(&self) -> Table {
        let grouped = self.groups.iter().any(|group| !group.heading.is_empty());
        let mut columns = vec![Column::text(""), Column::number(&self.axis.label)];
        if grouped {
            columns.insert(0, Column::text(""));
        }
        let mut rows = Vec::new();
        for group in &self.groups {
            for (place, row) in group.rows.iter().enumerate() {
                let mut cells = vec![row.label.as_str().into(), row.number.into()];
                if grouped {
                    let heading = if place == 0 { group.heading.as_str() } else { "" };
                    cells.insert(0, heading.into());
                }
                rows.push(cells);
            }
        }
        Table { caption: self.title.clone(), columns, rows, notes: Vec::new() }
    }
}
