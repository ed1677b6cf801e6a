//! A base report and one that grew, for the tests of comparisons.

use super::check::{Check, rule::Rule};
use crate::{
    model::{
        inode::{Dev, InodeKey},
        measurement::{FileIdentity, Place},
        page::Observation,
        units::{ContentHash, PageIndex},
    },
    report::{Report, sample as single},
};

pub(super) fn report() -> Report {
    single::report()
}

/// The same host with a third copy of two pages of the library.
pub(super) fn grown() -> Report {
    let mut measurement = single::measurement();
    let key = InodeKey {
        dev: Dev::new(8, 1),
        ino: 21,
        ..InodeKey::default()
    };
    let new = measurement.index.intern(key, true);
    for (page, hash) in [(0, 10), (1, 20)] {
        let seen = Observation::Hashed(ContentHash(hash));
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
    Report::new(&measurement, &single::host(), 0)
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
