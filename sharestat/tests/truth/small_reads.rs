//! Reading so that each page becomes a folio of its own, by a thread that stays on one CPU:
//! then each page is one event, and events come in the order in which things happened.

use std::{fs, io::Read as _, path::Path, thread};

use rustix::{
    fs::{Advice, fadvise},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::{corpus::PAGE, harness::OrFail};

/// Reads a file page by page without readahead, which is what makes large folios
/// (`force_page_cache_ra`, mm/readahead.c).
pub(crate) fn read(path: &Path) {
    let what = format!("reading '{}'", path.display());
    let mut file = fs::File::open(path).or_fail(&what);
    fadvise(&file, 0, None, Advice::Random).or_fail(&what);
    let mut page = [0; PAGE];
    while file.read(&mut page).or_fail(&what) != 0 {}
}

/// Runs `work` on one CPU, whichever is the first that this process may use.
pub(crate) fn on_one_cpu<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            stay_on_the_first_cpu();
            work()
        });
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Children of the thread would inherit it; this one has none.
fn stay_on_the_first_cpu() {
    let allowed = sched_getaffinity(None).or_fail("asking for CPUs");
    let mut first = CpuSet::new();
    let cpus = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    for cpu in cpus.take(1) {
        first.set(cpu);
    }
    sched_setaffinity(None, &first).or_fail("staying on one CPU");
}
