//! Ctrl-C ends a scan with what was measured so far, marked as incomplete.

use std::{fs, os::unix::process::ExitStatusExt as _, thread, time::Duration};

use rustix::process::Signal;

use crate::{
    binary::{self, Running},
    corpus::PAGE,
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, in_guest, per_engine},
    host_memory::MemInfo,
    live_top::LiveTop,
    report::Report,
    scratch::Scratch,
};

per_engine!(ctrl_c_shows_what_was_measured);

mod top {
    use super::ctrl_c_ends_top_after_a_whole_line;
    use crate::harness::bpf_only;

    bpf_only!(ctrl_c_ends_top_after_a_whole_line);
}

fn ctrl_c_shows_what_was_measured(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let filesystem = Filesystem::empty(Kind::Ext4, &scratch, "files")?;
    let pages = cache_a_sparse_file(&filesystem.root().join("sparse"));
    let scale = if in_guest() { 10 } else { 1 };
    let mut interrupted = 0_usize;
    let mut tried = Vec::new();
    for wait in [10, 20, 40, 60, 90, 130, 180, 250, 350, 500, 700] {
        let scan = Running::start(binary::scan_command(engine, filesystem.root()));
        thread::sleep(Duration::from_millis(wait * scale));
        scan.signal(Signal::INT);
        let run = scan.finish();
        tried.push((wait * scale, run.status, run.stdout.len()));
        match run.status.code() {
            Some(130) => {
                let report = Report::parse(&run.stdout);
                let resident = report.number("/coverage/resident_pages");
                assert!(resident <= pages, "{resident} of {pages} pages");
                // The signal may come when all is measured and only the report is missing.
                assert!(
                    !report.complete() || report.number("/coverage/hashed_pages") == pages,
                    "an interrupted scan is not complete: {report:?}"
                );
                interrupted += usize::from(!report.complete());
            }
            Some(0) => {
                // The signal came too late: then it is an ordinary scan.
                let report = Report::parse(&run.stdout);
                assert!(report.complete(), "{report:?}");
                break;
            }
            // So early that the program was not yet in charge of signals.
            None if run.status.signal() == Some(libc::SIGINT) && run.stdout.is_empty() => {}
            _ => panic!("interrupted after {} ms: {run:?}", wait * scale),
        }
    }
    assert!(
        interrupted > 0,
        "no scan was interrupted half-way: {tried:?}"
    );
    Ok(())
}

/// Something that takes a while to hash and needs no disk.
fn cache_a_sparse_file(path: &std::path::Path) -> u64 {
    let most = if in_guest() { 64 << 20 } else { 2 << 30 };
    let bytes = (MemInfo::read().bytes("MemAvailable") / 4).min(most);
    let pages = bytes / PAGE as u64;
    let file = fs::File::create_new(path).or_fail("making a sparse file");
    file.set_len(pages * PAGE as u64)
        .or_fail("sizing a sparse file");
    crate::corpus::sync(path.parent().unwrap_or(path));
    let mut reader = fs::File::open(path).or_fail("opening a sparse file");
    let copied = std::io::copy(&mut reader, &mut std::io::sink()).or_fail("reading a sparse file");
    assert_eq!(copied, pages * PAGE as u64);
    pages
}

fn ctrl_c_ends_top_after_a_whole_line(_: Engine) {
    let scratch = Scratch::new();
    let top = LiveTop::start(&scratch.directory("empty"), &[]);
    top.frame_after(1);
    let lines = top.shared_lines();
    top.interrupt();
    let lines = lines
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for line in lines.iter() {
        Report::of_a_moment(line);
    }
}
