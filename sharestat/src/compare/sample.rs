//! A base report and one that grew, for the tests of comparisons.

pub(super) use crate::report::sample as single;

use super::check::{Check, rule::Rule};
use crate::{
    model::{
        inode::{Dev, InodeKey},
        measurement::{FileIdentity, Measurement, Place},
        page::Observation,
        units::{ContentHash, PageIndex},
    },
    report::Report,
};

pub(super) fn report() -> Report {
    single::report()
}

/// The same host with a third copy of two pages of the library.
pub(super) fn grown() -> Report {
    Report::new(&more_pages(&[10, 20]), &single::host(), 0)
}

/// The same, and a content of its own twice.
pub(super) fn grown_measurement() -> Measurement {
    more_pages(&[10, 20, 77, 78, 77])
}

fn more_pages(hashes: &[u64]) -> Measurement {
    let mut measurement = single::measurement();
    let key = InodeKey {
        dev: Dev::new(8, 1),
        ino: 21,
        ..InodeKey::default()
    };
    let new = measurement.index.intern(key, true);
    for (page, hash) in (0..).zip(hashes) {
        let seen = Observation::Hashed(ContentHash(*hash));
        measurement.index.insert(new, PageIndex(page), seen);
    }
    let file = FileIdentity {
        filesystem: 0,
        path: "/srv/c/new.so".to_owned(),
        named: true,
        deleted: false,
        size: 8192,
        links: 1,
        place: Place::default(),
    };
    measurement.identity.files.insert(new, file);
    measurement
}

/// The grown report judged by three rules: one fails, one passes, one has nothing to judge.
/// `name` is what the first is called.
pub(super) fn checked(name: Option<&str>) -> Check {
    let name = name.map_or_else(String::new, |name| format!(",name={name}"));
    let rules = [
        &format!("duplicate{name},percent=5,bytes=4096"),
        "zero,max_bytes=1MiB",
        "image:*,bytes=1",
    ];
    let rules = rules.map(|rule| Rule::parse(rule).expect("valid"));
    Check::new(&rules, Some(&report()), &grown(), &[])
}
