//! Where tests find real rows that are too large for the repository.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A file under `GRADUS_TEST_DATA`, else under `../shared/data` beside the workspace.
/// `None`, with a note, where it is missing; continuous integration must have it.
pub(crate) fn file(name: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("GRADUS_TEST_DATA")
        .map_or_else(|| workspace.join("../shared/data"), |folder| workspace.join(folder));
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing: set GRADUS_TEST_DATA",
        path.display()
    );
    // Not `eprintln!`, which the test harness hides for tests that pass.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: {} is missing; set GRADUS_TEST_DATA to a folder that has it",
        path.display()
    );
    None
}
