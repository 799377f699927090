use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::error::Category;

use super::{
    DataError, FieldError, Fields, PARQUET, ParquetRows, ParquetTable, Row, RowError, compressed,
};

/// Reads rows one by one, in constant memory; `-` is standard input; gzip, Zstandard and
/// Parquet (with the feature `parquet`) are recognised by their first bytes. Empty lines are
/// skipped. In Parquet a field is a column, and lines are rows.
pub fn read<R: Row>(path: impl AsRef<Path>) -> Result<Rows<R>, DataError> {
    let path = path.as_ref();
    let mut lines = compressed::open(path)?;
    if lines.fill_buf().map_err(DataError::io("read", path))?.starts_with(PARQUET) {
        let rows = Source::Parquet(Box::new(ParquetRows::open(path)?));
        return Ok(Rows { file: shown(path), source: rows, noun: PhantomData });
    }
    Ok(Rows::new(shown(path), lines))
}

/// As [`read`], of lines that were opened, and perhaps changed, by the caller; `path` is
/// for messages.
pub(crate) fn read_lines<R: Row>(path: &Path, lines: Box<dyn BufRead + Send>) -> Rows<R> {
    Rows::new(shown(path), lines)
}

/// The name of a file in messages.
pub(super) fn shown(path: &Path) -> PathBuf {
    if path.as_os_str() == "-" { "standard input".into() } else { path.to_owned() }
}

/// Reads all rows; the first that is wrong is the error.
pub fn read_all<R: Row>(path: impl AsRef<Path>) -> Result<Vec<R>, DataError> {
    read(path)?.collect()
}

/// The rows of a file. A wrong row does not end them: the next is the line after it.
pub struct Rows<R> {
    file: PathBuf,
    source: Source,
    noun: PhantomData<fn() -> R>,
}

enum Source {
    Lines(Lines),
    Parquet(Box<ParquetRows>),
}

struct Lines {
    source: Box<dyn BufRead + Send>,
    bytes: Vec<u8>,
    line: u64,
    ended: bool,
}

impl<R> Rows<R> {
    /// The rows of a file that is open already.
    pub(super) fn new(file: PathBuf, lines: Box<dyn BufRead + Send>) -> Self {
        let lines = Lines { source: lines, bytes: Vec::new(), line: 0, ended: false };
        Self { file, source: Source::Lines(lines), noun: PhantomData }
    }

    /// The line that was read last, from 1; of Parquet the row.
    pub fn line(&self) -> u64 {
        match &self.source {
            Source::Lines(lines) => lines.line,
            Source::Parquet(rows) => rows.row(),
        }
    }

    /// Length of that line in bytes; of Parquet roughly that of the row.
    pub fn bytes(&self) -> usize {
        match &self.source {
            Source::Lines(lines) => lines.bytes.len(),
            Source::Parquet(rows) => rows.bytes(),
        }
    }

    /// The file, as errors name it.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl<R: Row> Iterator for Rows<R> {
    type Item = Result<R, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Lines(lines) => lines.next(&self.file),
            Source::Parquet(rows) => next_parquet(rows, &self.file),
        }
    }
}

impl Lines {
    fn next<R: Row>(&mut self, file: &Path) -> Option<Result<R, DataError>> {
        while !self.ended {
            self.bytes.clear();
            match self.source.read_until(b'\n', &mut self.bytes) {
                Err(source) => {
                    self.ended = true;
                    return Some(Err(DataError::io("read", file)(source)));
                }
                Ok(_) => self.ended = self.bytes.last() != Some(&b'\n'),
            }
            self.line += 1;
            let bytes = match self.line {
                1 => self.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.bytes),
                _ => &self.bytes,
            };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(parse(bytes).map_err(|problem| self.error(file, problem)));
        }
        None
    }

    fn error(&self, file: &Path, error: LineError) -> DataError {
        let LineError { cut_short, field, found, expected } = error;
        let error = RowError { file: file.to_owned(), line: self.line, field, found, expected };
        if cut_short && self.ended { DataError::CutShort(error) } else { DataError::Row(error) }
    }
}

/// The next row of a Parquet file as a noun.
pub(super) fn next_parquet<R: Row>(
    rows: &mut ParquetRows,
    file: &Path,
) -> Option<Result<R, DataError>> {
    let columns = match rows.next_row()? {
        Ok(columns) => columns,
        Err(error) => return Some(Err(error)),
    };
    let row = whole(&mut columns.into_iter().collect());
    Some(row.map_err(|FieldError { field, found, expected }| {
        let (file, line) = (file.to_owned(), rows.row());
        DataError::Row(RowError { file, line, field: Some(field), found, expected })
    }))
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

struct LineError {
    /// More bytes could have made the line right.
    cut_short: bool,
    field: Option<String>,
    found: String,
    expected: String,
}

impl From<FieldError> for LineError {
    fn from(FieldError { field, found, expected }: FieldError) -> Self {
        Self { cut_short: false, field: Some(field), found, expected }
    }
}

fn parse<R: Row>(bytes: &[u8]) -> Result<R, LineError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        LineError {
            cut_short: error.error_len().is_none(),
            field: None,
            found: format!("byte {:#04x} at byte {} of the line", bytes[at], at + 1),
            expected: "UTF-8".into(),
        }
    })?;
    // Without the end of the line, which a string that was cut off would be blamed on.
    let text = text.trim_end_matches(['\r', '\n']);
    let mut fields: Fields = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let found = if error.classify() == Category::Data {
            let reason = message.split(", expected").next().unwrap_or(&message);
            reason.trim_start_matches("invalid type: ").to_owned()
        } else {
            let reason = message.split(" at line ").next().unwrap_or(&message);
            format!("\"{reason}\" at byte {} of the line", error.column())
        };
        LineError {
            cut_short: error.classify() == Category::Eof,
            field: None,
            found,
            expected: format!("one {} as a JSON object", R::NOUN),
        }
    })?;
    Ok(whole(&mut fields)?)
}

/// A row that uses all of its fields.
fn whole<R: Row>(fields: &mut Fields) -> Result<R, FieldError> {
    let row = R::from_fields(fields)?;
    match fields.names().next() {
        None => Ok(row),
        Some(name) => {
            let expected = format!("no such field in a {}", R::NOUN);
            Err(FieldError::new(name, "it", expected))
        }
    }
}

/// One row as JSON, without the newline; fields in the order of the type.
pub fn to_line(row: &impl Serialize) -> String {
    serde_json::to_string(row).expect("rows have string keys and nothing that fails")
}

/// Writes all rows as a whole file, as [`Writer`] does.
pub fn write_all<R: Serialize>(
    path: impl AsRef<Path>,
    rows: impl IntoIterator<Item = R>,
) -> Result<(), DataError> {
    let mut writer = Writer::create(path)?;
    for row in rows {
        writer.write(&row)?;
    }
    writer.finish()
}

/// Writes rows under a temporary name in the same folder. [`Writer::finish`]
/// gives the file its name once all is on the disk; until then, and if the writer
/// is dropped instead, a file that had the name before stays as it was.
///
/// A name that ends in `.parquet` makes a Parquet file (with the feature `parquet`), whose
/// columns are held in memory until then and are flat: a list is an error.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    temporary: PathBuf,
    rows: BufWriter<File>,
    table: Option<ParquetTable>,
    finished: bool,
}

impl Writer {
    /// Starts a file.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref().to_owned();
        let is_table = path.extension().is_some_and(|extension| extension == "parquet");
        let table = is_table.then(|| ParquetTable::new(&path)).transpose()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .map_err(DataError::io("write", &path))?;
        let rows = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { path, temporary, rows, table, finished: false })
    }

    /// Adds a row.
    pub fn write(&mut self, row: &impl Serialize) -> Result<(), DataError> {
        let mut line = to_line(row);
        if let Some(table) = &mut self.table {
            // The way over JSON keeps the order of the fields.
            let fields: Fields = serde_json::from_str(&line).map_err(|_| {
                DataError::Row(RowError {
                    file: self.path.clone(),
                    line: 1,
                    field: None,
                    found: "a row without names".into(),
                    expected: "one object a row".into(),
                })
            })?;
            return table.push({ fields }.columns());
        }
        line.push('\n');
        self.rows.write_all(line.as_bytes()).map_err(DataError::io("write", &self.path))
    }

    /// Adds a row that is a line of JSON already, without its newline.
    pub fn write_line(&mut self, line: &str) -> Result<(), DataError> {
        let rows = &mut self.rows;
        rows.write_all(line.as_bytes())
            .and_then(|()| rows.write_all(b"\n"))
            .map_err(DataError::io("write", &self.path))
    }

    /// Flushes to the disk and gives the file its name.
    pub fn finish(mut self) -> Result<(), DataError> {
        if let Some(table) = self.table.take() {
            table.write(&mut self.rows)?;
        }
        self.rows
            .flush()
            .and_then(|()| self.rows.get_ref().sync_all())
            .and_then(|()| std::fs::rename(&self.temporary, &self.path))
            .map_err(DataError::io("write", &self.path))?;
        self.finished = true;
        self.path.parent().map_or(Ok(()), sync_folder).map_err(DataError::io("write", &self.path))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a folder's list of names durable, where the system can (elsewhere it does so
/// itself); an empty path is the parent of a bare name.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::super::{Completion, FinishReason, Grade, Metadata, Problem, Span, StepScores};
    use super::*;

    fn file(contents: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, contents).unwrap();
        (folder, path)
    }

    fn problems(contents: impl AsRef<[u8]>) -> Vec<Result<Problem, DataError>> {
        read(file(contents).1).unwrap().collect()
    }

    /// The message of the only row, after the folder's name.
    fn message<R: Row>(contents: impl AsRef<[u8]>) -> String {
        let (_folder, path) = file(contents);
        let mut rows = read::<R>(&path).unwrap();
        let message = rows.next().unwrap().map(|_| ()).unwrap_err().to_string();
        message.split("rows.jsonl").last().unwrap().to_owned()
    }

    const A: &str = r#"{"id": "a", "question": "1 + 1"}"#;

    #[test]
    fn empty_lines_a_byte_order_mark_and_windows_line_ends_are_no_rows() {
        let rows = problems(format!("\u{feff}{A}\r\n\n  \t\r\n{A}\n\n"));
        let ids: Vec<_> = rows.into_iter().map(|row| row.unwrap().id).collect();
        assert_eq!(ids, ["a", "a"]);
        assert!(problems("").is_empty());
    }

    #[test]
    fn a_last_line_without_newline_is_read_if_it_is_whole() {
        assert_eq!(problems(A).len(), 1);
        assert!(problems(A)[0].is_ok());
    }

    #[test]
    fn a_line_cut_short_is_told_apart_only_at_the_end_of_the_file() {
        for cut in [1, 5, A.len() - 1] {
            let rows = problems(format!("{A}\n{}", &A[..cut]));
            assert!(
                matches!(&rows[..], [Ok(_), Err(DataError::CutShort(error))] if error.line == 2)
            );
            let rows = problems(format!("{A}\n{}\n{A}\n", &A[..cut]));
            assert!(
                matches!(&rows[..], [Ok(_), Err(DataError::Row(error)), Ok(_)] if error.line == 2)
            );
        }
        let inside_a_character = &"{\"id\": \"é".as_bytes()[..9];
        assert!(matches!(&problems(inside_a_character)[..], [Err(DataError::CutShort(_))]));
    }

    #[test]
    fn each_mistake_is_a_sentence_with_line_field_found_and_expected() {
        for (row, expected) in [
            (
                &b"\n{\"id\": \"a\", \"question\": \"\xe9\"}\n"[..],
                ":2: found byte 0xe9 at byte 26 of the line, expected UTF-8",
            ),
            (
                b"[1]\n",
                ":1: found sequence, \
                expected one problem as a JSON object",
            ),
            (
                b"{\"id\" \"a\"}\n",
                ":1: found \"expected `:`\" at byte 7 of the line, \
                expected one problem as a JSON object",
            ),
            (b"{\"id\": \"a\"}\n", ":1: question: found nothing, expected a string"),
            (
                b"{\"id\": \"a\", \"question\": null}\n",
                ":1: question: found nothing, expected a string",
            ),
            (
                b"{\"id\": \"a\", \"question\": \"\", \"level\": \"5\"}\n",
                ":1: level: found \"5\", expected a whole number from 0 to 4294967295",
            ),
            (
                b"{\"id\": \"a\"",
                ":1: found \"EOF while parsing an object\" at byte 10 of the line, \
                expected one problem as a JSON object; this last line is cut short, \
                all lines before it are whole",
            ),
        ] {
            assert_eq!(message::<Problem>(row), expected);
        }
        assert_eq!(
            message::<StepScores>(r#"{"problem": "a", "sample": 0, "scores": [0.5, 1.5]}"#),
            ":1: scores[1]: found 1.5, expected a probability in 0..=1"
        );
        assert_eq!(
            message::<Grade>(r#"{"verdict": "correct", "reason": "exact", "note": 1}"#),
            ":1: note: found it, expected no such field in a grade"
        );
    }

    #[test]
    fn nesting_without_end_is_an_error_and_not_a_crash() {
        let deep = format!("{{\"id\": {}\n", "[".repeat(100_000));
        assert!(message::<Problem>(deep).contains("recursion limit exceeded"));
    }

    #[test]
    fn ids_and_answers_may_be_numbers_and_unknown_fields_are_kept() {
        let row =
            r#"{"id": 7, "question": "?", "answer": 18, "url": "u", "metadata": {"split": 1}}"#;
        let problem = problems(row).swap_remove(0).unwrap();
        assert_eq!((problem.id.as_str(), problem.answer.as_deref()), ("7", Some("18")));
        assert_eq!(
            to_line(&problem),
            r#"{"id":"7","question":"?","answer":"18","metadata":{"split":1,"url":"u"}}"#
        );
    }

    #[test]
    fn written_rows_have_their_fields_in_the_order_of_the_type() {
        let completion = Completion {
            problem: "p".into(),
            sample: 2,
            text: "5\n# 5".into(),
            steps: vec![Span { start: 0, end: 1 }],
            log_prob: Some(-0.25),
            finish_reason: Some(FinishReason::Stop),
            model: Some("m".into()),
            seed: Some(u64::MAX),
            metadata: Metadata::from_iter([("b".into(), 1.into()), ("a".into(), 2.into())]),
        };
        assert_eq!(
            to_line(&completion),
            r#"{"problem":"p","sample":2,"text":"5\n# 5","steps":[{"start":0,"end":1}],"#
                .to_owned()
                + r#""log_prob":-0.25,"finish_reason":"stop","model":"m","seed":18446744073709551615,"#
                + r#""metadata":{"a":2,"b":1}}"#
        );
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let (folder, path) = file("before\n");
        let mut writer = Writer::create(&path).unwrap();
        writer.write(&Problem::default()).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\n");
        write_all(&path, &[Problem::default()]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"id\":\"\",\"question\":\"\"}\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_or_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = |error: DataError, reason: &str| {
            let message = error.to_string();
            assert!(message.starts_with("cannot ") && message.ends_with(reason), "{message}");
        };
        let missing = folder.path().join("none/rows.jsonl");
        check(
            read_all::<Problem>(&missing).unwrap_err(),
            "none/rows.jsonl: no such file or directory",
        );
        check(write_all(&missing, [0]).unwrap_err(), "none/rows.jsonl: no such file or directory");
        check(read_all::<Problem>(folder.path()).unwrap_err(), ": it is a directory");
        #[cfg(target_os = "linux")]
        {
            // Every write there fails as on a full disk.
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let path = folder.path().join("rows.jsonl");
            let mut writer = Writer::create(&path).unwrap();
            writer.rows = BufWriter::new(full);
            writer.write(&Problem::default()).unwrap();
            check(writer.finish().unwrap_err(), "rows.jsonl: the disk is full");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    prop_compose! {
        fn metadata()(text in ".*", number in any::<f64>(), whole in any::<i64>()) -> Metadata {
            Metadata::from_iter([
                ("text".into(), text.into()),
                ("nested".into(), serde_json::json!({"a": [number, whole, null]})),
            ])
        }
    }

    prop_compose! {
        fn completion()(
            problem in ".*",
            sample in any::<u32>(),
            text in "(?s).{1,9}",
            log_prob in proptest::option::of(-1e300..0.0),
            length in any::<bool>(),
            model in proptest::option::of(".*"),
            seed in proptest::option::of(any::<u64>()),
            metadata in metadata(),
        ) -> Completion {
            let finish_reason = length.then_some(FinishReason::Length);
            let steps = text.char_indices().map(|(start, c)| Span { start, end: start + c.len_utf8() });
            let steps = steps.collect();
            Completion { problem, sample, text, steps, log_prob, finish_reason, model, seed, metadata }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read_back_to_the_last_bit(row in completion()) {
            let (_folder, path) = file("");
            write_all(&path, [&row, &row]).unwrap();
            prop_assert_eq!(read_all::<Completion>(&path).unwrap(), [row.clone(), row]);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            for row in problems(bytes) {
                drop(row);
            }
        }
    }
}
