//! The copies of each content side by side, for contents that concern some of the files
//! only: in passes, so that memory stays bounded however many pages there are.

use std::collections::BTreeSet;

use super::{
    index::ContentIndex,
    inode::InodeId,
    units::{ContentHash, PageIndex},
    view::InodeView,
};

/// Copies held at once: 24 bytes each.
const AT_ONCE: u64 = 4 << 20;

/// One resident page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Copy {
    pub(super) content: ContentHash,
    pub(super) inode: InodeId,
    pub(super) page: PageIndex,
}

/// Calls back with all copies of each content that has at least two and that a file of
/// `of` holds. Zero pages are left out. Copies are ordered by inode and page.
pub(super) fn for_each_content(
    index: &ContentIndex,
    of: impl Iterator<Item = InodeId>,
    visit: impl FnMut(&[Copy]),
) {
    in_passes(index, of, AT_ONCE, visit);
}

fn in_passes(
    index: &ContentIndex,
    of: impl Iterator<Item = InodeId>,
    at_once: u64,
    mut visit: impl FnMut(&[Copy]),
) {
    let of: BTreeSet<InodeId> = of.collect();
    // How many copies of each content these files hold.
    let mut wanted = index.ledger.contents.annotate(0_u32);
    for inode in of.iter().filter_map(|inode| index.view(*inode)) {
        index.visit_contents(&inode, |_, content, copies| {
            if copies > 1
                && content != index.zero()
                && let Some(seen) = wanted.get_mut(content)
            {
                *seen += 1;
            }
        });
    }
    let (mut all, mut elsewhere) = (0, false);
    for (copies, seen) in wanted.iter().filter(|(_, seen)| *seen > 0) {
        all += u64::from(copies);
        elsewhere |= seen < copies;
    }
    let passes = all.div_ceil(at_once);
    let mut copies = Vec::new();
    for pass in 0..passes {
        copies.clear();
        // Other files are looked at only when they hold some of the copies.
        let others = |inode: &InodeView<'_>| elsewhere || of.contains(&inode.id);
        for inode in index.inodes().filter(others) {
            index.visit_contents(&inode, |page, content, count| {
                if count > 1
                    && content.0 % passes == pass
                    && wanted.get_mut(content).is_some_and(|seen| *seen > 0)
                {
                    copies.push(Copy {
                        content,
                        inode: inode.id,
                        page,
                    });
                }
            });
        }
        copies.sort_unstable();
        for group in copies.chunk_by(|one, next| one.content == next.content) {
            visit(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::samples::{self, ZERO, hashed_pages};

    proptest! {
        #[test]
        fn each_content_of_the_files_comes_once_with_all_copies(
            index in samples::index(), at_once in 1_u64..200
        ) {
            let of = [InodeId(0), InodeId(3)];
            let pages = hashed_pages(&index);
            let mut expected: BTreeMap<ContentHash, Vec<Copy>> = BTreeMap::new();
            for &(inode, page, content) in &pages {
                expected.entry(content).or_default().push(Copy { content, inode, page });
            }
            expected.retain(|content, copies| {
                *content != ZERO && copies.len() > 1 && copies.iter().any(|copy| of.contains(&copy.inode))
            });
            let mut found = BTreeMap::new();
            in_passes(&index, of.into_iter(), at_once, |copies| {
                assert!(found.insert(copies[0].content, copies.to_vec()).is_none());
            });
            prop_assert_eq!(found, expected);
        }
    }
}
