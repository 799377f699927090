//! The documents: links that lead somewhere, commands that exist.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::source::{files, has_extension, root, text};

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Lines outside fenced blocks, with their numbers from 1.
fn prose(markdown: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number + 1, line));
        }
    }
    lines
}

fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = prose(markdown).into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line)).collect()
}

/// Targets of `[text](target)` and `src="target"`, with their lines.
fn links(markdown: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        for (open, close) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')] {
            for part in line.split(open).skip(1) {
                found.extend(part.split_once(close).map(|(target, _)| (number, target)));
            }
        }
    }
    found
}

/// Links of a file that lead nowhere; `exists` and `read` look at paths from the root.
fn dead_links(
    path: &str,
    markdown: &str,
    exists: impl Fn(&str) -> bool,
    read: impl Fn(&str) -> String,
) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for (line, target) in links(markdown) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
        let full = if file.is_empty() { path.to_owned() } else { joined(folder, file) };
        if !exists(&full) {
            found.push(format!("{path}:{line}: {target} leads to no file"));
        } else if !fragment.is_empty()
            && has_extension(&full, "md")
            && !anchors(&if full == path { markdown.to_owned() } else { read(&full) })
                .contains(fragment)
        {
            found.push(format!("{path}:{line}: {target} leads to no heading"));
        }
    }
    found
}

fn joined(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Subcommands after `gradus` or `cargo run --release --` in the shell blocks of a document.
fn commands(markdown: &str) -> Vec<(usize, Vec<String>)> {
    let (mut shell, mut found) = (false, Vec::new());
    for (number, line) in markdown.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            shell = language == "sh";
            continue;
        }
        let line = line.split(" #").next().unwrap_or_default().trim();
        let call =
            line.strip_prefix("gradus ").or_else(|| line.strip_prefix("cargo run --release -- "));
        if let (true, Some(call)) = (shell, call) {
            let words = call.split_whitespace().map(str::to_owned).collect();
            found.push((number + 1, words));
        }
    }
    found
}

fn markdown_files() -> Vec<String> {
    files("").into_iter().filter(|path| has_extension(path, "md")).collect()
}

#[test]
fn every_link_of_every_document_leads_somewhere() {
    let mut findings = Vec::new();
    for path in markdown_files() {
        findings.extend(dead_links(&path, &text(&path), |file| root().join(file).exists(), text));
    }
    assert_none("links that lead nowhere", &findings);
}

#[test]
fn every_command_in_the_documents_exists() {
    let sources = files("crates/gradus-cli/src");
    let mut findings = Vec::new();
    for path in markdown_files() {
        for (line, words) in commands(&text(&path)) {
            let file = format!("/{}.rs", words[0].replace('-', "_"));
            if !words[0].starts_with('-') && !sources.iter().any(|path| path.ends_with(&file)) {
                findings.push(format!("{path}:{line}: no subcommand {}", words[0]));
            }
            let Some(recipe) = words.get(1).filter(|_| words[0] == "run") else { continue };
            let file = format!("crates/gradus-studies/recipes/{recipe}.toml");
            if !recipe.contains('.') && !root().join(file).exists() {
                findings.push(format!("{path}:{line}: no recipe {recipe}"));
            }
        }
    }
    assert_none("commands that do not exist", &findings);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(markdown: &str) -> Vec<String> {
        dead_links(
            "docs/A.md",
            markdown,
            |file| file == "README.md" || file == "docs/A.md",
            |_| "# One\n```\n# Not one\n```\n".to_owned(),
        )
    }

    #[test]
    fn a_link_to_a_missing_file_is_found_with_its_line() {
        assert_eq!(check("\n[b](B.md)"), ["docs/A.md:2: B.md leads to no file"]);
    }

    #[test]
    fn links_to_files_headings_and_sites_are_fine() {
        let fine =
            "# Here & there\n[r](../README.md#one) [h](#here--there) [w](https://example.org/x)";
        assert!(check(fine).is_empty(), "{:?}", check(fine));
    }

    #[test]
    fn a_link_to_a_missing_heading_is_found() {
        assert_eq!(check("[r](../README.md#two) [n](../README.md#not-one)").len(), 2);
    }

    #[test]
    fn a_link_in_a_fenced_block_is_no_link() {
        assert!(check("```\n[b](B.md)\n```").is_empty());
    }

    #[test]
    fn commands_are_read_from_shell_blocks_only() {
        let markdown =
            "```sh\ngradus run easy-to-hard --seed 2  # again\n```\n```text\ngradus no\n```";
        assert_eq!(commands(markdown).len(), 1);
        assert_eq!(commands(markdown)[0].1[..2], ["run", "easy-to-hard"]);
    }
}
