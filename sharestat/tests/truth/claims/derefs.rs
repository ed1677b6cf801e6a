//! `derefs exercise` catches the code that is known to touch `folio->mapping`, and says
//! of each access what the kernel's source says.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    binary,
    filesystems::{Filesystem, Kind},
    harness::{Engine, Outcome, Skip, bpf_only, in_guest, kernel_version},
    scratch::Scratch,
};

bpf_only!(
    exercise_reaches_what_is_known,
    nothing_watched_nothing_claimed,
    every_run_of_a_traced_site_counts,
);

/// Functions that touch the mapping of a page that is read, mapped, unmapped and dropped:
/// seen on 7.3 with a bare watchpoint.
const KNOWN_7_3: [&str; 8] = [
    "next_uptodate_folio",
    "folio_mapping",
    "find_lock_entries",
    "filemap_release_folio",
    "ext4_release_folio",
    "try_to_free_buffers",
    "filemap_unaccount_folio",
    "__filemap_remove_folio",
];

/// Those that other kernels have too; on 6.1 `filemap_unaccount_folio` gets the mapping.
const KNOWN: [&str; 4] = [
    "__filemap_remove_folio",
    "filemap_release_folio",
    "find_lock_entries",
    "folio_mapping",
];

pub(super) fn document(arguments: &[&str]) -> Result<Value, Skip> {
    let run = binary::finish(binary::command(arguments));
    // Virtual machines exist that give no debug registers.
    if run.status.code() == Some(4) && run.stderr.contains("breakpoint") && !in_guest() {
        return Err(Skip(run.stderr));
    }
    assert!(run.status.success(), "{run:?}");
    let document: Value = serde_json::from_slice(&run.stdout).expect("stdout is JSON");
    assert_eq!(document["schema"], "sharestat.derefs/v1");
    Ok(document)
}

/// Hits by function and kind, of sites with folios of files.
fn hits(document: &Value) -> BTreeMap<(String, String), u64> {
    let sites = document["sites"].as_array().expect("a list of sites");
    let mut hits = BTreeMap::new();
    for site in sites {
        let text = |field: &str| site[field].as_str().expect("a text").to_owned();
        *hits.entry((text("function"), text("kind"))).or_default() +=
            site["hits"].as_u64().expect("a number");
    }
    hits
}

fn exercise_reaches_what_is_known(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &[])?;
    let place = filesystem.root().to_str().expect("a plain path").to_owned();
    let document = document(&[
        "derefs", "exercise", "--dir", &place, "--rounds", "1", "--format", "json",
    ])?;
    let hits = hits(&document);
    let known: &[&str] = if kernel_version() >= (7, 3) {
        &KNOWN_7_3
    } else {
        &KNOWN
    };
    for function in known {
        assert!(
            hits.keys().any(|(name, _)| name == function),
            "'{function}' is missing among {hits:?}"
        );
    }
    // Its own reads never appear, and every access is of a known instruction.
    assert!(
        hits.keys()
            .all(|(name, kind)| !name.contains("nofault") && kind != "unknown"),
        "{hits:?}"
    );
    // A removal writes the word, a test for anonymous pages reads only its tag bits.
    assert!(
        hits.contains_key(&("__filemap_remove_folio".to_owned(), "store".to_owned())),
        "{hits:?}"
    );
    assert!(hits.keys().any(|(_, kind)| kind == "tag_test"), "{hits:?}");
    let measurement = &document["measurement"];
    assert_eq!(measurement["lost"], 0, "{measurement}");
    let steps = document["steps"].as_array().expect("a list of steps");
    for step in [
        "read-again",
        "map-read",
        "map-write",
        "dontneed",
        "truncate",
        "unlink",
    ] {
        let found = steps.iter().find(|found| found["name"] == step);
        let found = found.expect("the step is listed");
        assert!(
            found["ran"] == true && found["hits"].as_u64() > Some(0),
            "{found}"
        );
    }
    Ok(())
}

/// A list of one site, `__filemap_remove_folio`'s store, from what `exercise` saw.
fn list_of_one(document: &Value, text_start: u64) -> Option<Value> {
    let sites = document["sites"].as_array()?;
    let site = sites
        .iter()
        .find(|site| site["function"] == "__filemap_remove_folio" && site["kind"] == "store")?;
    let instruction = site["instruction"].as_str()?;
    // `mov qword ptr [rbx+0x18], 0x0`
    let operand = instruction.split(['[', ']']).nth(1)?;
    let (base, displacement) = operand.split_once("+0x")?;
    let offset = site["offset"].as_u64()?;
    let start = symbol("__filemap_remove_folio")?;
    Some(json!({
        "release": rustix::system::uname().release().to_string_lossy(),
        "build_id": null,
        "text_start": text_start,
        "sites": [{
            "id": site["id"],
            "address": start + offset,
            "symbol": "__filemap_remove_folio",
            "offset": offset,
            "function": "__filemap_remove_folio",
            "instruction": instruction,
            "base": base.to_uppercase(),
            "displacement": i32::from_str_radix(displacement, 16).ok()?,
            "kind": "store",
            "basis": "typed",
            "direct": null,
            "subsystem": "mm",
        }],
    }))
}

/// Address of a kernel symbol.
pub(super) fn symbol(name: &str) -> Option<u64> {
    let symbols = fs::read_to_string("/proc/kallsyms").ok()?;
    let line = symbols
        .lines()
        .find(|line| line.split_whitespace().nth(2) == Some(name))?;
    u64::from_str_radix(line.split_whitespace().next()?, 16).ok()
}

fn every_run_of_a_traced_site_counts(_: Engine) -> Outcome {
    /// Folios that the steps of the workload drop at the very least: one a step.
    const DROPPED: u64 = 4;
    if !Path::new("/sys/bus/event_source/devices/kprobe").is_dir() {
        return Err(Skip("this kernel has no kprobes".to_owned()));
    }
    let scratch = Scratch::new();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &[])?;
    let place = filesystem.root().to_str().expect("a plain path").to_owned();
    let seen = document(&[
        "derefs", "exercise", "--dir", &place, "--rounds", "1", "--format", "json",
    ])?;
    let start = symbol("_stext").expect("the kernel has a start of text");
    let list = list_of_one(&seen, start).expect("the store was seen");
    let path = scratch.path().join("list.json");
    fs::write(&path, list.to_string()).expect("a list is written");
    // The workload drops files of four pages, several times, one folio at a time.
    let program = binary::path();
    let run = binary::finish(binary::command([
        "derefs",
        "trace",
        "--sites",
        path.to_str().expect("a plain path"),
        "--format",
        "json",
        "--output",
        scratch
            .path()
            .join("trace.json")
            .to_str()
            .expect("a plain path"),
        "--",
        program.to_str().expect("a plain path"),
        "derefs",
        "exercise",
        "--drive-only",
        "--rounds",
        "1",
        "--dir",
        &place,
    ]));
    assert!(run.status.success(), "{run:?}");
    let traced = fs::read(scratch.path().join("trace.json")).expect("a result");
    let traced: Value = serde_json::from_slice(&traced).expect("it is JSON");
    assert_eq!(traced["schema"], "sharestat.derefs-trace/v1");
    let count = |field: &str| {
        traced["sites"][0][field]
            .as_u64()
            .unwrap_or_else(|| panic!("a count in {traced}"))
    };
    assert!(count("hits") >= DROPPED, "{traced}");
    // Locked, uptodate and clean is what the page cache lets go.
    let shareable = count("shareable_hits");
    assert!(shareable >= 1 && shareable <= count("hits"), "{traced}");
    Ok(())
}

fn nothing_watched_nothing_claimed(_: Engine) -> Outcome {
    let scratch = Scratch::new();
    let place = scratch.path();
    let place = place.to_str().expect("a plain path");
    let document = document(&[
        "derefs",
        "watch",
        "--path",
        place,
        "--format",
        "json",
        "--duration",
        "2s",
    ])?;
    let measurement = &document["measurement"];
    // Nothing is cached there: nothing is watched, and nothing is claimed.
    assert_eq!(measurement["hits"], 0, "{measurement}");
    assert_eq!(document["sites"], Value::Array(Vec::new()));
    Ok(())
}
