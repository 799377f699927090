//! Sampling from scripts: rows, kills, failed rows, shards and their merging.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::loopback::Loopback;
use crate::tool::Folder;

/// Problems with answers and three levels.
fn problems(count: usize) -> String {
    let problem = |at: usize| {
        let level = at % 3 + 1;
        let question = format!("What is {at} + 1?");
        let row = json!({
            "id": format!("p{at:04}"), "question": question, "answer": (at + 1).to_string(),
            "level": level, "solution": format!("{at} + 1 = {}", at + 1),
        });
        format!("{row}\n")
    };
    (0..count).map(problem).collect()
}

fn folder(count: usize) -> Folder {
    let folder = Folder::new();
    folder.write("problems.jsonl", &problems(count));
    folder
}

fn rows(folder: &Folder, file: &str) -> Vec<Value> {
    folder.read(file).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record(folder: &Folder, file: &str) -> Value {
    serde_json::from_str(&folder.read(format!("{file}.record.json"))).unwrap()
}

const ORACLE: &str = "sample problems.jsonl --model fake/oracle:0.9,0.6,0.3 --n 4 --out";

#[test]
fn rows_are_completions_that_verify_and_search_read() {
    let folder = folder(30);
    let said = folder.gradus(&format!("{ORACLE} rows.jsonl"));
    assert!(said.stderr.contains("120 rows in "), "{said:?}");
    assert_eq!(said.done(), "rows.jsonl: 120 of 120 rows\n");
    let rows = rows(&folder, "rows.jsonl");
    assert_eq!(rows.len(), 120);
    let first = &rows[0];
    assert_eq!((&first["problem"], &first["sample"]), (&json!("p0000"), &json!(0)));
    assert_eq!(first["model"], "fake/oracle:0.9,0.6,0.3");
    assert_eq!((&first["seed"], &first["finish_reason"]), (&json!(1), &json!("stop")));
    let record = record(&folder, "rows.jsonl");
    assert_eq!((&record["status"], &record["rows"]), (&json!("finished"), &json!(120)));
    let graded = folder.gradus("verify samples rows.jsonl --problems problems.jsonl --json").done();
    folder.write("graded.jsonl", &graded);
    let curves = folder.gradus("search graded.jsonl --problems problems.jsonl --json").done();
    let points: Vec<Value> =
        curves.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let accuracy = |level: u32| {
        let point = points.iter().find(|point| {
            point["method"] == "majority" && point["level"] == level && point["n"] == 1
        });
        point.unwrap()["accuracy"].as_f64().unwrap()
    };
    // 40 samples a level: four standard errors are at most 0.32.
    assert!((accuracy(1) - 0.9).abs() < 0.32 && (accuracy(3) - 0.3).abs() < 0.32, "{curves}");
    // Neither the order of the problems nor the company of others shows.
    let one = folder.gradus(
        "sample problems.jsonl --model fake/oracle:0.9,0.6,0.3 --n 4 --limit 7-8 --out two.jsonl",
    );
    one.done();
    let text = folder.read("rows.jsonl");
    let lines: Vec<&str> = text.lines().skip(24).take(8).collect();
    assert_eq!(folder.read("two.jsonl").lines().collect::<Vec<_>>(), lines);
}

#[test]
fn killed_ten_times_it_ends_with_every_row_once() {
    let folder = folder(3000);
    folder.gradus(&format!("{ORACLE} whole.jsonl")).done();
    let mut kills = 0;
    for attempt in 0..100 {
        let mut command = folder.command(&[]);
        command.args(ORACLE.split(' ')).args(["rows.jsonl", "--resume"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(20 + 9 * (attempt % 10)));
        if child.try_wait().unwrap().is_some() {
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if kills == 10 {
            break;
        }
    }
    assert!(kills >= 5, "too fast to be killed");
    let said = folder.gradus(&format!("{ORACLE} rows.jsonl --resume")).done();
    assert_eq!(said, "rows.jsonl: 12000 of 12000 rows\n");
    assert!(folder.read("rows.jsonl") == folder.read("whole.jsonl"), "rows differ");
    assert!(!folder.path("rows.jsonl.part").exists());
}

#[test]
fn failed_rows_are_named_kept_apart_and_tried_again() {
    let folder = folder(3);
    let row =
        |problem: &str| format!("{}\n", json!({"problem": problem, "sample": 0, "text": "1"}));
    folder.write("script.jsonl", &(row("p0000") + &row("p0002")));
    let args = "sample problems.jsonl --model fake/replay:script.jsonl --out rows.jsonl";
    let said = folder.gradus(args);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert_eq!(said.stdout, "rows.jsonl: 2 of 3 rows\n");
    let failed = "failed  problem \"p0001\" sample 0: the replayed file has no such row";
    assert!(said.stderr.contains(failed) && said.stderr.contains("--resume"), "{}", said.stderr);
    assert_eq!(rows(&folder, "rows.jsonl").len(), 2);
    assert_eq!(record(&folder, "rows.jsonl")["status"], "failed-rows");
    assert!(folder.gradus(args).failed(2).contains("holds unfinished rows"));
    folder.write("script.jsonl", &(row("p0000") + &row("p0001") + &row("p0002")));
    assert_eq!(folder.gradus(&format!("{args} --resume")).done(), "rows.jsonl: 3 of 3 rows\n");
    assert!(folder.gradus(args).failed(2).contains("holds finished rows"));
    let other = folder.gradus(&format!("{args} --resume --seed 2")).failed(2);
    assert!(other.contains("`sampling.seed` is 1 there and 2 here"), "{other}");
}

#[test]
fn shards_merge_into_what_one_process_would_have_written() {
    let folder = folder(10);
    folder.gradus(&format!("{ORACLE} whole.jsonl")).done();
    for shard in 0..3 {
        folder.gradus(&format!("{ORACLE} s{shard}.jsonl --shard {shard}/3")).done();
    }
    let gap = folder.gradus("merge s0.jsonl s2.jsonl --out rows.jsonl").failed(3);
    assert!(gap.contains("missing shards: 1/3"), "{gap}");
    let twice = folder.gradus("merge s0.jsonl s1.jsonl s0.jsonl --out rows.jsonl").failed(3);
    assert!(twice.contains("are both shard 0/3"), "{twice}");
    folder.gradus(&format!("{ORACLE} other.jsonl --shard 1/3 --seed 2")).done();
    let other = folder.gradus("merge s0.jsonl other.jsonl s2.jsonl --out rows.jsonl").failed(3);
    assert!(other.contains("are not of one config: `sampling.seed` is 1"), "{other}");
    let said = folder.gradus("merge s2.jsonl s0.jsonl s1.jsonl --out rows.jsonl").done();
    assert_eq!(said, "rows.jsonl: 40 of 40 rows\n");
    assert_eq!(folder.read("rows.jsonl"), folder.read("whole.jsonl"));
    let again = folder.gradus("merge s2.jsonl s0.jsonl s1.jsonl --out rows.jsonl").failed(2);
    assert!(again.contains("is there already"), "{again}");
    // A row that somebody copied into another shard.
    let text = folder.read("s1.jsonl");
    let row = folder.read("s0.jsonl").lines().next().unwrap().to_owned();
    folder.write("s1.jsonl", &format!("{row}\n{text}"));
    let overlap = folder.gradus("merge s2.jsonl s0.jsonl s1.jsonl --out more.jsonl").failed(3);
    assert!(overlap.contains("problem \"p0000\" sample 0 stands in"), "{overlap}");
    assert!(!folder.path("more.jsonl").exists());
    let whole = folder.gradus("merge whole.jsonl --out more.jsonl").failed(3);
    assert!(whole.contains("was not made with --shard"), "{whole}");
}

#[test]
fn a_dry_run_writes_nothing_and_shows_the_first_prompt() {
    let folder = folder(5);
    let args = "sample problems.jsonl --model fake/echo --n 4 --prompt chain-of-thought \
                --max-tokens 100 --out rows.jsonl --dry-run";
    let said = folder.gradus(args).done();
    assert!(said.contains("at most 2000") && said.contains("about "), "{said}");
    assert!(said.contains("Question: What is 0 + 1?\nReason step by step"), "{said}");
    assert!(!folder.path("rows.jsonl").exists() && !folder.path(".rows.jsonl.lock").exists());
    let line = folder.gradus(&format!("{args} --json")).done();
    let plan: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&plan["samples"], &plan["max_tokens"]), (&json!(20), &json!(2000)));
}

#[test]
fn prompts_show_demonstrations_and_echo_says_what_was_asked() {
    let folder = folder(6);
    let said = folder.gradus(
        "sample problems.jsonl --model fake/echo --limit 1 --prompt chain-of-thought \
         --demonstrations problems.jsonl --shots 2 --out rows.jsonl",
    );
    said.done();
    let row = rows(&folder, "rows.jsonl").swap_remove(0);
    let text = row["text"].as_str().unwrap();
    assert_eq!(text.matches("The answer is").count(), 2, "{text}");
    assert_eq!(text.matches("What is 0 + 1?").count(), 1, "{text}");
    assert_eq!(row["metadata"], json!({"demonstrations": 2}));
    let said = folder.gradus(
        "sample problems.jsonl --model fake/echo --limit 1 --prompt few-shot \
         --demonstrations problems.jsonl --shots 4 --context 533 --out small.jsonl",
    );
    said.done();
    let row = rows(&folder, "small.jsonl").swap_remove(0);
    assert_eq!(row["metadata"], json!({"demonstrations": 1}), "{row}");
}

#[test]
fn what_cannot_be_is_refused_before_a_file_is_made() {
    let folder = folder(2);
    let refused = |args: &str, code: i32| {
        let said = folder.gradus(&format!("sample problems.jsonl {args} --out rows.jsonl"));
        let said = said.failed(code);
        assert!(!folder.path("rows.jsonl.record.json").exists());
        said
    };
    assert!(refused("--model opnai/x", 2).contains("did you mean openai/x?"));
    assert!(refused("--model fake/echo --prompt zeroshot", 2).contains("known are zero-shot"));
    assert!(refused("--model fake/echo --prompt few-shot", 2).contains("needs --demonstrations"));
    assert!(refused("--model fake/echo --temperature=-1", 2).contains("from 0 up"));
    assert!(refused("--model fake/replay:none.jsonl", 3).contains("none.jsonl"));
    folder.write("problems.jsonl", &problems(1).repeat(2));
    let twice = refused("--model fake/echo", 3);
    assert!(twice.contains("problems.jsonl:2: id: found \"p0000\" again"), "{twice}");
    folder.write("problems.jsonl", "");
    assert!(refused("--model fake/echo", 3).contains("found no row"));
}

#[test]
fn the_example_goes_from_problems_to_a_report_and_a_log() {
    let folder = folder(12);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/sample-verify-search.sh");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(&script);
        command.args(args).current_dir(folder.path("")).env("GRADUS", env!("CARGO_BIN_EXE_gradus"));
        crate::tool::Said::from(command.output().unwrap())
    };
    let args = ["problems.jsonl", "out", "fake/oracle:0.9,0.6,0.3", "--n", "4"];
    let said = run(&args).done();
    assert!(said.contains("The majority of 4 is right"), "{said}");
    let page = folder.read("out/graded.html");
    assert!(page.contains("<svg") && page.contains("no_answer"));
    let first = folder.read("out/rows.jsonl");
    run(&args).done();
    assert_eq!(folder.read("out/rows.jsonl"), first);
    let usage = run(&["problems.jsonl"]);
    assert!(usage.code == Some(2) && usage.stderr.contains("PROBLEMS OUT MODEL"), "{usage:?}");
}

#[test]
fn a_log_of_inspect_has_what_its_schema_requires_and_is_read_back() {
    let folder = folder(6);
    folder.gradus(&format!("{ORACLE} rows.jsonl")).done();
    let graded = folder.gradus("verify samples rows.jsonl --problems problems.jsonl --json").done();
    folder.write("graded.jsonl", &graded);
    let args = "export inspect graded.jsonl --problems problems.jsonl --out logs --task sums";
    let file = folder.gradus(&format!("{args} -q")).done();
    let file = file.trim();
    assert!(file.starts_with("logs/20") && file.contains("+00-00_sums_"), "{file}");
    let log: Value = serde_json::from_str(&folder.read(file)).unwrap();
    // Required by the schema of `inspect log schema`, inspect_ai 0.3.
    for field in ["created", "task", "dataset", "model", "config"] {
        assert!(!log["eval"][field].is_null(), "{field}");
    }
    assert_eq!(log["eval"]["model"], "mockllm/fake/oracle:0.9,0.6,0.3");
    let samples = log["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 24);
    for sample in samples {
        for field in ["id", "epoch", "input", "target"] {
            assert!(!sample[field].is_null(), "{field}");
        }
        assert!(["C", "I"].contains(&sample["scores"]["gradus"]["value"].as_str().unwrap()));
    }
    let right = samples.iter().filter(|sample| sample["scores"]["gradus"]["value"] == "C").count();
    let accuracy = log["results"]["scores"][0]["metrics"]["accuracy"]["value"].as_f64().unwrap();
    assert!((accuracy - right as f64 / 24.0).abs() < 1e-12);
    // Our own reader of inspect's logs, which knows nothing of this writer.
    let long = folder.gradus("export py-irt logs --duplicates mean --out responses.jsonl");
    long.done();
    let row: Value = serde_json::from_str(folder.read("responses.jsonl").trim()).unwrap();
    assert_eq!(row["responses"].as_object().unwrap().len(), 6);
    assert!(
        folder
            .gradus("export inspect rows.jsonl --problems problems.jsonl --out logs")
            .failed(3)
            .contains("rows.jsonl:1: verdict: found nothing")
    );
}

#[test]
fn choices_are_scored_and_the_likeliest_counts() {
    let folder = Folder::new();
    let problem = |id: &str, answer: &str| json!({"id": id, "question": "?", "choices": ["a", "bbb", "cc"], "answer": answer});
    folder.write("problems.jsonl", &format!("{}\n{}\n", problem("p", "A"), problem("q", "bbb")));
    let args = "logprob problems.jsonl --model fake/echo --out scores.jsonl";
    // Echo has a token a byte with log-prob -1: the shortest choice is the likeliest.
    let said = folder.gradus(args).done();
    assert!(said.contains("scores.jsonl: 6 of 6 rows") && said.contains("50.0%"), "{said}");
    let rows = rows(&folder, "scores.jsonl");
    assert_eq!((&rows[0]["text"], &rows[0]["log_prob"]), (&json!(" a"), &json!(-2.0)));
    assert_eq!((&rows[0]["correct"], &rows[1]["correct"]), (&json!(true), &json!(false)));
    assert_eq!(rows[4]["correct"], json!(true));
    assert!(folder.gradus(&format!("{args} --keep ranks --resume")).failed(2).contains("`keep"));
    let ranks = "logprob problems.jsonl --model fake/echo --keep ranks --out ranks.jsonl";
    assert!(folder.gradus(ranks).failed(5).contains("cannot tell ranks"));
    folder.write("texts.jsonl", "{\"problem\": \"t\", \"prompt\": \"p\", \"text\": \"abc\"}\n");
    let each = "logprob texts.jsonl --model fake/echo --keep log-probs --out each.jsonl --json";
    folder.gradus(each).done();
    let row: Value = serde_json::from_str(&folder.read("each.jsonl")).unwrap();
    assert_eq!(row["token_log_probs"], json!([-1.0, -1.0, -1.0]));
}

#[test]
fn texts_become_vectors() {
    let folder = folder(3);
    folder.gradus("embed problems.jsonl --model fake/echo --out vectors.jsonl").done();
    let rows = rows(&folder, "vectors.jsonl");
    assert_eq!((rows.len(), &rows[2]["problem"]), (3, &json!("p0002")));
    let vector: Vec<f64> = serde_json::from_value(rows[0]["embedding"].clone()).unwrap();
    let question = "What is 0 + 1?";
    assert_eq!((vector.len(), vector.iter().sum::<f64>()), (256, question.len() as f64));
    let refused = "embed problems.jsonl --model fake/oracle --out other.jsonl";
    assert!(folder.gradus(refused).failed(5).contains("cannot turn texts into vectors"));
}

#[test]
fn a_server_gives_rows_of_the_same_fields_as_a_script() {
    let folder = folder(5);
    let server = Loopback::start(0);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/sample-verify-search.sh");
    let mut command = std::process::Command::new(&script);
    command.args(["problems.jsonl", "out", "openai/sums", "--n", "4", "--base-url"]);
    command.arg(&server.base_url).current_dir(folder.path(""));
    command.env("GRADUS", env!("CARGO_BIN_EXE_gradus")).env_remove("OPENAI_API_KEY");
    let said = crate::tool::Said::from(command.output().unwrap());
    assert!(said.stderr.contains("requests, 0 failed"), "{said:?}");
    assert!(said.done().contains("100.0%"));
    let rows = rows(&folder, "out/rows.jsonl");
    assert_eq!(rows.len(), 20);
    let expected = json!({
        "problem": "p0002", "sample": 1, "text": "The answer is \\boxed{3}.", "log_prob": -0.5,
        "finish_reason": "stop", "model": rows[0]["model"], "seed": 1,
        "metadata": rows[9]["metadata"],
    });
    assert_eq!(rows[9], expected);
    let wrong = format!("sample problems.jsonl --model openai/sum --base-url {}", server.base_url);
    let said = folder.gradus(&format!("{wrong} --out other.jsonl")).failed(5);
    assert!(said.contains("the nearest is \"sums\""), "{said}");
}

#[test]
fn a_server_with_faults_that_is_left_in_the_middle_ends_with_every_row_once() {
    let count: usize = std::env::var("GRADUS_TEST_PROMPTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(60);
    let folder = folder(count);
    let server = Loopback::start(3);
    let args = format!(
        "sample problems.jsonl --model openai/sums --n 4 --base-url {} --out rows.jsonl --resume",
        server.base_url
    );
    let mut kills = 0;
    for attempt in 0..10 {
        let mut command = folder.command(&args.split(' ').collect::<Vec<_>>());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(300 + 50 * attempt));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
    }
    let said = folder.gradus(&args).done();
    let all = 4 * count;
    assert_eq!(said, format!("rows.jsonl: {all} of {all} rows\n"));
    let rows = rows(&folder, "rows.jsonl");
    let mut keys: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row["problem"], row["sample"])).collect();
    keys.dedup();
    assert_eq!(keys.len(), all);
    assert!(kills > 0 && server.requests.load(std::sync::atomic::Ordering::Relaxed) > 0);
}
