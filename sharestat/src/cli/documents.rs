//! Tests that the command lines in README.md and docs/ are ones that this program takes,
//! and that its commands and options are all documented.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory;

use super::args::Cli;

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md and the pages in docs/, by path.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .expect("there is a folder 'docs'")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    paths.push(root().join("README.md"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("it is text")))
        .collect()
}

pub(super) fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("the page exists")
}

/// Command lines in fenced blocks, without prompt, `sudo`, and what the shell does with output.
fn command_lines(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            let line = line.trim().trim_start_matches("$ ");
            let line = line.strip_prefix("sudo ").unwrap_or(line);
            if line.starts_with("sharestat ") {
                found.push(line.to_owned());
            }
        }
    }
    found
}

/// Words of a command line: quotes hold words together, a pipe or the like ends it, and so
/// does a remark after two blanks. In a synopsis, brackets go and the first choice stays.
pub(super) fn words(line: &str) -> Vec<String> {
    let line = line.split("  ").next().unwrap_or(line);
    let mut words = Vec::new();
    for (number, piece) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(piece.to_owned());
            continue;
        }
        for word in piece.split_whitespace() {
            if matches!(word, "|" | ">" | ">>" | "&&" | "#" | "2>") {
                return words;
            }
            let bare = word.trim_end_matches("...").trim_matches(['[', ']']);
            let first = bare.split('|').next().unwrap_or(bare);
            words.push(match first {
                "N" | "NUMBER" | "BYTES" => "7".to_owned(),
                "TIME" | "PERCENT" => "2".to_owned(),
                "RULE" => "zero,bytes=7".to_owned(),
                other => other.to_owned(),
            });
        }
    }
    words
}

#[test]
fn every_command_line_in_the_documents_is_valid() {
    let mut checked = 0;
    for (path, text) in documents() {
        for line in command_lines(&text) {
            let parsed = Cli::command().try_get_matches_from(words(&line));
            if let Err(error) = parsed {
                assert!(
                    !error.use_stderr(),
                    "'{line}' in '{}' is not valid: {error}",
                    path.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} command lines were found");
}

#[test]
fn every_command_is_in_the_readme_and_every_option_on_its_page() {
    let readme = document("README.md");
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            readme.contains(&format!("`{name}")),
            "README.md lacks '{name}'"
        );
        if ![
            "scan", "top", "record", "doctor", "report", "diff", "check", "image", "plan", "serve",
        ]
        .contains(&name)
        {
            continue;
        }
        let page = document(&format!("docs/{name}.md"));
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            let option = format!("--{option}");
            assert!(page.contains(&option), "docs/{name}.md lacks '{option}'");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (path, text) in documents() {
        let folder = path.parent().expect("documents are in a folder");
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") {
                let found = folder.join(target).exists();
                assert!(found, "'{}' links to '{target}'", path.display());
            }
        }
    }
}

#[test]
fn words_end_where_the_shell_takes_over() {
    let all = |line| words(line).join(",");
    assert_eq!(
        all("sharestat scan -o a.json > /dev/null"),
        "sharestat,scan,-o,a.json"
    );
    assert_eq!(
        all("sharestat top -F 'dup>1M fs=xfs' | less"),
        "sharestat,top,-F,dup>1M fs=xfs"
    );
    assert_eq!(
        all("sharestat scan [--path DIR]... [--top N]"),
        "sharestat,scan,--path,DIR,--top,7"
    );
    assert_eq!(all("sharestat man    the manual"), "sharestat,man");
}
