//! Small rules about every file: length, attributes, and nothing of one machine.

use crate::assert_none;
use crate::source::{files, has_extension, rust_files, text, tokens};

/// A file is one concept; beyond this it is two.
const LONGEST: usize = 800;

fn too_long(path: &str, source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > LONGEST).then(|| format!("{path}: {lines} lines, at most {LONGEST}"))
}

/// `expect` with a reason says when it is no longer needed; `allow` stays for ever.
fn silenced_lints(path: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    for window in tokens.windows(2) {
        if window[0].text == "allow" && window[1].text == "(" {
            found.push(format!("{path}:{}: allow; use expect with a reason", window[0].line));
        }
    }
    found
}

/// Beginnings of paths that exist on one machine only, and hosts that only one
/// network knows; written in two halves so that this file is not a finding.
const ONE_MACHINE: [(&str, &str); 9] = [
    ("/wo", "rk/"),
    ("/tm", "p/w"),
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/Use", "rs/"),
    ("C:\\", "Users"),
    (".lib", "rary"),
    ("artifac", "tory"),
    (".intern", "al/"),
];

fn machine_traces(path: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in source.lines().enumerate() {
        for (head, tail) in ONE_MACHINE {
            let trace = format!("{head}{tail}");
            if line.contains(&trace) {
                found.push(format!("{path}:{}: {trace:?} is of one machine", number + 1));
            }
        }
    }
    found
}

/// Packages of a lock file that come from elsewhere than crates.io.
fn foreign_sources(lock: &str) -> Vec<String> {
    let official = "registry+https://github.com/rust-lang/crates.io-index";
    lock.lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| source.trim_matches('"') != official)
        .map(|source| format!("Cargo.lock: a package comes from {source}"))
        .collect()
}

/// Everything written by hand or committed as a measurement.
fn written_files() -> Vec<String> {
    let binary = ["png", "safetensors", "gguf", "gz", "zst", "npz"];
    files("")
        .into_iter()
        .filter(|path| !binary.iter().any(|extension| has_extension(path, extension)))
        .collect()
}

#[test]
fn no_file_is_longer_than_800_lines() {
    let findings: Vec<String> =
        rust_files().iter().filter_map(|path| too_long(path, &text(path))).collect();
    assert_none("files that hold more than one concept", &findings);
}

#[test]
fn no_lint_is_silenced_for_ever() {
    let findings: Vec<String> =
        rust_files().iter().flat_map(|path| silenced_lints(path, &text(path))).collect();
    assert_none("lints switched off", &findings);
}

#[test]
fn no_file_names_one_machine() {
    let mut findings = Vec::new();
    for path in written_files() {
        let bytes = std::fs::read(crate::source::root().join(&path)).expect("the file is there");
        findings.extend(machine_traces(&path, &String::from_utf8_lossy(&bytes)));
    }
    assert_none("traces of one machine", &findings);
}

#[test]
fn every_dependency_comes_from_crates_io() {
    assert_none("packages from elsewhere", &foreign_sources(&text("Cargo.lock")));
}

#[test]
fn a_long_file_is_found() {
    assert!(too_long("a.rs", &"x\n".repeat(801)).is_some());
    assert!(too_long("a.rs", &"x\n".repeat(800)).is_none());
}

#[test]
fn a_silenced_lint_is_found_but_not_in_a_comment() {
    let source = format!("#[{}(dead_code)]\nfn f() {{}} // #[{0}(x)]", "allow");
    assert_eq!(silenced_lints("a.rs", &source).len(), 1);
}

#[test]
fn a_path_of_one_machine_is_found() {
    let source = format!("fine\nlet path = \"{}{}me/x\";", "/ho", "me/");
    assert_eq!(machine_traces("a.rs", &source).len(), 1);
}

#[test]
fn a_package_from_another_registry_is_found() {
    assert_eq!(foreign_sources("source = \"registry+https://example.org/index\"").len(), 1);
}
