//! What `kill -9` leaves: a run is killed again and again, resumed, and compared with one that was not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::{Monitor, Record, Run, RunError, RunOptions, Status, Stream, Tool};

const FOLDER: &str = "GRADUS_KILLED_TEST";

fn options(folder: &Path) -> RunOptions {
    RunOptions {
        recipe: "killed".into(),
        title: String::new(),
        analysis: String::new(),
        config: json!({}),
        origins: BTreeMap::new(),
        seeds: vec![],
        command: vec![],
        out: Some(folder.join("run")),
        runs: folder.join("runs"),
        resume: true,
        threads: 1,
        tool: Tool::default(),
        monitor: Monitor::silent(),
    }
}

fn study(folder: &Path, pause: Duration) -> Result<(), RunError> {
    let run = Run::open(options(folder))?;
    let mut before = Vec::new();
    for name in ["one", "two", "three"] {
        let upstream: Vec<&_> = before.iter().collect();
        let stage = run.stage(name, &upstream, &json!({}), |work| {
            let mut rows = work.part("rows.jsonl")?;
            let mut metrics = work.metrics()?;
            metrics.truncate_after(0)?;
            for sample in
                (0..60).rev().filter(|&sample| !rows.done("p", sample)).collect::<Vec<_>>()
            {
                std::thread::sleep(pause);
                let draw = Stream::new(0, &[name, &sample.to_string()]).unit();
                let row = json!({"problem": "p", "sample": sample, "draw": draw});
                rows.append("p", sample, &row)?;
                rows.flush()?;
            }
            metrics.log(1, &[("loss", 0.5)])?;
            rows.finish().map(drop)
        })?;
        before.push(stage);
    }
    run.link(&before[2], "rows.jsonl", "samples.jsonl")?;
    run.write_results(&json!({"stages": before.len()}))?;
    run.finish()
}

/// Everything under the folder by its path, links followed, times and locks left out.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if ["run.json", "log.txt", "tensorboard", ".lock"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), bytes);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

#[test]
#[ignore = "the process that the next test kills"]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        study(Path::new(&folder), Duration::from_millis(2)).unwrap();
    }
}

#[test]
fn a_run_killed_ten_times_ends_with_the_bytes_of_one_never_killed() {
    let whole = tempfile::tempdir().unwrap();
    study(whole.path(), Duration::ZERO).unwrap();
    let killed = tempfile::tempdir().unwrap();
    let mut moments = Stream::new(0, &["moments of the kills"]);
    for _ in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "run::killed::child", "--ignored"])
            .env(FOLDER, killed.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !killed.path().join("run").join(Record::FILE).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(moments.below(60)));
        // SIGKILL on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    study(killed.path(), Duration::ZERO).unwrap();
    let record = Record::read(&killed.path().join("run")).unwrap().unwrap();
    assert_eq!((record.status, record.stages.len()), (Status::Finished, 3));
    assert!(!record.resumed.is_empty());
    assert_eq!(contents(killed.path()), contents(whole.path()));
}
