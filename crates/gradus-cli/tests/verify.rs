//! `verify pairs` and `verify samples`.

use std::fmt::Write;
use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::tool::Folder;

const PAIRS: &str = r#"{"id": 7, "gold": "18", "pred": "So it is\n#### 18", "expected": 1, "note": null}
{"gold": 18, "pred": "17", "expected": true, "verdict": "correct"}
{"gold": "18", "pred": null, "expected": "no_answer"}
{"gold": "eighteen", "pred": "18", "expected": 0}
"#;

fn rows(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_row_comes_out_for_each_that_goes_in_with_its_own_columns_first() {
    let folder = Folder::new();
    folder.write("pairs.jsonl", PAIRS);
    let said = folder.gradus("verify pairs pairs.jsonl --mode gsm8k --json").done();
    let first = said.lines().next().unwrap();
    assert_eq!(
        first,
        r#"{"id":7,"gold":"18","pred":"So it is\n#### 18","expected":1,"note":null,"#.to_owned()
            + r#""extracted":"18","verdict":"correct","reason":"same-number"}"#
    );
    let rows = rows(&said);
    let verdicts: Vec<&Value> = rows.iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["correct", "incorrect", "no_answer", "bad_gold"]);
    assert_eq!((&rows[1]["verdict_before"], &rows[1]["gold"]), (&json!("correct"), &json!(18)));
    assert_eq!(rows[2]["extracted"], Value::Null);
    let piped = folder.gradus_with("verify pairs - --mode gsm8k --json --threads 1", PAIRS);
    assert_eq!(piped.done(), said);
}

#[test]
fn people_see_counts_and_the_rows_that_differ_from_what_they_expect() {
    let folder = Folder::new();
    let said = folder.gradus_with("verify pairs - --mode gsm8k", PAIRS).done();
    for part in [
        "undecided     0",
        "Rows that differ from what they expect: 1 of 4.",
        "line 2: incorrect (other-number), expected correct\n  gold    18\n  answer  17\n",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let quiet = folder.gradus_with("verify pairs - --mode gsm8k -q", PAIRS).done();
    assert_eq!(quiet, "correct\t1\nincorrect\t1\nno_answer\t1\nbad_gold\t1\nundecided\t0\n");
}

#[test]
fn only_a_stated_expectation_makes_wrong_answers_an_exit_code() {
    let folder = Folder::new();
    let code =
        |args: &str| folder.gradus_with(&format!("verify pairs - --mode gsm8k {args}"), PAIRS).code;
    assert_eq!(code("--fail-under 0.25"), Some(0));
    assert_eq!(code("--fail-under 0.26"), Some(1));
    assert_eq!(code("--fail-under 0.26 --json"), Some(1));
    let error = folder.gradus_with("verify pairs - --fail-under 26", PAIRS).failed(2);
    assert!(error.contains("expected a number from 0 to 1"), "{error}");
}

#[test]
fn ways_to_read_are_tried_in_the_order_given() {
    let folder = Folder::new();
    let pair = json!({"gold": "The sum.\n#### 8", "pred": "A: 7, so 8\n\\boxed{9}"});
    let read = |args: &str| {
        let args = format!("verify pairs - --mode gsm8k --json {args}");
        rows(&folder.gradus_with(&args, &pair.to_string()).done()).remove(0)
    };
    assert_eq!(read("")["extracted"], "7, so 8");
    assert_eq!(read("--extract number,boxed")["extracted"], "9");
    assert_eq!(read("--extract json-field,boxed")["extracted"], "9");
    assert_eq!(read("--extract json-field")["verdict"], "no_answer");
    assert_eq!(read("--extract number --extract-gold boxed")["verdict"], "bad_gold");
}

#[test]
fn the_mode_math_is_the_default_and_takes_options() {
    let folder = Folder::new();
    let verdict = |gold: &str, pred: &str, args: &str| {
        let pair = json!({"gold": gold, "pred": pred}).to_string();
        let said = folder.gradus_with(&format!("verify pairs - --json {args}"), &pair).done();
        rows(&said).remove(0)["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict("$\\frac{1}{2}$", "So the answer is $0.5$.", ""), "correct");
    assert_eq!(verdict("1 - 1/e", "1 + 1/e", ""), "incorrect");
    assert_eq!(verdict("8/3", "2.6667", "--relative-digits 6"), "incorrect");
    assert_eq!(verdict("8/3", "2.6667", "--relative-digits 4"), "correct");
    assert_eq!(verdict("8/3", "2.6667", "--round-to 2"), "correct");
    assert_eq!(verdict("f(x)", "f(y)", ""), "incorrect");
    assert_eq!(verdict("f(x)", "f(y)", "--strict-names false"), "correct");
    assert_eq!(verdict("x \\in [-2, 7]", "-2 \\le x \\le 7", ""), "correct");
    assert_eq!(
        verdict("x \\in [-2, 7]", "-2 \\le x \\le 7", "--relations-as-sets false"),
        "incorrect"
    );
    assert_eq!(verdict("(x + 1)^9", "(1 + x)^9", "--budget 1"), "undecided");
    let error = folder.gradus_with("verify pairs - --mode exact --round-to 2", PAIRS).failed(2);
    assert!(error.contains("--round-to is an option of --mode math, not of exact"), "{error}");
}

#[test]
fn bad_rows_and_bad_names_are_told_apart() {
    let folder = Folder::new();
    let failed = |row: &str| folder.gradus_with("verify pairs -", &format!("{row}\n")).failed(3);
    for (row, said) in [
        (
            r#"{"pred": "1"}"#,
            "standard input:1: gold: found nothing, expected a string or a number",
        ),
        (
            r#"{"gold": "1"}"#,
            "standard input:1: pred: found nothing, expected a string, a number or null",
        ),
        (r#"{"gold": ["1"], "pred": "1"}"#, "gold: found a list of 1, expected a string"),
        (r#"{"gold": "1", "pred": {}}"#, "pred: found an object, expected a string"),
        (r#"{"gold": "1", "pred": "1", "expected": 2}"#, "expected: found 2, expected 0, 1, true"),
        (r#"{"gold": "1", "pred": "1", "expected": "right"}"#, "expected: found \"right\""),
        ("[]", "expected one pair of gold and pred as a JSON object"),
        ("{\"gold\": \"1\", \"pred\": \"\u{0}\"}", ":1: found"),
        ("", "standard input: found no row, expected at least one"),
    ] {
        let error = failed(row);
        assert!(error.contains(said), "{row:?}: {error}");
    }
    // What could be read before the bad row is answered.
    let rows = format!("{}\n{{\"gold\": 1}}\n", PAIRS.trim_end());
    let said = folder.gradus_with("verify pairs - --mode gsm8k --json", &rows);
    assert_eq!((said.code, said.stdout.lines().count()), (Some(3), 4));
    assert!(said.stderr.contains(":5: pred: found nothing"), "{}", said.stderr);

    let usage = |args: &str| folder.gradus_with(&format!("verify pairs - {args}"), PAIRS).failed(2);
    assert!(usage("--mode strict").contains("--mode strict: no such name, expected"));
    assert!(usage("--extract box").contains("--extract box: no such name, expected answer-block"));
    assert!(folder.gradus("verify pairs absent.jsonl").failed(3).contains("absent.jsonl"));
}

#[test]
fn a_long_pipe_keeps_its_order_whatever_the_threads() {
    let folder = Folder::new();
    let mut pairs = String::new();
    for i in 0..20_000 {
        writeln!(pairs, "{{\"gold\": {}, \"pred\": \"{i}\"}}", i - i % 3).unwrap();
    }
    let graded = |args: &str| {
        // Written from a thread of its own: the answer comes while rows still go in.
        let args = format!("verify pairs - --mode gsm8k --json {args}");
        let args: Vec<&str> = args.split_whitespace().collect();
        let mut command = folder.command(&args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, pairs) = (child.stdin.take().unwrap(), pairs.clone());
        let writer = std::thread::spawn(move || {
            std::io::Write::write_all(&mut stdin, pairs.as_bytes()).unwrap();
        });
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        writer.join().unwrap();
        assert!(child.wait().unwrap().success());
        said
    };
    let said = graded("--threads 2");
    assert_eq!(said, graded("--threads 1"));
    for (i, row) in rows(&said).iter().enumerate() {
        let verdict = if i % 3 == 0 { "correct" } else { "incorrect" };
        assert_eq!((&row["pred"], &row["verdict"]), (&json!(i.to_string()), &json!(verdict)));
    }
}

const PROBLEMS: &str = r#"{"id": "a", "question": "9 + 9", "answer": "18"}
{"id": "b", "question": "?"}
"#;

#[test]
fn completions_are_graded_by_the_id_of_their_problem_and_keep_their_old_verdicts() {
    let folder = Folder::new();
    folder.write("problems.jsonl", PROBLEMS);
    folder.write(
        "old.jsonl",
        r#"{"problem": "a", "sample": 0, "text": "A: 18", "verdict": "incorrect", "correct": false}
{"problem": "a", "sample": 1, "answer": "17", "metadata": {"verdict": "incorrect", "model": "m"}}
{"problem": "b", "sample": 0, "text": "A: 1"}
{"problem": "a", "sample": 2, "answer": null}
"#,
    );
    let args = "verify samples old.jsonl --problems problems.jsonl --mode gsm8k";
    let said = folder.gradus(&format!("{args} --json")).done();
    assert_eq!(
        said.lines().next().unwrap(),
        r#"{"problem":"a","sample":0,"text":"A: 18","verdict_before":"incorrect","#.to_owned()
            + r#""correct_before":false,"answer":"18","correct":true,"verdict":"correct","#
            + r#""reason":"same-number"}"#
    );
    let graded = rows(&said);
    assert_eq!(graded[1]["metadata"], json!({"verdict_before": "incorrect", "model": "m"}));
    assert_eq!((&graded[1]["answer"], &graded[1]["answer_before"]), (&json!("17"), &json!("17")));
    assert_eq!(graded[2]["verdict"], "bad_gold");
    assert_eq!(
        (&graded[2]["reason"], &graded[2]["correct"]),
        (&json!("gold-missing"), &Value::Null)
    );
    assert_eq!(graded[3]["verdict"], "no_answer");

    let people = folder.gradus(args).done();
    assert!(people.contains("Rows whose verdict changed: 1 of 2.\nline 1: correct"), "{people}");

    // The answer that a row states is what is graded, unless its text is to be read again.
    let both = r#"{"problem": "a", "text": "A: 18", "answer": "17", "correct": true}"#;
    let graded = |extract: &str| {
        let args =
            format!("verify samples - --problems problems.jsonl --json --mode gsm8k {extract}");
        rows(&folder.gradus_with(&args, both).done()).remove(0)
    };
    assert_eq!((&graded("")["answer"], &graded("")["correct"]), (&json!("17"), &json!(false)));
    assert_eq!(graded("--extract a-line")["answer"], "18");

    // Graded again, all verdicts are kept.
    folder.write("graded.jsonl", &said);
    let again = folder.gradus(&args.replace("old", "graded")).done();
    assert!(again.contains("Rows whose verdict changed: 0 of 4."), "{again}");
    let again = rows(&folder.gradus(&format!("{} --json", args.replace("old", "graded"))).done());
    assert_eq!(again[0]["verdict_before"], "incorrect");
    assert_eq!(again[0]["verdict_before_2"], "correct");

    let curves = folder.gradus("search graded.jsonl --methods oracle --json");
    assert!(curves.failed(3).contains("problem \"b\""));
}

#[test]
fn a_completion_of_no_known_problem_is_an_error_of_its_row() {
    let folder = Folder::new();
    folder.write("problems.jsonl", PROBLEMS);
    let failed = |row: &str| {
        let said = folder.gradus_with("verify samples - --problems problems.jsonl --json", row);
        said.failed(3)
    };
    let error = failed(r#"{"problem": "c", "text": "18"}"#);
    assert!(
        error.contains(
            "standard input:1: problem: found \"c\", expected the id of a problem in problems.jsonl"
        ),
        "{error}"
    );
    let error = failed(r#"{"problem": "a"}"#);
    assert!(error.contains("text: found neither `text` nor `answer`"), "{error}");
    folder.write("problems.jsonl", &PROBLEMS.replace("\"b\"", "\"a\""));
    let error = failed(r#"{"problem": "a", "text": "18"}"#);
    assert!(error.contains("problems.jsonl:2: id: found \"a\" again"), "{error}");
    assert!(folder.gradus("verify samples -").failed(2).contains("--problems"));
}

#[test]
fn public_sets_are_imported_as_problems() {
    let folder = Folder::new();
    let import = |form: &str, row: &Value| {
        let said = folder.gradus_with(&format!("import {form} - --out -"), &row.to_string()).done();
        rows(&said).remove(0)
    };
    let row = import("gsm8k", &json!({"question": "?", "answer": "One.\n#### 18"}));
    assert_eq!((&row["id"], &row["answer"]), (&json!("gsm8k-00001"), &json!("18")));
    let math = json!({"problem": "?", "solution": "so $\\boxed{\\frac{1}{2}}$", "level": "Level 5",
                      "type": "Algebra"});
    let row = import("math", &math);
    assert_eq!((&row["answer"], &row["level"]), (&json!("\\frac{1}{2}"), &json!(5)));
    let row = import("question-answer", &json!({"id": "x", "question": "?", "answer": 3}));
    assert_eq!((&row["id"], &row["answer"]), (&json!("x"), &json!("3")));
    let choices = json!({"question": "?", "choices": ["a", "b"], "answer": 1});
    assert_eq!(import("multiple-choice", &choices)["answer"], "B");

    let cut = json!({"problem": "?", "solution": "so $\\boxed{\\frac{1}{2}"}).to_string();
    let error = folder.gradus_with("import math - --out -", &cut).failed(3);
    assert!(error.contains("problem \"math-00001\": solution: found no whole"), "{error}");
    folder.write("set.jsonl", &math.to_string());
    let said = folder.gradus("import math set.jsonl --out set").done();
    assert_eq!(said, "set/problems.jsonl: 1 rows\n");
}
