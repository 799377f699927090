//! Fetching from a hub on this machine that can be told to misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use gradus::run::{Event, Monitor};
use sha2::{Digest, Sha256};

use super::fetch::hex;
use super::*;

const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// What goes wrong with the next requests for numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Unavailable,
    /// The connection ends in the middle.
    Cut,
    /// The whole file where a piece was asked for.
    IgnoresRange,
}

#[derive(Clone, Default)]
struct Fake {
    files: Arc<BTreeMap<&'static str, Vec<u8>>>,
    listing: Arc<String>,
    faults: Arc<Mutex<Vec<Fault>>>,
    /// Lines of the requests, with their ranges and tokens.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(
        files: &[(&'static str, Vec<u8>)],
        faults: &[Fault],
    ) -> (tempfile::TempDir, Hub, Self) {
        let siblings: Vec<_> = files.iter().map(|(name, bytes)| sibling(name, bytes)).collect();
        let listing = serde_json::json!({ "sha": COMMIT, "siblings": siblings });
        let fake = Self {
            files: Arc::new(files.iter().cloned().collect()),
            listing: Arc::new(listing.to_string()),
            faults: Arc::new(Mutex::new(faults.iter().rev().copied().collect())),
            seen: Arc::default(),
        };
        let (dir, hub) = fake.clone().serve();
        (dir, hub, fake)
    }

    fn serve(self) -> (tempfile::TempDir, Hub) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub {
            cache: dir.path().to_owned(),
            offline: false,
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            token: Some("hf_secret".to_owned()),
        };
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                self.answer(&connection.unwrap());
            }
        });
        (dir, hub)
    }

    fn answer(&self, mut connection: &TcpStream) {
        let mut lines = BufReader::new(connection).lines();
        let Some(Ok(first)) = lines.next() else { return };
        let headers: Vec<String> =
            lines.map(|line| line.unwrap()).take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            headers.iter().find_map(|line| {
                let (found, value) = line.split_once(": ")?;
                found.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let path = first.split(' ').nth(1).unwrap().to_owned();
        let range = header("range").unwrap_or_default();
        let token = header("authorization").unwrap_or_default();
        self.seen.lock().unwrap().push(format!("{path} {range} {token}"));
        let answer = |status: &str, length: usize| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
        };
        let mut send = |status: &str, length: usize, body: &[u8]| {
            let _ = connection.write_all(answer(status, length).as_bytes());
            let _ = connection.write_all(body);
        };
        if path == "/api/models/org/tiny/revision/main?blobs=true" {
            return send("200 OK", self.listing.len(), self.listing.as_bytes());
        }
        let prefix = format!("/org/tiny/resolve/{COMMIT}/");
        let Some(bytes) = path.strip_prefix(&prefix).and_then(|name| self.files.get(name)) else {
            return send("404 Not Found", 0, b"");
        };
        let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let piece = &bytes[from.parse().unwrap()..=to.parse::<usize>().unwrap()];
        match self.faults.lock().unwrap().pop() {
            None => send("206 Partial Content", piece.len(), piece),
            Some(Fault::Unavailable) => send("503 Service Unavailable", 0, b""),
            Some(Fault::Cut) => send("206 Partial Content", piece.len(), &piece[..piece.len() / 2]),
            Some(Fault::IgnoresRange) => send("200 OK", bytes.len(), bytes),
        }
    }

    fn requests_for(&self, file: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|line| line.contains(&format!("/{file} "))).cloned().collect()
    }
}

fn sibling(name: &str, bytes: &[u8]) -> serde_json::Value {
    if name.ends_with("safetensors") {
        let sha256 = hex(Sha256::new().chain_update(bytes));
        let lfs = serde_json::json!({ "sha256": sha256, "size": bytes.len(), "pointerSize": 134 });
        return serde_json::json!({ "rfilename": name, "size": bytes.len(), "lfs": lfs });
    }
    let header = format!("blob {}\0", bytes.len());
    let blob = hex(sha1::Sha1::new().chain_update(header).chain_update(bytes));
    serde_json::json!({ "rfilename": name, "size": bytes.len(), "blobId": blob })
}

fn model() -> Vec<(&'static str, Vec<u8>)> {
    let weights = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    vec![
        ("README.md", b"not wanted".to_vec()),
        ("config.json", b"{}".to_vec()),
        ("tokenizer.json", b"{\"a\": 1}".to_vec()),
        ("1_Pooling/config.json", b"{}\n".to_vec()),
        ("model.safetensors", weights),
        ("onnx/model.safetensors", b"not wanted".to_vec()),
        ("pytorch_model.bin", b"not wanted".to_vec()),
    ]
}

fn id() -> ModelId {
    "org/tiny".parse().unwrap()
}

#[test]
fn a_model_is_fetched_once_and_then_found_without_a_request() {
    let (dir, mut hub, fake) = Fake::start(&model(), &[]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let watched = Arc::clone(&told);
    let watch = move |event: &Event| watched.lock().unwrap().push(event.clone());
    let folder = hub.resolve(&id(), &Monitor::new(watch, Arc::default())).unwrap();
    assert_eq!(folder, dir.path().join("models--org--tiny/snapshots").join(COMMIT));
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), model()[4].1);
    assert_eq!(std::fs::read(folder.join("1_Pooling/config.json")).unwrap(), b"{}\n");
    assert!(!folder.join("README.md").exists() && !folder.join("onnx").exists());
    let (stage, size) = ("model.safetensors".to_owned(), 400_000);
    let whole = Event::Progress { stage, done: size, total: size, unit: "bytes" };
    assert!(told.lock().unwrap().contains(&whole));
    let named = dir.path().join("models--org--tiny/refs/main");
    assert_eq!(std::fs::read_to_string(named).unwrap(), COMMIT);
    #[cfg(unix)]
    assert!(std::fs::read_link(folder.join("config.json")).unwrap().starts_with("../../blobs"));

    let before = fake.seen.lock().unwrap().len();
    assert_eq!(before, 5);
    assert!(fake.seen.lock().unwrap().iter().all(|line| line.ends_with("Bearer hf_secret")));
    assert_eq!(hub.resolve(&id(), &Monitor::silent()).unwrap(), folder);
    assert_eq!(fake.seen.lock().unwrap().len(), before);
    // Asked for, the hub is asked again, and nothing that is here comes again.
    hub.fetch(&id(), &Monitor::silent()).unwrap();
    assert_eq!(fake.seen.lock().unwrap().len(), before + 1);
    hub.offline = true;
    assert!(
        hub.fetch(&id(), &Monitor::silent())
            .unwrap_err()
            .to_string()
            .contains("HF_HUB_OFFLINE is set")
    );
}

#[test]
fn a_connection_that_ends_is_taken_up_where_it_was() {
    let files = [model()[4].clone()];
    let (_dir, hub, fake) =
        Fake::start(&files, &[Fault::Unavailable, Fault::Cut, Fault::Cut, Fault::IgnoresRange]);
    let folder = hub.resolve(&id(), &Monitor::silent()).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), files[0].1);
    let ranges: Vec<String> = fake
        .requests_for("model.safetensors")
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect();
    let expected = ["0-399999", "0-399999", "200000-399999", "300000-399999"];
    assert_eq!(ranges, expected.map(|range| format!("bytes={range}")));
}

#[test]
fn a_file_begun_by_another_program_is_gone_on_with() {
    let (dir, hub, fake) = Fake::start(&model(), &[]);
    let blobs = dir.path().join("models--org--tiny/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let hash = hex(Sha256::new().chain_update(&model()[4].1));
    std::fs::write(blobs.join(format!("{hash}.incomplete")), &model()[4].1[..399_996]).unwrap();
    hub.resolve(&id(), &Monitor::silent()).unwrap();
    assert!(fake.requests_for("model.safetensors")[0].contains("bytes=399996-399999"));
}

#[test]
fn wrong_bytes_get_no_name_and_are_fetched_anew() {
    let (dir, hub, _fake) = Fake::start(&model(), &[]);
    let blobs = dir.path().join("models--org--tiny/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let hash = hex(Sha256::new().chain_update(&model()[4].1));
    std::fs::write(blobs.join(format!("{hash}.incomplete")), [1; 1000]).unwrap();
    let error = hub.resolve(&id(), &Monitor::silent()).unwrap_err().to_string();
    assert!(error.starts_with("model.safetensors of model org/tiny: its hash is "), "{error}");
    assert!(!blobs.join(&hash).exists());
    hub.resolve(&id(), &Monitor::silent()).unwrap();
    assert!(blobs.join(&hash).exists());
}

#[test]
fn models_that_cannot_be_had_say_why() {
    let refused = |files: &[(&'static str, Vec<u8>)]| {
        let (_dir, hub, _fake) = Fake::start(files, &[]);
        hub.resolve(&id(), &Monitor::silent()).unwrap_err().to_string()
    };
    let error = refused(&[("pytorch_model.bin", vec![1])]);
    assert!(
        error.ends_with("it has no safetensors files, only pickled ones, which can run code"),
        "{error}"
    );
    let error = refused(&[("tiny.Q4_0.gguf", vec![1])]);
    assert!(
        error.contains("tiny.Q4_0.gguf") && error.contains("hf download org/tiny FILE"),
        "{error}"
    );
    let (_dir, hub, _fake) = Fake::start(&model(), &[]);
    let other: ModelId = "org/other".parse().unwrap();
    let error = hub.resolve(&other, &Monitor::silent()).unwrap_err().to_string();
    assert_eq!(error, "model org/other: there is none of that name and revision");
    assert!(!error.contains("hf_secret"));
}

#[test]
fn a_listing_does_not_lead_out_of_the_cache() {
    let (_dir, _hub, fake) = Fake::start(&model(), &[]);
    let listing = fake.listing.replace("\"config.json\"", "\"model/../../x.safetensors\"");
    let fake = Fake { listing: Arc::new(listing), ..fake };
    let (dir, hub) = fake.serve();
    hub.resolve(&id(), &Monitor::silent()).unwrap();
    assert!(!dir.path().join("models--org--tiny/snapshots").join("x.safetensors").exists());
    let listing = serde_json::json!({ "sha": "../..", "siblings": [] }).to_string();
    let (_dir, hub) = Fake { listing: Arc::new(listing), ..Fake::default() }.serve();
    let error = hub.resolve(&id(), &Monitor::silent()).unwrap_err().to_string();
    assert_eq!(error, "the listing of model org/tiny: \"../..\" is no commit");
}

#[test]
fn a_hub_that_cannot_be_reached_gives_the_command_to_run() {
    let (_dir, mut hub, _fake) = Fake::start(&[], &[]);
    // A port that was just free.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    hub.endpoint = format!("http://127.0.0.1:{port}");
    let error = hub.resolve(&id(), &Monitor::silent()).unwrap_err().to_string();
    assert!(
        error.contains("cannot be reached: ") && error.ends_with("run `hf download org/tiny`"),
        "{error}"
    );
}

#[test]
fn an_interruption_leaves_what_has_come() {
    let (dir, hub, _fake) = Fake::start(&[model()[4].clone()], &[]);
    let cancel = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    let watch = move |event: &Event| {
        if matches!(event, Event::Progress { done: 1.., .. }) {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let error = hub.resolve(&id(), &Monitor::new(watch, cancel)).unwrap_err();
    assert!(matches!(error, HubError::Run(gradus::run::RunError::Interrupted)), "{error}");
    let blobs = std::fs::read_dir(dir.path().join("models--org--tiny/blobs")).unwrap();
    let sizes: Vec<u64> = blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).collect();
    assert!(sizes.len() == 1 && sizes[0] > 0, "{sizes:?}");
    hub.resolve(&id(), &Monitor::silent()).unwrap();
}
