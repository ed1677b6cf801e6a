//! `derefs exercise` catches the code that is known to touch `folio->mapping`, and says
//! of each access what the kernel's source says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    binary,
    filesystems::{Filesystem, Kind},
    harness::{Engine, Outcome, Skip, bpf_only, in_guest, kernel_version},
    scratch::Scratch,
};

bpf_only!(
    exercise_reaches_what_is_known,
    nothing_watched_nothing_claimed
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

/// Runs `sharestat` with these arguments, which print a document.
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
    // Reclaim asks for the mapping through a function of its own.
    let sites = document["sites"].as_array().expect("a list of sites");
    assert!(
        sites.iter().any(|site| site["function"] == "folio_mapping"
            && site["callers"]["shrink_folio_list"].as_u64() > Some(0)),
        "{sites:?}"
    );
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
