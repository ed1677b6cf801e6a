//! What holds of every report.

use proptest::prelude::*;

use super::*;
use crate::{
    model::inode::{Dev, InodeKey},
    report::document::FilesystemEntry,
};
use crate::{
    model::{
        page::Observation,
        samples::{self, ZERO},
    },
    report::sample,
};

fn assert_adds_up(report: &Report) {
    let Coverage {
        resident_pages,
        hashed_pages,
        skipped,
        ..
    } = &report.coverage;
    let Skipped {
        dirty,
        writeback,
        not_uptodate,
        raced,
        unreadable,
        budget,
    } = skipped;
    let skipped = dirty + writeback + not_uptodate + raced + unreadable + budget;
    assert_eq!(*resident_pages, hashed_pages + skipped);
    let totals = &report.totals;
    assert_eq!(totals.resident_bytes, Bytes::of_pages(*resident_pages).0);
    let hashed = Bytes::of_pages(*hashed_pages).0;
    assert_eq!(hashed, totals.distinct_bytes + totals.duplicate_bytes);
    assert!(totals.eligible_bytes <= hashed);
    let scopes: u64 = report
        .scopes
        .iter()
        .map(|scope| scope.duplicate_bytes)
        .sum();
    assert_eq!(scopes, totals.duplicate_bytes);
    let files = |of: fn(&FileEntry) -> u64| report.files.iter().map(of).sum::<u64>();
    let filesystems =
        |of: fn(&FilesystemEntry) -> u64| report.filesystems.iter().map(of).sum::<u64>();
    assert_eq!(files(|file| file.resident_bytes), totals.resident_bytes);
    assert_eq!(
        filesystems(|entry| entry.resident_bytes),
        totals.resident_bytes
    );
    assert_eq!(
        files(|file| file.duplicate_bytes),
        filesystems(|entry| entry.duplicate_bytes)
    );
    let shares = [
        report
            .files
            .iter()
            .map(|file| file.saving_share_bytes)
            .sum::<f64>(),
        report
            .filesystems
            .iter()
            .map(|entry| entry.saving_share_bytes)
            .sum::<f64>(),
    ];
    for share in shares {
        let duplicate = Bytes(totals.duplicate_bytes).to_f64();
        assert!(
            (share - duplicate).abs() < 1.0,
            "{share} is not {duplicate}"
        );
    }
}

proptest! {
    #[test]
    fn every_report_adds_up(index in samples::index()) {
        let measurement = Measurement { index, ..sample::measurement() };
        assert_adds_up(&Report::new(&measurement, &sample::host(), 0));
    }
}

#[test]
fn files_are_listed_by_duplicate_bytes_then_path() {
    let report = Report::new(&sample::measurement(), &sample::host(), 0);
    assert_adds_up(&report);
    let listed: Vec<(&str, u64)> = report
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.duplicate_bytes))
        .collect();
    let expected = [
        ("/srv/a/libpython3.so", 12288),
        ("/srv/b/libpython3.so", 8192),
        ("tmpfs:13", 4096),
        ("0:99:14", 0),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn top_limits_the_files_and_nothing_else() {
    let (measurement, host) = (sample::measurement(), sample::host());
    let all = Report::new(&measurement, &host, 0);
    let mut two = Report::new(&measurement, &host, 2);
    assert_eq!(two.files.len(), 2);
    two.files.extend_from_slice(&all.files[2..]);
    assert_eq!(two, all);
}

#[test]
fn a_filesystem_is_exclusive_in_what_no_other_holds() {
    let mut measurement = sample::measurement();
    let report = Report::new(&measurement, &sample::host(), 0);
    let root = &report.filesystems[0];
    assert_eq!((root.name.as_str(), root.exclusive_bytes), ("/", 24576));
    // Another copy within the filesystem leaves it exclusive, one outside does not.
    let key = |dev, ino| InodeKey {
        dev,
        ino,
        ..InodeKey::default()
    };
    let within = measurement.index.intern(key(Dev::new(8, 1), 20), true);
    let outside = measurement.index.intern(key(Dev::new(0, 24), 20), true);
    let copy = |content| Observation::Hashed(crate::model::units::ContentHash(content));
    let first = crate::model::units::PageIndex(0);
    measurement.index.insert(within, first, copy(30));
    measurement.index.insert(outside, first, copy(31));
    let report = Report::new(&measurement, &sample::host(), 0);
    let exclusive = |name: &str| {
        let entry = report.filesystems.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.exclusive_bytes)
    };
    assert_eq!(exclusive("/"), Some(24576 + 4096 - 4096));
    assert_eq!(exclusive("/run/shm"), Some(0));
}

#[test]
fn an_unknown_inode_keeps_its_bytes_and_shows_its_numbers() {
    let report = Report::new(&sample::measurement(), &sample::host(), 0);
    let unknown = report.files.last().expect("four files");
    assert_eq!(
        (unknown.path.as_str(), unknown.resident_bytes),
        ("0:99:14", 8192)
    );
    let filesystem = report.filesystems.last().expect("three filesystems");
    assert_eq!(
        (filesystem.name.as_str(), filesystem.mount_point.as_ref()),
        ("0:99", None)
    );
    assert_eq!(unknown.fs, filesystem.name);
}

#[test]
fn zero_pages_are_counted_once_in_every_sum() {
    let report = Report::new(&sample::measurement(), &sample::host(), 0);
    assert_eq!(sample::ZERO, ZERO);
    assert_eq!(report.totals.zero_bytes, 8192);
    let zero = report.scopes.iter().find(|scope| scope.name == "zero");
    assert_eq!(zero.map(|scope| scope.duplicate_bytes), Some(4096));
}
