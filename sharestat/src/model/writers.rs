//! Files that some process has mapped shared, and may write through that. Their clean pages
//! have known contents and count as copies, but no way of sharing could take them as long as
//! the mapping is there. Takes what an engine saw of an inode; tells what is out of reach.

use super::{
    index::ContentIndex,
    inode::InodeId,
    journal::Change,
    savings::{Classes, by_content_of, less},
    units::Bytes,
};

/// Why such pages are out of the reach of all mechanisms.
pub(super) const REASON: &str = "writably mapped";

impl ContentIndex {
    /// Whether an inode was found mapped shared and writably, the last look counts. Says
    /// nothing new of one without a clean state, which is not eligible anyway.
    pub fn map_writably(&mut self, inode: InodeId, mapped: bool) {
        let Some(record) = self.inodes.get_mut(inode) else {
            return;
        };
        if record.clean_state && record.mapped_writably != mapped {
            self.ledger.map_writably(record, mapped);
            self.note(|| Change::MapWritably(inode, mapped));
        }
    }
}

/// What `content` and `zero`, which save so much, would save more if nothing were mapped
/// writably.
pub(super) fn out_of_reach(index: &ContentIndex, content: Classes, zero: Classes) -> [Bytes; 2] {
    // A pass over all contents, for the few hosts and moments that have such files.
    if !index.inodes().any(|inode| inode.mapped_writably) {
        return [Bytes(0); 2];
    }
    let (all, all_zero) = by_content_of(index, |inode| inode.eligible || inode.mapped_writably);
    [less(all, content), less(all_zero, zero)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        inode::InodeKey,
        measurement::{FileIdentity, Identities, Place},
        page::Observation,
        samples::ZERO,
        savings::{MechanismRow, savings},
        units::{ContentHash, PageIndex},
    };

    const PAGES: u64 = 10;

    /// So many equal files of a zero page and others.
    fn equal_files(count: u64) -> (ContentIndex, Identities, Vec<InodeId>) {
        let (mut index, mut identities) = (ContentIndex::new(ZERO), Identities::default());
        let files = (0..count).map(|ino| {
            let key = InodeKey {
                ino,
                ..InodeKey::default()
            };
            let inode = index.intern(key, true);
            index.insert(inode, PageIndex(0), Observation::Hashed(ZERO));
            for page in 1..PAGES {
                let content = ContentHash(100 + page);
                index.insert(inode, PageIndex(page), Observation::Hashed(content));
            }
            identities.files.insert(
                inode,
                FileIdentity {
                    filesystem: 0,
                    path: ino.to_string(),
                    named: true,
                    deleted: false,
                    size: PAGES * 4096,
                    links: 1,
                    place: Place::default(),
                },
            );
            inode
        });
        let files = files.collect();
        (index, identities, files)
    }

    fn row(rows: &[MechanismRow], name: &str) -> (Bytes, Vec<(&'static str, Bytes)>) {
        let row = rows.iter().find(|row| row.name == name);
        let row = row.expect("it is listed");
        (row.saving, row.out_of_reach.clone())
    }

    #[test]
    fn a_writably_mapped_file_is_out_of_reach_until_it_is_unmapped() {
        let (mut index, identities, files) = equal_files(3);
        let before = savings(&index, &identities).mechanisms;
        let eligible = index.totals().eligible;
        index.map_writably(files[1], true);
        assert_eq!(index.totals().eligible, eligible - PAGES);
        assert_eq!(index.totals().duplicate, 2 * PAGES);
        let mapped = savings(&index, &identities).mechanisms;
        let pages = Bytes::of_pages;
        for name in ["content", "offset", "erofs", "composefs"] {
            let beyond = vec![(REASON, pages(PAGES - 1))];
            assert_eq!(row(&mapped, name), (pages(PAGES - 1), beyond), "{name}");
        }
        assert_eq!(row(&mapped, "zero"), (pages(1), vec![(REASON, pages(1))]));
        let reflink = vec![
            ("no shared extent", pages(PAGES - 1)),
            (REASON, pages(PAGES - 1)),
        ];
        assert_eq!(row(&mapped, "reflink"), (Bytes(0), reflink));
        index.map_writably(files[1], false);
        assert_eq!(savings(&index, &identities).mechanisms, before);
        assert_eq!(index.totals().eligible, eligible);
    }

    #[test]
    fn of_two_copies_one_that_is_mapped_leaves_nothing_to_share() {
        let (mut index, identities, files) = equal_files(2);
        index.map_writably(files[0], true);
        let rows = savings(&index, &identities).mechanisms;
        let beyond = vec![(REASON, Bytes::of_pages(PAGES - 1))];
        assert_eq!(row(&rows, "content"), (Bytes(0), beyond));
        // Nor do two that are.
        index.map_writably(files[1], true);
        let rows = savings(&index, &identities).mechanisms;
        let beyond = vec![(REASON, Bytes::of_pages(PAGES - 1))];
        assert_eq!(row(&rows, "offset"), (Bytes(0), beyond));
    }

    #[test]
    fn pages_without_a_clean_state_have_another_reason() {
        let mut index = ContentIndex::new(ZERO);
        let inode = index.intern(InodeKey::default(), false);
        index.map_writably(inode, true);
        let view = index.view(inode).expect("it is known");
        assert!(!view.eligible && !view.mapped_writably && !view.has_clean_state());
    }
}
