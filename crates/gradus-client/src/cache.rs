use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Hash of the whole request and the sample index.
pub(crate) type Name = [u8; 32];

/// Name of an answer: endpoint, body and sample. The key is no part of either.
pub(crate) fn name(url: &str, body: &[u8], sample: u32) -> Name {
    let mut hash = Sha256::new();
    for part in [url.as_bytes(), body, &sample.to_le_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Answers on disk, in files that are only appended to.
///
/// Every process appends to a file of its own (`answers-<n>.jsonl`, the first `n` that is
/// free), one write a line, so that processes cannot mix their lines and a kill leaves at
/// worst one line without an end, which is not read. What other processes append later is
/// seen by the next opening. Memory: 48 bytes and a table's share per answer.
pub(crate) struct Cache {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: Vec<File>,
    places: HashMap<Name, Place>,
    /// Index in `files` of the one that is appended to, and its length.
    own: Option<(u32, u64)>,
}

#[derive(Clone, Copy)]
struct Place {
    file: u32,
    offset: u64,
    bytes: u32,
}

#[derive(Deserialize, Serialize)]
struct Line<T> {
    key: String,
    answer: T,
}

/// Longest line that is read, against files that are not ours.
const LONGEST_LINE: u64 = 1 << 30;

impl Cache {
    /// Opens the folder, made where there is none, and reads which answers it holds.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let fault =
            |path: &Path, error: &std::io::Error| format!("cache {}: {error}", path.display());
        std::fs::create_dir_all(folder).map_err(|error| fault(folder, &error))?;
        let mut state = State::default();
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| fault(folder, &error))? {
            let path = entry.map_err(|error| fault(folder, &error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let number = name.strip_prefix("answers-").and_then(|rest| rest.strip_suffix(".jsonl"));
            if number.is_some() {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            let read = File::open(&path).and_then(|file| {
                state.index(&file)?;
                state.files.push(file);
                Ok(())
            });
            read.map_err(|error| fault(&path, &error))?;
        }
        Ok(Self { folder: folder.to_owned(), state: Mutex::new(state) })
    }

    /// The answer of that name; one that cannot be read counts as absent.
    pub(crate) fn get<T: DeserializeOwned>(&self, name: &Name) -> Option<T> {
        let line = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let place = *state.places.get(name)?;
            state.read(place).ok()?
        };
        let line: Line<T> = serde_json::from_slice(&line).ok()?;
        (line.key == hex(name)).then_some(line.answer)
    }

    /// Keeps an answer.
    pub(crate) fn put<T: Serialize>(&self, name: &Name, answer: &T) -> Result<(), String> {
        let fault =
            |error: &dyn std::fmt::Display| format!("cache {}: {error}", self.folder.display());
        let line = Line { key: hex(name), answer };
        let mut line = serde_json::to_vec(&line).map_err(|error| fault(&error))?;
        line.push(b'\n');
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.append(&self.folder, name, &line).map_err(|error| fault(&error))
    }
}

impl State {
    /// Notes where the lines of the next file begin; stops at a line without an end.
    fn index(&mut self, file: &File) -> std::io::Result<()> {
        let number = self.files.len() as u32;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let (mut line, mut offset) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            if let Some(name) = named(&line) {
                let place = Place { file: number, offset, bytes: line.len() as u32 };
                self.places.insert(name, place);
            }
            offset += read;
        }
    }

    fn read(&mut self, place: Place) -> std::io::Result<Vec<u8>> {
        let file = &mut self.files[place.file as usize];
        let mut line = vec![0; place.bytes as usize];
        file.seek(SeekFrom::Start(place.offset))?;
        file.read_exact(&mut line)?;
        Ok(line)
    }

    fn append(&mut self, folder: &Path, name: &Name, line: &[u8]) -> std::io::Result<()> {
        let (number, offset) = if let Some(own) = self.own {
            own
        } else {
            let file = create(folder)?;
            self.files.push(file);
            (self.files.len() as u32 - 1, 0)
        };
        // In append mode: where a look-up has left the file does not matter. After a write
        // that failed half-way the offset is not known, so the next line gets a new file.
        self.own = None;
        self.files[number as usize].write_all(line)?;
        self.own = Some((number, offset + line.len() as u64));
        let place = Place { file: number, offset, bytes: line.len() as u32 };
        self.places.insert(*name, place);
        Ok(())
    }
}

/// A file of this process alone.
fn create(folder: &Path) -> std::io::Result<File> {
    let mut number = 0_u64;
    loop {
        let path = folder.join(format!("answers-{number:06}.jsonl"));
        match OpenOptions::new().read(true).append(true).create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            result => return result,
        }
    }
}

const HEAD: &[u8] = b"{\"key\":\"";

/// The name at the head of a line, read without parsing the rest.
fn named(line: &[u8]) -> Option<Name> {
    let digits = line.strip_prefix(HEAD)?.get(..64)?;
    let mut name = [0; 32];
    for (byte, pair) in name.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(name)
}

fn hex(name: &Name) -> String {
    name.iter().fold(String::with_capacity(64), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_there_again_and_differ_by_sample() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (name("u", b"{}", 0), name("u", b"{}", 1));
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.get::<String>(&one), None);
        cache.put(&one, &"a").unwrap();
        cache.put(&two, &"b").unwrap();
        assert_eq!(cache.get::<String>(&one).unwrap(), "a");
        cache.put(&name("u", b"{}", 2), &"c").unwrap();
        let again = Cache::open(folder.path()).unwrap();
        assert_eq!(again.get::<String>(&two).unwrap(), "b");
        assert_eq!(again.get::<String>(&name("u", b"{}", 2)).unwrap(), "c");
    }

    #[test]
    fn processes_write_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let caches = [Cache::open(folder.path()).unwrap(), Cache::open(folder.path()).unwrap()];
        for (sample, cache) in caches.iter().enumerate() {
            cache.put(&name("u", b"{}", sample as u32), &sample).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let third = Cache::open(folder.path()).unwrap();
        assert_eq!(third.get::<usize>(&name("u", b"{}", 1)), Some(1));
    }

    #[test]
    fn a_line_without_an_end_and_lines_that_are_not_ours_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let kept = name("u", b"{}", 0);
        Cache::open(folder.path()).unwrap().put(&kept, &"a").unwrap();
        let path = folder.path().join("answers-000000.jsonl");
        let mut bytes = b"nonsense\n{\"key\":\"zz\n".to_vec();
        bytes.extend(std::fs::read(&path).unwrap());
        bytes.extend(format!("{{\"key\":\"{}\",\"answ", hex(&name("u", b"{}", 1))).bytes());
        std::fs::write(&path, bytes).unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.get::<String>(&kept).unwrap(), "a");
        assert_eq!(cache.get::<String>(&name("u", b"{}", 1)), None);
    }

    #[test]
    fn an_answer_of_another_form_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(&name("u", b"{}", 0), &"text").unwrap();
        assert_eq!(cache.get::<u32>(&name("u", b"{}", 0)), None);
    }
}
