//! The copies of each content side by side, for contents that concern some of the files
//! only: in passes, so that memory stays bounded however many pages there are.

use std::collections::BTreeSet;

use super::{
    duplicates::Duplicates,
    inode::InodeId,
    units::{ContentHash, PageIndex},
    view::InodeView,
};

/// Copies held at once: 24 bytes each.
const AT_ONCE: usize = 4 << 20;

/// One resident page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Copy {
    pub(super) content: ContentHash,
    pub(super) inode: InodeId,
    pub(super) page: PageIndex,
}

impl Copy {
    /// Before any is put there.
    const NOWHERE: Self = Self {
        content: ContentHash(0),
        inode: InodeId(0),
        page: PageIndex(0),
    };
}

/// Calls back with all copies of each content that has at least two and that a file of
/// `of` holds. Zero pages are left out. Copies are ordered by inode and page.
pub(super) fn for_each_content(
    duplicates: &Duplicates<'_>,
    of: impl Iterator<Item = InodeId>,
    visit: impl FnMut(&[Copy]),
) {
    in_passes(duplicates, of, AT_ONCE, visit);
}

fn in_passes(
    duplicates: &Duplicates<'_>,
    of: impl Iterator<Item = InodeId>,
    at_once: usize,
    mut visit: impl FnMut(&[Copy]),
) {
    let of: BTreeSet<InodeId> = of.collect();
    // How many copies of each content these files hold.
    let mut held = duplicates.notes(0_u32);
    for page in of.iter().flat_map(|inode| duplicates.of_file(*inode)) {
        if !duplicates.is_zero(page.number()) {
            held[page.number()] += 1;
        }
    }
    let counts = || {
        duplicates
            .contents()
            .zip(&held)
            .map(|((_, copies), held)| (copies, *held))
    };
    // Other files are looked at only when they hold some of the copies.
    let elsewhere = counts().any(|(copies, held)| held > 0 && held < copies);
    let mut places = Places::default();
    let mut copies = Vec::new();
    let mut first = 0;
    while first < held.len() {
        let number = places.lay_out(first, counts().skip(first), at_once);
        let end = first + number;
        copies.clear();
        copies.resize(places.room, Copy::NOWHERE);
        let wanted = |(inode, _): &(InodeView<'_>, _)| elsewhere || of.contains(&inode.id);
        for (inode, own) in duplicates.files().filter(wanted) {
            for page in own {
                if (first..end).contains(&page.number())
                    && let Some(place) = places.next(page.number())
                {
                    copies[place] = Copy {
                        content: duplicates.content(page.number()),
                        inode: inode.id,
                        page: page.page(),
                    };
                }
            }
        }
        for group in copies.chunk_by(|one, next| one.content == next.content) {
            visit(group);
        }
        first = end;
    }
}

/// Where the copies of each content come to lie: those of one side by side, in the order
/// in which they are found. Nothing is sorted.
#[derive(Default)]
struct Places {
    /// The number of the first content.
    first: usize,
    /// The next free place of each content; none for those that nobody wants.
    next: Vec<Option<u32>>,
    /// Places in all.
    room: usize,
}

impl Places {
    /// Makes room for the contents from the `first` on, until there are `at_once` copies;
    /// `counts` tells all copies of each, and how many make it wanted. Returns how many
    /// contents there are.
    fn lay_out(
        &mut self,
        first: usize,
        counts: impl Iterator<Item = (u32, u32)>,
        at_once: usize,
    ) -> usize {
        (self.first, self.room) = (first, 0);
        self.next.clear();
        for (copies, held) in counts {
            if self.room >= at_once {
                break;
            }
            let wanted = held > 0;
            self.next
                .push(wanted.then_some(u32::try_from(self.room).unwrap_or(u32::MAX)));
            self.room += if wanted { copies as usize } else { 0 };
        }
        self.next.len()
    }

    /// The place of one more copy.
    fn next(&mut self, number: usize) -> Option<usize> {
        let next = self.next[number - self.first].as_mut()?;
        *next += 1;
        Some(*next as usize - 1)
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
            index in samples::index(), at_once in 1_usize..200
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
            in_passes(&Duplicates::of(&index), of.into_iter(), at_once, |copies| {
                assert!(found.insert(copies[0].content, copies.to_vec()).is_none());
            });
            prop_assert_eq!(found, expected);
        }
    }
}
