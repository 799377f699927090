use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use gradus::data::Writer;
use gradus::run::{self, difference};
use serde::Deserialize;
use serde_json::Value;

use super::sample::answer;
use crate::args;
use crate::failure::Failure;
use crate::output::Output;
use crate::row_file::{self, Record, Status};
use crate::subset::Shard;

/// Put the shards of a job array together
///
/// Each SHARD is a file that `gradus sample` or `gradus logprob` filled under --shard K/N,
/// with its record beside it. All have the same config, each is there once and whole, and
/// no row stands in two; then the rows go to --out, sorted as each of them is.
///
/// Examples:
///   gradus sample problems.jsonl --model models/smol --shard 0/4 --out shard-0.jsonl
///   gradus merge shard-0.jsonl shard-1.jsonl shard-2.jsonl shard-3.jsonl --out rows.jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The files.
    #[arg(required = true, value_name = "SHARD")]
    shards: Vec<PathBuf>,
    /// The file of all rows.
    #[arg(long, value_name = "ROWS")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    if args.out.exists() {
        let message = format!("{} is there already", args.out.display());
        return Err(Failure::usage(message).hint("choose another --out"));
    }
    let records = args.shards.iter().map(|file| whole(file)).collect::<Result<Vec<_>, _>>()?;
    check(&args.shards, &records)?;
    let rows = merge(&args.shards, &args.out)?;
    let mut config = records[0].config.clone();
    config["shard"] = Value::Null;
    let record = Record {
        status: Status::Finished,
        config,
        expected: records.iter().map(|record| record.expected).sum(),
        rows,
        prompt_tokens: records.iter().map(|record| record.prompt_tokens).sum(),
        tokens: records.iter().map(|record| record.tokens).sum(),
        seconds: records.iter().map(|record| record.seconds).sum(),
        tool: gradus_studies::tool(),
        line: args::given(),
        started: records.iter().map(|record| record.started.clone()).min().unwrap_or_default(),
        resumed: Vec::new(),
        ended: Some(run::now()),
        ..records[0].clone()
    };
    row_file::write(&args.out, &record)?;
    Ok(answer(&args.out, &record, ""))
}

/// The record of a shard that has all of its rows.
fn whole(file: &Path) -> Result<Record, Failure> {
    let name = file.display();
    let Some(record) = row_file::read(file)? else {
        let message =
            format!("{name} has no record, expected {}", row_file::record_path(file).display());
        return Err(Failure::rows(message));
    };
    if record.status != Status::Finished || record.rows != record.expected {
        let message = format!("{name} has {} of {} rows", record.rows, record.expected);
        let line = run::resume_line(&record.line, file);
        return Err(Failure::rows(message).hint(format!("to finish it: {line}")));
    }
    Ok(record)
}

/// One config, and every shard of it once.
fn check(files: &[PathBuf], records: &[Record]) -> Result<(), Failure> {
    let mut shards = Vec::new();
    for (file, record) in files.iter().zip(records) {
        let name = file.display();
        let shard = record.config["shard"].as_str().and_then(|text| text.parse::<Shard>().ok());
        let Some(shard) = shard else {
            return Err(Failure::rows(format!("{name} was not made with --shard")));
        };
        let bare = |record: &Record| {
            let mut config = record.config.clone();
            config["shard"] = Value::Null;
            config["command"] = record.command.clone().into();
            config
        };
        if let Some(difference) = difference(&bare(&records[0]), &bare(record)) {
            let first = files[0].display();
            return Err(Failure::rows(format!(
                "{first} and {name} are not of one config: {difference}"
            )));
        }
        if let Some((other, _)) = shards.iter().find(|(_, known)| *known == shard) {
            let Shard { index, count } = shard;
            let other: &PathBuf = other;
            let message = format!("{} and {name} are both shard {index}/{count}", other.display());
            return Err(Failure::rows(message));
        }
        shards.push((file.clone(), shard));
    }
    let count = shards[0].1.count;
    if let Some((file, other)) = shards.iter().find(|(_, shard)| shard.count != count) {
        let message = format!(
            "{} is one of {} shards, the first one of {count}",
            file.display(),
            other.count
        );
        return Err(Failure::rows(message));
    }
    let missing: Vec<String> = (0..count)
        .filter(|&index| shards.iter().all(|(_, shard)| shard.index != index))
        .map(|index| format!("{index}/{count}"))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::rows(format!("missing shards: {}", missing.join(", "))));
    }
    Ok(())
}

/// The key of a row, by which files are sorted.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    problem: String,
    sample: u32,
}

/// A file of sorted rows, at one of them.
struct Sorted {
    file: PathBuf,
    lines: BufReader<File>,
    number: u64,
    line: String,
    key: Option<Key>,
}

impl Sorted {
    fn open(file: &Path) -> Result<Self, Failure> {
        let lines = File::open(file)
            .map_err(|error| Failure::rows(format!("cannot open {}: {error}", file.display())))?;
        let mut sorted = Self {
            file: file.to_owned(),
            lines: BufReader::with_capacity(1 << 16, lines),
            number: 0,
            line: String::new(),
            key: None,
        };
        sorted.advance()?;
        Ok(sorted)
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.line.clear();
        self.number += 1;
        let wrong = |reason: String| {
            Failure::rows(format!("{}:{}: {reason}", self.file.display(), self.number))
        };
        let read =
            self.lines.read_line(&mut self.line).map_err(|error| wrong(error.to_string()))?;
        if read == 0 {
            self.key = None;
            return Ok(());
        }
        let line = self.line.trim_end_matches('\n');
        let key: Key = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if let Some(last) = self.key.as_ref().filter(|last| **last >= key) {
            let Key { problem, sample } = last;
            let reason =
                format!("found it after problem {problem:?} sample {sample}, expected sorted rows");
            return Err(wrong(reason));
        }
        self.key = Some(key);
        Ok(())
    }
}

/// Writes the rows of sorted files as one; the answer is their number.
fn merge(files: &[PathBuf], out: &Path) -> Result<u64, Failure> {
    let mut sorted = files.iter().map(|file| Sorted::open(file)).collect::<Result<Vec<_>, _>>()?;
    let mut writer = Writer::create(out)?;
    let mut last: Option<(Key, PathBuf)> = None;
    let mut rows = 0;
    loop {
        let next = sorted.iter_mut().filter(|file| file.key.is_some());
        let Some(next) = next.min_by(|one, two| one.key.cmp(&two.key)) else { break };
        let Some(key) = next.key.clone() else { break };
        if let Some((_, other)) = last.as_ref().filter(|(last, _)| *last == key) {
            let Key { problem, sample } = key;
            let message = format!(
                "{}:{}: problem {problem:?} sample {sample} stands in {} too",
                next.file.display(),
                next.number,
                other.display()
            );
            return Err(Failure::rows(message));
        }
        writer.write_line(next.line.trim_end_matches('\n'))?;
        rows += 1;
        last = Some((key, next.file.clone()));
        next.advance()?;
    }
    writer.finish()?;
    Ok(rows)
}
