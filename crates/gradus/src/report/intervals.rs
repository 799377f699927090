//! Estimates with their intervals as a table whose middle column is drawn.
//!
//! The drawing uses shares of its width instead of pixels, so the table reflows on
//! a phone while the text keeps its size, and the numbers stay a table for who
//! reads it aloud.

use super::chart::{IntervalRow, Intervals};
use super::html::{caption, number_html, range_width};
use super::markup::{escape, line_html};
use super::number::n_text;
use super::palette::class;
use super::svg::{Svg, pixels};

/// The chart as an HTML table.
pub(super) fn intervals_html(chart: &Intervals) -> String {
    let rows = || chart.groups.iter().flat_map(|group| &group.rows);
    let values = rows().flat_map(|row| {
        let (low, high) = row.number.interval.unwrap_or((row.number.value, row.number.value));
        [row.number.value, low, high]
    });
    // A margin at both ends keeps ticks and dots whole.
    let axis = chart.axis.fit(values.chain(chart.neutral), 5.0, 95.0);
    let neutral = chart.neutral.filter(|&value| axis.covers(value));
    let strip = match neutral {
        Some(value) => format!("<td class=\"strip\" style=\"--at:{}%\">", pixels(axis.at(value))),
        None => "<td class=\"strip none\">".to_owned(),
    };
    let mut counts = rows().filter_map(|row| row.number.n);
    let first = counts.next();
    let shared = first.filter(|&first| counts.all(|n| n == first));

    let width = range_width(rows().map(|row| &row.number));
    let mut out = format!("<table class=\"forest\" style=\"{width}\">\n");
    out.push_str(&format!("<caption>{}</caption>\n", caption(&chart.title, &chart.description)));
    let n = shared.map_or(String::new(), |n| format!(", {}", n_text(n)));
    out.push_str(&format!(
        "<thead><tr><td></td><th scope=\"col\" colspan=\"2\">{}{n}</th></tr></thead>\n",
        escape(&chart.axis.label)
    ));
    for group in &chart.groups {
        out.push_str("<tbody>\n");
        if !group.heading.is_empty() {
            let heading = line_html(&group.heading);
            out.push_str(&format!(
                "<tr class=\"group\"><th scope=\"rowgroup\">{heading}</th>{strip}</td><td></td></tr>\n"
            ));
        }
        for row in &group.rows {
            let own_n = row.number.n.filter(|_| shared.is_none()).map(n_text);
            out.push_str(&format!(
                "<tr><th scope=\"row\">{}</th>{strip}{}</td><td class=\"num\">{}</td></tr>\n",
                line_html(&row.label),
                mark(row, |value| axis.at(value)),
                number_html(&row.number, true, own_n)
            ));
        }
        out.push_str("</tbody>\n");
    }
    let mut ticks = Svg::new();
    for (x, text) in axis.ticks() {
        let x = format!("{}%", pixels(x));
        let place = [("class", "tick middle".into()), ("x", (&x).into()), ("y", 14.0.into())];
        ticks.text("text", &place, &super::curves::minus(&text));
    }
    out.push_str(&format!(
        "<tfoot aria-hidden=\"true\"><tr><td></td><td class=\"ticks\"><svg class=\"chart\" \
         width=\"100%\" height=\"18\">{}</svg></td><td></td></tr></tfoot>\n</table>\n",
        ticks.finish()
    ));
    out
}

fn mark(row: &IntervalRow, at: impl Fn(f64) -> f64) -> String {
    let share = |value: f64| format!("{}%", pixels(at(value)));
    let mut svg = Svg::new();
    let class = format!("chart {}", class(row.role));
    let (width, height) = (("width", "100%".into()), ("height", "26".into()));
    let hidden = ("aria-hidden", "true".into());
    svg.open("svg", &[("class", (&class).into()), width, height, hidden]);
    if let Some((low, high)) = row.number.interval.filter(|(l, h)| l.is_finite() && h.is_finite()) {
        let (low, high) = (share(low), share(high));
        let (x1, x2) = (("x1", (&low).into()), ("x2", (&high).into()));
        let (y1, y2) = (("y1", "13".into()), ("y2", "13".into()));
        svg.empty("line", &[("class", "interval".into()), x1, y1, x2, y2]);
    }
    if row.number.value.is_finite() {
        let x = share(row.number.value);
        let (cx, cy) = (("cx", (&x).into()), ("cy", "13".into()));
        svg.empty("circle", &[("class", "marker".into()), cx, cy, ("r", "4.5".into())]);
    }
    svg.close("svg");
    svg.finish()
}
