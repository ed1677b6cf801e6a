//! Without `--path` the resident pages are all of the machine's page cache, as the
//! kernel counts it in `/proc/meminfo` and page by page in `/proc/kpageflags`.

use crate::{
    binary::{self, Running},
    calm,
    corpus::{self, PAGE},
    expectation::{Expected, Observed},
    filesystems::{Filesystem, Kind},
    harness::{Engine, Outcome, Skip, in_guest, per_engine},
    host_memory::MemInfo,
    page_flags,
    scratch::Scratch,
};

per_engine!(resident_pages_are_the_machines_page_cache, two_scans_agree);

fn resident_pages_are_the_machines_page_cache(engine: Engine) -> Outcome {
    if engine == Engine::User && !in_guest() {
        // Hundreds of thousands of files are not worth the time; a guest has few.
        return Err(Skip(
            "without BPF every file of this machine is opened".to_owned(),
        ));
    }
    let mut last = String::new();
    // Other programs read and write meanwhile: one calm moment in five must be found.
    for _ in 0..5 {
        let before = MemInfo::read().page_cache();
        let counted_before = page_flags::count_page_cache() * PAGE as u64;
        let report = binary::finish(binary::command([
            "scan",
            "--format",
            "json",
            "--engine",
            engine.name(),
        ]))
        .report();
        let counted_after = page_flags::count_page_cache() * PAGE as u64;
        let after = MemInfo::read().page_cache();
        let resident = report.number("/totals/resident_bytes");
        // Not in the report: pages beyond the end of files, internal inodes of
        // filesystems (btrfs trees, compressed pages). Not in kpageflags: pages that
        // wait in a CPU's batch for their LRU list.
        let tolerance = after / 50 + (4 << 20);
        let meminfo = [before, after];
        let counted = [counted_before, counted_after];
        let too_many = [meminfo, counted]
            .iter()
            .any(|bounds| resident > bounds[0].max(bounds[1]) + tolerance);
        // The user engine sees only files that have a name in this mount namespace.
        let too_few = engine == Engine::Bpf
            && [meminfo, counted]
                .iter()
                .any(|bounds| resident + tolerance < bounds[0].min(bounds[1]));
        if !too_many && !too_few {
            assert!(
                resident > after / 10,
                "{resident} bytes are next to nothing of {after}"
            );
            return Ok(());
        }
        last = format!(
            "resident {resident}, meminfo {meminfo:?}, kpageflags {counted:?}, tolerance {tolerance}"
        );
    }
    panic!("in five scans the resident bytes were never those of the machine: {last}")
}

fn two_scans_agree(engine: Engine) -> Outcome {
    let scratch = Scratch::new();
    let plan = corpus::every_kind();
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let start = |engine| Running::start(binary::scan_command(engine, filesystem.root()));
    // With and without BPF, where both are built.
    let other = if engine == Engine::Bpf {
        Engine::User
    } else {
        engine
    };
    let reports = calm::reports_agree(
        || {
            let all = [start(engine), start(engine), start(other)];
            all.map(|scan| scan.finish().report()).into()
        },
        || filesystem.cache(&plan),
        || Expected::of(&Observed::all(&plan, filesystem.root())),
        |_| true,
    );
    for report in &reports[1..] {
        assert_eq!(
            report.facts(),
            reports[0].facts(),
            "scans of an unchanged cache"
        );
    }
    Ok(())
}
