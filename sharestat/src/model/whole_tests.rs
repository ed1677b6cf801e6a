//! Which files count as equal, and how sure that is.

use super::*;
use crate::model::{
    files::file_rows,
    inode::InodeKey,
    measurement::{FileIdentity, Place},
    page::Observation,
    samples::ZERO,
    units::{Bytes, PageIndex},
};

#[derive(Default)]
struct Stage {
    index: Option<ContentIndex>,
    identities: Identities,
}

impl Stage {
    /// A file of `size` bytes with these (page, content) resident.
    fn file(&mut self, size: u64, pages: &[(u64, u64)], proof: Option<Proof>) -> InodeId {
        let index = self.index.get_or_insert_with(|| ContentIndex::new(ZERO));
        let key = InodeKey {
            ino: self.identities.files.len() as u64,
            ..InodeKey::default()
        };
        let inode = index.intern(key, true);
        for &(page, content) in pages {
            let seen = Observation::Hashed(ContentHash(content));
            index.insert(inode, PageIndex(page), seen);
        }
        let file = FileIdentity {
            filesystem: 0,
            path: String::new(),
            named: true,
            deleted: false,
            size,
            links: 1,
            place: Place::default(),
        };
        self.identities.files.insert(inode, file);
        self.identities
            .whole
            .extend(proof.map(|proof| (inode, proof)));
        inode
    }

    fn classes(&self) -> Vec<(Vec<InodeId>, Confidence)> {
        let index = self.index.as_ref().expect("there are files");
        let kin = Kin::of(index, &self.identities);
        let rows = file_rows(index);
        let classes = whole_classes(&Duplicates::of(index), &self.identities, &kin, &rows);
        let parts = |class: WholeClass| (class.files, class.confidence);
        classes.into_iter().map(parts).collect()
    }
}

#[test]
fn same_size_and_no_differing_page_is_probable() {
    let mut stage = Stage::default();
    let one = stage.file(9000, &[(0, 10), (1, 11)], None);
    let two = stage.file(9000, &[(1, 11), (2, 12)], None);
    // Another size, a page that differs, nothing in common, only zero pages in common.
    stage.file(9001, &[(0, 10), (1, 11)], None);
    stage.file(9000, &[(0, 10), (1, 99)], None);
    stage.file(9000, &[(2, 77)], None);
    stage.file(9000, &[(0, ZERO.0)], None);
    assert_eq!(stage.classes(), [(vec![one, two], Confidence::Probable)]);
}

#[test]
fn files_that_agree_through_a_third_are_one_class_only_without_conflict() {
    let mut stage = Stage::default();
    let one = stage.file(9000, &[(0, 10), (2, 12)], None);
    let two = stage.file(9000, &[(0, 10)], None);
    // Agrees with the second file and not with the first.
    stage.file(9000, &[(0, 10), (2, 99)], None);
    assert_eq!(stage.classes(), [(vec![one, two], Confidence::Probable)]);
}

#[test]
fn a_proof_decides_against_equal_pages_and_for_absent_ones() {
    let mut stage = Stage::default();
    let compared = |number| Some(Proof::Compared(number));
    let one = stage.file(9000, &[(0, 10)], compared(1));
    stage.file(9000, &[(0, 10)], compared(2));
    let three = stage.file(9000, &[(0, 10), (1, 11)], compared(1));
    assert_eq!(stage.classes(), [(vec![one, three], Confidence::Verified)]);
}

#[test]
fn a_digest_is_exact_until_a_file_without_one_joins() {
    let mut stage = Stage::default();
    let digest = || Some(Proof::Digest("sha256:1".into()));
    let one = stage.file(9000, &[(0, 10)], digest());
    let two = stage.file(9000, &[(0, 10)], digest());
    assert_eq!(stage.classes(), [(vec![one, two], Confidence::Exact)]);
    let three = stage.file(9000, &[(0, 10)], None);
    assert_eq!(
        stage.classes(),
        [(vec![one, two, three], Confidence::Probable)]
    );
}

#[test]
fn pages_in_common_are_counted_beyond_the_first() {
    let mut stage = Stage::default();
    let files = [
        stage.file(16384, &[(0, 10), (1, 11), (2, ZERO.0)], None),
        stage.file(16384, &[(0, 10), (1, 11), (2, ZERO.0)], None),
        stage.file(16384, &[(0, 10), (3, 13)], None),
    ];
    let index = stage.index.as_ref().expect("there are files");
    let pages = pages_in_common(&Duplicates::of(index), &files);
    let mut expected = Classes::default();
    expected.add(3);
    expected.add(2);
    assert_eq!(pages, expected);
    assert_eq!(Bytes::of_pages(3), pages.saving());
}
