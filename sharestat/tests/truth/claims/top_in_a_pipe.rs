//! `top` without a screen: what it prints once is what a scan finds, and it ends by itself.

use std::path::Path;

use serde_json::Value;

use crate::{
    binary, calm,
    corpus::{self, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, Outcome, bpf_only},
    scratch::Scratch,
};

bpf_only!(once_is_exact, a_plain_pipe_gets_one_picture);

fn once_is_exact(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = corpus::every_kind();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let words = ["top", "--once", "--format", "json", "--top", "0", "--path"];
    calm::reports_agree(
        || {
            let mut command = binary::command(words);
            command.arg(filesystem.root());
            let report = binary::finish(command).report();
            assert!(report.complete(), "{report:?}");
            vec![report]
        },
        || filesystem.cache(&plan),
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |_| true,
    );
    Ok(())
}

fn a_plain_pipe_gets_one_picture(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = [
        PlannedFile::counting("one", 1, 64),
        PlannedFile::counting("two", 1, 64),
    ];
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    // The words are those for 128 pages, half of them duplicate.
    calm::scan_agrees(
        engine,
        filesystem.root(),
        || filesystem.cache(&plan),
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |expected| (expected.resident, expected.duplicate) == (128, 64),
    );
    let text = picture(filesystem.root());
    let line = |name: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        let first = lines.next();
        assert!(lines.next().is_none(), "several lines '{name}':\n{text}");
        first.unwrap_or_else(|| panic!("no line '{name}':\n{text}"))
    };
    assert!(line("sharestat: ").contains("census done"), "{text}");
    assert!(
        line("page cache: ").contains("512.0 KiB resident, 512.0 KiB hashed"),
        "{text}"
    );
    assert!(
        line("contents: ").contains("256.0 KiB distinct, 256.0 KiB duplicate"),
        "{text}"
    );
    for name in ["one", "two"] {
        let path = filesystem.root().join(name).display().to_string();
        assert_eq!(text.matches(&path).count(), 1, "{path}:\n{text}");
    }
    Ok(())
}

/// `sharestat top | …`, as text, which no document is.
#[track_caller]
fn picture(directory: &Path) -> String {
    let mut command = binary::command(["top", "--path"]);
    command.arg(directory);
    let run = binary::finish(command);
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    assert!(!text.contains('\u{1b}'), "no escape sequences: {text:?}");
    text
}
