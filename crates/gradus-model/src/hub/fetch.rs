//! Fetches a model into the cache: what is missing, in pieces, each file checked
//! against the hub's hash before it gets its name.
//!
//! A piece is one request with a time-out, so that a connection that hangs is given up
//! while a slow one is not. What has come of a file stays in `blobs/HASH.incomplete`,
//! and the next attempt, also of another program, goes on from there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus::run::{Event, Monitor, RunError, sync_folder, write_file};
use sha2::{Digest, Sha256};
use ureq::http::header::{AUTHORIZATION, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::listing::{Hash, Listing, Wanted};
use super::{Hub, HubError, ModelId};

/// Bytes asked for at a time.
const PIECE: u64 = 32 << 20;
/// For a piece: below 110 kB/s it comes in more than one attempt.
const PIECE_TIME: Duration = Duration::from_mins(5);
const CONNECT_TIME: Duration = Duration::from_secs(10);
const ANSWER_TIME: Duration = Duration::from_mins(1);
/// Attempts in a row that bring nothing.
const ATTEMPTS: u32 = 5;
/// A listing of ten thousand files has some 3 MB.
const LONGEST_LISTING: u64 = 64 << 20;

pub(super) fn fetch(hub: &Hub, id: &ModelId, monitor: &Monitor) -> Result<PathBuf, HubError> {
    // The certificates that the system trusts, so that a company's proxy is one of them.
    let certificates = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent: Agent = Agent::config_builder()
        .tls_config(certificates)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIME))
        .timeout_recv_response(Some(ANSWER_TIME))
        .timeout_recv_body(Some(PIECE_TIME))
        .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let source = Source { hub, id, agent, monitor };
    let listing = source.listing()?;
    let wanted = listing.wanted(id)?;

    let repository = hub.cache.join(id.folder());
    let blobs = repository.join("blobs");
    let snapshot = repository.join("snapshots").join(&listing.sha);
    for dir in [&blobs, &snapshot] {
        fs::create_dir_all(dir).map_err(RunError::io("create", dir))?;
    }
    for file in &wanted {
        let blob = blobs.join(file.hash.hex());
        if !blob.exists() {
            let (stage, start) = (file.name.clone(), Instant::now());
            monitor.emit(&Event::StageStarted { stage: stage.clone(), cached: false });
            source.blob(&listing.sha, file, &blob)?;
            monitor.emit(&Event::StageFinished { stage, seconds: start.elapsed().as_secs_f64() });
        }
        link(&blob, &snapshot, &file.name)?;
    }
    // Last, so that a ref leads to a whole snapshot.
    if id.revision() != listing.sha {
        let named = repository.join("refs").join(id.revision());
        let dir = named.parent().unwrap_or(&repository);
        fs::create_dir_all(dir).map_err(RunError::io("create", dir))?;
        write_file(&named, listing.sha.as_bytes())?;
    }
    Ok(snapshot)
}

struct Source<'a> {
    hub: &'a Hub,
    id: &'a ModelId,
    agent: Agent,
    monitor: &'a Monitor,
}

impl Source<'_> {
    fn listing(&self) -> Result<Listing, HubError> {
        let (endpoint, name) = (&self.hub.endpoint, self.id.name());
        let revision = self.id.revision().replace('/', "%2F");
        let url = format!("{endpoint}/api/models/{name}/revision/{revision}?blobs=true");
        let mut failed = 0;
        let text = loop {
            let answer = match self.get(&url, None) {
                Ok(mut answer) if answer.status().is_success() => {
                    answer.body_mut().with_config().limit(LONGEST_LISTING).read_to_string()
                }
                Ok(answer) if passes(answer.status()) => {
                    Err(ureq::Error::StatusCode(answer.status().as_u16()))
                }
                Ok(answer) => return Err(self.refused(answer.status())),
                Err(error) => Err(error),
            };
            match answer {
                Ok(text) => break text,
                Err(error) => self.pause(&mut failed, &error)?,
            }
        };
        serde_json::from_str(&text).map_err(|error| HubError::Damaged {
            id: self.id.clone(),
            file: "the listing".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Fetches a file, or what is missing of it, and gives it its name.
    fn blob(&self, commit: &str, file: &Wanted, blob: &Path) -> Result<(), HubError> {
        let path = blob.with_extension("incomplete");
        let io = |action| RunError::io(action, &path);
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut part = options.map_err(io("write"))?;
        // Another program that fetches the same is waited for.
        part.lock().map_err(io("lock"))?;
        if blob.exists() {
            return Ok(());
        }
        let url =
            format!("{}/{}/resolve/{commit}/{}", self.hub.endpoint, self.id.name(), file.name);
        let mut bytes = part.seek(SeekFrom::End(0)).map_err(io("read"))?;
        if bytes > file.size {
            bytes = 0;
        }
        let mut failed = 0;
        let tell = |bytes| self.monitor.progress(&file.name, bytes, file.size, "bytes");
        tell(bytes);
        while bytes < file.size {
            self.monitor.check()?;
            part.set_len(bytes).map_err(io("write"))?;
            part.seek(SeekFrom::Start(bytes)).map_err(io("write"))?;
            let before = bytes;
            match self.piece(&url, file, bytes)? {
                Ok((from, reader)) => {
                    if from != bytes {
                        // The server gives the whole file.
                        part.set_len(0).map_err(io("write"))?;
                        part.seek(SeekFrom::Start(0)).map_err(io("write"))?;
                        bytes = 0;
                    }
                    let reader = reader.take(file.size - bytes);
                    let copied = copy(reader, &mut part, |new| {
                        bytes += new;
                        tell(bytes);
                        self.monitor.check()
                    });
                    match copied {
                        Ok(()) => {}
                        Err(Side::Asked(error)) => return Err(error.into()),
                        Err(Side::Disk(error)) => return Err(io("write")(error).into()),
                        Err(Side::Net(error)) => {
                            if bytes > before {
                                failed = 0;
                            }
                            self.pause(&mut failed, &ureq::Error::Io(error))?;
                            continue;
                        }
                    }
                    if bytes > before {
                        failed = 0;
                    } else {
                        let empty = io::Error::from(io::ErrorKind::UnexpectedEof);
                        self.pause(&mut failed, &ureq::Error::Io(empty))?;
                    }
                }
                Err(error) => self.pause(&mut failed, &error)?,
            }
        }
        let found = hash(&mut part, file).map_err(io("read"))?;
        if found != file.hash.hex() {
            // Going on from wrong bytes would be wrong for ever.
            part.set_len(0).map_err(io("write"))?;
            return Err(HubError::Damaged {
                id: self.id.clone(),
                file: file.name.clone(),
                reason: format!(
                    "its hash is {found}, expected {}; it will be fetched anew",
                    file.hash.hex()
                ),
            });
        }
        part.sync_all().map_err(io("write"))?;
        fs::rename(&path, blob).map_err(io("rename"))?;
        Ok(sync_folder(blob.parent().unwrap_or(blob))?)
    }

    /// Asks for bytes from `from`. Outer errors are final; inner ones may pass.
    fn piece(
        &self,
        url: &str,
        file: &Wanted,
        from: u64,
    ) -> Result<Result<(u64, impl Read + use<>), ureq::Error>, HubError> {
        let to = file.size.min(from + PIECE) - 1;
        let answer = match self.get(url, Some(format!("bytes={from}-{to}"))) {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let status = answer.status();
        let start = match status {
            StatusCode::PARTIAL_CONTENT => from,
            StatusCode::OK => 0,
            status if passes(status) => return Ok(Err(ureq::Error::StatusCode(status.as_u16()))),
            status => return Err(self.refused(status)),
        };
        Ok(Ok((start, answer.into_body().into_reader())))
    }

    fn get(&self, url: &str, range: Option<String>) -> Result<Response<Body>, ureq::Error> {
        let mut request = self.agent.get(url);
        // The client leaves this out where it is sent on to another host.
        if let Some(token) = &self.hub.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        request.call()
    }

    /// Waits before the next attempt, or says that it was the last.
    fn pause(&self, failed: &mut u32, error: &ureq::Error) -> Result<(), HubError> {
        *failed += 1;
        if *failed == ATTEMPTS {
            let reason = format!("{} cannot be reached: {error}", self.hub.endpoint);
            return Err(self.hub.absent(self.id, reason));
        }
        std::thread::sleep(Duration::from_millis(100 << (2 * *failed)));
        Ok(())
    }

    fn refused(&self, status: StatusCode) -> HubError {
        let reason = match (status, &self.hub.token) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, None) => {
                "there is none of that name and revision for everybody; if it is private or gated, \
                 accept its terms on its page and set HF_TOKEN"
                    .to_owned()
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(_)) => {
                "the token of HF_TOKEN is not let in; accept the model's terms on its page"
                    .to_owned()
            }
            (StatusCode::NOT_FOUND, Some(_)) => {
                "there is none of that name and revision".to_owned()
            }
            _ => format!("the hub answers {status}"),
        };
        HubError::Refused { id: self.id.clone(), reason }
    }
}

/// Whether another attempt can end otherwise.
fn passes(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// Which side ended a copy.
enum Side {
    /// The user.
    Asked(RunError),
    Net(io::Error),
    Disk(io::Error),
}

fn copy(
    mut from: impl Read,
    to: &mut File,
    mut on_bytes: impl FnMut(u64) -> Result<(), RunError>,
) -> Result<(), Side> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Side::Net(error)),
        };
        to.write_all(&buffer[..count]).map_err(Side::Disk)?;
        on_bytes(count as u64).map_err(Side::Asked)?;
    }
}

/// The hash of a whole file, of the kind that is expected.
fn hash(part: &mut File, file: &Wanted) -> io::Result<String> {
    part.seek(SeekFrom::Start(0))?;
    match file.hash {
        Hash::Sha256(_) => digest(part, Sha256::new()),
        Hash::Git(_) => {
            let header = format!("blob {}\0", file.size);
            digest(part, sha1::Sha1::new().chain_update(header))
        }
    }
}

fn digest(part: &mut File, mut digest: impl Digest) -> io::Result<String> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match part.read(&mut buffer)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    Ok(hex(digest))
}

pub(super) fn hex(digest: impl Digest) -> String {
    digest.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Gives a blob its name in the snapshot: a link, and a copy where there are no links.
fn link(blob: &Path, snapshot: &Path, name: &str) -> Result<(), HubError> {
    let path = snapshot.join(name);
    if path.exists() {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(snapshot);
    fs::create_dir_all(dir).map_err(RunError::io("create", dir))?;
    // A link whose blob was removed is there and leads nowhere.
    if path.is_symlink() {
        fs::remove_file(&path).map_err(RunError::io("remove", &path))?;
    }
    #[cfg(unix)]
    {
        let up = "../".repeat(2 + name.matches('/').count());
        let blob = format!("{up}blobs/{}", blob.file_name().unwrap_or_default().display());
        std::os::unix::fs::symlink(blob, &path).map_err(RunError::io("create", &path))?;
    }
    #[cfg(not(unix))]
    fs::copy(blob, &path).map(|_| ()).map_err(RunError::io("create", &path))?;
    Ok(())
}
