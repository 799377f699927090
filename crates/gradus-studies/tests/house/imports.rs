//! Inside the light library imports go one way, and three things are absent.

use crate::assert_none;
use crate::source::{Token, files, has_extension, text, tokens};

/// Modules of the light library from the lowest rank to the highest, those of
/// ARCHITECTURE.md that are still to come included.
const RANKS: [&[&str]; 7] = [
    &["data", "stats"],
    &["run"],
    &["lm", "verify"],
    &["tasks", "search"],
    &["difficulty", "prompt"],
    &["synth", "detect", "explain"],
    &["report"],
];

const LIBRARY: &str = "crates/gradus/src/";

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&module))
}

/// Module path of a file below `src`: `search/best_of_n.rs` is `search`, `best_of_n`.
fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// A path that reaches the crate's root: where, and the first name after it.
struct Reference {
    line: usize,
    name: String,
}

/// Follows a path, or each branch of a `{}` group, from `base`; adds what is named at the root.
fn follow(tokens: &[Token], mut at: usize, base: &[String], found: &mut Vec<Reference>) -> usize {
    let mut base = base.to_vec();
    while let Some(token) = tokens.get(at) {
        let more = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        match token.text.as_str() {
            "crate" if more => base.clear(),
            "self" if more => {}
            "super" if more => {
                base.pop();
            }
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = follow(tokens, at, &base, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return at + 1;
            }
            name => {
                if base.is_empty() {
                    found.push(Reference { line: token.line, name: name.to_owned() });
                }
                base.push(name.to_owned());
                if !more {
                    return past_alias(tokens, at + 1);
                }
            }
        }
        at += 2;
    }
    at
}

/// `as name` belongs to the branch that it renames.
fn past_alias(tokens: &[Token], at: usize) -> usize {
    if tokens.get(at).is_some_and(|token| token.text == "as") { at + 2 } else { at }
}

/// What `file` (below `src`) names at the root of the crate.
fn references(file: &str, source: &str) -> Vec<Reference> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    let mut module = module_path(file);
    // How deep in braces we are, and at which depths inline modules began.
    let (mut depth, mut inline, mut at) = (0_usize, Vec::new(), 0);
    while at < tokens.len() {
        let text = tokens[at].text.as_str();
        let next = |step: usize| tokens.get(at + step).map(|token| token.text.as_str());
        match text {
            "mod" if next(2) == Some("{") => {
                module.push(next(1).unwrap_or_default().to_owned());
                inline.push(depth);
            }
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            "crate" | "super" if next(1) == Some("::") => {
                at = follow(&tokens, at, &module, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Imports of `file` (below `src`) that do not go down.
fn upward_imports(file: &str, source: &str) -> Vec<String> {
    let path = module_path(file);
    let Some(own) = path.first() else { return Vec::new() };
    let Some(own_rank) = rank(own) else {
        return vec![format!("{LIBRARY}{file}: module {own} has no rank; give it one in RANKS")];
    };
    let allowed = RANKS[..own_rank].concat();
    references(file, source)
        .into_iter()
        .filter(|reference| reference.name != *own)
        .filter(|reference| !allowed.contains(&reference.name.as_str()))
        .map(|Reference { line, name }| {
            let lower = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
            format!("{LIBRARY}{file}:{line}: {own} imports {name}; allowed: {own} itself, {lower}")
        })
        .collect()
}

/// What the light library must not touch, as paths, with the module that may.
const ABSENT: [(&[&str], Option<&str>); 5] = [
    (&["SystemTime"], Some("run")),
    (&["Instant"], Some("run")),
    (&["std", "::", "net"], None),
    (&["async", "fn"], None),
    (&["candle_core"], None),
];

fn forbidden_words(file: &str, source: &str) -> Vec<String> {
    let own = module_path(file).first().cloned().unwrap_or_default();
    let tokens = tokens(source);
    let mut found = Vec::new();
    for (words, only) in ABSENT {
        if only == Some(own.as_str()) {
            continue;
        }
        for window in tokens.windows(words.len()) {
            if window.iter().map(|token| token.text.as_str()).eq(words.iter().copied()) {
                let place = only.map_or("the light library has none".to_owned(), |module| {
                    format!("only {module} may use it")
                });
                let line = window[0].line;
                found.push(format!("{LIBRARY}{file}:{line}: {}: {place}", words.join(" ")));
            }
        }
    }
    found
}

fn library() -> Vec<(String, String)> {
    files(LIBRARY)
        .into_iter()
        .filter(|path| has_extension(path, "rs"))
        .map(|path| (path.trim_start_matches(LIBRARY).to_owned(), text(&path)))
        .collect()
}

#[test]
fn imports_of_the_light_library_go_down_only() {
    let library = library();
    assert!(library.len() > 10, "the walk found only {} files", library.len());
    let findings: Vec<String> =
        library.iter().flat_map(|(file, source)| upward_imports(file, source)).collect();
    assert_none("imports that do not go down", &findings);
}

#[test]
fn the_light_library_has_no_clock_but_in_run_no_socket_and_no_tensor() {
    let findings: Vec<String> =
        library().iter().flat_map(|(file, source)| forbidden_words(file, source)).collect();
    assert_none("what the light library must not touch", &findings);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upward_import_is_found_with_its_line() {
        let found = upward_imports("data/rows.rs", "\nuse crate::run::Stream;\n");
        assert_eq!(
            found,
            ["crates/gradus/src/data/rows.rs:2: data imports run; allowed: data itself, nothing"]
        );
    }

    #[test]
    fn a_module_of_the_same_rank_is_not_below() {
        assert_eq!(upward_imports("search/mod.rs", "use crate::tasks::ALL;").len(), 1);
        assert_eq!(upward_imports("lm.rs", "use crate::verify::grade;").len(), 1);
    }

    #[test]
    fn downward_and_own_imports_are_fine() {
        let source = "use crate::data::{Problem, Span};\nuse super::Pool;\nuse crate::search::ALL;";
        assert!(upward_imports("search/best_of_n.rs", source).is_empty());
    }

    #[test]
    fn a_group_is_read_branch_by_branch() {
        let source = "use crate::{data::{Problem, Span as Bytes}, report::{self, Page}, stats};";
        let found = upward_imports("run/mod.rs", source);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("run imports report"));
    }

    #[test]
    fn super_paths_are_followed_to_the_root() {
        assert_eq!(upward_imports("data/rows.rs", "use super::super::run::Run;").len(), 1);
        assert_eq!(upward_imports("data/mod.rs", "use super::{run, stats};").len(), 2);
        assert!(upward_imports("data/rows.rs", "use super::problem::Problem;").is_empty());
    }

    #[test]
    fn inline_modules_count_as_a_level() {
        let source = "mod tests { use super::super::super::lm::Key; fn f() { if x { } } }\n\
                      use super::super::report::Page;";
        let found = upward_imports("verify/grade.rs", source);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("verify imports lm") && found[1].contains("verify imports report")
        );
    }

    #[test]
    fn a_path_in_an_expression_counts_and_one_in_a_comment_does_not() {
        let source = "// crate::report::Page\nfn f() { crate::search::run(\"crate::tasks\") }";
        assert_eq!(upward_imports("stats/mod.rs", source).len(), 1);
    }

    #[test]
    fn a_module_without_a_rank_is_a_finding() {
        assert_eq!(upward_imports("utils/mod.rs", "").len(), 1);
    }

    #[test]
    fn a_clock_outside_run_is_found() {
        assert_eq!(forbidden_words("stats/mod.rs", "use std::time::Instant;").len(), 1);
        assert!(forbidden_words("run/clock.rs", "use std::time::Instant;").is_empty());
        assert_eq!(forbidden_words("run/mod.rs", "use std::net::TcpStream;").len(), 1);
    }
}
