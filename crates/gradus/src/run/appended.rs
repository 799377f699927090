use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use super::{Monitor, RunError};

/// Opens a file of lines that an earlier process may have been killed while appending to.
///
/// Hands each line with its offset (in bytes) to `each`. A last line that is cut
/// off or refused is removed, with a note; one before the last is an error.
pub(super) fn open(
    path: &Path,
    monitor: &Monitor,
    mut each: impl FnMut(u64, &str) -> Result<(), String>,
) -> Result<File, RunError> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(RunError::io("open", path))?;
    let mut reader = BufReader::new(&mut file);
    let mut bytes = Vec::new();
    let (mut offset, mut line) = (0u64, 0u64);
    let kept = loop {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes).map_err(RunError::io("read", path))?;
        line += 1;
        if read == 0 {
            break offset;
        }
        let outcome = match bytes.strip_suffix(b"\n").map(std::str::from_utf8) {
            None => Err("the line is cut off".to_owned()),
            Some(Err(_)) => Err("the line is not UTF-8".to_owned()),
            Some(Ok(text)) => each(offset, text),
        };
        match outcome {
            Ok(()) => offset += read as u64,
            Err(reason) => {
                let more = reader.fill_buf().map_err(RunError::io("read", path))?;
                if !more.is_empty() {
                    return Err(RunError::Row { file: path.to_owned(), line, reason });
                }
                monitor.note(format!(
                    "{}:{line}: {reason}; the line was being written when the last run ended, \
                     and is removed",
                    path.display()
                ));
                break offset;
            }
        }
    };
    drop(reader);
    file.set_len(kept)
        .and_then(|()| file.seek(SeekFrom::Start(kept)))
        .map_err(RunError::io("repair", path))?;
    Ok(file)
}
