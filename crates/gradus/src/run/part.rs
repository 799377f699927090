use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Monitor, RunError, appended, files};

const ROWS_BETWEEN_FLUSHES: u32 = 256;
const TIME_BETWEEN_FLUSHES: Duration = Duration::from_secs(1);

/// A file of rows keyed by (problem, sample), appended in any order as rows finish.
///
/// Until [`Part::finish`] it is `<file>.part`, from which work that was killed
/// goes on; then it is `<file>`, sorted by problem (as text) and sample, so that
/// the bytes do not depend on the order of the work. Memory: an offset per row.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    unfinished: PathBuf,
    writer: BufWriter<File>,
    end: u64,
    rows: BTreeMap<Box<str>, BTreeMap<u32, Place>>,
    unflushed: u32,
    flushed: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    bytes: u32,
}

#[derive(Deserialize)]
struct Key {
    problem: String,
    sample: u32,
}

impl Part {
    /// Opens `path`'s part file and reads which rows are there.
    pub(super) fn open(path: &Path, monitor: &Monitor) -> Result<Self, RunError> {
        let unfinished = part_path(path);
        if path.exists() {
            // Finished before, while the stage around it was not: a later stop must not lose it.
            std::fs::rename(path, &unfinished).map_err(RunError::io("rename", path))?;
        }
        let mut rows: BTreeMap<Box<str>, BTreeMap<u32, Place>> = BTreeMap::new();
        let mut end = 0;
        let file = appended::open(&unfinished, monitor, |offset, line| {
            let key: Key = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let place = Place { offset, bytes: row_bytes(line.len() + 1)? };
            insert(&mut rows, &key.problem, key.sample, place)?;
            end = offset + u64::from(place.bytes);
            Ok(())
        })?;
        let writer = BufWriter::with_capacity(1 << 16, file);
        let path = path.to_owned();
        Ok(Self { path, unfinished, writer, end, rows, unflushed: 0, flushed: Instant::now() })
    }

    /// Whether the row is there already.
    pub fn done(&self, problem: &str, sample: u32) -> bool {
        self.rows.get(problem).is_some_and(|samples| samples.contains_key(&sample))
    }

    /// How many rows are there.
    pub fn len(&self) -> usize {
        self.rows.values().map(BTreeMap::len).sum()
    }

    /// Whether no row is there yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends a row, whose fields `problem` and `sample` must hold the key given.
    ///
    /// Rows reach the disk in batches, at the latest with the first row a second later.
    /// A key that is there already is an error.
    pub fn append(
        &mut self,
        problem: &str,
        sample: u32,
        row: &impl Serialize,
    ) -> Result<(), RunError> {
        let bug = |reason: String| {
            RunError::Internal(format!("row of problem {problem:?} sample {sample}: {reason}"))
        };
        let mut line = serde_json::to_string(row).map_err(|error| bug(error.to_string()))?;
        let key: Key = serde_json::from_str(&line).map_err(|error| bug(error.to_string()))?;
        if key.problem != problem || key.sample != sample {
            return Err(bug(format!("holds the key {:?} {}", key.problem, key.sample)));
        }
        line.push('\n');
        let place = Place { offset: self.end, bytes: row_bytes(line.len()).map_err(bug)? };
        insert(&mut self.rows, problem, sample, place).map_err(bug)?;
        self.end += u64::from(place.bytes);
        self.unflushed += 1;
        self.writer.write_all(line.as_bytes()).map_err(RunError::io("write", &self.unfinished))?;
        if self.unflushed >= ROWS_BETWEEN_FLUSHES || self.flushed.elapsed() >= TIME_BETWEEN_FLUSHES
        {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands all rows to the system, so that a kill loses none of them.
    pub fn flush(&mut self) -> Result<(), RunError> {
        self.writer.flush().map_err(RunError::io("write", &self.unfinished))?;
        (self.unflushed, self.flushed) = (0, Instant::now());
        Ok(())
    }

    /// Writes the rows sorted, as a whole file; the part file goes.
    pub fn finish(mut self) -> Result<PathBuf, RunError> {
        self.flush()?;
        let rows = self.writer.get_mut();
        let mut row = Vec::new();
        let mut at = u64::MAX;
        files::replace(&self.path, |file| {
            let mut sorted = BufWriter::with_capacity(1 << 16, file);
            for place in self.rows.values().flat_map(BTreeMap::values) {
                if at != place.offset {
                    rows.seek(SeekFrom::Start(place.offset))?;
                }
                row.resize(place.bytes as usize, 0);
                rows.read_exact(&mut row)?;
                sorted.write_all(&row)?;
                at = place.offset + u64::from(place.bytes);
            }
            sorted.flush()
        })?;
        files::remove(&self.unfinished)?;
        Ok(self.path)
    }
}

fn part_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn row_bytes(len: usize) -> Result<u32, String> {
    u32::try_from(len).map_err(|_| "the row is longer than 4 GiB".into())
}

fn insert(
    rows: &mut BTreeMap<Box<str>, BTreeMap<u32, Place>>,
    problem: &str,
    sample: u32,
    place: Place,
) -> Result<(), String> {
    if !rows.contains_key(problem) {
        rows.insert(problem.into(), BTreeMap::new());
    }
    let samples = rows.get_mut(problem).expect("it was inserted just now");
    match samples.insert(sample, place) {
        None => Ok(()),
        Some(_) => Err(format!("problem {problem:?} sample {sample} is there twice")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::super::Event;
    use super::*;

    fn row(problem: &str, sample: u32) -> serde_json::Value {
        json!({"problem": problem, "sample": sample, "text": "answer"})
    }

    fn open(folder: &Path) -> Part {
        Part::open(&folder.join("samples.jsonl"), &Monitor::silent()).unwrap()
    }

    fn fill(part: &mut Part, keys: &[(&str, u32)]) {
        for &(problem, sample) in keys {
            if !part.done(problem, sample) {
                part.append(problem, sample, &row(problem, sample)).unwrap();
            }
        }
    }

    #[test]
    fn the_order_of_the_work_does_not_show() {
        let keys = [("b", 1), ("a", 10), ("a", 9), ("b", 0)];
        let texts: Vec<String> = [false, true]
            .into_iter()
            .map(|reversed| {
                let folder = tempfile::tempdir().unwrap();
                let mut keys = keys.to_vec();
                if reversed {
                    keys.reverse();
                }
                let mut part = open(folder.path());
                fill(&mut part, &keys);
                let path = part.finish().unwrap();
                assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
                std::fs::read_to_string(path).unwrap()
            })
            .collect();
        assert_eq!(texts[0], texts[1]);
        let order: Vec<&str> = texts[0].lines().collect();
        let expected = [("a", 9), ("a", 10), ("b", 0), ("b", 1)];
        assert_eq!(order, expected.map(|(problem, sample)| row(problem, sample).to_string()));
    }

    #[test]
    fn a_killed_part_goes_on_with_the_rows_that_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("samples.jsonl.part");
        let text = format!("{}\n{}\n{{\"problem\":\"b", row("a", 1), row("a", 0));
        std::fs::write(part, text).unwrap();
        let notes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&notes);
        let monitor =
            Monitor::new(move |event| seen.lock().unwrap().push(event.clone()), Arc::default());
        let mut part = Part::open(&folder.path().join("samples.jsonl"), &monitor).unwrap();
        let Event::Note { text } = &notes.lock().unwrap()[0] else { panic!("no note") };
        assert!(text.contains("samples.jsonl.part:3: the line is cut off"), "{text}");
        assert!(part.done("a", 0) && part.done("a", 1) && !part.done("b", 0));
        fill(&mut part, &[("a", 0), ("b", 0)]);
        let text = std::fs::read_to_string(part.finish().unwrap()).unwrap();
        assert_eq!(text, format!("{}\n{}\n{}\n", row("a", 0), row("a", 1), row("b", 0)));
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{}\n{{\"problem\":\"b\n{}\n", row("a", 0), row("a", 1));
        std::fs::write(folder.path().join("samples.jsonl.part"), text).unwrap();
        let error =
            Part::open(&folder.path().join("samples.jsonl"), &Monitor::silent()).unwrap_err();
        assert!(matches!(error, RunError::Row { line: 2, .. }), "{error}");
        assert!(error.to_string().contains("samples.jsonl.part:2: "), "{error}");
    }

    #[test]
    fn a_finished_part_of_an_unfinished_stage_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = open(folder.path());
        fill(&mut part, &[("b", 0)]);
        part.finish().unwrap();
        let mut part = open(folder.path());
        assert!(part.done("b", 0) && part.len() == 1);
        fill(&mut part, &[("a", 0)]);
        let text = std::fs::read_to_string(part.finish().unwrap()).unwrap();
        assert_eq!(text, format!("{}\n{}\n", row("a", 0), row("b", 0)));
    }

    #[test]
    fn a_key_appended_twice_or_not_in_its_row_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = open(folder.path());
        fill(&mut part, &[("a", 0)]);
        let error = part.append("a", 0, &row("a", 0)).unwrap_err();
        assert!(error.to_string().contains("problem \"a\" sample 0 is there twice"), "{error}");
        assert!(part.append("a", 1, &row("a", 2)).is_err());
    }
}
