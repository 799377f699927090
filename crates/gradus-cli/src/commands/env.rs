use std::collections::BTreeMap;
use std::path::PathBuf;

use gradus::run::Tool;
use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::output::{Block, Output, json_line};

/// Versions, processor and paths, ready to paste into a bug report.
///
/// Example: `gradus env --json | jq .threads`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Facts {
    #[serde(flatten)]
    tool: Tool,
    profile: &'static str,
    os: &'static str,
    arch: &'static str,
    cpu: Option<String>,
    cpu_flags: Vec<&'static str>,
    cpus: usize,
    threads: usize,
    runs: PathBuf,
    environment: BTreeMap<&'static str, String>,
}

/// What gradus reads of the environment.
const VARIABLES: &[&str] = &[
    "GRADUS_RUNS",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "HF_ENDPOINT",
    "RAYON_NUM_THREADS",
    "COLUMNS",
    "NO_COLOR",
    "CLICOLOR_FORCE",
    "RUST_BACKTRACE",
];

pub(crate) fn run(_args: &Args) -> Output {
    let facts = Facts {
        tool: gradus_studies::tool(),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        cpu: cpu_model(),
        cpu_flags: cpu_flags(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        runs: runs_folder(),
        environment: VARIABLES
            .iter()
            .filter_map(|&name| Some((name, std::env::var(name).ok()?)))
            .collect(),
    };
    let commit = facts.tool.commit.as_deref().unwrap_or("unknown");
    let environment: Vec<String> =
        facts.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let lines = vec![
        format!("gradus       {} ({} build)", facts.tool.version, facts.profile),
        format!("commit       {commit}{}", if facts.tool.dirty { ", sources changed" } else { "" }),
        format!("sources      {}", facts.tool.sources),
        format!("system       {} {}", facts.os, facts.arch),
        format!("cpu          {}", facts.cpu.as_deref().unwrap_or("unknown")),
        format!("cpu flags    {}", facts.cpu_flags.join(" ")),
        format!("threads      {} of {} cpus", facts.threads, facts.cpus),
        format!("runs         {}", facts.runs.display()),
        format!("environment  {}", environment.join(" ")),
    ];
    Output {
        human: vec![Block::Text(lines.join("\n"))],
        json: vec![json_line(&facts)],
        quiet: lines,
        notes: Vec::new(),
        exit: ExitCode::Done,
    }
}

/// The folder of runs: `GRADUS_RUNS`, else `runs` here.
pub(crate) fn runs_folder() -> PathBuf {
    std::env::var_os("GRADUS_RUNS").filter(|path| !path.is_empty()).unwrap_or("runs".into()).into()
}

/// The processor's name where the system tells it in a file.
fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The instruction sets that decide how fast matrices are multiplied.
#[cfg(target_arch = "x86_64")]
fn cpu_flags() -> Vec<&'static str> {
    let known = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    known.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

/// None is known to matter elsewhere.
#[cfg(not(target_arch = "x86_64"))]
fn cpu_flags() -> Vec<&'static str> {
    Vec::new()
}
