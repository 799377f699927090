//! Reading the workspace: its files, and Rust text as tokens.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the root").to_path_buf()
}

/// Folders that hold what is made, not what is written.
const MADE: [&str; 6] = ["target", "runs", ".git", ".venv", "__pycache__", "shared"];

/// Every written file below `folder`, by path from the root, sorted.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.expect("a folder entry can be read").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| MADE.contains(&name.as_str())) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                let inside = path.strip_prefix(&root).expect("the walk began at the root");
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The Rust files of the workspace.
pub(crate) fn rust_files() -> Vec<String> {
    files("crates").into_iter().filter(|path| has_extension(path, "rs")).collect()
}

/// Whether the path ends in `.extension`.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// The text of a file, given by its path from the root.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One token of Rust text: a word, `::` or a single character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Words and punctuation, without comments, strings and character literals.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &source[at..];
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        if let Some(length) = skipped {
            line += rest[..length].matches('\n').count();
            at += length;
            continue;
        }
        let next = rest.chars().next().expect("the rest is not empty");
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if word(next) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            next.len_utf8()
        };
        if next == '\n' {
            line += 1;
        } else if !next.is_whitespace() {
            tokens.push(Token { line, text: rest[..length].to_owned() });
        }
        at += length;
    }
    tokens
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        match (here.starts_with(b"/*"), here.starts_with(b"*/")) {
            (true, _) => (depth, at) = (depth + 1, at + 2),
            (_, true) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    Some(rest.len())
}

fn string(rest: &str) -> Option<usize> {
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c']).len();
    let after = &rest[prefix..];
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = after.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let open = prefix + 1 + hashes + 1;
            return Some(rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len()));
        }
    }
    if !after.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(prefix + 1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// A character literal; a lifetime is not one.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices();
    if chars.next()?.1 != '\'' {
        return None;
    }
    if chars.next()?.1 == '\\' {
        return rest[3..].find('\'').map(|at| at + 4);
    }
    let (at, close) = chars.next()?;
    (close == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_strings_and_characters_are_no_tokens() {
        let source =
            "a // crate::b\n/* c /* d */ e */ f \"crate::g \\\" h\" r#\"i\"\"# '\\'' 'j' k";
        assert_eq!(words(source), ["a", "f", "k"]);
    }

    #[test]
    fn lifetimes_and_paths_are_tokens() {
        assert_eq!(words("&'a crate::b"), ["&", "'", "a", "crate", "::", "b"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines: Vec<usize> =
            tokens("a\n/*\n*/ \"\n\" b").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn the_walk_finds_this_file_and_nothing_that_was_made() {
        let files = rust_files();
        assert!(files.iter().any(|path| path.ends_with("tests/house/source.rs")));
        assert!(files.iter().all(|path| !path.contains("target/")));
    }
}
