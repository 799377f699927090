//! inspect's `.eval` files: a ZIP archive with `header.json` and `samples/<id>_epoch_<n>.json`.
//!
//! Only what inspect writes is read: entries stored or deflated, or compressed with Zstandard
//! (method 93); sizes are taken from the central directory, ZIP64 included.

use std::io::Read;

use flate2::read::DeflateDecoder;

/// Name and bytes of each file in an archive, in the order of the directory; the error is
/// what is wrong with it.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let cut = || "an archive that is cut short".to_owned();
    let u16_at =
        |at: usize| bytes.get(at..at + 2).map(|b| u64::from(u16::from_le_bytes([b[0], b[1]])));
    let u32_at = |at: usize| {
        bytes.get(at..at + 4).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
    };
    let u64_at = |at: usize| Some(u32_at(at)? | u32_at(at + 4)? << 32);
    // The end record stands within its largest comment of the end.
    let from = bytes.len().saturating_sub(65_557);
    let end = (from..bytes.len().saturating_sub(21))
        .rev()
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06"));
    let end = end.ok_or("no ZIP archive")?;
    let (mut count, mut at) =
        (u16_at(end + 10).ok_or_else(cut)?, u32_at(end + 16).ok_or_else(cut)?);
    if (count == 0xffff || at == 0xffff_ffff)
        && end >= 20
        && bytes[end - 20..].starts_with(b"PK\x06\x07")
    {
        let large = u64_at(end - 12).ok_or_else(cut)? as usize;
        if large > bytes.len() {
            return Err(cut());
        }
        (count, at) = (u64_at(large + 32).ok_or_else(cut)?, u64_at(large + 48).ok_or_else(cut)?);
    }
    let inside = |at: u64| if at <= bytes.len() as u64 { Ok(at as usize) } else { Err(cut()) };
    let mut at = inside(at)?;
    let mut found = Vec::new();
    for _ in 0..count {
        if !bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
            return Err(cut());
        }
        let field = |offset: usize| u16_at(at + offset).ok_or_else(cut);
        let (method, name_size, extra, comment) = (field(10)?, field(28)?, field(30)?, field(32)?);
        let mut packed = u32_at(at + 20).ok_or_else(cut)?;
        let mut size = u32_at(at + 24).ok_or_else(cut)?;
        let mut local = u32_at(at + 42).ok_or_else(cut)?;
        let name = bytes.get(at + 46..at + 46 + name_size as usize).ok_or_else(cut)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let extra_at = at + 46 + name_size as usize;
        if let Some(mut large) =
            zip64(bytes.get(extra_at..extra_at + extra as usize).ok_or_else(cut)?)
        {
            for value in [&mut size, &mut packed, &mut local] {
                if *value == 0xffff_ffff {
                    *value = large.next().ok_or_else(cut)?;
                }
            }
        }
        let (local, packed) = (inside(local)?, inside(packed)?);
        let skip = u16_at(local + 26).zip(u16_at(local + 28)).ok_or_else(cut)?;
        let start = local + 30 + (skip.0 + skip.1) as usize;
        let data = bytes.get(start..start + packed).ok_or_else(cut)?;
        found.push((name, unpack(method, data, size)?));
        at = extra_at + (extra + comment) as usize;
    }
    Ok(found)
}

/// The 64-bit values of an entry whose 32-bit ones are full.
fn zip64(mut extra: &[u8]) -> Option<impl Iterator<Item = u64> + '_> {
    while extra.len() >= 4 {
        let size = usize::from(u16::from_le_bytes([extra[2], extra[3]]));
        let body = extra.get(4..4 + size)?;
        if extra[..2] == [1, 0] {
            let values = body.chunks_exact(8);
            return Some(
                values.map(|value| {
                    value.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
                }),
            );
        }
        extra = &extra[4 + size..];
    }
    None
}

fn unpack(method: u64, data: &[u8], size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    match method {
        0 => bytes.extend_from_slice(data),
        8 => {
            // One byte more than it should have tells an entry that is too long.
            let read =
                DeflateDecoder::new(data).take(size.saturating_add(1)).read_to_end(&mut bytes);
            read.map_err(|error| format!("an entry that cannot be unpacked ({error})"))?;
        }
        93 => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(data);
            let decoder =
                decoder.map_err(|error| format!("an entry that cannot be unpacked ({error})"))?;
            let read = decoder.take(size.saturating_add(1)).read_to_end(&mut bytes);
            read.map_err(|error| format!("an entry that cannot be unpacked ({error})"))?;
        }
        other => return Err(format!("an entry packed with method {other}")),
    }
    if bytes.len() as u64 == size {
        Ok(bytes)
    } else {
        Err("an entry of another size than stated".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's zipfile: `a.txt` stored with "hello", `b.json` deflated with 60 zeros in a list.
    const ARCHIVE: &[u8] = include_bytes!("../../../tests/fixtures/difficulty/two_entries.zip");

    #[test]
    fn stored_and_deflated_entries_are_read() {
        let found = entries(ARCHIVE).unwrap();
        assert_eq!(found[0], ("a.txt".to_owned(), b"hello".to_vec()));
        assert_eq!(found[1].0, "b.json");
        assert_eq!(serde_json::from_slice::<Vec<u8>>(&found[1].1).unwrap(), [0; 60]);
    }

    #[test]
    fn a_damaged_archive_is_an_error_and_never_a_crash() {
        assert_eq!(entries(b"not a zip").unwrap_err(), "no ZIP archive");
        for cut in 0..ARCHIVE.len() {
            let _ = entries(&ARCHIVE[cut..]);
            let _ = entries(&ARCHIVE[..cut]);
            let mut damaged = ARCHIVE.to_vec();
            damaged[cut] = 0xff;
            let _ = entries(&damaged);
        }
    }
}
