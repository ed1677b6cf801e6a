//! A small measurement with something of everything, for the tests of the formats.

use std::{collections::HashMap, time::Duration};

use super::{Host, Report};
use crate::model::{
    charges::MemcgId,
    index::ContentIndex,
    inode::{Dev, InodeId, InodeKey},
    measurement::{
        Engine, FileIdentity, Filesystem, HookStatus, Identities, Measurement, Memcg, Place,
    },
    page::{Observation, SkipReason},
    units::{ContentHash, PageIndex},
};

pub(crate) const ZERO: ContentHash = ContentHash(1);

/// Two libraries with two pages in common and a zero page each in one of them and in an
/// unnamed tmpfs file; one unknown inode whose pages were not hashed.
pub(crate) fn measurement() -> Measurement {
    let mut index = ContentIndex::new(ZERO);
    let root = Dev::new(8, 1);
    let key = |dev, ino| InodeKey {
        dev,
        ino,
        ..InodeKey::default()
    };
    let one = index.intern(key(root, 11), true);
    let two = index.intern(key(root, 12), true);
    let shm = index.intern(key(Dev::new(0, 24), 13), false);
    let unknown = index.intern(key(Dev::new(0, 99), 14), true);
    let contents = [
        (one, vec![10, 20, 30, ZERO.0]),
        (two, vec![10, 20, 31]),
        (shm, vec![ZERO.0]),
    ];
    for (inode, hashes) in contents {
        for (page, hash) in (0..).zip(hashes) {
            let seen = Observation::Hashed(ContentHash(hash));
            index.insert(inode, PageIndex(page), seen);
        }
    }
    let dirty = Observation::Skipped(SkipReason::Dirty);
    index.insert(unknown, PageIndex(0), dirty);
    index.insert(
        unknown,
        PageIndex(5),
        Observation::Skipped(SkipReason::Budget),
    );
    charge(&mut index, one, two, shm);
    let memcg = |id, name: &str| {
        let name = name.to_owned();
        (
            MemcgId(id),
            Memcg {
                name,
                container: None,
            },
        )
    };
    let file = |filesystem, path: &str, named| FileIdentity {
        filesystem,
        path: path.to_owned(),
        named,
        deleted: !named,
        size: 16384,
        links: u32::from(named),
        place: Place {
            path_in_fs: named.then(|| path.as_bytes().into()),
            ..Place::default()
        },
    };
    Measurement {
        engine: Engine::Bpf,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        duration: Duration::from_millis(840),
        seed_id: "5eed".to_owned(),
        hooks: vec![HookStatus {
            event: "mm_filemap_add_to_page_cache".to_owned(),
            attached: "raw_tracepoint".to_owned(),
            lost: 3,
            loss: String::new(),
            optional: false,
        }],
        events_lost: 3,
        complete: false,
        index,
        identity: Identities {
            filesystems: vec![
                Filesystem {
                    dev: root,
                    fs_type: "ext4".to_owned(),
                    id: "/dev/sda1".to_owned(),
                    mount_point: Some("/".to_owned()),
                    source: None,
                },
                Filesystem {
                    dev: Dev::new(0, 24),
                    fs_type: "tmpfs".to_owned(),
                    id: "tmpfs".to_owned(),
                    mount_point: Some("/run/shm".to_owned()),
                    source: None,
                },
            ],
            files: HashMap::from([
                (one, file(0, "/srv/a/libpython3.so", true)),
                (two, file(0, "/srv/b/libpython3.so", true)),
                (shm, file(1, "tmpfs:13", false)),
            ]),
            memcgs: HashMap::from([
                memcg(0, "uncharged"),
                memcg(40, "/system.slice/a.service"),
                memcg(41, "gone:41"),
            ]),
            ..Identities::default()
        },
        avoidable: None,
        notes: vec!["tmpfs is as of the census".to_owned()],
    }
}

/// The first library was read by two cgroups, and nothing is known of the last inode.
fn charge(index: &mut ContentIndex, one: InodeId, two: InodeId, shm: InodeId) {
    for (inode, first, pages, memcg) in [
        (one, 0, 4, 40),
        (one, 3, 1, 41),
        (two, 0, 3, 40),
        (shm, 0, 1, 0),
    ] {
        index.charge(inode, PageIndex(first), pages, MemcgId(memcg));
    }
}

pub(crate) fn host() -> Host {
    Host {
        name: "host1".to_owned(),
        kernel: "6.12.1".to_owned(),
        arch: "x86_64".to_owned(),
        cpus: 4,
        memory_bytes: 8 << 30,
        btf_id: Some("btf:00000000000000aa".to_owned()),
    }
}

pub(crate) fn report() -> Report {
    Report::new(&measurement(), &host(), 0)
}
