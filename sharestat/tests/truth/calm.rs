//! Compares a scan with the model while the cache stands still. A kernel may take pages
//! of its own accord, also without any sign of reclaim, which is nobody's fault; a scan
//! that moves pages itself finds no calm moment.

use std::path::Path;

use crate::{binary, expectation::Expected, harness::Engine, report::Report};

const TRIES: usize = 8;

/// Sets the stage until `planned` holds for what is observed, then looks until what is
/// observed is the same before and after; then every report must be as observed.
#[track_caller]
pub(crate) fn reports_agree(
    look: impl Fn() -> Vec<Report>,
    stage: impl Fn(),
    observe: impl Fn() -> Expected,
    planned: impl Fn(&Expected) -> bool,
) -> Vec<Report> {
    let mut last = None;
    for _ in 0..TRIES {
        stage();
        let before = observe();
        if planned(&before) {
            let reports = look();
            if observe() == before {
                for report in &reports {
                    report
                        .assert_equals(&before, "the cache stood still and is reported otherwise");
                }
                return reports;
            }
        }
        last = Some(before);
    }
    panic!("in {TRIES} tries the stage was not set, or a look changed it: {last:?}")
}

/// The same for one scan of the files below `directory`.
#[track_caller]
pub(crate) fn scan_agrees(
    engine: Engine,
    directory: &Path,
    stage: impl Fn(),
    observe: impl Fn() -> Expected,
    planned: impl Fn(&Expected) -> bool,
) -> Report {
    let look = || vec![binary::scan(engine, directory)];
    reports_agree(look, stage, observe, planned).remove(0)
}
