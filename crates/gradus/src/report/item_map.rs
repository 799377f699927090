//! The map of Wright and Stone (1979): who answered and what was asked, on one scale.
//!
//! Respondents stand to the left of the scale and items to the right, both counted in
//! steps of equal width; where one side has nothing, the test says little of the other.

use serde::{Deserialize, Serialize};

use super::axis::Axis;
use super::curves::minus;
use super::html::caption;
use super::number::{Format, Number, decimals};
use super::svg::{Svg, pixels};
use super::table::{Column, Table};

/// Abilities beside difficulties, counted in steps of one scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemMap {
    /// What the chart shows, as a heading.
    pub title: String,
    /// The chart in words, for who cannot see it: what to notice.
    pub description: String,
    /// What the scale is, with its unit.
    pub scale: String,
    /// The steps from low to high, of equal width and without gaps; the outer two hold
    /// what lies beyond them, too.
    pub steps: Vec<MapStep>,
}

/// A step of the scale with what lies on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapStep {
    /// Its lower end, in the unit of the scale.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
    /// Respondents whose ability lies here, with counts.
    pub respondents: f64,
    /// Items whose difficulty lies here.
    pub items: u64,
    /// Their names, where they are to be shown.
    pub names: Vec<String>,
}

const WIDTH: f64 = 760.0;
const TOP: f64 = 34.0;
const ROW: f64 = 17.0;
/// The scale stands between the two sides.
const SCALE: (f64, f64) = (290.0, 340.0);
const LONGEST_LEFT: f64 = 240.0;
const LONGEST_RIGHT: f64 = 180.0;
/// About the width of a character of a name.
const CHARACTER: f64 = 6.6;

impl ItemMap {
    /// The counts of the chart, from the top.
    pub(super) fn table(&self) -> Table {
        let named = self.steps.iter().any(|step| !step.names.is_empty());
        let mut columns =
            vec![Column::text(&self.scale), Column::number("respondents"), Column::number("items")];
        if named {
            columns.push(Column::text("which"));
        }
        let row = |step: &MapStep| {
            let mut row = vec![
                format!("{} to {}", decimals(step.from, 2), decimals(step.to, 2)).into(),
                Number::count(step.respondents.round() as u64).into(),
                Number::count(step.items).into(),
            ];
            if named {
                row.push(step.names.join(", ").into());
            }
            row
        };
        Table {
            caption: self.title.clone(),
            columns,
            rows: self.steps.iter().rev().map(row).collect(),
            notes: vec!["The first and the last row hold what lies beyond them, too.".to_owned()],
        }
    }

    /// The chart as a figure; its numbers follow it.
    pub(super) fn figure(&self, chart: usize) -> String {
        let height = TOP + ROW * self.steps.len() as f64 + 12.0;
        let (title, desc) = (format!("chart-{chart}-title"), format!("chart-{chart}-desc"));
        let view = format!("0 0 {} {}", pixels(WIDTH), pixels(height));
        let mut svg = Svg::new();
        svg.open(
            "svg",
            &[
                ("class", "chart map".into()),
                ("viewBox", (&view).into()),
                ("role", "img".into()),
                ("aria-labelledby", (&title).into()),
                ("aria-describedby", (&desc).into()),
            ],
        );
        svg.text("title", &[("id", (&title).into())], &self.title);
        svg.text("desc", &[("id", (&desc).into())], &self.description);
        self.draw(&mut svg);
        svg.close("svg");
        format!(
            "<figure>\n<figcaption>{}</figcaption>\n{}",
            caption(&self.title, &self.description),
            svg.finish()
        )
    }

    fn draw(&self, svg: &mut Svg) {
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else { return };
        let most = self.steps.iter().map(|step| step.respondents).fold(1.0, f64::max);
        let most_items = self.steps.iter().map(|step| step.items).max().unwrap_or(1).max(1);
        let bottom = TOP + ROW * self.steps.len() as f64;
        svg.words("heading end main", (SCALE.0 - 6.0, 14.0), "respondents");
        svg.words("axis middle", (f64::midpoint(SCALE.0, SCALE.1), 14.0), &self.scale);
        svg.words("heading other-1", (SCALE.1 + 6.0, 14.0), "items");
        let axis = Axis::new(self.scale.as_str(), Format::Decimal(1)).between(first.from, last.to);
        for (y, text) in axis.fit([], bottom, TOP).ticks() {
            svg.line("mark", (SCALE.0, y), (SCALE.0 + 6.0, y));
            svg.line("mark", (SCALE.1 - 6.0, y), (SCALE.1, y));
            svg.words("tick middle", (f64::midpoint(SCALE.0, SCALE.1), y + 4.0), &minus(&text));
        }
        for x in [SCALE.0, SCALE.1] {
            svg.line("grid", (x, TOP), (x, bottom));
        }
        for (row, step) in self.steps.iter().rev().enumerate() {
            let y = TOP + ROW * row as f64;
            if step.respondents > 0.0 {
                let width = (LONGEST_LEFT * step.respondents / most).max(1.5);
                let count = Number::count(step.respondents.round() as u64).value_text();
                bar(svg, "bar main", (SCALE.0 - width, y), width);
                svg.words("tick end", (SCALE.0 - width - 4.0, y + ROW * 0.72), &count);
            }
            if step.items > 0 {
                let width = (LONGEST_RIGHT * step.items as f64 / most_items as f64).max(1.5);
                let count = Number::count(step.items).value_text();
                let left = SCALE.1 + width + 4.0;
                bar(svg, "bar other-1", (SCALE.1, y), width);
                svg.words("tick", (left, y + ROW * 0.72), &count);
                let left = left + CHARACTER * (count.len() as f64 + 1.0);
                let room = ((WIDTH - left) / CHARACTER) as usize;
                svg.words("name", (left, y + ROW * 0.72), &shortened(&step.names, room));
            }
        }
    }
}

fn bar(svg: &mut Svg, class: &str, (x, y): (f64, f64), width: f64) {
    let place = [("class", class.into()), ("x", x.into()), ("y", (y + 2.0).into())];
    let size = [("width", width.into()), ("height", (ROW - 4.0).into())];
    let [class, x, y] = place;
    let [width, height] = size;
    svg.empty("rect", &[class, x, y, width, height]);
}

/// As many names as there is room for, in characters, and how many more there are.
fn shortened(names: &[String], room: usize) -> String {
    let mut written = String::new();
    for (place, name) in names.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        let more = format!(" and {} more", names.len() - place);
        if written.chars().count() + name.chars().count() + more.len() > room {
            return if place == 0 { String::new() } else { written + &more };
        }
        written.push_str(comma);
        written.push_str(name);
    }
    written
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn map() -> ItemMap {
        let step = |from: f64, respondents, names: &[&str]| MapStep {
            from,
            to: from + 0.5,
            respondents,
            items: names.len() as u64,
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        ItemMap {
            title: "Who answered and what was asked".to_owned(),
            description: "Two items lie below everyone.".to_owned(),
            scale: "logits".to_owned(),
            steps: vec![step(-1.0, 0.0, &["a", "b"]), step(-0.5, 3.0, &[]), step(0.0, 9.0, &["c"])],
        }
    }

    #[test]
    fn the_table_runs_from_the_top_of_the_scale() {
        let table = map().table();
        let words = |row: usize| format!("{:?}", table.rows[row]);
        assert!(words(0).contains("0.00 to 0.50") && words(2).contains("a, b"), "{table:?}");
    }

    #[test]
    fn the_longest_bar_is_that_of_the_most() {
        let drawn = map().figure(1);
        assert!(drawn.contains("width=\"240\"") && drawn.contains("width=\"80\""), "{drawn}");
        assert!(drawn.contains(">a, b<"), "{drawn}");
    }

    #[test]
    fn names_that_do_not_fit_are_counted() {
        let names: Vec<String> = (0..9).map(|name| format!("item-{name}")).collect();
        assert_eq!(shortened(&names, 30), "item-0, item-1 and 7 more");
        assert_eq!(shortened(&names, 3), "");
        assert_eq!(shortened(&names[..2], 30), "item-0, item-1");
    }
}
