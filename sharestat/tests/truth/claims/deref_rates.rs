//! `derefs watch` samples, `derefs trace` counts everything: for one steady workload both
//! must say the same. And what holds at page faults, on filesystems where it is known.

use std::{
    fs::{self, File},
    os::fd::AsRawFd as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::derefs::{document, symbol};
use crate::{
    binary,
    corpus::{PAGE, PlannedFile},
    disk::Disk,
    erofs_images,
    filesystems::{Filesystem, Kind},
    harness::{self, Engine, OrFail as _, Outcome, Skip, bpf_only, kernel_version},
    mount::Mount,
    scratch::Scratch,
};

bpf_only!(watch_and_trace_agree, a_fault_finds_the_folio_of_its_file,);

const FILES: u64 = 24;
const PAGES: u64 = 4;

/// Time between two files, so that each is mapped several times a second, at times that
/// have nothing to do with each other.
const PAUSE: Duration = Duration::from_millis(9);

/// How long each instrument measures.
const DURATION: &str = "12s";

fn need_kprobes() -> Result<(), Skip> {
    if Path::new("/sys/bus/event_source/devices/kprobe").is_dir() {
        Ok(())
    } else {
        Err(Skip("this kernel has no kprobes".to_owned()))
    }
}

/// Maps a file, locks and reads its pages, and unmaps it.
fn touch(file: &File) {
    let bytes = PAGE * usize::try_from(PAGES).or_fail("a small number");
    // SAFETY: a new mapping, read within its length and unmapped.
    unsafe {
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        assert_ne!(start, libc::MAP_FAILED, "mmap");
        for page in 0..bytes / PAGE {
            std::ptr::read_volatile(start.cast::<u8>().add(page * PAGE));
        }
        assert_eq!(libc::mlock(start, bytes), 0, "mlock");
        assert_eq!(libc::munmap(start, bytes), 0, "munmap");
    }
}

/// Runs `measure` while files below `root` are mapped one after the other; also returns
/// how many per second were.
fn meanwhile<T>(root: &Path, measure: impl FnOnce() -> T) -> (T, f64) {
    let files: Vec<File> = (0..FILES)
        .map(|number| File::open(root.join(format!("file-{number}"))).or_fail("opening a file"))
        .collect();
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let turn = done.fetch_add(1, Ordering::Relaxed);
                // 7 and 24 have no common divisor: every file gets its turn.
                touch(&files[usize::try_from(turn * 7 % FILES).or_fail("a small number")]);
                thread::sleep(PAUSE);
            }
        });
        let measured = measure();
        stop.store(true, Ordering::Relaxed);
        let turns = u32::try_from(done.load(Ordering::Relaxed)).or_fail("few turns");
        (measured, f64::from(turns) / start.elapsed().as_secs_f64())
    })
}

/// The sites of `watched` as a list for `derefs trace`: those with a plain operand.
fn list_of(watched: &Value) -> Value {
    let sites: Vec<Value> = watched["sites"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|site| {
            let operand = site["instruction"].as_str()?.split(['[', ']']).nth(1)?;
            let (base, displacement) = operand.split_once("+0x")?;
            Some(json!({
                "id": site["id"],
                "address": symbol(site["symbol"].as_str()?)? + site["offset"].as_u64()?,
                "symbol": site["symbol"],
                "offset": site["offset"],
                "function": site["function"],
                "instruction": site["instruction"],
                "base": base.to_uppercase(),
                "displacement": i32::from_str_radix(displacement, 16).ok()?,
                "kind": site["kind"],
                "basis": "typed",
                "direct": null,
                "subsystem": "mm",
            }))
        })
        .collect();
    let release = rustix::system::uname();
    json!({
        "release": release.release().to_string_lossy(),
        "build_id": null,
        "text_start": symbol("_stext"),
        "sites": sites,
    })
}

/// What is comparable: accesses to folios of the files of one filesystem, by one steady
/// workload that keeps them all in memory. `watch --path` estimates them for the folios
/// that its census found there; `trace --filesystem` counts them all. One after the other,
/// because a kprobe moves the instruction that a watchpoint would report. Rates are taken
/// per turn of the workload, so that it may run slower under one of them. Intervals cover
/// 95 %: of ten, two may miss.
fn watch_and_trace_agree(_: Engine) -> Outcome {
    need_kprobes()?;
    let scratch = Scratch::new();
    let files: Vec<PlannedFile> = (0..FILES)
        .map(|number| PlannedFile::counting(&format!("file-{number}"), 1 + number * PAGES, PAGES))
        .collect();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &files)?;
    let root = filesystem.root().to_owned();
    let place = root.to_str().expect("a plain path");
    let (watched, turns_watched) = meanwhile(&root, || {
        document(&[
            "derefs",
            "watch",
            "--path",
            place,
            "--duration",
            DURATION,
            "--window",
            "20ms",
            "--max-hz",
            "100000",
            "--format",
            "json",
        ])
    });
    let watched = watched?;
    let list = scratch.path().join("list.json");
    fs::write(&list, list_of(&watched).to_string()).or_fail("writing a list");
    let list = list.to_str().expect("a plain path").to_owned();
    let (run, turns_traced) = meanwhile(&root, || {
        binary::finish(binary::command([
            "derefs",
            "trace",
            "--sites",
            &list,
            "--filesystem",
            place,
            "--duration",
            DURATION,
            "--format",
            "json",
        ]))
    });
    assert!(run.status.success(), "{run:?}");
    let traced: Value = serde_json::from_slice(&run.stdout).expect("it is JSON");
    let mut compared = Vec::new();
    let mut missed = 0;
    for site in traced["sites"].as_array().expect("a list") {
        let counted = site["file_hits_per_second"].as_f64().expect("a rate") / turns_traced;
        let found = watched["sites"].as_array().expect("a list").iter();
        let found = found.filter(|found| found["id"] == site["id"]);
        let Some(rate) = found.map(|found| &found["rate"]).next() else {
            panic!("{site} was watched");
        };
        let [estimate, low, high] = ["per_second", "low", "high"]
            .map(|name| rate[name].as_f64().expect("a rate") / turns_watched);
        if compared.len() == 10 || counted * f64::from(12_u8) * turns_traced < 30.0 {
            break;
        }
        missed += u32::from(!(low..=high).contains(&counted));
        assert!(
            (estimate - counted).abs() <= (high - low).max(estimate * 0.02),
            "{}: {estimate:.3} ({low:.3} to {high:.3}) watched, {counted:.3} traced",
            site["place"]
        );
        compared.push(format!(
            "{} {estimate:.3} ({low:.3} to {high:.3}) watched, {counted:.3} traced",
            site["place"].as_str().unwrap_or_default()
        ));
    }
    harness::say(&format!(
        "accesses per mapped file, {missed} outside the interval:\n  {}",
        compared.join("\n  ")
    ));
    assert!(compared.len() >= 4, "too few sites: {compared:?}");
    assert!(
        missed <= 2,
        "{missed} outside their intervals: {compared:#?}"
    );
    Ok(())
}

/// The rows of faults of what was mapped at `path`: filesystem, faults, same mapping, same
/// inode.
fn faults_of(document: &Value, path: &Path) -> Vec<(String, u64, u64, u64)> {
    let path = path.to_str().expect("a plain path");
    let rows = document["faults"].as_array().expect("a list");
    rows.iter()
        .filter(|row| {
            row["of"]
                .as_str()
                .is_some_and(|of| of.starts_with(&format!("{path} (")))
        })
        .map(|row| {
            let count = |name: &str| row[name].as_u64().expect("a count");
            let name = row["filesystem"].as_str().expect("a name").to_owned();
            (
                name,
                count("faults"),
                count("same_mapping"),
                count("same_inode"),
            )
        })
        .collect()
}

fn a_fault_finds_the_folio_of_its_file(_: Engine) -> Outcome {
    need_kprobes()?;
    let scratch = Scratch::new();
    let files = [PlannedFile::counting("one", 1, 64)];
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &files)?;
    let lower = filesystem.root().join("lower");
    fs::create_dir(&lower).or_fail("making a directory");
    fs::copy(filesystem.root().join("one"), lower.join("one")).or_fail("copying");
    let overlay = Mount::overlay(
        &scratch.directory("overlay"),
        &[&lower],
        &filesystem.root().join("upper"),
        &filesystem.root().join("work"),
    )?;
    let shares = kernel_version() >= (7, 2);
    let image = erofs_images::make(&scratch, "image", &files, shares)?;
    let disk = Disk::of_image(&image)?;
    let options = if shares {
        "inode_share,domain_id=truth"
    } else {
        ""
    };
    let erofs = Mount::new(
        disk.device(),
        &scratch.directory("erofs"),
        "erofs",
        true,
        options,
    )?;
    let place = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let found = document(&[
        "derefs",
        "exercise",
        "--rounds",
        "1",
        "--dir",
        &place(filesystem.root()),
        "--map",
        &place(&lower),
        "--map",
        &place(overlay.target()),
        "--map",
        &place(erofs.target()),
        "--map",
        &place(disk.device()),
        "--format",
        "json",
    ])?;
    let rows = |path: &Path| {
        let rows = faults_of(&found, path);
        harness::say(&format!("{}: {rows:?}", path.display()));
        assert!(!rows.is_empty(), "no faults: {}", found["faults"]);
        rows
    };
    // The kernel puts the file below into the vma (`backing_file_mmap`, `vma_set_file`), so
    // that the overlay's folios are those of its file; an EROFS file that shares likewise.
    for (path, filesystem) in [
        (&*lower, "ext4"),
        (overlay.target(), "ext4"),
        (
            erofs.target(),
            if shares { "pseudo_erofs" } else { "erofs" },
        ),
    ] {
        let rows = rows(path);
        let mine = rows.iter().find(|row| row.0 == filesystem);
        let (_, faults, same_mapping, same_inode) =
            mine.unwrap_or_else(|| panic!("none of {filesystem}: {rows:?}"));
        assert!(
            *faults > 0 && faults == same_mapping && faults == same_inode,
            "{rows:?}"
        );
    }
    // And where it is known not to hold: the inode of a device node is in devtmpfs, its
    // pages belong to the block device's own.
    for (_, faults, same_mapping, same_inode) in rows(disk.device()) {
        assert!(faults > 0 && faults == same_mapping && same_inode == 0);
    }
    Ok(())
}
