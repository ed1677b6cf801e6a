//! What is measured about the measuring: each distribution fills, with as many values as
//! there were events and within the times that the test itself took.

use std::{fs, thread, time::Duration, time::Instant};

use crate::{
    corpus::{self, PlannedFile},
    filesystems::{Filesystem, Kind},
    harness::{Engine, OrFail, Outcome, bpf_only},
    recording::Recording,
    residency,
    scratch::Scratch,
    small_reads::{self, on_one_cpu},
};

bpf_only!(all_fill_as_things_happen);

/// A hook's cost is taken once in so many of its calls on one CPU.
const SAMPLED: u64 = 64;

fn all_fill_as_things_happen(_: Engine) -> Outcome {
    const PAGES: u64 = 400;
    let scratch = Scratch::new();
    let plan = [
        PlannedFile::counting("first", 1, PAGES),
        PlannedFile::counting("copy", 1, PAGES),
        PlannedFile::counting("third", 9000, PAGES),
    ];
    let filesystem = Filesystem::with_files(Kind::Ext4, &scratch, "files", &plan)?;
    let [first, copy, third] = ["first", "copy", "third"].map(|name| filesystem.root().join(name));
    for file in [&copy, &third] {
        residency::forget(file);
    }
    small_reads::read(&copy);
    let before = Instant::now();
    let recording = Recording::start(filesystem.root(), &scratch, &["--cpu-budget", "100"]);
    let cached = Instant::now();
    thread::sleep(Duration::from_secs(1));
    let stayed = on_one_cpu(|| {
        small_reads::read(&third);
        let file = fs::OpenOptions::new().write(true).open(&third);
        let file = file.or_fail("opening a file");
        for page in 0..plan[2].pages.len() {
            plan[2].write_page(&file, page);
        }
        corpus::sync(filesystem.root());
        let stayed = cached.elapsed();
        residency::forget(&copy);
        stayed
    });
    let gone = |path| {
        residency::cached_pages(path)
            .iter()
            .filter(|&&is| !is)
            .count() as u64
    };
    let (left, first_left) = (gone(&copy), gone(&first));
    assert!(left >= PAGES / 2, "{left} pages left: the stage is not set");
    let recorded = recording.finish();
    let whole = u64::try_from(before.elapsed().as_millis()).or_fail("a time");
    let moment = recorded.moment();
    let residency = &moment.distributions.duplicate_residency_ms;
    assert!(
        (left..=left + first_left).contains(&residency.len()),
        "{left} duplicates left, {} are counted",
        residency.len()
    );
    // Two digits are kept.
    let stayed = u64::try_from(stayed.as_millis()).or_fail("a time") * 98 / 100;
    let (least, most) = (residency.min(), residency.max() * 98 / 100);
    assert!(
        least >= stayed && most <= whole,
        "they stayed {stayed} ms at least and {whole} at most, said are {least} to {most}"
    );
    let age = &moment.distributions.age_at_hash_ms;
    assert!(
        age.len() >= PAGES && age.max() * 98 / 100 <= whole,
        "{PAGES} pages were hashed within {whole} ms, said are {} in {}",
        age.len(),
        age.max()
    );
    let hash = &moment.distributions.hash_ns;
    // A page of 4 KiB in less than 10 ns would be 400 GB/s.
    assert!(!hash.is_empty() && hash.min() >= 10, "{} ns", hash.min());
    assert_eq!(moment.hook_costs.len(), 3, "hooks with a cost");
    for (hook, costs) in &moment.hook_costs {
        let (least, calls) = (PAGES / SAMPLED - 1, costs.len());
        assert!(
            calls >= least && costs.max() > 0,
            "'{hook}' was called {PAGES} times at least, {calls} of them are sampled"
        );
    }
    Ok(())
}
