//! What some process may write to through a shared mapping is out of every mechanism's
//! reach, for as long as it is mapped.

use std::{fs::OpenOptions, path::Path};

use memmap2::{MmapMut, MmapOptions};

use crate::{
    calm,
    corpus::{self, PAGE, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, per_engine},
    report::Report,
    scratch::Scratch,
};

per_engine!(a_writably_mapped_file_is_out_of_reach_until_it_is_unmapped);

/// Pages of the file that is mapped and of its equal, and of a pair that nobody maps.
const MAPPED: u64 = 64;
const OTHER: u64 = 16;

const MECHANISMS: [&str; 4] = ["content", "offset", "erofs", "composefs"];

fn a_writably_mapped_file_is_out_of_reach_until_it_is_unmapped(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let root = filesystem.root();
    let plan = [
        PlannedFile::counting("mapped", 1, MAPPED),
        PlannedFile::counting("equal", 1, MAPPED),
        PlannedFile::counting("other-1", 101, OTHER),
        PlannedFile::counting("other-2", 101, OTHER),
    ];
    corpus::write_all(&plan, root);
    let scan = |is_mapped: bool| {
        let observe = || {
            let mut files = Observed::all(&plan, root);
            if is_mapped {
                let first = files.remove(0).mapped_writably();
                files.insert(0, first);
            }
            Expected::of(&files)
        };
        // Copies are counted whoever maps them.
        let planned = |expected: &Expected| expected.duplicate == MAPPED + OTHER;
        let stage = || corpus::read_all(&plan, root);
        calm::scan_agrees(engine, root, stage, observe, planned)
    };
    let bytes = |pages: u64| pages * PAGE as u64;
    let beyond = |report: &Report, mechanism: &str| {
        let reasons = report.out_of_reach(mechanism).into_iter();
        let of_writers = reasons.filter(|(reason, _)| reason == "writably mapped");
        of_writers.map(|(_, bytes)| bytes).sum::<u64>()
    };
    let before = scan(false);
    let mapping = map_writably(&root.join("mapped"));
    let mapped = scan(true);
    drop(mapping);
    let after = scan(false);
    for name in MECHANISMS {
        assert_eq!(before.saving(name), bytes(MAPPED + OTHER), "{name}");
        assert_eq!(beyond(&before, name), 0, "{name}");
        assert_eq!(mapped.saving(name), bytes(OTHER), "{name}: {mapped:?}");
        assert_eq!(beyond(&mapped, name), bytes(MAPPED), "{name}: {mapped:?}");
    }
    assert_eq!(beyond(&mapped, "reflink"), bytes(MAPPED));
    assert_eq!(beyond(&mapped, "zero"), 0);
    assert_eq!(before.facts(), after.facts());
    Ok(())
}

/// Maps a file shared and writably, and writes nothing.
fn map_writably(path: &Path) -> MmapMut {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.or_fail("opening a file to map it");
    // SAFETY: nobody changes the file while this case runs.
    unsafe { MmapOptions::new().map_mut(&file) }.or_fail("mapping a file writably")
}
