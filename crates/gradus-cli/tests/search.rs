//! `gradus search`, on rows whose selections are worked out by hand.

use serde_json::{Value, json};

use crate::tool::{Folder, Said};

/// Two problems of four samples. Of p1 the right answer is rare and highly scored; of p2
/// it ties with a wrong one, which is highly scored and seen later.
const ROWS: &str = r#"{"problem": "p1", "sample": 0, "answer": "2", "correct": true, "scores": [0.9, 0.9], "level": 1}
{"problem": "p1", "sample": 1, "answer": "3", "correct": false, "scores": [0.5, 0.5], "level": 1}
{"problem": "p1", "sample": 2, "answer": "3", "correct": false, "scores": [0.4, 0.4], "level": 1}
{"problem": "p1", "sample": 3, "answer": null, "correct": false, "scores": [1.0, 1.0], "level": 1}
{"problem": "p2", "sample": 0, "answer": "5", "correct": true, "scores": [0.2], "level": 2}
{"problem": "p2", "sample": 1, "answer": "5", "correct": true, "scores": [0.1], "level": 2}
{"problem": "p2", "sample": 2, "answer": "7", "correct": false, "scores": [0.9], "level": 2}
{"problem": "p2", "sample": 3, "answer": "7", "correct": false, "scores": [0.05], "level": 2}
"#;

fn rows(said: Said) -> Vec<Value> {
    said.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The accuracy of the one row that agrees with `wanted` in every field.
#[track_caller]
fn accuracy(rows: &[Value], wanted: &Value) -> f64 {
    let fields = wanted.as_object().unwrap();
    let mut found =
        rows.iter().filter(|row| fields.iter().all(|(name, value)| row[name] == *value));
    let row = found.next().unwrap_or_else(|| panic!("no row {wanted} in {rows:#?}"));
    assert!(found.next().is_none(), "{wanted} is no single row");
    row["accuracy"].as_f64().unwrap()
}

#[test]
fn the_whole_pool_is_selected_from_exactly() {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    let rows = rows(folder.gradus("search rows.jsonl --n 4 --aggregate prod,min,mean,last --json"));
    // Majority and oracle, and two methods with four aggregates; all, level 1, level 2.
    assert_eq!(rows.len(), (2 + 2 * 4) * 3);
    let at = |method: &str, aggregate: Value, level: Value| {
        accuracy(&rows, &json!({"method": method, "aggregate": aggregate, "level": level, "n": 4}))
    };
    for (method, aggregate, first, second) in [
        ("majority", Value::Null, 0.0, 1.0),
        ("oracle", Value::Null, 1.0, 1.0),
        // p1: 0.81 against 0.25 + 0.16; p2: 0.3 against 0.95.
        ("weighted", "prod".into(), 1.0, 0.0),
        ("best-of-n", "prod".into(), 1.0, 0.0),
        // p1: 0.9 against 0.5 + 0.4, a tie that the first-seen answer wins.
        ("weighted", "min".into(), 1.0, 0.0),
        ("best-of-n", "last".into(), 1.0, 0.0),
    ] {
        assert_eq!(at(method, aggregate.clone(), 1.into()), first, "{method}");
        assert_eq!(at(method, aggregate.clone(), 2.into()), second, "{method}");
        assert_eq!(at(method, aggregate, "all".into()), f64::midpoint(first, second), "{method}");
    }
}

#[test]
fn a_row_has_the_fields_that_were_promised() {
    let folder = Folder::new();
    let args = "search - --methods majority,best-of-n --aggregate min --n 1,2,4 --json";
    let rows = rows(folder.gradus_with(args, ROWS));
    for row in &rows {
        let names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected =
            ["method", "aggregate", "n", "level", "accuracy", "problems", "low", "high"];
        expected.sort_unstable();
        assert_eq!(names, expected);
        let end = |name: &str| row[name].as_f64().unwrap();
        assert!(end("low") <= end("accuracy") && end("accuracy") <= end("high"));
    }
    assert_eq!(rows.iter().filter(|row| row["problems"] == 2).count(), 2 * 3);
}

#[test]
fn small_n_are_means_over_subsets() {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    let rows = rows(folder.gradus("search rows.jsonl --resamples 4000 --json"));
    let all = |method: &str, n: u32| {
        let wanted = json!({"method": method, "n": n, "level": "all"});
        accuracy(&rows, &wanted)
    };
    // One sample: the share of right samples, 1/4 and 2/4, exactly.
    assert_eq!(all("majority", 1), 0.375);
    // Unbiased pass@2: 1 - C(3, 2) / C(4, 2) and 1 - C(2, 2) / C(4, 2).
    assert!((all("oracle", 2) - f64::midpoint(0.5, 5.0 / 6.0)).abs() < 1e-12);
    // Majority of two in random order: p1 (2 * 0.5 + 1) / 6, p2 (1 + 4 * 0.5) / 6.
    let expected = f64::midpoint(2.0 / 6.0, 3.0 / 6.0);
    assert!((all("majority", 2) - expected).abs() < 0.02, "{}", all("majority", 2));
}

#[test]
fn ties_go_to_the_first_seen_or_are_expectations() {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    let majority = |ties: &str| {
        let args = format!("search rows.jsonl --methods majority --n 4 --ties {ties} --json");
        accuracy(&rows(folder.gradus(&args)), &json!({"level": 2}))
    };
    assert_eq!(majority("first"), 1.0);
    assert_eq!(majority("random"), 0.5);
}

#[test]
fn rows_of_search_and_learn_are_graded_by_their_own_gold() {
    let folder = Folder::new();
    let row = json!({
        "problem": "What is 1+1?", "answer": "2", "level": "Level 1", "unique_id": "a",
        "completions": ["So \\boxed{3}.", "So \\boxed{2}.", "So \\boxed{3}.", "I do not know."],
        "scores": [[0.1, 0.2], [0.9, 0.8], [0.3, 0.1], [0.9]],
        "pred": "ignored",
    });
    folder.write("rows.jsonl", &row.to_string());
    let rows = rows(folder.gradus("search rows.jsonl --n 4 --aggregate last --json"));
    let at = |method: &str| accuracy(&rows, &json!({"method": method, "level": "Level 1"}));
    assert_eq!((at("majority"), at("weighted"), at("best-of-n")), (0.0, 1.0, 1.0));
}

#[test]
fn golds_come_from_the_problems_or_it_is_an_error_of_the_rows() {
    let folder = Folder::new();
    folder.write(
        "rows.jsonl",
        "{\"problem\": 1, \"text\": \"so\\n#### 4.0\"}\n{\"problem\": 1, \"text\": \"none\"}\n",
    );
    let error = folder.gradus("search rows.jsonl --json").failed(3);
    assert!(
        error.contains("rows.jsonl:1: problem \"1\" has neither `correct` nor a gold"),
        "{error}"
    );

    let problem = "{\"id\": \"1\", \"question\": \"2+2\", \"answer\": \"4\", \"level\": 3}\n";
    folder.write("problems.jsonl", problem);
    let right = |mode: &str| {
        let args = format!("search rows.jsonl --problems problems.jsonl --mode {mode} --json");
        accuracy(&rows(folder.gradus(&args)), &json!({"method": "oracle", "n": 2, "level": 3}))
    };
    assert_eq!((right("exact"), right("gsm8k")), (0.0, 1.0));
}

#[test]
fn people_see_a_table_a_level() {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    let text = folder.gradus("search rows.jsonl --methods majority,oracle --n 4").done();
    for part in ["All levels", "Level 1", "Level 2", "2 problems, 8 samples, 1 of them without"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn bad_rows_and_bad_names_are_told_apart() {
    let folder = Folder::new();
    folder.write("rows.jsonl", ROWS);
    let usage = |args: &str| folder.gradus(&format!("search rows.jsonl {args}")).failed(2);
    assert!(usage("--methods best_of_n").contains("known are"));
    assert!(usage("--mode strict").contains("--mode strict: no such name, expected math or"));
    assert!(usage("--n 8").contains("4 samples, expected at least n = 8"));
    assert!(folder.gradus("search absent.jsonl").failed(3).contains("absent.jsonl"));
    let cut = &ROWS[..ROWS.find("\"answer\": \"3\"").unwrap()];
    folder.write("middle.jsonl", &format!("{cut}\n{ROWS}"));
    let error = folder.gradus("search middle.jsonl").failed(3);
    assert!(error.contains("middle.jsonl:2: "), "{error}");
    folder.write("empty.jsonl", "");
    assert!(folder.gradus("search empty.jsonl").failed(3).contains("found no samples"));
}
