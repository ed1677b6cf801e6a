//! Advice names the measured bytes, and says nothing where there is nothing to say.

use super::*;
use crate::model::{
    index::ContentIndex,
    inode::InodeKey,
    measurement::{FileIdentity, Place},
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
