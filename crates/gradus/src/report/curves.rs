//! Curves as SVG: small multiples over common axes, each curve named at its end.

use super::axis::FittedAxis;
use super::chart::{Curves, Panel, Point, Role, Series};
use super::labels::{LINE_HEIGHT, Label, spread};
use super::number::n_text;
use super::palette::{Marker, PALETTE, Stroke, strokes};
use super::svg::{Svg, pixels};

const WIDTH: f64 = 380.0;
const LEFT: f64 = 42.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 42.0;
const PLOT_HEIGHT: f64 = 236.0;
/// Room between the plot and the names of its curves.
const LABEL_GAP: f64 = 12.0;
/// A curve with more points than this is drawn without markers.
const MARKED_POINTS: usize = 16;

/// The rules that colour a chart, in terms of the page's palette.
pub(super) const STYLE: &str = include_str!("chart.css");

/// One panel, drawn.
pub(super) struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) body: String,
}

/// The panels of a chart, all of one size and over the same axes.
pub(super) fn draw(curves: &Curves) -> Vec<Drawing> {
    let labels = curves.labels();
    let styles = strokes(labels.iter().map(|&(_, role)| role));
    let style = |label: &str| {
        let place = labels.iter().position(|&(known, _)| known == label);
        styles[place.expect("every curve has its label among the chart's")]
    };
    let named: Vec<Vec<Label>> =
        curves.panels.iter().map(|panel| names(curves, panel, &style)).collect();
    let widest = named.iter().flatten().map(Label::width).fold(0.0, f64::max);
    let tallest = |labels: &Vec<Label>| labels.iter().map(Label::height).sum::<f64>();
    let names_height = named.iter().map(tallest).fold(0.0, f64::max);
    // Names that need more room than the plot has make the plot taller.
    let bottom = TOP + PLOT_HEIGHT.max(names_height - TOP / 2.0);
    let right = WIDTH - widest - LABEL_GAP - 2.0;

    let points = || curves.panels.iter().flat_map(|panel| &panel.series).flat_map(|s| &s.points);
    let x = curves.x.fit(points().map(|point| point.x), LEFT + 8.0, right - 4.0);
    let ends = points().flat_map(|p| {
        let (low, high) = p.interval.unwrap_or((p.y, p.y));
        [p.y, low, high]
    });
    let lines = curves.panels.iter().flat_map(|panel| &panel.references).map(|line| line.y);
    let y = curves.y.fit(ends.chain(lines), bottom, TOP);

    let frame = Frame { curves, x, y, right, bottom };
    curves
        .panels
        .iter()
        .zip(named)
        .map(|(panel, labels)| Drawing {
            width: WIDTH,
            height: bottom + BOTTOM,
            body: frame.panel(panel, labels, &style),
        })
        .collect()
}

/// The names at the right of a panel, each with the value it ends on.
fn names(curves: &Curves, panel: &Panel, style: &impl Fn(&str) -> Stroke) -> Vec<Label> {
    let figure = |y: f64| minus(&Point::new(0.0, y).number(curves.y.format).value_text());
    let series = panel.series.iter().filter_map(|series| {
        let end = series.drawn().last()?;
        let class = style(&series.label).class;
        Some(Label::new(&series.label, &figure(end.y), class, (Some(end.x), end.y)))
    });
    let references = panel.references.iter().map(|reference| {
        Label::new(&reference.label, &figure(reference.y), "reference", (None, reference.y))
    });
    series.chain(references).collect()
}

/// What the panels of a chart have in common.
struct Frame<'a> {
    curves: &'a Curves,
    x: FittedAxis<'a>,
    y: FittedAxis<'a>,
    right: f64,
    bottom: f64,
}

impl Frame<'_> {
    fn panel(&self, panel: &Panel, labels: Vec<Label>, style: &impl Fn(&str) -> Stroke) -> String {
        let mut svg = Svg::new();
        self.axes(&mut svg, panel);
        for reference in &panel.references {
            let y = self.y.at(reference.y);
            svg.line("reference-line", (LEFT, y), (self.right, y));
        }
        // From the quietest to the loudest.
        let mut order: Vec<&Series> = panel.series.iter().collect();
        order.sort_by_key(|series| match series.role {
            Role::Bound => 0,
            Role::Other => 1,
            Role::Baseline => 2,
            Role::Main => 3,
        });
        for series in order.iter().filter(|series| series.role != Role::Bound) {
            self.spread(&mut svg, series, style(&series.label));
        }
        // Lines thin over thick, points loud over quiet: curves that coincide all show.
        for series in order.iter().rev() {
            self.line(&mut svg, series, style(&series.label));
        }
        for series in &order {
            self.points(&mut svg, series, style(&series.label));
        }
        self.names(&mut svg, labels);
        svg.finish()
    }

    fn axes(&self, svg: &mut Svg, panel: &Panel) {
        svg.words("heading", (0.0, 14.0), &panel.heading);
        svg.words("axis", (0.0, 32.0), &self.curves.y.label);
        for (y, text) in self.y.ticks() {
            svg.line("grid", (LEFT, y), (self.right, y));
            svg.words("tick end", (LEFT - 6.0, y + 4.0), &minus(&text));
        }
        for (x, text) in self.x.ticks() {
            svg.line("mark", (x, self.bottom), (x, self.bottom + 4.0));
            svg.words("tick middle", (x, self.bottom + 17.0), &minus(&text));
        }
        let middle = f64::midpoint(LEFT, self.right);
        svg.words("axis middle", (middle, self.bottom + 35.0), &self.curves.x.label);
    }

    /// The intervals of a curve: a band, or a whisker where there is but one point.
    fn spread(&self, svg: &mut Svg, series: &Series, stroke: Stroke) {
        let ends: Vec<(f64, f64, f64)> = series
            .points
            .iter()
            .filter_map(|point| {
                let (low, high) = point.interval?;
                let ends = (self.x.at(point.x), self.y.at(low), self.y.at(high));
                (low.is_finite() && high.is_finite()).then_some(ends)
            })
            .collect();
        match ends.as_slice() {
            [] => {}
            [(x, low, high)] => {
                svg.line(&format!("whisker {}", stroke.class), (*x, *low), (*x, *high));
            }
            _ => {
                let loudness = if series.role == Role::Other { "quiet" } else { "loud" };
                let upper = ends.iter().map(|&(x, _, high)| (x, high));
                let lower = ends.iter().rev().map(|&(x, low, _)| (x, low));
                let outline = path(upper.chain(lower));
                let class = format!("band {loudness} {}", stroke.class);
                svg.empty("polygon", &[("class", (&class).into()), ("points", (&outline).into())]);
            }
        }
    }

    fn line(&self, svg: &mut Svg, series: &Series, stroke: Stroke) {
        let class = format!("line {}", stroke.class);
        let drawn = series.drawn().map(|point| (self.x.at(point.x), self.y.at(point.y)));
        let line = path(drawn);
        let mut shape = vec![("class", (&class).into()), ("points", (&line).into())];
        shape.push(("stroke-width", stroke.width.into()));
        if !stroke.dash.is_empty() {
            shape.push(("stroke-dasharray", stroke.dash.into()));
        }
        svg.empty("polyline", &shape);
    }

    fn points(&self, svg: &mut Svg, series: &Series, stroke: Stroke) {
        if series.drawn().count() > MARKED_POINTS {
            return;
        }
        svg.open("g", &[("class", stroke.class.into())]);
        for point in series.drawn() {
            self.point(svg, series, point, stroke);
        }
        svg.close("g");
    }

    fn point(&self, svg: &mut Svg, series: &Series, point: &Point, stroke: Stroke) {
        let (x, y) = (self.x.at(point.x), self.y.at(point.y));
        svg.open("g", &[]);
        let place = Point::new(0.0, point.x).number(self.curves.x.format).value_text();
        let number = point.number(self.curves.y.format);
        let mut words =
            format!("{}, {} {place}: {}", series.label, self.curves.x.label, number.full_text());
        if let Some(n) = point.n {
            words.push_str(&format!(", {}", n_text(n)));
        }
        svg.text("title", &[], &minus(&words));
        if let Some(marker) = stroke.marker {
            draw_marker(svg, marker, x, y, 1.4 + stroke.width);
        }
        // A finger or a mouse finds the point without hitting it.
        svg.circle("target", (x, y), 9.0);
        svg.close("g");
    }

    fn names(&self, svg: &mut Svg, labels: Vec<Label>) {
        let wanted: Vec<(f64, f64)> =
            labels.iter().map(|label| (self.y.at(label.end.1), label.height())).collect();
        let centres = spread(&wanted, TOP / 2.0, self.bottom + 6.0);
        for ((label, centre), (anchor, _)) in labels.into_iter().zip(centres).zip(wanted) {
            let left = self.right + LABEL_GAP;
            let from = label.end.0.map_or(self.right, |x| self.x.at(x) + 5.0);
            svg.open("g", &[("class", label.class.into())]);
            if (centre - anchor).abs() > 3.0 || left - from > 2.0 * LABEL_GAP {
                svg.line("leader", (from, anchor), (left - 2.0, centre));
            }
            let top = centre - label.height() / 2.0;
            for (row, (words, figure)) in label.lines.iter().enumerate() {
                let y = top + LINE_HEIGHT * (row as f64 + 0.82);
                let place = [("class", "name".into()), ("x", left.into()), ("y", y.into())];
                svg.parts(&place, &[("words", words), ("figure", figure)]);
            }
            svg.close("g");
        }
    }
}

fn draw_marker(svg: &mut Svg, marker: Marker, x: f64, y: f64, r: f64) {
    let corners = match marker {
        Marker::Circle => return svg.circle("marker", (x, y), r),
        Marker::Square => vec![(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        Marker::Diamond => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        Marker::Triangle => vec![(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
    };
    let points = path(corners.into_iter().map(|(dx, dy)| (x + r * dx, y + r * dy)));
    svg.empty("polygon", &[("class", "marker".into()), ("points", (&points).into())]);
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let places: Vec<String> = points.map(|(x, y)| format!("{},{}", pixels(x), pixels(y))).collect();
    places.join(" ")
}

/// The sign of typeset figures.
pub(super) fn minus(figure: &str) -> String {
    figure.replace('-', "\u{2212}")
}

/// The panel in words: where each curve starts and ends.
pub(super) fn in_words(curves: &Curves, panel: &Panel) -> String {
    let figure = |y: f64| Point::new(0.0, y).number(curves.y.format).value_text();
    let place = |x: f64| Point::new(0.0, x).number(curves.x.format).value_text();
    let mut words = vec![curves.description.clone()];
    for series in &panel.series {
        if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
            words.push(format!(
                "{}: {} at {}, {} at {}.",
                series.label,
                figure(first.y),
                place(first.x),
                figure(last.y),
                place(last.x)
            ));
        }
    }
    for reference in &panel.references {
        words.push(format!("{}: {}.", reference.label, figure(reference.y)));
    }
    words.join(" ")
}

/// The chart as a picture of its own, on light paper of its own, so that it can
/// stand on a page of any colour.
pub fn svg(curves: &Curves) -> String {
    const MARGIN: f64 = 24.0;
    const GUTTER: f64 = 20.0;
    const HEAD: f64 = 44.0;
    let panels = draw(curves);
    let count = panels.len() as f64;
    let width = 2.0 * MARGIN
        + panels.iter().map(|panel| panel.width).sum::<f64>()
        + GUTTER * (count - 1.0).max(0.0);
    let height = 2.0 * MARGIN + HEAD + panels.iter().map(|p| p.height).fold(0.0, f64::max) - 12.0;

    let words: Vec<String> = curves.panels.iter().map(|panel| in_words(curves, panel)).collect();
    let mut svg = Svg::new();
    let view = format!("0 0 {} {}", pixels(width), pixels(height));
    svg.open(
        "svg",
        &[
            ("xmlns", "http://www.w3.org/2000/svg".into()),
            ("viewBox", (&view).into()),
            ("width", width.into()),
            ("height", height.into()),
            ("role", "img".into()),
            ("class", "chart".into()),
            ("aria-labelledby", "title desc".into()),
        ],
    );
    svg.text("title", &[("id", "title".into())], &curves.title);
    svg.text("desc", &[("id", "desc".into())], &words.join(" "));
    svg.text("style", &[], &light_style());
    let (across, down) = (("width", (width - 1.0).into()), ("height", (height - 1.0).into()));
    let (x, y) = (("x", 0.5.into()), ("y", 0.5.into()));
    svg.empty("rect", &[("class", "sheet".into()), x, y, across, down, ("rx", 8.0.into())]);
    svg.words("title", (MARGIN, MARGIN + 16.0), &curves.title);
    let mut out = svg.finish();
    for (place, panel) in panels.into_iter().enumerate() {
        let x = MARGIN + place as f64 * (panel.width + GUTTER);
        out.push_str(&format!(
            "<g transform=\"translate({} {})\">\n{}</g>\n",
            pixels(x),
            pixels(MARGIN + HEAD),
            panel.body
        ));
    }
    out.push_str("</svg>\n");
    out
}

/// The chart's rules with the light palette written out: not every viewer of
/// pictures knows custom properties.
fn light_style() -> String {
    PALETTE.iter().fold(STYLE.to_owned(), |style, colour| {
        style.replace(&format!("var(--{})", colour.name), colour.light)
    })
}
