//! Fixed frames for tests: plausible numbers, awkward names.

use std::{sync::Arc, time::Instant};

use super::frame::{
    Avoidable, Census, CopyRow, Cost, Counter, DerefRow, Derefs, Explanation, FileRow, Frame,
    GroupRow, Histogram, Hook, Identity, ListsAsOf, Mechanism, PairRow, Rates, SCHEMA, Sample,
    Scope,
};
use crate::model::{inode::InodeId, totals::Totals, units::Bytes};

const MIB: u64 = 1 << 20;

const PATHS: [(&str, &str); 12] = [
    ("/usr/lib/x86_64-linux-gnu/libc.so.6", "ext4"),
    (
        "/var/lib/containers/overlay/3f9a/diff/usr/lib/python3.13/lib-dynload/_ssl.so",
        "xfs",
    ),
    (
        "/var/lib/containers/overlay/77b0/diff/usr/lib/python3.13/lib-dynload/_ssl.so",
        "xfs",
    ),
    ("/home/mei/文档/季度报告-最终版.pdf", "btrfs"),
    ("/srv/images/disk.raw", "xfs"),
    ("/opt/tab\there\u{1b}[31m", "ext4"),
    ("/home/zoë/naïve café 👩‍👩‍👧.txt", "btrfs"),
    ("xfs:1048577", "xfs"),
    ("/usr/bin/bash", "ext4"),
    ("/dev/shm/cache", "tmpfs"),
    ("/var/log/journal/system.journal", "ext4"),
    ("/boot/vmlinuz", "ext4"),
];

/// A frame with something in every part but layers, images and containers.
pub(super) fn frame() -> Frame {
    Frame {
        schema: SCHEMA,
        sequence: 7,
        taken_at: "2026-11-27T10:20:30Z".parse().expect("a timestamp"),
        taken: Instant::now(),
        lists: ListsAsOf::default(),
        host: "lab7".to_owned(),
        engine: "bpf".to_owned(),
        census: Census::Done,
        events_lost: 0,
        totals: Totals {
            resident: 3_000_000,
            hashed: 2_950_000,
            skipped: [30_000, 2_000, 500, 12, 0, 17_488],
            distinct: 2_200_000,
            duplicate: 750_000,
            zero_copies: 40_000,
            eligible: 2_900_000,
            inodes: 48_213,
        },
        rates: rates(10.0),
        history: (0..150).map(sample).collect(),
        cost: Cost {
            cpu_percent: 0.43,
            rss: Bytes(84 * MIB),
            hook_ns_p50: Some(85),
            hook_ns_p99: Some(1_320),
        },
        hooks: hooks(),
        counters: [
            "pages hashed",
            "hash runs",
            "mismatches requeued",
            "ring full",
        ]
        .iter()
        .zip([2_950_000, 5_761, 12, 0])
        .map(|(name, value)| Counter {
            name: (*name).to_owned(),
            value,
        })
        .collect(),
        histograms: vec![
            histogram("residency of duplicates", "ms"),
            histogram("age at hashing", "ms"),
            histogram("hook time", "ns"),
        ],
        scopes: [("zero", 160), ("self", 40), ("host", 2_730)]
            .map(|(name, mib)| Scope {
                name: name.to_owned(),
                duplicate: Bytes(mib * MIB),
            })
            .to_vec(),
        mechanisms: [
            ("content", 2_770, 181_002),
            ("offset", 1_900, 90_411),
            ("zero", 156, 1),
        ]
        .map(|(name, mib, groups)| Mechanism {
            name: name.to_owned(),
            saving: Bytes(mib * MIB),
            groups,
            confidence: "exact".to_owned(),
        })
        .to_vec(),
        files: files(40),
        filesystems: [
            ("/", "ext4"),
            ("/var", "xfs"),
            ("/home", "btrfs"),
            ("/dev/shm", "tmpfs"),
        ]
        .iter()
        .zip(1..)
        .map(|((name, kind), number)| group(name, kind, number, &[]))
        .collect(),
        identity: Identity {
            missing: Some("overlay layers are not read yet".to_owned()),
            ..Identity::default()
        },
        derefs: None,
        explained: Some(explanation(InodeId(1))),
        notes: vec![
            "tmpfs pages are counted as of the last census, since no event tells of new ones"
                .to_owned(),
            "the cause of a removal is unknown without fentry".to_owned(),
        ],
        playback: None,
    }
}

/// The same with layers, images and containers, during the census, with losses.
pub(super) fn troubled() -> Frame {
    let names = ["sha256:3f9a", "sha256:77b0", "sha256:c001"];
    let layers = names
        .iter()
        .zip(1..)
        .map(|(name, number)| group(name, "", number, &[]));
    Frame {
        sequence: 8,
        census: Census::Running { percent: 42 },
        lists: ListsAsOf { behind_ms: 12_300 },
        events_lost: 1_234,
        derefs: Some(Arc::new(derefs())),
        identity: Identity {
            missing: None,
            layers: layers.collect(),
            images: Arc::from([image("python:3.13-slim", 3, &names[..2])]),
            containers: Arc::from([
                group("web-1", "podman", 2, &names),
                group("worker-äöü", "containerd", 1, &names[1..]),
            ]),
            memcgs: Arc::from([
                memcg("/system.slice/docker-3f9a77b0.scope", 4, Some("web-1")),
                memcg("/user.slice", 2, None),
                memcg("gone:1871", 1, None),
                memcg("uncharged", 0, None),
            ]),
            pairs: [(0, 1, 300), (1, 2, 40), (0, 2, 3)]
                .map(|(one, other, mib): (usize, usize, u64)| PairRow {
                    one: names[one].into(),
                    other: names[other].into(),
                    shared: Bytes(mib * MIB),
                })
                .into(),
        },
        ..frame()
    }
}

/// Files as a big host has them.
pub(super) fn files(count: u32) -> Arc<[FileRow]> {
    (0..count)
        .map(|number| {
            let (path, fs) = PATHS[number as usize % PATHS.len()];
            let path = match number as usize / PATHS.len() {
                0 => path.to_owned(),
                copy => format!("{path}.{copy}"),
            };
            let pages = u64::from(number.wrapping_mul(2_654_435_761) >> 18);
            // Every 11th file was not hashed yet.
            let known = if number % 11 == 10 { 0 } else { pages };
            let share = |parts: u64| Bytes(known * parts / 8 * 4096);
            FileRow {
                inode: InodeId(number),
                path: path.into(),
                fs: fs.into(),
                filesystem: match fs {
                    "ext4" => "/".into(),
                    "xfs" => "/var".into(),
                    "btrfs" => "/home".into(),
                    _ => "/dev/shm".into(),
                },
                layer: path_layer(number),
                resident: Bytes(pages * 4096),
                hashed: Bytes(known * 4096),
                duplicate: share(u64::from(number % 7)),
                exclusive: share(u64::from(8 - number % 7)),
                saving: Bytes(share(u64::from(number % 7)).0 / 2),
                zero: share(u64::from(number % 2)),
            }
        })
        .collect()
}

fn path_layer(number: u32) -> Option<Arc<str>> {
    match number % 12 {
        1 => Some("sha256:3f9a".into()),
        2 => Some("sha256:77b0".into()),
        _ => None,
    }
}

/// Who shares contents with a file.
pub(super) fn explanation(inode: InodeId) -> Explanation {
    let copies = [(2, 6), (3, 5), (4, 1)].map(|(number, mib)| {
        let (path, fs) = PATHS[number as usize];
        CopyRow {
            inode: InodeId(number),
            path: path.into(),
            fs: fs.into(),
            layer: (number == 2).then(|| "sha256:77b0".into()),
            since: (number != 4).then(|| match number {
                2 => "11-27 10:19:58".into(),
                _ => " at start".into(),
            }),
            shared: Bytes(mib * MIB),
        }
    });
    Explanation {
        inode,
        copies: Arc::from(copies),
    }
}

fn group(name: &str, kind: &str, number: u64, layers: &[&str]) -> GroupRow {
    GroupRow {
        id: name.into(),
        name: name.into(),
        directory: "".into(),
        kind: kind.into(),
        layers: layers.iter().map(|layer| Arc::from(*layer)).collect(),
        resident: Bytes(number * 1_000 * MIB),
        duplicate: Bytes(number * 300 * MIB),
        exclusive: Bytes(number * 650 * MIB),
        saving: Bytes(number * 170 * MIB),
        zero: Bytes(number * 11 * MIB),
        proportional: (!layers.is_empty()).then_some(Bytes(number * 700 * MIB)),
        charged: (number > 1).then_some(Bytes(number * 900 * MIB)),
        container: None,
        avoidable: None,
    }
}

fn image(name: &str, number: u64, layers: &[&str]) -> GroupRow {
    GroupRow {
        charged: None,
        avoidable: Some(Avoidable {
            image: "sha256:1".into(),
            reads: Bytes(number * 91 * MIB),
            reads_per_second: Bytes(number * 700 * 1024),
            reclaim: Bytes(number * 17 * MIB),
            reclaim_per_second: Bytes(0),
        }),
        ..group(name, "podman", number, layers)
    }
}

fn memcg(name: &str, number: u64, container: Option<&str>) -> GroupRow {
    GroupRow {
        charged: Some(Bytes(number * 1_000 * MIB)),
        container: container.map(Arc::from),
        ..group(name, "", number, &[])
    }
}

fn rates(step: f64) -> Rates {
    Rates {
        adds: 1_200.0 + 90.0 * (step % 9.0),
        reclaims: Some(40.0 * (step % 5.0)),
        truncates: None,
        dirtied: 7.25,
        avoidable_reads: Some(25.0 * (step % 3.0)),
        avoidable_reclaims: Some(4.0 * (step % 4.0)),
    }
}

fn sample(step: u32) -> Sample {
    Sample {
        duplicate: Bytes(2_900 * MIB + u64::from(step % 13) * 9 * MIB),
        rates: rates(f64::from(step)),
    }
}

fn hooks() -> Vec<Hook> {
    [
        ("mm_filemap_add_to_page_cache", "raw_tracepoint", 0),
        ("mm_filemap_delete_from_page_cache", "raw_tracepoint", 3),
        (
            "__remove_mapping",
            "no: the kernel has no trampolines for this architecture",
            0,
        ),
    ]
    .map(|(event, attached, lost)| {
        let optional = event == "__remove_mapping";
        let loss = if optional {
            "large folios that reclaim takes before their turn are not hashed"
        } else {
            ""
        };
        Hook {
            event: event.to_owned(),
            attached: attached.to_owned(),
            lost,
            loss: loss.to_owned(),
            optional,
        }
    })
    .to_vec()
}

fn histogram(name: &str, unit: &str) -> Histogram {
    let bars = (0..10)
        .map(|step| (1 << step, 1 + 700 * step * (9 - step)))
        .collect();
    Histogram {
        name: name.to_owned(),
        unit: unit.to_owned(),
        bars,
    }
}

fn derefs() -> Derefs {
    let site = |place: &str, access: &str, context: &str, subsystem: &str, hits: u64| DerefRow {
        id: format!("id {place}").into(),
        site: place.into(),
        access: access.into(),
        context: context.into(),
        subsystem: subsystem.into(),
        hits,
        shareable: hits * 3 / 4,
        details: [
            ("instruction", "mov 0x18(%rdi),%rax"),
            ("decided by", "filemap_read, 1 frame up, by its kiocb"),
            ("commands", "cat, cp, make"),
            (
                "rate",
                "12.5/s for the whole page cache, 95 % between 9.1 and 17.2",
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        stack: [
            "filemap_get_read_batch+0x5f",
            "filemap_read+0x101",
            "vfs_read+0x2a0",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    Derefs {
        source: "before.json".to_owned(),
        facts: vec![
            "Linux 7.3 on lab7, 4 folios at a time for 30 s".to_owned(),
            "1,204 hits, none lost".to_owned(),
        ],
        sites: [
            site("filemap_get_read_batch+0x5f", "load", "direct", "mm", 912),
            site("folio_mark_accessed+0x1c", "tag_test", "caller", "mm", 201),
            site("ext4_release_folio+0x12 [ext4]", "load", "none", "ext4", 91),
        ]
        .into(),
    }
}
