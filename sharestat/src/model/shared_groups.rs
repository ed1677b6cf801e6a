//! What groups of files hold where one file can belong to several: the images that have
//! its layer, the containers that show it.

use super::{
    duplicates::Duplicates,
    groups::GroupRow,
    inode::InodeId,
    owner::{Owner, part_of},
    units::Bytes,
};

/// What one group holds that may have files in common with others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharedRow {
    /// As for a group of its own, except that `exclusive` counts the contents that only
    /// files of this group and of no other hold. Files of several groups count in each:
    /// rows do not add up.
    pub whole: GroupRow,
    /// Its resident bytes, those of files of `n` groups counted as an n-th.
    pub proportional: f64,
}

/// One row for each of `groups` groups, numbered from 0; `groups_of` tells those of a
/// file. Takes one pass over the duplicates, and 8 bytes per content of theirs while it
/// runs.
#[must_use]
pub fn shared_rows<'g>(
    duplicates: &Duplicates<'_>,
    groups: usize,
    groups_of: impl Fn(InodeId) -> &'g [u32],
) -> Vec<SharedRow> {
    let mut rows = vec![SharedRow::default(); groups];
    let mut inodes = duplicates.index().inodes();
    if groups == 0 || !inodes.any(|inode| !groups_of(inode.id).is_empty()) {
        // No group has a cached file: nothing needs to be counted.
        return rows;
    }
    // The owner of a content, and how many of its copies were seen.
    let mut owners = duplicates.notes((Owner::NOBODY, 0_u32));
    for (inode, own) in duplicates.files() {
        let of = groups_of(inode.id);
        let holder = match of {
            [] => continue,
            [one] => Owner::of(*one),
            _ => Owner::SEVERAL,
        };
        let mut part = part_of(duplicates, &inode, own, |content| {
            let (owner, seen) = &mut owners[content];
            owner.take(holder);
            *seen += 1;
        });
        if holder == Owner::SEVERAL {
            part.exclusive = Bytes(0);
        }
        let sharers = f64::from(u32::try_from(of.len()).unwrap_or(u32::MAX));
        for group in of {
            if let Some(row) = rows.get_mut(*group as usize) {
                row.whole += &part;
                row.proportional += part.resident.to_f64() / sharers;
            }
        }
    }
    // The copies that were not seen are in files of no group.
    for ((_, copies), (owner, seen)) in duplicates.contents().zip(owners) {
        if copies != seen {
            continue;
        }
        if let Some(row) = owner.row(&mut rows) {
            row.whole.exclusive += Bytes::of_pages(u64::from(copies));
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
    };

    /// Inodes 0 and 3 are of the first group, 1 and 4 of both, 2 and 5 of none.
    fn groups_of(inode: InodeId) -> &'static [u32] {
        match inode.0 % 3 {
            0 => &[0],
            1 => &[0, 1],
            _ => &[],
        }
    }

    proptest! {
        #[test]
        fn rows_are_what_the_definitions_say(index in samples::index()) {
            let pages = hashed_pages(&index);
            let copies = counts(pages.iter().map(|page| page.2));
            let within = counts(pages.iter().map(|page| (groups_of(page.0), page.2)));
            let rows = shared_rows(&Duplicates::of(&index), 2, groups_of);
            let files = file_rows(&index);
            for (row, group) in rows.iter().zip([0, 1]) {
                let of_group = || files.iter().filter(|file| groups_of(file.inode).contains(&group));
                prop_assert_eq!(row.whole.resident, of_group().map(|file| file.resident).sum());
                prop_assert_eq!(row.whole.duplicate, of_group().map(|file| file.duplicate).sum());
                let share: f64 = of_group().map(|file| file.saving_share).sum();
                prop_assert!((row.whole.saving_share - share).abs() < 0.001);
                let alone: &[u32] = &[group];
                let exclusive = pages.iter().filter(|page| {
                    groups_of(page.0) == alone && within[&(alone, page.2)] == copies[&page.2]
                });
                prop_assert_eq!(row.whole.exclusive, Bytes::of_pages(exclusive.count() as u64));
            }
            let proportional: f64 = rows.iter().map(|row| row.proportional).sum();
            let resident: Bytes = files.iter().filter(|file| !groups_of(file.inode).is_empty()).map(|file| file.resident).sum();
            prop_assert!((proportional - resident.to_f64()).abs() < 0.001);
        }
    }
}
