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
