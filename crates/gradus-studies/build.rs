//! Takes down what was built: the commit, whether the tree differed from it, and
//! a hash of the sources that decide results. The stage store is keyed by that hash.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![workspace.join("Cargo.lock")];
    // The command line draws and parses; it decides no number.
    for name in ["gradus", "gradus-model", "gradus-train", "gradus-studies"] {
        collect(&workspace.join("crates").join(name).join("src"), &mut files);
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let relative = file.strip_prefix(&workspace).unwrap_or(file);
        hash.update(relative.to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update(std::fs::read(file).unwrap_or_default());
        hash.update([0]);
    }
    for name in ["gradus", "gradus-model", "gradus-train", "gradus-studies"] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join("crates").join(name).join("src").display()
        );
    }
    let mut sources = String::new();
    for byte in hash.finalize() {
        let _ = write!(sources, "{byte:02x}");
    }
    println!("cargo::rustc-env=GRADUS_SOURCES={sources}");

    println!("cargo::rerun-if-changed={}", workspace.join(".git/HEAD").display());
    println!("cargo::rerun-if-changed={}", workspace.join(".git/logs/HEAD").display());
    let commit = git(&workspace, &["rev-parse", "HEAD"]);
    let dirty = git(&workspace, &["status", "--porcelain", "--untracked-files=no"]);
    if let Some(commit) = commit {
        println!("cargo::rustc-env=GRADUS_COMMIT={commit}");
    }
    let dirty = dirty.is_some_and(|lines| !lines.is_empty());
    println!("cargo::rustc-env=GRADUS_DIRTY={dirty}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
