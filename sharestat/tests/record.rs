//! `record` and `top --replay` as whole programs: exit codes, a killed recording, a full
//! disk, and that what is played is what happened.
//!
//! The binary is `SHARESTAT_BIN`, else the one that was built with the test. Needs root.

mod mincore;
mod skip;

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use memmap2::MmapOptions;
use serde_json::Value;
use skip::skipped;
use tempfile::TempDir;

fn binary() -> PathBuf {
    env::var_os("SHARESTAT_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_sharestat").into(), PathBuf::from)
}

fn cannot_run() -> bool {
    let able = rustix::process::geteuid().is_root() && sharestat::kernel::object::is_embedded();
    if !able {
        skipped("needs root and a build with BPF programs");
    }
    !able
}

/// A directory on the disk, with `data` in it to be measured.
fn place() -> (TempDir, PathBuf) {
    // /tmp may be in memory, where pages have no clean state; in guests it is on a disk,
    // and the folders of the build are not there.
    let parent = match env::var_os("SHARESTAT_GUEST") {
        Some(_) => env::temp_dir(),
        None => env!("CARGO_TARGET_TMPDIR").into(),
    };
    let directory = tempfile::tempdir_in(parent).expect("a directory");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("another one");
    (directory, data)
}

fn record(file: &Path, data: &Path, script: &str) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["record", "-o"])
        .arg(file)
        .arg("--path")
        .arg(data);
    command.args(["--", "sh", "-c", script]).arg("sh").arg(data);
    command
}

fn replay(file: &Path) -> (Value, Output) {
    let output = Command::new(binary())
        .args([
            "top", "--format", "json", "--once", "--top", "0", "--replay",
        ])
        .arg(file)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let report = serde_json::from_slice(&output.stdout).expect("a report");
    (report, output)
}

/// Writes a file of so many pages, page `n` holding the number `n` all over.
fn pages(path: &Path, count: u32) {
    let mut file = File::create(path).expect("a file");
    for page in 0..count {
        let words = page.to_le_bytes().repeat(1024);
        file.write_all(&words).expect("written");
    }
    file.sync_all().expect("synced");
}

/// Pages of a file that are cached.
fn cached(path: &Path) -> u64 {
    let file = File::open(path).expect("a file");
    // SAFETY: nobody shortens the file while it is mapped.
    let map = unsafe { MmapOptions::new().map(&file) }.expect("mapped");
    let states = mincore::cached_in(&map).into_iter();
    states.filter(|&is| is).count() as u64
}

/// Files of so many pages, in the end: whether the machine has left all of them in the
/// cache. A host may reclaim proactively, be it with DAMON, and takes pages that are a
/// second old; then what was recorded must lie between what was there and what still is.
fn undisturbed(files: &[(&Path, Option<u64>)], pages: u64) -> bool {
    let mut all = true;
    for (path, recorded) in files {
        let still = cached(path);
        all &= still == pages;
        let recorded = recorded.expect("a number") / 4096;
        assert!(
            (still..=pages).contains(&recorded),
            "{recorded} of '{}' recorded, {still} cached later",
            path.display()
        );
    }
    all
}

/// Does `once` until it was undisturbed.
fn until_undisturbed(mut once: impl FnMut() -> bool) {
    let tries = 10;
    assert!(
        (0..tries).any(|_| once()),
        "this machine reclaimed pages of the files in each of {tries} recordings"
    );
}

#[test]
fn the_command_runs_its_exit_code_is_kept_and_its_files_are_in_the_recording() {
    if cannot_run() {
        return;
    }
    until_undisturbed(|| {
        let (directory, data) = place();
        pages(&data.join("one"), 100);
        let file = directory.path().join("r.ssr");
        let script = "cat \"$1/one\" >\"$1/two\"; sync \"$1/two\"; cat \"$1/two\" >/dev/null; \
                      sleep 1; exit 7";
        let ended = record(&file, &data, script).output().expect("it starts");
        assert_eq!(ended.status.code(), Some(7), "{ended:?}");
        let (report, output) = replay(&file);
        assert!(
            !String::from_utf8_lossy(&output.stderr).contains("cut"),
            "{output:?}"
        );
        let files = report["files"].as_array().expect("files");
        let resident = |path: &Path| {
            let name = path.to_str().expect("text");
            let found = files.iter().find(|file| {
                let path = file["path"].as_str().unwrap_or_default();
                path == name
            });
            found.unwrap_or_else(|| panic!("no '{name}' in {files:?}"))["resident_bytes"].as_u64()
        };
        let both = [data.join("one"), data.join("two")];
        let recorded = [0, 1].map(|file| (both[file].as_path(), resident(&both[file])));
        if !undisturbed(&recorded, 100) {
            return false;
        }
        for (_, bytes) in recorded {
            assert_eq!(bytes, Some(409_600));
        }
        assert_eq!(report["totals"]["duplicate_bytes"], 409_600);
        assert_eq!(report["totals"]["distinct_bytes"], 409_600);
        true
    });
}

#[test]
fn a_killed_recording_plays_and_says_that_it_was_cut() {
    if cannot_run() {
        return;
    }
    until_undisturbed(|| {
        let (directory, data) = place();
        let one = data.join("one");
        pages(&one, 50);
        let file = directory.path().join("r.ssr");
        let started = data.join("started");
        let mut recording = record(&file, &data, "touch \"$1/started\"; exec sleep 100")
            // The command outlives its recorder, and would hold the output of the tests.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let begun = Instant::now();
        while !started.exists() {
            assert!(
                begun.elapsed() < Duration::from_mins(5),
                "it does not begin"
            );
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(Duration::from_secs(2));
        recording.kill().expect("killed");
        recording.wait().expect("gone");
        let (report, output) = replay(&file);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("the recording was cut after"), "{said}");
        let notes = report["measurement"]["notes"].to_string();
        assert!(notes.contains("the recording was cut after"), "{notes}");
        let recorded = report["totals"]["resident_bytes"].as_u64();
        if !undisturbed(&[(&one, recorded)], 50) {
            return false;
        }
        assert_eq!(recorded, Some(50 * 4096));
        true
    });
}

#[test]
fn a_full_disk_ends_the_recording_but_not_the_command() {
    if cannot_run() {
        return;
    }
    let (directory, data) = place();
    let small = directory.path().join("small");
    fs::create_dir(&small).expect("a directory");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&small)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        skipped("cannot mount a tmpfs");
        return;
    }
    let file = small.join("r.ssr");
    // Many files with contents of their own: more than 64 KiB of events.
    let script = "n=0; while [ $n -lt 30 ]; do head -c 1048576 /dev/urandom >\"$1/$n\"; \
                  sync \"$1/$n\"; cat \"$1/$n\" >/dev/null; n=$((n+1)); done; sleep 4; \
                  touch \"$1/done\"";
    let ended = record(&file, &data, script).output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let copy = directory.path().join("copy.ssr");
    let copied = fs::copy(&file, &copy);
    let unmounted = Command::new("umount").arg(&small).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    copied.expect("the file is there");
    assert_eq!(ended.status.code(), Some(5), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert!(data.join("done").exists(), "the command ran to its end");
    let (_, output) = replay(&copy);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cut after"));
}

#[test]
fn what_is_no_recording_is_refused_by_name() {
    let (directory, _) = place();
    let file = directory.path().join("r.ssr");
    fs::write(&file, "not a recording").expect("written");
    for (path, words) in [
        (file, "does not begin with 'SHSTREC1'"),
        (directory.path().join("none"), "No such file"),
    ] {
        let output = Command::new(binary())
            .args(["top", "--once", "--replay"])
            .arg(&path)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(words) && said.contains(path.to_str().expect("text")),
            "{said}"
        );
    }
}
