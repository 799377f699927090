use super::markup::{Paragraph, line_text, paragraphs};
use super::number::n_text;
use super::page::{Block, Page};
use super::table::{Cell, Table};

/// How many points of a curve a terminal shows.
const CURVE_POINTS: usize = 4;

/// The page for a terminal of `width` characters, without colour: headline
/// figures, prose, tables. Charts become tables of their numbers, curves with a few
/// of their points.
pub fn text(page: &Page, width: usize) -> String {
    let mut out = Terminal { out: String::new(), width: width.max(40) };
    out.heading(&page.title, '=');
    out.prose(&page.question, "");
    for fact in &page.lead {
        let figure = match &fact.value {
            Cell::Number(number) => {
                let unit = number.unit().map(str::to_owned);
                let rest = [unit, number.interval_text(), number.n.map(n_text)];
                let parts = std::iter::once(number.value_text()).chain(rest.into_iter().flatten());
                parts.collect::<Vec<_>>().join(" ")
            }
            Cell::Text(text) | Cell::Absent(text) => line_text(text),
        };
        out.line(&format!("  {figure}"));
        out.wrapped(&fact.label, "      ", "      ");
        out.wrapped(&line_text(&fact.detail), "      ", "      ");
        out.line("");
    }
    for section in &page.sections {
        out.heading(&section.heading, '-');
        out.blocks(&section.blocks);
    }
    if !page.repeat.commands.is_empty() || !page.repeat.facts.is_empty() {
        out.heading("Repeat it", '-');
        for command in &page.repeat.commands {
            out.line(&format!("    {command}"));
        }
        let names = page.repeat.facts.iter().map(|(name, _)| name.chars().count()).max();
        for (name, value) in &page.repeat.facts {
            out.line(&format!("  {name:<0$}  {value}", names.unwrap_or(0)));
        }
    }
    out.finish()
}

/// A table alone, for a terminal of `width` characters, without colour.
pub fn table_text(table: &Table, width: usize) -> String {
    let mut out = Terminal { out: String::new(), width: width.max(40) };
    out.table(table);
    out.finish()
}

struct Terminal {
    out: String,
    width: usize,
}

impl Terminal {
    fn finish(self) -> String {
        let plain = |character: char| match character {
            '\u{a0}' => ' ',
            // A name from a file must not steer the terminal.
            c if c.is_control() && c != '\n' && c != '\t' => '\u{fffd}',
            c => c,
        };
        let text: String = self.out.trim_end().chars().map(plain).collect();
        text + "\n"
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, heading: &str, rule: char) {
        self.line(heading);
        let length = heading.chars().count().min(self.width);
        self.line(&rule.to_string().repeat(length));
        self.line("");
    }

    fn wrapped(&mut self, text: &str, first: &str, rest: &str) {
        for (row, line) in wrap(text, self.width - rest.len()).iter().enumerate() {
            self.line(&format!("{}{line}", if row == 0 { first } else { rest }));
        }
    }

    fn prose(&mut self, prose: &str, indent: &str) {
        for paragraph in paragraphs(prose) {
            match paragraph {
                Paragraph::Text(text) => self.wrapped(&line_text(&text), indent, indent),
                Paragraph::List(items) => {
                    for item in items {
                        let (first, rest) = (format!("{indent}- "), format!("{indent}  "));
                        self.wrapped(&line_text(&item), &first, &rest);
                    }
                }
            }
            self.line("");
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Prose(prose) => self.prose(prose, ""),
                Block::Note(note) => self.prose(note, "  | "),
                Block::Table(table) => self.table(table),
                Block::Curves(curves) => {
                    for panel in &curves.panels {
                        self.table(&curves.summary(panel, CURVE_POINTS));
                    }
                }
                Block::Intervals(intervals) => self.table(&intervals.table()),
                Block::ItemMap(map) => self.table(&map.table()),
                Block::Code(code) => {
                    for line in code.lines() {
                        self.line(&format!("    {line}"));
                    }
                    self.line("");
                }
                Block::Details(details) => {
                    self.line(&details.summary);
                    self.line("");
                    self.blocks(&details.blocks);
                }
            }
        }
    }

    fn table(&mut self, table: &Table) {
        if !table.caption.is_empty() {
            self.wrapped(&table.caption, "", "");
        }
        let headings = table.columns.iter().enumerate().map(|(column, heading)| {
            match table.shared_n(column) {
                Some(n) => format!("{}, {}", heading.label, n_text(n)),
                None => heading.label.clone(),
            }
        });
        let headings: Vec<String> = headings.collect();
        let columns: Vec<Vec<String>> =
            (0..headings.len()).map(|c| column_text(table, c)).collect();
        let widths = fit(&headings, &columns, self.width);
        let mut rows = vec![headings.as_slice()];
        let cells: Vec<Vec<String>> = (0..table.rows.len())
            .map(|row| columns.iter().map(|column| column[row].clone()).collect())
            .collect();
        rows.extend(cells.iter().map(Vec::as_slice));
        for (place, row) in rows.into_iter().enumerate() {
            let wrapped: Vec<Vec<String>> =
                row.iter().zip(&widths).map(|(cell, &width)| wrap(cell, width)).collect();
            let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let mut written = Vec::new();
                for (column, (lines, &width)) in wrapped.iter().zip(&widths).enumerate() {
                    let part = lines.get(line).map_or("", String::as_str);
                    written.push(if table.columns[column].numeric {
                        format!("{part:>width$}")
                    } else {
                        format!("{part:<width$}")
                    });
                }
                self.line(&written.join("  "));
            }
            if place == 0 {
                let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
                self.line(&rules.join("  "));
            }
        }
        for note in &table.notes {
            self.wrapped(&line_text(note), "  ", "  ");
        }
        self.line("");
    }
}

/// The cells of a column: values and intervals each flush right.
fn column_text(table: &Table, column: usize) -> Vec<String> {
    let parts: Vec<(String, String)> = table
        .rows
        .iter()
        .map(|row| match row.get(column) {
            Some(Cell::Number(number)) => {
                let rest = [number.interval_text(), table.own_n(column, number)];
                let rest: Vec<String> = rest.into_iter().flatten().collect();
                (number.value_text(), rest.join(" "))
            }
            Some(Cell::Text(text) | Cell::Absent(text)) => (line_text(text), String::new()),
            None => (String::new(), String::new()),
        })
        .collect();
    let longest = parts.iter().map(|(_, interval)| interval.chars().count()).max().unwrap_or(0);
    let pad = |(value, interval): (String, String), row: &Vec<Cell>| {
        if longest == 0 || !matches!(row[column], Cell::Number(_)) {
            return value;
        }
        let missing = longest - interval.chars().count();
        format!("{value} {}{interval}", "\u{a0}".repeat(missing))
    };
    parts.into_iter().zip(&table.rows).map(|(part, row)| pad(part, row)).collect()
}

/// Column widths within `width`: natural ones, then the widest that can still wrap give way.
fn fit(headings: &[String], columns: &[Vec<String>], width: usize) -> Vec<usize> {
    let longest = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let cells = |column: &[String]| longest(&mut column.iter().map(String::as_str));
    let words = |column: &[String], heading: &String| {
        longest(&mut column.iter().chain([heading]).flat_map(|text| text.split(' ')))
    };
    let smallest: Vec<usize> = columns.iter().zip(headings).map(|(c, h)| words(c, h)).collect();
    let mut widths: Vec<usize> =
        columns.iter().zip(headings).map(|(c, h)| cells(c).max(h.chars().count())).collect();
    let room = width.saturating_sub(2 * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let widest = (0..widths.len())
            .filter(|&column| widths[column] > smallest[column])
            .max_by_key(|&column| widths[column]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
    }
    widths
}

/// Lines of at most `width` characters, broken at spaces; a longer word stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is a line");
        let length = line.chars().count();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if length > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
