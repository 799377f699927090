use serde::{Deserialize, Serialize};

use super::number::{Number, n_text};

/// A table: what every form of the report can show, charts included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What the table shows, one sentence.
    pub caption: String,
    /// The columns, from the left; the first one names the row.
    pub columns: Vec<Column>,
    /// Rows of cells, as many as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// What a reader must know to read it right, below the table.
    pub notes: Vec<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its heading.
    pub label: String,
    /// Whether it is set flush right.
    pub numeric: bool,
}

impl Column {
    /// A column of words.
    pub fn text(label: impl Into<String>) -> Self {
        Self { label: label.into(), numeric: false }
    }

    /// A column of figures.
    pub fn number(label: impl Into<String>) -> Self {
        Self { label: label.into(), numeric: true }
    }
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Words, with the inline markup of [`Block::Prose`](super::Block::Prose).
    Text(String),
    /// A figure.
    Number(Number),
    /// Nothing to show, and why: `not run`, `undefined`.
    Absent(String),
}

impl Cell {
    /// A cell that has no figure, for the reason given.
    pub fn absent(reason: impl Into<String>) -> Self {
        Self::Absent(reason.into())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Number> for Cell {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl Table {
    /// The figures of a column.
    pub(super) fn numbers(&self, column: usize) -> impl Iterator<Item = &Number> {
        self.rows.iter().filter_map(move |row| match row.get(column) {
            Some(Cell::Number(number)) => Some(number),
            _ => None,
        })
    }

    /// Whether a figure of the column has an interval.
    pub(super) fn has_intervals(&self, column: usize) -> bool {
        self.numbers(column).any(|number| number.interval_text().is_some())
    }

    /// The n that every figure of a column shares: it is then written once, in the heading.
    pub(super) fn shared_n(&self, column: usize) -> Option<u64> {
        let mut counts = self.numbers(column).filter_map(|number| number.n);
        let first = counts.next()?;
        counts.all(|n| n == first).then_some(first)
    }

    /// The n that all figures of the table share, taken out of them.
    pub(super) fn take_shared_n(&mut self) -> Option<u64> {
        let mut figures: Vec<&mut Number> = Vec::new();
        for cell in self.rows.iter_mut().flatten() {
            if let Cell::Number(number) = cell {
                figures.push(number);
            }
        }
        let n = figures.first()?.n?;
        if figures.iter().any(|number| number.n != Some(n)) {
            return None;
        }
        for number in figures {
            number.n = None;
        }
        Some(n)
    }

    /// The n to write in the cell itself: where the figures of its column differ in it.
    pub(super) fn own_n(&self, column: usize, number: &Number) -> Option<String> {
        number.n.filter(|_| self.shared_n(column).is_none()).map(n_text)
    }
}
