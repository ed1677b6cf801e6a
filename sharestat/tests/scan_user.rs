//! The whole program with `--engine user`: what it prints, how it exits, and what it
//! makes of overlay mounts and of files that are not the caller's.

mod skip;

use std::{
    fs,
    io::Read,
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use skip::skipped;

/// The program under test: what the harness names, else what cargo built beside this.
fn sharestat() -> std::ffi::OsString {
    std::env::var_os("SHARESTAT_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sharestat").into())
}

/// A directory on disk: cargo's, where it exists (not in a guest).
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .or_else(|_| tempfile::tempdir())
        .expect("a directory on disk")
}

/// A file of 4 KiB pages, each filled with one byte, written back to disk.
fn file(path: &Path, pages: &[u8]) {
    let content: Vec<u8> = pages.iter().flat_map(|fill| [*fill; 4096]).collect();
    fs::write(path, content).expect("a file");
    fs::File::open(path)
        .expect("it opens")
        .sync_all()
        .expect("a sync");
}

fn scan(path: &Path) -> Command {
    let mut command = Command::new(sharestat());
    command
        .args(["scan", "--engine", "user", "--format", "json", "--path"])
        .arg(path);
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

fn report(command: &mut Command) -> Value {
    let output = output(command);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON document")
}

fn pages(report: &Value, total: &str) -> u64 {
    report["totals"][total].as_u64().expect("a number") / 4096
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn the_report_adds_up_and_names_the_files() {
    let directory = directory();
    file(&directory.path().join("one"), &[1, 2, 0]);
    file(&directory.path().join("two\nlines"), &[2, 1, 3]);
    let report = report(&mut scan(directory.path()));
    assert_eq!(report["schema"], "sharestat.report/v1");
    assert_eq!(report["measurement"]["engine"], "user");
    assert_eq!(pages(&report, "resident_bytes"), 6);
    assert_eq!(pages(&report, "distinct_bytes"), 4);
    assert_eq!(pages(&report, "duplicate_bytes"), 2);
    let paths: Vec<&str> = report["files"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|f| f["path"].as_str())
        .collect();
    let real = directory.path().canonicalize().expect("it exists");
    assert!(
        paths.contains(&real.join("one").to_str().expect("text")),
        "{paths:?}"
    );
    assert!(
        paths.iter().any(|path| path.ends_with("two\\nlines")),
        "{paths:?}"
    );
}

#[test]
fn names_of_any_bytes_and_paths_of_4000_bytes_lose_no_page() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let directory = directory();
    let top = directory.path().canonicalize().expect("it exists");
    let odd = top.join(OsStr::from_bytes(b"a b\n\xff\xc3"));
    fs::create_dir(&odd).expect("a directory");
    file(&odd.join("one"), &[1, 2]);
    let mut deep = top;
    while deep.as_os_str().len() < 4000 {
        deep.push("d".repeat(200.min(4000 - deep.as_os_str().len())));
    }
    fs::create_dir_all(&deep).expect("a directory");
    file(&deep.join("two"), &[2, 3]);
    let report = report(&mut scan(directory.path()));
    assert_eq!(pages(&report, "resident_bytes"), 4);
    assert_eq!(pages(&report, "duplicate_bytes"), 1);
    let files = report["files"].as_array().expect("a list");
    let named = |end: &str| {
        let path = |file: &Value| file["path"].as_str().map(str::to_owned);
        files
            .iter()
            .filter_map(path)
            .any(|path| path.ends_with(end))
    };
    assert!(named("a b\\n\u{fffd}\u{fffd}/one"), "{files:?}");
    assert!(named("/two"), "{files:?}");
}

#[test]
fn each_format_is_written_and_a_file_gets_it_by_its_ending() {
    let directory = directory();
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    file(&data.join("file"), &[1, 1]);
    for (ending, start) in [
        ("txt", ""),
        ("json", "{\n"),
        ("ndjson", "{\"type\""),
        ("csv", ""),
    ] {
        let target = directory.path().join(format!("report.{ending}"));
        let mut command = Command::new(sharestat());
        command
            .args(["scan", "-q", "--engine", "user", "--path"])
            .arg(&data)
            .arg("-o")
            .arg(&target);
        let output = output(&mut command);
        assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
        let written = fs::read_to_string(&target).expect("it was written");
        assert!(
            written.starts_with(start) && written.contains("data/file"),
            "{ending}: {written}"
        );
    }
}

#[test]
fn wrong_paths_are_named_with_exit_code_2() {
    let directory = directory();
    let plain = directory.path().join("plain");
    file(&plain, &[1]);
    for (path, reason) in [
        (plain.as_path(), "not a directory"),
        (Path::new("/no/such"), "No such file"),
    ] {
        let output = output(&mut scan(path));
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            words.starts_with("sharestat: error: ") && words.lines().count() == 1,
            "{words}"
        );
        assert!(
            words.contains(&format!("'{}'", path.display())) && words.contains(reason),
            "{words}"
        );
    }
}

#[test]
fn a_closed_stdout_is_quiet() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(sharestat())
        .arg("man")
        .stdout(writer)
        .stderr(Stdio::piped())
        .output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.status.signal(), None);
    assert!(output.stderr.is_empty());
}

#[test]
fn files_of_others_are_refused_with_exit_code_3_when_the_kernel_would_lie() {
    if !is_root() {
        skipped("needs root to become somebody else");
        return;
    }
    // The build may be in a directory that others cannot enter.
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let program = directory.path().join("sharestat");
    fs::copy(sharestat(), &program).expect("a copy of the program");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("others may enter");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    file(&data.join("file"), &[1, 2]);
    let as_nobody = |path: &Path| {
        let mut command = Command::new(&program);
        command
            .args(["scan", "--engine", "user", "--path"])
            .arg(path)
            .uid(65534)
            .gid(65534);
        output(&mut command)
    };
    let refused = as_nobody(&data);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{words}");
    assert!(
        words.contains("data/file'") && words.contains("root"),
        "{words}"
    );
    std::os::unix::fs::chown(data.join("file"), Some(65534), None).expect("chown");
    let allowed = as_nobody(&data);
    let words = String::from_utf8_lossy(&allowed.stderr).into_owned();
    assert_eq!(allowed.status.code(), Some(0), "{words}");
    let tables = String::from_utf8_lossy(&allowed.stdout).into_owned();
    assert!(
        tables.contains("needs root"),
        "the limits are told: {tables}"
    );
}

#[test]
fn an_interruption_prints_what_there_is_and_exits_130() {
    let directory = directory();
    for number in 0..200 {
        file(&directory.path().join(number.to_string()), &[1; 64]);
    }
    let mut child = scan(directory.path())
        .args(["--top", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // Early or late, the signal must never lose the report or change the exit code to
    // anything but 130; only a scan that was done already exits with 0.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    let mut text = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut text)
        .expect("text");
    let status = child.wait().expect("it ends");
    match status.code() {
        Some(130) => {
            let report: Value = serde_json::from_str(&text).expect("a whole document");
            assert_eq!(report["coverage"]["complete"], false);
        }
        Some(0) => skipped("the scan was faster than the signal"),
        None if text.is_empty() => {
            skipped("the signal came before the program was ready");
        }
        other => panic!("exit {other:?}, {text}"),
    }
}

/// Runs a script in a mount namespace of its own, in the directory.
fn in_namespace(directory: &Path, script: &str) -> Output {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-euc", script])
        .env("SHARESTAT", sharestat());
    output(command.current_dir(directory))
}

const SCAN: &str = "\"$SHARESTAT\" scan --engine user --format json --top 0";

#[test]
fn a_layer_in_two_overlay_mounts_counts_once_and_a_copied_up_file_twice() {
    if !is_root() {
        skipped("needs root to mount");
        return;
    }
    let directory = directory();
    let root = directory.path().canonicalize().expect("it exists");
    for name in ["low", "u1", "w1", "u2", "w2", "m1", "m2"] {
        fs::create_dir(root.join(name)).expect("a directory");
    }
    file(&root.join("low/file"), &[1, 2, 3]);
    let mounts = "for i in 1 2; do mount -t overlay o -o lowerdir=$PWD/low,upperdir=$PWD/u$i,workdir=$PWD/w$i $PWD/m$i; done; cat m1/file m2/file >&2; ";
    let run = |script: &str| in_namespace(&root, &format!("{mounts}{script}"));
    let result = run(&format!("{SCAN} --path ."));
    if !result.status.success() && result.stdout.is_empty() {
        let why = String::from_utf8_lossy(&result.stderr);
        skipped(format_args!("no overlay mounts here: {why}"));
        return;
    }
    let parse =
        |output: &Output| -> Value { serde_json::from_slice(&output.stdout).expect("JSON") };
    let shared = parse(&result);
    assert_eq!(
        (
            pages(&shared, "resident_bytes"),
            pages(&shared, "duplicate_bytes")
        ),
        (3, 0)
    );
    assert_eq!(
        shared["files"][0]["path"],
        root.join("low/file").to_str().expect("text")
    );
    // Below one of the mounts it is the same file.
    let one = parse(&run(&format!("{SCAN} --path m2")));
    assert_eq!(
        (
            pages(&one, "resident_bytes"),
            pages(&one, "duplicate_bytes")
        ),
        (3, 0)
    );
    let copied = parse(&run(&format!(
        "chmod 600 m1/file; sync; cat m1/file >&2; {SCAN} --path ."
    )));
    assert_eq!(
        (
            pages(&copied, "resident_bytes"),
            pages(&copied, "duplicate_bytes")
        ),
        (6, 3)
    );
}

#[test]
fn files_hidden_below_a_mount_point_are_found() {
    if !is_root() {
        skipped("needs root to mount");
        return;
    }
    let directory = directory();
    fs::create_dir(directory.path().join("point")).expect("a directory");
    file(&directory.path().join("point/hidden"), &[1, 2]);
    let script = format!("mount -t tmpfs t point; printf visible > point/file; {SCAN} --path .");
    let result = in_namespace(directory.path(), &script);
    let report: Value = serde_json::from_slice(&result.stdout).expect("JSON");
    assert_eq!(pages(&report, "resident_bytes"), 3);
    // tmpfs has no clean pages: they are hashed, and nothing of them could be shared.
    assert_eq!(pages(&report, "distinct_bytes"), 3);
    assert_eq!(pages(&report, "eligible_bytes"), 2);
}
