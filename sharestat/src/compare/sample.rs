//! A base report and one that grew, for the tests of comparisons.

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
