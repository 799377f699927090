//! The small markup of prose: paragraphs, lists, code, emphasis.

/// Text made safe inside HTML, SVG and their quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters have no place in XML; a tab and a line end do.
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A block of prose.
#[derive(Debug, PartialEq)]
pub(super) enum Paragraph {
    /// Running text on one line.
    Text(String),
    /// Items of a list, each on one line.
    List(Vec<String>),
}

/// The paragraphs and lists of a prose text, lines joined.
pub(super) fn paragraphs(prose: &str) -> Vec<Paragraph> {
    let mut found = Vec::new();
    let mut open = false;
    for line in prose.lines().map(str::trim) {
        if line.is_empty() {
            open = false;
            continue;
        }
        match (line.strip_prefix("- "), found.last_mut()) {
            (Some(item), Some(Paragraph::List(items))) if open => items.push(item.to_owned()),
            (Some(item), _) => found.push(Paragraph::List(vec![item.to_owned()])),
            (None, Some(Paragraph::Text(text))) if open => {
                text.push(' ');
                text.push_str(line);
            }
            (None, Some(Paragraph::List(items))) if open => {
                let last = items.last_mut().expect("a list starts with an item");
                last.push(' ');
                last.push_str(line);
            }
            (None, _) => found.push(Paragraph::Text(line.to_owned())),
        }
        open = true;
    }
    found
}

/// How a stretch of text is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Style {
    Plain,
    Code,
    Emphasis,
    Strong,
}

/// The stretches of one line. A mark opens only before a character that is not a
/// space, closes only after one, and stands for itself otherwise: `8 * -3` stays.
pub(super) fn spans(line: &str) -> Vec<(Style, &str)> {
    let marks = [("`", Style::Code), ("**", Style::Strong), ("*", Style::Emphasis)];
    let (mut found, mut plain, mut at) = (Vec::new(), 0, 0);
    while let Some(step) = line[at..].chars().next() {
        let opened = marks.iter().find_map(|&(mark, style)| {
            let inside = line[at..].strip_prefix(mark)?;
            let length = inside.match_indices(mark).map(|(length, _)| length).find(|&length| {
                let text = &inside[..length];
                !text.is_empty() && (style == Style::Code || text.trim() == text)
            })?;
            Some((style, &inside[..length], length + 2 * mark.len()))
        });
        match opened {
            Some((style, text, length)) => {
                if plain < at {
                    found.push((Style::Plain, &line[plain..at]));
                }
                found.push((style, text));
                at += length;
                plain = at;
            }
            None => at += step.len_utf8(),
        }
    }
    if plain < line.len() {
        found.push((Style::Plain, &line[plain..]));
    }
    found
}

/// One line as HTML.
pub(super) fn line_html(line: &str) -> String {
    let mark = |(style, text): (Style, &str)| {
        let text = escape(text);
        match style {
            Style::Plain => text,
            Style::Code => format!("<code>{text}</code>"),
            Style::Emphasis => format!("<em>{text}</em>"),
            Style::Strong => format!("<strong>{text}</strong>"),
        }
    };
    spans(line).into_iter().map(mark).collect()
}

/// One line for a terminal: emphasis is dropped, code keeps its marks.
pub(super) fn line_text(line: &str) -> String {
    let mark = |(style, text): (Style, &str)| match style {
        Style::Code => format!("`{text}`"),
        Style::Plain | Style::Emphasis | Style::Strong => text.to_owned(),
    };
    spans(line).into_iter().map(mark).collect()
}

/// Prose as HTML paragraphs and lists.
pub(super) fn prose_html(prose: &str) -> String {
    let set = |paragraph| match paragraph {
        Paragraph::Text(text) => format!("<p>{}</p>\n", line_html(&text)),
        Paragraph::List(items) => {
            let items: Vec<String> = items.iter().map(|item| line_html(item)).collect();
            format!("<ul>\n<li>{}</li>\n</ul>\n", items.join("</li>\n<li>"))
        }
    };
    paragraphs(prose).into_iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_paragraphs_and_lists() {
        let html = prose_html("One\nline & *two*.\n\n- `a < b`\n- **c**\n  goes on\n\nEnd");
        assert_eq!(
            html,
            "<p>One line &amp; <em>two</em>.</p>\n<ul>\n<li><code>a &lt; b</code></li>\n\
             <li><strong>c</strong> goes on</li>\n</ul>\n<p>End</p>\n"
        );
    }

    #[test]
    fn a_mark_without_its_pair_stands_for_itself() {
        for line in ["8 * -3 - -1 * -2", "a lone ` tick", "2 ** 3", "*", "trailing *"] {
            assert_eq!(line_html(line), line, "{line}");
        }
        assert_eq!(line_text("*n* is `n`"), "n is `n`");
    }

    #[test]
    fn nothing_in_prose_becomes_markup_of_the_page() {
        let html = prose_html("<script>alert('x')</script> `<b>` \u{7}");
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains('\u{7}'));
    }
}
