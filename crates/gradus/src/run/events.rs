//! TensorBoard event files, by hand.
//!
//! A file is a series of records: length (u64, little-endian), its masked
//! CRC-32C, the bytes of a protobuf `Event`, their masked CRC-32C (TensorFlow's
//! `tfrecord` framing). Field numbers from `tensorflow/core/util/event.proto`
//! and `tensorflow/core/framework/summary.proto`. Checked once by hand:
//! `tensorboard` 2.21.0's `EventAccumulator` reads these files back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};

use super::{RunError, clock, files, lock};

/// Writes the rows of a `metrics.jsonl` as an event file in `folder`, which TensorBoard,
/// trackio and W&B read. `loss` becomes `train/loss` and `eval_loss` becomes `eval/loss`.
///
/// Metrics rows hold no time, so every event carries the time of writing.
pub fn write_events(metrics: &Path, folder: &Path) -> Result<PathBuf, RunError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let text = std::fs::read_to_string(metrics).map_err(RunError::io("read", metrics))?;
    let rows: Vec<Map<String, Value>> = (1..)
        .zip(text.lines())
        .map(|(line, row)| {
            serde_json::from_str(row).map_err(|error| RunError::Row {
                file: metrics.to_owned(),
                line,
                reason: error.to_string(),
            })
        })
        .collect::<Result<_, _>>()?;
    let now = clock::since_epoch();
    let name = format!(
        "events.out.tfevents.{}.{}.{}.{}",
        now.as_secs(),
        lock::host_name(),
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );
    files::make_folder(folder)?;
    let path = folder.join(name);
    files::write_file(&path, &event_file(&rows, now.as_secs_f64()))?;
    Ok(path)
}

fn event_file(rows: &[Map<String, Value>], wall_time: f64) -> Vec<u8> {
    let mut file = Vec::new();
    let mut event = Vec::new();
    double(&mut event, 1, wall_time);
    bytes(&mut event, 3, b"brain.Event:2");
    record(&mut file, &event);
    for row in rows {
        let mut summary = Vec::new();
        for (name, value) in row {
            let Some(number) = value.as_f64().filter(|_| name != "step") else { continue };
            let mut entry = Vec::new();
            bytes(&mut entry, 1, tag(name).as_bytes());
            float(&mut entry, 2, number as f32);
            bytes(&mut summary, 1, &entry);
        }
        event.clear();
        double(&mut event, 1, wall_time);
        varint_field(&mut event, 2, row.get("step").and_then(Value::as_u64).unwrap_or(0));
        bytes(&mut event, 5, &summary);
        record(&mut file, &event);
    }
    file
}

/// The names that TRL's trainers show in TensorBoard.
fn tag(name: &str) -> String {
    match name.strip_prefix("eval_") {
        Some(rest) => format!("eval/{rest}"),
        None => format!("train/{name}"),
    }
}

fn record(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked_crc(&length).to_le_bytes());
    file.extend(data);
    file.extend(masked_crc(data).to_le_bytes());
}

/// CRC-32C (Castagnoli), rotated and offset as `tensorflow/core/lib/hash/crc32c.h` does.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_field(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

fn float(out: &mut Vec<u8>, field: u64, value: f32) {
    varint(out, field << 3 | 5);
    out.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of an event file; fails on a wrong length or check sum.
    fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            let (length_crc, rest) = rest.split_at(4);
            assert_eq!(length_crc, masked_crc(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (data, rest) = rest.split_at(length);
            let (data_crc, rest) = rest.split_at(4);
            assert_eq!(data_crc, masked_crc(data).to_le_bytes());
            records.push(data.to_vec());
            file = rest;
        }
        records
    }

    // Examples of RFC 3720, appendix B.4 (32 bytes each).
    #[test]
    fn check_sums_agree_with_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&rising), 0x46dd_794e);
        assert_eq!(crc32c(&falling), 0x113f_db5c);
    }

    fn rows() -> Vec<Map<String, Value>> {
        ["{\"step\":300,\"loss\":0.5,\"grad_norm\":null}", "{\"step\":300,\"eval_loss\":0.25}"]
            .map(|row| serde_json::from_str(row).unwrap())
            .to_vec()
    }

    #[test]
    fn a_reader_that_checks_sums_finds_version_and_values() {
        let records = records(&event_file(&rows(), 1.0));
        assert_eq!(records.len(), 3);
        assert!(records[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        // wall_time 1.0; step 300; summary{value{tag "train/loss", simple_value 0.5}}.
        let expected = b"\x09\0\0\0\0\0\0\xf0\x3f\x10\xac\x02\x2a\x13\x0a\x11\x0a\x0atrain/loss\
                         \x15\0\0\0\x3f";
        assert_eq!(records[1], expected);
        assert!(records[2].windows(9).any(|window| window == b"eval/loss"));
    }
}
