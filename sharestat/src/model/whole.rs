//! Files that are equal as a whole: the classes that sharing whole files could make one.
//! By proof (a digest, or read and compared) where there is one, else same size, at least
//! one page in common and no resident page that differs.

use std::collections::HashMap;

use super::{
    index::ContentIndex,
    inode::InodeId,
    kin::Kin,
    measurement::{Identities, Proof},
    savings::{Classes, Confidence},
    units::ContentHash,
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

/// The classes of all eligible files with duplicates. Image files are left out: what is
/// in them is shared through their filesystem or not at all.
#[must_use]
pub fn whole_classes(
    index: &ContentIndex,
    identities: &Identities,
    kin: &Kin<'_>,
) -> Vec<WholeClass> {
    let mut by_size: HashMap<u64, Vec<InodeId>> = HashMap::new();
    for inode in index.inodes().filter(|inode| inode.eligible) {
        let size = identities.files.get(&inode.id).map_or(0, |file| file.size);
        if size > 0 && !kin.is_image(inode.id) {
            by_size.entry(size).or_default().push(inode.id);
        }
    }
    let mut sizes: Vec<Vec<InodeId>> = by_size
        .into_values()
        .filter(|files| files.len() > 1)
        .collect();
    sizes.sort_unstable();
    let mut classes = Vec::new();
    for files in sizes {
        let mut sorter = Sorter::default();
        for inode in files {
            sorter.add(index, inode, identities.whole.get(&inode));
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
pub(super) fn pages_in_common(index: &ContentIndex, files: &[InodeId]) -> Classes {
    let mut copies: HashMap<(u64, ContentHash), u64> = HashMap::new();
    for inode in files.iter().filter_map(|inode| index.view(*inode)) {
        index.visit_contents(&inode, |page, content, count| {
            if count > 1 && content != index.zero() {
                *copies.entry((page.0, content)).or_default() += 1;
            }
        });
    }
    let mut classes = Classes::default();
    for count in copies.into_values() {
        classes.add(count);
    }
    classes
}

/// Sorts files of one size into classes.
#[derive(Default)]
struct Sorter<'a> {
    classes: Vec<Class<'a>>,
    by_proof: HashMap<&'a Proof, usize>,
    by_page: HashMap<(u64, ContentHash), Vec<usize>>,
}

#[derive(Default)]
struct Class<'a> {
    files: Vec<InodeId>,
    /// What all its files have in common; none when one has no proof.
    proof: Option<&'a Proof>,
    pages: HashMap<u64, ContentHash>,
}

impl<'a> Sorter<'a> {
    fn add(&mut self, index: &ContentIndex, inode: InodeId, proof: Option<&'a Proof>) {
        let Some(view) = index.view(inode) else {
            return;
        };
        let mut pages: Vec<(u64, ContentHash)> = Vec::new();
        let mut duplicates = Vec::new();
        index.visit_contents(&view, |page, content, copies| {
            pages.push((page.0, content));
            if copies > 1 && content != index.zero() {
                duplicates.push((page.0, content));
            }
        });
        if duplicates.is_empty() {
            return;
        }
        let known = proof.and_then(|proof| self.by_proof.get(proof).copied());
        let number = known
            .or_else(|| self.fitting(&pages, &duplicates, proof))
            .unwrap_or_else(|| {
                self.classes.push(Class {
                    proof,
                    ..Class::default()
                });
                self.classes.len() - 1
            });
        let class = &mut self.classes[number];
        class.files.push(inode);
        if class.proof != proof {
            class.proof = None;
        }
        class.pages.extend(pages);
        for page in duplicates {
            let classes = self.by_page.entry(page).or_default();
            if classes.last() != Some(&number) && classes.len() < TRIES {
                classes.push(number);
            }
        }
        if let Some(proof) = proof {
            self.by_proof.entry(proof).or_insert(number);
        }
    }

    /// A class with a page in common and none that differs.
    fn fitting(
        &self,
        pages: &[(u64, ContentHash)],
        duplicates: &[(u64, ContentHash)],
        proof: Option<&Proof>,
    ) -> Option<usize> {
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
            let differs = |(page, content): &(u64, ContentHash)| {
                class.pages.get(page).is_some_and(|other| other != content)
            };
            if may_be_equal && !pages.iter().any(differs) {
                return Some(*number);
            }
        }
        None
    }
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
