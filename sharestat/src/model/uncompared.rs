//! Which part of a saving rests on bytes that were read and compared, and which on equal
//! hashes only. Takes the pages that could not be compared.

use std::collections::BTreeMap;

use super::{
    duplicates::Duplicates,
    index::ContentIndex,
    inode::InodeId,
    kin::Kin,
    offsets::by_offset,
    page::{Observation, SkipReason},
    savings::{Confidence, MechanismRow, by_content},
    scopes::Nearness,
    units::{Bytes, PageIndex},
};

/// Duplicate pages that were not compared, by file: it could not be opened or read, or has
/// changed since it was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncompared(BTreeMap<InodeId, Vec<PageIndex>>);

impl Uncompared {
    /// Adds a page.
    pub fn push(&mut self, inode: InodeId, page: PageIndex) {
        self.0.entry(inode).or_default().push(page);
    }

    /// Leaves out the pages that have no other copy (any more), of which nothing is claimed.
    pub fn keep_duplicates(&mut self, index: &ContentIndex) {
        self.0.retain(|inode, pages| {
            let Some(view) = index.view(*inode) else {
                return false;
            };
            pages.sort_unstable();
            let mut duplicates = Vec::new();
            index.visit_contents(&view, |page, _, copies| {
                if copies > 1 {
                    duplicates.push(page);
                }
            });
            pages.retain(|page| duplicates.binary_search(page).is_ok());
            !pages.is_empty()
        });
    }

    /// Files that have any.
    #[must_use]
    pub fn files(&self) -> usize {
        self.0.len()
    }

    /// Bytes of the pages.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes::of_pages(self.0.values().map(|pages| pages.len() as u64).sum())
    }

    /// Says of the mechanisms that share pages how much of their saving is left without these
    /// pages: that is verified, the rest rests on hashes. Those that share whole files have
    /// their own proofs.
    pub(super) fn mark(&self, rows: &mut [MechanismRow], index: &ContentIndex, kin: &Kin<'_>) {
        let compared = (!self.0.is_empty()).then(|| self.taken_from(index));
        let compared = compared.as_ref().map(|index| {
            let duplicates = Duplicates::of(index);
            let (content, zero) = by_content(&duplicates);
            let near = Nearness::of(&duplicates, kin);
            [
                ("content", content),
                ("offset", by_offset(&duplicates)),
                ("reflink", near.reflink),
                ("copy-up", near.copy_up),
                ("image-file", near.image_file),
                ("zero", zero),
            ]
        });
        for row in rows {
            let verified = match &compared {
                None if matches!(row.name, "erofs" | "composefs" | "layer") => continue,
                None => row.saving,
                Some(compared) => match compared.iter().find(|(name, _)| *name == row.name) {
                    Some((_, classes)) => classes.saving().min(row.saving),
                    None => continue,
                },
            };
            let by_hash = Bytes(row.saving.0 - verified.0);
            if by_hash.0 == 0 {
                row.confidence = Confidence::Verified;
            } else if verified.0 > 0 {
                row.by_confidence = vec![
                    (Confidence::Verified, verified),
                    (Confidence::Exact, by_hash),
                ];
            }
        }
    }

    /// The index as if nothing were known of these pages.
    fn taken_from(&self, index: &ContentIndex) -> ContentIndex {
        let mut known = index.copied();
        for (inode, pages) in &self.0 {
            for page in pages {
                let unknown = Observation::Skipped(SkipReason::Unreadable);
                known.insert(*inode, *page, unknown);
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        inode::InodeKey, measurement::Identities, samples::ZERO, savings::savings,
        units::ContentHash,
    };

    /// Two contents with three copies each, in three files; of the third file the page of the
    /// first content was not compared.
    fn stage() -> (ContentIndex, Uncompared) {
        let mut index = ContentIndex::new(ZERO);
        let mut uncompared = Uncompared::default();
        for ino in 0..3 {
            let key = InodeKey {
                ino,
                ..InodeKey::default()
            };
            let inode = index.intern(key, true);
            for page in 0..2 {
                let content = ContentHash(100 + page);
                index.insert(inode, PageIndex(page), Observation::Hashed(content));
            }
            if ino == 2 {
                uncompared.push(inode, PageIndex(0));
            }
        }
        (index, uncompared)
    }

    fn content(index: &ContentIndex, uncompared: Option<Uncompared>) -> MechanismRow {
        let identities = Identities {
            uncompared,
            ..Identities::default()
        };
        savings(index, &identities).mechanisms.swap_remove(0)
    }

    #[test]
    fn what_was_not_compared_is_no_verified_saving() {
        let (index, uncompared) = stage();
        let row = content(&index, None);
        assert_eq!(row.confidence, Confidence::Exact);
        let row = content(&index, Some(Uncompared::default()));
        assert_eq!(
            (row.confidence, row.saving),
            (Confidence::Verified, Bytes::of_pages(4))
        );
        let row = content(&index, Some(uncompared));
        assert_eq!(
            (row.confidence, row.saving),
            (Confidence::Exact, Bytes::of_pages(4))
        );
        let parts = [
            (Confidence::Verified, Bytes::of_pages(3)),
            (Confidence::Exact, Bytes::of_pages(1)),
        ];
        assert_eq!(row.by_confidence, parts);
    }

    #[test]
    fn a_page_without_another_copy_need_not_be_compared() {
        let (mut index, mut uncompared) = stage();
        uncompared.keep_duplicates(&index);
        assert_eq!(
            (uncompared.files(), uncompared.bytes()),
            (1, Bytes::of_pages(1))
        );
        let unlike = Observation::Hashed(ContentHash(7));
        index.insert(InodeId(2), PageIndex(0), unlike);
        uncompared.keep_duplicates(&index);
        assert_eq!(uncompared, Uncompared::default());
    }
}
