use std::path::Path;

/// A run's command line as a shell reads it back. `--resume` and `--out` are left out:
/// they say where that run was kept, not what it was.
pub fn repeat_line<A: AsRef<str>>(command: impl IntoIterator<Item = A>) -> String {
    repeated(command).join(" ")
}

/// A run's command line, made to go on with the run in `dir`, as a shell reads it back.
pub fn resume_line<A: AsRef<str>>(command: impl IntoIterator<Item = A>, dir: &Path) -> String {
    let mut line = repeated(command);
    line.extend(["--resume".to_owned(), "--out".to_owned(), quoted(&dir.display().to_string())]);
    line.join(" ")
}

fn repeated<A: AsRef<str>>(command: impl IntoIterator<Item = A>) -> Vec<String> {
    let mut line = Vec::new();
    let mut command = command.into_iter();
    while let Some(arg) = command.next() {
        match arg.as_ref() {
            "--out" => drop(command.next()),
            "--resume" => {}
            arg if arg.starts_with("--out=") => {}
            arg => line.push(quoted(arg)),
        }
    }
    line
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
        let line = |args: &[&str]| resume_line(args, Path::new("runs/a b"));
        assert_eq!(
            line(&["target/gradus", "run", "easy", "--set", "name=it's", "--out", "x", "--seed=3"]),
            r"target/gradus run easy --set 'name=it'\''s' --seed=3 --resume --out 'runs/a b'"
        );
        assert_eq!(
            line(&["gradus", "run", "easy", "--resume", "--out=y"]),
            "gradus run easy --resume --out 'runs/a b'"
        );
    }

    #[test]
    fn the_line_that_repeats_has_no_place_of_its_own() {
        let args =
            ["gradus", "run", "my recipe.toml", "--resume", "--out", "x", "--set", "n=[1, 4]"];
        assert_eq!(repeat_line(args), "gradus run 'my recipe.toml' --set 'n=[1, 4]'");
    }

    // The shell itself says whether it reads back what was quoted.
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_every_argument_back() {
        let args =
            ["", "a b", "it's", "$HOME", "`id`", "*", "a\nb", "\\", "\"", "~", "é", "#", "!"];
        let script = format!("printf '%s\\0' {}", repeat_line(args));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read.trim_end_matches('\0').split('\0').collect::<Vec<_>>(), args);
    }
}
