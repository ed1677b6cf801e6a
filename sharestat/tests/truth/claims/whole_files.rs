//! Equal as a whole: a guess until files are read, and then right or withdrawn.

use std::{fs, os::fd::AsFd as _};

use rustix::fs::{Advice, fadvise};

use crate::{
    binary, calm,
    corpus::{self, PAGE, Page, PlannedFile},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, per_engine},
    scratch::Scratch,
};

per_engine!(files_that_differ_where_nothing_is_cached_are_never_verified);

const PAGES: u64 = 64;
/// Where the second pair differs: nothing from here on is cached.
const CUT: u64 = 32;

fn files_that_differ_where_nothing_is_cached_are_never_verified(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let mut filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let other_end = |from: u64| {
        let begin = (from..from + PAGES - 1).map(Page::Content);
        begin.chain([Page::Content(9999)])
    };
    let plans = [
        PlannedFile::counting("equal-1", 1, PAGES),
        PlannedFile::counting("equal-2", 1, PAGES),
        PlannedFile::counting("differs-1", 101, PAGES),
        PlannedFile::new("differs-2", other_end(101)),
    ];
    corpus::write_all(&plans, filesystem.root());
    filesystem.remount()?;
    let root = filesystem.root();
    let stage = || {
        corpus::read_all(&plans, root);
        for name in ["differs-1", "differs-2"] {
            let file = fs::File::open(root.join(name)).or_fail("opening a file");
            let length = std::num::NonZeroU64::new((PAGES - CUT) * PAGE as u64);
            fadvise(file.as_fd(), CUT * PAGE as u64, length, Advice::DontNeed)
                .or_fail("dropping pages");
        }
    };
    let report = calm::scan_agrees(
        engine,
        root,
        stage,
        || Expected::of(&Observed::all(&plans, root)),
        |expected| expected.duplicate == PAGES + CUT,
    );
    let bytes = |pages: u64| pages * PAGE as u64;
    assert_eq!(report.saving("erofs"), bytes(PAGES + CUT));
    assert_eq!(report.confidence("erofs"), "probable");
    let mut command = binary::scan_command(engine, root);
    command.arg("--verify-files");
    let report = binary::finish(command).report();
    assert_eq!(report.saving("erofs"), bytes(PAGES), "{report:?}");
    // The pages of the second pair that are equal stay savings of pages.
    assert_eq!(report.saving("content"), bytes(PAGES + CUT), "{report:?}");
    for name in ["erofs", "content", "offset"] {
        assert_eq!(report.confidence(name), "verified", "{name}: {report:?}");
    }
    Ok(())
}
