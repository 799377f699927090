//! Output modes, help, exit codes, and the commands that need no run.

use std::io::Read;
use std::process::Stdio;
use std::time::Instant;

use crate::tool::Folder;

#[test]
fn alone_it_says_what_to_do_first() {
    let said = Folder::new().gradus("").done();
    assert!((3..=6).contains(&said.lines().count()), "{said}");
    assert!(said.contains("gradus run easy-to-hard"));
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = Folder::new();
    let commands = folder.gradus("help").done();
    let commands = commands.split("Commands:").nth(1).unwrap().lines().skip(1);
    let names = commands.take_while(|line| !line.is_empty()).filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        line.split(' ').next().filter(|name| !name.is_empty())
    });
    let commands: Vec<&str> = names.collect();
    assert!(commands.len() >= 11, "{commands:?}");
    for command in commands.into_iter().filter(|&command| command != "help" && command != "tasks") {
        let help = folder.gradus(&format!("help {command}")).done();
        assert!(help.contains(&format!("gradus {command}")), "{command}: {help}");
        assert!(help.matches(&format!("gradus {command}")).count() >= 2, "no example: {help}");
    }
    let help = folder.gradus("help").done();
    assert!(
        help.contains("130  interrupted") && help.contains("  4    finished, but some rows failed"),
        "{help}"
    );
    // Every example has a line of its own.
    let help = folder.gradus("help report").done();
    assert!(help.contains("Examples:\n  gradus report "), "{help}");
}

#[test]
fn wrong_usage_ends_with_2_and_names_what_was_meant() {
    let folder = Folder::new();
    assert!(folder.gradus("lst").failed(2).contains("'list'"));
    assert!(folder.gradus("list --jsn").failed(2).contains("'--json'"));
    assert!(folder.gradus("list --threads 0").failed(2).contains("--threads"));
}

#[test]
fn underscores_in_flags_are_dashes() {
    let folder = Folder::new();
    let dashes = folder.gradus("list tasks --no-progress").done();
    assert_eq!(folder.gradus("list tasks --no_progress").done(), dashes);
}

#[test]
fn a_list_is_a_table_or_json_lines_or_names() {
    let folder = Folder::new();
    let table = folder.gradus("list tasks").done();
    assert!(table.contains("kind") && table.contains("signed-running-totals"), "{table}");
    assert_eq!(folder.gradus("list tasks -q").done(), "signed-running-totals\n");
    let line = folder.gradus("list tasks --json").done();
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&row["kind"], &row["name"]), (&"tasks".into(), &"signed-running-totals".into()));
    assert_eq!(folder.gradus("--format json list tasks").done(), line);
}

#[test]
fn a_sampled_problem_is_shown_with_its_checked_solution() {
    let folder = Folder::new();
    let args = "tasks sample signed-running-totals --level 4 --n 1 --seed 3";
    let shown = folder.gradus(args).done();
    assert_eq!(shown, folder.gradus(args).done());
    assert!(shown.starts_with("sample-000000, level 4\n  question  "), "{shown}");
    assert!(shown.contains("(correct)") && shown.contains("valid"), "{shown}");
    let line = folder.gradus(&format!("{args} --json")).done();
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(row["answer"], row["problem"]["answer"]);
    assert_eq!(row["steps"].as_array().unwrap().len(), 11);
}

#[test]
fn wrong_parameters_of_a_family_are_named() {
    let folder = Folder::new();
    let sample = |args: &str| folder.gradus(&format!("tasks sample {args}")).failed(2);
    assert!(sample("sums").contains("known are signed-running-totals"));
    assert!(sample("signed-running-totals --set slot=3").contains("slot"));
    assert!(sample("signed-running-totals --set slots").contains("expected PARAMETER=VALUE"));
    assert!(sample("signed-running-totals --level 9").contains("levels 1 to 5, not 9"));
}

#[test]
fn the_environment_is_ready_to_paste() {
    let folder = Folder::new();
    let text = folder.gradus("env").done();
    assert!(text.starts_with("gradus  ") && text.contains("\nthreads  "), "{text}");
    let facts: serde_json::Value =
        serde_json::from_str(&folder.gradus("env --json --threads 1").done()).unwrap();
    assert_eq!(facts["threads"], 1);
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(folder.gradus(&format!("completions {shell}")).done().contains("no-progress"));
    }
}

#[test]
fn colour_is_only_for_those_who_want_it() {
    let folder = Folder::new();
    let said = |name: &str| {
        let mut command = folder.command(&["tasks", "sample", "sums"]);
        String::from_utf8(command.env(name, "1").output().unwrap().stderr).unwrap()
    };
    assert!(!said("NO_COLOR").contains('\u{1b}'));
    assert!(said("CLICOLOR_FORCE").contains('\u{1b}'));
    assert!(said("NO_COLOR").starts_with("error: no task family is called \"sums\""));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    let args = ["tasks", "sample", "signed-running-totals", "--n", "3000", "--json"];
    let mut child =
        folder.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_first_output_comes_at_once() {
    let folder = Folder::new();
    folder.gradus("list").done();
    let best = (0..5).map(|_| {
        let start = Instant::now();
        folder.gradus("").done();
        start.elapsed()
    });
    // The promise is 50 ms; a busy machine gets some air.
    assert!(best.min().unwrap().as_millis() < 200);
}
