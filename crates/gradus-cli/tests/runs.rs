//! `gradus run` and what reads its directories, on a study too small to mean anything.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::tool::Folder;

/// Three slots instead of ten, one layer, a dozen test problems.
const SMALL: &str = r#"
study = "easy-to-hard"
title = "Too small to mean anything"
analysis = "Only here to be run by a test."
ceiling = true
evaluators = ["prm"]

[task]
slots = 3
easy_levels = 2
active = [{ fewest = 1, most = 2 }, { fewest = 2, most = 3 }, { fewest = 3, most = 3 }]

[problems]
generator_train = 120
evaluator_train = 60
easy_test = 10
hard_test = 10

[model]
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
intermediate_size = 32

# Long enough for a few right answers, which ReST-EM needs.
[generator]
num_train_epochs = 20
batch_size = 8

[easy_samples]
n = 4

[hard_samples]
n = 4

[selection]
n = [1, 4]
draws = 50
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("small.toml", SMALL);
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Starts a run of the small recipe into `out`.
fn start(folder: &Folder, out: &str, more: &[&str]) -> Child {
    let args = ["run", "small.toml", "--no-progress", "--out", out];
    let mut command = folder.command(&[&args, more].concat());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the run in `out` has finished `stages` stages; false if it ended before.
fn wait_for_stages(folder: &Folder, child: &mut Child, out: &str, stages: usize) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(1) {
        let record = std::fs::read_to_string(folder.path(out).join("run.json"));
        let record = record.ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        if record.is_some_and(|record| record["stages"].as_array().unwrap().len() >= stages) {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("the run did not get to stage {stages} in a minute");
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_run_leaves_results_a_report_and_how_it_came_about() {
    let folder = folder();
    let args = "run small.toml --seed 3 --set generator.warmup_ratio=0.1 --out one --no-progress";
    let said = folder.gradus(args);
    let stderr = said.stderr.clone();
    let text = said.done();
    assert!(text.contains("Repeat it"), "{text}");
    assert!(
        stderr.contains("report   one/report.html") || stderr.contains("/one/report.html"),
        "{stderr}"
    );

    let record = json(&folder.read("one/run.json"));
    assert_eq!(record["status"], "finished");
    assert_eq!(record["config"]["seed"], 3);
    assert_eq!(record["origins"]["seed"], "flag --seed");
    assert_eq!(record["origins"]["generator.warmup_ratio"], "--set");
    assert!(
        record["origins"]["model.hidden_size"].as_str().unwrap().starts_with("recipe small.toml:")
    );
    let repeat = "gradus run small.toml --seed 3 --set generator.warmup_ratio=0.1 --no-progress";
    assert!(text.contains(&format!("{repeat}\n")), "{text}");
    let page = folder.read("one/report.html");
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
    let results = folder.read("one/results.json");
    assert!(!json(&results)["selection"].as_array().unwrap().is_empty());

    // From an empty store and with one thread: the same bytes; --json prints them.
    let again = folder.command(&[
        "run",
        "small.toml",
        "--seed",
        "3",
        "--set",
        "generator.warmup_ratio=0.1",
        "--out",
        "elsewhere/two",
        "--json",
        "--threads",
        "1",
    ]);
    let mut again = again;
    let output = again.env("GRADUS_RUNS", "elsewhere").output().unwrap();
    assert_eq!(folder.read("elsewhere/two/results.json"), results);
    assert_eq!(json(&String::from_utf8(output.stdout).unwrap()), json(&results));

    // The page is made again of the two files alone.
    std::fs::remove_file(folder.path("one/report.html")).unwrap();
    assert!(folder.gradus("report one -q").done().contains("one/report.html"));
    assert_eq!(folder.read("one/report.html"), page);

    let same = folder.gradus("compare one elsewhere/two --json").done();
    for line in same.lines().map(json) {
        let end = |name: &str| line[name].as_f64().unwrap();
        assert_eq!((end("difference"), end("low"), end("high")), (0.0, 0.0, 0.0));
        assert_eq!(line["paired"], true);
    }
    a_report_that_is_spliced_elsewhere_leaves_the_run_alone(&folder, &page);
    assert!(folder.gradus("compare one elsewhere/two").done().contains("paired over problems."));
    std::fs::remove_dir_all(folder.path("one/stages")).unwrap();
    let why = folder.gradus("compare one one").done();
    assert!(why.contains("not paired: per-problem outcomes are missing"), "{why}");
    let apart =
        json(folder.gradus("compare one elsewhere/two --json").done().lines().next().unwrap());
    assert_eq!((&apart["difference"], &apart["paired"]), (&0.0.into(), &false.into()));
    let failed = folder.gradus("compare one elsewhere/two --fail-under 0.1");
    assert_eq!(failed.code, Some(1));

    let error = folder.gradus("run small.toml --out one").failed(2);
    assert!(error.contains("finished run of small"), "{error}");
}

fn a_report_that_is_spliced_elsewhere_leaves_the_run_alone(folder: &Folder, page: &str) {
    folder.write("one/report.html", "old");
    folder.write("other.md", "<!-- gradus:other -->\n<!-- /gradus:other -->\n");
    folder.write("small.md", "<!-- gradus:small -->\n<!-- /gradus:small -->\n");
    let error = folder.gradus("report one --splice other.md --picture one.svg").failed(2);
    assert!(error.contains("other.md: "), "{error}");
    assert!(!folder.path("one.svg").exists());
    let written = folder.gradus("report one --splice small.md --picture one.svg -q").done();
    assert_eq!(written, "small.md\none.svg\n");
    assert!(folder.read("small.md").lines().count() > 2);
    assert_eq!(folder.read("one/report.html"), "old");
    folder.write("one/report.html", page);
}

#[test]
fn a_dry_run_shows_the_stages_and_writes_nothing() {
    let folder = folder();
    let plan = folder.gradus("run small.toml --dry-run").done();
    assert!(plan.contains("problems") && plan.contains("Too small to mean anything"), "{plan}");
    // Every key that --set takes, with its value and where that came from.
    let row = |key: &str| plan.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
    assert!(row("generator.num_train_epochs ").contains("20"), "{plan}");
    assert!(row("generator.num_train_epochs ").contains("small.toml:"), "{plan}");
    assert!(row("generator.learning_rate ").contains("default"), "{plan}");
    let plan = json(&folder.gradus("run small.toml --seed 4 --dry-run --json").done());
    assert_eq!(
        (&plan["config"]["seed"], &plan["origins"]["seed"]),
        (&4.into(), &"flag --seed".into())
    );
    assert_eq!(plan["stages"][0]["name"], "problems-seed4");
    let files: Vec<_> = std::fs::read_dir(folder.path(".")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(
        folder
            .gradus("validate small.toml")
            .done()
            .starts_with("small.toml: valid, study easy-to-hard")
    );
}

#[test]
fn wrong_recipes_and_folders_are_named_and_nothing_is_made() {
    let folder = folder();
    let fails = |args: &str| folder.gradus(args).failed(2);
    assert!(fails("run easy-to-hrad").contains("did you mean easy-to-hard?"));
    assert!(
        fails("run small.toml --set genrator.learning_rate=1")
            .contains("`generator.learning_rate`")
    );
    assert!(fails("run small.toml --set seed=one").contains("expected an integer"));
    assert!(fails("run small.toml --set seed").contains("expected key=value"));
    assert!(
        fails("run small.toml --set model.hidden_size=0 --out no").contains("hidden_size is 0")
    );
    assert!(fails("run absent.toml").contains("absent.toml"));
    folder.write("bad.toml", &SMALL.replace("hidden_size", "hiden_size"));
    let error = fails("validate bad.toml");
    assert!(error.contains("bad.toml:") && error.contains("`model.hidden_size`"), "{error}");
    assert!(fails("run small.toml --out small.toml/inside").contains("small.toml"));
    assert!(fails("report absent").contains("no run.json"));
    assert!(
        !folder.path("runs").exists()
            || std::fs::read_dir(folder.path("runs")).unwrap().count() <= 1
    );
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_ten_times_ends_with_the_bytes_of_one_that_was_not() {
    let folder = folder();
    assert!(start(&folder, "whole", &[]).wait().unwrap().success());
    let folder_of_parts = self::folder();
    let mut resume: &[&str] = &[];
    let mut kills = 0;
    for stages in 1..=10 {
        let mut child = start(&folder_of_parts, "parts", resume);
        if wait_for_stages(&folder_of_parts, &mut child, "parts", stages) {
            signal(&child, "-KILL");
            kills += 1;
        }
        child.wait().unwrap();
        resume = &["--resume"];
    }
    assert!(kills >= 5, "only {kills} kills met a run at work");
    let record = json(&folder_of_parts.read("parts/run.json"));
    if record["status"] != "finished" {
        assert!(start(&folder_of_parts, "parts", &["--resume"]).wait().unwrap().success());
    }
    assert_eq!(folder_of_parts.read("parts/results.json"), folder.read("whole/results.json"));
}

#[test]
fn an_error_that_would_come_again_has_no_line_that_resumes() {
    let folder = folder();
    // A generator that has learned nothing has no right answer, and ReST-EM none to learn from.
    let args = "run small.toml --set generator.learning_rate=1e-12 --out out --no-progress";
    let error = folder.gradus(args).failed(3);
    assert!(error.contains("hold none with a reward above 0.5"), "{error}");
    assert!(!error.contains("--resume"), "{error}");
    assert_eq!(json(&folder.read("out/run.json"))["status"], "failed");

    let error = folder.gradus("report out").failed(2);
    let line = format!(
        "{} run small.toml --set generator.learning_rate=1e-12 --no-progress --resume --out out",
        env!("CARGO_BIN_EXE_gradus")
    );
    assert!(error.contains(&line), "{error}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_cleanly_with_the_line_that_resumes() {
    let folder = folder();
    let mut child = start(&folder, "out", &["--set", "problems.evaluator_train=300"]);
    assert!(wait_for_stages(&folder, &mut child, "out", 1));

    // Meanwhile nobody else gets in.
    let error =
        folder.gradus("run small.toml --set problems.evaluator_train=300 --resume --out out");
    assert!(error.failed(2).contains("is in use by process"));

    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let line = stderr.lines().find(|line| line.contains("--resume")).unwrap();
    assert_eq!(json(&folder.read("out/run.json"))["status"], "interrupted");

    let error =
        folder.gradus("run small.toml --set problems.evaluator_train=300 --out out").failed(2);
    assert!(error.contains("add --resume"), "{error}");
    let args = line.split_once("to go on: ").unwrap().1;
    let args = args.strip_prefix(env!("CARGO_BIN_EXE_gradus")).unwrap();
    folder.gradus(args).done();
    assert_eq!(json(&folder.read(Path::new("out/run.json")))["status"], "finished");
}
