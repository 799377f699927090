//! Between crates dependencies go one way, and heavy ones stay where they belong.

use crate::assert_none;
use crate::source::{files, has_extension, text};

/// Crates from the lowest rank to the highest, those still to come included.
const RANKS: [&[&str]; 5] = [
    &["gradus"],
    &["gradus-model", "gradus-client"],
    &["gradus-train", "gradus-audio"],
    &["gradus-studies"],
    &["gradus-cli"],
];

/// Dependencies that only the named crates may have: a crate that does not
/// need them must not make its users compile them.
const HEAVY: [(&str, &[&str]); 4] = [
    ("candle-core", &["gradus-model", "gradus-train", "gradus-audio"]),
    ("gemm", &["gradus-model"]),
    ("clap", &["gradus-cli"]),
    ("tokio", &[]),
];

fn rank(name: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&name))
}

/// Names in every dependency table of a manifest, those of tests and build scripts too.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(toml::Table::values);
    for table in tables.filter_map(toml::Value::as_table).chain([manifest]) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let listed = table.get(kind).and_then(toml::Value::as_table);
            names.extend(listed.into_iter().flat_map(toml::Table::keys).cloned());
        }
    }
    names
}

fn upward_dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let name = manifest["package"]["name"].as_str().expect("a package has a name");
    let Some(own) = rank(name) else {
        return vec![format!("{name} has no rank; give it one in RANKS")];
    };
    let mut found = Vec::new();
    for dependency in dependencies(&manifest) {
        if dependency.starts_with("gradus") && rank(&dependency).is_none_or(|rank| rank >= own) {
            let allowed = RANKS[..own].concat().join(", ");
            found.push(format!("{name} depends on {dependency}; allowed: {allowed}"));
        }
        for (heavy, only) in HEAVY {
            if dependency == heavy && !only.contains(&name) {
                let allowed = only.join(", ");
                found.push(format!("{name} depends on {heavy}; only these may: {allowed}"));
            }
        }
    }
    found
}

#[test]
fn crates_depend_downward_only() {
    let manifests: Vec<String> = files("crates")
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml") && has_extension(path, "toml"))
        .collect();
    assert!(manifests.len() >= 5, "found only {manifests:?}");
    let findings: Vec<String> =
        manifests.iter().flat_map(|path| upward_dependencies(&text(path))).collect();
    assert_none("dependencies that do not go down", &findings);
}

#[test]
fn a_folder_is_named_as_its_crate() {
    for path in files("crates").iter().filter(|path| path.ends_with("/Cargo.toml")) {
        let manifest: toml::Table = text(path).parse().expect("a manifest is TOML");
        let folder = path.split('/').nth(1).expect("crates/<folder>/Cargo.toml");
        assert_eq!(manifest["package"]["name"].as_str(), Some(folder), "{path}");
    }
}

#[test]
fn an_upward_dependency_is_found() {
    let manifest =
        "[package]\nname = 'gradus'\n[dev-dependencies]\ngradus-train = '1'\nserde = '1'";
    assert_eq!(upward_dependencies(manifest), ["gradus depends on gradus-train; allowed: "]);
}

#[test]
fn a_tensor_stack_in_the_studies_is_found() {
    let manifest = "[package]\nname = 'gradus-studies'\n[dependencies]\ncandle-core = '1'";
    assert_eq!(upward_dependencies(manifest).len(), 1);
}

#[test]
fn a_crate_without_a_rank_is_found() {
    assert_eq!(upward_dependencies("[package]\nname = 'gradus-common'").len(), 1);
}
