//! What sharing would save: the duplicates split by how near the copies are (scopes),
//! and by which way of sharing could reach them (mechanisms).

use std::collections::HashMap;

use super::{
    files::{FileSurvey, survey_files},
    index::ContentIndex,
    units::{Bytes, ContentHash, PageIndex},
};

/// The duplicates whose nearest other copy is that near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeRow {
    /// Name of the scope.
    pub name: &'static str,
    /// Copies beyond the first.
    pub duplicate: Bytes,
}

/// How sure a mechanism's classes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Every page that counts was compared by its hash.
    Exact,
    /// Rests on pages that are not resident and were not compared.
    Probable,
    /// The files were read and compared as a whole.
    Verified,
}

impl Confidence {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Probable => "probable",
            Self::Verified => "verified",
        }
    }
}

/// What one way of sharing would save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MechanismRow {
    /// Name of the mechanism.
    pub name: &'static str,
    /// Copies beyond the first of each class.
    pub saving: Bytes,
    /// Classes of at least two pages.
    pub groups: u64,
    /// How sure that is.
    pub confidence: Confidence,
}

/// Classes of pages that could be one, and the copies beyond the first in them.
#[derive(Clone, Copy, Default)]
struct Classes {
    groups: u64,
    saved: u64,
}

impl Classes {
    fn add(&mut self, copies: u64) {
        if copies > 1 {
            self.groups += 1;
            self.saved += copies - 1;
        }
    }

    fn row(self, name: &'static str) -> MechanismRow {
        MechanismRow {
            name,
            saving: Bytes::of_pages(self.saved),
            groups: self.groups,
            confidence: Confidence::Exact,
        }
    }
}

/// The duplicate bytes by scope; the rows add up to all of them.
///
/// Copies of one content are joined nearest relation first, as a minimum spanning tree:
/// a content with `c` copies in `f` files has c − f duplicates in `self` and f − 1 in
/// `host`, whichever copy is called the first.
#[must_use]
pub fn scopes(index: &ContentIndex) -> Vec<ScopeRow> {
    scopes_of(index, survey_files(index).repeated)
}

/// [`scopes`], when the files were surveyed already: `repeated` is what they hold more
/// than once within themselves.
#[must_use]
pub fn scopes_of(index: &ContentIndex, repeated: Bytes) -> Vec<ScopeRow> {
    let totals = index.totals();
    let duplicate = Bytes::of_pages(totals.duplicate);
    let zero = Bytes::of_pages(totals.zero_copies.saturating_sub(1));
    let host = Bytes(duplicate.0 - zero.0 - repeated.0);
    [("zero", zero), ("self", repeated), ("host", host)]
        .map(|(name, duplicate)| ScopeRow { name, duplicate })
        .to_vec()
}

/// The saving of each mechanism over the eligible pages. Zero pages count in `zero`
/// and nowhere else.
#[must_use]
pub fn mechanisms(index: &ContentIndex) -> Vec<MechanismRow> {
    mechanisms_of(index, &mut survey_files(index))
}

/// [`mechanisms`], when the files were surveyed already.
#[must_use]
pub fn mechanisms_of(index: &ContentIndex, survey: &mut FileSurvey) -> Vec<MechanismRow> {
    let (content, zero) = by_content(index);
    vec![
        content.row("content"),
        by_offset(&mut survey.places).row("offset"),
        zero.row("zero"),
    ]
}

/// Same content anywhere, and zero pages apart. Starts from the content table and takes
/// off the few pages that are not eligible.
fn by_content(index: &ContentIndex) -> (Classes, Classes) {
    let mut ineligible: HashMap<ContentHash, u32> = HashMap::new();
    for inode in index.inodes().filter(|inode| !inode.eligible) {
        for (_, content) in inode.contents() {
            *ineligible.entry(content).or_default() += 1;
        }
    }
    let (mut classes, mut zero) = (Classes::default(), Classes::default());
    for (content, copies) in index.contents() {
        let others = ineligible.get(&content).copied().unwrap_or(0);
        let copies = u64::from(copies - others);
        if content == index.zero() {
            zero.add(copies);
        } else {
            classes.add(copies);
        }
    }
    (classes, zero)
}

/// Same content at the same page index. Sorts 8 bytes per duplicate page.
fn by_offset(places: &mut [u64]) -> Classes {
    places.sort_unstable();
    let mut classes = Classes::default();
    for class in places.chunk_by(|one, next| one == next) {
        classes.add(class.len() as u64);
    }
    classes
}

/// One key for a content at a page index, which meets another by chance as rarely as the
/// hash itself (the finalizer of `MurmurHash3` over both).
pub(super) fn mix(content: ContentHash, page: PageIndex) -> u64 {
    let mut key = content.0 ^ page.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    key = (key ^ (key >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ (key >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::samples::{self, ZERO, counts, hashed_pages};

    fn beyond_the_first<T>(classes: &BTreeMap<T, u64>) -> (Bytes, u64) {
        let saved = classes.values().map(|copies| copies - 1).sum();
        let groups = classes.values().filter(|copies| **copies > 1).count();
        (Bytes::of_pages(saved), groups as u64)
    }

    proptest! {
        #[test]
        fn scopes_partition_the_duplicates(index in samples::index()) {
            let rows = scopes(&index);
            let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
            prop_assert_eq!(names, ["zero", "self", "host"]);
            let sum: Bytes = rows.iter().map(|row| row.duplicate).sum();
            prop_assert_eq!(sum, Bytes::of_pages(index.totals().duplicate));
            let pages = hashed_pages(&index);
            let not_zero = || pages.iter().filter(|page| page.2 != ZERO);
            let within = counts(not_zero().map(|page| (page.0, page.2)));
            prop_assert_eq!(rows[1].duplicate, beyond_the_first(&within).0);
            let files = counts(within.keys().map(|(_, content)| *content));
            prop_assert_eq!(rows[2].duplicate, beyond_the_first(&files).0);
        }

        #[test]
        fn mechanisms_save_what_their_classes_hold_beyond_the_first(index in samples::index()) {
            let pages: Vec<_> = hashed_pages(&index).into_iter()
                .filter(|page| index.view(page.0).is_some_and(|inode| inode.eligible)).collect();
            let not_zero = || pages.iter().filter(|page| page.2 != ZERO);
            let expected = [
                ("content", beyond_the_first(&counts(not_zero().map(|page| page.2)))),
                ("offset", beyond_the_first(&counts(not_zero().map(|page| (page.2, page.1))))),
                ("zero", beyond_the_first(&counts(pages.iter().filter(|page| page.2 == ZERO).map(|page| page.2)))),
            ];
            let rows = mechanisms(&index);
            let found: Vec<_> = rows.iter().map(|row| (row.name, (row.saving, row.groups))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
