use super::{Block, Column, Curves, Page, Table, markdown, svg};

/// What a README shows of a page: the headline figures and the first interval chart, as tables.
pub fn readme(page: &Page) -> String {
    let lead = Table {
        columns: vec![Column::text(&page.title), Column::number("value"), Column::text("how")],
        rows: page
            .lead
            .iter()
            .map(|fact| {
                vec![fact.label.clone().into(), fact.value.clone(), fact.detail.clone().into()]
            })
            .collect(),
        ..Table::default()
    };
    let mut text = markdown(&lead);
    let chart = blocks(page).find_map(|block| match block {
        Block::Intervals(chart) => Some(chart),
        _ => None,
    });
    if let Some(chart) = chart {
        text.push('\n');
        text.push_str(&markdown(&chart.table()));
    }
    text
}

/// The picture of a page: its first curves, as a file of their own.
pub fn picture(page: &Page) -> Option<String> {
    let curves: Option<&Curves> = blocks(page).find_map(|block| match block {
        Block::Curves(curves) => Some(curves),
        _ => None,
    });
    curves.map(svg)
}

fn blocks(page: &Page) -> impl Iterator<Item = &Block> {
    page.sections.iter().flat_map(|section| &section.blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::demo;

    #[test]
    fn a_readme_shows_the_headline_the_controls_and_the_picture() {
        let page = demo::page();
        let text = readme(&page);
        for fact in &page.lead {
            assert!(text.contains(&fact.label), "{text}");
        }
        assert!(picture(&page).is_some_and(|svg| svg.starts_with("<svg")));
        assert_eq!(picture(&Page::default()), None);
    }
}
