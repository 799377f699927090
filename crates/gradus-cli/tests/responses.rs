//! What goes into and out of `gradus difficulty`: Parquet, verdicts of own runs, logs of few
//! respondents, files that are not what they should be.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tool::Folder;

fn data(name: &str) -> Option<PathBuf> {
    std::env::var_os("GRADUS_TEST_DATA").map(|data| Path::new(&data).join(name))
}

/// Twelve respondents on four items.
const WIDE: &str = "respondent,a,b,c,d\nm1,1,0,1,0\nm2,1,1,1,0\nm3,0,0,1,0\nm4,1,1,1,1\nm5,0,0,0,0\n\
    m6,1,0,0,0\nm7,1,1,0,1\nm8,0,1,1,0\nm9,1,0,1,1\nm10,0,0,0,1\nm11,1,1,1,0\nm12,1,0,0,1\n";

#[test]
fn labels_go_out_and_come_in_as_parquet() {
    let folder = Folder::new();
    folder.write("r.csv", WIDE);
    folder.gradus("difficulty fit r.csv --model rasch --out fit").done();
    for out in ["l.jsonl", "l.parquet"] {
        folder.gradus(&format!("difficulty label fit/items.csv --method rasch --out {out}")).done();
    }
    assert!(std::fs::read(folder.path("l.parquet")).unwrap().starts_with(b"PAR1"));
    let compare =
        |labels: &str| folder.gradus(&format!("difficulty compare {labels} l.jsonl --json")).done();
    assert_eq!(compare("l.parquet").replace("l.parquet", "l.jsonl"), compare("l.jsonl"));
}

/// Rows as `gradus verify samples --json` writes them.
fn graded(model: &str, verdicts: &[(&str, &str)]) -> String {
    verdicts.iter().enumerate().fold(String::new(), |mut text, (sample, (problem, verdict))| {
        let _ = writeln!(
            text,
            "{{\"problem\": \"{problem}\", \"sample\": {sample}, \"model\": \"{model}\", \
             \"arm\": \"arm of {model}\", \"verdict\": \"{verdict}\"}}"
        );
        text
    })
}

#[test]
fn verdicts_are_responses_and_what_is_no_verdict_is_counted() {
    let folder = Folder::new();
    let rows = graded("a", &[("p", "correct"), ("q", "incorrect"), ("r", "no_answer")])
        + &graded("b", &[("p", "incorrect"), ("q", "correct"), ("r", "bad_gold")])
        + &graded("c", &[("p", "correct"), ("q", "correct"), ("r", "correct")])
        + &graded("d", &[("p", "incorrect"), ("q", "undecided"), ("r", "incorrect")]);
    folder.write("graded.jsonl", &rows);
    let fit = |more: &str| -> Value {
        let said =
            folder.gradus(&format!("difficulty fit graded.jsonl --model rasch --json {more}"));
        serde_json::from_str(&said.done()).unwrap()
    };
    let summary = fit("");
    assert_eq!((&summary["respondents"], &summary["responses"]), (&4.0.into(), &10.into()));
    let counts = serde_json::json!({"no_answer": 1, "no_answer_missing": 0, "bad_gold": 1,
        "undecided": 1, "unscored": 0});
    assert_eq!(summary["counts"], counts);
    let summary = fit("--no-answer missing");
    assert_eq!(
        (&summary["responses"], &summary["counts"]["no_answer_missing"]),
        (&9.into(), &1.into())
    );
    fit("--respondent arm --from gradus --out fit");
    assert!(folder.read("fit/respondents.csv").contains("\narm of a,"));
}

#[test]
fn logs_of_one_respondent_become_a_report_without_a_model() {
    let Some(logs) = data("lm-eval-logs") else {
        eprintln!("SKIPPED: GRADUS_TEST_DATA is not set");
        return;
    };
    let folder = Folder::new();
    let fit = format!("difficulty fit {} --model 2pl --out one --json", logs.display());
    let said = folder.gradus(&fit);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let summary: Value = serde_json::from_str(&said.stdout).unwrap();
    // Counted with Python's json: 70 of 242 are right.
    assert_eq!(summary["items_by_mean"], serde_json::json!([[1.0, 70], [0.0, 172]]));
    assert_eq!(summary["converged"], false);
    assert!(folder.read("one/report.html").contains("What 1 respondent does not allow"));
    assert!(folder.read("one/items.csv").starts_with("item,status,n,mean\n"));
    let run = format!("run difficulty --set responses={} --out run --no-progress", logs.display());
    let said = folder.gradus(&run).done();
    assert!(said.contains("28.9% [23.6, 34.9]") && !said.contains("Problems by class"), "{said}");
    assert_eq!(folder.read("run/labels.jsonl"), "");
    let again = folder.gradus("report run").done();
    assert!(again.contains("the 2pl model needs at least 3 respondents, found 1"), "{again}");
}

#[test]
fn slopes_of_a_handful_of_respondents_are_refused_at_once() {
    let folder = Folder::new();
    let few: Vec<&str> = WIDE.lines().take(6).collect();
    folder.write("few.csv", &few.join("\n"));
    let said = folder.gradus("difficulty fit few.csv --model 2pl --out few");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("needs at least 10 respondents, found 5"), "{}", said.stderr);
    for part in ["50.0% [15.0, 85.0]", "Items by who had them right", "Fit with `--model rasch`"] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let summary: Value = serde_json::from_str(&folder.read("few/fit.json")).unwrap();
    assert_eq!((&summary["converged"], &summary["model"]), (&false.into(), &"2pl".into()));
    let said = folder.gradus("difficulty fit few.csv --model rasch").done();
    assert!(said.contains("What 5 respondents do not allow"), "{said}");
    assert!(said.contains("0.500 ["), "mean scores have intervals: {said}");
}

#[test]
fn each_fault_of_a_file_is_a_sentence_with_file_line_found_and_expected() {
    let folder = Folder::new();
    let check = |name: &str, bytes: &[u8], args: &str, expected: &str| {
        std::fs::write(folder.path(name), bytes).unwrap();
        let said = folder.gradus(&format!("difficulty fit {name} --model rasch {args}")).failed(3);
        assert!(said.contains(expected), "{name}: {said}");
    };
    check("e.csv", b"", "", "e.csv: found no score, expected at least one answered item");
    check("e.jsonl", b"", "", "e.jsonl: found no score, expected at least one answered item");
    check("e.json", b"", "", "e.json:1: found EOF while parsing a value");
    check("e.eval", b"", "", "e.eval:1: found EOF while parsing a value");
    check("e.parquet", b"PAR1", "", "e.parquet:1: found ");
    check("e.parquet", b"", "", "e.parquet: found no score");
    check("h.csv", b"respondent,item,score\n", "", "h.csv: found no score");
    let twice = b"respondent,item,score,score\na,b,1,0\n";
    check("t.csv", twice, "", "t.csv:1: score: found two columns of that name, expected one");
    let words = b"\xef\xbb\xbfrespondent,item,score\r\na,b,yes\r\n";
    check("w.csv", words, "", "w.csv:2: score: found \"yes\", expected a number");
    let words = b"{\"respondent\": \"a\", \"item\": \"b\", \"score\": \"1\"}\r\n";
    check("w.jsonl", words, "", "w.jsonl:1: score: found \"1\", expected a number, true or false");
    check("u.csv", b"respondent,item,score\na,b,\xff\n", "", "u.csv:2: ");
    check("u.json", b"\xff", "", "u.json:1: found expected value");
    let nameless = b"respondent,item,score\na,,1\n";
    check("o.csv", nameless, "", "o.csv:2: item: found nothing, expected a name");
    let huge = b"{\"respondent\": 123456789012345678901234567890, \"item\": 1, \"score\": 1}\n";
    check("i.jsonl", huge, "", "i.jsonl:1: respondent: found 1");
    let no_form = b"{\"id\": 1}\n";
    check("n.jsonl", no_form, "", "n.jsonl:1: respondent: found nothing, expected a string");
    let mut packed = flate2_cut(WIDE);
    packed.truncate(packed.len() / 2);
    check("c.csv.gz", &packed, "", "c.csv.gz: the compressed data stops in the middle");
    check(
        "v.jsonl",
        b"{\"problem\": \"p\", \"verdict\": \"right\"}\n",
        "",
        "v.jsonl:1: verdict: found \"right\", expected one of correct",
    );
}

/// WIDE, repeated and packed, so that half of it is in the middle of a block.
fn flate2_cut(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}
