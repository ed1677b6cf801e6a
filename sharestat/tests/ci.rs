//! The commands of `docs/ci.md`, run as they stand there, on small images.

mod skip;

use skip::skipped;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

const PAGE: &str = include_str!("../../docs/ci.md");

/// The command lines of the page, in order.
fn commands() -> Vec<&'static str> {
    let lines = PAGE.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("sharestat "))
        .collect()
}

/// The rules of the page.
fn rules() -> &'static str {
    let rest = PAGE.split("```toml\n").nth(1).expect("it has rules");
    rest.split("```").next().expect("they end")
}

/// A root filesystem in a tar archive: `pages` pages, each different, from a letter on.
fn archive(path: &Path, letter: u8, pages: u8) {
    let content: Vec<u8> = (0..pages)
        .flat_map(|page| {
            let mut bytes = vec![letter; 4096];
            bytes[0] = page;
            bytes
        })
        .collect();
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut builder = tar::Builder::new(fs::File::create(path).expect("a file"));
    builder
        .append_data(&mut header, "usr/lib/shared.so", content.as_slice())
        .expect("it is written");
    builder.finish().expect("it is written");
}

fn run(line: &str, directory: &Path) -> Option<i32> {
    let binary = Path::new(env!("CARGO_BIN_EXE_sharestat"));
    let folder = binary.parent().expect("it is in a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = [folder.to_path_buf()]
        .into_iter()
        .chain(env::split_paths(&path));
    let status = Command::new("sh")
        .args(["-euc", line])
        .current_dir(directory)
        .env(
            "PATH",
            env::join_paths(paths).expect("paths without colons"),
        )
        .env("GITHUB_STEP_SUMMARY", directory.join("summary.md"))
        .stdin(Stdio::null())
        .status();
    status.expect("there is a shell").code()
}

#[test]
fn the_examples_run_and_fail_when_duplicates_grow() {
    if !Path::new("/bin/sh").exists() || !Path::new(env!("CARGO_BIN_EXE_sharestat")).exists() {
        skipped("no shell, or the program is elsewhere");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    fs::write(here.join("sharestat.toml"), rules()).expect("a file");
    for (name, letter) in [("web.tar", b'a'), ("worker.tar", b'b')] {
        archive(&here.join(name), letter, 200);
    }
    fs::create_dir(here.join("images")).expect("a directory");
    let commands = commands();
    assert_eq!(commands.len(), 7, "{commands:?}");
    for line in &commands {
        assert_eq!(run(line, here), Some(0), "{line}");
    }
    let summary = fs::read_to_string(here.join("summary.md")).expect("it was written");
    assert!(summary.contains("of duplicate page cache"), "{summary}");
    // One image takes the other's library in, 40 times: 31 MiB twice.
    for name in ["web.tar", "worker.tar"] {
        let folder = here.join(name.replace(".tar", ""));
        fs::create_dir(&folder).expect("a directory");
        for number in 0..40_u8 {
            archive(&folder.join(format!("{number}")), number, 200);
        }
    }
    let line = "sharestat image -q --top 0 -o new.json web worker && sharestat check new.json";
    assert_eq!(run(line, here), Some(1));
}
