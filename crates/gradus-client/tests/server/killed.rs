//! A process of its own: with a key in its environment, and killed on the way.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use gradus::lm::RowError;
use serde_json::{Value, json};

use super::faults::three_of_ten;
use super::loopback::{Answer, Loopback, refusal, sampled};
use super::*;

const FOLDER: &str = "GRADUS_CLIENT_TEST";
const BASE: &str = "OPENAI_BASE_URL";
const KEY: &str = "sk-not-to-be-seen-1234";
const PROMPTS: u32 = 1000;

/// The child: samples what is missing in `rows.jsonl` and appends it there row by row.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let path = folder.join("rows.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    // A last line without its end was cut by the kill.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let done: BTreeSet<(String, u64)> = text[..whole]
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| (row["problem"].as_str().unwrap().to_owned(), row["sample"].as_u64().unwrap()))
        .collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    file.set_len(whole as u64).unwrap();
    let missing: Vec<Request> = requests(PROMPTS, 4)
        .into_iter()
        .filter(|row| !done.contains(&(row.key.problem.to_string(), u64::from(row.key.sample))))
        .collect();
    let config = Config {
        model: "model".into(),
        cache: Some(folder.join("cache")),
        retry_seconds: 0.001,
        ..Config::default()
    };
    let server = match Server::connect(config, &Monitor::silent()) {
        Ok(server) => server,
        Err(error) => return println!("{error}\n{error:?}"),
    };
    println!("{server:?}");
    let mut write = |key: Key, row: Result<Generated, RowError>| {
        match row {
            Ok(row) => {
                let row = json!({"problem": &*key.problem, "sample": key.sample, "text": row.text});
                file.write_all(format!("{row}\n").as_bytes()).unwrap();
            }
            Err(error) => println!("{error}\n{error:?}"),
        }
        ControlFlow::Continue(())
    };
    if let Err(error) = server.generate(&missing, &sampling(), &mut write) {
        println!("{error}\n{error:?}");
    }
}

fn spawn(folder: &Path, url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["killed::child", "--exact", "--nocapture"]);
    command.env(FOLDER, folder).env(BASE, url).env("OPENAI_API_KEY", KEY);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_run_killed_ten_times_ends_with_every_row_once_and_asks_for_none_twice() {
    let loopback = Loopback::start(|request| {
        let fault = three_of_ten(request).filter(|_| request.number > 0);
        std::thread::sleep(Duration::from_millis(2));
        fault.unwrap_or_else(|| Answer::Json(sampled(request)))
    });
    let folder = tempfile::tempdir().unwrap();
    let mut kills = 0;
    while kills < 10 {
        let before = loopback.count();
        let mut child = spawn(folder.path(), &loopback.url).stdout(Stdio::null()).spawn().unwrap();
        // Well inside the run: each life gets about a fourteenth of the requests.
        while loopback.count() < before + 100 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        let killed = !child.wait().unwrap().success();
        assert!(killed, "the run ended before it could be killed {} times", kills + 1);
        kills += 1;
    }
    let last = spawn(folder.path(), &loopback.url).output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stdout));
    let text = std::fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: BTreeSet<String> =
        rows.iter().map(|row| format!("{} {}", row["problem"], row["sample"])).collect();
    assert_eq!((rows.len(), keys.len()), (4000, 4000));
    let texts: BTreeSet<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 4000);
    assert_eq!(loopback.under_way.load(Ordering::SeqCst), 0);
}

#[test]
fn the_key_goes_to_the_server_and_nowhere_else() {
    // Every prompt meets another kind of trouble, and the server quotes the key back.
    let loopback = Loopback::start(|request| {
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
        match request.number {
            0 | 7.. => Answer::Json(sampled(request)),
            1 => refusal(500, &format!("you said {KEY}")),
            2 => Answer::Status(200, vec![], format!("<html>{KEY}")),
            3 => Answer::Status(502, vec![], format!("<title>{KEY}</title>")),
            4 => refusal(400, KEY),
            5 => refusal(422, KEY),
            6 => refusal(401, KEY),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = spawn(folder.path(), &loopback.url).output().unwrap();
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(KEY), "{text}");
        }
    }
    let told = Loopback::start(|_| refusal(403, KEY));
    let fresh = tempfile::tempdir().unwrap();
    let output = spawn(fresh.path(), &told.url).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("[key]") && !text.contains(KEY), "{text}");
    let mut folders = vec![folder.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                assert!(!String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(KEY));
            }
        }
    }
    assert!(files >= 2);
}
