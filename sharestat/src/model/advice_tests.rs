//! Advice names the measured bytes, and says nothing where there is nothing to say.

use super::*;
use crate::model::{
    extents::{Extent, Extents},
    index::ContentIndex,
    inode::{Dev, InodeKey},
    layers::{Layer, LayerKind, LayerRoot, Runtime},
    measurement::{FileIdentity, Filesystem, Place},
    page::Observation,
    samples::ZERO,
    savings::savings,
    units::{ContentHash, PageIndex},
};

fn two_equal_files(pages: u64) -> (ContentIndex, Identities) {
    let mut index = ContentIndex::new(ZERO);
    let mut identities = Identities::default();
    for ino in 0..2 {
        let key = InodeKey {
            ino,
            ..InodeKey::default()
        };
        let inode = index.intern(key, true);
        for page in 0..pages {
            let seen = Observation::Hashed(ContentHash(100 + page));
            index.insert(inode, PageIndex(page), seen);
        }
        let file = FileIdentity {
            filesystem: 0,
            path: format!("/file{ino}"),
            named: true,
            deleted: false,
            size: pages * 4096,
            links: 1,
            place: Place::default(),
        };
        identities.files.insert(inode, file);
    }
    (index, identities)
}

#[test]
fn equal_files_ask_for_whole_file_sharing_with_their_bytes() {
    let (index, identities) = two_equal_files(40);
    let lines = advice(&identities, &savings(&index, &identities), &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].mechanism, "erofs");
    assert_eq!(lines[0].saving, Bytes::of_pages(40));
    assert!(
        lines[0].cause.contains("2 files like '/file0'"),
        "{lines:?}"
    );
}

#[test]
fn little_asks_for_nothing() {
    let (index, identities) = two_equal_files(4);
    let lines = advice(&identities, &savings(&index, &identities), &[]);
    assert_eq!(lines, []);
}

#[test]
fn only_copies_for_metadata_ask_for_metacopy() {
    let (index, identities) = two_equal_files(40);
    let copy_up = |equal, metadata_only| CopyUp {
        copy: InodeId(1),
        source: InodeId(0),
        equal: Bytes::of_pages(equal),
        differing: Bytes(0),
        metadata_only,
    };
    let copy_ups = [copy_up(50, false), copy_up(40, true)];
    let lines = advice(&identities, &savings(&index, &identities), &copy_ups);
    let line = lines.iter().find(|line| line.mechanism == "copy-up");
    let line = line.expect("it is advised");
    assert_eq!(line.saving, Bytes::of_pages(40));
    assert!(line.action.contains("metacopy=on"), "{line:?}");
}

const DISK: Dev = Dev::new(8, 1);
const INSIDE: Dev = Dev::new(7, 0);

fn layer(key: &str, kind: LayerKind, mounted: Vec<Dev>) -> Layer {
    Layer {
        key: key.to_owned(),
        directory: key.to_owned(),
        kind,
        runtime: Runtime::Mount,
        digest: None,
        roots: vec![LayerRoot {
            dev: DISK,
            path_in_fs: key.as_bytes().to_vec(),
        }],
        images: Vec::new(),
        container: None,
        image_file: None,
        mounted,
    }
}

fn filesystem(dev: Dev) -> Filesystem {
    Filesystem {
        dev,
        fs_type: "xfs".to_owned(),
        id: String::new(),
        mount_point: None,
        source: None,
    }
}

/// The line of a mechanism, and no line of `others`.
fn line_of(lines: &[Advice], mechanism: &str, others: &[&str]) -> Advice {
    let of = |name: &str| lines.iter().find(|line| line.mechanism == name);
    for other in others {
        assert_eq!(of(other), None, "{lines:?}");
    }
    of(mechanism)
        .unwrap_or_else(|| panic!("no line for '{mechanism}': {lines:?}"))
        .clone()
}

#[test]
fn a_cached_image_beside_its_files_asks_for_direct_io() {
    let (index, mut identities) = two_equal_files(40);
    identities.filesystems = vec![filesystem(DISK), filesystem(INSIDE)];
    identities.layers.layers = vec![layer("/image", LayerKind::ImageFile, vec![INSIDE])];
    for (inode, file) in &mut identities.files {
        let is_image = *inode == InodeId(0);
        file.filesystem = usize::from(!is_image);
        file.place.layer = is_image.then_some(LayerId(0));
    }
    let lines = advice(&identities, &savings(&index, &identities), &[]);
    let line = line_of(&lines, "image-file", &["erofs", "layer", "reflink"]);
    assert_eq!(line.saving, Bytes::of_pages(40));
    assert_eq!(line.cause, "160.0 KiB of '/file0'");
    assert!(line.action.contains("--direct-io=on"), "{line:?}");
}

#[test]
fn one_path_of_two_layers_asks_for_one_base() {
    let (index, mut identities) = two_equal_files(40);
    identities.filesystems = vec![filesystem(DISK)];
    identities.layers.layers = ["/one", "/two"]
        .map(|key| layer(key, LayerKind::Lower, Vec::new()))
        .into();
    for (inode, file) in &mut identities.files {
        let root = if inode.0 == 0 { "/one" } else { "/two" };
        file.place = Place {
            path_in_fs: Some(format!("{root}/lib/x").into_bytes().into()),
            layer: Some(LayerId(inode.0)),
            root: root.len(),
            ..Place::default()
        };
    }
    let lines = advice(&identities, &savings(&index, &identities), &[]);
    let line = line_of(&lines, "layer", &["image-file", "reflink"]);
    assert_eq!(line.saving, Bytes::of_pages(40));
    assert_eq!(line.cause, "160.0 KiB between '/one' and '/two'");
}

#[test]
fn shared_extents_ask_for_one_file() {
    let (index, mut identities) = two_equal_files(40);
    identities.filesystems = vec![filesystem(DISK)];
    for inode in [0, 1].map(InodeId) {
        // All but the last ten pages are shared on storage.
        let shared = Extent {
            first: 0,
            pages: 30,
            physical: 1 << 20,
        };
        identities.extents.insert(inode, Extents::new(vec![shared]));
    }
    let lines = advice(&identities, &savings(&index, &identities), &[]);
    let line = line_of(&lines, "reflink", &["image-file", "layer"]);
    assert_eq!(line.saving, Bytes::of_pages(30));
    assert!(line.action.contains("hard links"), "{line:?}");
}
