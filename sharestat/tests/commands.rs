//! The commands that read files, as a whole: how they exit, and that they write what they
//! were told to and nothing else. No root, no BPF.

mod skip;

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::FileTypeExt as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use skip::skipped;
use tempfile::TempDir;

const RECORDING: &[u8] = include_bytes!("../demo/demo.ssr");

fn program() -> PathBuf {
    env::var_os("SHARESTAT_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from)
}

/// A folder with the reports `base.json`, `new.json` and `more.json` of images with 2, 4 and
/// 7 duplicate pages, and `none.json` of an image without files.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a directory"));
        for (name, pages) in [("base", 2), ("new", 4), ("more", 7), ("none", 0)] {
            for copy in ["one", "two"].iter().take(if pages > 0 { 2 } else { 0 }) {
                place.image_file(&format!("{name}/usr/lib/{copy}"), pages);
            }
            fs::create_dir_all(place.at(name)).expect("a directory");
            let report = format!("{name}.json");
            place.succeeds(&["image", "-q", "--top", "0", "-o", &report, name]);
        }
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file of so many different pages.
    fn image_file(&self, name: &str, pages: u8) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
        let content: Vec<u8> = (1..=pages).flat_map(|page| [page; 4096]).collect();
        fs::write(path, content).expect("a file");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .expect("it starts")
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What it says when it exits with this code.
    fn says(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Everything in the folder.
    fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let mut open = vec![self.0.path().to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).expect("it lists") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    tree.insert(path.clone(), Vec::new());
                    open.push(path);
                } else {
                    let content = fs::read(&path).expect("it reads");
                    tree.insert(path, content);
                }
            }
        }
        tree
    }
}

const GROWTH: &str = "duplicate,percent=1,bytes=1";

#[test]
fn nothing_but_the_named_output_is_written() {
    let place = Place::new();
    fs::write(place.at("run.ssr"), RECORDING).expect("a file");
    let commands: [&[&str]; 8] = [
        &["image", "-q", "base", "new", "-o", "out"],
        &["report", "base.json", "-o", "out"],
        &["report", "run.ssr", "-o", "out"],
        &["diff", "base.json", "new.json", "-o", "out"],
        &["check", "base.json", "base.json", "-o", "out"],
        &["plan", "run.ssr", "--memory", "8GiB", "-o", "out"],
        &["report", "base.json"],
        &["check", "base.json", "base.json"],
    ];
    for arguments in commands {
        let before = place.tree();
        let mut words = arguments.to_vec();
        if matches!(arguments[0], "image" | "report") {
            words.extend(["--format", "html"]);
        }
        if arguments[0] == "plan" {
            words.extend(["--format", "json"]);
        }
        let printed = place.succeeds(&words);
        let mut after = place.tree();
        let out = after.remove(&place.at("out"));
        assert_eq!(after, before, "{arguments:?}");
        // To the file or to stdout, never to both.
        assert_ne!(out.is_some_and(|out| !out.is_empty()), !printed.is_empty());
        let _ = fs::remove_file(place.at("out"));
    }
}

#[test]
fn a_fifo_and_stdout_are_written_to_as_they_are() {
    let place = Place::new();
    let fifo = place.at("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.is_ok_and(|status| status.success()), "a FIFO");
    let reader = Command::new("cat")
        .arg(&fifo)
        .stdout(Stdio::piped())
        .spawn();
    let json = ["--format", "json", "-o"];
    place.succeeds(&[&["report", "base.json"], &json[..], &["fifo"]].concat());
    let read = reader.and_then(std::process::Child::wait_with_output);
    let read = read.expect("it ends").stdout;
    let report: Value = serde_json::from_slice(&read).expect("one document");
    assert_eq!(report["totals"]["duplicate_bytes"], 2 * 4096);
    let kind = fs::symlink_metadata(&fifo).expect("it is there");
    assert!(kind.file_type().is_fifo());
    let printed = place.succeeds(&[&["report", "base.json"], &json[..], &["/dev/stdout"]].concat());
    assert!(printed.starts_with('{'), "{printed}");
    // What a job has collected in its summary stays.
    let summary = place.at("summary.md");
    fs::write(&summary, "before\n").expect("a file");
    let appended = fs::OpenOptions::new().append(true).open(&summary);
    let status = Command::new(program())
        .args(["diff", "base.json", "new.json", "--format", "markdown"])
        .args(["-o", "/dev/stdout"])
        .current_dir(place.0.path())
        .stdout(appended.expect("it opens"))
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    let text = fs::read_to_string(&summary).expect("it reads");
    assert!(text.starts_with("before\n### Duplicate"), "{text}");
}

#[test]
fn an_output_that_cannot_be_written_is_no_regression() {
    let place = Place::new();
    let check = ["check", "--rule", GROWTH, "base.json", "new.json"];
    place.says(1, &check);
    let said = place.says(2, &[&check[..], &["-o", "missing/out"]].concat());
    assert!(said.contains("cannot write 'missing/out'"), "{said}");
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let status = Command::new(program())
        .args(check)
        .current_dir(place.0.path())
        .stdout(full.expect("it opens"))
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.expect("it starts").code(), Some(2));
}

#[test]
fn update_makes_the_new_report_the_base_whatever_the_outcome() {
    let place = Place::new();
    let check = ["check", "--rule", GROWTH, "base.json", "new.json"];
    place.says(1, &check);
    let said = place.says(0, &[&check[..], &["--update"]].concat());
    assert!(said.contains("'base.json' is the base now"), "{said}");
    let report = |name: &str| -> Value {
        let text = fs::read(place.at(name)).expect("it is there");
        serde_json::from_slice(&text).expect("a report")
    };
    assert_eq!(report("base.json"), report("new.json"));
    let passed = place.succeeds(&check);
    assert!(passed.contains("no change"), "{passed}");
    // A base that is not there yet is made, as the configuration names it.
    fs::write(
        place.at("sharestat.toml"),
        "baseline = \"first.json\"\n[[rule]]\nmeasure = \"duplicate\"\nbytes = 1\n",
    )
    .expect("a file");
    place.says(0, &["check", "--update", "new.json"]);
    assert_eq!(report("first.json"), report("new.json"));
    fs::remove_file(place.at("sharestat.toml")).expect("it goes");
    for (base, why) in [(&["-"][..], "standard input"), (&[], "no base to renew")] {
        let words = [&["check", "--update"], base, &["new.json"]].concat();
        let said = place.says(2, &words);
        assert!(said.contains(why), "{said}");
    }
    assert!(!place.at("-").exists());
}

#[test]
fn strict_exits_with_5_when_nothing_was_judged() {
    let place = Place::new();
    let size = "duplicate,max_bytes=1GiB";
    let both = "duplicate,max_bytes=1GiB,percent=5,bytes=1";
    for (rule, reports) in [
        (GROWTH, &["new.json"][..]),
        (both, &["new.json"]),
        (size, &["none.json"]),
        (GROWTH, &["new.json", "none.json"]),
        ("image:nginx,bytes=1", &["base.json", "new.json"]),
    ] {
        let check = [&["check", "--rule", rule], reports].concat();
        let printed = place.succeeds(&check);
        assert!(printed.contains("SKIP:"), "{check:?}: {printed}");
        place.says(5, &[&check[..], &["--strict"]].concat());
    }
    place.says(0, &["check", "--strict", "--rule", size, "new.json"]);
    // A regression says more than a gap.
    let worse = [
        "check",
        "--strict",
        "--rule",
        GROWTH,
        "--rule",
        "image:x,bytes=1",
    ];
    place.says(1, &[&worse[..], &["base.json", "new.json"]].concat());
}

#[test]
fn diff_knows_noise_from_repeats_and_refuses_contents_that_it_has_not() {
    let place = Place::new();
    let json = ["--format", "json"];
    let repeated = ["diff", "base.json", "new.json", "--again", "more.json"];
    let text = place.succeeds(&[&repeated[..], &json].concat());
    let diff: Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(diff["repeats"], 1);
    let rows = diff["totals"].as_array().expect("rows");
    let duplicate = rows.iter().find(|row| row["name"] == "duplicate");
    let duplicate = duplicate.expect("a total");
    assert_eq!(duplicate["change_bytes"], 2 * 4096);
    assert_eq!(duplicate["noise_bytes"], 5 * 4096);
    assert!(place.succeeds(&repeated).contains("(noise)"));
    let plain = place.succeeds(&["diff", "base.json", "new.json"]);
    assert!(!plain.contains("(noise)"), "{plain}");
    let said = place.says(2, &["diff", "--contents", "base.json", "new.json"]);
    assert!(said.contains("contents are not compared"), "{said}");
    for twice in [
        &["diff", "-", "-"][..],
        &["diff", "-", "new.json", "--again", "-"],
        &["check", "-", "-"],
        &["report", "-", "-"],
    ] {
        let said = place.says(2, twice);
        assert!(said.contains("read only once"), "{twice:?}: {said}");
    }
}

#[test]
fn a_report_without_rows_is_written_in_every_format() {
    let place = Place::new();
    let written = |format: &str| place.succeeds(&["report", "none.json", "--format", format]);
    let of = |document: &str| serde_json::from_str::<Value>(document).expect("JSON");
    assert!(written("text").contains("Top duplicate files\nnone\n"));
    assert_eq!(
        of(&written("json"))["files"],
        Value::from(Vec::<Value>::new())
    );
    assert!(written("ndjson").lines().count() > 0);
    for line in written("ndjson").lines() {
        assert!(of(line)["type"].is_string(), "{line}");
    }
    let csv = written("csv");
    assert_eq!(csv.lines().count(), 1, "{csv}");
    let html = written("html");
    assert!(html.contains("0 B of duplicate page cache") && html.ends_with("</html>"));
    assert!(!html.contains("<h2>Files</h2>"), "{html}");
    assert!(written("markdown").starts_with("### 0 B of duplicate page cache"));
    assert!(written("openmetrics").ends_with("# EOF\n"));
    for format in ["text", "json", "markdown"] {
        let diff = ["diff", "none.json", "none.json", "--format", format];
        assert!(!place.succeeds(&diff).is_empty());
    }
    for format in ["text", "json", "junit", "sarif", "markdown"] {
        let check = ["check", "none.json", "--format", format];
        assert!(!place.succeeds(&check).is_empty());
    }
}

#[test]
fn touched_files_come_from_a_list_or_from_a_recording() {
    let place = Place::new();
    fs::write(place.at("run.ssr"), RECORDING).expect("a file");
    // The recording has a library of this name in its images.
    place.image_file("app/usr/lib/libcrypto.so.3", 9);
    place.image_file("app/usr/lib/unread.so", 30);
    let image = ["image", "-q", "--format", "json", "--touched", "run.ssr"];
    let text = place.succeeds(&[&image[..], &["app"]].concat());
    let report: Value = serde_json::from_str(&text).expect("a report");
    assert_eq!(report["totals"]["resident_bytes"], 9 * 4096);
    let said = place.says(2, &[&image[..], &["base"]].concat());
    assert!(said.contains("is in any image"), "{said}");
}

#[test]
fn progress_is_a_line_on_a_terminal_and_nothing_elsewhere() {
    const ERASE: &str = "\r\x1b[K";
    let place = Place::new();
    let output = place.run(&["image", "base"]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let on_terminal = |line: &str| {
        let line = format!("'{}' {line}", program().display());
        let run = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(place.0.path())
            .stdin(Stdio::null())
            .output();
        run.map(|run| String::from_utf8_lossy(&run.stdout).into_owned())
    };
    let Ok(shown) = on_terminal("image base") else {
        skipped("no 'script' to make a terminal");
        return;
    };
    assert!(
        shown.contains("Page cache") && shown.contains(ERASE),
        "{shown:?}"
    );
    let quiet = on_terminal("image -q base").expect("it starts");
    assert!(
        quiet.contains("Page cache") && !quiet.contains(ERASE),
        "{quiet:?}"
    );
}

#[test]
fn a_recording_that_ends_while_pages_wait_to_be_hashed_has_a_picture() {
    let place = Place::new();
    fs::write(place.at("cut.ssr"), &RECORDING[..80_000]).expect("a file");
    let played = Command::new(program())
        .args(["top", "--once", "--format", "json", "--replay"])
        .arg(place.at("cut.ssr"))
        .output()
        .expect("it starts");
    assert!(played.status.success(), "{played:?}");
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(said.contains("was cut after"), "{said}");
    let report: Value = serde_json::from_slice(&played.stdout).expect("one report");
    let waiting = report["coverage"]["skipped"]["budget"].as_u64();
    assert!(
        waiting.is_some_and(|pages| pages > 0),
        "no page waits where the recording is cut: the demo is another, cut it elsewhere"
    );
}
