//! What groups of files hold (filesystems, layers, containers), where every file belongs
//! to one group at most.

use super::{
    index::ContentIndex,
    inode::InodeId,
    units::{Bytes, ContentHash},
};

/// What one group of files holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupRow {
    /// In the page cache.
    pub resident: Bytes,
    /// Pages whose content has any other copy.
    pub duplicate: Bytes,
    /// Pages whose content has no copy outside the group.
    pub exclusive: Bytes,
    /// The group's part of what sharing would save, in bytes; see
    /// [`FileRow::saving_share`](super::files::FileRow::saving_share).
    pub saving_share: f64,
}

/// Which groups hold a content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    Group(u32),
    /// Several groups, or files without a group.
    Several,
}

impl Owner {
    fn and(self, group: Option<u32>) -> Self {
        match (self, group) {
            (Self::Nobody, Some(group)) => Self::Group(group),
            (Self::Group(owner), Some(group)) if owner == group => self,
            _ => Self::Several,
        }
    }
}

/// One row for each of `groups` groups, numbered from 0. Files of which `group_of` knows
/// no group count as outside of all. Two passes over the pages and 8 bytes per distinct
/// content while it runs.
#[must_use]
pub fn group_rows(
    index: &ContentIndex,
    groups: usize,
    group_of: impl Fn(InodeId) -> Option<u32>,
) -> Vec<GroupRow> {
    let mut owners = index.ledger.contents.annotate(Owner::Nobody);
    for inode in index.inodes() {
        let group = group_of(inode.id);
        for (_, content) in inode.contents() {
            if let Some((_, owner)) = owners.get_mut(content) {
                *owner = owner.and(group);
            }
        }
    }
    let mut rows = vec![GroupRow::default(); groups];
    for inode in index.inodes() {
        let group = group_of(inode.id);
        let Some(row) = group.and_then(|group| rows.get_mut(group as usize)) else {
            continue;
        };
        let copies = |content: ContentHash| match owners.get_mut(content) {
            Some((copies, owner)) => (copies, *owner != Owner::Several),
            None => (0, false),
        };
        row.add(
            inode.resident(),
            inode.contents().map(|(_, content)| content).map(copies),
        );
    }
    rows
}

impl GroupRow {
    /// Adds the pages of one file: for each hashed one, its copies on the host and
    /// whether all of them are in this group.
    fn add(&mut self, resident: u64, pages: impl Iterator<Item = (u32, bool)>) {
        let (mut duplicate, mut exclusive, mut saving_pages) = (0, 0, 0.0);
        for (copies, only_here) in pages {
            exclusive += u64::from(only_here);
            if copies > 1 {
                duplicate += 1;
                saving_pages += f64::from(copies - 1) / f64::from(copies);
            }
        }
        self.resident += Bytes::of_pages(resident);
        self.duplicate += Bytes::of_pages(duplicate);
        self.exclusive += Bytes::of_pages(exclusive);
        self.saving_share += saving_pages * Bytes::of_pages(1).to_f64();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        files::file_rows,
        samples::{self, counts, hashed_pages},
    };

    proptest! {
        #[test]
        fn rows_are_what_the_definitions_say(index in samples::index()) {
            // Every third inode belongs to no group.
            let group_of = |inode: InodeId| inode.0.checked_rem(3).filter(|group| *group < 2);
            let pages = hashed_pages(&index);
            let copies = counts(pages.iter().map(|page| page.2));
            let within = counts(pages.iter().map(|page| (group_of(page.0), page.2)));
            let rows = group_rows(&index, 2, group_of);
            prop_assert_eq!(rows.len(), 2);
            for (row, group) in rows.iter().zip([Some(0), Some(1)]) {
                let count = |counts: &dyn Fn(ContentHash) -> bool| {
                    let counted = pages.iter().filter(|page| group_of(page.0) == group && counts(page.2));
                    Bytes::of_pages(counted.count() as u64)
                };
                prop_assert_eq!(row.duplicate, count(&|content| copies[&content] > 1));
                prop_assert_eq!(row.exclusive, count(&|content| within[&(group, content)] == copies[&content]));
                let files = file_rows(&index);
                let of_group = || files.iter().filter(|file| group_of(file.inode) == group);
                prop_assert_eq!(row.resident, of_group().map(|file| file.resident).sum());
                let share: f64 = of_group().map(|file| file.saving_share).sum();
                prop_assert!((row.saving_share - share).abs() < 0.001);
            }
        }
    }
}
