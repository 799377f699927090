use std::path::{Component, Path, PathBuf};

use super::{RunError, files};

/// Makes `at` a relative link to `target`; where links are refused, a file with the target's path.
pub(super) fn make_link(at: &Path, target: &Path) -> Result<(), RunError> {
    files::remove(at)?;
    let folder = at.parent().unwrap_or(Path::new(""));
    let real = |path: &Path| std::fs::canonicalize(path).map_err(RunError::io("find", path));
    let target = relative(&real(folder)?, &real(target)?);
    match symlink(&target, at) {
        Ok(()) => Ok(()),
        Err(_) => files::write_file(at, format!("{}\n", target.display()).as_bytes()),
    }
}

fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(one, two)| one == two).count();
    if shared == 0 {
        return to.to_owned();
    }
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

#[cfg(unix)]
fn symlink(target: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(windows)]
fn symlink(target: &Path, at: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(target, at)
}
