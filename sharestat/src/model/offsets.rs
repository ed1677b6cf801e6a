//! Copies of a content at the same page index of their files.

use super::{
    duplicates::{Duplicate, Duplicates},
    inode::InodeId,
    savings::Classes,
    units::{ContentHash, PageIndex},
};

/// Same content at the same page index, of the pages that are eligible.
pub(super) fn by_offset(duplicates: &Duplicates<'_>) -> Classes {
    let mut classes = Classes::default();
    let mut keys = Vec::new();
    // Most contents have two copies: the first leaves its page, plus one, for the second.
    let mut left = duplicates.notes(0_u64);
    let files = duplicates.files().filter(|(inode, _)| inode.eligible);
    for page in files.flat_map(|(_, own)| own) {
        let number = page.number();
        if duplicates.copies(number) != 2 {
            keys.extend(key(duplicates, *page));
        } else if left[number] == page.page().0 + 1 {
            classes.add(if duplicates.is_zero(number) { 0 } else { 2 });
        } else {
            left[number] = page.page().0 + 1;
        }
    }
    classes.merge(with_one_key(keys));
    classes
}

/// Pages of `files` with the same content at the same page index, one class for each that
/// at least two of them have; zero pages are left out.
pub(super) fn at_same_offset(duplicates: &Duplicates<'_>, files: &[InodeId]) -> Classes {
    if let [one, other] = files {
        return common(
            duplicates,
            duplicates.of_file(*one),
            duplicates.of_file(*other),
        );
    }
    let pages = files.iter().flat_map(|inode| duplicates.of_file(*inode));
    with_one_key(pages.filter_map(|page| key(duplicates, *page)).collect())
}

/// [`at_same_offset`] of two files, both by page: they are walked side by side.
fn common(duplicates: &Duplicates<'_>, one: &[Duplicate], other: &[Duplicate]) -> Classes {
    let mut classes = Classes::default();
    let mut others = other.iter().peekable();
    for page in one {
        while others.next_if(|other| other.page() < page.page()).is_some() {}
        let same =
            |other: &&Duplicate| other.page() == page.page() && other.number() == page.number();
        if others.peek().is_some_and(same) && !duplicates.is_zero(page.number()) {
            classes.add(2);
        }
    }
    classes
}

/// What pages with the same content at the same page index have in common; nothing for a
/// zero page. 8 bytes: hash and index mixed, which meets another by chance as rarely as
/// the hash itself.
fn key(duplicates: &Duplicates<'_>, page: Duplicate) -> Option<u64> {
    let content = duplicates.content(page.number());
    (!duplicates.is_zero(page.number())).then(|| mix(content, page.page()))
}

fn with_one_key(mut keys: Vec<u64>) -> Classes {
    keys.sort_unstable();
    let mut classes = Classes::default();
    for class in keys.chunk_by(|one, next| one == next) {
        classes.add(class.len() as u64);
    }
    classes
}

/// One key for a content at a page index (the finalizer of `MurmurHash3` over both).
pub(crate) fn mix(content: ContentHash, page: PageIndex) -> u64 {
    let mut key = content.0 ^ page.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    key = (key ^ (key >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ (key >> 33)
}
