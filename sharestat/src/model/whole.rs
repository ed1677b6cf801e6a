//! Files that are equal as a whole: the classes that sharing whole files could make one.
//! By proof (a digest, or read and compared) where there is one, else same size, at least
//! one page in common and no resident page that differs.

use std::collections::HashMap;

use super::{
    duplicates::Duplicates,
    files::FileRow,
    index::ContentIndex,
    inode::InodeId,
    keyed::KeyedMap,
    kin::Kin,
    measurement::{Identities, Proof},
    offsets::{at_same_offset, mix},
    savings::{Classes, Confidence},
    units::{ContentHash, PageIndex},
};

/// Classes that a file is compared with; files of one size that begin alike and end
/// differently could otherwise cost their square.
const TRIES: usize = 8;

/// Files that are equal as a whole, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeClass {
    /// The files, at least two, ascending.
    pub files: Vec<InodeId>,
    /// How sure that is.
    pub confidence: Confidence,
}

/// The classes of all eligible files with duplicates, of which `rows` tells. Image files are left out: what is
/// in them is shared through their filesystem or not at all.
#[must_use]
pub fn whole_classes(
    duplicates: &Duplicates<'_>,
    identities: &Identities,
    kin: &Kin<'_>,
    rows: &[FileRow],
) -> Vec<WholeClass> {
    let mut by_size: HashMap<u64, Vec<InodeId>> = HashMap::new();
    for row in rows.iter().filter(|row| row.duplicate > row.zero) {
        let inode = row.inode;
        let size = identities.files.get(&inode).map_or(0, |file| file.size);
        let eligible = duplicates
            .index()
            .view(inode)
            .is_some_and(|view| view.eligible);
        if size > 0 && eligible && !kin.is_image(inode) {
            by_size.entry(size).or_default().push(inode);
        }
    }
    let mut sizes: Vec<Vec<InodeId>> = by_size
        .into_values()
        .filter(|files| files.len() > 1)
        .collect();
    sizes.sort_unstable();
    let mut classes = Vec::new();
    for files in sizes {
        // Proofs of one kind say of all these files which are equal.
        let proofs: Vec<Option<&Proof>> = files
            .iter()
            .map(|inode| identities.whole.get(inode))
            .collect();
        let told = |pair: &[Option<&Proof>]| {
            let both = pair[0].zip(pair[1]);
            both.is_some_and(|(one, other)| comparable(one, other))
        };
        let mut sorter = Sorter::new(duplicates, !proofs.windows(2).all(told));
        for inode in files {
            sorter.add(inode, identities.whole.get(&inode));
        }
        let finished = sorter.classes.into_iter().map(Class::finish);
        classes.extend(finished.filter(|class| class.files.len() > 1));
    }
    classes.sort_unstable_by(|one, other| one.files.cmp(&other.files));
    classes
}

/// Pages that files of a class hold in common: one class of pages for each page index
/// that at least two of `files` have. Zero pages are left out.
#[must_use]
pub(super) fn pages_in_common(duplicates: &Duplicates<'_>, files: &[InodeId]) -> Classes {
    at_same_offset(duplicates, files)
}

/// The hashed pages of one or more files, by page.
type Pages = Vec<(PageIndex, ContentHash)>;

/// The first and the last class in which a page was seen. Classes in between are found
/// by other pages, where they have any of their own.
type FirstAndLast = [usize; 2];

/// Sorts files of one size into classes.
struct Sorter<'a> {
    all: &'a Duplicates<'a>,
    classes: Vec<Class<'a>>,
    by_proof: KeyedMap<&'a Proof, usize>,
    /// By content and page index, mixed.
    by_page: KeyedMap<u64, FirstAndLast>,
    /// Whether some file has to be compared with others by its pages.
    guesses: bool,
}

#[derive(Default)]
struct Class<'a> {
    files: Vec<InodeId>,
    /// What all its files have in common; none when one has no proof.
    proof: Option<&'a Proof>,
    /// What its files hold between them, once there are two.
    pages: Option<Pages>,
}

impl<'a> Sorter<'a> {
    fn new(all: &'a Duplicates<'a>, guesses: bool) -> Self {
        Self {
            all,
            classes: Vec::new(),
            by_proof: KeyedMap::default(),
            by_page: KeyedMap::default(),
            guesses,
        }
    }

    fn add(&mut self, inode: InodeId, proof: Option<&'a Proof>) {
        if !self.guesses {
            let number = proof.and_then(|proof| self.by_proof.get(proof).copied());
            let number = number.unwrap_or_else(|| self.open(proof));
            self.classes[number].files.push(inode);
            return;
        }
        let own = self.all.of_file(inode).iter();
        let duplicates: Vec<u64> = own
            .filter(|page| !self.all.is_zero(page.number()))
            .map(|page| mix(self.all.content(page.number()), page.page()))
            .collect();
        if duplicates.is_empty() {
            return;
        }
        let pages = pages_of(self.all.index(), inode);
        let known = proof.and_then(|proof| self.by_proof.get(proof).copied());
        let number = known
            .or_else(|| self.fitting(&pages, &duplicates, proof))
            .unwrap_or_else(|| self.open(proof));
        self.join(number, inode, pages, proof);
        for page in duplicates {
            self.by_page.entry(page).or_insert([number; 2])[1] = number;
        }
        if let Some(proof) = proof {
            self.by_proof.entry(proof).or_insert(number);
        }
    }

    /// A class without files yet.
    fn open(&mut self, proof: Option<&'a Proof>) -> usize {
        let number = self.classes.len();
        self.classes.push(Class {
            proof,
            ..Class::default()
        });
        if let Some(proof) = proof {
            self.by_proof.insert(proof, number);
        }
        number
    }

    fn join(&mut self, number: usize, inode: InodeId, pages: Pages, proof: Option<&'a Proof>) {
        let index = self.all.index();
        let class = &mut self.classes[number];
        if let Some(first) = class.files.first() {
            let held = class
                .pages
                .take()
                .unwrap_or_else(|| pages_of(index, *first));
            class.pages = Some(merged(held, pages));
        }
        class.files.push(inode);
        if class.proof != proof {
            class.proof = None;
        }
    }

    /// A class with a page in common and none that differs.
    fn fitting(&self, pages: &Pages, duplicates: &[u64], proof: Option<&Proof>) -> Option<usize> {
        let mut tried: Vec<usize> = Vec::new();
        for number in duplicates
            .iter()
            .filter_map(|page| self.by_page.get(page))
            .flatten()
        {
            if tried.len() == TRIES {
                break;
            }
            if tried.contains(number) {
                continue;
            }
            tried.push(*number);
            let class = &self.classes[*number];
            // Two proofs that differ in kind say nothing; of one kind, that files differ.
            let may_be_equal = proof
                .zip(class.proof)
                .is_none_or(|(one, other)| !comparable(one, other));
            if may_be_equal && self.agrees(class, pages) {
                return Some(*number);
            }
        }
        None
    }

    fn agrees(&self, class: &Class<'_>, pages: &Pages) -> bool {
        match (&class.pages, class.files.first()) {
            (Some(held), _) => no_difference(held.iter().copied(), pages),
            (None, Some(first)) => {
                let view = self.all.index().view(*first);
                view.is_some_and(|view| no_difference(view.contents(), pages))
            }
            (None, None) => true,
        }
    }
}

fn pages_of(index: &ContentIndex, inode: InodeId) -> Pages {
    let view = index.view(inode);
    view.map_or_else(Pages::new, |view| view.contents().collect())
}

/// Whether two lists, both by page, have the same content wherever both have a page.
fn no_difference(held: impl Iterator<Item = (PageIndex, ContentHash)>, pages: &Pages) -> bool {
    let mut pages = pages.iter().peekable();
    for (page, content) in held {
        while pages.next_if(|(other, _)| *other < page).is_some() {}
        if pages
            .peek()
            .is_some_and(|(other, differs)| *other == page && *differs != content)
        {
            return false;
        }
    }
    true
}

/// All pages of two lists that do not differ.
fn merged(mut held: Pages, pages: Pages) -> Pages {
    held.extend(pages);
    // Two ordered runs: the stable sort only merges them.
    held.sort();
    held.dedup();
    held
}

const fn comparable(one: &Proof, other: &Proof) -> bool {
    matches!(
        (one, other),
        (Proof::Compared(_), Proof::Compared(_)) | (Proof::Digest(_), Proof::Digest(_))
    )
}

impl Class<'_> {
    fn finish(self) -> WholeClass {
        WholeClass {
            files: self.files,
            confidence: match self.proof {
                Some(Proof::Compared(_)) => Confidence::Verified,
                Some(Proof::Digest(_)) => Confidence::Exact,
                None => Confidence::Probable,
            },
        }
    }
}

#[cfg(test)]
#[path = "whole_tests.rs"]
mod tests;
