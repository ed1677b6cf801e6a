//! Random indexes for property tests, and the naive way to read them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    index::ContentIndex,
    inode::{Dev, InodeId, InodeKey},
    page::{Observation, SkipReason},
    units::{ContentHash, PageIndex},
};

pub(crate) const ZERO: ContentHash = ContentHash(1);

/// Up to six inodes on three devices with few different contents, so that copies meet
/// within files, across files and across devices. Inodes 4 and 5 have no clean state, inode 3
/// is mapped writably.
pub(crate) fn index() -> impl Strategy<Value = ContentIndex> {
    let page = (0_u64..6, 0_u64..130, 0_u64..30, 0_usize..20);
    proptest::collection::vec(page, 0..300).prop_map(|pages| {
        let mut index = ContentIndex::new(ZERO);
        for (ino, page, content, skip) in pages {
            let key = InodeKey {
                dev: Dev::new(0, u32::from(ino > 1) + u32::from(ino > 3)),
                ino,
                ..InodeKey::default()
            };
            let inode = index.intern(key, ino < 4);
            index.map_writably(inode, ino == 3);
            let seen = SkipReason::ALL
                .get(skip)
                .map_or(Observation::Hashed(ContentHash(content)), |reason| {
                    Observation::Skipped(*reason)
                });
            index.insert(inode, PageIndex(page), seen);
        }
        index
    })
}

/// Every hashed page: whose, where, what.
pub(crate) fn hashed_pages(index: &ContentIndex) -> Vec<(InodeId, PageIndex, ContentHash)> {
    let of_inode = |inode: InodeId| {
        let pages = index
            .view(inode)
            .map(|view| view.pages().collect::<Vec<_>>());
        pages
            .unwrap_or_default()
            .into_iter()
            .filter_map(move |(page, state)| Some((inode, page, state.content()?)))
    };
    index.inodes().flat_map(|view| of_inode(view.id)).collect()
}

/// How often each value occurs.
pub(crate) fn counts<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}
