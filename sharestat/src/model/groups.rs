//! What groups of files hold (filesystems, layers, containers), where every file belongs
//! to one group at most.

use std::ops::AddAssign;

use super::{
    duplicates::Duplicates,
    inode::InodeId,
    owner::{Owner, part_of},
    units::Bytes,
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

impl AddAssign<&Self> for GroupRow {
    fn add_assign(&mut self, part: &Self) {
        let Self {
            resident,
            duplicate,
            exclusive,
            saving_share,
        } = part;
        self.resident += *resident;
        self.duplicate += *duplicate;
        self.exclusive += *exclusive;
        self.saving_share += saving_share;
    }
}

/// One row for each of `groups` groups, numbered from 0. Files of which `group_of` knows
/// no group count as outside of all. One pass over the duplicates, and 4 bytes
/// per content of theirs while it runs.
#[must_use]
pub fn group_rows(
    duplicates: &Duplicates<'_>,
    groups: usize,
    group_of: impl Fn(InodeId) -> Option<u32>,
) -> Vec<GroupRow> {
    let mut rows = vec![GroupRow::default(); groups];
    let mut inodes = duplicates.index().inodes();
    if groups == 0 || !inodes.any(|inode| group_of(inode.id).is_some()) {
        // No group has a cached file: nothing needs to be counted.
        return rows;
    }
    let mut owners = duplicates.notes(Owner::NOBODY);
    let mut outside = GroupRow::default();
    for (inode, own) in duplicates.files() {
        let group = group_of(inode.id);
        let holder = group.map_or(Owner::SEVERAL, Owner::of);
        let part = part_of(duplicates, &inode, own, |content| {
            owners[content].take(holder);
        });
        *holder.row(&mut rows).unwrap_or(&mut outside) += &part;
    }
    // All copies of a content that only one group took are in that group.
    for ((_, copies), owner) in duplicates.contents().zip(owners) {
        if let Some(row) = owner.row(&mut rows) {
            row.exclusive += Bytes::of_pages(u64::from(copies));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        files::file_rows,
        samples::{self, counts, hashed_pages},
        units::ContentHash,
    };

    proptest! {
        #[test]
        fn rows_are_what_the_definitions_say(index in samples::index()) {
            // Every third inode belongs to no group.
            let group_of = |inode: InodeId| inode.0.checked_rem(3).filter(|group| *group < 2);
            let pages = hashed_pages(&index);
            let copies = counts(pages.iter().map(|page| page.2));
            let within = counts(pages.iter().map(|page| (group_of(page.0), page.2)));
            let rows = group_rows(&Duplicates::of(&index), 2, group_of);
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
