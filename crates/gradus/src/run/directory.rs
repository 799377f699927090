use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::links::make_link;
use super::lock::Lock;
use super::stage::{Stage, Store};
use super::{
    Event, Input, Monitor, Record, RunError, StageRecord, Status, Tool, Work, clock, events, files,
    opening,
};
use crate::data::hash_file;

/// What a run is opened with.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Name of the recipe.
    pub recipe: String,
    /// Its title, for the report.
    pub title: String,
    /// Its prose, for the report.
    pub analysis: String,
    /// The resolved config.
    pub config: Value,
    /// Where each value of the config came from.
    pub origins: BTreeMap<String, String>,
    /// The seeds, for the record.
    pub seeds: Vec<u64>,
    /// The command line, for the record.
    pub command: Vec<String>,
    /// The run directory itself; without it, a new folder in `runs`.
    pub out: Option<PathBuf>,
    /// The folder of runs, which also holds the store of stages.
    pub runs: PathBuf,
    /// Go on with `out`, or with the newest unfinished run of the same recipe and config in `runs`.
    pub resume: bool,
    /// Threads that the run uses, for the record.
    pub threads: usize,
    /// The build.
    pub tool: Tool,
    /// Whom to tell.
    pub monitor: Monitor,
}

/// An open run directory; no other process can open it meanwhile.
///
/// Dropped without [`Run::finish`] or [`Run::fail`], it stays as a kill would leave it;
/// dropped by a panic, it is recorded as failed.
///
/// The folder holds `run.json` ([`Record`]), `log.txt`, a link to each stage's result in
/// `stages/`, the metrics of all stages in `metrics.jsonl` and as event files in
/// `tensorboard/`, and what the study adds with [`Run::link`] and [`Run::write`].
#[derive(Debug)]
pub struct Run {
    dir: PathBuf,
    store: Store,
    record: Mutex<Record>,
    monitor: Monitor,
    log: Arc<File>,
    _lock: Lock,
}

const LOG: &str = "log.txt";
const STAGES: &str = "stages";
const EVENTS: &str = "tensorboard";
const METRICS: &str = "metrics.jsonl";

impl Run {
    /// Opens a new run directory, or an unfinished one to go on with it.
    pub fn open(options: RunOptions) -> Result<Self, RunError> {
        let runs = absolute(&options.runs)?;
        let dir = if let Some(out) = &options.out {
            absolute(out)?
        } else {
            files::make_folder(&runs)?;
            if options.resume {
                opening::newest_unfinished(&runs, &options)?
            } else {
                opening::new_folder(&runs, &options.recipe)?
            }
        };
        let lock = Lock::folder(&dir, Record::FILE)?;
        let record = match Record::read(&dir)? {
            Some(left) => opening::go_on(&dir, left, &options)?,
            None => opening::first(&options),
        };
        record.write(&dir)?;
        for made_again in [STAGES, EVENTS, METRICS] {
            files::remove(&dir.join(made_again))?;
        }
        files::make_folder(&dir.join(STAGES))?;
        let store = Store { dir: runs.join(".stages"), sources: options.tool.sources };
        files::make_folder(&store.dir)?;
        let log_path = dir.join(LOG);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(RunError::io("open", &log_path))?;
        let log = Arc::new(log);
        let shared = Arc::clone(&log);
        let monitor = options.monitor.tee(move |event| write_log(&shared, event));
        Ok(Self { dir, store, record: Mutex::new(record), monitor, log, _lock: lock })
    }

    /// The run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whom to tell; what it is told is in `log.txt` too, progress left out.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The record as it stands.
    pub fn record(&self) -> Record {
        self.lock_record().clone()
    }

    /// An input file as something that stages depend on: its key is the hash of its bytes.
    pub fn input(&self, path: &Path) -> Result<Stage, RunError> {
        let sha256 = hash_file(path)?;
        let input = Input { path: path.display().to_string(), sha256: sha256.clone() };
        self.update(|record| {
            if !record.inputs.contains(&input) {
                record.inputs.push(input);
            }
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let dir = absolute(path)?.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Stage { name, key: sha256, dir })
    }

    /// The result of a stage, from the store where it is there, else by doing the work.
    ///
    /// The result may depend on nothing but `name`, the `upstream` results, `config` and the
    /// program's sources: they make its key, and equal keys mean equal bytes. `body` fills
    /// [`Work::dir`]; after a kill it finds there what it had written.
    pub fn stage<E: From<RunError>>(
        &self,
        name: &str,
        upstream: &[&Stage],
        config: &impl Serialize,
        body: impl FnOnce(&Work) -> Result<(), E>,
    ) -> Result<Stage, E> {
        self.monitor.check()?;
        let (stage, worked) = self.store.obtain(name, upstream, config, &self.monitor, body)?;
        if worked.is_none() {
            self.monitor.emit(&Event::StageStarted { stage: name.into(), cached: true });
        }
        let seconds = worked.unwrap_or(0.0);
        let found = StageRecord {
            name: name.into(),
            key: stage.key.clone(),
            cached: worked.is_none(),
            seconds,
        };
        let number = self.update(|record| {
            let before = record.earlier.iter().position(|entry| entry.key == found.key);
            let before = before.map(|place| record.earlier.swap_remove(place));
            record.stages.push(before.filter(|_| found.cached).unwrap_or(found));
            record.stages.len()
        })?;
        let shown = format!("{number:02}-{name}");
        make_link(&self.dir.join(STAGES).join(&shown), &stage.dir)?;
        let metrics = stage.path(METRICS);
        if metrics.is_file() {
            events::write_events(&metrics, &self.dir.join(EVENTS).join(&shown))?;
            self.collect(name, &metrics)?;
        }
        self.monitor.emit(&Event::StageFinished { stage: name.into(), seconds });
        Ok(stage)
    }

    /// Shows a stage's file in the run directory under `name`.
    pub fn link(&self, stage: &Stage, file: &str, name: &str) -> Result<(), RunError> {
        make_link(&self.dir.join(name), &stage.path(file))
    }

    /// Writes a file of the run directory, whole or not at all.
    pub fn write(&self, file: &str, text: &str) -> Result<(), RunError> {
        files::write_file(&self.dir.join(file), text.as_bytes())
    }

    /// Writes `results.json`.
    pub fn write_results(&self, results: &impl Serialize) -> Result<(), RunError> {
        let mut text = serde_json::to_string_pretty(results).map_err(|error| {
            RunError::Internal(format!("the results do not serialise: {error}"))
        })?;
        text.push('\n');
        self.write("results.json", &text)
    }

    /// Records that all is there, and closes the run.
    pub fn finish(self) -> Result<(), RunError> {
        self.close(Status::Finished, None)
    }

    /// Records what ended the run, and closes it; it can be resumed.
    pub fn fail(self, error: &dyn std::error::Error, interrupted: bool) -> Result<(), RunError> {
        let status = if interrupted { Status::Interrupted } else { Status::Failed };
        write_log(&self.log, &Event::Note { text: error.to_string() });
        self.close(status, Some(error.to_string()))
    }

    /// Adds a stage's metrics rows to those of the run, with the stage's name.
    fn collect(&self, stage: &str, metrics: &Path) -> Result<(), RunError> {
        let rows = std::fs::read_to_string(metrics).map_err(RunError::io("read", metrics))?;
        let name = Value::from(stage);
        let mut collected = String::new();
        for fields in rows.lines().filter_map(|row| row.strip_prefix('{')) {
            let _ = writeln!(collected, "{{\"stage\":{name},{fields}");
        }
        let path = self.dir.join(METRICS);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(collected.as_bytes()))
            .map_err(RunError::io("write", &path))
    }

    fn close(&self, status: Status, error: Option<String>) -> Result<(), RunError> {
        self.update(|record| {
            (record.status, record.error, record.ended) = (status, error, Some(clock::now()));
        })
    }

    fn update<T>(&self, change: impl FnOnce(&mut Record) -> T) -> Result<T, RunError> {
        let mut record = self.lock_record();
        let answer = change(&mut record);
        record.write(&self.dir)?;
        Ok(answer)
    }

    // A panic elsewhere leaves the record whole: each change is one assignment or push.
    fn lock_record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() && self.lock_record().status == Status::Running {
            let error = "it panicked (a bug in the program, not in the input)";
            write_log(&self.log, &Event::Note { text: error.into() });
            // Nobody is left to tell when the record cannot be written.
            let _ = self.close(Status::Failed, Some(error.into()));
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, RunError> {
    std::path::absolute(path).map_err(RunError::io("find", path))
}

// The log is for people: a line that cannot be written must not end the run.
fn write_log(mut log: &File, event: &Event) {
    let line = match event {
        Event::StageStarted { stage, cached: true } => format!("stage {stage}: found in the store"),
        Event::StageStarted { stage, cached: false } => format!("stage {stage}: started"),
        Event::StageFinished { stage, seconds } => format!("stage {stage}: done in {seconds:.2} s"),
        Event::Note { text } => text.clone(),
        Event::Progress { .. } | Event::Tokens { .. } => return,
    };
    let _ = log.write_all(format!("{} {line}\n", clock::now()).as_bytes());
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use serde_json::json;

    use super::super::ErrorKind;
    use super::*;

    fn options(runs: &Path) -> RunOptions {
        RunOptions {
            recipe: "toy".into(),
            title: "A toy".into(),
            analysis: String::new(),
            config: json!({"seed": 1, "sft": {"learning_rate": 0.5}}),
            origins: BTreeMap::new(),
            seeds: vec![1],
            command: vec!["gradus".into(), "run".into(), "toy".into()],
            out: None,
            runs: runs.to_owned(),
            resume: false,
            threads: 2,
            tool: Tool { sources: "sources-1".into(), ..Tool::default() },
            monitor: Monitor::silent(),
        }
    }

    fn two_stages(run: &Run) -> Result<[Stage; 2], RunError> {
        let first = run.stage("first", &[], &json!({"n": 2}), |work| {
            let mut part = work.part("rows.jsonl")?;
            for sample in 0..2 {
                part.append("p", sample, &json!({"problem": "p", "sample": sample}))?;
            }
            part.finish().map(drop)
        })?;
        let second = run.stage("second", &[&first], &json!({}), |work| {
            let rows = std::fs::read(first.path("rows.jsonl")).unwrap();
            std::fs::write(work.path("copy.jsonl"), rows).unwrap();
            work.metrics()?.log(1, &[("loss", 0.5)])
        })?;
        Ok([first, second])
    }

    fn cached(run: &Run) -> Vec<bool> {
        run.record().stages.iter().map(|stage| stage.cached).collect()
    }

    #[test]
    fn the_same_config_twice_is_found_in_the_store_and_other_sources_are_not() {
        let runs = tempfile::tempdir().unwrap();
        let run = Run::open(options(runs.path())).unwrap();
        two_stages(&run).unwrap();
        assert_eq!(cached(&run), [false, false]);
        let shown = run.dir().join("stages/02-second/copy.jsonl");
        assert_eq!(std::fs::read_to_string(shown).unwrap().lines().count(), 2);
        assert_eq!(std::fs::read_dir(run.dir().join("tensorboard/02-second")).unwrap().count(), 1);
        let metrics = std::fs::read_to_string(run.dir().join("metrics.jsonl")).unwrap();
        assert_eq!(metrics, "{\"stage\":\"second\",\"step\":1,\"loss\":0.5}\n");
        let first = run.record().stages[0].key.clone();
        run.finish().unwrap();

        // As a kill leaves it that comes between a result and the end of its lock.
        let lock = runs.path().join(".stages").join(format!("{first}.lock"));
        std::fs::write(&lock, "{}").unwrap();
        let run = Run::open(options(runs.path())).unwrap();
        two_stages(&run).unwrap();
        assert_eq!(cached(&run), [true, true]);
        assert!(!lock.exists());

        let tool = Tool { sources: "sources-2".into(), ..Tool::default() };
        let run = Run::open(RunOptions { tool, ..options(runs.path()) }).unwrap();
        two_stages(&run).unwrap();
        assert_eq!(cached(&run), [false, false]);
    }

    #[test]
    fn equal_keys_give_equal_bytes_in_another_store() {
        let read = |stage: &Stage| -> BTreeMap<String, Vec<u8>> {
            std::fs::read_dir(&stage.dir)
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    (entry.file_name().into_string().unwrap(), bytes)
                })
                .collect()
        };
        let [one, two] = [(); 2].map(|()| {
            let runs = tempfile::tempdir().unwrap();
            let run = Run::open(options(runs.path())).unwrap();
            two_stages(&run).unwrap().map(|stage| (stage.key.clone(), read(&stage)))
        });
        assert_eq!(one, two);
        let names: Vec<&String> = one[1].1.keys().collect();
        assert_eq!(names, ["copy.jsonl", "metrics.jsonl", "stage.json"]);
    }

    #[test]
    fn a_second_open_of_one_directory_is_refused_with_the_holder() {
        let runs = tempfile::tempdir().unwrap();
        let out = Some(runs.path().join("mine"));
        let run = Run::open(RunOptions { out: out.clone(), ..options(runs.path()) }).unwrap();
        let again = RunOptions { out, resume: true, ..options(runs.path()) };
        let error = Run::open(again.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(run);
        assert!(Run::open(again).is_ok());
    }

    #[test]
    fn a_directory_that_holds_a_run_is_not_overwritten() {
        let runs = tempfile::tempdir().unwrap();
        let given = RunOptions { out: Some(runs.path().join("mine")), ..options(runs.path()) };
        let expect = |options: RunOptions, reason: &str| {
            let error = Run::open(options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(reason), "{error}");
        };
        drop(Run::open(given.clone()).unwrap());
        expect(given.clone(), "holds an unfinished run of toy; add --resume to go on with it");
        let config = json!({"seed": 1, "sft": {"learning_rate": 0.25}});
        let resumed = RunOptions { resume: true, ..given.clone() };
        expect(
            RunOptions { config, ..resumed.clone() },
            "another config: `sft.learning_rate` is 0.5 there and 0.25 here",
        );
        Run::open(resumed.clone()).unwrap().finish().unwrap();
        expect(given.clone(), "holds a finished run of toy; choose another --out");
        assert_eq!(Run::open(resumed).unwrap().record().resumed.len(), 2);

        let other = runs.path().join("photos");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("me.jpg"), "").unwrap();
        let runs = runs.path().join("elsewhere");
        expect(
            RunOptions { out: Some(other.clone()), runs: runs.clone(), ..given },
            "holds files and no run.json",
        );
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1, "it stays as it was");
        assert!(!runs.exists());
    }

    #[test]
    fn a_run_that_panics_says_so() {
        let runs = tempfile::tempdir().unwrap();
        let out = runs.path().join("mine");
        let given = RunOptions { out: Some(out.clone()), ..options(runs.path()) };
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let run = Run::open(given).unwrap();
            run.stage("first", &[], &json!({}), |_| -> Result<(), RunError> {
                // As `panic!`, without a message on standard error.
                std::panic::resume_unwind(Box::new("no such row"))
            })
        }));
        assert!(panicked.is_err());
        let record = Record::read(&out).unwrap().unwrap();
        assert_eq!(record.status, Status::Failed);
        assert!(record.ended.is_some());
        let log = std::fs::read_to_string(out.join("log.txt")).unwrap();
        assert!(log.contains("panicked"), "{log}");
        assert!(record.error.unwrap().contains("panicked"));
    }

    #[test]
    fn resume_picks_the_newest_unfinished_run_of_the_same_config() {
        let runs = tempfile::tempdir().unwrap();
        let resumed = RunOptions { resume: true, ..options(runs.path()) };
        assert_eq!(Run::open(resumed.clone()).unwrap_err().kind(), ErrorKind::Usage);
        let open = |config: Value| {
            std::thread::sleep(std::time::Duration::from_millis(3));
            Run::open(RunOptions { config, ..options(runs.path()) }).unwrap()
        };
        let config = resumed.config.clone();
        let older = open(config.clone()).dir().to_owned();
        let newer = open(config.clone()).dir().to_owned();
        open(config).finish().unwrap();
        drop(open(json!({"seed": 2})));
        let run = Run::open(resumed.clone()).unwrap();
        assert_eq!(run.dir(), newer);
        run.finish().unwrap();
        assert_eq!(Run::open(resumed).unwrap().dir(), older);
    }

    #[test]
    fn a_killed_stage_goes_on_where_it_was() {
        let runs = tempfile::tempdir().unwrap();
        let attempt = |run: &Run, last: u32| {
            run.stage("sample", &[], &json!({}), |work| {
                std::fs::write(work.resume()?.join("checkpoint"), "weights").unwrap();
                std::fs::create_dir_all(work.path("model")).unwrap();
                std::fs::write(work.path("model/.config.json.71.tmp"), "{").unwrap();
                let mut part = work.part("rows.jsonl")?;
                let before = part.len();
                for sample in 0..last {
                    if !part.done("p", sample) {
                        part.append("p", sample, &json!({"problem": "p", "sample": sample}))?;
                    }
                }
                if last < 3 {
                    part.flush()?;
                    return Err(RunError::Interrupted);
                }
                assert_eq!(before, 2);
                part.finish().map(drop)
            })
        };
        let run = Run::open(options(runs.path())).unwrap();
        let error = attempt(&run, 2).unwrap_err();
        run.fail(&error, true).unwrap();
        let run = Run::open(RunOptions { resume: true, ..options(runs.path()) }).unwrap();
        let stage = attempt(&run, 3).unwrap();
        assert_eq!(std::fs::read_to_string(stage.path("rows.jsonl")).unwrap().lines().count(), 3);
        assert!(!stage.path(".resume").exists());
        assert_eq!(std::fs::read_dir(stage.path("model")).unwrap().count(), 0);
        let left: Vec<_> = std::fs::read_dir(runs.path().join(".stages")).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_resumed_run_keeps_what_its_stages_cost() {
        let runs = tempfile::tempdir().unwrap();
        let resumed = RunOptions { resume: true, ..options(runs.path()) };
        let run = Run::open(options(runs.path())).unwrap();
        two_stages(&run).unwrap();
        let before = run.record().stages;
        drop(run);
        // The second attempt ends before it meets a stage.
        drop(Run::open(resumed.clone()).unwrap());
        let run = Run::open(resumed).unwrap();
        two_stages(&run).unwrap();
        let record = run.record();
        assert_eq!((record.stages, record.earlier), (before, Vec::new()));
        assert_eq!(cached(&run), [false, false]);
    }

    #[test]
    fn a_second_process_waits_for_a_stage_and_then_finds_it_done() {
        let runs = tempfile::tempdir().unwrap();
        let runs = runs.path();
        let worker = |run: Run| {
            run.stage("slow", &[], &json!({}), |_| {
                std::thread::sleep(std::time::Duration::from_millis(300));
                Ok::<(), RunError>(())
            })
            .unwrap();
            cached(&run)[0]
        };
        let [one, two] = [(); 2].map(|()| Run::open(options(runs)).unwrap());
        let answers = std::thread::scope(|scope| {
            [one, two].map(|run| scope.spawn(move || worker(run))).map(|each| each.join().unwrap())
        });
        assert_eq!(answers.iter().filter(|&&cached| cached).count(), 1);
    }

    #[test]
    fn a_cancelled_run_starts_no_stage() {
        let runs = tempfile::tempdir().unwrap();
        let monitor = Monitor::new(|_| (), Arc::new(AtomicBool::new(true)));
        let run = Run::open(RunOptions { monitor, ..options(runs.path()) }).unwrap();
        assert!(matches!(two_stages(&run), Err(RunError::Interrupted)));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_made_is_a_sentence() {
        let runs = tempfile::tempdir().unwrap();
        let file = runs.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Run::open(options(&file.join("runs"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().ends_with("there is a file where a directory is needed"));
    }
}
