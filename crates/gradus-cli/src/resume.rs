//! How to go on after an interruption.

use std::path::Path;

/// The command line that was given, made to go on with the run in `dir`.
pub(crate) fn resume_line(args: impl Iterator<Item = String>, dir: &Path) -> String {
    let mut line = vec!["gradus".to_owned()];
    let mut args = args.skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => drop(args.next()),
            "--resume" => {}
            _ if arg.starts_with("--out=") => {}
            _ => line.push(quoted(&arg)),
        }
    }
    line.extend(["--resume".to_owned(), "--out".to_owned(), quoted(&dir.display().to_string())]);
    line.join(" ")
}

/// An argument as a shell reads it back.
fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_resumes_is_the_one_that_was_given() {
        let line = |args: &[&str]| {
            resume_line(args.iter().map(|&arg| arg.to_owned()), Path::new("runs/a b"))
        };
        assert_eq!(
            line(&["target/gradus", "run", "easy", "--set", "name=it's", "--out", "x", "--seed=3"]),
            r"gradus run easy --set 'name=it'\''s' --seed=3 --resume --out 'runs/a b'"
        );
        assert_eq!(
            line(&["gradus", "run", "easy", "--resume", "--out=y"]),
            "gradus run easy --resume --out 'runs/a b'"
        );
    }
}
