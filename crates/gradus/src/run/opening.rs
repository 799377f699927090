use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::lock::host_name;
use super::resolve::leaves;
use super::{HostFacts, Record, RunError, RunOptions, Status, clock, files};

/// Makes `<date>_<recipe>_<id>`, a name that no run has.
pub(super) fn new_folder(runs: &Path, recipe: &str) -> Result<PathBuf, RunError> {
    loop {
        let now = clock::since_epoch().as_nanos().to_string();
        let id = files::hash_parts([now.as_str(), &std::process::id().to_string()]);
        let dir = runs.join(format!("{}_{recipe}_{}", clock::date(&clock::now()), &id[..6]));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(RunError::io("create", &dir)(error)),
        }
    }
}

pub(super) fn newest_unfinished(runs: &Path, options: &RunOptions) -> Result<PathBuf, RunError> {
    let mut newest: Option<(String, PathBuf)> = None;
    for entry in std::fs::read_dir(runs).map_err(RunError::io("read", runs))? {
        let dir = entry.map_err(RunError::io("read", runs))?.path();
        // A folder whose record cannot be read is no run to go on with.
        let Ok(Some(record)) = Record::read(&dir) else { continue };
        let same = record.recipe == options.recipe && record.config == options.config;
        if same && record.status != Status::Finished {
            newest = newest.max(Some((record.started, dir)));
        }
    }
    newest.map(|(_, dir)| dir).ok_or_else(|| RunError::Directory {
        dir: runs.to_owned(),
        reason: format!(
            "no unfinished run of {} with this config to resume; leave --resume out to start one",
            options.recipe
        ),
    })
}

pub(super) fn first(options: &RunOptions) -> Record {
    Record {
        format: 1,
        recipe: options.recipe.clone(),
        title: options.title.clone(),
        analysis: options.analysis.clone(),
        status: Status::Running,
        error: None,
        tool: options.tool.clone(),
        command: options.command.clone(),
        seeds: options.seeds.clone(),
        config: options.config.clone(),
        origins: options.origins.clone(),
        inputs: Vec::new(),
        stages: Vec::new(),
        earlier: Vec::new(),
        host: HostFacts {
            name: host_name(),
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            threads: options.threads,
        },
        started: clock::now(),
        resumed: Vec::new(),
        ended: None,
    }
}

pub(super) fn go_on(dir: &Path, left: Record, options: &RunOptions) -> Result<Record, RunError> {
    let refuse = |reason| Err(RunError::Directory { dir: dir.to_owned(), reason });
    if !options.resume {
        let (state, rest) = match left.status {
            Status::Finished => ("a finished", ""),
            _ => ("an unfinished", "add --resume to go on with it, or "),
        };
        return refuse(format!("holds {state} run of {}; {rest}choose another --out", left.recipe));
    }
    if left.recipe != options.recipe {
        return refuse(format!("holds a run of {}, not of {}", left.recipe, options.recipe));
    }
    if let Some(difference) = difference(&left.config, &options.config) {
        return refuse(format!("holds a run with another config: {difference}"));
    }
    let mut resumed = left.resumed;
    resumed.push(clock::now());
    let worked = left.stages.into_iter().chain(left.earlier).filter(|stage| !stage.cached);
    Ok(Record { started: left.started, resumed, earlier: worked.collect(), ..first(options) })
}

/// The first key, by name, in which two JSON objects differ, as a sentence:
/// "`sft.learning_rate` is 0.5 there and 0.25 here".
pub fn difference(there: &Value, here: &Value) -> Option<String> {
    let mut keys: BTreeMap<String, [Option<&Value>; 2]> = BTreeMap::new();
    for (side, config) in [there, here].into_iter().enumerate() {
        leaves(config, "", &mut |key, value| {
            keys.entry(key.into()).or_default()[side] = Some(value);
        });
    }
    let (key, [there, here]) = keys.into_iter().find(|(_, [there, here])| there != here)?;
    let text = |value: Option<&Value>| value.map_or("absent".into(), ToString::to_string);
    Some(format!("`{key}` is {} there and {} here", text(there), text(here)))
}
