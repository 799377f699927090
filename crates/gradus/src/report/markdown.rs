use super::markup::line_text;
use super::number::n_text;
use super::table::{Cell, Table};

/// Why generated text could not be put into a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// A marker is not there.
    #[error("no `{0}` in the document")]
    Missing(String),
    /// A marker is there more than once.
    #[error("`{0}` stands more than once in the document")]
    Repeated(String),
    /// The closing marker stands before the opening one.
    #[error("`{0}` stands before its opening marker")]
    Reversed(String),
}

/// The document with what stands between `<!-- gradus:NAME -->` and
/// `<!-- /gradus:NAME -->` replaced by `content`, on lines of its own.
pub fn splice(document: &str, name: &str, content: &str) -> Result<String, SpliceError> {
    let (open, close) = (format!("<!-- gradus:{name} -->"), format!("<!-- /gradus:{name} -->"));
    let find = |marker: &String| {
        let mut places = document.match_indices(marker.as_str());
        let (place, _) = places.next().ok_or_else(|| SpliceError::Missing(marker.clone()))?;
        match places.next() {
            Some(_) => Err(SpliceError::Repeated(marker.clone())),
            None => Ok(place),
        }
    };
    let (start, end) = (find(&open)? + open.len(), find(&close)?);
    if end < start {
        return Err(SpliceError::Reversed(close));
    }
    let content = content.trim();
    Ok(format!("{}\n\n{content}\n\n{}", &document[..start], &document[end..]))
}

/// The table in Markdown; its caption comes first, its notes last.
pub fn markdown(table: &Table) -> String {
    let cell = |text: &str| line_text(text).replace('\u{a0}', " ").replace('|', "\\|");
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let headings =
        table.columns.iter().enumerate().map(|(column, heading)| match table.shared_n(column) {
            Some(n) => cell(&format!("{}, {}", heading.label, n_text(n))),
            None => cell(&heading.label),
        });
    let mut out = String::new();
    if !table.caption.is_empty() {
        out.push_str(&format!("{}\n\n", table.caption));
    }
    out.push_str(&line(headings.collect()));
    let rules = table.columns.iter().map(|column| if column.numeric { "--:" } else { "---" });
    out.push_str(&format!("| {} |\n", rules.collect::<Vec<_>>().join(" | ")));
    for row in &table.rows {
        let cells = row.iter().enumerate().map(|(column, value)| match value {
            Cell::Text(text) => text.replace('|', "\\|"),
            Cell::Absent(reason) => cell(reason),
            Cell::Number(number) => match table.own_n(column, number) {
                Some(n) => cell(&format!("{}, {n}", number.full_text())),
                None => cell(&number.full_text()),
            },
        });
        out.push_str(&line(cells.collect()));
    }
    for note in &table.notes {
        out.push_str(&format!("\n{note}\n"));
    }
    out
}
