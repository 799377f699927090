use minijinja::{Environment, Value, context};

use super::chart::Curves;
use super::curves::{self, in_words, minus};
use super::intervals::intervals_html;
use super::markup::{escape, line_html, prose_html};
use super::number::{Number, n_text};
use super::page::{Block, Fact, Page, Repeat};
use super::palette::PALETTE;
use super::svg::{Svg, pixels};
use super::table::{Cell, Table};

/// Most rows of the table of numbers under a curve.
const TABLE_ROWS: usize = 24;

/// The page as one HTML file that needs nothing else: no network, no script. Light
/// and dark follow the reader's setting; charts are SVG with their numbers in a
/// folded table.
pub fn html(page: &Page) -> String {
    let mut environment = Environment::new();
    environment
        .add_template("page.html", include_str!("page.html"))
        .expect("the built-in template parses");
    let template = environment.get_template("page.html").expect("it was just added");
    let mut charts = 0;
    let sections: Vec<Value> = page
        .sections
        .iter()
        .map(|section| {
            context! {
                heading => Value::from_safe_string(escape(&section.heading)),
                body => Value::from_safe_string(blocks_html(&section.blocks, &mut charts)),
            }
        })
        .collect();
    let facts: Vec<Value> = page.lead.iter().map(fact).collect();
    let written = template.render(context! {
        title => Value::from_safe_string(escape(&page.title)),
        question => Value::from_safe_string(prose_html(&page.question)),
        style => Value::from_safe_string(style()),
        facts,
        sections,
        repeat => repeat(&page.repeat),
    });
    written.expect("the built-in template takes any page")
}

fn fact(fact: &Fact) -> Value {
    let (value, interval) = match &fact.value {
        Cell::Number(number) => {
            let n = number.n.map(n_text);
            let parts: Vec<String> = number.interval_text().into_iter().chain(n).collect();
            let mut value = escape(&minus(&number.value_text()));
            if let Some(unit) = number.unit() {
                value.push_str(&format!(" <span class=\"unit\">{unit}</span>"));
            }
            (value, minus(&parts.join(" \u{b7} ")))
        }
        Cell::Text(text) => (line_html(text), String::new()),
        Cell::Absent(text) => {
            (format!("<span class=\"absent\">{}</span>", line_html(text)), String::new())
        }
    };
    context! {
        label => Value::from_safe_string(line_html(&fact.label)),
        value => Value::from_safe_string(value),
        interval,
        detail => Value::from_safe_string(line_html(&fact.detail)),
    }
}

fn repeat(repeat: &Repeat) -> Value {
    let safe = |text: &String| Value::from_safe_string(escape(text));
    let fact = |(name, value): &(String, String)| vec![safe(name), safe(value)];
    context! {
        commands => repeat.commands.iter().map(safe).collect::<Vec<_>>(),
        facts => repeat.facts.iter().map(fact).collect::<Vec<_>>(),
        config => repeat.config.as_ref().map(safe),
    }
}

/// The rules of the page, with the palette for light and for dark.
fn style() -> String {
    let light: Vec<String> = PALETTE.iter().map(|c| format!("--{}:{};", c.name, c.light)).collect();
    let dark: Vec<String> = PALETTE.iter().map(|c| format!("--{}:{};", c.name, c.dark)).collect();
    // Paper is light whatever the screen was.
    format!(
        ":root{{color-scheme:light dark;{}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n{}{}",
        light.concat(),
        dark.concat(),
        include_str!("page.css"),
        curves::STYLE
    )
}

fn blocks_html(blocks: &[Block], charts: &mut usize) -> String {
    let mut out = String::new();
    for block in blocks {
        out.push_str(&match block {
            Block::Prose(prose) => prose_html(prose),
            Block::Note(note) => format!("<aside class=\"note\">\n{}</aside>\n", prose_html(note)),
            Block::Table(table) => format!("<figure>\n{}</figure>\n", table_html(table)),
            Block::Curves(curves) => {
                *charts += 1;
                curves_html(curves, *charts)
            }
            Block::Intervals(chart) => format!("<figure>\n{}</figure>\n", intervals_html(chart)),
            Block::ItemMap(map) => {
                *charts += 1;
                let numbers = table_html(&map.table());
                format!("{}{}</figure>\n", map.figure(*charts), folded(&numbers))
            }
            Block::Code(code) => code_html(code),
            Block::Details(details) => format!(
                "<details>\n<summary>{}</summary>\n{}</details>\n",
                line_html(&details.summary),
                blocks_html(&details.blocks, charts)
            ),
        });
    }
    out
}

fn code_html(code: &str) -> String {
    format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(code.trim_end()))
}

/// A heading with its explanation, for figures and tables alike.
pub(super) fn caption(title: &str, description: &str) -> String {
    let mut out = format!("<strong>{}</strong>", line_html(title));
    if !description.is_empty() {
        out.push_str(&format!(" <span>{}</span>", line_html(description)));
    }
    out
}

fn curves_html(curves: &Curves, chart: usize) -> String {
    let mut out = String::from("<figure>\n");
    let caption = caption(&curves.title, &curves.description);
    out.push_str(&format!("<figcaption>{caption}</figcaption>\n<div class=\"panels\">\n"));
    for (place, (panel, drawing)) in curves.panels.iter().zip(curves::draw(curves)).enumerate() {
        let (title, desc) =
            (format!("chart-{chart}-{place}-title"), format!("chart-{chart}-{place}-desc"));
        let view = format!("0 0 {} {}", pixels(drawing.width), pixels(drawing.height));
        let mut svg = Svg::new();
        svg.open(
            "svg",
            &[
                ("class", "chart".into()),
                ("viewBox", (&view).into()),
                ("role", "img".into()),
                ("aria-labelledby", (&title).into()),
                ("aria-describedby", (&desc).into()),
            ],
        );
        let name = format!("{} {}", curves.title, panel.heading);
        svg.text("title", &[("id", (&title).into())], name.trim());
        svg.text("desc", &[("id", (&desc).into())], &in_words(curves, panel));
        out.push_str(&svg.finish());
        out.push_str(&drawing.body);
        out.push_str("</svg>\n");
    }
    let panels = curves.panels.iter();
    let numbers: String =
        panels.map(|panel| table_html(&curves.table(panel, TABLE_ROWS))).collect();
    out.push_str(&format!("</div>\n{}</figure>\n", folded(&numbers)));
    out
}

/// The numbers of a chart, behind one line.
fn folded(numbers: &str) -> String {
    format!("<details class=\"numbers\">\n<summary>The numbers</summary>\n{numbers}</details>\n")
}

/// The width that intervals share, so that the values before them line up.
pub(super) fn range_width<'a>(numbers: impl Iterator<Item = &'a Number>) -> String {
    let width = |number: &Number| {
        let interval = number.interval_text().unwrap_or_default();
        // In a proportional face punctuation takes about half the room of a digit.
        interval.chars().map(|c| if c.is_ascii_digit() { 1.0 } else { 0.55 }).sum::<f64>()
    };
    format!("--range:{}ch", pixels(numbers.map(width).fold(0.0, f64::max)))
}

fn table_html(table: &Table) -> String {
    let label = escape(&table.caption);
    let width = range_width((0..table.columns.len()).flat_map(|column| table.numbers(column)));
    let mut out = String::new();
    // Above the part that scrolls: a caption inside is as wide as the table, not as the screen.
    if !table.caption.is_empty() {
        out.push_str(&format!("<p class=\"caption\">{}</p>\n", caption(&table.caption, "")));
    }
    out.push_str(&format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\">\n<table style=\"{width}\">\n"
    ));
    out.push_str("<thead><tr>");
    for (column, heading) in table.columns.iter().enumerate() {
        let class = if heading.numeric { " class=\"num\"" } else { "" };
        let n = table
            .shared_n(column)
            .map_or(String::new(), |n| format!(" <span class=\"n\">{}</span>", n_text(n)));
        out.push_str(&format!("<th scope=\"col\"{class}>{}{n}</th>", line_html(&heading.label)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let numeric = table.columns.get(column).is_some_and(|column| column.numeric);
            let class = if numeric { " class=\"num\"" } else { "" };
            let inside = match cell {
                Cell::Text(text) => line_html(text),
                Cell::Absent(reason) => {
                    format!("<span class=\"absent\">{}</span>", line_html(reason))
                }
                Cell::Number(number) => {
                    number_html(number, table.has_intervals(column), table.own_n(column, number))
                }
            };
            out.push_str(&match (column, numeric) {
                (0, false) => format!("<th scope=\"row\">{inside}</th>"),
                _ => format!("<td{class}>{inside}</td>"),
            });
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    for note in &table.notes {
        out.push_str(&format!("<p class=\"table-note\">{}</p>\n", line_html(note)));
    }
    out
}

/// A figure in a cell: value, interval and n may each go on a line of its own. Where
/// the column has intervals, a figure without one keeps the room for it.
pub(super) fn number_html(number: &Number, ranged: bool, n: Option<String>) -> String {
    let mut out = format!("<span class=\"value\">{}</span>", minus(&number.value_text()));
    if ranged {
        let interval = number.interval_text().unwrap_or_default();
        out.push_str(&format!(" <span class=\"range\">{}</span>", minus(&interval)));
    }
    if let Some(n) = n {
        out.push_str(&format!(" <span class=\"n\">{n}</span>"));
    }
    out
}
