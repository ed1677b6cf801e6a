//! What could not be hashed is said, and is never a saving.

use std::fs;

use crate::{
    binary, calm,
    corpus::{self, Page, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, per_engine},
    page_flags::{Watched, bit},
    residency,
    scratch::Scratch,
};

per_engine!(
    dirty_pages_are_skipped_and_save_nothing,
    written_back_pages_count_again,
    pages_mapped_a_thousand_times_are_not_taken_for_pinned,
    an_empty_directory_has_nothing
);

fn dirty_pages_are_skipped_and_save_nothing(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let clean = [PlannedFile::counting("clean", 1, 40)];
    corpus::write_all(&clean, filesystem.root());
    // The same contents, twice, and zero pages: all would be duplicates were they clean.
    let dirty = [
        PlannedFile::counting("dirty", 1, 40),
        PlannedFile::new(
            "dirty-too",
            (1..41).map(Page::Content).chain([Page::Zero; 8]),
        ),
    ];
    let _paused = WritebackPaused::new();
    for file in &dirty {
        file.write(filesystem.root());
    }
    calm::scan_agrees(
        engine,
        filesystem.root(),
        || {
            corpus::read_all(&clean, filesystem.root());
            assert_dirty(&dirty, filesystem.root());
        },
        || {
            let mut files = Observed::all(&clean, filesystem.root());
            let unwritten = Observed::all(&dirty, filesystem.root()).into_iter();
            files.extend(unwritten.map(Observed::dirty));
            Expected::of(&files)
        },
        |expected| (expected.dirty, expected.resident, expected.duplicate) == (88, 128, 0),
    );
    assert_dirty(&dirty, filesystem.root());
    Ok(())
}

/// The kernel agrees, before and after, that all pages are dirty.
fn assert_dirty(plan: &[PlannedFile], root: &std::path::Path) {
    for file in plan {
        let flags = Watched::new(&root.join(&file.names[0])).flags();
        let dirty = |flags: &Option<u64>| flags.is_some_and(|flags| flags & bit::DIRTY != 0);
        assert!(
            flags.iter().all(dirty),
            "'{}' is not dirty: the stage is not set",
            file.names[0].display()
        );
    }
}

/// Keeps the flusher threads from cleaning pages for the length of one scan.
struct WritebackPaused(String);

const INTERVAL: &str = "/proc/sys/vm/dirty_writeback_centisecs";

impl WritebackPaused {
    fn new() -> Self {
        let before = fs::read_to_string(INTERVAL).or_fail("reading the writeback interval");
        fs::write(INTERVAL, "0").or_fail("pausing writeback");
        Self(before)
    }
}

impl Drop for WritebackPaused {
    fn drop(&mut self) {
        // Nothing more can be done from here.
        let _ = fs::write(INTERVAL, self.0.trim());
    }
}

fn written_back_pages_count_again(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let plan = [
        PlannedFile::counting("one", 1, 40),
        PlannedFile::counting("two", 1, 40),
    ];
    corpus::write_all(&plan, filesystem.root());
    calm::scan_agrees(
        engine,
        filesystem.root(),
        // Cached by having been written: reading makes up for what the kernel took.
        || corpus::read_all(&plan, filesystem.root()),
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |expected| (expected.eligible, expected.duplicate) == (80, 40),
    );
    Ok(())
}

/// Every mapping holds a reference, and 1024 references more than its own are what the
/// kernel takes for a pin (`folio_maybe_dma_pinned`, include/linux/mm.h).
fn pages_mapped_a_thousand_times_are_not_taken_for_pinned(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    // One page, so that the folio is small.
    let plan = [PlannedFile::counting("library", 1, 1)];
    corpus::write_all(&plan, filesystem.root());
    let mappings: Vec<_> = (0..1_100)
        .filter_map(|_| residency::map(&filesystem.root().join("library")))
        .collect();
    assert_eq!(mappings.len(), 1_100);
    calm::scan_agrees(
        engine,
        filesystem.root(),
        || {
            for mapping in &mappings {
                std::hint::black_box(mapping[0]);
            }
        },
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |expected| expected.eligible == 1,
    );
    Ok(())
}

fn an_empty_directory_has_nothing(engine: Engine) {
    let scratch = Scratch::new();
    let report = binary::scan(engine, &scratch.directory("empty"));
    report.assert_equals(&Expected::default(), "an empty directory");
}
