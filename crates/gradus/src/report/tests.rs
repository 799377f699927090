//! What holds for every form of a page.

use super::*;
use super::{demo, table::Table};

#[test]
#[ignore = "writes the demo page into the temporary folder, to be looked at"]
fn demo_page_to_look_at() {
    let dir = std::env::temp_dir().join("gradus-demo");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("page.html"), html(&demo::page())).unwrap();
    std::fs::write(dir.join("curves.svg"), svg(&demo::curves())).unwrap();
    std::fs::write(dir.join("page.txt"), text(&demo::page(), 80)).unwrap();
}

fn small() -> Table {
    Table {
        caption: "Accuracy".to_owned(),
        columns: vec![Column::text("method"), Column::number("hard"), Column::number("all")],
        rows: vec![
            vec![
                "majority".into(),
                Number::percent(0.307).within(0.255, 0.359).of(300).into(),
                Number::percent(0.5).of(1300).into(),
            ],
            vec![
                "a | b, *best*".into(),
                Number::percent(0.443).within(0.387, 0.499).of(300).into(),
                Number::percent(0.6).of(1290).into(),
            ],
            vec!["oracle".into(), Cell::absent("not run"), Cell::absent("undefined")],
        ],
        notes: vec!["95% intervals.".to_owned()],
    }
}

#[test]
fn a_table_reads_the_same_in_markdown_and_on_a_terminal() {
    assert_eq!(
        markdown(&small()),
        "Accuracy\n\n\
         | method | hard, n = 300 | all |\n\
         | --- | --: | --: |\n\
         | majority | 30.7% [25.5, 35.9] | 50.0%, n = 1,300 |\n\
         | a \\| b, *best* | 44.3% [38.7, 49.9] | 60.0%, n = 1,290 |\n\
         | oracle | not run | undefined |\n\n\
         95% intervals.\n"
    );
    let section = Section { heading: "Found".to_owned(), blocks: vec![Block::Table(small())] };
    let page = Page { title: "T".to_owned(), sections: vec![section], ..Page::default() };
    assert_eq!(
        text(&page, 80),
        "T\n=\n\nFound\n-----\n\nAccuracy\n\
         method            hard, n = 300              all\n\
         -----------  ------------------  ---------------\n\
         majority     30.7% [25.5, 35.9]  50.0% n = 1,300\n\
         a | b, best  44.3% [38.7, 49.9]  60.0% n = 1,290\n\
         oracle                  not run        undefined\n  95% intervals.\n"
    );
}

#[test]
fn a_splice_replaces_what_stands_between_its_markers() {
    let document = "# A\n<!-- gradus:main -->\nold\n<!-- /gradus:main -->\nend\n";
    let spliced = splice(document, "main", "| new |\n").unwrap();
    assert_eq!(spliced, "# A\n<!-- gradus:main -->\n\n| new |\n\n<!-- /gradus:main -->\nend\n");
    assert_eq!(splice(&spliced, "main", "| new |").unwrap(), spliced);
}

#[test]
fn a_splice_names_the_marker_that_is_wrong() {
    let error = |document: &str| splice(document, "x", "").unwrap_err().to_string();
    assert_eq!(error("nothing"), "no `<!-- gradus:x -->` in the document");
    assert_eq!(error("<!-- gradus:x -->"), "no `<!-- /gradus:x -->` in the document");
    assert_eq!(
        error("<!-- /gradus:x --><!-- gradus:x -->"),
        "`<!-- /gradus:x -->` stands before its opening marker"
    );
    assert_eq!(
        error("<!-- gradus:x --><!-- gradus:x --><!-- /gradus:x -->"),
        "`<!-- gradus:x -->` stands more than once in the document"
    );
}

/// Panics unless every element of `markup` is closed in order. Of HTML's void
/// elements only `meta` is used.
fn assert_well_formed(markup: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') || name == "meta" || name == "!doctype" => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// A page that tries to break out of everything that holds its words.
fn hostile() -> Page {
    const EVIL: &str = "</style></svg><script>alert(\"'1'\")</script>&nope; ]]> \u{0} \u{1b}[31m";
    let mut page = demo::page();
    let evil = || EVIL.to_owned();
    (page.title, page.question) = (evil(), evil());
    for fact in &mut page.lead {
        (fact.label, fact.detail) = (evil(), evil());
    }
    let mut chart = demo::curves();
    (chart.title, chart.description, chart.x.label) = (evil(), evil(), evil());
    chart.panels[0].heading = evil();
    chart.panels[0].series[0].label = evil();
    let table = Table {
        caption: evil(),
        columns: vec![Column::text(EVIL)],
        rows: vec![vec![EVIL.into()], vec![Cell::absent(EVIL)]],
        notes: vec![evil()],
    };
    let details =
        Details { summary: evil(), blocks: vec![Block::Note(evil()), Block::Code(evil())] };
    page.sections[0].heading = evil();
    page.sections[0].blocks =
        vec![Block::Curves(chart), Block::Table(table), Block::Details(details)];
    page.repeat.commands = vec![evil()];
    page.repeat.facts = vec![(evil(), evil())];
    page.repeat.config = Some(evil());
    page
}

#[test]
fn the_page_and_its_pictures_are_well_formed() {
    for page in [demo::page(), hostile(), Page::default()] {
        assert_well_formed(&html(&page));
    }
    assert_well_formed(&svg(&demo::curves()));
}

#[test]
fn words_of_a_page_never_become_its_markup() {
    let page = hostile();
    let written = html(&page);
    assert!(!written.contains("<script") && !written.contains("&nope;"));
    assert_eq!(written.matches("</style>").count(), 1);
    assert!(!written.contains('\u{0}') && !written.contains('\u{1b}'));
    let terminal = text(&page, 80);
    assert!(!terminal.contains('\u{0}') && !terminal.contains('\u{1b}'), "{terminal}");
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = html(&demo::page());
    for outside in ["http", "//", "url(", "@import", "<script", "<link", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn no_id_is_given_twice_and_every_reference_has_its_id() {
    let page = html(&demo::page());
    let quoted = |attribute: &str| -> Vec<String> {
        let start = format!(" {attribute}=\"");
        let parts = page.split(&start).skip(1);
        parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let mut ids = quoted("id");
    let references = [quoted("aria-labelledby"), quoted("aria-describedby")].concat();
    assert!(!references.is_empty() && references.iter().all(|id| ids.contains(id)));
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_figure_of_a_chart_stands_in_a_table_of_the_page() {
    let (page, terminal) = (html(&demo::page()), text(&demo::page(), 120));
    let curves = demo::curves();
    for point in curves.panels.iter().flat_map(|p| &p.series).flat_map(|s| &s.points) {
        let number = point.number(curves.y.format);
        let cell = number_html_of(&number);
        assert!(page.contains(&cell), "{cell}");
        let shown = [1.0, 4.0, 16.0, 64.0].contains(&point.x);
        let figure = number.full_text().replace('\u{a0}', " ");
        assert!(!shown || terminal.contains(&figure), "{figure}");
    }
}

fn number_html_of(number: &Number) -> String {
    super::html::number_html(number, true, None)
}

#[test]
fn figures_that_are_not_numbers_leave_no_trace_in_a_drawing() {
    let mut chart = demo::curves();
    for point in &mut chart.panels[1].series[1].points {
        (point.y, point.interval) = (f64::NAN, Some((f64::NAN, f64::INFINITY)));
    }
    chart.panels[0].series[0].points.clear();
    chart.panels.push(Panel { heading: "none".to_owned(), series: vec![], references: vec![] });
    let picture = svg(&chart);
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    assert_well_formed(&picture);
}

#[test]
fn a_page_survives_a_round_trip_through_json() {
    let page = demo::page();
    let json = serde_json::to_string(&page).unwrap();
    assert_eq!(serde_json::from_str::<Page>(&json).unwrap(), page);
}

#[test]
fn a_terminal_page_keeps_to_its_width() {
    for width in [72, 80, 100] {
        for line in text(&demo::page(), width).lines() {
            let unbreakable = line.contains("sha256") || line.starts_with("    ");
            assert!(unbreakable || line.chars().count() <= width, "{width}: {line}");
        }
    }
}
