//! Inputs that no editor can make: databases, types and images of kernels, recordings,
//! archives. What people can write is in the corpus as it is.

mod kernel;

use std::collections::BTreeMap;

use crate::{
    derefs,
    identity::bolt::tests::{CONTAINERD_META, CONTAINERD_SNAPSHOTS, put, write},
    offline, report, snapshot,
};

/// Target, name and content of each.
pub(super) fn made() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let layer = offline::fuzzing::sample_layer();
    let elf = kernel::elf();
    vec![
        ("bolt", "containerd-meta", trimmed(CONTAINERD_META)),
        (
            "bolt",
            "containerd-snapshots",
            trimmed(CONTAINERD_SNAPSHOTS),
        ),
        ("containerd", "both", store()),
        ("btf", "small", kernel::btf()),
        ("ring", "events", events()),
        ("kernel-types", "small", kernel::btf()),
        ("kernel-image", "elf", elf.clone()),
        (
            "kernel-image",
            "bzimage",
            kernel::bzimage(&offline::fuzzing::gzip(&elf)),
        ),
        ("kernel-tables", "tables", derefs::fuzzing::sample_tables()),
        (
            "derefs-document",
            "small",
            derefs::fuzzing::sample_document(),
        ),
        ("recording", "small", snapshot::recording::fuzzing::sample()),
        (
            "records",
            "small",
            snapshot::recording::fuzzing::sample_records(),
        ),
        ("measurement-file", "table", table()),
        (
            "measurement-file",
            "report",
            written(&report::sample::report()),
        ),
        ("report", "small", written(&report::sample::report())),
        ("archive", "docker", offline::fuzzing::sample_archive()),
        ("layer", "plain", layer.clone()),
        ("layer", "gzip", offline::fuzzing::gzip(&layer)),
        ("layer", "zstd", offline::fuzzing::zstd(&layer)),
    ]
}

/// Without pages of zeros at the end, which databases have for later.
fn trimmed(database: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let used = database
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut bytes = database[..used].to_vec();
    bytes.resize(used.next_multiple_of(PAGE), 0);
    bytes
}

/// Snapshots and metadata of one image and one container in one database.
fn store() -> Vec<u8> {
    let mut tree = BTreeMap::new();
    for (path, value) in [
        ("v1/snapshots/k8s.io.1.sha256:a/id", &b"\x01"[..]),
        ("v1/snapshots/k8s.io.1.sha256:a/kind", b"\x03"),
        ("v1/snapshots/k8s.io.2.box/id", b"\x02"),
        ("v1/snapshots/k8s.io.2.box/kind", b"\x02"),
        ("v1/snapshots/k8s.io.2.box/parent", b"k8s.io/1/sha256:a"),
        (
            "v1/k8s.io/snapshots/overlayfs/sha256:a/name",
            b"k8s.io/1/sha256:a",
        ),
        ("v1/k8s.io/snapshots/overlayfs/box/name", b"k8s.io/2/box"),
        ("v1/k8s.io/images/app:1/target/digest", b"sha256:m"),
        (
            "v1/k8s.io/content/blob/sha256:m/labels/containerd.io.gc.ref.content.0",
            b"sha256:c",
        ),
        (
            "v1/k8s.io/content/blob/sha256:c/labels/containerd.io.gc.ref.snapshot.overlayfs",
            b"sha256:a",
        ),
        ("v1/k8s.io/containers/c0ffee/image", b"app:1"),
        ("v1/k8s.io/containers/c0ffee/snapshotter", b"overlayfs"),
        ("v1/k8s.io/containers/c0ffee/snapshotKey", b"box"),
        (
            "v1/k8s.io/containers/c0ffee/labels/io.kubernetes.pod.name",
            b"pod",
        ),
    ] {
        // Slashes inside keys are dots here.
        let keys: Vec<String> = path
            .split('/')
            .map(|key| {
                let key = key.replace("containerd.io.gc", "containerd.io/gc");
                match key.strip_prefix("k8s.io.") {
                    Some(rest) => format!("k8s.io/{}", rest.replacen('.', "/", 1)),
                    None => key,
                }
            })
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        put(&mut tree, &keys, value);
    }
    write(&tree)
}

/// Two events of the ring, and the state and names of an inode.
fn events() -> Vec<u8> {
    let mut bytes = Vec::new();
    for kind in [1_u8, 2] {
        let mut event = [0_u8; 64];
        event[0] = kind;
        event[4] = 16;
        event[16] = 0x40;
        bytes.extend(event);
    }
    bytes.extend(b"\x01file\0folder\0");
    bytes
}

fn table() -> Vec<u8> {
    let mut out = Vec::new();
    let (measurement, host) = (report::sample::measurement(), report::sample::host());
    let report = report::Report::without_files(&measurement, &host);
    snapshot::table::write(&measurement, &report, &mut out).expect("memory takes everything");
    out
}

fn written(report: &report::Report) -> Vec<u8> {
    let mut out = Vec::new();
    report::json::write(report, &mut out).expect("memory takes everything");
    out
}
