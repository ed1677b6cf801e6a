//! A collector that stops while the service runs: its numbers are withdrawn.

use std::fs;

use super::{
    PAGES, cannot_run, measured,
    served::{Served, duplicates},
};
use crate::skip::skipped;

/// The thread that measures.
fn collector(pid: u32) -> i32 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let collector = threads.flatten().find(|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name == "collector\n")
    });
    let name = collector.expect("there is a collector").file_name();
    name.to_string_lossy().parse().expect("a number")
}

/// One request of ptrace(2) that takes no memory of ours.
fn trace(request: libc::c_uint, thread: i32) -> bool {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these requests read and write nothing of this process.
    unsafe { libc::ptrace(request, thread, none, none) == 0 }
}

/// A thread that stands still.
struct Held(i32);

impl Held {
    fn new(thread: i32) -> Option<Self> {
        let seized = trace(libc::PTRACE_SEIZE, thread);
        let held = seized && trace(libc::PTRACE_INTERRUPT, thread);
        let mut status = 0;
        // SAFETY: waits for the thread to stop and writes to `status`, which lives.
        let stopped =
            held && unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) } == thread;
        stopped.then_some(Self(thread))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        trace(libc::PTRACE_DETACH, self.0);
    }
}

#[test]
fn a_collector_that_hangs_takes_its_numbers_with_it_and_brings_them_back() {
    if cannot_run() {
        return;
    }
    let data = duplicates(PAGES);
    let served = Served::start(data.path(), &["--every", "200ms"]);
    measured(&served);
    let Some(held) = Held::new(collector(served.pid())) else {
        skipped("threads cannot be held here (ptrace)");
        return;
    };
    let metrics = served.until("it is down", |metrics| metrics.is("sharestat_up", 0));
    for sample in &metrics.0 {
        let own = ["sharestat_up", "sharestat_build_info"].contains(&sample.name.as_str())
            || sample.name.starts_with("sharestat_http_")
            || sample.name.starts_with("process_");
        assert!(own, "served though stale: {sample:?}");
    }
    for path in ["/", "/report.json", "/healthz"] {
        let answer = served.get(path);
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.body.contains("not been heard of"), "{}", answer.body);
        assert!(!answer.body.contains("/two"), "{}", answer.body);
    }
    drop(held);
    measured(&served);
    assert_eq!(served.get("/healthz").status, 200);
}
