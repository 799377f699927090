//! TensorBoard event files, by hand.
//!
//! A file is a series of records: length (u64, little-endian), its masked
//! CRC-32C, the bytes of a protobuf `Event`, their masked CRC-32C (TensorFlow's
//! `tfrecord` framing). Field numbers from `tensorflow/core/util/event.proto`
//! and `tensorflow/core/framework/summary.proto`.

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
    files::write(&path, &event_file(&rows, now.as_secs_f64()))?;
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
